"""Counting tokens as Gemini does."""

from rag_app.tokens.choice import Counters, open_counters
from rag_app.tokens.estimate import EstimatedTokenCounter

__all__ = ["Counters", "EstimatedTokenCounter", "open_counters"]
