"""The application: one object that ingests, retrieves and deletes, for any tenant."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rag_app.app.answers import AnswerCalls
from rag_app.app.documents import DocumentCalls
from rag_app.config import load_settings


class RagApp(DocumentCalls, AnswerCalls):
    """Persian-first retrieval and answers over one database. Open one per process; threads and requests share it.

    Attributes:
        settings: what it was opened with.
        pipeline: the four stages; its parts are LlamaIndex retrievers and postprocessors that also work alone.
        database: where everything is stored.
        service: what answers requests by that pipeline or by the old one.
        flags: what can be changed while it runs.
        loop: the event loop that everything asynchronous runs on.

    >>> with RagApp.from_config(profile="embedded", data_dir="...") as app:  # doctest: +SKIP
    ...     app.ingest([{"id": "m01", "title": "ارسال", "text": "ارسال رایگان است.", "source": "manual"}], tenant="t1")
    ...     app.retrieve("هزینه ارسال چقدره؟", tenant="t1").context
    """

    @classmethod
    def from_config(cls, config: str | Path | None = None, **settings: Any) -> RagApp:
        """Open an application.

        Args:
            config: a YAML file of settings.
            settings: any setting by name, such as `profile="embedded"` or `rerank={"kind": "none"}`.

        Raises:
            ConfigurationError: a setting is unknown or has no valid value.
            StorageError: the database does not start, does not answer or has another schema.
        """
        return cls(load_settings(config, **settings))
