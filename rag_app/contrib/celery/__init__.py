"""Ingestion in the background, by Celery.

The tasks are `rag_app.ingest`, `rag_app.delete` and `rag_app.reindex`, in `rag_app.contrib.celery.tasks`. They belong
to whichever Celery application a process has. One of your own, as Django projects have it, takes them in by

    app.autodiscover_tasks(["rag_app.contrib.celery"])

and its workers need the settings of rag_app: by the environment, or `rag_app.configure(...)` at their start. What
`queue_settings` in `application.py` sets for reliability is yours to set then. Where there is none,
`open_queue(load_settings())` makes one, and `rag-app worker` works for it. Either way:

    from rag_app.contrib.celery.tasks import ingest
    waiting = ingest.delay([{"id": "m1", "text": "..."}], tenant="my-shop", source="manual")
    waiting.state, waiting.info   # "PROGRESS", {"done": 40, "last_id": "m40"}
    waiting.get()                 # the IngestReport as a dict
"""

from __future__ import annotations

from rag_app.contrib.celery.application import open_queue

__all__ = ["open_queue"]
