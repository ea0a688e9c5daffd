"""The sections of settings; each docstring says what its settings mean."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PositiveFloat,
    PositiveInt,
    SecretStr,
    WithJsonSchema,
    model_validator,
)

from rag_app.kinds import PATH, Component, checked_kind, is_shipped, names_of


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _described(component: Component) -> WithJsonSchema:
    names = {"enum": list(names_of(component)), "type": "string"}
    return WithJsonSchema({"anyOf": [names, {"pattern": f"^{PATH}$", "type": "string"}]})


EmbeddingKind = Annotated[str, AfterValidator(partial(checked_kind, "embedding")), _described("embedding")]
DenseKind = Annotated[str, AfterValidator(partial(checked_kind, "dense")), _described("dense")]
SparseKind = Annotated[str, AfterValidator(partial(checked_kind, "sparse")), _described("sparse")]
LegKind = Annotated[str, AfterValidator(partial(checked_kind, "leg")), _described("leg")]
RerankKind = Annotated[str, AfterValidator(partial(checked_kind, "rerank")), _described("rerank")]
LLMKind = Annotated[str, AfterValidator(partial(checked_kind, "llm")), _described("llm")]


class DatabaseSettings(_Section):
    """Where documents live: `url` (also `DATABASE_URL`), else the embedded PostgreSQL under `data_dir`.

    `pool_size` is of each of the two pools, for threads and for coroutines; `index_memory_mb` is what building one
    dense index may use. `auto_upgrade` brings an older schema up to date on opening.
    """

    url: SecretStr | None = None
    pool_size: PositiveInt = 5
    auto_upgrade: bool = True
    index_memory_mb: PositiveInt = 512


class IngestionSettings(_Section):
    """How documents are cut, into parents that are read and children that are searched, and stored.

    `batch_size` is of documents that are embedded and written at once; a file larger than `max_file_mb` is skipped.
    """

    child_tokens: PositiveInt = 128
    parent_tokens: PositiveInt = 512
    batch_size: PositiveInt = 256
    max_file_mb: PositiveFloat = 20


class EmbeddingSettings(_Section):
    """What makes vectors of texts and questions; a change of it needs `rag-app reindex`.

    `model`, the prefixes and the batch size are for kinds with a model, `api_key` and `api_base` for services; `dim` is
    the length of the vectors where the kind does not know it. `options` are the arguments of a class of one's own.
    """

    kind: EmbeddingKind = "hashing"
    model: str = "BAAI/bge-m3"
    dim: int | None = Field(default=None, ge=64, le=3500)  # a row with its vector fits a page of 8 kB
    api_key: SecretStr | None = None
    api_base: str | None = None
    query_prefix: str = ""
    text_prefix: str = ""
    batch_size: PositiveInt = 64
    timeout_s: PositiveFloat = 10
    options: dict[str, Any] = Field(default={}, repr=False)  # one of them may be a key

    @model_validator(mode="after")
    def _only_own_have_options(self) -> EmbeddingSettings:
        return _without_options("embedding", self)


class QueryAnalysisSettings(_Section):
    """Stage 1, as YAML files: `intents`, in place of the shipped ones; `lexicon`, in addition to the shipped one."""

    intents: Path | None = None
    lexicon: Path | None = None


class LegSettings(_Section):
    """A further leg: a LlamaIndex retriever of one's own, made with `options`, and its weight in the fusion."""

    kind: LegKind
    weight: PositiveFloat = 1.0
    options: dict[str, Any] = Field(default={}, repr=False)  # one of them may be a key


class ExpansionSettings(_Section):
    """Whether the LLM words a question in further ways before it is searched, which costs its time on each request.

    `queries` is how many further ways; what does not come within `timeout_s` is not waited for.
    """

    enabled: bool = False
    queries: int = Field(default=2, ge=1, le=5)
    timeout_s: PositiveFloat = 0.8


class RetrievalSettings(_Section):
    """Stage 2: the legs, candidates of each and of their fusion.

    `dense` says where vectors are searched, `sparse` how words are; `none` leaves that leg out. `legs` are further
    ones by name. Ranks are fused as weight / (`rrf_k` + rank); a leg that takes longer than `leg_timeout_s` is left
    out. The BM25 indexes of a process, with what it remembers of questions' words, may take `bm25_cache_mb`, the
    chunks that it found last `chunk_cache_mb`. The dense store `memory` keeps up to `memory_store_mb` of vectors,
    those of the tenants asked for last; `auto` does for tenants of up to `exact_limit` chunks, and has PostgreSQL
    search larger ones, and those that are not in memory yet.

    A tenant of up to `exact_limit` chunks is searched without a dense index. `filter_keys` are the keys of metadata
    that a call may filter by, beside doc_id, kind and title.
    """

    dense: DenseKind = "auto"
    sparse: SparseKind = "bm25"
    legs: dict[str, LegSettings] = {}
    expansion: ExpansionSettings = ExpansionSettings()
    dense_top_k: PositiveInt = 20
    sparse_top_k: PositiveInt = 15
    fusion_top_k: PositiveInt = 20
    dense_weight: PositiveFloat = 0.5
    sparse_weight: PositiveFloat = 1.0
    rrf_k: PositiveInt = 60
    leg_timeout_s: PositiveFloat = 1.0
    bm25_cache_mb: PositiveFloat = 200
    chunk_cache_mb: PositiveFloat = 100
    memory_store_mb: PositiveFloat = 200
    exact_limit: PositiveInt = 10_000
    filter_keys: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _some_leg(self) -> RetrievalSettings:
        if self.dense == self.sparse == "none" and not self.legs:
            raise ValueError("there is no leg left: set dense or sparse, or name one under legs")
        for name in self.legs:
            if name in _LEGS or not _LEG_NAME.fullmatch(name):
                raise ValueError(
                    f"legs: {name!r} can not name a leg: take lower-case letters, digits and _, and none of "
                    f"{', '.join(_LEGS)}"
                )
        return self


class QdrantSettings(_Section):
    """Where the dense store `qdrant` is: a server or cluster at `url`, or the local mode, for one process.

    The local mode keeps its data under `path`, or in memory without it. One `collection` is for one database.
    """

    url: str | None = None
    api_key: SecretStr | None = None
    path: Path | None = None
    collection: str = Field(default="rag_app", min_length=1)

    @model_validator(mode="after")
    def _one_place(self) -> QdrantSettings:
        if self.url is not None and self.path is not None:
            raise ValueError("url is for a server and path for the local mode: leave one out")
        return self


_LEGS = ("dense", "bm25", "postgres_fts")
_LEG_NAME = re.compile(r"[a-z][a-z0-9_]{0,40}")


class RerankSettings(_Section):
    """Stage 3: which reranker, and how many chunks go on; `options` are the arguments of a postprocessor of one's own.

    `model` is base, large, multilingual, a hub id or a folder, and `max_length` the most tokens of question and passage
    together. `load: eager` loads the cross-encoder when the application is opened, and waits for it; `lazy` when it is
    needed. One that fails, or takes longer than `load_timeout_s`, is tried again after `retry_after_s`. `cache_size`
    is how many scores are remembered.
    """

    kind: RerankKind = "lexical"
    model: str = "base"
    top_k: PositiveInt = 8
    max_length: PositiveInt = 512
    precision: Literal["auto", "fp32", "bf16", "int8", "fp16"] = "auto"
    device: str | None = None
    load: Literal["lazy", "eager"] = "lazy"
    load_timeout_s: PositiveFloat = 120
    retry_after_s: PositiveFloat = 30
    cache_size: int = Field(default=10_000, ge=0)
    options: dict[str, Any] = Field(default={}, repr=False)  # one of them may be a key

    @model_validator(mode="after")
    def _only_own_have_options(self) -> RerankSettings:
        return _without_options("rerank", self)


class ContextSettings(_Section):
    """Stage 4: the token budget of a call that names none, and who counts.

    `token_counter: auto` counts by Gemini's own tokenizer where its file is here, `tokenizer_file` or google-genai's
    cache, and else by the estimate; `gemini_api` asks the API once for each context. Of chunks that share the part
    `duplicate_threshold` of their words the best one stays.
    """

    primary_budget: int = Field(default=800, ge=0)
    secondary_budget: int = Field(default=600, ge=0)
    duplicate_threshold: float = Field(default=0.9, gt=0, le=1)
    token_counter: Literal["auto", "estimate", "gemini_local", "gemini_api"] = "auto"  # noqa: S105 - no password
    tokenizer_file: Path | None = None


class LLMSettings(_Section):
    """Who writes the answers, and what one may cost.

    `extractive` quotes the best chunks and is no language model. `api_key` and `api_base` are those of the service; for
    Gemini the key may be in `GOOGLE_API_KEY` or `GEMINI_API_KEY` too. `timeout_s` bounds an answer from its request to
    its last word, retries included. `options` are the arguments of a class of one's own.
    """

    kind: LLMKind = "extractive"
    model: str = "gemini-2.5-flash"
    api_key: SecretStr | None = None
    api_base: str | None = None
    timeout_s: PositiveFloat = 30
    retries: int = Field(default=2, ge=0, le=10)
    max_tokens: PositiveInt = 1024
    temperature: float = Field(default=0.2, ge=0, le=2)
    options: dict[str, Any] = Field(default={}, repr=False)  # one of them may be a key

    @model_validator(mode="after")
    def _only_own_have_options(self) -> LLMSettings:
        return _without_options("llm", self)


class ServerSettings(_Section):
    """`rag-app serve`: where it listens, and how much it takes on.

    `max_in_flight` requests run at once and as many wait, of one tenant three quarters at most; a key may ask
    `requests_per_minute` times. Both answer 429 above that. `drain_s` is what requests have to end when the server is
    stopped. `cors_origins` are the sites that browsers may call it from; none by default. Of several `processes` on the
    port each has these limits for itself.
    """

    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    processes: int = Field(default=1, ge=1, le=64)
    max_in_flight: PositiveInt = 16
    requests_per_minute: PositiveInt = 120
    max_upload_mb: PositiveFloat = 20
    max_question_chars: PositiveInt = 2000
    drain_s: PositiveFloat = 20
    cors_origins: tuple[str, ...] = ()


T = TypeVar("T", EmbeddingSettings, RerankSettings, LLMSettings)


def _without_options(component: Component, section: T) -> T:
    if section.options and is_shipped(component, section.kind):
        raise ValueError(f"options are for a class of one's own, and {section.kind!r} is none: leave them out")
    return section


class WorkerSettings(_Section):
    """`rag-app worker`: where tasks wait, where their results are kept, and how many it works on at once.

    `broker_url` and `result_backend` are as Celery has them; without the latter, results are kept in the broker, which
    must be Redis then. `concurrency` is of processes, each with a task at a time. A task whose worker was lost is given
    to another after `visibility_timeout_s`; so is one that merely takes longer, which does no harm but work.
    """

    broker_url: SecretStr | None = None
    result_backend: SecretStr | None = None
    queue: str = "rag_app"
    concurrency: PositiveInt = 2
    visibility_timeout_s: PositiveInt = 3600
    result_expires_s: PositiveInt = 86_400


class FlagSettings(_Section):
    """Where the runtime flags live, and how often a process reads them, in seconds.

    `redis_url` is needed by the backend `redis` alone; `memory` is for one process and forgets at its end.
    """

    backend: Literal["postgres", "redis", "memory"] = "postgres"
    redis_url: SecretStr | None = None
    refresh_s: float = Field(default=2.0, gt=0, le=5)


class ShadowSettings(_Section):
    """How many requests at once may run the new pipeline beside the old; those that come meanwhile are not compared."""

    max_in_flight: PositiveInt = 1


class LogSettings(_Section):
    """`query_text` writes customers' questions to the log, at level DEBUG."""

    query_text: bool = False
