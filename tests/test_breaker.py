from concurrent.futures import ThreadPoolExecutor

import pytest

from rag_app import breaker as breaker_module
from rag_app.breaker import CircuitBreaker
from rag_app.errors import ComponentError, DatabaseUnavailableError
from tests.clock import Clock


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock that breakers go by."""
    clock = Clock()
    monkeypatch.setattr(breaker_module, "time", clock)
    return clock


def test_it_allows_everyone_while_the_part_works() -> None:
    breaker = CircuitBreaker()
    assert [breaker.allows() for _ in range(3)] == [True] * 3
    assert breaker.seconds_to_retry() == 0.0


def test_after_a_failure_nobody_tries_until_the_time_is_over_and_then_one_alone(clock: Clock) -> None:
    breaker = CircuitBreaker(retry_after_s=5)
    breaker.failed()
    clock.sleep(4.9)
    assert not breaker.allows()
    assert breaker.seconds_to_retry() == pytest.approx(0.1)
    clock.sleep(0.2)
    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(lambda _: breaker.allows(), range(32))) == 1
    breaker.succeeded()
    assert breaker.allows()
    assert breaker.allows()


def test_each_failure_in_a_row_doubles_the_time_up_to_the_longest() -> None:
    breaker = CircuitBreaker(retry_after_s=10, longest_s=35)
    waits = []
    for _ in range(4):
        breaker.failed()
        waits.append(breaker.seconds_to_retry())
    assert waits == [10, 20, 35, 35]
    breaker.succeeded()
    breaker.failed()
    assert breaker.seconds_to_retry() == 10


def test_a_database_that_says_itself_that_it_is_away_is_asked_again_each_time() -> None:
    breaker = CircuitBreaker(retry_after_s=60, threshold=2)
    for _ in range(10):
        with pytest.raises(DatabaseUnavailableError), breaker.attempt():
            raise DatabaseUnavailableError("it does not answer")
    assert breaker.seconds_to_retry() == 0.0
    for _ in range(2):
        with pytest.raises(RuntimeError), breaker.attempt():
            raise RuntimeError
    with pytest.raises(ComponentError, match="not tried"), breaker.attempt():
        pass
