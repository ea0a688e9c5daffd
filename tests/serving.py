"""Requests through parts of the application, some of them replaced."""

from __future__ import annotations

import copy
from typing import Any

from rag_app import RagApp
from rag_app.pipeline import RetrievalPipeline
from rag_app.schema import Deadline, RetrievalQuery, RetrievalResult, TokenBudget
from rag_app.serving import Method, RetrievalService
from tests.conftest import SAMPLE_TENANT

PARTS = ("analyzer", "catalog", "read", "retriever", "rerankers", "context", "writer")


def pipeline_of(app: RagApp, **parts: Any) -> RetrievalPipeline:
    """The application's new pipeline with some parts replaced."""
    return RetrievalPipeline(**{**{name: getattr(app.pipeline, name) for name in PARTS}, **parts})


def service_of(app: RagApp, **parts: Any) -> RetrievalService:
    """The application's service with some parts replaced, such as `production` or `simple`."""
    service = copy.copy(app.service)
    for name, part in parts.items():
        assert hasattr(service, name)
        setattr(service, name, part)
    return service


def query_of(text: str, seconds: float = 30.0, tenant: str = SAMPLE_TENANT) -> RetrievalQuery:
    return RetrievalQuery(text, tenant=tenant, budget=TokenBudget(800, 600), deadline=Deadline.after(seconds))


def serve(
    app: RagApp, service: RetrievalService, query: RetrievalQuery, method: Method = "production_rag"
) -> RetrievalResult:
    """Answer one question by the service."""
    return app.loop.call(service.answer, query, method)
