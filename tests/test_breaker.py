import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from rag_app.breaker import CircuitBreaker
from rag_app.errors import ComponentError, DatabaseUnavailableError


def test_it_allows_everyone_while_the_part_works() -> None:
    breaker = CircuitBreaker()
    assert [breaker.allows() for _ in range(3)] == [True] * 3
    assert breaker.seconds_to_retry() == 0.0


def test_after_a_failure_nobody_tries_until_the_time_is_over_and_then_one_alone() -> None:
    breaker = CircuitBreaker(retry_after_s=0.05)
    breaker.failed()
    assert not breaker.allows()
    assert 0 < breaker.seconds_to_retry() <= 0.05
    time.sleep(0.06)
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
        waits.append(round(breaker.seconds_to_retry()))
    assert waits == [10, 20, 35, 35]
    breaker.succeeded()
    breaker.failed()
    assert round(breaker.seconds_to_retry()) == 10


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
