"""`rag-app reindex`: another embedding, without downtime."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from rag_app import RagApp
from rag_app.config import Settings, load_settings
from rag_app.errors import IndexMismatchError, StorageError
from rag_app.factory import reindex
from rag_app.schema import RetrievalResult
from rag_app.storage import NextIndex
from tests.conftest import INSTITUTE

QUESTION = "شهریه کلاس آیلتس چقدر است؟"
SMALL, LARGE = {"dim": 256}, {"dim": 512}


@pytest.fixture
def url(new_database: Callable[[], str]) -> str:
    return new_database()


def settings(url: str, embedding: dict[str, Any], **more: Any) -> Settings:
    return load_settings(database={"url": url}, embedding=embedding, deadline_s=30, **more)


def dense(result: RetrievalResult) -> set[str]:
    return {chunk.node_id for chunk in result.trace.chunks.values() if "dense" in chunk.legs}


def state(app: RagApp) -> dict[str, list[Any]]:
    """Return what the table of chunks is made of, names included."""
    with app.database.transaction() as connection:
        return {
            kind: sorted(map(tuple, connection.execute(text(query))))
            for kind, query in {
                "indexes": "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'rag_app'",
                "constraints": "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint"
                " WHERE connamespace = 'rag_app'::regnamespace",
                "policies": "SELECT tablename, policyname, qual FROM pg_policies WHERE schemaname = 'rag_app'",
                "columns": "SELECT table_name, column_name, data_type, is_nullable, identity_generation"
                " FROM information_schema.columns WHERE table_schema = 'rag_app'",
                "storage": "SELECT attname, attstorage::text FROM pg_attribute"
                " WHERE attrelid = 'rag_app.data_chunks'::regclass AND attnum > 0",
                "tables": "SELECT relname, relrowsecurity, relforcerowsecurity FROM pg_class"
                " WHERE relnamespace = 'rag_app'::regnamespace AND relkind = 'r'",
                "sequences": "SELECT sequencename, data_type::text, start_value, increment_by, cache_size"
                " FROM pg_sequences WHERE schemaname = 'rag_app'",
                "grants": "SELECT table_name, privilege_type FROM information_schema.role_table_grants"
                " WHERE grantee = 'rag_app_tenant'",
            }.items()
        }


def test_the_index_is_made_anew_and_is_as_one_ingested_anew(url: str, new_database: Callable[[], str]) -> None:
    with RagApp(settings(url, SMALL)) as app:
        app.ingest(INSTITUTE / "documents", tenant="a")
        app.ingest([{"id": "n", "text": "ارسال رایگان است.", "source": "manual"}], tenant="b")
        before = state(app)
    with pytest.raises(IndexMismatchError, match="run rag-app reindex"):
        RagApp(settings(url, LARGE))
    report = reindex(settings(url, LARGE))
    assert report is not None
    assert (report.resumed, report.before["embedding"] != report.after["embedding"]) == (False, True)
    with RagApp(settings(url, LARGE)) as app, RagApp(settings(new_database(), LARGE)) as fresh:
        assert state(app) == before
        assert app.ingest(INSTITUTE / "documents", tenant="a").updated == 0
        fresh.ingest(INSTITUTE / "documents", tenant="a")
        for question in (QUESTION, "بورسیه دارین؟"):
            ours, theirs = (each.retrieve(question, tenant="a") for each in (app, fresh))
            assert ours.context == theirs.context
            assert len(dense(ours)) == len(dense(theirs)) > 0
        assert app.delete("n", tenant="b")
        assert app.stats("b").chunks == 0
    assert reindex(settings(url, LARGE)) is None


def test_a_process_with_the_old_settings_serves_until_the_swap_and_then_without_its_dense_leg(url: str) -> None:
    with RagApp(settings(url, SMALL)) as old:
        old.ingest(INSTITUTE / "documents", tenant="a")
        first = old.retrieve(QUESTION, tenant="a")
        assert reindex(settings(url, LARGE)) is not None
        after = old.retrieve(QUESTION, tenant="a")
        assert dense(first)
        assert not dense(after)
        assert [(entry.component, entry.reason) for entry in after.trace.degradations] == [("dense", "re-indexed")]
        assert after.nodes
        with pytest.raises(IndexMismatchError):
            old.ingest([{"id": "n", "text": "متن", "source": "manual"}], tenant="a")


def test_what_is_written_and_deleted_meanwhile_is_in_the_new_index(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    notes = [{"id": f"n{number}", "text": f"یادداشت {number}", "source": "manual"} for number in range(20)]
    with RagApp(settings(url, SMALL)) as old:
        old.ingest(notes, tenant="a")
        copied = NextIndex.copy
        changed = threading.Event()

        def copy_while_others_write(self: NextIndex, behind: Any) -> int:
            done = copied(self, behind)
            if not changed.is_set():
                changed.set()
                old.ingest([{"id": "n1", "text": "متن دیگر", "source": "manual"}], tenant="a")
                old.delete("n2", tenant="a")
                old.ingest([{"id": "late", "text": "یادداشت تازه", "source": "faq"}], tenant="late")
            return done

        monkeypatch.setattr(NextIndex, "copy", copy_while_others_write)
        reindex(settings(url, LARGE))
    with RagApp(settings(url, LARGE)) as app:
        with app.database.transaction("a") as connection:
            rows = connection.execute(text("SELECT doc_id, text, vector_dims(embedding) FROM rag_app.data_chunks"))
            held = {doc_id: (body, dim) for doc_id, body, dim in rows}
        assert held.keys() == {f"n{number}" for number in range(20)} - {"n2"}
        assert held["n1"] == ("متن دیگر", 512)
        assert app.retrieve("یادداشت تازه", tenant="late").nodes


def test_what_full_text_search_added_to_the_old_table_is_on_the_new(url: str) -> None:
    search = {"dense": "none", "sparse": "postgres_fts"}
    with RagApp(settings(url, SMALL, retrieval=search)) as app:
        app.ingest(INSTITUTE / "documents", tenant="a")
        before, found = state(app), app.retrieve(QUESTION, tenant="a").context
        with app.database.transaction() as connection:  # as an earlier version left it after a reindex
            connection.execute(text("ALTER SEQUENCE rag_app.data_chunks_id_seq RENAME TO next_chunks_id_seq"))
    assert reindex(settings(url, LARGE)) is not None
    with RagApp(settings(url, LARGE)) as app:
        assert state(app) == before
    with RagApp(settings(url, LARGE, retrieval=search)) as app:
        assert app.retrieve(QUESTION, tenant="a").context == found


def test_one_that_was_broken_off_goes_on(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with RagApp(settings(url, SMALL)) as app:
        for tenant in ("a", "b", "c"):
            app.ingest([{"id": "n", "text": f"یادداشت {tenant}", "source": "manual"}], tenant=tenant)
    copied = NextIndex.copy

    def broken_off(self: NextIndex, behind: Any) -> int:
        if behind.tenant == "c":
            raise KeyboardInterrupt
        return copied(self, behind)

    with monkeypatch.context() as patch:
        patch.setattr(NextIndex, "copy", broken_off)
        with pytest.raises(KeyboardInterrupt):
            reindex(settings(url, LARGE))
    with RagApp(settings(url, SMALL)) as app:  # nothing has changed for who serves
        assert dense(app.retrieve("یادداشت", tenant="a"))
    report = reindex(settings(url, LARGE))
    assert report is not None
    assert (report.resumed, report.chunks) == (True, 1)


def test_a_change_of_mind_begins_anew(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with RagApp(settings(url, SMALL)) as app:
        app.ingest([{"id": "n", "text": "یادداشت", "source": "manual"}], tenant="a")
    with monkeypatch.context() as patch:
        patch.setattr(NextIndex, "swap", lambda self: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            reindex(settings(url, LARGE))
    report = reindex(settings(url, {"dim": 128}))
    assert report is not None
    assert (report.resumed, report.chunks) == (False, 1)


def test_two_at_once_are_refused(url: str) -> None:
    with RagApp(settings(url, SMALL)) as app:
        app.ingest([{"id": "n", "text": "یادداشت", "source": "manual"}], tenant="a")
        with NextIndex(app.database, list, list).alone(), pytest.raises(StorageError, match="another rag-app reindex"):
            reindex(settings(url, LARGE))


def test_the_command_says_what_it_did(url: str, tmp_path: Path) -> None:
    from typer.testing import CliRunner

    from rag_app.cli.commands import app as commands

    file = tmp_path / "rag_app.yaml"
    file.write_text(f"database: {{url: '{url}'}}\nembedding: {{dim: 512}}\n", "utf-8")
    with RagApp(settings(url, SMALL)) as app:
        app.ingest([{"id": "n", "text": "یادداشت", "source": "manual"}], tenant="a")
    outputs = [CliRunner().invoke(commands, ["reindex", "--config", str(file)]).stdout for _ in range(2)]
    assert outputs[0].startswith("made 1 chunks anew")
    assert outputs[1].startswith("nothing to do")
