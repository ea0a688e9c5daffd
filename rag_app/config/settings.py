"""All settings, from: defaults < profile < YAML file < environment (RAG_APP_*) < keyword arguments."""

from __future__ import annotations

import os
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from pydantic import PositiveFloat, SecretStr, ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from rag_app.config.explaining import explained
from rag_app.config.places import ENVIRONMENT, Places, place_of
from rag_app.config.sections import (
    ContextSettings,
    DatabaseSettings,
    EmbeddingSettings,
    FlagSettings,
    IngestionSettings,
    LLMSettings,
    LogSettings,
    QdrantSettings,
    QueryAnalysisSettings,
    RerankSettings,
    RetrievalSettings,
    ServerSettings,
    ShadowSettings,
    WorkerSettings,
)
from rag_app.errors import ConfigurationError, unknown_name

PROFILES: dict[str, dict[str, Any]] = {
    "embedded": {},
    "production": {
        "database": {"auto_upgrade": False},
        "embedding": {"kind": "huggingface"},
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
    embedding: EmbeddingSettings = EmbeddingSettings()
    query_analysis: QueryAnalysisSettings = QueryAnalysisSettings()
    retrieval: RetrievalSettings = RetrievalSettings()
    qdrant: QdrantSettings = QdrantSettings()
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
    token = _from_file.set(read_yaml(file) if file else None)
    try:
        settings = Settings(**given)
    except ValidationError as error:
        places = [("", given), (ENVIRONMENT, EnvSettingsSource(Settings)()), (f"file {file}", _from_file.get() or {})]
        raise ConfigurationError("\n".join(_told(entry, places) for entry in error.errors())) from None
    except SettingsError as error:  # a whole section in one variable that is not JSON; its value may hold a secret
        raise ConfigurationError(f"{error}: name single settings, as in RAG_APP_RERANK__TOP_K=8") from None
    finally:
        _from_file.reset(token)
    url = os.environ.get("DATABASE_URL")
    if url and settings.database.url is None:
        database = settings.database.model_copy(update={"url": SecretStr(url)})
        settings = settings.model_copy(update={"database": database})
    return settings


def _told(entry: ErrorDetails, places: Places) -> str:
    """Say what is wrong with a setting and, unless it is an argument, where it is from."""
    place = place_of([str(part) for part in entry["loc"]], places) if entry["loc"] else None
    return f"{explained(entry, Settings)} ({place})" if place else explained(entry, Settings)


def read_yaml(file: Path) -> dict[str, Any]:
    """Return what a file of settings holds.

    Raises:
        ConfigurationError: it is missing or no YAML.
    """
    from rag_app.yaml_file import load_yaml

    if not file.is_file():
        raise ConfigurationError(f"the configuration file {file} does not exist")
    content = load_yaml(file, "configuration file")
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise ConfigurationError(
            f"the configuration file {file} must map names to values; it is a {type(content).__name__}"
        )
    return {str(name): value for name, value in content.items()}
