from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest
from sqlalchemy import text

from rag_app.errors import DatabaseUnavailableError, InvalidInputError, SchemaVersionError
from rag_app.storage import Database, ShadowStore
from tests.cli.test_cli import run, use
from tests.test_shadow import FOUR


@pytest.fixture(scope="module")
def stored(database: Database) -> Database:
    """A database with four comparisons, one of them three hours old."""
    for comparison in FOUR:
        ShadowStore(database).add(comparison)
    with database.transaction() as connection:
        connection.execute(text("UPDATE rag_app.shadow_comparisons SET at = now() - interval '3 hours' WHERE id = 4"))
    return database


@pytest.fixture
def four(stored: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, stored.url.render_as_string(hide_password=False))


@pytest.fixture
def empty(new_database: Callable[[], str], monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, new_database())


@pytest.mark.usefixtures("four")
def test_the_report_has_both_pipelines_side_by_side() -> None:
    lines = run("shadow", "report").splitlines()
    assert lines[0] == ("4 comparisons in the last 24 h: 50.0% of the documents in common, the same first one in 25.0%")
    assert [re.split(r"  +", line.strip()) for line in lines[2:]] == [
        ["context_retriever", "production_rag"],
        ["250.0", "25.0", "ms, p50"],
        ["385.0", "854.5", "ms, p95"],
        ["1.2", "2.8", "chunks"],
        ["25.0%", "25.0%", "found nothing where the other did"],
        ["25.0%", "50.0%", "degraded"],
    ]


@pytest.mark.usefixtures("four")
def test_the_hours_bound_what_is_reported_and_json_comes_alone() -> None:
    found = json.loads(run("shadow", "report", "--hours", "2", "--json"))
    assert list(found) == ["hours", "comparisons", "overlap", "same_first", "context_retriever", "production_rag"]
    assert (found["hours"], found["comparisons"], found["overlap"]) == (2, 3, 0.5)
    assert found["same_first"] == pytest.approx(1 / 3)
    assert found["context_retriever"] == pytest.approx(
        {"p50_ms": 200, "p95_ms": 290, "chunks": 5 / 3, "alone_empty": 1 / 3, "degraded": 1 / 3}
    )
    assert found["production_rag"] == pytest.approx(
        {"p50_ms": 20, "p95_ms": 29, "chunks": 11 / 3, "alone_empty": 1 / 3, "degraded": 2 / 3}
    )


@pytest.mark.usefixtures("four")
def test_hours_that_mean_nothing_are_refused() -> None:
    with pytest.raises(InvalidInputError, match="hours must be above 0"):
        run("shadow", "report", "--hours", "0")


@pytest.mark.usefixtures("empty")
def test_without_a_comparison_it_says_how_to_switch_shadow_mode_on() -> None:
    shown = run("shadow", "report", "--hours", "1.5")
    assert shown.startswith("no comparison in the last 1.5 h; ")
    assert shown.endswith("\n  rag-app flags set production_rag_shadow_percentage 10\n")
    assert json.loads(run("shadow", "report", "--json")) == {"hours": 24, "comparisons": 0}


@pytest.mark.usefixtures("empty")
def test_the_schema_is_left_alone_where_it_may_not_be_upgraded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAG_APP_DATABASE__AUTO_UPGRADE", "false")
    with pytest.raises(SchemaVersionError, match="run: rag-app db upgrade"):
        run("shadow", "report")


def test_a_database_that_is_gone_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, "postgresql://postgres@127.0.0.1:1/none")
    with pytest.raises(DatabaseUnavailableError):
        run("shadow", "report")
