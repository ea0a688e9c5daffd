from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from rag_app.cli import main
from rag_app.cli.commands import app as commands
from rag_app.errors import InvalidInputError

RECORDS = [
    {
        "id": f"{source}{number}",
        "title": f"کالای {number}",
        "text": f"شرح کالای {number} برای {source}",
        "source": source,
        "brand": brand,
    }
    for source in ("manual", "faq")
    for number, brand in enumerate(["سونی", 123, "123"])
]


@pytest.fixture
def run(new_database: Callable[[], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    monkeypatch.setenv("DATABASE_URL", new_database())
    monkeypatch.setenv("RAG_APP_RETRIEVAL__FILTER_KEYS", '["brand"]')
    monkeypatch.setenv("RAG_APP_DEADLINE_S", "30")
    (tmp_path / "all.jsonl").write_text("\n".join(json.dumps(record) for record in RECORDS), "utf-8")
    (tmp_path / "some.jsonl").write_text(json.dumps(RECORDS[0]), "utf-8")

    def invoke(*arguments: str, code: int = 0) -> str:
        result = CliRunner().invoke(commands, [*arguments, "--tenant", "t"])
        if isinstance(result.exception, InvalidInputError):
            raise result.exception
        assert result.exit_code == code, result.output
        return result.stdout

    invoke("ingest", str(tmp_path / "all.jsonl"))
    return invoke


def test_stats_tell_what_is_stored_and_how_it_is_searched(run: Callable[..., str]) -> None:
    shown = run("stats")
    assert [line.split() for line in shown.splitlines()[1:4]] == [
        ["3", "3", "faq"],
        ["3", "3", "manual"],
        ["6", "6", "in", "all"],
    ]
    assert "generation 1, last write 20" in shown
    assert "dense search: exact: at most 10000 chunks" in shown
    found = json.loads(run("stats", "--json"))
    assert (found["documents"], found["chunks"], found["generation"], found["bm25_generation"]) == (6, 6, 1, None)
    assert found["sources"]["faq"] == {"documents": 3, "chunks": 3}
    assert found["bytes"]["embeddings"] > 6 * 2048
    assert found["dense_index"]["kind"] == "exact"


def test_stats_of_an_unknown_tenant_are_empty(new_database: Callable[[], str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", new_database())
    shown = CliRunner().invoke(commands, ["stats", "--tenant", "nobody"]).stdout
    assert "generation 0, last write never" in shown


def test_delete_by_document_source_and_all(run: Callable[..., str]) -> None:
    assert run("delete", "--document", "faq0", "--document", "faq9") == "1 documents deleted\n"
    assert json.loads(run("delete", "--source", "faq", "--json")) == {"deleted": 2}
    assert run("delete", "--source", "faq", code=1) == "0 documents deleted\n"
    assert run("delete", "--all") == "3 documents deleted\n"
    assert json.loads(run("stats", "--json"))["documents"] == 0


@pytest.mark.parametrize("options", [(), ("--all", "--source", "faq"), ("--document", "a", "--all")])
def test_delete_wants_exactly_one_of_its_ways(run: Callable[..., str], options: tuple[str, ...]) -> None:
    with pytest.raises(InvalidInputError, match="one of --document, --source and --all"):
        run("delete", *options)
    assert json.loads(run("stats", "--json"))["documents"] == 6


def test_prune_deletes_what_the_source_has_beside_what_is_given(run: Callable[..., str], tmp_path: Path) -> None:
    shown = run("ingest", str(tmp_path / "some.jsonl"), "--source", "manual", "--prune")
    assert shown.startswith("0 added, 0 updated, 1 unchanged, 0 chunks written, 2 deleted, 0 skipped")
    assert json.loads(run("stats", "--json"))["sources"] == {
        "faq": {"documents": 3, "chunks": 3},
        "manual": {"documents": 1, "chunks": 1},
    }


def test_nothing_is_pruned_where_something_was_skipped(run: Callable[..., str], tmp_path: Path) -> None:
    shown = run("ingest", str(tmp_path / "some.jsonl"), str(tmp_path / "missing.txt"), "--prune")
    assert "0 deleted, 1 skipped" in shown
    assert "nothing was pruned" in shown
    assert json.loads(run("stats", "--json"))["documents"] == 6


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        (("brand=سونی",), {"manual0", "faq0"}),
        (("brand=123",), {"manual2", "faq2"}),
        (("brand:=123",), {"manual1", "faq1"}),
        (('brand:=["سونی", 123]', "doc_id=faq1"), {"faq1"}),
    ],
)
def test_retrieve_filters_by_text_and_by_json(
    run: Callable[..., str], filters: tuple[str, ...], found: set[str]
) -> None:
    options = [part for each in filters for part in ("--filter", each)]
    result = json.loads(run("retrieve", "شرح کالای", "--json", *options))
    assert {chunk["doc_id"] for chunk in result["chunks"]} == found
    assert not result["degraded"]


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("brand", "KEY=TEXT or KEY:=JSON"),
        ("brand:=x", "holds no JSON"),
        (f"brand:={'[' * 100_000}", "JSON"),
        ("size=1", "unknown filter key"),
    ],
)
def test_a_filter_that_can_not_be_read_is_refused(run: Callable[..., str], entry: str, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        run("retrieve", "کالا", "--filter", entry)


def test_reindex_tells_of_every_tenant(run: Callable[..., str]) -> None:
    assert "exact, 6 chunks: at most 10000 chunks" in run("db", "reindex")
    every = CliRunner().invoke(commands, ["db", "reindex", "--json"]).stdout
    assert [(status["tenant"], status["kind"]) for status in json.loads(every)] == [("t", "exact")]


def test_a_question_that_is_no_utf8_is_printed_as_json_all_the_same(
    run: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    printed = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(printed, "utf-8"))
    monkeypatch.setattr(sys, "argv", ["rag-app", "retrieve", "کالا \udcff", "--tenant", "t", "--json"])
    with pytest.raises(SystemExit) as ended:
        main()
    sys.stdout.flush()
    assert ended.value.code == 0
    assert json.loads(printed.getvalue())["query"] == "کالا \udcff"
