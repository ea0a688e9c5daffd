"""The figures as Prometheus reads them, of this process or of all workers."""

from __future__ import annotations

import os
from collections.abc import Iterable

import prometheus_client
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, Metric, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from rag_app.metrics import catalog
from rag_app.metrics.recording import begin

CONTENT_TYPE = CONTENT_TYPE_LATEST


def exposition() -> bytes:
    """Return what Prometheus scrapes, of all workers where `PROMETHEUS_MULTIPROC_DIR` is set.

    Raises:
        OSError: the folder of the workers' figures can not be read. Let the scrape fail, so that the alert for a target
            that is down tells of it.
    """
    begin()
    return generate_latest(_registry())


def start_http_server(port: int, host: str = "127.0.0.1") -> int:
    """Serve the metrics at `/metrics` from a daemon thread and return the port; 0 takes a free one.

    Raises:
        OSError: the port is taken or not allowed.
    """
    begin()
    server, _ = prometheus_client.start_http_server(port, host, _registry())
    return int(server.server_port)


def families() -> Iterable[Metric]:
    """Return this package's figures, of all workers where `PROMETHEUS_MULTIPROC_DIR` is set.

    Raises:
        OSError: the folder of the workers' figures can not be read.
    """
    if _of_all_workers():
        yield from _Workers().collect()
    else:
        for instrument in catalog.INSTRUMENTS:
            yield from instrument.collect()


class _Workers(Collector):
    """Adds up what the worker processes wrote."""

    def collect(self) -> Iterable[Metric]:
        folder = os.environ["PROMETHEUS_MULTIPROC_DIR"]
        # Not by glob, which finds nothing in a folder that is missing, and does not tell.
        files = [os.path.join(folder, name) for name in sorted(os.listdir(folder)) if name.endswith(".db")]
        try:
            return _merged(files)
        except Exception:  # noqa: BLE001 - a worker that was killed, or is starting, leaves an unfinished file
            return _merged([file for file in files if _readable(file)])


def _registry() -> CollectorRegistry:
    if not _of_all_workers():
        return REGISTRY
    registry = CollectorRegistry()
    registry.register(_Workers())
    return registry


def _of_all_workers() -> bool:
    return "PROMETHEUS_MULTIPROC_DIR" in os.environ


def _merged(files: Iterable[str]) -> list[Metric]:
    return list(MultiProcessCollector.merge(files))  # type: ignore[no-untyped-call]


def _readable(file: str) -> bool:
    try:
        _merged([file])
    except Exception:  # noqa: BLE001 - whatever is wrong with it, the other workers' figures count
        return False
    return True
