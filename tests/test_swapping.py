"""Every kind of every component, swapped by a file of settings alone, end to end on the sample knowledge base."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rag_app import RagApp
from rag_app.config import load_settings
from rag_app.kinds import SHIPPED
from tests.conftest import INSTITUTE
from tests.embedding_server import embedding_server
from tests.gemini_server import gemini_server
from tests.models import save_embedding

QUESTION = "شهریه کلاس آیلتس چقدر است؟"


@pytest.fixture(scope="module")
def services() -> Iterator[dict[str, str]]:
    """Local servers that answer as Gemini and OpenAI do, and a small embedding model's folder."""
    with gemini_server() as answers, embedding_server() as vectors:
        yield {"answers": answers.url, "vectors": vectors}


@pytest.fixture(scope="module")
def embedding_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    texts = [file.read_text("utf-8") for file in sorted((INSTITUTE / "documents").rglob("*.md"))]
    return save_embedding(tmp_path_factory.mktemp("embedding"), texts)


SETTINGS = {
    ("embedding", "hashing"): "embedding: {kind: hashing}",
    ("embedding", "huggingface"): "embedding: {kind: huggingface, model: '{embedding}'}",
    (
        "embedding",
        "google_genai",
    ): "embedding: {kind: google_genai, model: m, api_key: k, api_base: '{vectors}', dim: 64}",
    ("embedding", "openai_like"): "embedding: {kind: openai_like, model: m, api_base: '{vectors}/v1', dim: 64}",
    ("dense", "auto"): "retrieval: {dense: auto}",
    ("dense", "postgres"): "retrieval: {dense: postgres}",
    ("dense", "memory"): "retrieval: {dense: memory}",
    ("dense", "qdrant"): "retrieval: {dense: qdrant}",
    ("dense", "none"): "retrieval: {dense: none}",
    ("sparse", "bm25"): "retrieval: {sparse: bm25}",
    ("sparse", "postgres_fts"): "retrieval: {sparse: postgres_fts}",
    ("sparse", "none"): "retrieval: {sparse: none}",
    ("rerank", "lexical"): "rerank: {kind: lexical}",
    ("rerank", "cross_encoder"): "rerank: {kind: cross_encoder, model: '{cross_encoder}', load: eager}",
    ("rerank", "none"): "rerank: {kind: none}",
    ("llm", "extractive"): "llm: {kind: extractive}",
    ("llm", "google_genai"): "llm: {kind: google_genai, api_key: k, api_base: '{answers}'}",
    ("llm", "gemini"): "llm: {kind: gemini, api_key: k, api_base: '{answers}'}",
    ("llm", "openai_like"): "llm: {kind: openai_like, api_key: k, api_base: '{answers}/v1'}",
}


def test_every_kind_has_settings_here() -> None:
    assert set(SETTINGS) == {(component, kind) for component, kinds in SHIPPED.items() for kind in kinds}


@pytest.mark.filterwarnings("ignore::DeprecationWarning:google")
@pytest.mark.parametrize(("component", "kind"), SETTINGS)
def test_a_kind_is_swapped_by_yaml_alone(
    new_database: Callable[[], str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    services: dict[str, str],
    embedding_folder: Path,
    cross_encoder_folder: Path,
    component: str,
    kind: str,
) -> None:
    text = SETTINGS[component, kind]
    places = {**services, "embedding": str(embedding_folder), "cross_encoder": str(cross_encoder_folder)}
    for name, place in places.items():
        text = text.replace(f"{{{name}}}", place)
    file = tmp_path / "rag_app.yaml"
    file.write_text(f"deadline_s: 30\ndatabase: {{url: '{new_database()}'}}\n{text}\n", "utf-8")
    monkeypatch.setenv("RAG_APP_RETRIEVAL__LEG_TIMEOUT_S", "20")  # for a busy machine
    with RagApp.from_config(file) as app:
        assert not app.ingest(INSTITUTE / "documents", tenant="t").skipped
        answer = app.answer(QUESTION, tenant="t")
    result = answer.retrieved.result
    legs = {leg for chunk in result.trace.chunks.values() for leg in chunk.legs}
    expected = {"dense", "bm25"}
    if component == "dense" and kind == "none":
        expected = {"bm25"}
    elif component == "sparse":
        expected = {"dense"} if kind == "none" else {"dense", kind}
    assert legs == expected
    assert result.trace.reranker == {"none": "fused order"}.get(kind, kind) if component == "rerank" else "lexical"
    assert result.trace.degradations == []
    assert result.nodes
    assert answer.outcome == "answered"
    assert answer.llm == (kind if component == "llm" else "extractive")
    assert answer.citations


DOCS = Path(__file__).parent.parent / "docs" / "swapping.md"


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", DOCS.read_text("utf-8"), re.DOTALL)


def test_every_file_of_the_docs_is_valid_and_they_show_every_kind(tmp_path: Path) -> None:
    shown = set()
    for number, block in enumerate(blocks("yaml")):
        file = tmp_path / f"{number}.yaml"
        file.write_text(block, "utf-8")
        settings = load_settings(file)
        assert settings != load_settings() or "default" in block
        shown |= {("embedding", settings.embedding.kind), ("rerank", settings.rerank.kind), ("llm", settings.llm.kind)}
        shown |= {("dense", settings.retrieval.dense), ("sparse", settings.retrieval.sparse)}
    missing = set(SETTINGS) - shown
    assert {kind for _, kind in missing} == {"none"}


def test_the_retriever_of_the_docs_takes_part(
    new_database: Callable[[], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (code,) = blocks("python")
    (legs,) = [block for block in blocks("yaml") if "shop.search:Offers" in block]
    (tmp_path / "shop_of_docs").mkdir()
    (tmp_path / "shop_of_docs" / "search.py").write_text(code, "utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    file = tmp_path / "rag_app.yaml"
    file.write_text(
        legs.replace("enabled: true", "enabled: false").replace("shop.search", "shop_of_docs.search"), "utf-8"
    )
    with RagApp.from_config(file, database={"url": new_database()}, deadline_s=30) as app:
        app.ingest(INSTITUTE / "documents", tenant="t")
        result = app.retrieve(QUESTION, tenant="t")
    assert result.trace.chunks["offer"].legs["offers"].rank == 1
    assert not result.degraded
