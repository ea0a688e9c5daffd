"""Names, keys and values that have broken filters somewhere, and a model of what a filter lets pass."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

INJECTIONS = (
    "' OR '1'='1",
    "'; DROP TABLE rag_app.documents; --",
    '"',
    "\\",
    "$$",
    ":x",
    ":tenant",
    "%s",
    "%(tenant)s",
    "{tenant}",
    "%",
    "_",
    "*",
    "null",
)
LOOK_ALIKES = (
    "123",
    "۱۲۳",  # Persian digits
    "١٢٣",  # Arabic digits
    "123.0",
    "1e3",
    "1000",
    "acme",
    "Acme",
    "аcme",  # a Cyrillic а
    "acme ",
    " acme",
    "acme\u200c",
    "علی",
    "علي",  # an Arabic yeh
    "é",
    "e\u0301",
    "🙂" * 200,
    "🙂" * 199,
)
TENANTS = (*INJECTIONS, *LOOK_ALIKES)
STRANGERS = ("' OR '1'='2", "acme\u00a0", "ACME", "acmе", "124", "۱۲۴", "0123", "E\u0301", "é ", "على", "x", "🙂" * 198)
NO_NAMES: tuple[Any, ...] = (
    "",
    " ",
    "a\0b",
    "a\nb",
    "x" * 201,
    "' OR '1'='1" * 1000,
    "\ud800",
    7,
    10**5000,
    None,
    True,
    1.5,
    b"acme",
    ["acme"],
    {"acme": 1},
)
SOURCES = ("manual", "manual ", "Manual", "mаnual", "' OR '1'='1", "123", "۱۲۳", ":source", "%(sources)s", "null")
KEYS = (
    "brand",
    "Brand",
    "brand ",
    "brаnd",
    "' OR '1'='1",
    '"',
    ":x",
    "%(tenant)s",
    "$.brand",
    "a.b",
    "{a,b}",
    "123",
    "۱۲۳",
    "é",
    "e\u0301",
    "",
    "k" * 10_000,
    "tenant",  # what LlamaIndex and we ourselves write beside a document's own
    "_node_content",
    "_node_type",
    "document_id",
    "preamble",
)
NO_KEYS: tuple[Any, ...] = (
    "brnad",
    "source",
    "' OR 1=1 --",
    "x" * 10_000,
    "a\0b",
    "\ud800",
    3,
    None,
    10**5000,
    b"brand",
)
VALUES: tuple[Any, ...] = (
    *INJECTIONS,
    *LOOK_ALIKES,
    123,
    123.5,
    1000,
    1e3,
    1,
    0,
    True,
    False,
    "true",
    "True",
    "1",
    "0",
    "",
    " ",
    -0.0,
    0.1,
    2**63,
    10**400,
    1e23,
    1e308,
    5e-324,
    "ب" * 10_000,
    "' OR '1'='1" * 1000,
)
STORED_ALONE: tuple[Any, ...] = (None, {"123": 123}, [], ["123", 123], ["acme", True], [["acme"]], [1, None])
NO_VALUES: tuple[Any, ...] = (
    None,
    {"acme": 1},
    [None],
    [["acme"]],
    math.nan,
    math.inf,
    "a\0b",
    "\ud800",
    b"acme",
    10**5000,
    ["acme"] * 1001,
    object(),
)
SHARED = "راهنمای خرید گوشی همراه"  # words of every document, so that a leak shows
_LETTERS = "ابپتجچحخدرزسشصطعفقکگلمنوهی"
QUESTIONS = (
    SHARED,
    f"{SHARED} ' OR '1'='1",
    f"{SHARED} \0 %s :x {{y}} \\",
    f"{SHARED} {'ب' * 10_000}",
    f"{SHARED} " + "' OR '1'='1 " * 50,
    "rahnamaye kharid گوشي همراه",
)
Filters = Sequence[tuple[str, Sequence[Any]]]
"""Keys with the values of which a document must hold one; all keys must pass."""


@dataclass(frozen=True)
class Stored:
    """A document as it was given."""

    doc_id: str
    title: str
    source: str
    text: str
    metadata: Mapping[str, Any]

    def passes(self, sources: Sequence[str] | None, filters: Filters) -> bool:
        """Tell whether a search of these sources with these filters may find it."""
        fields = {**self.metadata, "doc_id": self.doc_id, "title": self.title}
        return (sources is None or self.source in sources) and all(
            any(holds(fields[key], value) for value in values) if key in fields else False for key, values in filters
        )

    @property
    def record(self) -> dict[str, Any]:
        """The document as `RagApp.ingest` takes it."""
        return {
            "id": self.doc_id,
            "title": self.title,
            "source": self.source,
            "text": self.text,
            "metadata": dict(self.metadata),
        }


def holds(stored: Any, asked: Any) -> bool:
    """Tell whether a stored value is the one asked for, or a list that has it, as values of the same type."""
    return any(_typed(entry) == _typed(asked) for entry in (stored if isinstance(stored, list) else [stored]))


def _typed(value: Any) -> tuple[str, Any]:
    if isinstance(value, bool):
        return "boolean", value
    if isinstance(value, int | float):
        return "number", Decimal(json.dumps(value))
    return ("text", value) if isinstance(value, str) else ("other", id(value))


def documents(choose: random.Random, tenant: str, count: int, first: int = 0) -> list[Stored]:
    """Return documents whose ids, sources, keys and values are those of every other tenant's."""
    return [document(choose, tenant, number) for number in range(first, first + count)]


def document(choose: random.Random, tenant: str, number: int) -> Stored:
    """Return the document of this number, whose text and title name the tenant by its place in the list alone."""
    ids = (*INJECTIONS, *LOOK_ALIKES)
    doc_id = ids[number] if number < len(ids) else f"{ids[number % len(ids)][:190]}{number}"
    keys = choose.sample(KEYS, choose.randint(1, 4))
    mark = f"نشان {TENANTS.index(tenant)} سند {number} نوبت {choose.randrange(10**6)}"
    # Long enough for several chunks, of which some share no word with the questions.
    noise = f" {choose.choice(INJECTIONS)} " * 40 if number % 6 == 5 else ""
    own_words = " ".join("".join(choose.choices(_LETTERS, k=6)) for _ in range(12))
    return Stored(
        doc_id=doc_id,
        title=choose.choice([mark, choose.choice(INJECTIONS), "acme"]),
        source=SOURCES[number % len(SOURCES)],
        text=f"{SHARED}، {mark}. {own_words}.{noise}",
        metadata={key: choose.choice(VALUES + STORED_ALONE) for key in keys},
    )
