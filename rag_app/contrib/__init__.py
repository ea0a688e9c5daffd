"""What fits rag_app into frameworks that users have already; each part needs its extra."""
