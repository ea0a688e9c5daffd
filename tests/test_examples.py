"""The sample knowledge base and the demo on it."""

import runpy
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from llama_index.core.schema import Document

from rag_app.readers import read
from tests.conftest import INSTITUTE


def test_the_sample_has_what_it_promises(questions: list[dict[str, Any]]) -> None:
    documents = list(read([INSTITUTE / "documents"]))
    assert all(isinstance(document, Document) for document in documents)
    sources = Counter(document.metadata["source"] for document in documents if isinstance(document, Document))
    assert sources == {"manual": 22, "faq": 66, "products": 32, "website": 18}
    assert sum(len(document.text.split()) > 900 for document in documents if isinstance(document, Document)) >= 4
    ids = {document.node_id for document in documents if isinstance(document, Document)}
    assert {doc_id for question in questions for doc_id in question["relevant"]} <= ids


def test_the_demo_shows_ten_questions_the_stages_and_the_context(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, cross_encoder_folder: Path
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("RAG_APP_DEADLINE_S", "30")  # so that a busy machine degrades nothing
    main = runpy.run_path(str(INSTITUTE.parent / "demo.py"))["main"]
    main(tmp_path)
    first = capsys.readouterr().out
    assert first.startswith("Reranker: lexical, for the cross-encoder")
    assert "reranked by lexical (configured)" in first
    assert "138 documents added, 0 unchanged" in first
    assert first.count("\n── ") == 10
    assert first.count("query_analysis ") >= 10
    assert first.count("✓") >= 20
    assert '<chunk id="1"' in first
    assert "(read as: \u2068شهریه دورهٔ آیلتس چقدره؟\u2069)" in first
    assert "۸٬۵۰۰٬۰۰۰" in first.partition("A conversation, answered by extractive")[2]
    assert first.rstrip().endswith("or DATABASE_URL.)")
    main(tmp_path, str(cross_encoder_folder))
    second = capsys.readouterr().out
    assert "0 documents added, 138 unchanged" in second
    assert second.startswith(f"Reranker: the cross-encoder in {cross_encoder_folder}")
    assert f"{cross_encoder_folder} is loaded in" in second
    assert second.count("reranked by cross_encoder (configured)") >= 10
    main(tmp_path, str(broken_model(cross_encoder_folder, tmp_path)))
    third = capsys.readouterr().out
    assert "can not be used, so the lexical reranker serves: the files of the model" in third
    assert third.count("reranked by lexical (cross_encoder: model files broken)") >= 10


def broken_model(model: Path, tmp_path: Path) -> Path:
    copy = shutil.copytree(model, tmp_path / "broken")
    (copy / "model.safetensors").write_bytes(b"torn")
    return copy
