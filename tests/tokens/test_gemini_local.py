import hashlib
import importlib.util
import tempfile
from pathlib import Path

import pytest
import sentencepiece

from rag_app.errors import ConfigurationError
from rag_app.tokens import gemini_local
from rag_app.tokens.gemini_local import LocalTokenCounter, cached_file

TEXT = "هزینه ارسال کتاب ۱۲۰٬۰۰۰ تومان است 😀\n\n  \ud800"


def test_it_counts_as_the_tokenizer_does(tokenizer_file: Path) -> None:
    processor = sentencepiece.SentencePieceProcessor(model_file=str(tokenizer_file))
    counter = LocalTokenCounter(tokenizer_file)
    assert counter.count(TEXT) == len(processor.EncodeAsPieces(TEXT.replace("\ud800", "?"))) > 15
    assert counter.count("") == 0
    assert counter.name == "gemini_local"


@pytest.mark.parametrize("content", [b"", b"{}", b"oops" * 1000, b"\x00\xff" * 50])
def test_a_file_that_is_no_tokenizer_says_so(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "tokenizer.json"
    file.write_bytes(content)
    with pytest.raises(ConfigurationError, match=r"tokenizer\.json is no SentencePiece model"):
        LocalTokenCounter(file)


def test_a_file_that_is_missing_says_so(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigurationError, match=r"context\.tokenizer_file .*gone\.model can not be read: No such file"
    ):
        LocalTokenCounter(tmp_path / "gone.model")


def test_what_google_genai_has_fetched_is_looked_for_where_it_keeps_it() -> None:
    spec = importlib.util.find_spec("google.genai._local_tokenizer_loader")  # its import needs a protobuf of its own
    assert spec is not None
    assert spec.origin is not None
    source = Path(spec.origin).read_text("utf-8")
    for what in (
        gemini_local._URL,
        gemini_local._SHA256,
        '"vertexai_tokenizer_model"',
        "hashlib.sha1(file_url.encode())",
    ):
        assert what in source


def test_what_google_genai_has_fetched_is_found_if_it_is_whole(
    tokenizer_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    content = tokenizer_file.read_bytes()
    monkeypatch.setattr(gemini_local, "_SHA256", hashlib.sha256(content).hexdigest())
    assert cached_file() is None
    folder = tmp_path / "vertexai_tokenizer_model"
    folder.mkdir()
    (folder / hashlib.sha1(gemini_local._URL.encode()).hexdigest()).write_bytes(content)
    file = cached_file()
    assert file is not None
    assert file.read_bytes() == content
    file.write_bytes(content[:-1])
    assert cached_file() is None
