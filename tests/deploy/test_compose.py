"""`compose.yaml`, as far as it can be checked where nothing runs containers."""

from __future__ import annotations

import re
from itertools import takewhile
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from rag_app.cli.commands import app as commands
from rag_app.config import Settings, load_settings
from rag_app.contrib.celery.application import queue_settings
from tests.deploy.conftest import DEPLOY

TEXT = (DEPLOY / "compose.yaml").read_text("utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name for name, service in SERVICES.items() if "build" in service}
DOCKERFILE = (DEPLOY / "Dockerfile").read_text("utf-8")
EXAMPLE = (DEPLOY / "env.example").read_text("utf-8")
VARIABLE = re.compile(r"\$\{(\w+)(?::([-?])([^}]*))?\}")

each_service = pytest.mark.parametrize("name", sorted(SERVICES))


def environment_of(name: str) -> dict[str, str]:
    """What a service's process finds, with the example's variables set to letters."""
    values = VARIABLE.sub(lambda found: found[3] if found[2] == "-" else "letters", yaml.safe_dump(SERVICES[name]))
    return {key: str(value) for key, value in yaml.safe_load(values).get("environment", {}).items()}


def mounts_of(name: str) -> list[tuple[str, str]]:
    return [tuple(mount.split(":")[:2]) for mount in SERVICES[name].get("volumes", [])]


def test_there_is_everything_that_a_deployment_needs() -> None:
    assert set(SERVICES) == {"migrate", "web", "worker", "postgres", "redis", "prometheus", "grafana"}
    assert {"migrate", "web", "worker"} == OURS


@each_service
def test_every_service_is_pinned_limited_and_watched(name: str) -> None:
    service = SERVICES[name]
    tag = service["image"].rpartition(":")[2]
    assert re.match(r"\d+\.\d+|v\d+\.\d+|\$\{RAG_APP_VERSION:-\d", service["image"].partition(":")[2]), tag
    assert set(service["deploy"]["resources"]["limits"]) == {"cpus", "memory"}
    if name == "migrate":
        assert service["restart"] == "no"
    else:
        assert service["restart"] == "unless-stopped"
        assert name == "web" or service["healthcheck"]["test"], "the image of web brings its own"


@each_service
def test_every_service_waits_for_what_it_needs(name: str) -> None:
    for needed, wait in SERVICES[name].get("depends_on", {}).items():
        expected = "service_completed_successfully" if needed == "migrate" else "service_healthy"
        assert wait == {"condition": expected}, needed
    if name in ("web", "worker"):
        assert {"migrate", "postgres"} <= set(SERVICES[name]["depends_on"])


@each_service
def test_what_is_mounted_exists(name: str) -> None:
    for origin, _ in mounts_of(name):
        if origin.startswith("."):
            assert (DEPLOY / origin).exists(), origin
        else:
            assert origin in COMPOSE["volumes"]


def test_every_volume_is_used() -> None:
    assert {origin for name in SERVICES for origin, _ in mounts_of(name)} >= set(COMPOSE["volumes"])


@pytest.mark.parametrize("name", sorted(OURS))
def test_ours_have_no_more_rights_than_they_need(name: str) -> None:
    service = SERVICES[name]
    assert (service["read_only"], service["cap_drop"], service["init"]) == (True, ["ALL"], True)
    volumes = set(re.search(r"VOLUME \[(.*)\]", DOCKERFILE)[1].replace('"', "").split(", "))
    assert {target for _, target in mounts_of(name)} == volumes
    root = Path(__file__).parent.parent.parent
    assert (DEPLOY / service["build"]["context"]).resolve() == root
    assert (root / service["build"]["dockerfile"]).is_file()


@pytest.mark.parametrize("name", sorted(OURS))
def test_every_command_exists(name: str) -> None:
    given = SERVICES[name].get("command") or yaml.safe_load(re.search(r"^CMD (\[.*\])$", DOCKERFILE, re.M)[1])
    words = list(takewhile(lambda word: not word.startswith("-"), given))
    asked = CliRunner().invoke(commands, [*words, "--help"])
    assert asked.exit_code == 0, asked.output
    assert [option for option in given if option.startswith("--") and option not in asked.output] == []


@pytest.mark.parametrize("name", sorted(OURS))
def test_the_settings_can_be_loaded(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable, value in environment_of(name).items():
        monkeypatch.setenv(variable, value)
    settings = load_settings()
    assert settings.profile == "production"
    assert settings.database.url.get_secret_value() == "postgresql://rag_app:letters@postgres:5432/rag_app"
    assert queue_settings(settings.worker)["broker_url"] == "redis://:letters@redis:6379/0"
    database = environment_of("postgres")
    assert (database["POSTGRES_USER"], database["POSTGRES_DB"]) == ("rag_app", "rag_app")


def test_the_variables_that_have_no_default_are_those_of_the_example() -> None:
    needed = {found[1] for found in VARIABLE.finditer(TEXT) if found[2] == "?"}
    lines = [line for line in EXAMPLE.splitlines() if line and not line.startswith("# ")]
    assert needed | {"RAG_APP_VERSION"} == {line.partition("=")[0] for line in lines}
    named = {found[1] for found in VARIABLE.finditer(TEXT)}
    offered = set(re.findall(r"^#? ?(\w+)=", EXAMPLE, re.M))
    assert offered <= named


def test_no_secret_is_in_the_files() -> None:
    assert re.findall(r"^\w*(?:PASSWORD|KEY)\w*=(.+)$", EXAMPLE, re.M) == []
    for name, service in SERVICES.items():
        for variable, value in service.get("environment", {}).items():
            if re.search("PASSWORD|KEY|AUTH", variable):
                assert VARIABLE.fullmatch(value), (name, variable)
    assert re.findall(r"://\w*:(?!\$\{)[^/@\s]+@", TEXT) == []
    root = DEPLOY.parent
    assert "deploy/.env" in (root / ".gitignore").read_text("utf-8").split()


@each_service
def test_ports_are_published_to_this_machine_alone(name: str) -> None:
    assert all(port.startswith("127.0.0.1:") for port in SERVICES[name].get("ports", []))


def test_prometheus_scrapes_where_the_web_server_listens() -> None:
    config = yaml.safe_load((DEPLOY / "prometheus" / "compose.yml").read_text("utf-8"))
    shipped = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text("utf-8"))
    (job,) = config["scrape_configs"]
    (target,) = job["static_configs"][0]["targets"]
    service, port = target.split(":")
    assert service in SERVICES
    assert int(port) == Settings.model_fields["server"].default.port
    assert f"EXPOSE {port}\n" in DOCKERFILE
    assert SERVICES[service]["ports"] == [f"127.0.0.1:${{RAG_APP_PORT:-8000}}:{port}"]
    assert job["job_name"] == shipped["scrape_configs"][0]["job_name"], "the alerts name it"
    assert config["rule_files"] == shipped["rule_files"]
    targets = dict(origin[::-1] for origin in mounts_of("prometheus"))
    assert targets["/etc/prometheus/alerts.yml"] == "./prometheus/alerts.yml"
    assert targets["/etc/prometheus/prometheus.yml"] == "./prometheus/compose.yml"


def test_grafana_finds_prometheus_and_the_dashboard() -> None:
    provisioning = DEPLOY / "grafana" / "provisioning"
    (source,) = yaml.safe_load((provisioning / "datasources" / "prometheus.yml").read_text("utf-8"))["datasources"]
    assert (source["type"], source["url"], source["isDefault"]) == ("prometheus", "http://prometheus:9090", True)
    (provider,) = yaml.safe_load((provisioning / "dashboards" / "rag_app.yml").read_text("utf-8"))["providers"]
    targets = dict(origin[::-1] for origin in mounts_of("grafana"))
    assert targets[f"{provider['options']['path']}/rag_app.json"] == "./grafana/rag_app.json"
    assert targets["/etc/grafana/provisioning"] == "./grafana/provisioning"
