"""Several worker processes that share their figures through a folder."""

import os
import signal
from pathlib import Path

from prometheus_client import multiprocess

from tests.metrics.conftest import parsed, start_python

EXPOSE = "print(json.dumps([metrics.exposition().decode(), metrics.cached_metrics()]))"


def worker(chunks: int, seconds: float) -> str:
    """Records two requests with so many chunks, then waits to be ended."""
    return f"""
for _ in range(2):
    run(seconds={seconds}, scores=[("manual", 0.5)] * {chunks})
metrics.shadowed("compared", overlap=0.5)
print("ready", flush=True)
sys.stdin.read()
"""


def test_three_workers_and_one_that_exposes(run_python, tmp_path: Path) -> None:
    workers = [start_python(worker(chunks, chunks / 8), tmp_path) for chunks in (1, 2, 6)]
    pids = [process.pid for process in workers]
    for process in workers:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    text, told = run_python(EXPOSE, tmp_path)
    figures = parsed(text.encode())
    assert figures['rag_retrieval_total{method="production_rag",primary_source="manual"}'] == 6
    assert figures['rag_retrieval_latency_seconds_count{method="production_rag"}'] == 6
    assert figures['rag_retrieval_latency_seconds_sum{method="production_rag"}'] == 2 * (1 + 2 + 6) / 8
    assert figures['rag_retrieval_latency_seconds_bucket{le="0.25",method="production_rag"}'] == 4
    assert figures["rag_shadow_overlap_ratio_count{}"] == 3
    assert figures['rag_errors_total{error_type="TimeoutError",method="production_rag"}'] == 0
    assert gauges(figures, pids) == [1, 2, 6]
    assert told["production_rag"]["requests"] == 6
    assert told["production_rag"]["average_latency_ms"] == 375.0
    assert told["production_rag"]["average_chunks"] == 3.0

    os.kill(pids[2], signal.SIGKILL)
    for process in workers:
        process.communicate()
    multiprocess.mark_process_dead(pids[2], str(tmp_path))
    text, told = run_python(EXPOSE, tmp_path)
    figures = parsed(text.encode())
    assert figures['rag_retrieval_total{method="production_rag",primary_source="manual"}'] == 6  # a counter stays
    assert gauges(figures, pids) == [1, 2, None]
    assert told["production_rag"]["average_chunks"] == 1.5


def test_a_process_that_exposes_and_records_reads_its_own(run_python, tmp_path: Path) -> None:
    text, _ = run_python("run()\n" + EXPOSE, tmp_path)
    assert parsed(text.encode())['rag_retrieval_total{method="production_rag",primary_source="manual"}'] == 1


def test_the_server_adds_up_the_workers(run_python, tmp_path: Path) -> None:
    run_python("run()", tmp_path)
    run_python("run()", tmp_path)
    text = run_python(
        """
from urllib.request import urlopen
port = metrics.start_http_server(0)
with urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
    print(json.dumps(answer.read().decode()))
""",
        tmp_path,
    )
    assert parsed(text.encode())['rag_retrieval_total{method="production_rag",primary_source="manual"}'] == 2


def gauges(figures: dict[str, float], pids: list[int]) -> list[float | None]:
    """The gauge of chunks, by process."""
    name = 'rag_chunks_retrieved{{method="production_rag",pid="{}",source="manual"}}'
    return [figures.get(name.format(pid)) for pid in pids]
