"""The configuration and the alerts, by Prometheus's own tool."""

from __future__ import annotations

import subprocess

import pytest
import yaml

from tests.deploy.conftest import DEPLOY

FOLDER = DEPLOY / "prometheus"
RULES = yaml.safe_load((FOLDER / "alerts.yml").read_text("utf-8"))["groups"][0]["rules"]
TESTS = (FOLDER / "alerts.test.yml").read_text("utf-8")


@pytest.mark.parametrize(
    "command",
    [
        ["check", "config", "prometheus.yml"],
        ["check", "config", "compose.yml"],
        ["check", "rules", "--lint=all", "--lint-fatal", "alerts.yml"],
        ["test", "rules", "alerts.test.yml"],
    ],
    ids=" ".join,
)
def test_promtool_agrees(promtool: str, command: list[str]) -> None:
    told = subprocess.run([promtool, *command], cwd=FOLDER, capture_output=True, text=True, timeout=60, check=False)
    assert told.returncode == 0, told.stdout + told.stderr


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_every_alert_says_what_to_do(rule: dict[str, dict[str, str]]) -> None:
    assert rule["labels"]["severity"] in {"critical", "warning"}
    assert rule["annotations"]["summary"]
    description = rule["annotations"]["description"]
    assert "`rag-app" in description
    if rule["alert"] not in ("RagAppDown", "RagAnswersFail"):  # the old pipeline is no answer to these
        assert "`rag-app flags set production_rag false`" in description


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_every_alert_has_a_case_in_which_it_fires(rule: dict[str, str]) -> None:
    assert f'alertname="{rule["alert"]}", alertstate="firing"' in TESTS or f"alertname: {rule['alert']}" in TESTS
