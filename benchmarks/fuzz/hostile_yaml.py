"""Hostile YAML: settings, lexicons and intents that are broken, deep, or grow by aliases."""

from __future__ import annotations

import random

from hostile_texts import hostile_text

_PLAIN = (
    "rerank: {kind: lexical, top_k: 8}\nllm: {kind: extractive}\ndata_dir: x\ndeadline_s: 2\n",
    "retrieval: {filter_keys: [brand, price], weights: {dense: 0.5}}\nserver: {max_upload_mb: 20}\n",
    "synonyms: [[پول, وجه], [لغو, کنسل]]\ncourtesies: [وقت بخیر]\ntenants: {shop: {synonyms: [[a, b]]}}\n",
    "price:\n  phrases: [قیمت, چند]\n  sources: [faq]\n",
)
_TAGS = (
    "!!int x",
    "!!int ''",
    "!!float x",
    "!!bool x",
    "!!timestamp x",
    "!!binary x",
    "!!set {a}",
    "!!omap x",
    "!!null x",
)
_ODD = ("2026-13-45", "1:1:1:1", "9" * 5000, "0x", "1e999", ".nan", "~", "{a: {}}", "[[]]", "? [a]", "&a [*a]", "<<: 1")


def laughs(key: str, levels: int = 60, width: int = 9) -> str:
    """Return YAML whose last line stands for `width` to the power of `levels` values."""
    lines = ["x0: &x0 [a, a]"]
    lines += [f"x{n}: &x{n} [{', '.join([f'*x{n - 1}'] * width)}]" for n in range(1, levels)]
    return "\n".join((*lines, f"{key}: *x{levels - 1}"))


def merges(levels: int = 40) -> str:
    """Return YAML that doubles a mapping with each line by `<<`."""
    lines = [f"x{n}: &x{n} {{<<: [*x{n - 1}, *x{n - 1}]}}" for n in range(1, levels)]
    return "\n".join(("x0: &x0 {a: 1}", *lines))


BOMBS = {
    "aliases": laughs("synonyms"),
    "aliases of options": "llm:\n  options: &o {a: 1}\n" + laughs("rerank"),
    "merges": merges(),
    "itself": "llm: &a {options: {x: *a}}",
    "a chain": "\n".join(("x0: &x0 [a]", *(f"x{n}: &x{n} [*x{n - 1}]" for n in range(1, 3000)))),
    "deep": "[" * 100_000,
    "deep and whole": "a: " + "[" * 150 + "]" * 150,
    "deep blocks": "\n".join(" " * n + "a:" for n in range(1000)),
    "a day that is none": "deadline_s: 2026-13-45",
    "a number that is none": "deadline_s: !!int x",
    "a number without end": "deadline_s: " + "9" * 5000,
}


def hostile_yaml(choose: random.Random) -> str:
    """Return a small file of settings, a lexicon or intents with something else in places."""
    text = choose.choice(_PLAIN)
    for _ in range(choose.choice((1, 2, 4))):
        piece = choose.choice((choose.choice(_TAGS), choose.choice(_ODD), hostile_text(choose, 300), laughs("a", 3)))
        words = text.split(" ")
        at = choose.randrange(len(words))
        words[at] = choose.choice((piece, f'"{piece}"', words[at] + piece))
        text = " ".join(words)
    return text
