"""The Dockerfile by the rules that matter of hadolint's, and what it copies and installs."""

from __future__ import annotations

import json
import re
import tomllib

import pytest

from tests.deploy.conftest import DEPLOY

ROOT = DEPLOY.parent
TEXT = (DEPLOY / "Dockerfile").read_text("utf-8")
LINES = re.sub(r"\\\n", " ", re.sub(r"^#.*\n", "", TEXT, flags=re.M)).splitlines()
INSTRUCTIONS = [tuple(line.strip().split(maxsplit=1)) for line in LINES if line.strip()]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def of(name: str) -> list[str]:
    return [argument for instruction, argument in INSTRUCTIONS if instruction == name]


def test_the_base_is_pinned_and_of_the_python_that_is_required() -> None:
    bases = {base.split()[0] for base in of("FROM")}
    assert len(bases) == 1
    assert re.fullmatch(r"python:3\.11\.\d+-slim", bases.pop())
    assert PROJECT["requires-python"] == ">=3.11,<3.12"


def test_the_last_stage_runs_as_a_user_that_is_not_root() -> None:
    last = INSTRUCTIONS[max(index for index, (name, _) in enumerate(INSTRUCTIONS) if name == "FROM") :]
    (user,) = [argument for name, argument in last if name == "USER"]
    assert int(user) > 0
    assert [name for name, _ in last].index("USER") < [name for name, _ in last].index("ENTRYPOINT")
    assert any(f"useradd --uid {user}" in argument for name, argument in last if name == "RUN")


def test_glibc_keeps_no_memory_for_each_thread() -> None:
    assert any("MALLOC_ARENA_MAX=2" in each for each in of("ENV"))


def test_commands_need_no_shell() -> None:
    assert [json.loads(argument) for argument in of("ENTRYPOINT")] == [["rag-app"]]
    assert [json.loads(argument) for argument in of("CMD")] == [["serve", "--host", "0.0.0.0"]]
    (check,) = of("HEALTHCHECK")
    command = json.loads(check.partition(" CMD ")[2])
    compile(command[2], "the health check", "exec")
    assert "/readyz" in command[2]
    assert PROJECT["scripts"] == {"rag-app": "rag_app.cli:main"}


def test_nothing_is_left_of_the_installation() -> None:
    for run in of("RUN"):
        assert "sudo" not in run
        assert "apt-get install" not in run or "rm -rf /var/lib/apt/lists" in run
        assert "pip install" not in run or "--mount=type=cache" in run or "--no-cache-dir" in run
    assert of("ADD") == []
    assert not [argument for argument in of("ENV") + of("ARG") if re.search("PASSWORD|KEY|TOKEN", argument)]


def test_versions_are_held_and_the_extras_exist() -> None:
    (install,) = [run for run in of("RUN") if "pip install" in run]
    assert "--constraint constraints.txt" in install
    (extras,) = re.findall(r"'\.\[(.*?)\]'", install)
    assert set(extras.split(",")) <= set(PROJECT["optional-dependencies"])
    assert {"cross-encoder", "readers", "server", "celery"} <= set(extras.split(","))
    assert "torch==2.13.0" in (ROOT / "constraints.txt").read_text("utf-8").split()


@pytest.mark.parametrize("copied", [argument for argument in of("COPY") if not argument.startswith("--from")])
def test_what_is_copied_exists_and_is_not_ignored(copied: str) -> None:
    let_in = {line[1:] for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines() if line.startswith("!")}
    *origins, _ = copied.split()
    for origin in origins:
        assert (ROOT / origin).exists()
        assert origin in let_in
