"""What a tenant has: its generation and its documents by source; and what the stored index was built with."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping

from sqlalchemy import text

from rag_app.errors import IndexMismatchError
from rag_app.schema import TenantSnapshot
from rag_app.storage.database import Database

_GENERATION = text("SELECT generation FROM rag_app.tenants WHERE tenant = :tenant")
_SOURCES = text("SELECT source, count(*) FROM rag_app.documents WHERE tenant = :tenant GROUP BY source ORDER BY source")
_SETTINGS = text("SELECT name, value FROM rag_app.index_settings")
_CLAIM = text("INSERT INTO rag_app.index_settings VALUES (:name, :value) ON CONFLICT DO NOTHING")


class TenantCatalog:
    """Answers at the start of each request what there is to search; counts again only after a write.

    Args:
        database: where the tenants are.
        max_tenants: how many tenants' counts are remembered.
    """

    def __init__(self, database: Database, *, max_tenants: int = 10_000) -> None:
        self._database = database
        self._max_tenants = max_tenants
        self._snapshots: OrderedDict[str, TenantSnapshot] = OrderedDict()

    async def asnapshot(self, tenant: str) -> TenantSnapshot:
        """Return what `tenant` has stored now.

        Raises:
            DatabaseUnavailableError: the database does not answer.
        """
        async with self._database.atransaction(tenant) as connection:
            generation = await connection.scalar(_GENERATION, {"tenant": tenant}) or 0
            known = self._snapshots.get(tenant)
            if known is None or known.generation != generation:
                rows = await connection.execute(_SOURCES, {"tenant": tenant})
                known = TenantSnapshot(tenant, generation, {source: count for source, count in rows})
        self._snapshots[tenant] = known
        self._snapshots.move_to_end(tenant)
        if len(self._snapshots) > self._max_tenants:
            self._snapshots.popitem(last=False)
        return known

    def verify_index(self, expected: Mapping[str, str], *, claim: bool = False) -> None:
        """Check that the stored index was built with these settings; `claim` records them if none are.

        Raises:
            IndexMismatchError: it was built with others, and mixing the two would lose what is stored.
        """
        with self._database.transaction() as connection:
            if claim:
                connection.execute(_CLAIM, [{"name": name, "value": value} for name, value in expected.items()])
            stored = {name: value for name, value in connection.execute(_SETTINGS)}
            for name, value in expected.items():
                if stored.get(name, value) != value:
                    raise IndexMismatchError(
                        f"the stored index was built with {name} {stored[name]!r}, the configuration now asks for "
                        f"{value!r}: set it back, or ingest into an empty database"
                    )
