"""The checks, one after the other."""

from __future__ import annotations

from collections.abc import Iterator

from rag_app.config import Settings
from rag_app.doctor.database import database_checks
from rag_app.doctor.findings import Check
from rag_app.doctor.llm import llm_check
from rag_app.doctor.machine import network_check, packages_check
from rag_app.doctor.model import model_checks
from rag_app.errors import InvalidInputError
from rag_app.schema import checked_name


def examine(
    settings: Settings, *, model: str | None = None, tenant: str | None = None, source: str | None = None
) -> Iterator[Check]:
    """Look at packages, network settings, model and database, and yield each finding when it is there.

    The model is loaded for real. The database is only read; an embedded one is started.

    Args:
        settings: what the application would be opened with.
        model: the model to look at; else the configured one, if a cross-encoder reranks.
        tenant: whose documents to look at.
        source: a source that this tenant should have.

    Raises:
        InvalidInputError: `tenant` or `source` can not be a name, or a source is named without a tenant.
    """
    if tenant is not None:
        checked_name("tenant", tenant)
    elif source is not None:
        raise InvalidInputError("a source belongs to a tenant: name the tenant too")
    yield packages_check(needed=settings.rerank.kind == "cross_encoder")
    yield network_check()
    if model is None and settings.rerank.kind != "cross_encoder":
        yield Check("model", "ok", f"rerank.kind is {settings.rerank.kind}, which needs no model")
    else:
        yield from model_checks(settings, model or settings.rerank.model)
    yield llm_check(settings)
    yield from database_checks(settings, tenant, source)
