from __future__ import annotations

import tracemalloc
from concurrent.futures import ThreadPoolExecutor

from rag_app.persian.match_memory import MatchMemory

MATCHES = {3: 1.0, 70_000: 0.1 + 0.2}


def test_what_is_kept_comes_back_exactly_and_in_order_and_is_the_callers_to_change() -> None:
    memory = MatchMemory(10_000)
    memory.keep("کتاب", MATCHES)
    memory.get("کتاب").clear()
    assert list(memory.get("کتاب").items()) == list(MATCHES.items())
    assert memory.get("کتب") is None


def test_the_oldest_are_forgotten_first_and_nothing_is_kept_that_has_no_room() -> None:
    memory = MatchMemory(3 * (250 + 24))
    for word in "abcd":
        memory.keep(word, MATCHES)
    assert [word for word in "abcd" if memory.get(word)] == ["b", "c", "d"]
    memory.keep("large", dict.fromkeys(range(1000), 1.0))
    assert memory.get("large") is None


def test_it_stays_within_its_bytes_also_when_threads_share_it() -> None:
    memory = MatchMemory(200_000)
    words = [f"واژه{number}" for number in range(3000)]
    tracemalloc.start()
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda word: (memory.keep(word, MATCHES), memory.get(word)), words))
    used = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert memory.get(words[-1]) == MATCHES
    kept = sum(memory.get(word) is not None for word in words)
    assert kept < 3000
    assert sum(map(len, words)) < used < 2_000_000
