"""Whether the database answers, is new enough, and holds the documents of a tenant."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from sqlalchemy.exc import DBAPIError

from rag_app.config import Settings
from rag_app.doctor.findings import Check
from rag_app.errors import RagAppError, unknown_name
from rag_app.factory import open_database
from rag_app.schema import TenantSnapshot
from rag_app.storage import Database, TenantCatalog, schema_version
from rag_app.storage.server_version import NEEDED, ServerVersions, read_versions


def database_checks(settings: Settings, tenant: str | None, source: str | None) -> Iterator[Check]:
    """Look at the server, its versions, the schema, and the documents of `tenant` if one is named."""
    try:
        database = open_database(settings)
    except RagAppError as error:
        yield Check("database", "problem", str(error))
        return
    try:
        with database.transaction() as connection:
            versions = read_versions(connection)
        found = schema_version.current(database)
        yield Check("database", "ok", _place(settings, database))
        yield _versions(versions)
        yield _schema(found, auto_upgrade=settings.database.auto_upgrade)
        if tenant is not None:
            yield _documents(_snapshot(database, tenant, found), source)
    except (RagAppError, DBAPIError) as error:
        cause = str(error.orig) if isinstance(error, DBAPIError) else str(error)
        yield Check("database", "problem", cause.strip().partition("\n")[0])
    finally:
        database.engine.dispose()


def _place(settings: Settings, database: Database) -> str:
    if settings.database.url is None:
        return f"the embedded PostgreSQL in {settings.data_dir} answers"
    url = database.url.difference_update_query(["password", "sslpassword"])
    return f"PostgreSQL at {url.render_as_string(hide_password=True)} answers"


def _versions(found: ServerVersions) -> Check:
    finding = f"PostgreSQL {found.postgres}, pgvector {found.installed or found.available or 'missing'}"
    if (lack := found.lack) is not None:
        return Check("versions", "problem", f"{finding}; {NEEDED}", lack.answer)
    if found.installed is None:
        finding += " is there, and `rag-app db upgrade` enables it"
    return Check("versions", "ok", finding)


def _schema(found: str | None, *, auto_upgrade: bool) -> Check:
    latest = schema_version.LATEST
    if found == latest:
        return Check("schema", "ok", f"at {latest}, the latest")
    finding = f"at {found}, this package needs {latest}" if found else f"there is none, this package needs {latest}"
    if found is not None and found > latest:
        return Check("schema", "problem", finding, "install a newer rag-app")
    if auto_upgrade:
        return Check("schema", "ok", f"{finding}; opening the application brings it there")
    return Check("schema", "problem", finding, "run: rag-app db upgrade")


def _snapshot(database: Database, tenant: str, version: str | None) -> TenantSnapshot:
    async def read() -> TenantSnapshot:
        try:
            return await TenantCatalog(database).asnapshot(tenant)
        finally:
            await database.aclose()

    return asyncio.run(read()) if version is not None else TenantSnapshot(tenant, 0, {}, {})


def _documents(stored: TenantSnapshot, source: str | None) -> Check:
    tenant, documents = stored.tenant, stored.documents
    if not documents:
        why = "nothing was ever ingested for it" if stored.generation == 0 else "all were deleted"
        answer = f"run: rag-app ingest FOLDER --tenant {tenant}; or look at the tenant's name, which must be the same"
        return Check("documents", "problem", f"tenant {tenant!r} has no documents: {why}", answer)
    if source is not None and source not in documents:
        answer = "ask for one of these, or for none to search all"
        return Check("documents", "problem", unknown_name("source", source, documents), answer)
    told = ", ".join(f"{count} of {name}" for name, count in documents.items())
    return Check("documents", "ok", f"tenant {tenant!r} has {sum(documents.values())} documents: {told}")
