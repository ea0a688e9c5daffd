"""Language models that write answers, by kind."""

from rag_app.llms.extractive import ExtractiveLLM
from rag_app.llms.kinds import KINDS, aclose_llm, open_llm
from rag_app.llms.options import LLMOptions
from rag_app.llms.streaming import Write, WriteAnswer, astream_answer, astream_text

__all__ = [
    "KINDS",
    "ExtractiveLLM",
    "LLMOptions",
    "Write",
    "WriteAnswer",
    "aclose_llm",
    "astream_answer",
    "astream_text",
    "open_llm",
]
