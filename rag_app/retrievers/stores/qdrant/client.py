"""The connection to Qdrant, made when it is first needed, and what its failures are called here."""

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from threading import Lock
from typing import TypeVar

from qdrant_client import QdrantClient, models
from qdrant_client.http.exceptions import ApiException, UnexpectedResponse

from rag_app.errors import ComponentError

T = TypeVar("T")

_THREADS = 8
_EDGES_OF_TENANT = 16  # of a vector, in the graph of its own tenant; there is none over all tenants


@dataclass(frozen=True)
class QdrantOptions:
    """Where Qdrant is; without a URL it is the local mode, under `path` or in memory."""

    url: str | None = None
    api_key: str | None = None
    path: str | None = None
    collection: str = "rag_app"
    timeout_s: float = 10.0

    @property
    def place(self) -> str:
        """What messages call it."""
        return self.url or self.path or "local mode, in memory"


class QdrantConnection:
    """Runs work on the collection in threads of its own: one for the local mode, which knows no other.

    Args:
        options: where it is.
        embed_dim: how long vectors are.
    """

    def __init__(self, options: QdrantOptions, embed_dim: int) -> None:
        self.collection = options.collection
        self.embed_dim = embed_dim
        self._options = options
        self._threads = ThreadPoolExecutor(_THREADS if options.url else 1, thread_name_prefix="rag_app-qdrant")
        self._client: QdrantClient | None = None
        self._is_ready = False
        self._opening = Lock()

    def submit(self, work: Callable[[QdrantClient], T]) -> Future[T]:
        """Begin work on the collection, which is made if there is none; its result may be a `ComponentError`."""
        return self._threads.submit(self._run, work)

    def close(self) -> None:
        """Wait for what is running, and close the connection."""

        def close() -> None:
            if self._client is not None:
                self._client.close()

        self._threads.submit(close).result()
        self._threads.shutdown()

    def _run(self, work: Callable[[QdrantClient], T]) -> T:
        try:
            return work(self._opened())
        except UnexpectedResponse as error:
            self._is_ready = False  # the collection may be gone
            raise self._failure("refused", f"answers {error.status_code} {error.reason_phrase}") from error
        except (ApiException, OSError) as error:
            raise self._failure("unavailable", f"does not answer: {error}") from error
        except (RuntimeError, ValueError) as error:  # of the local mode
            self._is_ready = False
            raise self._failure("refused", f"can not be used: {error}") from error

    def _failure(self, kind: str, what: str) -> ComponentError:
        return ComponentError(f"Qdrant ({self._options.place}) {what.splitlines()[0]}", f"qdrant {kind}")

    def _opened(self) -> QdrantClient:
        with self._opening:
            if self._client is None:
                self._client = self._connected()
            if not self._is_ready:
                self._prepare(self._client)
                self._is_ready = True
            return self._client

    def _connected(self) -> QdrantClient:
        options = self._options
        if options.url is None:
            return QdrantClient(path=options.path) if options.path else QdrantClient(location=":memory:")
        return QdrantClient(
            url=options.url,
            api_key=options.api_key,
            timeout=math.ceil(options.timeout_s),
            check_compatibility=False,  # it would ask before anybody needs it, and only warn
        )

    def _prepare(self, client: QdrantClient) -> None:
        """Make the collection and the indexes of what is filtered by; beside others who do."""
        if not client.collection_exists(self.collection):
            try:
                client.create_collection(
                    self.collection,
                    vectors_config=models.VectorParams(
                        size=self.embed_dim, distance=models.Distance.COSINE, datatype=models.Datatype.FLOAT16
                    ),
                    hnsw_config=models.HnswConfigDiff(m=0, payload_m=_EDGES_OF_TENANT),
                )
            except UnexpectedResponse:
                if not client.collection_exists(self.collection):
                    raise
        vectors = client.get_collection(self.collection).config.params.vectors
        if not isinstance(vectors, models.VectorParams) or vectors.size != self.embed_dim:
            size = vectors.size if isinstance(vectors, models.VectorParams) else "named"
            raise ValueError(
                f"the collection {self.collection!r} has {size} vectors, and the embedding gives {self.embed_dim} "
                "numbers: name another qdrant.collection"
            )
        if self._options.url is None:
            return  # the local mode compares all
        for field in ("tenant", "source", "doc_id"):
            schema = models.KeywordIndexParams(type=models.KeywordIndexType.KEYWORD, is_tenant=field == "tenant")
            client.create_payload_index(self.collection, field, schema)
