"""Stands for a queue of tasks: what `RAG_APP_INGEST` may name."""

import json

from rag_app.contrib.django import Change

sent: list[str] = []


def send(change: Change) -> None:
    sent.append(json.dumps(change))
    if change["doc_id"] == "refused":
        raise ConnectionError("the broker does not take the secret text")
