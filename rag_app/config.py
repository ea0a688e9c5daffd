"""Settings: defaults < profile < YAML file < environment (RAG_APP_*) < keyword arguments."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from rag_app.errors import ConfigurationError, unknown_name


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class DatabaseSettings(_Section):
    """Where documents live: `url` (also `DATABASE_URL`), else the embedded PostgreSQL under `data_dir`.

    `pool_size` is of each of the two pools, for threads and for coroutines; `index_memory_mb` is what building one
    dense index may use.
    """

    url: SecretStr | None = None
    pool_size: PositiveInt = 5
    auto_upgrade: bool = True
    index_memory_mb: PositiveInt = 512


class IngestionSettings(_Section):
    """How documents are cut and embedded; sizes in tokens."""

    child_tokens: PositiveInt = 128
    parent_tokens: PositiveInt = 512
    embed_dim: int = Field(default=1024, ge=64, le=3500)  # a row with its vector fits a page of 8 kB
    batch_size: PositiveInt = 256
    max_file_mb: PositiveFloat = 20


class QueryAnalysisSettings(_Section):
    """Stage 1, as YAML files: `intents`, in place of the shipped ones; `lexicon`, in addition to the shipped one."""

    intents: Path | None = None
    lexicon: Path | None = None


class RetrievalSettings(_Section):
    """Stage 2: candidates of each leg and of their fusion.

    A tenant of up to `exact_limit` chunks is searched without a dense index. `filter_keys` are the keys of metadata
    that a call may filter by, beside doc_id, kind and title.
    """

    dense_top_k: PositiveInt = 20
    sparse_top_k: PositiveInt = 15
    fusion_top_k: PositiveInt = 20
    dense_weight: PositiveFloat = 0.5
    sparse_weight: PositiveFloat = 1.0
    rrf_k: PositiveInt = 60
    leg_timeout_s: PositiveFloat = 1.0
    bm25_cache_mb: PositiveFloat = 200
    exact_limit: PositiveInt = 10_000
    filter_keys: tuple[str, ...] = ()


class RerankSettings(_Section):
    """Stage 3: which reranker, and how many chunks go on.

    `load: eager` loads the cross-encoder when the application is opened, and waits for it; `lazy` when it is needed.
    """

    kind: Literal["lexical", "cross_encoder", "none"] = "lexical"
    model: str = "base"
    top_k: PositiveInt = 8
    max_length: PositiveInt = 512
    precision: Literal["auto", "fp32", "bf16", "int8", "fp16"] = "auto"
    device: str | None = None
    load: Literal["lazy", "eager"] = "lazy"
    load_timeout_s: PositiveFloat = 120
    retry_after_s: PositiveFloat = 30
    cache_size: int = Field(default=10_000, ge=0)


class ContextSettings(_Section):
    """Stage 4: the token budget of a call that names none, and who counts.

    `token_counter: auto` counts by Gemini's own tokenizer where its file is here, `tokenizer_file` or google-genai's
    cache, and else by the estimate; `gemini_api` asks the API once for each context.
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
    its last word, retries included.
    """

    kind: Literal["extractive", "google_genai", "gemini", "openai_like"] = "extractive"
    model: str = "gemini-2.5-flash"
    api_key: SecretStr | None = None
    api_base: str | None = None
    timeout_s: PositiveFloat = 30
    retries: int = Field(default=2, ge=0, le=10)
    max_tokens: PositiveInt = 1024
    temperature: float = Field(default=0.2, ge=0, le=2)


class ServerSettings(_Section):
    """`rag-app serve`: where it listens, and how much it takes on.

    `max_in_flight` requests run at once and as many wait; a key may ask `requests_per_minute` times. Both answer 429
    above that. `drain_s` is what requests have to end when the server is stopped. `cors_origins` are the sites that
    browsers may call it from; none by default.
    """

    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    max_in_flight: PositiveInt = 16
    requests_per_minute: PositiveInt = 120
    max_upload_mb: PositiveFloat = 20
    max_question_chars: PositiveInt = 2000
    drain_s: PositiveFloat = 20
    cors_origins: tuple[str, ...] = ()


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


PROFILES: dict[str, dict[str, Any]] = {
    "embedded": {},
    "production": {
        "database": {"auto_upgrade": False},
        "rerank": {"kind": "cross_encoder"},
        "llm": {"kind": "google_genai"},
    },
}
_from_file: ContextVar[dict[str, Any] | None] = ContextVar("from_file", default=None)


class Settings(BaseSettings):
    """Everything that can be set; `deadline_s` bounds a request from question to context."""

    model_config = SettingsConfigDict(
        env_prefix="RAG_APP_",
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        nested_model_default_partial_update=True,
    )

    profile: str = "embedded"
    data_dir: Path = Path(".rag_app")
    deadline_s: PositiveFloat = 2.0
    database: DatabaseSettings = DatabaseSettings()
    ingestion: IngestionSettings = IngestionSettings()
    query_analysis: QueryAnalysisSettings = QueryAnalysisSettings()
    retrieval: RetrievalSettings = RetrievalSettings()
    rerank: RerankSettings = RerankSettings()
    context: ContextSettings = ContextSettings()
    llm: LLMSettings = LLMSettings()
    server: ServerSettings = ServerSettings()
    worker: WorkerSettings = WorkerSettings()
    flags: FlagSettings = FlagSettings()
    shadow: ShadowSettings = ShadowSettings()
    logs: LogSettings = LogSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Put the sources in order, the strongest first."""
        sources = [init_settings, env_settings, InitSettingsSource(settings_cls, _from_file.get() or {})]
        profile = str(next((name for source in sources if (name := source().get("profile"))), "embedded"))
        if profile not in PROFILES:
            raise ConfigurationError(unknown_name("profile", profile, PROFILES))
        return (*sources, InitSettingsSource(settings_cls, PROFILES[profile]))


def load_settings(config: str | Path | None = None, **overrides: Any) -> Settings:
    """Return the settings from every place they can be set.

    Args:
        config: a YAML file; else the one that `RAG_APP_CONFIG` names.
        overrides: settings by name; a section as a dict.

    Raises:
        ConfigurationError: the file is missing or no YAML, or a setting is unknown or has no valid value.
    """
    for variable in os.environ:
        section, separator, _ = variable.removeprefix("RAG_APP_").lower().partition("__")
        if separator and variable.startswith("RAG_APP_") and section not in Settings.model_fields:
            raise ConfigurationError(
                unknown_name("section of settings in the environment", section, Settings.model_fields)
            )
    file = Path(path) if (path := config or os.environ.get("RAG_APP_CONFIG")) else None
    given = {name: value for name, value in overrides.items() if value is not None}
    token = _from_file.set(_read_yaml(file) if file else None)
    try:
        settings = Settings(**given)
    except ValidationError as error:
        raise ConfigurationError("\n".join(_explain(entry) for entry in error.errors())) from None
    except SettingsError as error:  # a whole section in one variable that is not JSON; its value may hold a secret
        raise ConfigurationError(f"{error}: name single settings, as in RAG_APP_RERANK__TOP_K=8") from None
    finally:
        _from_file.reset(token)
    url = os.environ.get("DATABASE_URL")
    if url and settings.database.url is None:
        database = settings.database.model_copy(update={"url": SecretStr(url)})
        settings = settings.model_copy(update={"database": database})
    return settings


def _read_yaml(file: Path) -> dict[str, Any]:
    import yaml

    if not file.is_file():
        raise ConfigurationError(f"the configuration file {file} does not exist")
    try:
        with file.open(encoding="utf-8") as stream:  # of a stream, errors quote no line, which may hold a password
            content = yaml.safe_load(stream)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"the configuration file {file} is not YAML: {error}") from error
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise ConfigurationError(
            f"the configuration file {file} must map names to values; it is a {type(content).__name__}"
        )
    return {str(name): value for name, value in content.items()}


def _explain(entry: Mapping[str, Any]) -> str:
    """Say what is wrong with one setting, and the nearest valid name of an unknown one."""
    *sections, name = (str(part) for part in entry["loc"]) if entry["loc"] else ("settings",)
    if entry["type"] != "extra_forbidden":
        where = ".".join((*sections, name))
        holds_password = where.startswith(("database", "flags.redis_url", "llm", "worker"))
        given = "" if holds_password else f", not {entry['input']!r}"
        return f"{where}: {entry['msg']}{given}"
    model: Any = Settings
    for section in sections:
        model = model.model_fields[section].annotation
    where = f"setting of {'.'.join(sections)}" if sections else "setting"
    return unknown_name(where, name, model.model_fields)
