"""Reranking of plain dicts, for callers without LlamaIndex."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from llama_index.core.postprocessor.types import BaseNodePostprocessor
from llama_index.core.schema import NodeWithScore, TextNode

from rag_app.cross_encoder import Status
from rag_app.errors import InvalidInputError, kind_of
from rag_app.logs import get_logger
from rag_app.postprocessors import CrossEncoderRerank, LexicalRerank
from rag_app.schema import Deadline, RetrievalQuery
from rag_app.trace import ChunkTrace

logger = get_logger(__name__)

_ALL = 1_000_000
Chunk = Mapping[str, Any]


class CrossEncoderReranker:
    """Orders chunks by a cross-encoder; if that fails, by the lexical reranker; if that fails, leaves their order.

    Args:
        model_name: "base", "large", "multilingual", the id of a model on the hub, or a local folder.
        options: more arguments of `CrossEncoderRerank`, such as `precision` or `device`.

    >>> reranker = CrossEncoderReranker(model_name="base")  # doctest: +SKIP
    >>> reranker.rerank(query="بورسیه دارین؟", chunks=[{"content": "ما بورسیه داریم"}], top_k=1)  # doctest: +SKIP
    [{'content': 'ما بورسیه داریم', 'score': 0.97, 'logit': 3.5, 'reranker': 'cross_encoder'}]
    """

    def __init__(self, model_name: str = "base", **options: Any) -> None:
        self._cross_encoder = CrossEncoderRerank(model_name, top_n=_ALL, **options)
        self._rerankers: dict[str, BaseNodePostprocessor] = {
            "cross_encoder": self._cross_encoder,
            "lexical": LexicalRerank(top_n=_ALL),
        }

    @property
    def model(self) -> Any | None:
        """The model, loaded if it was not: torch's module, or ONNX Runtime's session; None if it can not be loaded."""
        self._cross_encoder.load()
        return self._cross_encoder.loaded_model

    def status(self) -> Status:
        """Return what can be told of the model now, and why it can not be used if so."""
        return self._cross_encoder.status()

    def rerank(
        self, query: str, chunks: Sequence[Chunk], top_k: int | None = None, timeout_s: float | None = None
    ) -> list[dict[str, Any]]:
        """Return copies of the chunks, best first, with what was found of each.

        Args:
            query: the question.
            chunks: dicts with their text under "content".
            top_k: how many to return; all if None.
            timeout_s: after how many seconds to answer with what was scored; the others follow in their order.

        Returns:
            Each chunk with "score" (0 to 1), "logit" (the model's own score, or None) and "reranker" ("cross_encoder",
            "lexical" or "input order").

        Raises:
            InvalidInputError: an argument can not be used.
        """
        asked = _Asked(query, chunks, top_k, timeout_s)
        for name, reranker in self._rerankers.items():
            with asked.of(name):
                asked.ranked = reranker.postprocess_nodes(asked.nodes, asked.request)
            if asked.served:
                break
        return asked.answer()

    async def arerank(
        self, query: str, chunks: Sequence[Chunk], top_k: int | None = None, timeout_s: float | None = None
    ) -> list[dict[str, Any]]:
        """Do what `rerank` does, without blocking the loop."""
        asked = _Asked(query, chunks, top_k, timeout_s)
        for name, reranker in self._rerankers.items():
            with asked.of(name):
                asked.ranked = await reranker.apostprocess_nodes(asked.nodes, asked.request)
            if asked.served:
                break
        return asked.answer()

    def close(self) -> None:
        """Give the model back: the last of its users unloads it."""
        self._cross_encoder.close()


class _Asked:
    """One call: its chunks as nodes, and how they were ranked, by whom."""

    def __init__(self, query: str, chunks: Sequence[Chunk], top_k: int | None, timeout_s: float | None) -> None:
        if not isinstance(query, str):
            raise InvalidInputError(f"query must be a string, not {type(query).__name__}")
        if top_k is not None and (isinstance(top_k, bool) or not isinstance(top_k, int) or top_k < 1):
            raise InvalidInputError(f"top_k must be 1 or more, or None for all, not {top_k!r}")
        self.chunks = chunks
        self.top_k = top_k
        self.nodes = [
            NodeWithScore(node=TextNode(id_=str(place), text=_content(place, chunk)), score=0.0)
            for place, chunk in enumerate(chunks)
        ]
        self.request = RetrievalQuery(query, deadline=Deadline() if timeout_s is None else Deadline.after(timeout_s))
        self.request.trace.chunks = {place: ChunkTrace(place, "", "", "") for place in map(str, range(len(chunks)))}
        self.ranked: list[NodeWithScore] = self.nodes
        self.served = ""

    @contextmanager
    def of(self, reranker: str) -> Iterator[None]:
        """Note that `reranker` served if the block sets scores; a failure lets the next one try."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 - the next one serves
            logger.warning("Rerank: %s failed: %s", reranker, kind_of(error))
        else:
            self.served = reranker if any(node.score for node in self.ranked) else ""

    def answer(self) -> list[dict[str, Any]]:
        """Return copies of the chunks as they were ranked."""
        return [
            {
                **self.chunks[int(node.node.node_id)],
                "score": float(node.score or 0.0),
                "logit": self.request.trace.chunks[node.node.node_id].logit,
                "reranker": self.served or "input order",
            }
            for node in self.ranked[: self.top_k]
        ]


def _content(place: int, chunk: Chunk) -> str:
    if isinstance(chunk, Mapping) and isinstance(content := chunk.get("content"), str):
        return content
    given = f"it has {', '.join(map(repr, chunk))}" if isinstance(chunk, Mapping) else f"not {type(chunk).__name__}"
    raise InvalidInputError(f"chunks[{place}] must be a dict with its text under 'content': {given}")
