"""Settings: what can be set, from where, and what holds."""

from rag_app.config.origins import Effective, effective_settings
from rag_app.config.sections import WorkerSettings
from rag_app.config.settings import PROFILES, Settings, load_settings
from rag_app.config.template import template

__all__ = ["PROFILES", "Effective", "Settings", "WorkerSettings", "effective_settings", "load_settings", "template"]
