"""PostgreSQL's full text search over the stored tokens, under row-level security and by an index all the same.

Row-level security keeps a query's own `@@` from using an index: the operator is not marked leakproof, so it may see no
row before the policies let it pass, and each of a tenant's chunks would be read. A condition of a policy may use one.
So there is a role whose policies are the tenants' and one more: it sees the chunks that match the words in the setting
`rag_app.words`, and these alone.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, LiteralString, NamedTuple

import psycopg
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from rag_app.errors import StorageError
from rag_app.logs import get_logger
from rag_app.storage.database import BUILDING, Database
from rag_app.storage.vector_store import WITHIN

logger = get_logger(__name__)

ROLE = "rag_app_words"
_MEMORY = "64MB"  # a few kilobytes for each chunk that matches
_STATE = text("""
    SELECT (SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('rag_app.chunks_words')) AS is_built,
        EXISTS (
            SELECT FROM pg_policy JOIN pg_roles AS role ON role.oid = ANY (polroles)
            WHERE polname = 'matching_words' AND polrelid = to_regclass('rag_app.data_chunks') AND pg_has_role(
                role.oid, CASE WHEN current_setting('server_version_num')::int >= 160000 THEN 'SET' ELSE 'MEMBER' END)
        ) AS has_policy
""")
_BUILD = text("""
    CREATE INDEX CONCURRENTLY chunks_words ON rag_app.data_chunks USING gin (to_tsvector('simple', tokens))
""")
# As for the tenants' role: another database of the server may have made it, and whoever may use it need not make it.
_POLICY = text("""
    DO $$ BEGIN
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'rag_app_words') THEN
            CREATE ROLE rag_app_words NOLOGIN;
        END IF;
    EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
    END $$;
    DO $$ BEGIN
        IF NOT pg_has_role('rag_app_words', CASE WHEN current_setting('server_version_num')::int >= 160000
                           THEN 'SET' ELSE 'MEMBER' END) THEN
            GRANT rag_app_words TO CURRENT_USER;
        END IF;
    END $$;
    GRANT USAGE ON SCHEMA rag_app TO rag_app_words;
    GRANT SELECT ON rag_app.data_chunks TO rag_app_words;
    DROP POLICY IF EXISTS matching_words ON rag_app.data_chunks;
    CREATE POLICY matching_words ON rag_app.data_chunks AS RESTRICTIVE FOR SELECT TO rag_app_words
        USING (to_tsvector('simple', tokens) @@ CAST(current_setting('rag_app.words', true) AS tsquery));
""")
# PostgreSQL itself makes queries of words, whatever they hold; one that its parser splits is a phrase.
_WORDS: LiteralString = """
    SELECT string_agg('(' || lexemes::text || ')', ' | ') AS words
    FROM unnest(%(matches)s::text[]) AS match, phraseto_tsquery('simple', match) AS lexemes WHERE numnode(lexemes) > 0
"""
# With weights of 1, `ts_rank` is a sum over the words of a query that nears 1 for one that is repeated, divided by
# their number. Of what a word of the question may stand for the best counts. Chunks go by their number until the end:
# beside a vector even a short text lies outside of the row.
_FOUND: LiteralString = """
    WITH asked AS MATERIALIZED (
        SELECT word, weight, similarity, count(*) AS size,
            CAST(string_agg('(' || lexemes::text || ')', ' | ') AS tsquery) AS query
        FROM unnest(%(words)s::int[], %(weights)s::float8[], %(similarities)s::float8[], %(matches)s::text[])
                AS given (word, weight, similarity, match),
            phraseto_tsquery('simple', match) AS lexemes
        WHERE numnode(lexemes) > 0 GROUP BY word, weight, similarity
    ),
    found AS MATERIALIZED (
        SELECT id, to_tsvector('simple', tokens) AS held FROM rag_app.data_chunks WHERE {within}
    ),
    ranked AS MATERIALIZED (
        SELECT id, word, weight, similarity * least(1, size * ts_rank('{{1,1,1,1}}', held, query)) AS score
        FROM found JOIN asked ON held @@ query
    ),
    best AS MATERIALIZED (
        SELECT id, sum(weight * score) AS score
        FROM (SELECT id, weight, max(score) AS score FROM ranked GROUP BY id, word, weight) AS of_word
        GROUP BY id ORDER BY score DESC, id LIMIT %(limit)s
    )
    SELECT node_id, score FROM best JOIN rag_app.data_chunks USING (id) WHERE tenant = %(tenant)s
    ORDER BY score DESC, id
"""


class AskedMatch(NamedTuple):
    """A word that a chunk may hold for a word of the question.

    Attributes:
        word: the number of that word of the question.
        weight: how much that word tells.
        similarity: how similar the two are, above 0 to 1.
        match: the word of the chunks.
    """

    word: int
    weight: float
    similarity: float
    match: str


class TextSearch:
    """Finds chunks by words in PostgreSQL; `prepare` makes what that needs.

    Args:
        database: where the tokens are.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._query: LiteralString = _FOUND.format(within=WITHIN)

    def prepare(self) -> None:
        """Make the index, beside readers and writers, and the role and policy that use it, unless they are there.

        Raises:
            DatabaseUnavailableError: the database does not answer.
            StorageError: the user does not own the tables, or may not make a role.
        """
        with self._database.transaction() as connection:
            if _is_ready(connection):
                return
        with self._database.turn(BUILDING) as connection:
            try:
                self._make(connection)
            except DBAPIError as error:
                if not isinstance(error.orig, psycopg.errors.InsufficientPrivilege):
                    raise
                raise StorageError(
                    f"sparse kind 'postgres_fts' needs an index of the tables' owner and the role {ROLE}; open an "
                    f"application with it once as the owner, who may make roles: {str(error.orig).splitlines()[0]}"
                ) from error

    @staticmethod
    def _make(connection: Connection) -> None:
        is_built = connection.execute(_STATE).one().is_built
        if is_built is False:  # a build that was ended in the middle
            connection.execute(text("DROP INDEX CONCURRENTLY IF EXISTS rag_app.chunks_words"))
        if not is_built:
            connection.execute(text("SELECT set_config('statement_timeout', '0', false)"))
            connection.execute(_BUILD)
            logger.info("the index of words was built")
        if not _is_ready(connection):
            connection.execute(_POLICY)

    async def afind(
        self,
        tenant: str,
        asked: Sequence[AskedMatch],
        *,
        limit: int,
        sources: Collection[str] | None = None,
        doc_ids: Collection[str] | None = None,
    ) -> dict[str, float]:
        """Return the scores, above 0, of the best chunks by id, best first.

        Raises:
            DatabaseUnavailableError: the database does not answer.
        """
        matches = [each.match for each in asked]
        (row,) = await self._database.afetch(tenant, _WORDS, {"matches": matches})
        if row.words is None:
            return {}
        rows = await self._database.afetch(
            tenant, self._query, _parameters(asked, limit, sources, doc_ids), _settings(row.words)
        )
        return {row.node_id: row.score for row in rows}


def _settings(words: str) -> dict[str, str]:
    """Return PostgreSQL's settings for a query that sees the chunks with these words alone."""
    return {"role": ROLE, "rag_app.words": words, "work_mem": _MEMORY}


def _parameters(
    asked: Sequence[AskedMatch], limit: int, sources: Collection[str] | None, doc_ids: Collection[str] | None
) -> Mapping[str, Any]:
    return {
        "words": [each.word for each in asked],
        "weights": [each.weight for each in asked],
        "similarities": [each.similarity for each in asked],
        "matches": [each.match for each in asked],
        "limit": limit,
        "sources": None if sources is None else list(sources),
        "doc_ids": None if doc_ids is None else list(doc_ids),
    }


def _is_ready(connection: Connection) -> bool:
    state = connection.execute(_STATE).one()
    return bool(state.is_built and state.has_policy)
