"""Who is calling: a key, and by it a tenant. Nothing else in a request says whose documents are meant."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections import OrderedDict
from typing import Annotated

from fastapi import Request, Security
from fastapi.security import HTTPBearer
from fastapi.security.http import HTTPAuthorizationCredentials

from rag_app.server.errors import ApiError
from rag_app.storage import ApiKey, KeyStore

FRESH_S = 5.0  # a revocation acts within 10 s
MAX_KEYS = 10_000
_bearer = HTTPBearer(auto_error=False, description="A key of `rag-app keys create --tenant T`; it names the tenant.")


class KeyRing:
    """Finds keys in the store and remembers those that are valid for a few seconds.

    Args:
        store: where the keys are.
        fresh_s: how long a key that was found is taken for valid.
    """

    def __init__(self, store: KeyStore, *, fresh_s: float = FRESH_S) -> None:
        self._store = store
        self._fresh_s = fresh_s
        self._known: OrderedDict[bytes, tuple[ApiKey, float]] = OrderedDict()

    async def find(self, secret: str) -> ApiKey | None:
        """Return what is known of a valid key.

        Raises:
            DatabaseUnavailableError: the database does not answer.
        """
        digest = hashlib.sha256(secret.encode("utf-8", "replace")).digest()  # no secret is kept longer than a request
        now = time.monotonic()
        key, until = self._known.pop(digest, (None, 0.0))
        if key is None or now >= until:
            key, until = await asyncio.to_thread(self._store.find, secret), now + self._fresh_s
        if key is not None:
            self._known[digest] = (key, until)
            if len(self._known) > MAX_KEYS:
                self._known.popitem(last=False)
        return key


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
