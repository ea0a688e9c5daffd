"""A real Prometheus scrapes a real process; the users' queries, the dashboard and the alerts are asked of it."""

from __future__ import annotations

import json
import math
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.parse import urlencode
from urllib.request import urlopen

import pytest
import yaml

from tests.deploy.conftest import DEPLOY
from tests.deploy.test_rules import FOLDER, RULES
from tests.ports import free_port

STEPS = 13  # two a second: the window of 5 s below is full of them
Samples = list[dict[str, Any]]

# As the users wrote them.
MEAN = "rate(rag_retrieval_latency_seconds_sum[5m]) / rate(rag_retrieval_latency_seconds_count[5m])"
SUCCESS = "1 - sum(rate(rag_errors_total[5m])) / sum(rate(rag_retrieval_total[5m]))"
CHUNKS = "avg(rag_chunks_retrieved)"


class Prometheus:
    """A running server, asked as of one moment once that is set, so that slow tests do not leave the window of 5 s."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.moment: dict[str, str] = {}

    def get(self, path: str, **parameters: str) -> Any:
        with urlopen(f"http://{self.address}/api/v1/{path}?{urlencode(parameters)}", timeout=10) as answer:
            told = json.load(answer)
        assert told["status"] == "success"
        return told["data"]

    def ask(self, expression: str) -> Samples:
        return self.get("query", query=expression, **self.moment)["result"]

    def by(self, label: str, expression: str) -> dict[str, float]:
        """The values by one label."""
        return {sample["metric"].get(label, ""): value([sample]) for sample in self.ask(expression)}


@pytest.fixture(scope="module")
def server(prometheus: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """A Prometheus that has scraped `workload.py` at work."""
    folder = tmp_path_factory.mktemp("prometheus")
    server = Prometheus(f"127.0.0.1:{free_port()}")
    script = [sys.executable, str(Path(__file__).parent / "workload.py")]
    with (
        subprocess.Popen(script, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as workload,
        (folder / "log").open("w") as log,
    ):

        def do(command: str) -> None:
            workload.stdin.write(f"{command}\n")
            workload.stdin.flush()
            assert workload.stdout.readline() == "done\n"

        config = shipped_config(folder, int(workload.stdout.readline()))
        running = subprocess.Popen(
            [
                prometheus,
                f"--config.file={config}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address={server.address}",
            ],
            stderr=log,
        )
        try:
            wait_for(lambda: server.ask("rag_errors_total"))
            do("begin")
            wait_for(lambda: server.ask('rag_retrieval_total{primary_source="manual"}'))
            for _ in range(STEPS):
                do("step")
                time.sleep(0.5)
            wait_for(lambda: value(server.ask("sum(rag_errors_total)")) == STEPS)
            server.moment = {"time": str(time.time())}
            yield server
        finally:
            running.terminate()
            workload.terminate()
            running.wait(60)
    assert running.returncode == 0, (folder / "log").read_text()


def test_the_users_mean_latency(server: Prometheus) -> None:
    for window in ("5m", "5s"):
        assert server.by("method", MEAN.replace("5m", window)) == {
            "production_rag": pytest.approx(0.2),
            "context_retriever": pytest.approx(0.2),
        }


def test_the_users_success_rate(server: Prometheus) -> None:
    """A step has one error in five runs, and one in four of production_rag."""
    assert value(server.ask(SUCCESS.replace("5m", "5s"))) == pytest.approx(0.8, abs=0.005)
    # Series that began at different times are extrapolated by different factors.
    assert value(server.ask(SUCCESS)) == pytest.approx(0.8, abs=0.02)
    by_method = SUCCESS.replace("5m", "5s").replace("sum", "sum by (method) ")
    expected = {"production_rag": 0.75, "context_retriever": 1.0}
    assert server.by("method", by_method) == pytest.approx(expected, abs=0.005)


def test_the_users_chunks(server: Prometheus) -> None:
    production = (5 + STEPS * (6 + 6 + 8 + 0)) / (1 + 4 * STEPS)
    assert value(server.ask(CHUNKS)) == pytest.approx((production + 2) / 2)


def dashboard_queries() -> list[Any]:
    dashboard = json.loads((DEPLOY / "grafana" / "rag_app.json").read_text("utf-8"))
    return [
        pytest.param(target["expr"], id=f"{panel['title']} {target['refId']}")
        for panel in dashboard["panels"]
        for target in panel.get("targets", [])
    ]


@pytest.mark.parametrize("expression", dashboard_queries())
def test_every_panel_shows_something(server: Prometheus, expression: str) -> None:
    values = [value([sample]) for sample in server.ask(filled(expression))]
    assert any(math.isfinite(number) for number in values)


@pytest.mark.parametrize(
    ("panel", "label", "expected"),
    [
        ("Success rate A", "method", {"production_rag": 0.75, "context_retriever": 1.0}),
        ("Latency: mean A", "method", {"production_rag": 0.2, "context_retriever": 0.2}),
        ("Share of the requests, by component A", "component", {"cross_encoder": 0.2}),
        ("Share of the requests, by variant of production_rag A", "variant", {"on": 0.25, "off": 0.75}),
        ("Hit rate A", "cache", {"bm25": 0.75}),
        ("Agreement A", "", {"": 0.75}),
        ("Agreement B", "", {"": 0.5}),
        ("Tokens of a context A", "method", {"production_rag": 500.0, "context_retriever": 200.0}),
        ("Time of an answer A", "llm", {"google_genai": 2.0}),
        ("Time to the first words A", "llm", {"google_genai": 0.5}),
        ("Complexity of the questions A", "", {"": 2.0}),
    ],
)
def test_the_figures_of_a_panel(server: Prometheus, panel: str, label: str, expected: dict[str, float]) -> None:
    panels = {parameter.id: parameter.values[0] for parameter in dashboard_queries()}
    assert server.by(label, filled(panels[panel])) == pytest.approx(expected, abs=0.005)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_every_alert_is_evaluated(server: Prometheus, rule: dict[str, str]) -> None:
    server.ask(rule["expr"])
    told = {each["name"]: each for group in server.get("rules")["groups"] for each in group["rules"]}
    assert told[rule["alert"]]["health"] == "ok", told[rule["alert"]].get("lastError")


def test_the_alerts_of_what_was_wrong_wait(server: Prometheus) -> None:
    """A quarter of the runs and answers failed, as many runs were empty, and a fifth of the requests were degraded."""
    assert {sample["metric"]["alertname"] for sample in server.ask('ALERTS{alertstate="pending"}')} == {
        "RagErrorRateHigh",
        "RagNoChunks",
        "RagDegraded",
        "RagAnswersFail",
    }


def shipped_config(folder: Path, port: int) -> Path:
    """The shipped configuration, with another target and twice a second."""
    config = yaml.safe_load((FOLDER / "prometheus.yml").read_text("utf-8"))
    config["global"] = {"scrape_interval": "500ms", "evaluation_interval": "500ms"}
    config["rule_files"] = [str(FOLDER / name) for name in config["rule_files"]]
    config["scrape_configs"][0]["static_configs"] = [{"targets": [f"127.0.0.1:{port}"]}]
    path = folder / "prometheus.yml"
    path.write_text(yaml.safe_dump(config))
    return path


def filled(expression: str) -> str:
    """The query as Grafana would send it, with every variable at All."""
    return re.sub(r"\$\w+", ".*", expression.replace("$__rate_interval", "5s"))


def value(samples: Samples) -> float:
    [sample] = samples
    return float(sample["value"][1])


def wait_for(condition: Callable[[], object], seconds: float = 60.0) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            if condition():
                return
        except (URLError, ConnectionError):  # it is starting
            pass
        time.sleep(0.1)
    pytest.fail("Prometheus did not come to it in time")
