"""Counting tokens as Gemini does."""

from rag_app.tokens.estimate import EstimatedTokenCounter

__all__ = ["EstimatedTokenCounter"]
