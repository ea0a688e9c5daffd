"""Who is calling: a key, and by it a tenant. Nothing else in a request says whose documents are meant."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Annotated

from fastapi import Request, Security
from fastapi.security import HTTPBearer
from fastapi.security.http import HTTPAuthorizationCredentials

from rag_app.errors import DatabaseUnavailableError
from rag_app.server.errors import ApiError
from rag_app.storage import ApiKey, KeyStore

FRESH_S = 5.0  # a revocation acts within 10 s
KEPT_S = 600.0  # without the database nobody can revoke a key there, and those who ask now are to be answered
_WAIT_S = 0.4  # of a question's two seconds, for a database that does not answer
_STRANGERS_WAIT_S = 2.0  # with a key that only the database knows
_AGAIN_S = 1.0  # until it is asked again, for any key
MAX_KEYS = 10_000
_bearer = HTTPBearer(auto_error=False, description="A key of `rag-app keys create --tenant T`; it names the tenant.")


@dataclass(frozen=True)
class _Known:
    """A valid key, since when it is known to be that, and until when it is taken for that unasked."""

    key: ApiKey
    since: float
    until: float


class KeyRing:
    """Finds keys in the store and remembers those that are valid for a few seconds.

    While the database does not answer, those that were valid some minutes ago still are, whether they were used here or
    only learnt of by `follow`, so that callers get what the pipelines have left for them and not an error.

    Args:
        store: where the keys are.
        fresh_s: how long a key that was found is taken for valid.
        kept_s: how long it is if the database does not answer.
    """

    def __init__(self, store: KeyStore, *, fresh_s: float = FRESH_S, kept_s: float = KEPT_S) -> None:
        self._store = store
        self._fresh_s = fresh_s
        self._kept_s = kept_s
        self._known: OrderedDict[bytes, _Known] = OrderedDict()
        self._asking: dict[bytes, asyncio.Task[ApiKey | None]] = {}
        self._ask_again_at = 0.0

    async def find(self, secret: str) -> ApiKey | None:
        """Return what is known of a valid key.

        Raises:
            DatabaseUnavailableError: the database does not answer, and the key was not valid lately.
        """
        digest = hashlib.sha256(secret.encode("utf-8", "replace")).digest()  # no secret is kept longer than a request
        now = time.monotonic()
        known = self._known.get(digest)
        if known is None or now >= self._taken_until(known):
            known = await self._asked(digest, secret, known)
        if known is None:
            self._known.pop(digest, None)
            return None
        self._remember(digest, known)
        return known.key

    @property
    def holds_any(self) -> bool:
        """Whether anybody's key is taken for valid though the database does not answer."""
        now = time.monotonic()
        return any(now < known.since + self._kept_s for known in self._known.values())

    async def follow(self) -> None:
        """Learn again and again, until it is cancelled, of the valid keys that were used last."""
        while True:
            with suppress(DatabaseUnavailableError):
                await self._learn()
            await asyncio.sleep(self._kept_s / 2)

    async def _learn(self) -> None:
        now = time.monotonic()
        for digest, key in reversed(await asyncio.to_thread(self._store.in_use, MAX_KEYS // 2)):
            known = self._known.get(digest)
            self._remember(digest, _Known(key, now, now if known is None else known.until))

    def _remember(self, digest: bytes, known: _Known) -> None:
        self._known[digest] = known
        self._known.move_to_end(digest)
        if len(self._known) > MAX_KEYS:
            self._known.popitem(last=False)

    def _taken_until(self, known: _Known) -> float:
        """Return until when a key is taken for valid unasked; who waited in vain for another has spared us that."""
        return max(known.until, min(self._ask_again_at, known.since + self._kept_s))

    async def _asked(self, digest: bytes, secret: str, known: _Known | None) -> _Known | None:
        """Ask the database, which those who wait for the same key do together."""
        if digest not in self._asking:
            self._asking[digest] = asyncio.create_task(asyncio.to_thread(self._store.find, secret))
            self._asking[digest].add_done_callback(partial(self._told, digest))
        started = time.monotonic()
        try:
            async with asyncio.timeout(_STRANGERS_WAIT_S if known is None else _WAIT_S):
                key = await asyncio.shield(self._asking[digest])
        except (DatabaseUnavailableError, TimeoutError) as error:
            now = time.monotonic()
            if known is None or now >= known.since + self._kept_s:
                raise DatabaseUnavailableError("the database does not answer whose key it is") from error
            self._ask_again_at = now + _AGAIN_S
            return known
        return None if key is None else _Known(key, started, started + self._fresh_s)

    def _told(self, digest: bytes, asked: asyncio.Task[ApiKey | None]) -> None:
        del self._asking[digest]
        if not asked.cancelled():
            asked.exception()  # seen, also if nobody waits any more


async def authenticated(keys: KeyRing, authorization: str | None) -> ApiKey:
    """Return the key of an Authorization header.

    Raises:
        ApiError: 401, there is none, or none that is valid.
        DatabaseUnavailableError: the database does not answer.
    """
    scheme, _, secret = (authorization or "").partition(" ")
    if scheme.lower() != "bearer" or not secret.strip():
        raise ApiError(401, "send a key as Authorization: Bearer rag_...", "missing_api_key")
    key = await keys.find(secret.strip())
    if key is None:
        raise ApiError(401, "this key is not valid", "invalid_api_key")
    return key


def _caller(request: Request, _: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)]) -> ApiKey:
    """Return the key that the guard found; it runs before the body of a request is read."""
    key = getattr(request.state, "key", None)
    if not isinstance(key, ApiKey):
        raise ApiError(401, "send a key as Authorization: Bearer rag_...", "missing_api_key")
    return key


Caller = Annotated[ApiKey, Security(_caller)]
