"""What a model reads: numbered chunks between delimiters that no document can imitate, and the turns around them."""

from rag_app.gemini.reading import ReadChunk, ReadTurn, read_turn
from rag_app.gemini.rendering import lines_above, render_chunk, render_context
from rag_app.gemini.requests import GeminiRequest, request_of
from rag_app.gemini.turns import SYSTEM_INSTRUCTION, messages_of, user_turn

__all__ = [
    "SYSTEM_INSTRUCTION",
    "GeminiRequest",
    "ReadChunk",
    "ReadTurn",
    "lines_above",
    "messages_of",
    "read_turn",
    "render_chunk",
    "render_context",
    "request_of",
    "user_turn",
]
