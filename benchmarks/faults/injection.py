"""Components that fail, hang or answer rubbish now and then, each independently of the others.

What was injected into a request is noted in `injected`, a context variable that its tasks and threads inherit.
"""

from __future__ import annotations

import asyncio
import copy
import random
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Literal

from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.postprocessor.types import BaseNodePostprocessor
from llama_index.core.schema import NodeWithScore, QueryBundle, TextNode
from pydantic import PrivateAttr

from rag_app import RagApp
from rag_app.pipeline import RetrievalPipeline
from rag_app.query_analysis import QueryAnalyzer
from rag_app.retrievers import HybridRetriever
from rag_app.schema import RetrievalQuery
from rag_app.serving import RetrievalService
from rag_app.simple_pipeline import SimplePipeline
from rag_app.storage import TenantCatalog

Kind = Literal["raises", "hangs", "rubbish", "foreign chunks"]


@dataclass(frozen=True)
class Fault:
    """What one component did to one request."""

    component: str
    kind: Kind


injected: ContextVar[list[Fault]] = ContextVar("injected")


class Injector:
    """Draws faults.

    Args:
        rate: how often each component fails, 0 to 1; the three ways are equally frequent.
        hang_s: how long a component hangs, in seconds.
        seed: of the draws.
    """

    def __init__(self, rate: float, hang_s: float, seed: int = 0) -> None:
        self._random = random.Random(seed)  # noqa: S311 - nothing secret
        self._rate = rate
        self._hang_s = hang_s

    async def around(
        self, component: str, work: Callable[[], Awaitable[Any]], *, rubbish: Callable[[random.Random], Any]
    ) -> Any:
        """Await the work, or do what a broken component would do instead."""
        kind = self._drawn()
        if kind is None:
            return await work()
        if kind == "rubbish":
            answer = rubbish(self._random)
            _note(component, "foreign chunks" if _is_foreign(answer) else kind)
            return answer
        _note(component, kind)
        if kind == "hangs":
            await asyncio.sleep(self._hang_s)
        raise RuntimeError("injected")

    def _drawn(self) -> Kind | None:
        kinds: tuple[Kind, ...] = ("raises", "hangs", "rubbish")
        return self._random.choice(kinds) if self._random.random() < self._rate else None


def _note(component: str, kind: Kind) -> None:
    injected.get().append(Fault(component, kind))


def _is_foreign(answer: Any) -> bool:
    return isinstance(answer, list) and any(isinstance(hit, NodeWithScore) and hit.score == 1.0 for hit in answer)


def no_answer(rng: random.Random) -> Any:
    """Return something that no component may answer."""
    return rng.choice(["rubbish", 42, object()])


def no_nodes(rng: random.Random) -> Any:
    """Return something that no retriever or postprocessor may answer."""
    stranger = TextNode(id_="stranger", text="stranger", metadata={"tenant": "another"})
    odd = NodeWithScore(node=stranger, score=float("nan"))
    return rng.choice(["rubbish", [42], [odd], [NodeWithScore(node=stranger, score=1.0)]])


class FaultyRetriever(BaseRetriever):
    """A leg that fails now and then."""

    def __init__(self, component: str, inner: BaseRetriever, injector: Injector) -> None:
        super().__init__()
        self._component, self._inner, self._injector = component, inner, injector

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        raise NotImplementedError("requests are asynchronous")

    async def _aretrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        raise NotImplementedError("aretrieve does it all")

    async def aretrieve(self, str_or_query_bundle: Any) -> Any:
        """Retrieve, or not; LlamaIndex's own method would stumble over rubbish before ours sees it."""
        return await self._injector.around(
            self._component, lambda: self._inner.aretrieve(str_or_query_bundle), rubbish=no_nodes
        )


class FaultyPostprocessor(BaseNodePostprocessor):
    """A postprocessor that fails now and then."""

    _component: str = PrivateAttr()
    _inner: BaseNodePostprocessor = PrivateAttr()
    _injector: Injector = PrivateAttr()

    def __init__(self, component: str, inner: BaseNodePostprocessor, injector: Injector) -> None:
        super().__init__()
        self._component, self._inner, self._injector = component, inner, injector

    def class_name(self) -> str:  # type: ignore[override] # the component is told by the name of what is inside
        """Return the name of the component."""
        return self._component

    def _postprocess_nodes(
        self, nodes: list[NodeWithScore], query_bundle: QueryBundle | None = None
    ) -> list[NodeWithScore]:
        raise NotImplementedError("requests are asynchronous")

    async def _apostprocess_nodes(self, nodes: list[NodeWithScore], query_bundle: QueryBundle | None = None) -> Any:
        return await self._injector.around(
            self._component, lambda: self._inner.apostprocess_nodes(nodes, query_bundle), rubbish=no_nodes
        )


class FaultyAnalyzer(QueryAnalyzer):
    """An analyser that fails now and then, in its thread."""

    def __init__(self, inner: QueryAnalyzer, injector: Injector) -> None:
        self._inner, self._injector = inner, injector

    def analyze(self, query: str) -> Any:
        """Analyse, or not."""

        async def work() -> Any:
            return self._inner.analyze(query)

        return asyncio.run(self._injector.around("analyzer", work, rubbish=no_answer))


class FaultyCatalog(TenantCatalog):
    """A catalog that fails now and then."""

    def __init__(self, inner: TenantCatalog, injector: Injector) -> None:
        self._inner, self._injector = inner, injector

    async def asnapshot(self, tenant: str) -> Any:
        """Tell what the tenant has, or not."""
        return await self._injector.around("catalog", lambda: self._inner.asnapshot(tenant), rubbish=no_answer)

    async def aresolve(self, query: RetrievalQuery, snapshot: Any) -> None:
        """Do what the catalog does with what it told."""
        await self._inner.aresolve(query, snapshot)


def faulty_service(
    app: RagApp, injector: Injector, rerankers: Mapping[str, BaseNodePostprocessor], leg_timeout_s: float
) -> RetrievalService:
    """Return the application's service, every component of which fails now and then.

    Args:
        app: whose parts to wrap; they stay as they are.
        injector: decides what fails.
        rerankers: the rerankers to wrap, by name.
        leg_timeout_s: how long one leg may take.
    """
    whole, service = app.pipeline, copy.copy(app.service)
    legs = {name: FaultyRetriever(name, leg, injector) for name, leg in whole.retriever.legs.items()}

    async def read(query: Any) -> Any:
        return await injector.around("vocabulary", lambda: whole.read(query), rubbish=no_answer)

    service.production = RetrievalPipeline(
        analyzer=FaultyAnalyzer(whole.analyzer, injector),
        catalog=FaultyCatalog(whole.catalog, injector),
        read=read,
        retriever=HybridRetriever(legs, app.loop, leg_timeout_s=leg_timeout_s),
        rerankers={name: FaultyPostprocessor(name, reranker, injector) for name, reranker in rerankers.items()},
        context=[FaultyPostprocessor(step.class_name(), step, injector) for step in whole.context],
        writer=whole.writer,
    )
    simple = app.service.simple
    service.simple = SimplePipeline(
        catalog=whole.catalog,  # without which it answers the same, so that there is nothing to note
        retriever=FaultyRetriever(simple.method, simple.retriever, injector),
        budget=FaultyPostprocessor("budget of the fallback", simple.budget, injector),
        writer=simple.writer,
    )
    return service
