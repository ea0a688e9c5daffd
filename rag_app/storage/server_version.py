"""Which PostgreSQL and which pgvector the storage needs, and what to do where a server has less."""

from __future__ import annotations

import re
from typing import NamedTuple

from sqlalchemy import Connection, text
from sqlalchemy.exc import DataError, ProgrammingError

from rag_app.errors import ServerVersionError

NEEDED = "rag_app needs PostgreSQL 15 or newer with pgvector 0.8 or newer"
_POSTGRES = 15
_PGVECTOR = (0, 8)
_UPDATE = text("ALTER EXTENSION vector UPDATE")
_FOUND = text("""
    SELECT CAST(current_setting('server_version_num') AS integer),
        (SELECT extversion FROM pg_extension WHERE extname = 'vector'),
        (SELECT default_version FROM pg_available_extensions WHERE name = 'vector')
""")


class Lack(NamedTuple):
    """What keeps a server from being used.

    Attributes:
        finding: what was found.
        answer: what to do about it.
        updatable: whether `ALTER EXTENSION vector UPDATE` is all that is to be done.
    """

    finding: str
    answer: str
    updatable: bool = False

    def __str__(self) -> str:
        return f"{self.finding}; {NEEDED}: {self.answer}"


class ServerVersions(NamedTuple):
    """What a server has.

    Attributes:
        server: its version as `server_version_num` gives it, such as 150018 for 15.18.
        installed: the pgvector that is in the database, if any.
        available: the pgvector that the server would install, if any.
    """

    server: int
    installed: str | None
    available: str | None

    @property
    def postgres(self) -> str:
        """The version of PostgreSQL as it is written."""
        major, rest = divmod(self.server, 10_000)
        return f"{major}.{rest}" if major >= 10 else f"{major}.{rest // 100}.{rest % 100}"

    @property
    def lack(self) -> Lack | None:
        """What is missing, the server's own version first; None where the schema can be made and used."""
        major = self.server // 10_000
        if major < _POSTGRES:
            answer = "upgrade the server, or name another one in DATABASE_URL"
            return Lack(f"the server is PostgreSQL {self.postgres}", answer)
        package = f"postgresql-{major}-pgvector on Debian and Ubuntu, pgvector_{major} on Red Hat"
        if self.installed is None and self.available is None:
            return Lack("the server has no pgvector", f"install its package on the server ({package})")
        if _suffices(self.installed or self.available):
            return None
        if self.installed is None:
            return Lack(f"the server has pgvector {self.available}", f"install a newer package on it ({package})")
        finding = f"the database has pgvector {self.installed}"
        if _suffices(self.available):
            answer = f"run: ALTER EXTENSION vector UPDATE, as its owner; the server has {self.available}"
            return Lack(finding, answer, updatable=True)
        answer = f"install a newer package on the server ({package}), then run: ALTER EXTENSION vector UPDATE"
        return Lack(finding, answer)


def read_versions(connection: Connection) -> ServerVersions:
    """Ask a server, in one round trip, for its version and that of its pgvector."""
    return ServerVersions(*connection.execute(_FOUND).one())


def require_versions(connection: Connection, *, update: bool = False) -> None:
    """Check that the server can hold the schema; `update` brings an old pgvector to the one that the server has.

    Raises:
        ServerVersionError: PostgreSQL or pgvector is older than needed, or the server has no pgvector.
    """
    lack = read_versions(connection).lack
    if lack is None:
        return
    if not (update and lack.updatable):
        raise ServerVersionError(str(lack))
    try:
        connection.execute(_UPDATE)
    except (DataError, ProgrammingError) as error:  # no way leads to it, or the user may not
        raise ServerVersionError(f"{lack} ({str(error.orig).strip()})") from error


def _suffices(version: str | None) -> bool:
    return version is not None and tuple(map(int, re.findall(r"\d+", version))) >= _PGVECTOR
