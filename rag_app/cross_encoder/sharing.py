"""One engine a model in a process, however many rerankers use it."""

from __future__ import annotations

import threading
from dataclasses import replace

from rag_app.cross_encoder.engine import ScoringEngine
from rag_app.cross_encoder.loading import ModelSpec
from rag_app.cross_encoder.models import hub_id
from rag_app.cross_encoder.status import DEFAULT_OPTIONS, EngineOptions

_lock = threading.Lock()
_engines: dict[ModelSpec, ScoringEngine] = {}
_users: dict[ModelSpec, int] = {}


def acquire_engine(spec: ModelSpec, options: EngineOptions = DEFAULT_OPTIONS) -> ScoringEngine:
    """Return the engine for a model, making it if nobody uses it yet; nothing is loaded before it is needed.

    Args:
        spec: which model, and how to run it.
        options: its times and sizes; those of the first user hold.
    """
    named = replace(spec, model=hub_id(spec.model))
    with _lock:
        engine = _engines.get(named)
        if engine is None:
            engine = _engines[named] = ScoringEngine(named, options)
        _users[named] = _users.get(named, 0) + 1
        return engine


def release_engine(engine: ScoringEngine) -> None:
    """Give back an engine that was acquired; the last user's return unloads the model."""
    with _lock:
        left = _users.get(engine.spec, 0) - 1
        if left > 0:
            _users[engine.spec] = left
            return
        _users.pop(engine.spec, None)
        _engines.pop(engine.spec, None)
    engine.close()
