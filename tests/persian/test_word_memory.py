from __future__ import annotations

import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from rag_app.persian.word_memory import MATCH, Asked, Understood, WordMemory


def understood(matches: int = 2) -> Understood:
    return Understood(1.5, "کتاب", np.array([(place, 1 / (place + 1)) for place in range(matches)], MATCH))


def test_a_word_is_remembered_with_what_stands_beside_it_and_for_its_vocabulary() -> None:
    memory = WordMemory(10_000)
    memory.keep(1, Asked("ثبت", ("ثبتنام",)), understood())
    weight, meant, matches = memory.get(1, Asked("ثبت", ("ثبتنام",))) or understood(0)
    assert (weight, meant, matches.tolist()) == (1.5, "کتاب", understood().matches.tolist())
    assert memory.get(1, Asked("ثبت")) is None
    assert memory.get(1, Asked("ثبت", ("ثبتنام",), english=True)) is None
    assert memory.get(2, Asked("ثبت", ("ثبتنام",))) is None


def test_those_asked_for_least_recently_are_forgotten_first_and_nothing_is_kept_that_has_no_room() -> None:
    memory = WordMemory(2_400)
    for word in "abc":
        memory.keep(1, Asked(word), understood())
    assert memory.get(1, Asked("a"))
    memory.keep(1, Asked("d"), understood())
    assert [word for word in "abcd" if memory.get(1, Asked(word))] == ["a", "c", "d"]
    memory.keep(1, Asked("large"), understood(1000))
    assert [word for word in ("a", "c", "d", "large") if memory.get(1, Asked(word))] == ["a", "c", "d"]


def test_it_stays_within_its_bytes_also_when_threads_share_it() -> None:
    memory = WordMemory(1_000_000)
    tracemalloc.start()

    def ask(number: int) -> None:
        asked = Asked(f"واژه{number}", (f"واژه{number}ها",))
        memory.keep(number % 3, asked, Understood(number / 7, f"واژگان{number}", understood(number % 64).matches))
        memory.get(number % 3, asked)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(ask, range(3000)))
    used = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert memory.get(2999 % 3, Asked("واژه2999", ("واژه2999ها",))) is not None
    assert memory.get(0, Asked("واژه0", ("واژه0ها",))) is None
    assert 800_000 < used < 1_000_000
    assert 990_000 < memory.nbytes <= 1_000_000
