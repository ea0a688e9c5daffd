"""What the stored index was built with: the embedding's and the analyser's fingerprints."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import text

from rag_app.errors import IndexMismatchError

INDEX_SETTINGS = text("SELECT name, value FROM rag_app.index_settings WHERE name NOT LIKE 'next.%'")


def require_same_index(expected: Mapping[str, str], stored: Mapping[str, str]) -> None:
    """Check that the index was built with `expected`, as far as it says.

    Raises:
        IndexMismatchError: it was not, and mixing the two would lose what is stored.
    """
    for name, value in expected.items():
        if stored.get(name, value) != value:
            raise IndexMismatchError(
                f"the stored index was built with {name} {stored[name]!r}, the configuration now asks for {value!r}: "
                "set it back, or run rag-app reindex, which makes the index anew while the application goes on serving"
            )
