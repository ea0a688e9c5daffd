import time

import pytest
from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.retrievers import QueryFusionRetriever
from llama_index.core.schema import NodeWithScore, QueryBundle, TextNode

from rag_app import RagApp
from rag_app.errors import ComponentError
from rag_app.retrievers import HybridRetriever
from rag_app.schema import Deadline, RetrievalQuery
from tests.conftest import heartbeat


class Fixed(BaseRetriever):
    """A leg that answers what it is told, later if it is told."""

    def __init__(self, hits: dict[str, float] | Exception, wait_s: float = 0) -> None:
        super().__init__()
        self.hits = hits
        self.wait_s = wait_s

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        time.sleep(self.wait_s)  # blocks, as a leg without an async path does
        if isinstance(self.hits, Exception):
            raise self.hits
        return [NodeWithScore(node=TextNode(id_=name, text=name), score=score) for name, score in self.hits.items()]


class AtOnce(Fixed):
    """A leg that answers before anyone could wait for it."""

    async def _aretrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        return self._retrieve(query_bundle)


def query(seconds: float = 10) -> RetrievalQuery:
    return RetrievalQuery("q", tenant="t", deadline=Deadline.after(seconds))


def hybrid(app: RagApp, legs: dict[str, BaseRetriever], **options: object) -> HybridRetriever:
    return HybridRetriever(legs, app.loop, **options)  # type: ignore[arg-type]


def test_it_is_the_stock_fusion_retriever() -> None:
    assert issubclass(HybridRetriever, QueryFusionRetriever)


def test_fusion_is_the_weighted_sum_of_reciprocal_ranks(app: RagApp) -> None:
    legs = {"dense": Fixed({"x": 0.9, "y": 0.8}), "bm25": Fixed({"y": 7.0, "z": 5.0, "x": 1.0})}
    asked = query()
    found = hybrid(app, legs, weights={"dense": 0.5}).retrieve(asked)
    assert {node.node.node_id: node.score for node in found} == pytest.approx(
        {"x": 0.5 / 61 + 1 / 63, "y": 0.5 / 62 + 1 / 61, "z": 1 / 62}
    )
    assert [node.node.node_id for node in found] == ["y", "x", "z"]
    trace = asked.trace.chunks["x"]
    assert trace.legs == {"dense": (1, 0.9), "bm25": (3, 1.0)}
    assert trace.fusion == (2, pytest.approx(0.5 / 61 + 1 / 63))


def test_ranks_follow_scores_and_what_does_not_match_is_dropped(app: RagApp) -> None:
    found = hybrid(app, {"bm25": Fixed({"low": 1.0, "none": 0.0, "high": 2.0, "less": -1.0})}).retrieve(query())
    assert [node.node.node_id for node in found] == ["high", "low"]


def test_the_cut_is_noted(app: RagApp) -> None:
    asked = query()
    found = hybrid(app, {"bm25": Fixed({"a": 3.0, "b": 2.0, "c": 1.0})}, similarity_top_k=2).retrieve(asked)
    assert [node.node.node_id for node in found] == ["a", "b"]
    assert asked.trace.chunks["c"].dropped == "retrieval: below the best 2 of the fused list"


@pytest.mark.parametrize(
    ("leg", "reason"), [(Fixed(RuntimeError("secret words")), "RuntimeError"), (Fixed({"x": 1.0}, 1), "TimeoutError")]
)
def test_a_leg_that_fails_or_is_late_is_left_out_and_noted(app: RagApp, leg: Fixed, reason: str) -> None:
    asked = query()
    found = hybrid(app, {"dense": leg, "bm25": AtOnce({"y": 1.0})}, leg_timeout_s=0.2).retrieve(asked)
    assert [node.node.node_id for node in found] == ["y"]
    (noted,) = asked.trace.degradations
    assert (noted.stage, noted.component, noted.reason, noted.fallback) == ("retrieval", "dense", reason, "bm25")


def test_when_every_leg_fails_it_says_so(app: RagApp) -> None:
    with pytest.raises(ComponentError):
        hybrid(app, {"dense": Fixed(OSError()), "bm25": Fixed(OSError())}).retrieve(query())


async def test_a_blocking_leg_does_not_block_the_loop_or_the_other_legs(app: RagApp) -> None:
    legs = {name: Fixed({name: 1.0}, wait_s=0.4) for name in "abc"}
    async with heartbeat() as beats:
        found = await hybrid(app, legs).aretrieve(query())
    assert len(found) == 3
    assert len(beats) > 5


def test_what_the_legs_returned_is_not_changed(app: RagApp) -> None:
    node = NodeWithScore(node=TextNode(id_="n", text="n"), score=0.7)

    class Kept(Fixed):
        def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
            return [node]

    assert hybrid(app, {"dense": Kept({}), "bm25": Kept({})}).retrieve(query())[0].score == pytest.approx(2 / 61)
    assert node.score == 0.7
