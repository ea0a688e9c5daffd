"""The calls that chat backends make, by class and by name, on the application of this process."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, ClassVar

from rag_app import metrics
from rag_app.context_result import ContextResult, as_context_result
from rag_app.errors import DatabaseUnavailableError, EmbeddedDatabaseError, StorageError
from rag_app.flags import FlagChange, FlagService
from rag_app.flags.who import system_user
from rag_app.process_app import adefault_app, default_app, default_settings
from rag_app.request import RetrievalOptions
from rag_app.schema import RetrievalResult
from rag_app.serving import Method
from rag_app.users import tenant_of


class _Retriever:
    """The calls that both retrievers share."""

    _method: ClassVar[Method]

    @classmethod
    def retrieve_context(
        cls,
        query: str,
        user: object,
        primary_source: str | None = None,
        secondary_sources: Sequence[str] | None = None,
        primary_budget: int | None = None,
        secondary_budget: int | None = None,
    ) -> ContextResult:
        """Find the context for a question.

        Args:
            query: the customer's question, as typed.
            user: whose documents may be found: any object with a `pk` or `id`, or a string or integer.
            primary_source: the source that gets the primary budget; None searches all sources.
            secondary_sources: the sources that share the secondary budget.
            primary_budget: tokens for the primary source; the configured one if None.
            secondary_budget: tokens for the secondary sources; the configured one if None.

        Raises:
            InvalidInputError: an argument can not be used. What fails inside is told in the result instead.
            ConfigurationError: the application of this process can not be opened as it is configured.
            StorageError: its database is not one that can be used: its schema is another, or PostgreSQL is too old.
        """
        started, tenant = time.perf_counter(), tenant_of(user)
        options = cls._options(primary_source, secondary_sources, primary_budget, secondary_budget)
        try:
            app = default_app()
        except (DatabaseUnavailableError, EmbeddedDatabaseError) as error:
            result = _unopened(error, query, tenant, options, started)
        else:
            result = app.retrieve(query, tenant=tenant, **options)
        return as_context_result(result, primary_source)

    @classmethod
    async def aretrieve_context(
        cls,
        query: str,
        user: object,
        primary_source: str | None = None,
        secondary_sources: Sequence[str] | None = None,
        primary_budget: int | None = None,
        secondary_budget: int | None = None,
    ) -> ContextResult:
        """Do what `retrieve_context` does, without blocking the loop."""
        started, tenant = time.perf_counter(), tenant_of(user)
        options = cls._options(primary_source, secondary_sources, primary_budget, secondary_budget)
        try:
            app = await adefault_app()
        except (DatabaseUnavailableError, EmbeddedDatabaseError) as error:
            result = _unopened(error, query, tenant, options, started)
        else:
            result = await app.aretrieve(query, tenant=tenant, **options)
        return as_context_result(result, primary_source)

    @classmethod
    def _options(
        cls,
        primary_source: str | None,
        secondary_sources: Sequence[str] | None,
        primary_budget: int | None,
        secondary_budget: int | None,
    ) -> RetrievalOptions:
        return {
            "primary_source": primary_source,
            "secondary_sources": secondary_sources or (),
            "primary_budget": primary_budget,
            "secondary_budget": secondary_budget,
            "method": cls._method,
        }


def _unopened(
    error: StorageError, query: str, tenant: str, options: RetrievalOptions, started: float
) -> RetrievalResult:
    from rag_app.unopened import answer_unopened  # it loads what builds an application

    return answer_unopened(error, default_settings(), query, tenant, options, started)


@contextmanager
def _flags() -> Iterator[FlagService]:
    """Give the flags of this process, as configured where its database does not answer when it is opened."""
    with ExitStack() as opened:
        try:
            flags = default_app().flags
        except (DatabaseUnavailableError, EmbeddedDatabaseError):
            from rag_app.unopened import configured_flags

            flags = opened.enter_context(configured_flags(default_settings()))
        yield flags


class ProductionRAG(_Retriever):
    """The four stages; what fails falls back, at worst to `ContextRetriever` and then to an empty result."""

    _method = "production_rag"


class ContextRetriever(_Retriever):
    """The old way: the nearest chunks by embedding, cut to the budget."""

    _method = "context_retriever"


class _ByFlags(_Retriever):
    """The one of the two that the flags choose for the user."""

    _method = "by_flags"


retrieve_context = _ByFlags.retrieve_context
aretrieve_context = _ByFlags.aretrieve_context


class FeatureFlags:
    """What can be changed while every process runs; each change acts everywhere within a few seconds.

    `rag_app.flags` lists the flags, and says how a share of the users is chosen.
    """

    @staticmethod
    def is_enabled(name: str, user: object = None) -> bool:
        """Tell whether a flag is on, for `user` if one is given.

        Raises:
            InvalidInputError: there is no such flag, or it is not one that can be on or off.
        """
        tenant = None if user is None else tenant_of(user)
        with _flags() as flags:
            return flags.is_enabled(name, tenant)

    @staticmethod
    def get_value(name: str) -> Any:
        """Return the value in force: what was set, unless its time is over, else the configured one."""
        with _flags() as flags:
            return flags.get_value(name)

    @staticmethod
    def set_flag(name: str, value: Any, ttl: float | None = None, changed_by: str | None = None) -> None:
        """Set a flag for every process.

        Args:
            name: the flag.
            value: its new value.
            ttl: after how many seconds it falls back by itself; never if None.
            changed_by: who is to be named in the history; the user of the operating system if None.

        Raises:
            InvalidInputError: there is no such flag, or it can not have this value.
            StorageError: the change could not be stored; the old value holds.
        """
        default_app().flags.set(name, value, ttl=ttl, changed_by=changed_by or system_user())

    @staticmethod
    def unset_flag(name: str, changed_by: str | None = None) -> None:
        """Have a flag be as configured again."""
        default_app().flags.unset(name, changed_by=changed_by or system_user())

    @staticmethod
    def get_all_flags() -> dict[str, dict[str, Any]]:
        """Return every flag by name: `enabled`, `value`, `default`, `set`, `expires_in_s`, who changed it and when."""
        return default_app().flags.all()

    @staticmethod
    def history(name: str | None = None, limit: int = 50) -> list[FlagChange]:
        """Return who changed what and when, newest first."""
        return default_app().flags.history(name, limit)

    @classmethod
    async def ais_enabled(cls, name: str, user: object = None) -> bool:
        """Do what `is_enabled` does, without blocking the loop."""
        return await asyncio.to_thread(cls.is_enabled, name, user)

    @classmethod
    async def aget_value(cls, name: str) -> Any:
        """Do what `get_value` does, without blocking the loop."""
        return await asyncio.to_thread(cls.get_value, name)

    @classmethod
    async def aset_flag(cls, name: str, value: Any, ttl: float | None = None, changed_by: str | None = None) -> None:
        """Do what `set_flag` does, without blocking the loop."""
        await asyncio.to_thread(cls.set_flag, name, value, ttl, changed_by)

    @classmethod
    async def aunset_flag(cls, name: str, changed_by: str | None = None) -> None:
        """Do what `unset_flag` does, without blocking the loop."""
        await asyncio.to_thread(cls.unset_flag, name, changed_by)

    @classmethod
    async def aget_all_flags(cls) -> dict[str, dict[str, Any]]:
        """Do what `get_all_flags` does, without blocking the loop."""
        return await asyncio.to_thread(cls.get_all_flags)


class RAGMetrics:
    """What was measured in this process, or in all workers where `PROMETHEUS_MULTIPROC_DIR` is set."""

    @staticmethod
    def get_cached_metrics() -> dict[str, Any]:
        """Return the figures as a plain dict, at most a second old."""
        return metrics.cached_metrics()

    @staticmethod
    async def aget_cached_metrics() -> dict[str, Any]:
        """Do what `get_cached_metrics` does, without blocking the loop."""
        return await asyncio.to_thread(metrics.cached_metrics)

    @staticmethod
    def exposition() -> bytes:
        """Return the metrics as Prometheus scrapes them; `rag_app.metrics.CONTENT_TYPE` is their type."""
        return metrics.exposition()

    @staticmethod
    def start_http_server(port: int = 9400, host: str = "127.0.0.1") -> int:
        """Serve the metrics for Prometheus from a thread, and return the port; 0 takes a free one."""
        return metrics.start_http_server(port, host)
