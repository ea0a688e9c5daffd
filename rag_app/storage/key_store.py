"""API keys: which tenant a caller is. Only their hashes are stored."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text

from rag_app.schema import checked_name
from rag_app.storage.database import Database

PREFIX = "rag_"
_SHAPE = re.compile(rf"{PREFIX}[A-Za-z0-9_-]{{43}}")  # 256 random bits
_COLUMNS = "id, tenant, name, created_at, revoked_at, last_used_at"
_CREATE = text(
    f"INSERT INTO rag_app.api_keys (tenant, name, sha256) VALUES (:tenant, :name, :sha256) RETURNING {_COLUMNS}"  # noqa: S608 - names of columns alone
)
_LIST = text(f"""
    SELECT {_COLUMNS} FROM rag_app.api_keys WHERE CAST(:tenant AS text) IS NULL OR tenant = :tenant ORDER BY id
""")  # noqa: S608
_REVOKE = text("UPDATE rag_app.api_keys SET revoked_at = now() WHERE id = :id AND revoked_at IS NULL")
_FIND = text(f"SELECT {_COLUMNS} FROM rag_app.api_keys WHERE sha256 = :sha256 AND revoked_at IS NULL")  # noqa: S608
_IN_USE = text(f"""
    SELECT sha256, {_COLUMNS} FROM rag_app.api_keys WHERE revoked_at IS NULL
    ORDER BY last_used_at DESC NULLS LAST, id DESC LIMIT :most
""")  # noqa: S608
# To the hour, so that a busy key costs one write an hour.
_USED = text("""
    UPDATE rag_app.api_keys SET last_used_at = date_trunc('hour', now())
    WHERE id = :id AND coalesce(last_used_at < date_trunc('hour', now()), true)
""")
_MAX_ID = 2**63 - 1


@dataclass(frozen=True)
class ApiKey:
    """What is known of a key; the key itself is not.

    Attributes:
        id: names it, as for `rag-app keys revoke`.
        tenant: who calls with it.
        name: what it is for.
        created_at: when it was made.
        revoked_at: since when it is refused; None while it is valid.
        last_used_at: the hour in which it was last used; None if it never was.
    """

    id: int
    tenant: str
    name: str
    created_at: datetime
    revoked_at: datetime | None
    last_used_at: datetime | None


class KeyStore:
    """Makes, lists, revokes and finds API keys; every method may raise `DatabaseUnavailableError`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, tenant: str, name: str = "default") -> tuple[ApiKey, str]:
        """Make a key and return what is stored of it, and the key, which can not be had again.

        Raises:
            InvalidInputError: `tenant` or `name` can not be used.
        """
        secret = PREFIX + secrets.token_urlsafe(32)
        row = {
            "tenant": checked_name("tenant", tenant),
            "name": checked_name("the key's name", name),
            "sha256": _sha256(secret),
        }
        with self._database.transaction() as connection:
            return ApiKey(*connection.execute(_CREATE, row).one()), secret

    def list(self, tenant: str | None = None) -> list[ApiKey]:
        """Return the keys of a tenant or of all, the oldest first, revoked ones too."""
        with self._database.transaction() as connection:
            return [ApiKey(*row) for row in connection.execute(_LIST, {"tenant": tenant})]

    def revoke(self, key_id: int) -> bool:
        """Refuse a key from now on; False if there is no valid key of this id."""
        if not 0 < key_id <= _MAX_ID:
            return False
        with self._database.transaction() as connection:
            return connection.execute(_REVOKE, {"id": key_id}).rowcount > 0

    def find(self, secret: str) -> ApiKey | None:
        """Return what is known of a valid key, and note that it was used; None for any other text.

        It is found by its hash, so the time that this takes tells nothing of the keys that there are.
        """
        if not _SHAPE.fullmatch(secret):
            return None
        with self._database.transaction() as connection:
            row = connection.execute(_FIND, {"sha256": _sha256(secret)}).one_or_none()
            if row is None:
                return None
            connection.execute(_USED, {"id": row.id})
            return ApiKey(*row)

    def in_use(self, most: int) -> Sequence[tuple[bytes, ApiKey]]:
        """Return the valid keys that were used last, the latest first, each behind its SHA-256."""
        with self._database.transaction() as connection:
            rows = connection.execute(_IN_USE, {"most": most}).all()
        return [(bytes(sha256), ApiKey(*columns)) for sha256, *columns in rows]


def _sha256(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
