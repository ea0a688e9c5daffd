"""What the endpoints work with."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any, cast

from fastapi import Depends, Request

from rag_app.app import RagApp
from rag_app.server.auth import KeyRing
from rag_app.server.errors import ApiError
from rag_app.server.limits import Gate, RateLimits
from rag_app.storage import KeyStore

_INGESTION_WAIT_S = 30.0
_HALVES = re.compile(r"[\ud800-\udfff]")  # of characters, which JSON can name and nothing can send


@dataclass(frozen=True)
class Services:
    """What the endpoints of one server share.

    Attributes:
        app: what answers and stores.
        keys: who may call.
        rates: how often.
        requests: how many requests run at once.
        ingestions: how many of them may store documents, which takes longer than to answer; the others' places are
            for questions.
    """

    app: RagApp
    keys: KeyRing
    rates: RateLimits
    requests: Gate
    ingestions: Gate

    @classmethod
    def of(cls, app: RagApp) -> Services:
        """Return the services as the application's settings have them."""
        options = app.settings.server
        return cls(
            app=app,
            keys=KeyRing(KeyStore(app.database)),
            rates=RateLimits(options.requests_per_minute),
            requests=Gate(options.max_in_flight, app.settings.deadline_s / 4),
            ingestions=Gate(max(1, options.max_in_flight // 8), _INGESTION_WAIT_S),
        )

    def admit(self) -> None:
        """Let a question in only if it will have most of its time left when its turn comes.

        Raises:
            ApiError: 429, it would not.
        """
        wait_s = self.app.service.expected_wait_s
        if wait_s > self.app.settings.deadline_s / 4:
            raise ApiError(429, "too many questions are waiting; try again soon", "overloaded", retry_after_s=wait_s)

    def checked_question(self, name: str, text: str) -> str:
        """Return a question if it is a text, and not too long.

        Raises:
            ApiError: 400, it is not.
        """
        most = self.app.settings.server.max_question_chars
        if len(text) > most:
            raise ApiError(400, f"{name} has {len(text)} characters; the limit is {most}", "too_long", param=name)
        return self.checked_text(name, text)

    @staticmethod
    def checked_text(name: str, text: str) -> str:
        """Return a text if it is one.

        Raises:
            ApiError: 400, it is not.
        """
        if _HALVES.search(text):
            raise ApiError(400, f"{name} holds lone surrogates", "invalid_value", param=name)
        return text


def services_of(state: Any) -> Services:
    """Return the services of a server by its `state`."""
    return cast("Services", state.services)


def _services(request: Request) -> Services:
    return services_of(request.app.state)


Served = Annotated[Services, Depends(_services)]


async def _time_left(request: Request, served: Served) -> float:
    deadline_s = served.app.settings.deadline_s
    return max(deadline_s / 4, deadline_s - float(request.state.waited_s))


TimeLeft = Annotated[float, Depends(_time_left)]
"""What a question has left of its deadline, in seconds, once its key is known and its turn has come."""
