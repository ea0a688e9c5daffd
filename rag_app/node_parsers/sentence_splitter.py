"""A LlamaIndex text splitter that knows where Persian sentences end."""

from __future__ import annotations

from llama_index.core.node_parser.interface import TextSplitter
from pydantic import PositiveInt, PrivateAttr

from rag_app.node_parsers.packing import pack
from rag_app.persian import sentence_spans
from rag_app.schema import TokenCounter
from rag_app.tokens import EstimatedTokenCounter


class PersianSentenceSplitter(TextSplitter):
    """Splits text into chunks of whole sentences; the chunks joined are the text again.

    Args:
        max_tokens: the most tokens of a chunk, by the token counter.
    """

    max_tokens: PositiveInt = 128
    _counter: TokenCounter = PrivateAttr(default_factory=EstimatedTokenCounter)

    @classmethod
    def class_name(cls) -> str:
        """Return the name that LlamaIndex stores."""
        return "PersianSentenceSplitter"

    def split_text(self, text: str) -> list[str]:
        """Return the chunks, in order."""
        return [text[start:end] for start, end in pack(text, sentence_spans(text), self.max_tokens, self._counter)]
