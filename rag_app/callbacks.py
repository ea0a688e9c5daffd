"""LlamaIndex's callbacks, without what they would keep for good."""

from __future__ import annotations

from collections import defaultdict
from typing import Any, TypeVar

from llama_index.core.callbacks import CallbackManager

_MOST_EVENTS = 1_000  # more than one request has
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
