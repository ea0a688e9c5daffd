"""Prometheus metrics. Recording one never raises, and no label holds a tenant, a user or a customer's words.

::

    record     retrieved  degraded  reranked  flag_evaluated  cache_used  cache_holds  shadowed  answers_begin  answered
    read       cached_metrics
    scrape     exposition  CONTENT_TYPE  start_http_server
"""

from __future__ import annotations

from rag_app.metrics.figures import cached_metrics
from rag_app.metrics.recording import (
    answered,
    answers_begin,
    cache_holds,
    cache_used,
    degraded,
    flag_evaluated,
    reranked,
    retrieved,
    shadowed,
)
from rag_app.metrics.scraping import CONTENT_TYPE, exposition, start_http_server

__all__ = [
    "CONTENT_TYPE",
    "answered",
    "answers_begin",
    "cache_holds",
    "cache_used",
    "cached_metrics",
    "degraded",
    "exposition",
    "flag_evaluated",
    "reranked",
    "retrieved",
    "shadowed",
    "start_http_server",
]
