"""Hostile texts and values: what has slowed or broken readers of text and of JSON somewhere, mixed at random."""

from __future__ import annotations

import random
from typing import Any

# What is repeated: white space, marks that are sorted, half-spaces, directions, halves of characters, Markdown, lists,
# numbers, citations, delimiters, letters that unfold to many, endings that are taken off one after the other.
UNITS = (
    *(" ", "  1", "\t", "\n", "\n\n", "\r", "\x0b", "\x00", "\u2028", "\u3000", "\u200b", "\u200c", "\ufeff"),
    *("\u0301\u0323", "\u0323\u0301", "\u0f73", "\u0345", "\u064b", "\u0640", "\u0654", "\ud800", "\udfff", "\u202e"),
    *("\u2066", "\u200f", "\U000e0041", "\ufe0f", "\U0001f468\u200d", "😀", "\ufdfa", "\u1100\u1161", "ß", "İ", "ǰ"),
    *(
        "|",
        "| ",
        "|-",
        "|-|\n",
        "|\n",
        "-",
        "- ",
        "# ",
        "#\n",
        "###### x\n",
        "1. x\n",
        "1) ",
        "* ",
        "`",
        "\\",
        '"',
        "'",
    ),
    *("1", "1,", "1.", "1/", "1 ", "00", "1\u0660", ".", ". ", "…", "؟", "؟ ", "؛ ", "،", ":", "x: y\n", "«", ".»"),
    *("[", "[1]", "[1 ", "[1,", " [", "]", "<", "< ", "<\u200b", "</chunk>", "<chunk id=", "<start_of_turn>"),
    *("a", "é", "ا", "ی", "ش", "ا\u200c", "a\u200c", "ها", "ها\u200c", "شان", "می", "mi", "kh", "sh", "shanbe", "aa"),
    *("سلام ", "ارسال ", "هزینه‌ش ", "این دوره ", "ghesti ", "a ", "ي\u0654", "ك", "۱۲۳", "xy.z/"),
)
EDGES = ("", "a", "ab", "اب", "1", "|", "[", "#", "\n", "x", "1x", "کتاب\u200c", "این ", " چنده؟", "\ud800")
NUMBERS: tuple[Any, ...] = (0, -1, 1, 2**31, 2**63, 10**400, -(10**4000), 0.5, 1e308, 5e-324, True, False, None)
NO_NUMBERS: tuple[Any, ...] = (float("nan"), float("inf"), 10**5000)


def hostile_text(choose: random.Random, most: int) -> str:
    """Return a text of up to `most` characters: a few stretches, each of one unit, with something around them."""
    parts = []
    left = choose.choice((0, 3, 40, most // 10, most, most))
    while left > 0:
        unit = choose.choice(UNITS)
        length = choose.choice((1, 5, left // 3, left, left))
        stretch = choose.choice(EDGES) + unit * (length // len(unit)) + choose.choice(EDGES)
        parts.append(stretch)
        left -= max(1, len(stretch))
    return "".join(parts)[:most]


def hostile_value(choose: random.Random, depth: int = 4, *, most: int = 2000) -> Any:
    """Return a value of JSON, or one that only looks like it."""
    kind = choose.randrange(10)
    if depth and kind == 0:
        return [hostile_value(choose, depth - 1, most=most) for _ in range(choose.choice((0, 1, 3)))]
    if depth and kind == 1:
        keys = (
            choose.choice(("id", "title", "brand", hostile_text(choose, 50))) for _ in range(choose.choice((0, 1, 3)))
        )
        return {key: hostile_value(choose, depth - 1, most=most) for key in keys}
    if kind == 2:
        return [choose.choice(NUMBERS)] * choose.choice((1, 1001, 5000))
    if kind == 3:
        value: Any = "x"
        for _ in range(choose.choice((5, 90, 900))):
            value = [value] if choose.random() < 0.5 else {"a": value}
        return value
    if kind < 6:
        return choose.choice(NUMBERS + NO_NUMBERS)
    return hostile_text(choose, most)


def hostile_json(choose: random.Random, value: Any) -> str:
    """Return a value as JSON; often it is broken, nested further, has a key twice, or holds a number without end."""
    import json

    try:
        text = json.dumps(value, ensure_ascii=choose.random() < 0.5)
    except (ValueError, RecursionError):
        text = "NaN"
    kind = choose.randrange(8)
    if kind == 0 and text.endswith("}") and len(text) > 2:
        return f"{text[:-1]}, {text[1:]}"
    if kind == 1:
        return text.replace("1", "9" * choose.choice((20, 400, 5000)), 1)
    if kind == 2:
        depth = choose.choice((100, 1000, 100_000))
        return text.replace('"', f'{"[" * depth}"', 1)
    if kind == 3 and text:
        at = choose.randrange(len(text))
        return (
            text[:at]
            + choose.choice(("\\u0000", "\\ud800", "\x00", '"', "{", "}", "1e999", "Infinity", ""))
            + text[at + 1 :]
        )
    return text
