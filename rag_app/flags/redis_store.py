"""Flags in Redis."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from rag_app.errors import ConfigurationError, StorageError
from rag_app.flags.store import FlagChange, StoredFlag

KEPT_CHANGES = 10_000
_FLAGS, _CHANGES = "{rag_app}:flags", "{rag_app}:flag_changes"  # braces keep both on one node of a cluster
_TIMEOUT_S = 1.5
# What reading an entry raises that someone wrote by hand.
_UNREADABLE = (ValueError, TypeError, KeyError, OverflowError, OSError, RecursionError, AttributeError)

# Flag and history change together, by the server's clock. Values travel as JSON in strings, which Lua leaves alone.
_CHANGE = """
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
local before = redis.call('HGET', KEYS[1], ARGV[1])
local change = {name = ARGV[1], changed_by = ARGV[4], changed_at = now}
if before then
    local readable, flag = pcall(cjson.decode, before)
    if readable and type(flag) == 'table' and type(flag.value) == 'string' then change.old = flag.value end
end
if ARGV[2] == '' then
    if not before then return end
    redis.call('HDEL', KEYS[1], ARGV[1])
    change.action = 'unset'
else
    local flag = {value = ARGV[2], changed_by = ARGV[4], changed_at = now}
    if ARGV[3] ~= '' then flag.expires_at = now + tonumber(ARGV[3]) end
    redis.call('HSET', KEYS[1], ARGV[1], cjson.encode(flag))
    change.action, change.new, change.expires_at = 'set', ARGV[2], flag.expires_at
end
redis.call('LPUSH', KEYS[2], cjson.encode(change))
redis.call('LTRIM', KEYS[2], 0, tonumber(ARGV[5]) - 1)
"""


class RedisFlagStore:
    """Keeps flags in a hash and their history in a list of a Redis server, which must not be set to evict keys.

    Args:
        url: `redis://`, `rediss://` or `unix://`; it may hold a password, which is never told.

    Raises:
        ConfigurationError: the URL can not be used, or the package `redis` is missing.
    """

    def __init__(self, url: str) -> None:
        try:
            import redis
            from redis.backoff import NoBackoff
            from redis.retry import Retry
        except ImportError as error:
            raise ConfigurationError("flags in Redis need a package: pip install 'rag-app[redis]'") from error
        self._error, self._unreachable = redis.RedisError, (redis.ConnectionError, redis.TimeoutError, OSError)
        try:
            self._client = redis.Redis.from_url(
                url,
                socket_timeout=_TIMEOUT_S,
                socket_connect_timeout=_TIMEOUT_S,
                retry=Retry(NoBackoff(), 0),  # whoever reads again and again needs no retries that take long
            )
            pool = self._client.connection_pool
            pool.connection_class(**pool.connection_kwargs)  # connects to nothing, and refuses options it does not know
        except (ValueError, TypeError, redis.RedisError):  # their messages may quote the URL
            raise ConfigurationError(
                "flags.redis_url can not be used; write redis://host:6379/0, rediss://host:6379/0 or unix:///path, "
                "with the password percent-encoded, and with no option that redis-py does not have"
            ) from None

    def load(self) -> dict[str, StoredFlag]:
        """Return every flag that was set, by name; of one that can not be read, the bytes as its value.

        Raises:
            StorageError: Redis does not answer.
        """
        with self._translated():
            pipeline = self._client.pipeline()
            pipeline.time()
            pipeline.hgetall(_FLAGS)
            (seconds, micros), flags = pipeline.execute()
        now = seconds + micros / 1e6
        return {name.decode("utf-8", "replace"): _stored(flag, now) for name, flag in flags.items()}

    def set(self, name: str, value: Any, ttl: float | None, changed_by: str) -> None:
        """Store a flag, for `ttl` seconds or for ever, and note the change; both or neither.

        Raises:
            StorageError: Redis does not answer or refuses.
        """
        self._change(name, json.dumps(value), "" if ttl is None else repr(float(ttl)), changed_by)

    def unset(self, name: str, changed_by: str) -> None:
        """Remove a flag, and note the change if there was one.

        Raises:
            StorageError: Redis does not answer or refuses.
        """
        self._change(name, "", "", changed_by)

    def history(self, name: str | None, limit: int) -> list[FlagChange]:
        """Return the last changes, of one flag or of all, newest first; at most 10,000 are kept.

        Raises:
            StorageError: Redis does not answer.
        """
        with self._translated():
            entries = self._client.lrange(_CHANGES, 0, -1)
        changes = [change for entry in entries if (change := _change(entry)) is not None]
        return [change for change in changes if name in (None, change.name)][:limit]

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _change(self, name: str, value: str, ttl: str, changed_by: str) -> None:
        with self._translated():
            self._client.eval(_CHANGE, 2, _FLAGS, _CHANGES, name, value, ttl, changed_by, KEPT_CHANGES)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (self._error, OSError) as error:
            options = self._client.connection_pool.connection_kwargs
            place = options.get("path") or f"{options.get('host', 'localhost')}:{options.get('port', 6379)}"
            cause = str(error).strip().partition("\n")[0]
            if (password := options.get("password")) and password in cause:
                cause = "hidden"  # servers quote the commands that they do not know, AUTH too
            did = "does not answer" if isinstance(error, self._unreachable) else "refused"
            raise StorageError(f"Redis at {place} {did}: {type(error).__name__}: {cause}") from None


def _stored(raw: bytes, now: float) -> StoredFlag:
    try:
        flag = json.loads(raw)
        expires_at = flag.get("expires_at")
        remaining_s = None if expires_at is None else float(expires_at) - now
        return StoredFlag(json.loads(flag["value"]), remaining_s, str(flag["changed_by"]), _iso(flag["changed_at"]))
    except _UNREADABLE:
        return StoredFlag(raw, None, "unknown", "")


def _change(raw: bytes | str) -> FlagChange | None:
    try:
        entry = json.loads(raw)
        old, new, expires_at = entry.get("old"), entry.get("new"), entry.get("expires_at")
        return FlagChange(
            entry["name"],
            entry["action"],
            None if old is None else json.loads(old),
            None if new is None else json.loads(new),
            None if expires_at is None else _iso(expires_at),
            entry["changed_by"],
            _iso(entry["changed_at"]),
        )
    except _UNREADABLE:
        return None


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()
