"""What Django loads when it starts: names, and where the settings are. Nothing is opened."""

from __future__ import annotations

from typing import Any

from django.apps import AppConfig
from django.core import checks
from django.core.signals import setting_changed

from rag_app.contrib.django.checks import check_settings
from rag_app.contrib.django.conf import project_settings
from rag_app.process_app import close_default_app, configure_from


class RagAppConfig(AppConfig):
    """rag_app as an application of a Django project."""

    name = "rag_app.contrib.django"
    label = "rag_app"
    verbose_name = "rag_app"

    def ready(self) -> None:
        """Have the application of the process be opened as the project's settings say, once it is used."""
        configure_from(project_settings)
        checks.register(check_settings)
        setting_changed.connect(_reopen, dispatch_uid="rag_app")


def _reopen(*, setting: str, **_: Any) -> None:
    """Close the application when a test overrides its settings."""
    if setting in ("RAG_APP", "DATABASES"):
        close_default_app()
