"""Language models that write answers, by kind."""
