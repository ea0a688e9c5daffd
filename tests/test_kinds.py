"""Parts of one's own, and those of other packages, named in a file of settings."""

import re
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rag_app import RagApp
from rag_app.config import load_settings
from rag_app.errors import ConfigurationError
from rag_app.kinds import SHIPPED, names_of
from tests.conftest import INSTITUTE

RETRIEVER = """
from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.schema import NodeWithScore, TextNode


class Offers(BaseRetriever):
    def __init__(self, text):
        super().__init__()
        self.text = text

    def _retrieve(self, query):
        about = {"tenant": query.tenant, "doc_id": "offer", "source": "offers", "title": "پیشنهاد"}
        return [NodeWithScore(node=TextNode(id_="offer-1", text=self.text, metadata=about), score=1.0)]
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], str]:
    """Write a module that can be imported, and return its name."""
    monkeypatch.syspath_prepend(tmp_path)

    def write(code: str) -> str:
        name = f"own_{tmp_path.name.replace('-', '_')}"
        (tmp_path / f"{name}.py").write_text(code, "utf-8")
        return name

    return write


def refusal(**settings: Any) -> str:
    with pytest.raises(ConfigurationError) as caught:
        load_settings(**settings)
    return str(caught.value)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"rerank": {"kind": "lexica"}}, "rerank.kind: unknown kind 'lexica': did you mean 'lexical'? valid: "),
        ({"embedding": {"kind": "hugging_face"}}, "did you mean 'huggingface'?"),
        ({"retrieval": {"dense": "postgre"}}, "retrieval.dense: unknown kind 'postgre': did you mean 'postgres'?"),
        ({"retrieval": {"sparse": "bm26"}}, "did you mean 'bm25'?"),
        ({"llm": {"kind": "extractiv"}}, "did you mean 'extractive'?"),
        ({"retrieval": {"legs": {"mine": {"kind": "shop.Search"}}}}, "or a path as package.module:Name"),
        ({"retrieval": {"legs": {"mine": {"kind": "a:B", "wieght": 2}}}}, "of retrieval.legs.mine 'wieght': did you"),
        ({"retrieval": {"legs": {"dense": {"kind": "a:B"}}}}, "'dense' can not name a leg"),
        ({"retrieval": {"dense": "none", "sparse": "none"}}, "there is no leg left"),
        ({"rerank": {"options": {"top": 3}}}, "options are for a class of one's own, and 'lexical' is none"),
    ],
)
def test_a_kind_that_can_not_be_is_refused_with_what_is_valid(settings: dict[str, Any], told: str) -> None:
    assert told in refusal(**settings)


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("no_such_module:Thing", "'no_such_module' can not be imported"),
        ("tests.conftest:INSTITUT", "has no class 'INSTITUT'; did you mean 'INSTITUTE'?"),
        ("collections:Counter", "gives a Counter; a llama_index.core.base.base_retriever.BaseRetriever is needed"),
        ("decimal:localcontext", "can not be made with the options ['text']"),
    ],
)
def test_a_path_that_leads_nowhere_says_so_when_the_application_opens(
    new_database: Callable[[], str], kind: str, told: str
) -> None:
    legs = {"mine": {"kind": kind, "options": {"text": "متن"}}}
    with pytest.raises(ConfigurationError, match="leg ") as caught:
        RagApp.from_config(database={"url": new_database()}, retrieval={"legs": legs})
    assert told in str(caught.value)


def test_a_retriever_of_ten_lines_named_in_yaml_takes_part_in_fusion_trace_and_metrics(
    new_database: Callable[[], str], module: Callable[[str], str], tmp_path: Path
) -> None:
    file = tmp_path / "rag_app.yaml"
    text = "این هفته ثبت‌نام آیلتس بیست درصد تخفیف دارد."
    file.write_text(
        "retrieval:\n  legs:\n    offers:\n"
        f"      kind: {module(RETRIEVER)}:Offers\n      weight: 2\n      options: {{text: {text}}}\n",
        "utf-8",
    )
    with RagApp.from_config(file, database={"url": new_database()}, deadline_s=30) as app:
        app.ingest(INSTITUTE / "documents", tenant="t1")
        result = app.retrieve("ثبت نام آیلتس تخفیف داره؟", tenant="t1")
    chunk = result.trace.chunks["offer-1"]
    assert chunk.legs["offers"] == (1, 1.0)
    assert chunk.fusion is not None
    assert chunk.fusion.score == pytest.approx(2 / 61)
    assert {"dense", "bm25"} <= {leg for each in result.trace.chunks.values() for leg in each.legs}
    assert text in result.context
    assert not result.degraded


def test_a_leg_of_ones_own_that_fails_is_left_out_and_counted(
    new_database: Callable[[], str], module: Callable[[str], str]
) -> None:
    from rag_app import RAGMetrics

    broken = RETRIEVER.replace("        about = ", "        raise OSError\n        about = ")
    legs = {"offers": {"kind": f"{module(broken)}:Offers", "options": {"text": "متن"}}}
    with RagApp.from_config(database={"url": new_database()}, retrieval={"legs": legs}, deadline_s=30) as app:
        app.ingest(INSTITUTE / "documents", tenant="t1")
        result = app.retrieve("شهریه آیلتس", tenant="t1")
    assert result.nodes
    assert [(entry.component, entry.reason) for entry in result.trace.degradations] == [("offers", "OSError")]
    told = RAGMetrics.exposition().decode()
    assert 'rag_degradations_total{component="offers",reason="OSError",stage="retrieval"}' in told


def test_a_leg_of_ones_own_can_not_bring_in_another_tenants_text(
    new_database: Callable[[], str], module: Callable[[str], str]
) -> None:
    careless = RETRIEVER.replace('"tenant": query.tenant', '"tenant": "t2"')
    legs = {"offers": {"kind": f"{module(careless)}:Offers", "options": {"text": "راز مستأجر دیگر"}}}
    with RagApp.from_config(database={"url": new_database()}, retrieval={"legs": legs}, deadline_s=30) as app:
        app.ingest(INSTITUTE / "documents", tenant="t1")
        result = app.retrieve("شهریه آیلتس", tenant="t1")
    assert result.nodes
    assert "راز مستأجر دیگر" not in result.context


def test_a_postprocessor_of_llama_index_reranks_and_the_lexical_one_stands_in_for_it(
    new_database: Callable[[], str], module: Callable[[str], str]
) -> None:
    own = module(
        "from llama_index.core.postprocessor.types import BaseNodePostprocessor\n"
        "class Backwards(BaseNodePostprocessor):\n"
        "    fails: bool = False\n"
        "    def _postprocess_nodes(self, nodes, query_bundle=None):\n"
        "        if self.fails: raise OSError\n"
        "        return nodes[::-1]\n"
    )
    database = {"url": new_database()}
    for fails, reranker in ((False, "Backwards"), (True, "lexical")):
        rerank = {"kind": f"{own}:Backwards", "options": {"fails": fails}}
        with RagApp.from_config(database=database, rerank=rerank, deadline_s=30) as app:
            app.ingest(INSTITUTE / "documents", tenant="t1")
            result = app.retrieve("شهریه آیلتس", tenant="t1")
        assert result.trace.reranker == reranker
        assert result.nodes


def test_an_embedding_of_ones_own_has_its_own_space(
    new_database: Callable[[], str], module: Callable[[str], str]
) -> None:
    own = module(
        "from rag_app.embeddings import HashingEmbedding\n"
        "class Small(HashingEmbedding):\n"
        "    embed_dim: int = 128\n"
        "    @property\n"
        "    def fingerprint(self): return 'small'\n"
    )
    url = new_database()
    with RagApp.from_config(database={"url": url}, embedding={"kind": f"{own}:Small"}, deadline_s=30) as app:
        app.ingest(INSTITUTE / "documents", tenant="t1")
        result = app.retrieve("شهریه آیلتس", tenant="t1")
        assert any("dense" in chunk.legs for chunk in result.trace.chunks.values())
    with pytest.raises(ConfigurationError, match="built with embedding 'small'"):
        RagApp.from_config(database={"url": url})


def test_an_llm_of_ones_own_answers(new_database: Callable[[], str]) -> None:
    llm = {"kind": "llama_index.core.llms.mock:MockLLM", "options": {"max_tokens": 5}}
    with RagApp.from_config(database={"url": new_database()}, llm=llm, deadline_s=30) as app:
        app.ingest(INSTITUTE / "documents", tenant="t1")
        answer = app.answer("شهریه آیلتس چقدر است؟", tenant="t1")
    assert answer.outcome == "answered"
    assert answer.llm == "llama_index.core.llms.mock:MockLLM"


def test_another_package_adds_a_kind_by_an_entry_point(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: Callable[[str], str]
) -> None:
    from rag_app import kinds

    name = module(RETRIEVER)
    info = tmp_path / "shop_search-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: shop-search\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        f"[rag_app.leg]\nshop_offers = {name}:Offers\n[rag_app.rerank]\nlexical = {name}:Offers\n"
    )
    monkeypatch.setattr(kinds, "_paths", kinds._paths.__wrapped__)
    assert names_of("leg") == ("shop_offers",)
    assert load_settings(retrieval={"legs": {"mine": {"kind": "shop_offers"}}}).retrieval.legs["mine"].kind
    assert "did you mean 'shop_offers'" in refusal(retrieval={"legs": {"mine": {"kind": "shop_offer"}}})
    assert names_of("rerank") == tuple(SHIPPED["rerank"])  # a name of ours stays ours


MISSING = [
    ("embedding: {kind: huggingface}", "llama_index.embeddings.huggingface", "huggingface"),
    ("embedding: {kind: google_genai, api_key: k}", "llama_index.embeddings.google_genai", "google-genai"),
    ("embedding: {kind: openai_like}", "llama_index.embeddings.openai_like", "openai-like"),
    ("llm: {kind: google_genai, api_key: k}", "llama_index.llms.google_genai", "google-genai"),
    ("llm: {kind: gemini, api_key: k}", "llama_index.llms.gemini", "gemini"),
    ("llm: {kind: openai_like}", "llama_index.llms.openai_like", "openai-like"),
    ("retrieval: {dense: qdrant}", "qdrant_client", "qdrant"),
]


OPENED = """
import sys
sys.modules.update(dict.fromkeys(sys.argv[1].split()))  # as if none of these packages were there
from rag_app import RagApp
from rag_app.errors import RagAppError
for file in sys.argv[2:]:
    try:
        with RagApp.from_config(file) as app:
            app.chat
    except RagAppError as error:
        print(str(error).splitlines()[-1])
"""


def test_a_missing_extra_is_named_with_the_line_that_installs_it(
    new_database: Callable[[], str], tmp_path: Path
) -> None:
    url, files = new_database(), [tmp_path / f"{number}.yaml" for number in range(len(MISSING))]
    for file, (yaml, _, _) in zip(files, MISSING, strict=True):
        file.write_text(f"{yaml}\ndatabase: {{url: '{url}'}}\n", "utf-8")
    command = [sys.executable, "-c", OPENED, " ".join(package for _, package, _ in MISSING), *files]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    for told, (_, _, extra) in zip(run.stdout.splitlines(), MISSING, strict=True):
        assert f'pip install "rag-app[{extra}]"' in told


IMPORTED = """
import importlib, sys
sys.modules.update(dict.fromkeys(["fastapi", "openfeature"]))  # as if neither were there
for name in ("rag_app.flags.openfeature", "rag_app.server"):
    try:
        importlib.import_module(name)
    except Exception as error:
        print(str(error).splitlines()[-1])
"""


def test_a_part_whose_package_is_missing_names_its_extra_when_it_is_imported() -> None:
    run = subprocess.run([sys.executable, "-c", IMPORTED], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    for told, extra in zip(run.stdout.splitlines(), ("openfeature", "server"), strict=True):
        assert f"pip install 'rag-app[{extra}]'" in told


def test_every_extra_is_named_by_something_or_needs_no_word() -> None:
    root = Path(__file__).parent.parent
    extras = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    code = "\n".join(file.read_text("utf-8") for file in (root / "rag_app").rglob("*.py"))
    named = set(re.findall(r"rag-app\[([a-z-]+)\]", code))
    named |= {extra for kinds in SHIPPED.values() for extra in kinds.values() if extra is not None}
    # Who lists rag_app.contrib.django has Django; spans are left out; the others are for this repository.
    assert set(extras) - named == {"django", "tracing", "bench", "notebooks", "dev"}
