"""Models without tables, for Django's permissions, its admin and the admin's log; rag_app keeps what they stand for."""

from __future__ import annotations

from django.db import models


class Flag(models.Model):
    """A flag that acts at run time."""

    name: models.CharField[str, str] = models.CharField(max_length=200, primary_key=True)

    class Meta:  # noqa: D106
        managed = False
        default_permissions = ("view", "change")

    def __str__(self) -> str:
        return self.name


class Document(models.Model):
    """A document of a tenant."""

    doc_id: models.CharField[str, str] = models.CharField(max_length=200, primary_key=True)

    class Meta:  # noqa: D106
        managed = False
        default_permissions = ("view", "delete")

    def __str__(self) -> str:
        return self.doc_id
