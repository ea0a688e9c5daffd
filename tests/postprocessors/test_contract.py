"""What holds for every postprocessor."""

from llama_index.core.postprocessor.types import BaseNodePostprocessor
from llama_index.core.schema import NodeWithScore

from rag_app import RagApp
from rag_app.schema import RetrievalQuery


def snapshot(nodes: list[NodeWithScore]) -> list[str]:
    return [node.model_dump_json() for node in nodes]


def test_the_nodes_given_are_not_changed(
    postprocessor: BaseNodePostprocessor, candidates: list[NodeWithScore], query: RetrievalQuery
) -> None:
    before = snapshot(candidates)
    postprocessor.postprocess_nodes(candidates, query)
    assert snapshot(candidates) == before


def test_it_invents_and_repeats_no_node(
    postprocessor: BaseNodePostprocessor, candidates: list[NodeWithScore], query: RetrievalQuery
) -> None:
    ids = [node.node.node_id for node in postprocessor.postprocess_nodes(candidates, query)]
    assert ids
    assert len(ids) == len(set(ids))
    assert set(ids) <= {node.node.node_id for node in candidates}


def test_no_nodes_stay_no_nodes(postprocessor: BaseNodePostprocessor, query: RetrievalQuery) -> None:
    assert postprocessor.postprocess_nodes([], query) == []


def test_the_same_again_gives_the_same(
    postprocessor: BaseNodePostprocessor, candidates: list[NodeWithScore], query: RetrievalQuery
) -> None:
    once = postprocessor.postprocess_nodes(candidates, query)
    assert snapshot(postprocessor.postprocess_nodes(candidates, query)) == snapshot(once)


async def test_async_equals_sync_in_a_running_loop(
    postprocessor: BaseNodePostprocessor, candidates: list[NodeWithScore], query: RetrievalQuery, app: RagApp
) -> None:
    there = postprocessor.postprocess_nodes(candidates, query)
    here = await app.loop.acall(postprocessor.apostprocess_nodes, candidates, query)
    assert snapshot(here) == snapshot(there)
