from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from llama_index.core.node_parser import NodeParser
from llama_index.core.schema import Document
from sqlalchemy import text

from rag_app import RagApp
from rag_app.embeddings import Embedding, HashingEmbedding
from rag_app.errors import IndexMismatchError, InvalidInputError
from rag_app.ingestion import IngestionPipeline
from rag_app.node_parsers import ParentChildNodeParser
from rag_app.persian import PersianAnalyzer
from rag_app.schema import IngestReport
from rag_app.storage import Database, DocumentWriter, TenantCatalog

LONG = "\n\n".join(f"بند {number} درباره ارسال سفارش به شهر شماره {number} است. " * 6 for number in range(1, 15))
NOTE = {"id": "m1", "title": "ارسال", "text": "ارسال سفارش تا سه روز کاری طول می‌کشد.", "source": "manual"}


@pytest.fixture
def database(app: RagApp) -> Iterator[Database]:
    """A pool of our own on the application's database, as another process would have."""
    opened = Database(app.database.url.render_as_string(hide_password=False))
    yield opened
    opened.engine.dispose()


class OtherAnalyzer(PersianAnalyzer):
    """An analyser of a later version."""

    @property
    def fingerprint(self) -> str:
        return "persian-other"


def pipeline(
    database: Database,
    *,
    analyzer: PersianAnalyzer | None = None,
    child_tokens: int = 128,
    parent_tokens: int = 512,
    embed_dim: int = 1024,
    batch_size: int = 32,
    max_file_mb: float = 20,
    parser: NodeParser | None = None,
    kind_parsers: Mapping[str, NodeParser] | None = None,
    embed_model: HashingEmbedding | None = None,
) -> IngestionPipeline:
    """Return what `factory.build` makes of the same settings, without parsers for kinds of documents."""
    used = analyzer or PersianAnalyzer()
    embed_model = embed_model or HashingEmbedding(embed_dim=embed_dim)
    return IngestionPipeline(
        writer=DocumentWriter(database),
        catalog=TenantCatalog(database),
        parser=parser or ParentChildNodeParser(child_tokens=child_tokens, parent_tokens=parent_tokens),
        kind_parsers=kind_parsers or {},
        embedding=Embedding(embed_model, embed_model.embed_dim, embed_model.fingerprint),
        analyzer=used,
        index_settings={"analyzer": used.fingerprint, "embedding": embed_model.fingerprint},
        batch_size=batch_size,
        max_file_mb=max_file_mb,
    )


def counts(report: IngestReport) -> tuple[int, int, int, int]:
    return report.added, report.updated, report.unchanged, len(report.skipped)


def records(number: int) -> list[dict[str, str]]:
    return [{"id": f"d{each}", "text": f"سند شماره {each}"} for each in range(number)]


def documents(app: RagApp, tenant: str) -> dict[str, tuple[str, str]]:
    """Return the source and title of every document by its id."""
    with app.database.transaction(tenant) as connection:
        rows = connection.execute(text("SELECT doc_id, source, title FROM rag_app.documents")).all()
    return {doc_id: (source, title) for doc_id, source, title in rows}


def chunk_texts(app: RagApp, tenant: str) -> list[str]:
    with app.database.transaction(tenant) as connection:
        return list(connection.scalars(text("SELECT text FROM rag_app.data_chunks ORDER BY text")))


def generation(app: RagApp, tenant: str) -> int:
    with app.database.transaction(tenant) as connection:
        return connection.scalar(text("SELECT generation FROM rag_app.tenants")) or 0


def test_the_report_counts_documents_by_what_became_of_them(app: RagApp, tenant: str) -> None:
    given = records(4)
    assert counts(app.ingest(given, tenant=tenant)) == (4, 0, 0, 0)
    given[1]["text"] += " تازه"
    mixed = [*given, {"id": "d9", "text": "نو"}, {"id": "bad", "text": " "}, {"text": "بی شناسه"}, 7]
    report = app.ingest(mixed, tenant=tenant)  # type: ignore[arg-type]
    assert counts(report) == (1, 1, 3, 3)
    assert report.chunks == 2
    assert [entry.origin for entry in report.skipped] == ["bad", "record", "int"]
    assert all(entry.reason for entry in report.skipped)
    assert report.seconds > 0


def test_the_report_counts_the_chunks_that_were_written(app: RagApp, tenant: str) -> None:
    report = app.ingest([{"id": "d", "text": LONG}], tenant=tenant)
    assert report.chunks == len(chunk_texts(app, tenant)) > 5


class FailingEmbedding(HashingEmbedding):
    """An embedding that gives no numbers for texts that name it."""

    def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        vectors = super()._get_text_embeddings(texts)
        return [
            [math.nan] * len(vector) if "خراب" in text else vector for text, vector in zip(texts, vectors, strict=True)
        ]


def test_a_document_that_can_not_be_stored_is_skipped_and_costs_the_others_of_its_batch_nothing(
    app: RagApp, database: Database, tenant: str
) -> None:
    given = records(6)
    app.ingest(given[:1], tenant=tenant)
    spoilt = [*given, {"id": "d1", "text": "دوباره"}, {"id": "bad", "text": "سند خراب محرمانه"}]
    spoilt[3] = {"id": "d3", "text": "سند خراب محرمانه"}
    report = pipeline(database, embed_model=FailingEmbedding()).run(spoilt, tenant=tenant, prune=True)
    assert counts(report) == (4, 0, 1, 3)
    assert report.deleted == 0
    refused = [(entry.origin, entry.reason) for entry in report.skipped if "id came before" not in entry.reason]
    reason = "the document can not be stored: PostgreSQL refuses it: DataException"
    assert sorted(refused) == [("bad", reason), ("d3", reason)]
    assert sorted(documents(app, tenant)) == ["d0", "d1", "d2", "d4", "d5"]
    assert report.chunks == 4


def test_a_document_that_can_no_longer_be_stored_stays_as_it_was(app: RagApp, database: Database, tenant: str) -> None:
    app.ingest([NOTE], tenant=tenant)
    failing = pipeline(database, embed_model=FailingEmbedding())
    assert counts(failing.run([{**NOTE, "text": "متن خراب"}], tenant=tenant)) == (0, 0, 0, 1)
    assert chunk_texts(app, tenant) == [NOTE["text"]]


def test_nothing_to_ingest_is_an_empty_report(app: RagApp, tenant: str) -> None:
    report = app.ingest([], tenant=tenant)
    assert (*counts(report), report.chunks) == (0, 0, 0, 0, 0)
    assert generation(app, tenant) == 0


def test_bad_files_are_reported_and_never_stop_the_rest(app: RagApp, tenant: str, tmp_path: Path) -> None:
    bad = {
        "b-binary.txt": "سلام".encode() + b"\0\1\2",
        "c-windows.txt": "سلام".encode("cp1256"),
        "d-large.txt": b"x" * 20_000_001,
        "e-empty.md": b"",
        "f-columns.csv": b"a,b\n1,2\n",
        "g-unknown.pdf": b"%PDF",
        "h-broken.jsonl": b'{"id": \n',
        "i-no-object.jsonl": b"[1]\n",
    }
    for name, content in bad.items():
        (tmp_path / name).write_bytes(content)
    for name in ("a-first.txt", "z-last.txt"):
        (tmp_path / name).write_text(f"متن {name}", "utf-8")
    report = app.ingest([tmp_path, str(tmp_path / "missing.txt"), NOTE], tenant=tenant)
    assert counts(report) == (3, 0, 0, len(bad) + 1)
    assert sorted(documents(app, tenant)) == ["a-first.txt", "m1", "z-last.txt"]
    reasons = {Path(entry.origin).name.partition(":")[0]: entry.reason for entry in report.skipped}
    assert sorted(reasons) == [*sorted(bad), "missing.txt"]
    assert "binary" in reasons["b-binary.txt"]
    assert "not UTF-8" in reasons["c-windows.txt"]
    assert "20.0 MB; the limit is 20" in reasons["d-large.txt"]


def test_a_bad_line_of_a_file_does_not_stop_the_others(app: RagApp, tenant: str, tmp_path: Path) -> None:
    lines = ['{"id": "a", "text": "یک"}', "{broken", '{"id": "b"}', '{"id": "c", "text": "سه"}']
    (tmp_path / "lines.jsonl").write_text("\n".join(lines), "utf-8")
    report = app.ingest(tmp_path / "lines.jsonl", tenant=tenant)
    assert counts(report) == (2, 0, 0, 2)
    assert sorted(documents(app, tenant)) == ["a", "c"]
    assert [entry.origin.rpartition(":")[2] for entry in report.skipped] == ["2", "3"]


def test_a_size_limit_of_ones_own_holds(database: Database, tenant: str, tmp_path: Path) -> None:
    (tmp_path / "small.txt").write_text("کوچک", "utf-8")
    (tmp_path / "large.txt").write_text("بزرگ " * 400, "utf-8")
    report = pipeline(database, max_file_mb=0.001).run([tmp_path], tenant=tenant)
    assert counts(report) == (1, 0, 0, 1)
    assert "the limit is 0.001" in report.skipped[0].reason


@pytest.mark.parametrize("batch_size", [1, 2, 32])
def test_of_several_documents_with_one_id_the_first_is_stored_and_the_others_are_reported(
    app: RagApp, database: Database, tenant: str, batch_size: int
) -> None:
    given = [
        {"id": "same", "text": "نخست", "title": "1"},
        {"id": "other", "text": "دیگر", "title": "2"},
        {"id": "same", "text": "میانی " * 400, "title": "3"},
        {"id": "same", "text": "آخر", "title": "4", "source": "faq"},
    ]
    ingestion = pipeline(database, batch_size=batch_size)
    report = ingestion.run(given, tenant=tenant)
    assert (counts(report), report.chunks) == ((2, 0, 0, 2), 2)
    assert [(entry.origin, "came before it" in entry.reason) for entry in report.skipped] == [("same", True)] * 2
    assert documents(app, tenant) == {"same": ("documents", "1"), "other": ("documents", "2")}
    assert chunk_texts(app, tenant) == sorted(["نخست", "دیگر"])
    assert counts(ingestion.run(given, tenant=tenant)) == (0, 0, 2, 2)


def test_the_same_file_given_twice_is_stored_once(app: RagApp, tenant: str, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("متن", "utf-8")
    report = app.ingest([tmp_path, tmp_path / "a.txt"], tenant=tenant)
    assert counts(report) == (1, 0, 0, 1)
    assert chunk_texts(app, tenant) == ["متن"]


@pytest.mark.parametrize("batch_size", [1, 3, 32])
def test_progress_is_called_once_for_each_document_also_when_it_is_unchanged(
    database: Database, tenant: str, batch_size: int
) -> None:
    given: list[Any] = [*records(7), {"id": "bad", "text": ""}]
    done: list[tuple[int, str]] = []
    for _ in range(2):
        done.clear()
        pipeline(database, batch_size=batch_size).run(given, tenant=tenant, progress=lambda *step: done.append(step))
        assert done == [(number + 1, f"d{number}") for number in range(7)]


def test_other_chunk_sizes_cut_stored_documents_anew(app: RagApp, database: Database, tenant: str) -> None:
    given = [{"id": "d", "text": LONG}]
    coarse = pipeline(database).run(given, tenant=tenant)
    fine = pipeline(database, child_tokens=32, parent_tokens=128).run(given, tenant=tenant)
    assert (counts(coarse), counts(fine)) == ((1, 0, 0, 0), (0, 1, 0, 0))
    assert fine.chunks == len(chunk_texts(app, tenant)) > coarse.chunks
    assert counts(pipeline(database, child_tokens=32, parent_tokens=128).run(given, tenant=tenant)) == (0, 0, 1, 0)


class LaterParser(ParentChildNodeParser):
    """A parser of a later version."""

    rules: Any = "later"


def test_rules_of_a_later_version_cut_stored_documents_anew(database: Database, tenant: str) -> None:
    assert counts(pipeline(database).run([NOTE], tenant=tenant)) == (1, 0, 0, 0)
    assert counts(pipeline(database, parser=LaterParser()).run([NOTE], tenant=tenant)) == (0, 1, 0, 0)
    assert counts(pipeline(database, parser=LaterParser()).run([NOTE], tenant=tenant)) == (0, 0, 1, 0)


def test_a_document_is_cut_by_the_parser_of_its_kind_and_only_it_is_cut_anew_with_that(
    app: RagApp, database: Database, tenant: str
) -> None:
    given: list[Any] = [{"id": "d", "text": LONG}, {"id": "own", "text": LONG, "kind": "own"}]
    given += [{"id": f"odd{place}", "text": "متن", "kind": kind} for place, kind in enumerate(([], {}, 7, None, "odd"))]
    coarse = ParentChildNodeParser(child_tokens=400)
    chunks = pipeline(database).run(given[:1], tenant=tenant).chunks
    report = pipeline(database, kind_parsers={"own": coarse}).run(given, tenant=tenant)
    assert counts(report) == (6, 0, 1, 0)
    assert 1 < report.chunks - 5 < chunks
    assert counts(pipeline(database).run(given, tenant=tenant)) == (0, 1, 6, 0)


def test_the_fields_of_a_product_are_found_and_shown(app: RagApp, tenant: str) -> None:
    products = [
        {"id": f"p{number}", "title": "کتاب", "text": "کتاب اصلی دوره.", "sku": f"DE-{number}77", "kind": "product"}
        for number in range(1, 9)
    ]
    app.ingest([{**product, "metadata": {"price": 450_000}} for product in products], tenant=tenant)
    first = app.retrieve("قیمت DE-577 چنده؟", tenant=tenant).nodes[0].node
    assert first.metadata["doc_id"] == "p5"
    context = app.retrieve("DE-577", tenant=tenant).context
    assert "\nprice: 450,000\nsku: DE-577\nکتاب اصلی دوره.\n" in context


def test_the_rows_of_a_csv_of_products_are_found_and_shown(app: RagApp, tenant: str, tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text("نام,کد,قیمت\nکتاب آبی,B-1,450000\nکتاب سبز,B-2,380000\n", "utf-8")
    assert counts(app.ingest(tmp_path, tenant=tenant)) == (2, 0, 0, 0)
    found = app.retrieve("کد B-2", tenant=tenant)
    assert found.nodes[0].node.metadata["doc_id"] == "p.csv#B-2"
    assert "کد: B-2\nقیمت: 380,000\nکتاب سبز" in found.context


def test_a_piece_of_a_long_table_is_found_by_its_header_and_shown_with_it(app: RagApp, tenant: str) -> None:
    rows = "".join(f"| شهر شماره {number} | {number}۵٬۰۰۰ تومان |\n" for number in range(10, 90))
    table = f"# باربری\n\n## تعرفه\n\n| مقصد | کرایه |\n|---|---|\n{rows}"
    app.ingest([{"id": "m", "title": "باربری", "text": table}], tenant=tenant)
    result = app.retrieve("کرایه شهر شماره 77", tenant=tenant, primary_budget=150, secondary_budget=0)
    assert "| شهر شماره 77 |" in result.context
    shown = result.context.splitlines()
    assert shown[1:3] == ["## تعرفه", "| مقصد | کرایه |"]
    assert result.tokens <= 150
    with app.database.transaction(tenant) as connection:
        tokens = list(connection.scalars(text("SELECT tokens FROM rag_app.data_chunks")))
    assert len(tokens) > 8
    assert all("کرایه" in words.split() for words in tokens)


def test_an_embedding_of_another_length_is_refused_and_changes_nothing(
    app: RagApp, database: Database, tenant: str
) -> None:
    app.ingest([NOTE], tenant=tenant)
    with pytest.raises(IndexMismatchError, match=r"built with embedding .*1024.* now asks for .*512"):
        pipeline(database, embed_dim=512).run([{**NOTE, "text": "تازه"}], tenant=tenant)
    assert chunk_texts(app, tenant) == [NOTE["text"]]


def test_another_analyser_is_refused_and_changes_nothing(app: RagApp, database: Database, tenant: str) -> None:
    app.ingest([NOTE], tenant=tenant)
    with pytest.raises(IndexMismatchError, match=r"built with analyzer .* now asks for 'persian-other'"):
        pipeline(database, analyzer=OtherAnalyzer()).run([{**NOTE, "text": "تازه"}], tenant=tenant)
    assert chunk_texts(app, tenant) == [NOTE["text"]]


def test_of_two_applications_on_an_empty_database_the_first_to_ingest_sets_the_embedding(
    new_database: Callable[[], str],
) -> None:
    options: dict[str, Any] = {"database": {"url": new_database()}, "deadline_s": 30}
    with (
        RagApp.from_config(**options, embedding={"dim": 1024}) as first,
        RagApp.from_config(**options, embedding={"dim": 256}) as second,
    ):
        assert first.ingest([NOTE], tenant="t1").added == 1
        with pytest.raises(IndexMismatchError, match="run rag-app reindex"):
            second.ingest([NOTE], tenant="t2")


class Interrupted(Exception):  # noqa: N818 - as a KeyboardInterrupt is named
    """What stops an ingestion half-way."""


@pytest.mark.parametrize(("batch_size", "after"), [(1, 1), (4, 1), (4, 4), (4, 6), (32, 9)])
def test_an_interrupted_ingestion_keeps_what_was_done_and_completes_when_run_again(
    app: RagApp, database: Database, tenant: str, batch_size: int, after: int
) -> None:
    def interrupt(done: int, doc_id: str) -> None:
        if done == after:
            raise Interrupted

    ingestion = pipeline(database, batch_size=batch_size)
    with pytest.raises(Interrupted):
        ingestion.run(records(10), tenant=tenant, progress=interrupt)
    batches = math.ceil(after / batch_size)
    done = min(10, batches * batch_size)
    assert sorted(documents(app, tenant)) == [f"d{number}" for number in range(done)]
    assert (len(chunk_texts(app, tenant)), generation(app, tenant)) == (done, batches)
    assert counts(ingestion.run(records(10), tenant=tenant)) == (10 - done, 0, done, 0)
    assert len(documents(app, tenant)) == 10


def test_an_input_that_fails_half_way_keeps_the_batches_before(app: RagApp, database: Database, tenant: str) -> None:
    def failing() -> Iterator[dict[str, str]]:
        yield from records(5)
        raise Interrupted

    with pytest.raises(Interrupted):
        pipeline(database, batch_size=2).run(failing(), tenant=tenant)
    assert sorted(documents(app, tenant)) == ["d0", "d1", "d2", "d3"]


def test_a_generator_is_read_batch_by_batch(database: Database, tenant: str) -> None:
    read: list[str] = []
    read_when_done: list[int] = []

    def generator() -> Iterator[dict[str, str]]:
        for record in records(6):
            read.append(record["id"])
            yield record

    report = pipeline(database, batch_size=2).run(
        generator(), tenant=tenant, progress=lambda done, doc_id: read_when_done.append(len(read))
    )
    assert counts(report) == (6, 0, 0, 0)
    assert read_when_done == [2, 2, 4, 4, 6, 6]


@pytest.mark.parametrize("as_given", [str, Path])
def test_one_path_is_enough(app: RagApp, tenant: str, tmp_path: Path, as_given: Callable[[Path], str | Path]) -> None:
    (tmp_path / "help").mkdir()
    (tmp_path / "help" / "shipping.md").write_text("# ارسال\n\nارسال رایگان است.", "utf-8")
    assert counts(app.ingest(as_given(tmp_path / "help" / "shipping.md"), tenant=tenant)) == (1, 0, 0, 0)
    assert documents(app, tenant) == {"shipping.md": ("help", "ارسال")}


def test_a_folder_is_read_whole_with_folders_as_sources(app: RagApp, tenant: str, tmp_path: Path) -> None:
    for name in ("manual/a.txt", "manual/deep/b.md", "faq/c.txt", ".hidden.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(f"متن {name}", "utf-8")
    assert counts(app.ingest(tmp_path, tenant=tenant)) == (3, 0, 0, 0)
    assert {doc_id: source for doc_id, (source, _) in documents(app, tenant).items()} == {
        "manual/a.txt": "manual",
        "manual/deep/b.md": "deep",
        "faq/c.txt": "faq",
    }


def test_a_source_given_with_the_call_is_that_of_documents_that_name_none(app: RagApp, tenant: str) -> None:
    app.ingest([{"id": "a", "text": "یک"}, {"id": "b", "text": "دو", "source": "own"}], tenant=tenant, source="given")
    assert {doc_id: source for doc_id, (source, _) in documents(app, tenant).items()} == {"a": "given", "b": "own"}


def test_llama_index_documents_are_ingested_and_left_as_they_were(app: RagApp, tenant: str) -> None:
    document = Document(id_="doc", text="متن سند", metadata={"title": "عنوان", "page": 3})
    before = document.model_copy(deep=True)
    assert app.ingest([document], tenant=tenant).added == 1
    assert document == before
    (found,) = app.retrieve("سند", tenant=tenant).nodes
    assert {name: found.node.metadata[name] for name in ("doc_id", "title", "page")} == {
        "doc_id": "doc",
        "title": "عنوان",
        "page": 3,
    }


@pytest.mark.parametrize(
    "change",
    [{"title": "عنوان تازه"}, {"source": "faq"}, {"metadata": {"page": 2}}, {"text": "متن تازه"}, {"extra": "x"}],
)
def test_a_document_is_updated_when_anything_about_it_changes(
    app: RagApp, tenant: str, change: dict[str, object]
) -> None:
    app.ingest([NOTE], tenant=tenant)
    changed = {**NOTE, **change}
    assert counts(app.ingest([changed], tenant=tenant)) == (0, 1, 0, 0)
    assert documents(app, tenant) == {"m1": (changed["source"], changed["title"])}
    assert chunk_texts(app, tenant) == [changed["text"]]
    assert counts(app.ingest([changed], tenant=tenant)) == (0, 0, 1, 0)


def test_the_new_title_and_source_are_what_retrieval_finds(app: RagApp, tenant: str) -> None:
    app.ingest([NOTE], tenant=tenant)
    app.ingest([{**NOTE, "title": "باربری", "source": "faq"}], tenant=tenant)
    result = app.retrieve("باربری", tenant=tenant, primary_source="faq")
    assert [node.node.metadata["title"] for node in result.nodes] == ["باربری"]
    assert app.retrieve("باربری", tenant=tenant, primary_source="manual").nodes == ()


def test_the_same_document_belongs_to_each_tenant_separately(app: RagApp, tenant: str) -> None:
    other = f"{tenant[:-1]}~"
    assert app.ingest([NOTE], tenant=tenant).added == 1
    assert app.ingest([NOTE], tenant=other).added == 1
    assert app.delete("m1", tenant=tenant)
    assert (documents(app, tenant), list(documents(app, other))) == ({}, ["m1"])


BAD_NAMES = ["", "   ", "a\0b", "a\nb", "x" * 201, "\ud800", 7, None, ["t1"]]


@pytest.mark.parametrize("bad", BAD_NAMES)
def test_a_name_that_is_no_tenant_is_refused_before_anything_is_read(app: RagApp, bad: Any) -> None:
    def unread() -> Iterator[dict[str, str]]:
        pytest.fail("something was read")
        yield {}

    with pytest.raises(InvalidInputError, match="tenant"):
        app.ingest(unread(), tenant=bad)
    with pytest.raises(InvalidInputError, match="tenant"):
        app.retrieve("ارسال", tenant=bad)
    with pytest.raises(InvalidInputError, match="tenant"):
        app.delete("m1", tenant=bad)


@pytest.mark.parametrize("bad", [name for name in BAD_NAMES if name is not None])
def test_a_source_that_can_not_be_used_is_refused(app: RagApp, tenant: str, bad: Any) -> None:
    with pytest.raises(InvalidInputError, match="source"):
        app.ingest([NOTE], tenant=tenant, source=bad)
    assert documents(app, tenant) == {}


def test_a_name_of_the_longest_allowed_length_is_a_tenant(app: RagApp) -> None:
    longest = "پ" * 200
    assert app.ingest([NOTE], tenant=longest).added == 1
    assert app.delete("m1", tenant=longest)


async def test_aingest_does_the_same_beside_a_running_loop(app: RagApp, tenant: str) -> None:
    assert counts(await app.aingest([NOTE], tenant=tenant)) == (1, 0, 0, 0)
    assert counts(await app.aingest([NOTE], tenant=tenant)) == (0, 0, 1, 0)
