"""A share of the users is even, sticky and growing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag_app.flags import in_rollout

USERS = [str(number) for number in range(100_000)]


@pytest.mark.parametrize("percentage", [0, 0.5, 1, 5, 10, 25, 50, 75, 90, 99, 100])
def test_the_share_is_within_half_a_point(percentage: float) -> None:
    share = sum(in_rollout("production_rag", user, percentage) for user in USERS) / len(USERS) * 100
    assert abs(share - percentage) <= 0.5
    if percentage in (0, 100):
        assert share == percentage


def test_who_is_in_at_ten_is_in_at_fifty() -> None:
    ten = {user for user in USERS if in_rollout("production_rag", user, 10)}
    fifty = {user for user in USERS if in_rollout("production_rag", user, 50)}
    assert ten < fifty
    assert len(ten) > 9_500


@given(st.text(), st.floats(0, 100), st.floats(0, 100))
def test_a_share_only_grows(user: str, one: float, other: float) -> None:
    smaller, larger = sorted((one, other))
    assert in_rollout("f", user, smaller) <= in_rollout("f", user, larger)
    assert not in_rollout("f", user, 0)
    assert in_rollout("f", user, 100)


def test_flags_choose_independently() -> None:
    both = sum(in_rollout("a", user, 50) and in_rollout("b", user, 50) for user in USERS) / len(USERS)
    assert abs(both - 0.25) < 0.01


def test_every_process_answers_the_same_and_always_will() -> None:
    assert [n for n in range(40) if in_rollout("production_rag", str(n), 30)] == PINNED


# Users that were in before an upgrade must be in after it, and in any process, whose hashes of strings are its own.
PINNED = [0, 5, 7, 10, 14, 16, 17, 20, 24, 30, 33]
