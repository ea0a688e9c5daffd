"""Language models that write answers, by kind."""

from rag_app.llms.extractive import ExtractiveLLM
from rag_app.llms.kinds import KINDS, aclose_llm, open_llm
from rag_app.llms.options import LLMOptions
from rag_app.llms.streaming import Write, astream_text

__all__ = ["KINDS", "ExtractiveLLM", "LLMOptions", "Write", "aclose_llm", "astream_text", "open_llm"]
