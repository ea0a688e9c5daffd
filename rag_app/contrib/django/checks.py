"""What `manage.py check`, and each command that Django checks a project for, tells of the settings of rag_app."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.core.checks import CheckMessage, Error

from rag_app.contrib.django.conf import given_settings
from rag_app.errors import ConfigurationError

_HINT = "They are read from RAG_APP in the project's settings, RAG_APP_* in the environment, and the file of 'config'."


def check_settings(app_configs: Sequence[AppConfig] | None, **_: Any) -> list[CheckMessage]:
    """Return an error for each setting that is unknown or has no valid value, and one for a hook that is not there."""
    from rag_app.config import load_settings
    from rag_app.contrib.django.ingestion import hook

    found: list[CheckMessage] = []
    try:
        load_settings(**given_settings())
    except ConfigurationError as error:
        found += [Error(f"rag_app: {line}", hint=_HINT, id="rag_app.E001") for line in str(error).splitlines()]
    try:
        hook()
    except ConfigurationError as error:
        found.append(Error(f"rag_app: {error}", id="rag_app.E002"))
    return found
