from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import text

from rag_app import RagApp
from rag_app.errors import StorageError
from rag_app.storage import AskedMatch, Database, TextSearch, schema_version
from rag_app.storage.text_search import _parameters, _settings
from tests.conftest import INSTITUTE

HOSTILE = [
    "'",
    "''",
    "\\",
    "a' | 'b",
    "پست' | 'ارسال",
    "!پست",
    "پست & !ارسال",
    "پست:*",
    "(",
    "<->",
    "'); DROP TABLE rag_app.documents; --",
    "%s",
    "%(tenant)s",
    "{within}",
    "$$",
    ":words",
    "",
    " ",
    "😀",
    "x" * 3000,
]
MANY_DOCUMENTS = """
    INSERT INTO rag_app.documents
    SELECT 'large', doc_id || n, source, title, content_hash, metadata, now(), chunks, 1
    FROM rag_app.documents, generate_series(1, 12) AS n WHERE tenant = 't1'
"""
MANY_CHUNKS = """
    INSERT INTO rag_app.data_chunks
        (tenant, doc_id, source, node_id, text, metadata_, tokens, embedding, parent_id)
    SELECT 'large', doc_id || n, source, node_id || n, text, metadata_, tokens || ' رمز' || id || 'و' || n,
        embedding, parent_id || n
    FROM rag_app.data_chunks, generate_series(1, 12) AS n WHERE tenant = 't1'
"""
INDEX = text("SELECT indexrelid::regclass::text FROM pg_index WHERE indrelid = 'rag_app.data_chunks'::regclass")


def words(*matches: str) -> list[AskedMatch]:
    return [AskedMatch(place, 1.0, 1.0, match) for place, match in enumerate(matches)]


@pytest.fixture(scope="module")
def filled(new_database: Callable[[], str]) -> Iterator[RagApp]:
    """An application that searches words in PostgreSQL, with the sample knowledge base as tenants `t1` and `t2`."""
    with RagApp.from_config(
        database={"url": new_database()}, retrieval={"sparse": "postgres_fts", "leg_timeout_s": 20}, deadline_s=30
    ) as app:
        for tenant in ("t1", "t2"):
            app.ingest(INSTITUTE / "documents", tenant=tenant)
        yield app


@pytest.fixture
def search(filled: RagApp) -> TextSearch:
    return TextSearch(filled.database)


async def test_the_plan_reads_the_index_under_row_level_security(filled: RagApp, search: TextSearch) -> None:
    with filled.database.maintenance() as connection:
        connection.execute(text("INSERT INTO rag_app.tenants VALUES ('large', 1, 1)"))
        connection.execute(text(MANY_DOCUMENTS))
        connection.execute(text(MANY_CHUNKS))
        connection.execute(text("VACUUM ANALYZE rag_app.data_chunks"))
        rare = connection.scalar(
            text("SELECT substring(tokens FROM 'رمز.*$') FROM rag_app.data_chunks WHERE tenant = 'large'")
        )
    asked = words(rare, "ناپیدا")
    parameters, settings = _parameters(asked, 10, None, None), _settings(f"'{rare}' | 'ناپیدا'")
    rows = await filled.database.afetch("large", f"EXPLAIN {search._query}", parameters, settings)
    plan = "\n".join(row[0] for row in rows)
    assert "Bitmap Index Scan on chunks_words" in plan
    assert "Index Cond: (to_tsvector('simple'::regconfig, tokens) @@" in plan
    assert "current_setting('rag_app.tenant'::text, true) = 'large'" in plan
    assert len(await search.afind("large", asked, limit=1000)) == 1


async def test_the_role_sees_its_tenants_chunks_that_match_alone_whatever_is_asked(filled: RagApp) -> None:
    every = "SELECT tenant, tokens FROM rag_app.data_chunks"
    for tenant in ("t1", "t2"):
        seen = await filled.database.afetch(tenant, every, {}, _settings("'ایلتس'"))
        assert seen
        assert all(row.tenant == tenant and "ایلتس" in row.tokens for row in seen)
    assert await filled.database.afetch("t3", every, {}, _settings("'ایلتس'")) == []
    assert await filled.database.afetch("t1", every, {}, {"role": "rag_app_words"}) == []
    for statement in ("DELETE FROM rag_app.data_chunks", "SELECT * FROM rag_app.documents"):
        with pytest.raises(Exception, match="permission denied"):
            await filled.database.afetch("t1", statement, {}, _settings("'ایلتس'"))


@pytest.mark.parametrize("word", HOSTILE)
async def test_a_word_is_a_value_whatever_it_holds(filled: RagApp, search: TextSearch, word: str) -> None:
    await search.afind("t1", words(word), limit=5)
    found = await search.afind("t1", words(word, "ایلتس"), limit=1000)
    rows = await filled.database.afetch("t1", "SELECT node_id FROM rag_app.data_chunks", {}, _settings("'ایلتس'"))
    assert set(found) >= {row.node_id for row in rows}
    assert await search.afind("t3", words(word, "ایلتس"), limit=5) == {}


async def test_what_tells_more_and_is_more_alike_and_comes_again_counts_more(
    filled: RagApp, search: TextSearch
) -> None:
    texts = {"rare": "نقاشی", "common": "کتاب", "alike": "نقاش", "both": "نقاشی کتاب", "again": "نقاشی نقاشی نقاشی"}
    filled.ingest([{"id": name, "text": text} for name, text in texts.items()], tenant="order")
    rows = await filled.database.afetch("order", "SELECT node_id, doc_id FROM rag_app.data_chunks", {})
    names = {row.node_id: row.doc_id for row in rows}
    asked = [
        AskedMatch(0, 3.0, 1.0, "نقاشی"),
        AskedMatch(0, 3.0, 0.5, "نقاش"),
        AskedMatch(0, 3.0, 0.5, "نیست"),
        AskedMatch(1, 1.0, 1.0, "کتاب"),
    ]
    found = {names[node_id]: score for node_id, score in (await search.afind("order", asked, limit=9)).items()}
    assert list(found) == ["again", "both", "rare", "alike", "common"]
    assert found["both"] == pytest.approx(found["rare"] + found["common"], rel=1e-4)
    assert found["alike"] == pytest.approx(found["rare"] / 2, rel=1e-4)
    assert list(await search.afind("order", asked, limit=2)) == list(await search.afind("order", asked, limit=9))[:2]


@pytest.mark.parametrize("number", ["4.5", "1,25", "1402/05/01", "021", "-88"])
async def test_a_number_is_found_as_it_was_stored(filled: RagApp, search: TextSearch, number: str) -> None:
    filled.ingest([{"id": "n", "text": f"کد {number} است"}], tenant="numbers")
    typed = filled.pipeline.retriever.legs["postgres_fts"]._analyzer.words(number)
    assert len(await search.afind("numbers", words(*typed), limit=5)) == 1


def test_the_application_searches_by_it_and_the_question_is_read_as_ever(filled: RagApp) -> None:
    result = filled.retrieve("shahrie ayelts", tenant="t1")
    ranks = [chunk.legs["postgres_fts"] for chunk in result.trace.chunks.values() if "postgres_fts" in chunk.legs]
    assert ranks
    assert not result.degraded
    assert "آیلتس" in result.context


def test_it_is_made_when_it_is_configured_once_by_many_at_once(new_database: Callable[[], str]) -> None:
    url = new_database()
    with RagApp.from_config(database={"url": url}) as app, app.database.transaction() as connection:
        assert "rag_app.chunks_words" not in connection.scalars(INDEX).all()
    databases = [Database(url) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda database: TextSearch(database).prepare(), databases))
    with databases[0].maintenance() as connection:
        assert connection.scalars(INDEX).all().count("rag_app.chunks_words") == 1
        connection.execute(
            text("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'rag_app.chunks_words'::regclass")
        )
        TextSearch(databases[1]).prepare()  # as after a build that was ended in the middle
        assert connection.scalar(
            text("SELECT indisvalid FROM pg_index WHERE indexrelid = 'rag_app.chunks_words'::regclass")
        )
    for database in databases:
        database.engine.dispose()


def test_a_user_who_does_not_own_the_tables_is_told_what_to_do(new_database: Callable[[], str]) -> None:
    owner = Database(new_database())
    schema_version.upgrade(owner)
    with owner.transaction() as connection:
        connection.execute(text("CREATE ROLE onlooker LOGIN"))
        connection.execute(text("GRANT USAGE ON SCHEMA rag_app TO onlooker"))
    onlooker = Database(owner.url.set(username="onlooker").render_as_string(hide_password=False))
    try:
        with pytest.raises(StorageError, match="open an application with it once as the owner"):
            TextSearch(onlooker).prepare()
        TextSearch(owner).prepare()
        with owner.transaction() as connection:
            connection.execute(text("GRANT rag_app_words TO onlooker"))
        TextSearch(onlooker).prepare()  # all is there
    finally:
        onlooker.engine.dispose()
        with owner.transaction() as connection:
            connection.execute(text("DROP OWNED BY onlooker"))
            connection.execute(text("DROP ROLE onlooker"))
        owner.engine.dispose()
