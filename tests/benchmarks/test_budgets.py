"""Random mixes of chunks and budgets, checked by the script that counts 10,000 of them."""

import random
from types import ModuleType

import pytest

from rag_app.schema import TokenBudget
from rag_app.tokens import EstimatedTokenCounter
from tests.benchmarks.conftest import Load

FOLDERS = ("",)


@pytest.fixture
def budgets(script: Load) -> ModuleType:
    return script("budgets")


class JoinsCostMore:
    """Makes more of the whole than of its parts, as byte-pair encoding may."""

    name = "joins cost more"

    def count(self, text: str) -> int:
        return EstimatedTokenCounter().count(text) + 7 * text.count("</chunk>\n<chunk") + text.count(". ")


def test_budgets_and_shares_are_kept_and_nothing_that_fits_is_left_out(budgets: ModuleType) -> None:
    rng, counter, sentences = random.Random(5), EstimatedTokenCounter(), budgets.sample_sentences()
    for _ in range(300):
        mix = budgets.make_mix(rng, sentences)
        assert budgets.faults(mix, budgets.fit(mix, counter), counter) == []


def test_the_budget_is_kept_by_a_counter_that_makes_more_of_the_whole_than_of_its_parts(budgets: ModuleType) -> None:
    rng, counter, sentences = random.Random(6), JoinsCostMore(), budgets.sample_sentences()
    for _ in range(200):
        mix = budgets.make_mix(rng, sentences)
        assert "exceeded" not in budgets.faults(mix, budgets.fit(mix, counter), counter)


def test_what_is_not_as_it_should_be_is_found(budgets: ModuleType) -> None:
    rng, counter, sentences = random.Random(7), EstimatedTokenCounter(), budgets.sample_sentences()
    mix = next(mix for _ in range(99) if (mix := budgets.make_mix(rng, sentences)).nodes)
    mix = mix._replace(budget=TokenBudget(2000, 2000, "manual"))
    assert "exceeded" in budgets.faults(mix._replace(budget=TokenBudget(5, 5)), mix.nodes, counter)
    assert set(budgets.faults(mix, [], counter)) == {"would fit", "share not kept"}
    assert "share of nothing" in budgets.faults(mix._replace(budget=TokenBudget(0, 4000)), mix.nodes, counter)
