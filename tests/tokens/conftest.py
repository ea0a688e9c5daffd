"""A small SentencePiece model of the sample's language, and a server that counts as Gemini's API does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import INSTITUTE
from tests.gemini_server import GeminiServer, gemini_server


@pytest.fixture(scope="session")
def tokenizer_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A byte-pair model as Gemma's is: digits apart, spaces kept, bytes for unknown characters."""
    import sentencepiece

    file = tmp_path_factory.mktemp("tokenizer") / "tokenizer.model"
    with file.open("wb") as model:
        sentencepiece.SentencePieceTrainer.Train(
            sentence_iterator=iter(
                line
                for path in sorted((INSTITUTE / "documents").rglob("*.md"))
                for line in path.read_text("utf-8").splitlines()
            ),
            model_writer=model,
            model_type="bpe",
            vocab_size=2000,
            byte_fallback=True,
            split_digits=True,
            add_dummy_prefix=False,
            remove_extra_whitespaces=False,
            normalization_rule_name="identity",
            minloglevel=2,
        )
    return file


@pytest.fixture
def server() -> Iterator[GeminiServer]:
    with gemini_server() as opened:
        yield opened
