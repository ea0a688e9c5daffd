"""Nothing that is recorded raises, whatever it is given and whatever becomes of the workers' folder."""

import logging
from pathlib import Path
from typing import Any

import pytest

from rag_app import metrics
from tests.metrics.conftest import parsed

NO_NUMBERS: list[Any] = [None, float("nan"), float("inf"), -float("inf"), "soon", 10**400, [], object()]
RECORD_ALL = """
from rag_app.trace import Degradation
def record_all():
    run(stages={"rerank": 0.1}, error_type="TimeoutError", empty_reason="failed")
    metrics.degraded([Degradation("rerank", "cross_encoder", "loading", "lexical")])
    metrics.reranked("base", 0.1)
    metrics.flag_evaluated("production_rag", "on", "SPLIT")
    metrics.cache_used("scores", hits=1)
    metrics.shadowed("compared", overlap=0.5, seconds={"production_rag": 0.25}, first_differs=True)
record_all()
"""


@pytest.mark.parametrize("value", NO_NUMBERS, ids=lambda value: type(value).__name__)
def test_what_is_no_number_is_left_out_and_the_request_counts(gained, value: Any) -> None:
    metrics.retrieved(
        method="production_rag",
        primary_source="manual",
        seconds=value,
        deadline_s=value,
        scores=[("manual", value)],
        tokens=value,
        stages={"rerank": value},
        complexity=None,
        error_type=None,
        empty_reason=None,
    )
    metrics.shadowed("compared", overlap=value, seconds={"production_rag": value})
    told = {name: change for name, change in gained().items() if not name.startswith("rag_chunks_retrieved")}
    assert told == {
        'rag_retrieval_total{method="production_rag",primary_source="manual"}': 1,
        'rag_shadow_requests_total{outcome="compared"}': 1,
    }


def test_huge_and_negative_numbers_leave_the_sums_finite() -> None:
    for seconds in (1e308, 1e308, -5.0):
        metrics.reranked("huge", seconds)
    figures = parsed(metrics.exposition())
    assert figures['rag_reranking_latency_seconds_sum{model="huge"}'] == 2e9
    assert figures['rag_reranking_latency_seconds_count{model="huge"}'] == 3


def test_other_types_are_swallowed_and_told_once(caplog: pytest.LogCaptureFixture, monkeypatch) -> None:
    monkeypatch.setattr("rag_app.metrics.recording.health._quiet_until", 0.0)
    with caplog.at_level(logging.WARNING):
        for _ in range(5):
            metrics.degraded(None)  # type: ignore[arg-type]
            metrics.degraded([None])  # type: ignore[list-item]
            metrics.reranked(None, 0.1)  # type: ignore[arg-type]
            metrics.shadowed(["a question"])  # type: ignore[arg-type]
    assert [record.getMessage() for record in caplog.records] == ["metrics: degraded was not recorded: TypeError"]


def break_missing(folder: Path) -> None:
    pass


def break_as_file(folder: Path) -> None:
    folder.write_text("")


@pytest.mark.parametrize("broken", [break_missing, break_as_file])
def test_a_broken_folder(run_python, tmp_path: Path, broken) -> None:
    folder = tmp_path / "figures"
    broken(folder)
    before, repaired, error, raised = run_python(
        f"""
{RECORD_ALL}
before = metrics.cached_metrics()
try:
    metrics.exposition()
    raised = None
except OSError as error:
    raised = type(error).__name__
folder = os.environ["PROMETHEUS_MULTIPROC_DIR"]
if os.path.exists(folder):
    os.remove(folder)
os.mkdir(folder)
record_all()
time.sleep(1.01)
after = metrics.cached_metrics()
print(json.dumps([before, after, after.get("error"), raised]))
""",
        folder,
    )
    assert str(folder) in before["error"]
    assert before["production_rag"]["requests"] == 0
    assert raised in {"FileNotFoundError", "NotADirectoryError"}
    assert repaired["production_rag"]["requests"] == 1
    assert repaired["production_rag"]["errors"] == 1
    assert repaired["shadow"]["first_differs"] == 1
    assert error is None


def test_files_that_can_not_be_opened(run_python, tmp_path: Path) -> None:
    """As in a folder that is not writable; root, as which tests may run, may write everywhere."""
    told = run_python(
        f"""
folder = os.environ["PROMETHEUS_MULTIPROC_DIR"]
blocked = [os.path.join(folder, f"{{kind}}_{{os.getpid()}}.db") for kind in ("counter", "histogram", "gauge_liveall")]
for path in blocked:
    os.mkdir(path)
{RECORD_ALL}
text = metrics.exposition().decode()
broken = metrics.cached_metrics()
for path in blocked:
    os.rmdir(path)
record_all()
time.sleep(1.01)
print(json.dumps([text, broken, metrics.cached_metrics()]))
""",
        tmp_path,
    )
    text, broken, repaired = told
    assert text == ""
    assert "counter_" in broken["error"]
    assert repaired["production_rag"]["requests"] == 1
    assert "error" not in repaired


def test_a_fork_into_a_broken_folder_recovers(run_python, tmp_path: Path) -> None:
    folder = tmp_path / "figures"
    folder.mkdir()
    told = run_python(
        f"""
{RECORD_ALL}
folder = os.environ["PROMETHEUS_MULTIPROC_DIR"]
pid = os.fork()
if pid == 0:
    os.rename(folder, folder + ".away")
    record_all()
    os.rename(folder + ".away", folder)
    record_all()
    os._exit(0)
os.waitpid(pid, 0)
print(json.dumps(metrics.cached_metrics()))
""",
        folder,
    )
    assert told["production_rag"]["requests"] == 2


def test_a_folder_that_goes_leaves_what_was_known(run_python, tmp_path: Path) -> None:
    folder = tmp_path / "figures"
    folder.mkdir()
    told = run_python(
        """
run()
metrics.cached_metrics()
import shutil
shutil.rmtree(os.environ["PROMETHEUS_MULTIPROC_DIR"])
time.sleep(1.01)
print(json.dumps(metrics.cached_metrics()))
""",
        folder,
    )
    assert told["production_rag"]["requests"] == 1
    assert "No such file" in told["error"]


def test_unfinished_files_of_other_workers_are_left_out(run_python, tmp_path: Path) -> None:
    (tmp_path / "counter_999999.db").write_bytes(b"")
    (tmp_path / "histogram_999999.db").write_bytes(b"\x40\x00\x00\x00\x00\x00\x00\x00\xff\xff\xff\x7f")
    told = run_python("run()\nprint(json.dumps(metrics.cached_metrics()))", tmp_path)
    assert told["production_rag"]["requests"] == 1
    assert "error" not in told


def test_a_name_that_the_application_took_is_told(run_python) -> None:
    told = run_python(
        """
from prometheus_client import Counter
Counter("rag_retrieval_total", "of the old backend")
run()
print(json.dumps(metrics.cached_metrics()))
"""
    )
    assert "rag_retrieval_total" in told["error"]
