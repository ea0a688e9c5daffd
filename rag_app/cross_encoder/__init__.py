"""Cross-encoders: finding, loading and running the models that read a question and a passage together.

::

    models ──▶ loading ──▶ precision        which files, in which precision on this machine
                  │
                  ▼
               scorers                      torch (fp32, bf16, fp16) or ONNX Runtime (int8)
                  │
                  ▼
               engine ◀── sharing           the thread, memory of scores, breaker; one a model in a process
                  │
                  ▼
                turns ──▶ job                batches of all requests that wait, within their deadlines

Nothing here imports torch before a model is loaded.
"""

from rag_app.cross_encoder.engine import NO_DEADLINE, ScoringEngine
from rag_app.cross_encoder.job import Logits
from rag_app.cross_encoder.loading import LoadedModel, ModelSpec, load_model
from rag_app.cross_encoder.models import (
    ALIASES,
    CachedModel,
    cached_models,
    find_model,
    hub_cache,
    hub_id,
    int8_folder,
    own_cache,
    pull_model,
)
from rag_app.cross_encoder.precision import PRECISIONS, Choice, Measured
from rag_app.cross_encoder.sharing import acquire_engine, release_engine
from rag_app.cross_encoder.status import DEFAULT_OPTIONS, EngineOptions, Status

__all__ = [
    "ALIASES",
    "DEFAULT_OPTIONS",
    "NO_DEADLINE",
    "PRECISIONS",
    "CachedModel",
    "Choice",
    "EngineOptions",
    "LoadedModel",
    "Logits",
    "Measured",
    "ModelSpec",
    "ScoringEngine",
    "Status",
    "acquire_engine",
    "cached_models",
    "find_model",
    "hub_cache",
    "hub_id",
    "int8_folder",
    "load_model",
    "own_cache",
    "pull_model",
    "release_engine",
]
