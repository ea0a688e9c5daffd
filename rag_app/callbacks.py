"""LlamaIndex's callbacks, without what they would keep for good; and whether anybody listens."""

from __future__ import annotations

from collections import defaultdict
from typing import Any, TypeVar

from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.callbacks import CallbackManager
from llama_index_instrumentation import get_dispatcher
from llama_index_instrumentation.dispatcher import Dispatcher
from llama_index_instrumentation.event_handlers import NullEventHandler
from llama_index_instrumentation.span_handlers import NullSpanHandler

_MOST_EVENTS = 1_000  # more than one request has
_SILENT = (NullEventHandler, NullSpanHandler)
_of_retrievers = get_dispatcher(BaseRetriever.__module__)
T = TypeVar("T")


class BoundedCallbackManager(CallbackManager):
    """LlamaIndex's, which forgets the ids of events when they have become many.

    The stock one keeps them until a trace begins at the same manager, and at the parts that others call, such as an
    embedding, none ever does: each question would leave some 700 bytes.
    """

    _events = 0

    def on_event_start(self, *given: Any, **named: Any) -> str:
        """Tell the handlers, and note the event for the trace that runs."""
        self._events += 1
        if self._events > _MOST_EVENTS:
            self._events = 0
            self._trace_map = defaultdict(list)
        return super().on_event_start(*given, **named)


def bounded(component: T) -> T:
    """Return a component of LlamaIndex, whose events now go to its handlers by way of such a manager."""
    own: Any = component
    manager = BoundedCallbackManager()
    manager.handlers = own.callback_manager.handlers
    own.callback_manager = manager
    return component


def is_watched(retriever: BaseRetriever) -> bool:
    """Tell whether anybody is told of what a retriever does by LlamaIndex's callbacks, events or spans."""
    if retriever.callback_manager.handlers:
        return True
    dispatcher: Dispatcher | None = _of_retrievers
    while dispatcher is not None:
        if not all(isinstance(each, _SILENT) for each in (*dispatcher.event_handlers, *dispatcher.span_handlers)):
            return True
        dispatcher = dispatcher.parent if dispatcher.propagate else None
    return False
