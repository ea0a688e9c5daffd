"""Documents that follow models: what a transaction changed is ingested or deleted once it is committed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from django.db import transaction

from rag_app.contrib.django.background import in_background
from rag_app.contrib.django.changes import Change, log_failure
from rag_app.errors import ConfigurationError, kind_of
from rag_app.users import tenant_of

if TYPE_CHECKING:
    from django.db.models import Model


def ingest_on_commit(
    instance: Model,
    *,
    tenant: object,
    text: str,
    source: str | None = None,
    title: str = "",
    doc_id: str | None = None,
    metadata: Mapping[str, Any] | None = None,
) -> None:
    """Store the document of a model when the transaction that it is saved in is committed; never on a rollback.

    For receivers of `post_save`. The work is done in the background, in the order of the commits, or by what
    `RAG_APP_INGEST` names. A failure is logged, without the text. A document whose text became empty is deleted.

    Args:
        instance: what was saved.
        tenant: whose document it is: an object with a `pk` or `id`, or a string or integer.
        text: what is to be found.
        source: the source; else "documents".
        title: the title.
        doc_id: the document's id; `app_label.model:pk` if None.
        metadata: further values that JSON has, which a call may filter by.

    Raises:
        InvalidInputError: `tenant` names none.
    """
    record = {"id": _doc_id(instance, doc_id), "text": text, "title": title, "source": source, "metadata": metadata}
    document = {name: value for name, value in record.items() if value is not None}
    _on_commit(instance, tenant, doc_id, document if text.strip() else None)


def delete_on_commit(instance: Model, *, tenant: object, doc_id: str | None = None) -> None:
    """Delete the document of a model when the transaction is committed that deletes it; for receivers of `post_delete`.

    Arguments and errors are those of `ingest_on_commit`.
    """
    _on_commit(instance, tenant, doc_id, None)


def hook() -> Callable[[Change], Any] | None:
    """Return what `RAG_APP_INGEST` names, or None if it is not set.

    Raises:
        ConfigurationError: there is no such function.
    """
    from django.conf import settings
    from django.utils.module_loading import import_string

    path = getattr(settings, "RAG_APP_INGEST", None)
    if path is None:
        return None
    try:
        found = import_string(path)
    except (ImportError, AttributeError) as error:  # AttributeError: it is no string
        raise ConfigurationError(f"RAG_APP_INGEST: {path!r} can not be imported: {error}") from error
    if not callable(found):
        raise ConfigurationError(f"RAG_APP_INGEST: {path!r} must be a function that takes a change")
    return found  # type: ignore[no-any-return]


def _doc_id(instance: Model, given: str | None) -> str:
    return given if given is not None else f"{instance._meta.label_lower}:{instance.pk}"


def _on_commit(instance: Model, tenant: object, doc_id: str | None, document: dict[str, Any] | None) -> None:
    # All is read now: once it is deleted, a model has no primary key.
    change = Change(tenant=tenant_of(tenant), doc_id=_doc_id(instance, doc_id), document=document)
    transaction.on_commit(partial(_send, change), using=instance._state.db)


def _send(change: Change) -> None:
    """Give a change to the hook or to the thread; what was saved is committed, and no failure here may hide that."""
    try:
        (hook() or in_background)(change)
    except Exception as error:  # noqa: BLE001 - the hook is not ours, and its error's words may be the document's
        log_failure(change, kind_of(error))
