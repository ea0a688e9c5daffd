"""Counting the tokens of a context by Gemini's API."""

from __future__ import annotations

import asyncio
import os

from google.genai import Client, errors, types

from rag_app.breaker import CircuitBreaker
from rag_app.errors import ComponentError, ConfigurationError, InvalidAnswerError

_FAIR_S = 0.1  # a request that had less and ran out of time tells nothing of the API
_REASONS = {400: "bad request", 401: "refused key", 403: "refused key", 404: "bad request", 429: "quota"}


class GeminiAPITokenCounter:
    """Counts as the model itself does, by one request for each text. One that keeps failing is not asked for a while.

    Args:
        model: the model that will read the context, such as "gemini-2.5-flash".
        api_key: the key; that of `GOOGLE_API_KEY` or `GEMINI_API_KEY` if None.
        api_base: the URL of the service, if it is not Google's.

    Raises:
        ConfigurationError: there is no key.
    """

    name = "gemini_api"

    def __init__(self, model: str, api_key: str | None = None, api_base: str | None = None) -> None:
        key = api_key or os.environ.get("GOOGLE_API_KEY") or os.environ.get("GEMINI_API_KEY")
        if not key:
            raise ConfigurationError(
                'context.token_counter "gemini_api" needs an API key: set llm.api_key, RAG_APP_LLM__API_KEY, '
                "GOOGLE_API_KEY or GEMINI_API_KEY"
            )
        self._model = model
        self._client = Client(
            vertexai=False,
            api_key=key,
            http_options=types.HttpOptions(base_url=api_base, retry_options=types.HttpRetryOptions(attempts=1)),
        )
        self._breaker = CircuitBreaker(retry_after_s=5, longest_s=60, threshold=3)

    async def acount(self, text: str, *, timeout_s: float) -> int:
        """Return the number of tokens of `text`.

        Raises:
            ComponentError: they could not be counted; its reason is "time-out", "refused key", "quota", "bad request",
                "unavailable", "invalid answer", or "not tried" after several failures.
        """
        try:
            with self._breaker.attempt(fair=timeout_s > _FAIR_S):
                async with asyncio.timeout(timeout_s):
                    answer = await self._client.aio.models.count_tokens(model=self._model, contents=text)
                if not answer.total_tokens:
                    raise InvalidAnswerError("the API gave no number of tokens")
                return answer.total_tokens
        except ComponentError:
            raise
        except TimeoutError:
            raise ComponentError(f"the API did not count within {timeout_s:.1f} s", "time-out") from None
        except errors.APIError as error:
            reason = _REASONS.get(error.code, "unavailable")
            raise ComponentError(f"the API did not count (HTTP {error.code})", reason) from None
        except Exception as error:  # noqa: BLE001 - of the network, in the words of one of two HTTP clients
            raise ComponentError(f"the API can not be reached ({type(error).__name__})", "unavailable") from None

    async def aclose(self) -> None:
        """Close the connections, on the loop that it counted on."""
        await self._client.aio.aclose()
        self._client.close()
