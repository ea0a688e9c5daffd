"""The stages together: what each contributes, and what happens when a part fails."""

import asyncio
import dataclasses
import json
import logging
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.postprocessor.types import BaseNodePostprocessor
from llama_index.core.schema import NodeWithScore, QueryBundle

from rag_app import RagApp, pipeline
from rag_app.cross_encoder.torch_scorer import TorchScorer
from rag_app.postprocessors import CrossEncoderRerank
from rag_app.retrievers import HybridRetriever
from rag_app.schema import RetrievalQuery, RetrievalResult, trace_of
from rag_app.trace import STAGES
from tests.conftest import SAMPLE_TENANT, heartbeat
from tests.serving import pipeline_of, query_of

QUESTION = "استراداد شهریه بعد جلسه دوم چند درسده؟"


class Failing(BaseNodePostprocessor):
    """A postprocessor that raises, blocks its thread, or returns what it is told."""

    error: Any = None
    wait_s: float = 0.0

    def _postprocess_nodes(
        self, nodes: list[NodeWithScore], query_bundle: QueryBundle | None = None
    ) -> list[NodeWithScore]:
        time.sleep(self.wait_s)
        if self.error is not None:
            raise self.error
        return nodes


class BrokenLeg(BaseRetriever):
    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        raise RuntimeError("customer words that no log may hold")


def run(app: RagApp, text: str = QUESTION, seconds: float = 30, **parts: Any) -> RetrievalResult:
    """Run the application's pipeline with some parts replaced."""
    return app.loop.call(pipeline_of(app, **parts).arun, query_of(text, seconds))


def order(result: RetrievalResult, place: str) -> list[str]:
    chunks = [chunk for chunk in result.trace.chunks.values() if getattr(chunk, place) is not None]
    return [chunk.node_id for chunk in sorted(chunks, key=lambda chunk: getattr(chunk, place).rank)]


def test_the_stages_run_in_order_and_each_is_timed(app: RagApp) -> None:
    result = run(app)
    assert [stage.name for stage in result.trace.stages] == list(STAGES)
    assert [stage.candidates for stage in result.trace.stages] == [0, 20, 20, len(result.nodes)]
    assert all(stage.ms > 0 for stage in result.trace.stages)
    assert sum(stage.ms for stage in result.trace.stages) <= result.trace.total_ms
    assert result.method == "production_rag"
    assert not result.degraded


def test_query_analysis_tells_language_complexity_and_intent(app: RagApp) -> None:
    analysis = run(app, "هزینه ارسال کتاب چقدره و کی میرسه؟ شعبه کرج هم دارید؟").analysis
    assert analysis is not None
    assert (analysis.language, analysis.complexity) == ("fa", "complex")
    assert analysis.intent in ("price", "shipping")


def test_retrieval_fuses_twenty_dense_and_fifteen_sparse_into_twenty(app: RagApp) -> None:
    chunks = run(app, "شهریه کلاس انگلیسی ترم پاییز چقدر است").trace.chunks.values()
    assert sum("dense" in chunk.legs for chunk in chunks) == 20
    assert sum("bm25" in chunk.legs for chunk in chunks) == 15
    assert sum(chunk.dropped is None or not chunk.dropped.startswith("retrieval") for chunk in chunks) == 20
    assert {len(chunk.legs) for chunk in chunks} == {1, 2}


def test_rerank_brings_up_what_fusion_ranked_low(app: RagApp) -> None:
    result = run(app)
    assert result.trace.reranker == "lexical"
    assert order(result, "rerank") != order(result, "fusion")[:20]
    assert set(order(result, "rerank")) == set(order(result, "fusion")[:20])
    scores = [node.score for node in result.nodes]
    assert scores == sorted(scores, reverse=True)
    assert result.nodes[0].node.node_id == order(result, "rerank")[0]


def test_the_context_holds_parents_without_repeats_within_the_budget(app: RagApp) -> None:
    result = run(app)
    assert 5 <= len(result.nodes) <= 8
    assert result.tokens == app.pipeline.writer.counter.count(result.context) <= 1400
    assert result.tokens > 1300
    assert all(f'<chunk id="{n}"' in result.context for n in range(1, len(result.nodes) + 1))
    scores = {node.node.node_id: 1.0 for node in result.nodes}
    found = app.loop.call(app.pipeline.context[1]._reader.afound, RetrievalQuery("", tenant=SAMPLE_TENANT), scores)
    children = {child.node.node_id: child.node for child in found}
    grown = [n for n in result.nodes if len(n.node.get_content()) > len(children[n.node.node_id].get_content())]
    assert grown
    assert [chunk.context for chunk in result.trace.chunks.values() if chunk.context] != []
    parents = [children[node.node.node_id].parent_node.node_id for node in result.nodes]
    assert len(set(parents)) == len(parents)


def test_near_duplicates_take_one_place(app: RagApp, tenant: str) -> None:
    text = "برای لغو سفارش تا پیش از ارسال، در پنل روی لغو بزنید تا مبلغ همان روز برگردد."
    app.ingest([{"id": str(n), "text": text + "!" * n} for n in range(4)], tenant=tenant)
    result = app.retrieve("لغو سفارش", tenant=tenant)
    assert len(result.nodes) == 1
    assert sum("says the same as" in (chunk.dropped or "") for chunk in result.trace.chunks.values()) == 3


def test_every_candidate_is_in_the_context_or_says_why_not(app: RagApp) -> None:
    chunks = run(app).trace.chunks.values()
    assert all((chunk.context is None) == (chunk.dropped is not None) for chunk in chunks)


def test_the_result_is_plain_json_with_the_whole_trace(app: RagApp) -> None:
    result = run(app)
    data = json.loads(json.dumps(result.as_dict(), ensure_ascii=False))
    assert data["chunks"][0]["content"] == result.nodes[0].node.get_content()
    assert data["chunks"][0]["doc_id"] == result.nodes[0].node.metadata["doc_id"]
    first = next(chunk for chunk in data["trace"]["chunks"] if chunk["context"] == 1)
    assert first["rerank"]["rank"] >= 1
    assert set(first["legs"]) <= {"dense", "bm25"}
    assert data["trace"]["stages"][1]["name"] == "retrieval"


@pytest.mark.parametrize("broken", [Failing(error=RuntimeError("words")), Failing(wait_s=2.5)])
def test_a_reranker_that_fails_or_hangs_gives_way_to_the_next(
    app: RagApp, broken: Failing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline, "RESERVE_S", 0.5)  # room for a machine that does other things as well
    result = run(app, seconds=2.5, rerankers={"cross_encoder": broken, **app.pipeline.rerankers})
    assert result.trace.reranker == "lexical"
    (noted,) = result.trace.degradations
    assert (noted.stage, noted.component, noted.fallback) == ("rerank", "cross_encoder", "lexical")
    assert noted.reason in ("RuntimeError", "TimeoutError")
    assert [node.node.node_id for node in result.nodes] == [node.node.node_id for node in run(app).nodes]


async def test_requests_that_wait_for_a_load_are_answered_in_time_by_the_next_reranker(
    app: RagApp, cross_encoder_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_load = threading.Event()
    load = TorchScorer.__init__

    def slow(*args: Any) -> None:
        may_load.wait(20)
        load(*args)

    monkeypatch.setattr(TorchScorer, "__init__", slow)
    cross_encoder = CrossEncoderRerank(str(cross_encoder_folder), precision="fp32", max_length=300)
    rerankers = {"cross_encoder": cross_encoder, **app.pipeline.rerankers}
    results = await asyncio.gather(
        *(asyncio.to_thread(run, app, seconds=4, rerankers=rerankers) for _ in range(12))  # more than pool threads
    )
    may_load.set()
    assert [result.trace.reranker for result in results] == ["lexical"] * 12
    assert {result.trace.reranker_reason for result in results} == {"cross_encoder: loading"}
    assert all(result.nodes and result.trace.total_ms < 4000 for result in results)
    cross_encoder.close()


def test_a_reranker_that_had_no_time_to_score_gives_way_to_the_next(app: RagApp) -> None:
    class Hasty(Failing):
        def _postprocess_nodes(
            self, nodes: list[NodeWithScore], query_bundle: QueryBundle | None = None
        ) -> list[NodeWithScore]:
            trace_of(query_bundle).degrade("rerank", "cross_encoder", "out of time: nothing scored", "the order before")
            return [NodeWithScore(node=node.node, score=0.0) for node in nodes]

    result = run(app, rerankers={"cross_encoder": Hasty(), **app.pipeline.rerankers})
    assert result.trace.reranker == "lexical"
    assert result.trace.reranker_reason == "cross_encoder: out of time: nothing scored"


def test_a_reranker_is_told_of_a_deadline_that_leaves_time_for_the_steps_to_come(app: RagApp) -> None:
    told: list[float] = []

    class Asking(Failing):
        def _postprocess_nodes(
            self, nodes: list[NodeWithScore], query_bundle: QueryBundle | None = None
        ) -> list[NodeWithScore]:
            told.append(RetrievalQuery.of(query_bundle).deadline.remaining())
            return nodes

    result = run(app, seconds=10, rerankers={"asking": Asking()})
    assert result.trace.reranker == "asking"
    assert 5 < told[0] <= 10 - pipeline.RESERVE_S


def test_without_any_reranker_the_fused_order_stays(app: RagApp) -> None:
    result = run(app, rerankers={"lexical": Failing(error=MemoryError())})
    assert result.trace.reranker == "fused order"
    assert result.nodes[0].node.node_id == order(result, "fusion")[0]


def test_both_legs_down_is_an_empty_result_that_says_why(app: RagApp) -> None:
    broken = HybridRetriever({"dense": BrokenLeg(), "bm25": BrokenLeg()}, app.loop)
    result = run(app, retriever=broken)
    assert (result.nodes, result.context, result.tokens) == ((), "", 0)
    assert result.reason == "retrieval failed: every leg did, the first by RuntimeError"
    assert result.failure == "RuntimeError"
    assert [(entry.component, entry.fallback) for entry in result.trace.degradations] == [
        ("dense", "fallback"),
        ("bm25", "fallback"),
    ]


def test_one_leg_down_still_answers(app: RagApp) -> None:
    legs = {**app.pipeline.retriever.legs, "dense": BrokenLeg()}
    result = run(app, retriever=HybridRetriever(legs, app.loop, leg_timeout_s=20))
    assert result.nodes
    assert [(entry.component, entry.fallback) for entry in result.trace.degradations] == [("dense", "bm25")]


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_context_step_that_fails_is_left_out_and_the_budget_still_holds(app: RagApp, place: int) -> None:
    context = list(app.pipeline.context)
    context[place] = Failing(error=RuntimeError())
    result = run(app, context=context)
    assert result.nodes
    assert result.tokens <= 1400
    assert [entry.stage for entry in result.trace.degradations] == ["context"]


def test_an_analyzer_that_fails_does_not_cost_the_answer(app: RagApp) -> None:
    class Broken:
        def analyze(self, query: str) -> None:
            raise RuntimeError

    result = run(app, analyzer=Broken())
    assert result.analysis is None
    assert result.nodes
    assert result.degraded


def test_how_each_word_was_read_is_in_the_trace(app: RagApp) -> None:
    words = {word.typed: word for word in run(app, "سلام ghest شهریهه چنده؟").trace.words}
    assert set(words) == {"ghest", "شهریهه", "چنده"}
    assert words["شهریهه"].meant == "شهریه"
    assert words["شهریهه"].matches["شهریه"] > 0.8
    assert words["ghest"].meant == "قسط"
    assert words["ghest"].weight > words["چنده"].weight
    assert all(len(word.matches) <= pipeline.SHOWN_MATCHES for word in words.values())
    assert run(app, "شهریه").as_dict()["trace"]["words"][0]["typed"] == "شهریه"


def test_a_misspelt_and_a_latin_question_find_what_the_right_one_finds(app: RagApp) -> None:
    best = run(app, "شرایط استرداد شهریه").nodes[0].node.metadata["doc_id"]
    for text in ("شرایط اسنرداد شهریهه", "sharayet esterdad shahriye", "سلام، شرایط استراداد شهریتون؟"):
        assert run(app, text).nodes[0].node.metadata["doc_id"] == best


@pytest.mark.parametrize(("error", "wait_s"), [(RuntimeError("secret words"), 0.0), (None, 9.0)])
def test_a_question_that_can_not_be_read_is_searched_as_it_was_typed(
    app: RagApp, error: Exception | None, wait_s: float
) -> None:
    async def broken(query: RetrievalQuery) -> None:
        await asyncio.sleep(wait_s)
        if error is not None:
            raise error

    result = run(app, seconds=8 if wait_s else 30, read=broken)
    assert result.nodes
    assert result.trace.words == []
    (noted,) = result.trace.degradations
    assert (noted.stage, noted.component, noted.fallback) == ("retrieval", "vocabulary", "words as typed")
    assert noted.reason == ("RuntimeError" if error is not None else "TimeoutError")


@pytest.mark.parametrize("seconds", [0.0, 0.05])
def test_out_of_time_is_a_smaller_answer_and_never_an_error(app: RagApp, seconds: float) -> None:
    result = run(app, seconds=seconds)
    assert result.degraded
    assert result.tokens <= 1400
    assert result.nodes or result.reason.startswith("retrieval failed: ")


def test_a_foreign_chunk_is_dropped_after_fusion(app: RagApp, tenant: str) -> None:
    app.ingest([{"id": "foreign", "text": "استرداد شهریه"}], tenant=tenant)
    query = RetrievalQuery("استرداد شهریه", tenant=tenant, generation=1)
    foreign = app.pipeline.retriever.retrieve(query)

    class Leaking(BaseRetriever):
        def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
            return foreign

    legs = {**app.pipeline.retriever.legs, "leak": Leaking()}
    result = run(app, retriever=HybridRetriever(legs, app.loop, leg_timeout_s=20))
    assert {node.node.metadata["tenant"] for node in result.nodes} == {SAMPLE_TENANT}
    assert "tenant check" in [entry.component for entry in result.trace.degradations]


def test_no_log_holds_the_customers_words(app: RagApp, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    run(app, rerankers={"lexical": Failing(error=RuntimeError(QUESTION))})
    run(app, retriever=HybridRetriever({"dense": BrokenLeg()}, app.loop))
    ours = [record.getMessage() for record in caplog.records if record.name.startswith("rag_app")]
    assert any(message.startswith("ProductionRAG rerank: lexical failed") for message in ours)
    assert not any(word in message for message in ours for word in ("استراداد", "customer words"))


async def test_many_requests_at_once_leave_the_loop_free_and_do_not_mix(app: RagApp, questions: list[Any]) -> None:
    texts = [question["text"] for question in questions] * 3
    async with heartbeat() as beats:
        results = await asyncio.gather(*(app.aretrieve(text, tenant=SAMPLE_TENANT) for text in texts))
    assert len(beats) > 5
    alone = {text: app.retrieve(text, tenant=SAMPLE_TENANT).context for text in set(texts)}
    assert [result.context for result in results] == [alone[text] for text in texts]


def test_a_result_can_not_be_changed(app: RagApp) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        run(app).context = "x"  # type: ignore[misc]
