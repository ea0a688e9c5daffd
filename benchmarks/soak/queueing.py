"""Documents that are stored by way of the queue; each that was taken must be there in the end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from ingesting import record
from ledger import Ledger

from rag_app.config import load_settings
from rag_app.contrib.celery import open_queue

EVERY_S = 5.0


@dataclass
class Queueing:
    """Queues a document now and then.

    Attributes:
        refused: how often the broker did not take one.
        failed: what is wrong with those that it took.
    """

    broker: str
    tenants: Sequence[str]
    ledger: Ledger
    refused: int = 0
    failed: list[str] = field(default_factory=list)
    _waiting: list[tuple[str, str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._queue = open_queue(load_settings(worker={"broker_url": self.broker, "visibility_timeout_s": 10}))
        self._queue.conf.update(task_publish_retry_policy={"max_retries": 1, "interval_start": 0})

    async def run(self, until: float) -> None:
        """Queue documents until then."""
        number = 0
        while time.monotonic() < until:
            number += 1
            tenant, doc_id = self.tenants[number % len(self.tenants)], f"d{self.ledger.new_document()}"
            try:
                task = await asyncio.to_thread(self._delay, tenant, doc_id)
            except Exception:  # noqa: BLE001 - whatever kombu and redis raise where there is no broker
                self.refused += 1
                self.ledger.written(tenant, doc_id, 0, acknowledged=False, kind="queue")
            else:
                self._waiting.append((task, tenant, doc_id))
            await asyncio.sleep(EVERY_S)

    def _delay(self, tenant: str, doc_id: str) -> str:
        """Queue a document and return the task's id; an `AsyncResult` that is kept waits for Redis when it is freed."""
        documents = [record(int(doc_id[1:]), 0)]
        return str(self._queue.send_task("rag_app.ingest", (documents,), {"tenant": tenant}).id)

    def finish(self, seconds: float) -> None:
        """Wait for what was queued, and note it."""
        until = time.monotonic() + seconds
        for task, tenant, doc_id in self._waiting:
            state = "unknown"
            while state not in ("SUCCESS", "FAILURE") and time.monotonic() < until:
                with suppress(Exception):  # a connection that broke is made anew
                    state = str(self._queue.backend.get_state(task))
                time.sleep(0.05)
            if state != "SUCCESS":
                self.failed.append(f"{tenant}: the task for {doc_id} is {state}")
            self.ledger.written(tenant, doc_id, 0, acknowledged=state == "SUCCESS", kind="queue")
        self._waiting.clear()
        self._queue.close()
