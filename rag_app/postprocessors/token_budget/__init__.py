"""As many chunks as the token budget allows, then as much of each chunk's parent as it allows."""

from rag_app.postprocessors.token_budget.postprocessor import TokenBudgetPostprocessor

__all__ = ["TokenBudgetPostprocessor"]
