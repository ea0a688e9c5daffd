"""SentenceTransformerRerank that loads on first use and leaves its input alone."""

from __future__ import annotations

import asyncio
import math
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from llama_index.core.postprocessor.types import BaseNodePostprocessor
from llama_index.core.schema import NodeWithScore, QueryBundle
from llama_index.postprocessor.sbert_rerank import SentenceTransformerRerank
from pydantic import PrivateAttr

from rag_app.errors import ComponentError

MODELS = {
    "base": "BAAI/bge-reranker-base",
    "large": "BAAI/bge-reranker-large",
    "multilingual": "BAAI/bge-reranker-v2-m3",
}
_INSTALL = "the cross-encoder needs torch and sentence-transformers: pip install 'rag-app[cross-encoder]'"


class CrossEncoderRerank(SentenceTransformerRerank):
    """Orders nodes by a cross-encoder that reads the query and the bare text together; scores lie between 0 and 1.

    One model is loaded, once, on first use. It works in a thread of its own, one request after the other, because
    tokenizers are not thread-safe and a load that hangs must hold up nothing else.

    Args:
        model: "base", "large", "multilingual", the id of a model on the hub, or a local folder.
        top_n: the most nodes to return.
        device: where to run it, as torch names devices; chosen by torch if None.
        max_length: the most tokens of query and passage together.

    Raises:
        ComponentError: on first use, when the model can not be loaded.
    """

    max_length: int = 512
    device: str | None = None
    _worker: ThreadPoolExecutor = PrivateAttr(
        default_factory=lambda: ThreadPoolExecutor(1, thread_name_prefix="cross-encoder")
    )

    def __init__(
        self, model: str = "base", *, top_n: int = 20, device: str | None = None, max_length: int = 512
    ) -> None:
        # Not SentenceTransformerRerank's own constructor, which loads the model.
        BaseNodePostprocessor.__init__(
            self, model=MODELS.get(model, model), top_n=top_n, device=device, max_length=max_length
        )
        self._model = None

    @classmethod
    def class_name(cls) -> str:
        """Return the name that LlamaIndex stores."""
        return "CrossEncoderRerank"

    def _loaded(self) -> Any:
        if self._model is None:
            try:
                from sentence_transformers import CrossEncoder
            except ImportError as error:
                raise ComponentError(_INSTALL) from error
            try:
                self._model = CrossEncoder(self.model, device=self.device, max_length=self.max_length)
            except (OSError, ValueError, RuntimeError) as error:
                raise ComponentError(f"the reranker {self.model!r} can not be loaded: {error}") from error
        return self._model

    def _postprocess_nodes(
        self, nodes: list[NodeWithScore], query_bundle: QueryBundle | None = None
    ) -> list[NodeWithScore]:
        return self._worker.submit(self._rerank, nodes, query_bundle).result()

    async def _apostprocess_nodes(
        self, nodes: list[NodeWithScore], query_bundle: QueryBundle | None = None
    ) -> list[NodeWithScore]:
        return await asyncio.get_running_loop().run_in_executor(self._worker, self._rerank, nodes, query_bundle)

    def _rerank(self, nodes: list[NodeWithScore], query_bundle: QueryBundle | None) -> list[NodeWithScore]:
        if not nodes or query_bundle is None:
            return nodes[: self.top_n]
        pairs = [(query_bundle.query_str, node.node.get_content()) for node in nodes]
        scores = [float(score) for score in self._loaded().predict(pairs, show_progress_bar=False)]
        if not all(map(math.isfinite, scores)):
            raise ComponentError(f"the reranker {self.model!r} gave scores that are no numbers")
        scored = [NodeWithScore(node=node.node, score=score) for node, score in zip(nodes, scores, strict=True)]
        return sorted(scored, key=lambda node: -(node.score or 0.0))[: self.top_n]
