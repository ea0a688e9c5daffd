from __future__ import annotations

import tracemalloc
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from llama_index.core.schema import NodeRelationship, RelatedNodeInfo, TextNode

from rag_app import RagApp
from rag_app.storage import ChunkReader
from rag_app.storage.node_memory import NodeMemory
from tests.conftest import SAMPLE_TENANT

NAMES = st.sampled_from("abcd")
GENERATIONS = st.integers(1, 4)


def node(node_id: str, text: str = "متن") -> TextNode:
    return TextNode(
        id_=node_id,
        text=text,
        metadata={"title": "ارسال", "tags": ["پست"], "sizes": {"قد": [1]}},
        excluded_llm_metadata_keys=["title"],
        relationships={NodeRelationship.PARENT: RelatedNodeInfo(node_id="p")},
    )


def test_what_it_gives_is_the_callers_to_change() -> None:
    memory, kept = NodeMemory(100_000), node("a")
    memory.keep("t", kept, 1, 300)
    for given_out in (kept, *memory.get("t", ["a"], 1).values()):
        given_out.set_content("دیگر")
        given_out.metadata["title"] = "دیگر"
        given_out.metadata["tags"].append("دیگر")
        given_out.metadata["sizes"]["قد"].append(2)
        given_out.excluded_llm_metadata_keys.clear()
        given_out.relationships.clear()
        assert memory.get("t", ["a"], 1) == {"a": node("a")}


@pytest.mark.parametrize("read", [ChunkReader._achunks, ChunkReader._aparents])
def test_it_reckons_about_what_they_hold(app: RagApp, read: Callable[..., object]) -> None:
    reader, memory, place = ChunkReader(app.database), NodeMemory(10**9), read.__name__.removeprefix("_a")
    with app.database.transaction(SAMPLE_TENANT) as connection:
        column, table = ("node_id", "data_chunks") if place == "chunks" else ("parent_id", "parents")
        ids = [row[0] for row in connection.exec_driver_sql(f"SELECT {column} FROM rag_app.{table}")]

    async def fill() -> None:
        for at in range(0, len(ids), 20):
            for node, size in await read(reader, SAMPLE_TENANT, ids[at : at + 20]):
                memory.keep(SAMPLE_TENANT, node, 1, size)

    app.loop.call(fill)  # what is loaded for the first time is not theirs
    memory = NodeMemory(10**9)
    tracemalloc.start()
    app.loop.call(fill)
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert len(ids) > 100
    assert held == pytest.approx(memory.nbytes, rel=0.08)


def test_another_tenant_does_not_get_it() -> None:
    memory = NodeMemory(100_000)
    memory.keep("t", node("a"), 1, 300)
    assert memory.get("u", ["a"], 1) == {}


def test_the_ones_asked_for_least_recently_are_forgotten_within_the_limit() -> None:
    memory = NodeMemory(100_000)
    memory.keep("t", node("0"), 1, 300)
    memory._max_bytes = int(3.5 * memory.nbytes)
    for number in "12":
        memory.keep("t", node(number), 1, 300)
    memory.get("t", ["0"], 1)
    memory.keep("t", node("3"), 1, 300)
    assert set(memory.get("t", "0123", 1)) == {"0", "2", "3"}
    memory.keep("t", node("4", "متن" * memory._max_bytes), 1, 300)  # more than all may hold
    assert (memory.nbytes, memory.get("t", "01234", 1)) == (0, {})


@given(st.lists(st.tuples(st.booleans(), NAMES, NAMES, GENERATIONS, st.text(max_size=5)), max_size=40))
def test_it_never_gives_what_is_older_than_asked_for(steps: list[tuple[bool, str, str, int, str]]) -> None:
    memory, model = NodeMemory(10**6), dict[tuple[str, str], tuple[int, str]]()
    for keeps, tenant, name, generation, text in steps:
        if keeps:
            memory.keep(tenant, node(name, text), generation, 300)
            model[tenant, name] = (generation, text)
        else:
            known_of, known = model.get((tenant, name), (0, ""))
            expected = [known] if known_of >= generation else []
            assert [each.text for each in memory.get(tenant, [name], generation).values()] == expected
