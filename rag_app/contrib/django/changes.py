"""Changes of documents, and doing them on the application of the process."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypedDict

from rag_app.errors import InvalidInputError
from rag_app.logs import get_logger

logger = get_logger(__name__)


class Change(TypedDict):
    """What is to become of a document; of values that JSON has if its `document` is.

    `document` is a record as `RagApp.ingest` takes it, or None to delete the one of `doc_id`.
    """

    tenant: str
    doc_id: str
    document: dict[str, Any] | None


def apply_change(change: Change) -> None:
    """Do a change, on the application of this process; for what `RAG_APP_INGEST` names, such as a task of a queue.

    Raises:
        InvalidInputError: the document can not be stored as it is.
        StorageError: the database does not answer; it may do so later.
    """
    from rag_app.process_app import default_app

    if change["document"] is None:
        default_app().delete(change["doc_id"], tenant=change["tenant"])
        return
    report = default_app().ingest([change["document"]], tenant=change["tenant"])
    if report.skipped:
        raise InvalidInputError(report.skipped[0].reason)


def apply_all(tenant: str, changes: Sequence[Change]) -> None:
    """Do changes of a tenant, no two of one document; what can not be stored as it is is logged.

    Raises:
        StorageError: the database does not answer.
    """
    from rag_app.process_app import default_app

    app = default_app()
    for change in changes:
        if change["document"] is None:
            app.delete(change["doc_id"], tenant=tenant)
    documents = [change["document"] for change in changes if change["document"] is not None]
    skipped = app.ingest(documents, tenant=tenant).skipped if documents else ()
    reasons = {entry.origin: entry.reason for entry in skipped}
    for change in changes:
        if change["document"] is not None and change["doc_id"] in reasons:
            log_failure(change, reasons[change["doc_id"]])


def log_failure(change: Change, why: str) -> None:
    """Log that a change was not done, and why, in words that hold nothing of the text."""
    what = "ingested" if change["document"] is not None else "deleted"
    logger.error("document %s of tenant %s was not %s: %s", change["doc_id"], change["tenant"], what, why)
