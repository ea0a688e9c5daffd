import math
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from llama_index.core.callbacks import CallbackManager, CBEventType, LlamaDebugHandler
from llama_index.core.schema import NodeWithScore, QueryBundle, TextNode
from llama_index.postprocessor.sbert_rerank import SentenceTransformerRerank
from prometheus_client import REGISTRY

from rag_app.cross_encoder import ModelSpec, acquire_engine, release_engine
from rag_app.errors import ComponentError
from rag_app.postprocessors import CrossEncoderRerank
from rag_app.postprocessors.cross_encoder import calibrated
from rag_app.schema import Deadline, QueryWord, Reading, RetrievalQuery
from rag_app.trace import ChunkTrace, Degradation
from tests.models import reference_logits, save_cross_encoder

PASSAGES = ["ما بورسیه داریم", "قیمت مناسب است", "ارسال کتاب با پست", "شعبهٔ مرکزی"]
QUESTION = "بورسیه دارین؟"


def nodes(texts: list[str]) -> list[NodeWithScore]:
    return [NodeWithScore(node=TextNode(id_=text, text=text, metadata={"title": "x"}), score=0.0) for text in texts]


def reranker_of(folder: Path) -> CrossEncoderRerank:
    return CrossEncoderRerank(str(folder), precision="fp32")


@pytest.fixture
def own_folder(cross_encoder_folder: Path, tmp_path: Path) -> Path:
    """A copy that no other test's reranker shares."""
    return shutil.copytree(cross_encoder_folder, tmp_path / "own")


def test_it_is_the_stock_reranker() -> None:
    assert issubclass(CrossEncoderRerank, SentenceTransformerRerank)


@pytest.mark.parametrize("texts", [PASSAGES, PASSAGES[::-1]])
def test_scores_are_those_of_transformers_on_the_bare_text_in_any_order(
    cross_encoder_folder: Path, texts: list[str]
) -> None:
    found = reranker_of(cross_encoder_folder).postprocess_nodes(nodes(texts), query_str=QUESTION)
    expected = {
        text: 1 / (1 + math.exp(-logit))
        for text, logit in zip(texts, reference_logits(cross_encoder_folder, QUESTION, texts), strict=True)
    }
    assert {node.node.node_id: node.score for node in found} == pytest.approx(expected, abs=1e-4)
    assert [node.node.node_id for node in found] == sorted(expected, key=lambda text: -expected[text])
    assert max(expected.values()) - min(expected.values()) > 0.01


def test_the_order_and_scores_are_those_of_the_stock_reranker(cross_encoder_folder: Path) -> None:
    bare = [NodeWithScore(node=TextNode(id_=text, text=text), score=0.0) for text in PASSAGES]
    ours = reranker_of(cross_encoder_folder).postprocess_nodes(bare, query_str=QUESTION)
    stock = SentenceTransformerRerank(str(cross_encoder_folder), device="cpu", top_n=20)
    theirs = stock.postprocess_nodes(bare, query_str=QUESTION)
    assert [node.node.node_id for node in ours] == [node.node.node_id for node in theirs]
    assert [node.score for node in ours] == pytest.approx([node.score for node in theirs], abs=1e-4)


def test_nothing_is_loaded_before_the_first_use_and_one_model_serves_all_threads(own_folder: Path) -> None:
    reranker = reranker_of(own_folder)
    other = reranker_of(own_folder)
    assert reranker.loaded_model is None
    assert reranker.status().state == "not loaded"
    with ThreadPoolExecutor(8) as pool:
        scores = list(
            pool.map(
                lambda _: [n.score for n in reranker.postprocess_nodes(nodes(PASSAGES), query_str="قیمت")], range(8)
            )
        )
    assert all(score == scores[0] for score in scores)
    assert other.loaded_model is reranker.loaded_model is not None
    reranker.close()
    assert other.loaded_model is not None
    other.close()
    assert other.loaded_model is None


def test_closing_again_or_switching_when_closed_takes_the_model_from_nobody(own_folder: Path, tmp_path: Path) -> None:
    reranker = reranker_of(own_folder)
    other = reranker_of(own_folder)
    assert other.load().state == "ready"
    reranker.close()
    reranker.close()
    reranker.use_model(str(tmp_path))
    assert other.status().state == "ready"
    assert other.loaded_model is not None
    assert reranker.model == str(own_folder)
    other.close()
    assert other.loaded_model is None


def test_it_switches_to_another_model_and_gives_the_old_one_back(own_folder: Path, tmp_path: Path) -> None:
    first = reranker_of(own_folder)
    engine = acquire_engine(ModelSpec(str(own_folder), "fp32"))
    release_engine(engine)
    before = first.postprocess_nodes(nodes(PASSAGES), query_str=QUESTION)
    second = save_cross_encoder(tmp_path / "second", PASSAGES * 20)
    first.use_model(str(second))
    assert engine.model is None
    after = first.postprocess_nodes(nodes(PASSAGES), query_str=QUESTION)
    expected = [calibrated(logit) for logit in reference_logits(second, QUESTION, PASSAGES)]
    assert sorted(node.score or 0 for node in after) == pytest.approx(sorted(expected), abs=1e-4)
    assert [node.score for node in after] != pytest.approx([node.score for node in before], abs=1e-4)
    assert first.status().folder == str(second)
    first.use_model(str(second))  # changes nothing
    assert first.status().state == "ready"
    first.close()


def test_the_models_words_are_read_when_the_question_was_misspelt(cross_encoder_folder: Path) -> None:
    reading = Reading((QueryWord("borsie", 1.0, {"بورسیه": 0.9}, "بورسیه"),), QUESTION)
    asked = RetrievalQuery("borsie darin?", tenant="t", reading=reading)
    reranker = reranker_of(cross_encoder_folder)
    expected = reranker.postprocess_nodes(nodes(PASSAGES), query_str=QUESTION)
    found = reranker.postprocess_nodes(nodes(PASSAGES), asked)
    assert [node.score for node in found] == [node.score for node in expected]


def test_what_was_not_scored_keeps_its_order_below_what_was(own_folder: Path) -> None:
    reranker = reranker_of(own_folder)
    known = reranker.postprocess_nodes(nodes([PASSAGES[1], PASSAGES[3]]), query_str=QUESTION)  # now remembered
    query = RetrievalQuery(QUESTION, tenant="t", deadline=Deadline.after(0))
    query.trace.chunks = {text: ChunkTrace(text, "", "", "") for text in PASSAGES}
    found = reranker.postprocess_nodes(nodes(PASSAGES), query)
    ids = [node.node.node_id for node in found]
    assert ids == [*(node.node.node_id for node in known), PASSAGES[0], PASSAGES[2]]
    assert [node.score for node in found[2:]] == [0.0, 0.0]
    assert query.trace.degradations == [
        Degradation("rerank", "cross_encoder", "out of time: scored in part", "the order before")
    ]
    assert query.trace.chunks[PASSAGES[0]].logit is None
    logit = query.trace.chunks[ids[0]].logit
    assert logit is not None
    assert calibrated(logit) == found[0].score


def test_with_no_time_at_all_the_order_stays(cross_encoder_folder: Path) -> None:
    reranker = reranker_of(cross_encoder_folder)
    reranker.load()
    query = RetrievalQuery("پرسشی که کسی نپرسیده", tenant="t", deadline=Deadline.after(0))
    found = reranker.postprocess_nodes(nodes(PASSAGES), query)
    assert [(node.node.node_id, node.score) for node in found] == [(text, 0.0) for text in PASSAGES]
    assert [entry.reason for entry in query.trace.degradations] == ["out of time: nothing scored"]


def test_calibration_keeps_the_order_between_0_and_1() -> None:
    logits = [-900.0, -3.0, 0.0, 3.0, 900.0]
    scores = [calibrated(logit) for logit in logits]
    assert scores == sorted(scores)
    assert (scores[0], scores[2], scores[-1]) == (0.0, 0.5, 1.0)
    assert calibrated(None) == 0.0


def test_llama_index_hears_of_it_and_it_is_counted(cross_encoder_folder: Path) -> None:
    def counted() -> float:
        return REGISTRY.get_sample_value("rag_reranking_total", {"model": cross_encoder_folder.name}) or 0.0

    handler = LlamaDebugHandler(print_trace_on_end=False)
    reranker = reranker_of(cross_encoder_folder)
    reranker.callback_manager = CallbackManager([handler])
    before = counted()
    reranker.postprocess_nodes(nodes(PASSAGES), QueryBundle(QUESTION))
    (start, end) = handler.get_event_pairs(CBEventType.RERANKING)[0]
    assert start.payload["query_str"] == QUESTION
    assert len(end.payload["nodes"]) == 4
    assert counted() == before + 1


def test_a_folder_without_a_model_is_a_component_error(tmp_path: Path) -> None:
    with pytest.raises(ComponentError, match="can not be read"):
        CrossEncoderRerank(str(tmp_path)).postprocess_nodes(nodes(PASSAGES), query_str="q")


def test_without_the_extra_the_install_line_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ComponentError, match=r"pip install 'rag-app\[cross-encoder\]'") as caught:
        CrossEncoderRerank(str(tmp_path)).postprocess_nodes(nodes(PASSAGES), query_str="q")
    assert caught.value.reason == "package missing"
