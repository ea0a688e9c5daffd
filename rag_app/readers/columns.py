"""The names that columns and fields go by in either language."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rag_app.persian import fold
from rag_app.persian.folding import HALF_SPACE

TITLE_NAMES = ("title", "name", "product", "product name", "عنوان", "نام", "نام محصول", "نام کالا", "محصول", "کالا")
TEXT_NAMES = ("text", "description", "متن", "توضیحات", "توضیح", "شرح")
ID_NAMES = ("id", "شناسه")
CODE_NAMES = ("sku", "code", "کد", "کد محصول", "کد کالا")
SOURCE_NAMES = ("source",)
QUESTION_NAMES = ("question", "پرسش", "سوال", "سؤال")
ANSWER_NAMES = ("answer", "پاسخ", "جواب")


def plain(column: str) -> str:
    """Return a column's name as it is compared: in small letters, with one kind of each letter and space."""
    return " ".join(fold(column).replace(HALF_SPACE, " ").replace("_", " ").split())


def column_of(columns: Mapping[str, str], names: Sequence[str]) -> str | None:
    """Return the column that goes by the first of these names, of columns by their plain names; None if none does."""
    return next((columns[plain(name)] for name in names if plain(name) in columns), None)
