"""Counting tokens by Gemini's own tokenizer, from a file, without any network access."""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path

from rag_app.errors import ConfigurationError

# Where google-genai's LocalTokenizer keeps what it has fetched, by the SHA-1 of its URL, and how it checks it. Google
# counts for Gemini 2.0 and later with it.
_URL = (
    "https://raw.githubusercontent.com/google/gemma_pytorch/014acb7ac4563a5f77c76d7ff98f31b568c16508/tokenizer/"
    "gemma3_cleaned_262144_v2.spiece.model"
)
_SHA256 = "1299c11d7cf632ef3b4e11937501358ada021bbdf7c47638d13c0ee982f2e79c"


def cached_file() -> Path | None:
    """Return the tokenizer that google-genai has fetched on this machine, if it has and it is whole."""
    folder = Path(tempfile.gettempdir()) / "vertexai_tokenizer_model"
    file = folder / hashlib.sha1(_URL.encode(), usedforsecurity=False).hexdigest()
    try:
        content = file.read_bytes()
    except OSError:
        return None
    return file if hashlib.sha256(content).hexdigest() == _SHA256 else None


class LocalTokenCounter:
    """Counts exactly by a SentencePiece model.

    Args:
        file: the model, as Google publishes it for Gemma 3: `*.spiece.model` or `tokenizer.model`.

    Raises:
        ConfigurationError: the file can not be read or is no such model, or sentencepiece is not installed.
    """

    name = "gemini_local"

    def __init__(self, file: Path) -> None:
        try:
            import sentencepiece
        except ImportError as error:
            raise ConfigurationError(
                'context.token_counter "gemini_local" needs more packages: pip install "rag-app[google-genai]"'
            ) from error
        try:
            content = file.read_bytes()
        except OSError as error:
            raise ConfigurationError(f"context.tokenizer_file {file} can not be read: {error.strerror}") from error
        self._processor = sentencepiece.SentencePieceProcessor()
        try:
            self._processor.LoadFromSerializedProto(content)
        except RuntimeError:
            raise ConfigurationError(
                f"context.tokenizer_file {file} is no SentencePiece model, such as the tokenizer.model of Gemma 3"
            ) from None

    def count(self, text: str) -> int:
        """Return the number of tokens of `text`."""
        return len(self._processor.EncodeAsIds(text.encode("utf-8", "replace").decode("utf-8")))
