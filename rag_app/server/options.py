"""What requests have in common."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from rag_app.server.errors import ErrorBody
from rag_app.serving import Method

Scalar = str | int | float | bool
Budget = Annotated[int, Field(ge=0, le=100_000)]
Name = Annotated[str, Field(min_length=1, max_length=200)]
FAILURES: dict[int | str, dict[str, Any]] = {
    400: {"model": ErrorBody, "description": "The request can not be used; `param` names the field."},
    401: {"model": ErrorBody, "description": "No key, or one that is not valid."},
    408: {"model": ErrorBody, "description": "The body came too slowly."},
    413: {"model": ErrorBody, "description": "The body is too large."},
    415: {"model": ErrorBody, "description": "The body is in no format that this endpoint reads."},
    429: {"model": ErrorBody, "description": "Too many requests of this key, or of all; `Retry-After` says when."},
    503: {"model": ErrorBody, "description": "The database does not answer, or the server is stopping."},
}
"""What any endpoint under `/v1/` may answer."""


class Strict(BaseModel):
    """A body whose fields are all known, each of exactly its type: a tenant, say, can not be named in it."""

    model_config = ConfigDict(extra="forbid", strict=True)


class RetrievalFields(Strict):
    """What is searched, and how much of it may be used."""

    primary_source: Name | None = Field(None, description="The source with the primary budget; none searches all.")
    secondary_sources: list[Name] = Field(default=[], max_length=50)
    primary_budget: Budget | None = Field(None, description="Tokens; the configured number if none.")
    secondary_budget: Budget | None = Field(None, description="Tokens; the configured number if none.")
    filters: dict[str, Scalar | list[Scalar]] | None = Field(
        None,
        description="What a document's metadata must hold: values by key, each one or a list of which any will do.",
    )
    method: Method = Field("production_rag", description="Which pipeline answers; `by_flags` lets the flags choose.")

    def arguments(self) -> dict[str, Any]:
        """Return the options as the application takes them."""
        return {name: getattr(self, name) for name in RetrievalFields.model_fields}
