"""rag_app in a Django project: `rag_app.contrib.django` in INSTALLED_APPS, and `RAG_APP = {...}` in the settings.

The application of the process is opened on first use, as `RAG_APP` says. Documents follow models by `ingest_on_commit`
and `delete_on_commit`.
"""

from rag_app.contrib.django.background import wait_for_ingestion
from rag_app.contrib.django.changes import Change, apply_change
from rag_app.contrib.django.ingestion import delete_on_commit, ingest_on_commit

__all__ = ["Change", "apply_change", "delete_on_commit", "ingest_on_commit", "wait_for_ingestion"]
