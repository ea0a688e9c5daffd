from llama_index.core.schema import NodeWithScore, TextNode

from rag_app import RagApp
from rag_app.postprocessors import ParentExpansion
from rag_app.schema import FoundInParent, RequestOptions, RetrievalQuery
from rag_app.storage import ChunkReader

SENTENCE = "جملهٔ شمارهٔ {} دربارهٔ شرایط ثبت‌نام و پرداخت شهریه در این آموزشگاه است. "
LONG = "".join(SENTENCE.format(number) for number in range(40))


def children(app: RagApp, tenant: str) -> list[NodeWithScore]:
    app.ingest([{"id": "long", "text": LONG}], tenant=tenant)
    found = app.pipeline.retriever.retrieve(RetrievalQuery("شرایط ثبت‌نام", tenant=tenant, generation=1))
    assert len(found) > 4
    return found


def test_a_child_becomes_its_parent_and_knows_its_place(app: RagApp, tenant: str) -> None:
    found = children(app, tenant)
    query = RetrievalQuery("شرایط ثبت‌نام", tenant=tenant)
    expanded = ParentExpansion(ChunkReader(app.database), app.loop).postprocess_nodes(found, query)
    assert 1 < len(expanded) < len(found)
    by_id = {node.node.node_id: node.node for node in found}
    for node in expanded:
        child, parent = by_id[node.node.node_id], node.node
        assert isinstance(parent, TextNode)
        assert len(parent.text) > len(child.get_content())
        assert parent.text in LONG
        assert parent.text[parent.start_char_idx : parent.end_char_idx] == child.get_content()


def test_the_best_child_stands_for_its_parent(app: RagApp, tenant: str) -> None:
    found = children(app, tenant)
    query = RetrievalQuery("شرایط ثبت‌نام", tenant=tenant)
    app.pipeline.retriever.retrieve(query)  # fills the trace
    expanded = ParentExpansion(ChunkReader(app.database), app.loop).postprocess_nodes(found, query)
    assert expanded[0].node.node_id == found[0].node.node_id
    assert expanded[0].score == found[0].score
    dropped = {chunk.node_id: chunk.dropped or "" for chunk in query.trace.chunks.values() if chunk.dropped}
    assert set(dropped) == {n.node.node_id for n in found} - {n.node.node_id for n in expanded}
    assert all("in the same parent as" in reason for reason in dropped.values())


def test_it_knows_where_all_lie_that_were_found_among_the_best(app: RagApp, tenant: str) -> None:
    found = sorted(children(app, tenant), key=lambda n: n.node.parent_node.node_id)  # those of one parent in a row
    best, others = found[0].node, [n.node for n in found[1:] if n.node.parent_node == found[0].node.parent_node]
    assert others
    for top_n, also in ((1, []), (2, others[:1]), (20, others)):
        query = RetrievalQuery("q", tenant=tenant)
        expansion = ParentExpansion(ChunkReader(app.database), app.loop, top_n=top_n)
        by_options = RetrievalQuery("q", tenant=tenant, options=RequestOptions(rerank_top_k=top_n))
        for asked, postprocessor in ((query, expansion), (by_options, ParentExpansion(expansion._reader, app.loop))):
            parent = postprocessor.postprocess_nodes(found, asked)[0].node
            assert isinstance(parent, FoundInParent)
            starts, ends = zip(*((n.start_char_idx, n.end_char_idx) for n in (best, *also)), strict=True)
            offset = best.start_char_idx - parent.start_char_idx
            assert (parent.found_start_idx, parent.found_end_idx) == (min(starts) - offset, max(ends) - offset)


def test_a_child_whose_parent_is_gone_stays_as_it_is(app: RagApp, tenant: str) -> None:
    found = children(app, tenant)
    app.delete("long", tenant=tenant)
    expanded = ParentExpansion(ChunkReader(app.database), app.loop).postprocess_nodes(
        found[:1], RetrievalQuery("q", tenant=tenant)
    )
    assert [node.node.get_content() for node in expanded] == [found[0].node.get_content()]


def test_a_child_whose_parent_was_written_anew_stays_as_it_is(app: RagApp, tenant: str) -> None:
    found = children(app, tenant)
    app.ingest([{"id": "long", "text": LONG.replace("جملهٔ", "عبارت")}], tenant=tenant)
    expanded = ParentExpansion(ChunkReader(app.database), app.loop).postprocess_nodes(
        found[:1], RetrievalQuery("q", tenant=tenant)
    )
    assert [node.node.get_content() for node in expanded] == [found[0].node.get_content()]
