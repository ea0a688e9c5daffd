from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import typer
from sqlalchemy import make_url, text
from typer.core import TyperGroup

from rag_app import RagApp, doctor
from rag_app.cli.commands import app
from rag_app.config import load_settings
from rag_app.cross_encoder import LoadedModel, ModelSpec, load_model, precision
from rag_app.cross_encoder.probe_pairs import PASSAGES
from rag_app.cross_encoder.scorer import Features
from rag_app.errors import ComponentError, ConfigurationError, InvalidInputError
from rag_app.storage import Database, schema_version
from tests.cli.test_cli import all_commands, run, use
from tests.models import save_cross_encoder
from tests.ports import free_port
from tests.servers import postgres_15

NAMES = ["packages", "network", "model", "llm", "database", "versions", "schema"]
OF_A_MODEL = [
    "packages",
    "network",
    "model",
    "memory",
    "load",
    "precision",
    "speed",
    "llm",
    "database",
    "versions",
    "schema",
]
TROUBLES = ["the model does not download", "out of memory", "latency over 3 s", "no chunks retrieved"]


@pytest.fixture(scope="module")
def url(new_database: Callable[[], str]) -> str:
    """A database with documents of one tenant, whose other one was deleted."""
    url = new_database()
    with RagApp.from_config(database={"url": url}) as opened:
        for source, ids in (("faq", "ab"), ("راهنما", "c")):
            opened.ingest([{"id": name, "text": "ارسال رایگان است."} for name in ids], tenant="shop", source=source)
        opened.ingest([{"id": "d", "text": "ارسال"}], tenant="left", source="faq")
        opened.delete("d", tenant="left")
    return url


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(save_cross_encoder(tmp_path_factory.mktemp("model"), list(PASSAGES) * 20))


@pytest.fixture(autouse=True)
def _environment(url: str, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    use(monkeypatch, url)
    monkeypatch.setenv("RAG_APP_CACHE_DIR", str(tmp_path_factory.getbasetemp() / "doctor"))


def examined(*arguments: str, status: int = 0) -> dict[str, dict[str, Any]]:
    """Return the checks by name, in order."""
    output = run("doctor", "--json", *arguments, status=status)
    return {check["name"]: check for check in json.loads(output)["checks"]}


def states(checks: dict[str, dict[str, Any]]) -> set[str]:
    return {check["state"] for check in checks.values()}


def test_all_is_well_without_a_model_and_nothing_is_changed() -> None:
    checks = examined()
    assert list(checks) == NAMES
    assert states(checks) == {"ok"}
    assert checks["model"]["finding"] == "rerank.kind is lexical, which needs no model"
    assert re.match(r"python 3\.11\.\d+, rag-app \d.*llama-index-core \d.*torch \d", checks["packages"]["finding"])
    assert checks["schema"]["finding"] == f"at {schema_version.LATEST}, the latest"
    assert re.fullmatch(r"PostgreSQL \d+\.\d+, pgvector \d+\.\d+\.\d+", checks["versions"]["finding"])


def test_the_llm_is_named_and_a_missing_key_is_a_warning(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert "llm.kind is extractive" in examined()["llm"]["finding"]
    for name in ("GOOGLE_API_KEY", "GEMINI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("RAG_APP_LLM__KIND", "google_genai")
    missing = examined()["llm"]
    assert missing["state"] == "warning"
    assert "key" in missing["finding"]
    assert "llm.kind: extractive" in missing["answer"]
    monkeypatch.setenv("RAG_APP_LLM__API_KEY", "secret-key")
    given = examined()["llm"]
    assert given["finding"].startswith("llm.kind is google_genai, model gemini-")
    assert "secret-key" not in str(given)


def test_the_four_troubles_are_always_answered() -> None:
    found = json.loads(run("doctor", "--json"))
    assert list(found) == ["checks", "troubleshooting"]
    assert list(found["troubleshooting"]) == TROUBLES
    lines = run("doctor").splitlines()
    start = lines.index("troubleshooting")
    assert lines[start + 1 :: 2] == [f"  {trouble}" for trouble in TROUBLES]
    assert [line.split()[0] for line in lines[: start - 1]] == ["ok"] * len(NAMES)


def test_what_the_answers_name_exists() -> None:
    group = typer.main.get_command(app)
    assert isinstance(group, TyperGroup)
    commands = dict(all_commands(group))
    told = " ".join(doctor.TROUBLESHOOTING.values())
    for command in re.findall(r"`rag-app ([^`]*)`", told):
        words = [word for word in command.split() if word.islower() and not word.startswith("-")]
        name = next(name for name in (" ".join(words[:2]), words[0]) if name in commands)
        options = {option for parameter in commands[name].params for option in parameter.opts}
        assert {word for word in command.split() if word.startswith("-")} <= options
    given: dict[str, Any] = {}
    for section, name, value in re.findall(r"(rerank|retrieval)\.(\w+): (\w+)", told):
        given.setdefault(section, {})[name] = value
    load_settings(**given)
    assert given["rerank"].keys() == {"model", "kind", "top_k"}
    for section, name in re.findall(r"(context|rerank|retrieval)\.(\w+)", told):
        assert name in getattr(load_settings(), section).model_dump()


def test_a_model_is_loaded_and_timed(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "_CALM", 0.0)  # whatever else this machine does
    checks = examined("--model", model)
    assert list(checks) == OF_A_MODEL
    assert states(checks) == {"ok"}
    assert checks["model"]["finding"].startswith(f"{model} is on this machine: {model}, a folder, 0.2 MB; not exported")
    assert re.fullmatch(
        r"0\.\d MB of weights, \d+ MB of memory free|.* can not be told here", checks["memory"]["finding"]
    )
    assert re.fullmatch(
        r"loads without the network in \d+\.\d s, as (fp32|bf16) on cpu, 0\.\d MB", checks["load"]["finding"]
    )
    chosen = load_model(ModelSpec(model)).choice
    assert checks["precision"]["finding"].startswith(f"{chosen.precision}: {chosen.why}; processor time of ")
    assert "twenty short pairs: fp32 " in checks["precision"]["finding"]
    assert re.fullmatch(r"20 short pairs take \d+ ms of a deadline of 30 s", checks["speed"]["finding"])


def test_a_precision_that_was_measured_on_a_busy_machine_is_a_warning(
    model: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("RAG_APP_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(precision, "_CALM", 2.0)  # no machine is that calm
    checks = examined("--model", model)
    assert checks["precision"]["state"] == "warning"
    assert "measured on a busy machine, which gave it a processor for " in checks["precision"]["finding"]
    assert f"`rag-app doctor --model {model}` when the machine is calm" in checks["precision"]["answer"]
    monkeypatch.setattr(precision, "_CALM", 0.0)
    monkeypatch.setattr(precision, "_known", {})  # as in the next process
    assert examined("--model", model)["precision"]["state"] == "ok"


def test_the_configured_model_and_precision_are_looked_at(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAG_APP_RERANK__KIND", "cross_encoder")
    monkeypatch.setenv("RAG_APP_RERANK__MODEL", model)
    monkeypatch.setenv("RAG_APP_RERANK__PRECISION", "bf16")
    monkeypatch.setenv("RAG_APP_RERANK__LOAD_TIMEOUT_S", "0.0001")
    checks = examined()
    assert checks["precision"]["finding"] == "bf16: the configuration names it"
    assert (checks["load"]["state"], "as bf16 on cpu" in checks["load"]["finding"]) == ("warning", True)
    assert checks["load"]["answer"] == "rerank.load_timeout_s allows 0.0001 s: raise it"


def test_a_model_that_is_too_slow_for_the_deadline_is_a_warning(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAG_APP_DEADLINE_S", "0.0001")
    speed = examined("--model", model)["speed"]
    assert speed["state"] == "warning"
    for way in (
        "retrieval.fusion_top_k: 10",
        f"`rag-app models export {model} --int8`",
        "rerank.model: base",
        "rerank.kind: lexical",
    ):
        assert way in speed["answer"]


def test_a_model_larger_than_the_free_memory_is_a_warning_before_it_is_loaded(
    model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor.model, "_free_megabytes", lambda: 0.1)
    checks = doctor.examine(load_settings(), model=model)
    memory = next(check for check in checks if check.name == "memory")  # what comes after has not run
    assert memory.state == "warning"
    assert memory.finding.endswith(" MB of weights, 0 MB of memory free")
    assert memory.answer is not None
    assert "rerank.model: base" in memory.answer
    monkeypatch.setattr(doctor.model, "_free_megabytes", lambda: None)
    memory = next(check for check in doctor.examine(load_settings(), model=model) if check.name == "memory")
    assert (memory.state, memory.finding.endswith("can not be told here")) == ("ok", True)


def test_free_memory_is_that_of_this_machine() -> None:
    free = doctor.model._free_megabytes()
    assert free is None or 10 < free < 1e8


@pytest.mark.parametrize(
    ("model", "expected"),
    [("base", "rag-app models pull base"), ("bas", "did you mean 'base'"), ("/missing", "unknown")],
)
def test_a_model_that_is_not_here_is_a_problem(
    model: str, expected: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    checks = examined("--model", model, status=1)
    assert list(checks) == NAMES
    assert checks["model"]["state"] == "problem"
    assert expected in checks["model"]["finding"]
    monkeypatch.setenv("RAG_APP_RERANK__MODEL", model)
    assert examined("--profile", "production", status=1)["model"] == checks["model"]


def test_a_folder_without_a_model_is_a_problem(tmp_path: Path) -> None:
    checks = examined("--model", str(tmp_path), status=1)
    assert checks["load"]["state"] == "problem"
    assert "can not be read" in checks["load"]["finding"]
    assert "speed" not in checks


def test_a_folder_that_may_not_be_read_is_a_problem(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(folder: Path) -> float:
        raise PermissionError(13, "Permission denied", str(folder))

    monkeypatch.setattr(doctor.model, "megabytes", refuse)
    found = examined("--model", model, status=1)["model"]
    assert (found["state"], "can not be read (PermissionError)" in found["finding"]) == ("problem", True)


def test_without_the_extra_there_is_a_problem_only_where_a_model_reranks(
    model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = doctor.machine._version
    monkeypatch.setattr(doctor.machine, "_version", lambda name: None if name == "onnxruntime" else installed(name))
    packages = examined()["packages"]
    assert packages["state"] == "warning"
    assert packages["finding"].endswith("onnxruntime missing")
    assert "pip install 'rag-app[cross-encoder]'" in packages["answer"]
    monkeypatch.setenv("RAG_APP_RERANK__KIND", "cross_encoder")
    monkeypatch.setenv("RAG_APP_RERANK__MODEL", model)
    assert examined(status=1)["packages"] == packages | {"state": "problem"}


class Failing:
    """A scorer whose scores are no numbers, or that raises."""

    precision, device, megabytes, batch_tokens = "fp32", "cpu", 1.0, 1024

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error

    def tokenize(self, query: str, passages: Sequence[str]) -> list[Features]:
        return [{"input_ids": [1]} for _ in passages]

    def logits(self, batch: Sequence[Features]) -> list[float]:
        if self.error is not None:
            raise self.error
        return [math.nan] * len(batch)


@pytest.mark.parametrize(
    ("error", "expected", "answer"),
    [
        (None, "no numbers", None),
        (RuntimeError("a shape"), "(RuntimeError): a shape", None),
        (MemoryError(), "(MemoryError)", doctor.TROUBLESHOOTING["out of memory"]),
    ],
)
def test_a_model_that_fails_to_score_is_a_problem(
    model: str, error: Exception | None, expected: str, answer: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(spec: ModelSpec) -> LoadedModel:
        return replace(load_model(spec), scorer=Failing(error))

    monkeypatch.setattr(doctor.model, "load_model", load)
    checks = examined("--model", model, status=1)
    assert checks["speed"]["state"] == "problem"
    assert expected in checks["speed"]["finding"]
    assert checks["speed"]["answer"] == answer
    assert checks["schema"]["state"] == "ok"  # the rest is looked at all the same


def test_a_load_that_runs_out_of_memory_says_what_to_do(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def load(spec: ModelSpec) -> LoadedModel:
        raise ComponentError("there is no memory to load it: take a smaller model", "out of memory")

    monkeypatch.setattr(doctor.model, "load_model", load)
    load_check = examined("--model", model, status=1)["load"]
    assert (load_check["state"], load_check["finding"]) == (
        "problem",
        "there is no memory to load it: take a smaller model",
    )


def test_network_settings_are_shown_without_their_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "ALL_PROXY", "HF_ENDPOINT", "HF_HOME", "HF_HUB_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.delenv("RAG_APP_CACHE_DIR")
    assert "no proxy, mirror, offline switch or cache folder is set" in examined()["network"]["finding"]
    monkeypatch.setenv("HTTPS_PROXY", "http://user:secret@proxy:3128")
    monkeypatch.setenv("http_proxy", "user:secret@other:3128")
    monkeypatch.setenv("HF_ENDPOINT", "https://user:secret@mirror.example")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    for output in (run("doctor"), run("doctor", "--json")):
        assert "secret" not in output
        for shown in (
            "HTTPS_PROXY=http://***@proxy:3128",
            "http_proxy=***@other:3128",
            "HF_ENDPOINT=https://***@mirror.example",
            "HF_HUB_OFFLINE=1",
            "only `rag-app models pull` uses the network",
        ):
            assert shown in output


def test_the_password_of_the_database_is_never_shown(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = make_url(url).set(password="s3cret").update_query_dict({"sslpassword": "s3cret"})
    monkeypatch.setenv("DATABASE_URL", secret.render_as_string(hide_password=False))
    output = run("doctor", "--json")
    assert "PostgreSQL at postgresql" in output
    assert "s3cret" not in output


def test_a_database_that_does_not_answer_is_a_problem(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DATABASE_URL", f"postgresql://u:s3cret@127.0.0.1:{free_port()}/shop")
    checks = examined("--tenant", "shop", status=1)
    assert list(checks) == NAMES[:5]
    assert checks["database"]["state"] == "problem"
    assert "does not answer" in checks["database"]["finding"]
    assert "s3cret" not in checks["database"]["finding"]
    monkeypatch.setenv("DATABASE_URL", "mysql://u:s3cret@127.0.0.1/shop")
    assert "must be PostgreSQL" in examined(status=1)["database"]["finding"]
    monkeypatch.delenv("DATABASE_URL")
    (tmp_path / "file").write_text("")
    assert "name another data_dir" in examined("--data-dir", str(tmp_path / "file"), status=1)["database"]["finding"]


def test_a_missing_schema_is_told_and_not_made(
    new_database: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    url = new_database()
    use(monkeypatch, url)
    checks = examined("--tenant", "shop", status=1)
    assert checks["schema"]["finding"].startswith(f"there is none, this package needs {schema_version.LATEST}; opening")
    assert checks["versions"]["finding"].endswith("`rag-app db upgrade` enables it")
    assert "nothing was ever ingested for it" in checks["documents"]["finding"]
    monkeypatch.setenv("RAG_APP_DATABASE__AUTO_UPGRADE", "false")
    assert examined(status=1)["schema"]["answer"] == "run: rag-app db upgrade"
    database = Database(url)
    assert schema_version.current(database) is None
    database.engine.dispose()


@pytest.mark.parametrize(("version", "answer"), [("0001", "run: rag-app db upgrade"), ("9999", "install a newer")])
def test_another_schema_is_a_problem(
    new_database: Callable[[], str], version: str, answer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, url := new_database())
    database = Database(url)
    schema_version.upgrade(database)
    with database.transaction() as connection:
        connection.execute(text("UPDATE rag_app.alembic_version SET version_num = :v"), {"v": version})
    database.engine.dispose()
    monkeypatch.setenv("RAG_APP_DATABASE__AUTO_UPGRADE", "false")
    schema = examined(status=1)["schema"]
    assert schema["finding"] == f"at {version}, this package needs {schema_version.LATEST}"
    assert schema["answer"].startswith(answer)


def test_a_schema_that_may_not_be_read_is_a_problem(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    database = Database(url)
    with database.transaction() as connection:
        connection.execute(text("CREATE ROLE stranger LOGIN"))
    database.engine.dispose()
    use(monkeypatch, make_url(url).set(username="stranger").render_as_string(hide_password=False))
    checks = examined(status=1)
    assert checks["database"]["state"] == "problem"
    assert "permission denied" in checks["database"]["finding"]
    assert "\n" not in checks["database"]["finding"]


def test_a_server_without_pgvector_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    with postgres_15() as url:
        use(monkeypatch, url)
        checks = examined(status=1)
    assert [name for name, check in checks.items() if check["state"] == "problem"] == ["versions"]
    assert re.fullmatch(
        r"PostgreSQL 15\.\d+, pgvector missing; rag_app needs PostgreSQL 15 or newer with pgvector 0\.8 or newer",
        checks["versions"]["finding"],
    )
    assert "postgresql-15-pgvector" in checks["versions"]["answer"]


@pytest.mark.parametrize(
    ("options", "finding"),
    [
        (["nobody"], "tenant 'nobody' has no documents: nothing was ever ingested for it"),
        (["left"], "tenant 'left' has no documents: all were deleted"),
        (["shop", "--source", "fag"], "unknown source 'fag': did you mean 'faq'? valid: faq, راهنما"),
    ],
)
def test_a_tenant_or_source_without_documents_is_a_problem(options: list[str], finding: str) -> None:
    documents = examined("--tenant", *options, status=1)["documents"]
    assert (documents["state"], documents["finding"]) == ("problem", finding)
    assert documents["answer"]


def test_the_documents_of_a_tenant_are_counted_by_source() -> None:
    documents = examined("--tenant", "shop", "--source", "راهنما")["documents"]
    assert (documents["state"], documents["finding"]) == ("ok", "tenant 'shop' has 3 documents: 2 of faq, 1 of راهنما")
    shown = run("doctor", "--tenant", "shop")
    assert "ok       documents: \u2068tenant 'shop' has 3 documents" in shown


def test_an_answer_stands_below_its_finding() -> None:
    lines = run("doctor", "--tenant", "nobody", status=1).splitlines()
    place = next(number for number, line in enumerate(lines) if line.startswith("problem  documents: "))
    assert lines[place + 1].startswith("         answer: run: rag-app ingest FOLDER --tenant nobody")


def test_what_can_be_no_name_is_an_error() -> None:
    with pytest.raises(InvalidInputError, match="name the tenant too"):
        run("doctor", "--source", "faq")
    with pytest.raises(InvalidInputError, match="tenant is empty"):
        run("doctor", "--tenant", " ")
    with pytest.raises(ConfigurationError, match="did you mean 'production'"):
        run("doctor", "--profile", "producton")
