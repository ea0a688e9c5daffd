from __future__ import annotations

import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from rag_app.persian.word_memory import MATCH, Asked, Understood, WordMemory


def understood(matches: int = 2) -> Understood:
    return Understood(1.5, "کتاب", np.array([(place, 1 / (place + 1)) for place in range(matches)], MATCH))


def test_a_word_is_remembered_with_what_stands_beside_it() -> None:
    memory = WordMemory(10_000)
    memory.keep(Asked("ثبت", ("ثبتنام",)), understood())
    weight, meant, matches = memory.get(Asked("ثبت", ("ثبتنام",))) or understood(0)
    assert (weight, meant, matches.tolist()) == (1.5, "کتاب", understood().matches.tolist())
    assert memory.get(Asked("ثبت")) is None
    assert memory.get(Asked("ثبت", ("ثبتنام",), english=True)) is None


def test_the_oldest_are_forgotten_first_and_nothing_is_kept_that_has_no_room() -> None:
    memory = WordMemory(2_000)
    for word in "abcd":
        memory.keep(Asked(word), understood())
    assert [word for word in "abcd" if memory.get(Asked(word))] == ["b", "c", "d"]
    memory.keep(Asked("large"), understood(1000))
    assert memory.get(Asked("large")) is None


def test_it_stays_within_its_bytes_also_when_threads_share_it() -> None:
    memory = WordMemory(1_000_000)
    tracemalloc.start()

    def ask(number: int) -> None:
        asked = Asked(f"واژه{number}", (f"واژه{number}ها",))
        memory.keep(asked, Understood(number / 7, f"واژگان{number}", understood(number % 64).matches))
        memory.get(asked)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(ask, range(3000)))
    used = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert memory.get(Asked("واژه2999", ("واژه2999ها",))) is not None
    assert memory.get(Asked("واژه0", ("واژه0ها",))) is None
    assert 500_000 < used < 1_000_000
