"""SentenceTransformerRerank on a shared model, within the request's deadline."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from time import perf_counter
from typing import Any

from llama_index.core.callbacks import CBEventType, EventPayload
from llama_index.core.instrumentation.events.rerank import ReRankEndEvent, ReRankStartEvent
from llama_index.core.postprocessor.types import BaseNodePostprocessor
from llama_index.core.schema import MetadataMode, NodeWithScore, QueryBundle
from llama_index.postprocessor.sbert_rerank import SentenceTransformerRerank
from llama_index_instrumentation import get_dispatcher
from pydantic import PrivateAttr

from rag_app import metrics
from rag_app.cross_encoder import (
    DEFAULT_OPTIONS,
    NO_DEADLINE,
    EngineOptions,
    Logits,
    ModelSpec,
    ScoringEngine,
    Status,
    acquire_engine,
    hub_id,
    release_engine,
)
from rag_app.logs import get_logger
from rag_app.schema import Deadline, RetrievalQuery, trace_of

logger = get_logger(__name__)
dispatcher = get_dispatcher(__name__)


class CrossEncoderRerank(SentenceTransformerRerank):
    """Orders nodes by a cross-encoder that reads the question and a node's bare text together.

    All rerankers of a process that name the same model share it; it is loaded on first use, or by `load`. Scores lie
    between 0 and 1: the sigmoid of the model's logit, which the trace keeps. What was not scored when the deadline of
    a `RetrievalQuery` comes keeps its order, with a score of 0, below what was. The nodes that are given stay as they
    are.

    Args:
        model: "base", "large", "multilingual", the id of a model on the hub, or a local folder.
        top_n: the most nodes to return.
        precision: "auto" for the fastest that keeps fp32's order on this machine, or "fp32", "bf16", "int8", "fp16".
        device: where to run it, as torch names devices; a GPU if there is one, when None.
        max_length: the most tokens of query and passage together.
        options: how long a load may take, when a failed one is tried again, how many scores are remembered.

    Raises:
        ComponentError: when nodes are ranked and the model can not be used; `reason` says why.
    """

    precision: str = "auto"
    device: str | None = None
    max_length: int = 512
    _engine: ScoringEngine = PrivateAttr()
    _options: EngineOptions = PrivateAttr()
    _switching: threading.Lock = PrivateAttr(default_factory=threading.Lock)
    _closed: bool = PrivateAttr(default=False)

    def __init__(
        self,
        model: str = "base",
        *,
        top_n: int = 20,
        precision: str = "auto",
        device: str | None = None,
        max_length: int = 512,
        options: EngineOptions = DEFAULT_OPTIONS,
    ) -> None:
        # Not SentenceTransformerRerank's own constructor, which loads the model.
        BaseNodePostprocessor.__init__(
            self, model=hub_id(model), top_n=top_n, precision=precision, device=device, max_length=max_length
        )
        self._options = options
        self._engine = acquire_engine(self._spec(), options)

    @classmethod
    def class_name(cls) -> str:
        """Return the name that LlamaIndex stores."""
        return "CrossEncoderRerank"

    def load(self) -> Status:
        """Load the model unless it is loaded, wait for it, and return what can be told of it; nothing is raised."""
        return self._engine.load()

    def status(self) -> Status:
        """Return what can be told of the model now."""
        return self._engine.status()

    @property
    def loaded_model(self) -> Any | None:
        """The model itself, torch's module or ONNX Runtime's session; None if it is not loaded now."""
        loaded = self._engine.model
        return loaded.scorer.model if loaded is not None else None

    def use_model(self, model: str) -> None:
        """Rank with another model from now on. The old one is unloaded, unless others use it; the new one loads now.

        Until it is loaded, ranking raises ComponentError with the reason "loading". A closed one stays closed.
        """
        with self._switching:
            if self._closed or hub_id(model) == self.model:
                return
            self.model = hub_id(model)
            old, self._engine = self._engine, acquire_engine(self._spec(), self._options)
        release_engine(old)
        self._engine.begin_load()

    def close(self) -> None:
        """Give the model back: the last of its users unloads it. Closing again does nothing."""
        with self._switching:
            if self._closed:
                return
            self._closed = True
        release_engine(self._engine)

    def _spec(self) -> ModelSpec:
        return ModelSpec(self.model, self.precision, self.device, self.max_length)

    def _postprocess_nodes(
        self, nodes: list[NodeWithScore], query_bundle: QueryBundle | None = None
    ) -> list[NodeWithScore]:
        if not nodes or query_bundle is None:
            return nodes[: self.top_n]
        with self._told(nodes, query_bundle) as told:
            logits = self._engine.score(_question(query_bundle), _passages(nodes), _deadline(query_bundle))
            told += self._ranked(nodes, logits, query_bundle)
        return told

    async def _apostprocess_nodes(
        self, nodes: list[NodeWithScore], query_bundle: QueryBundle | None = None
    ) -> list[NodeWithScore]:
        if not nodes or query_bundle is None:
            return nodes[: self.top_n]
        with self._told(nodes, query_bundle) as told:
            logits = await self._engine.ascore(_question(query_bundle), _passages(nodes), _deadline(query_bundle))
            told += self._ranked(nodes, logits, query_bundle)
        return told

    @contextmanager
    def _told(self, nodes: list[NodeWithScore], query: QueryBundle) -> Iterator[list[NodeWithScore]]:
        """Fire LlamaIndex's events and take the time; the block adds the ranked nodes to the list it gets."""
        ranked: list[NodeWithScore] = []
        started = perf_counter()
        payload: dict[str, Any] = {
            EventPayload.NODES: nodes,
            EventPayload.MODEL_NAME: self.model,
            EventPayload.QUERY_STR: query.query_str,
            EventPayload.TOP_K: self.top_n,
        }
        dispatcher.event(ReRankStartEvent(query=query, nodes=nodes, top_n=self.top_n, model_name=self.model))
        with self.callback_manager.event(CBEventType.RERANKING, payload=payload) as event:
            yield ranked
            event.on_end(payload={EventPayload.NODES: ranked})
        dispatcher.event(ReRankEndEvent(nodes=ranked))
        metrics.reranked(self.model, perf_counter() - started)

    def _ranked(self, nodes: list[NodeWithScore], logits: Logits, query: QueryBundle) -> list[NodeWithScore]:
        """Return the scored nodes, best first, and then the others in the order they came in."""
        trace = trace_of(query)
        scored = sum(logit is not None for logit in logits)
        if scored < len(nodes):
            reason = "out of time: scored in part" if scored else "out of time: nothing scored"
            trace.degrade("rerank", "cross_encoder", reason, "the order before")
            logger.info("Rerank: %d of %d passages scored before the deadline", scored, len(nodes))
        for node, logit in zip(nodes, logits, strict=True):
            if (chunk := trace.chunks.get(node.node.node_id)) is not None:
                chunk.logit = logit
        order = sorted(zip(nodes, logits, strict=True), key=lambda pair: math.inf if pair[1] is None else -pair[1])
        return [NodeWithScore(node=node.node, score=calibrated(logit)) for node, logit in order[: self.top_n]]


def calibrated(logit: float | None) -> float:
    """Return the sigmoid of a logit, a score between 0 and 1; 0 for what was not scored."""
    if logit is None:
        return 0.0
    return 1 / (1 + math.exp(-logit)) if logit > 0 else math.exp(logit) / (1 + math.exp(logit))


def _question(query: QueryBundle) -> str:
    """Return the question with what was meant for what was typed, where that is known."""
    if isinstance(query, RetrievalQuery) and query.reading is not None:
        return query.reading.text
    return query.query_str


def _passages(nodes: Sequence[NodeWithScore]) -> list[str]:
    return [node.node.get_content(MetadataMode.NONE) for node in nodes]


def _deadline(query: QueryBundle) -> Deadline:
    return query.deadline if isinstance(query, RetrievalQuery) else NO_DEADLINE
