"""What two processes show is what a model in memory says; also in a long run (`STATEFUL_EXAMPLES=300`)."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from functools import partial

from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from rag_app import RagApp
from tests.neighbour import Neighbour, call
from tests.stateful import SETTINGS, TwoProcesses

EXAMPLES = os.environ.get("STATEFUL_EXAMPLES")


def test_two_processes_show_what_a_model_says(new_database: Callable[[], str]) -> None:
    url = new_database()
    with RagApp.from_config(database={"url": url}, **SETTINGS) as app, Neighbour(url, SETTINGS) as neighbour:
        opened = type("Opened", (TwoProcesses,), {"calls": staticmethod(partial(call, app)), "neighbour": neighbour})
        run_state_machine_as_test(
            opened,
            settings=settings(
                max_examples=int(EXAMPLES or 8),
                stateful_step_count=30,
                derandomize=EXAMPLES is None,
                phases=[Phase.generate],  # making a failure smaller would take many minutes
                suppress_health_check=list(HealthCheck),
            ),
        )
    logging.info("%d calls: %s", TwoProcesses.made.total(), dict(TwoProcesses.made))
    assert TwoProcesses.made.keys() >= {"ingest", "delete", "delete_source", "delete_tenant", "search", "counts"}
