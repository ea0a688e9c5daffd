"""Texts for tenants of any size, of the sentences of a SQuAD file or of made-up words as frequent as a language's."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from rag_app.persian import sentence_spans

OWN_WORDS = 0.02  # the share of words that hardly occur twice, as names do
_LETTERS = "ابپتجچدرزسشفقکگلمنوهی"


def sentences_of(squad: Path | None, rng: random.Random) -> list[str]:
    """Return the sentences to make texts of."""
    if squad is not None:
        articles = json.loads(squad.read_text("utf-8-sig"))["data"]
        texts = [paragraph["context"] for article in articles for paragraph in article["paragraphs"]]
        return [" ".join(text[start:end].split()) for text in texts for start, end in sentence_spans(text)]
    words = [made_up(rng) for _ in range(30_000)]
    frequent = np.cumsum(1 / np.arange(1, len(words) + 1)).tolist()  # Zipf's law
    return [" ".join(rng.choices(words, cum_weights=frequent, k=15)) for _ in range(20_000)]


def questions_of(squad: Path | None, sentences: list[str], count: int, rng: random.Random) -> list[str]:
    """Return questions of the file, or else a few words each of random sentences."""
    if squad is not None:
        articles = json.loads(squad.read_text("utf-8-sig"))["data"]
        asked = [entry["question"] for article in articles for part in article["paragraphs"] for entry in part["qas"]]
        return rng.sample(asked, count)
    return [" ".join(rng.sample(sentence.split(), 6)) for sentence in rng.sample(sentences, count)]


def made_up(rng: random.Random) -> str:
    """Return a word that hardly occurs twice."""
    return "".join(rng.choices(_LETTERS, k=rng.randint(4, 8)))


def texts(sentences: list[str], rng: random.Random, words: int) -> Iterator[str]:
    """Yield texts of so many words, without end."""
    while True:
        taken: list[str] = []
        while len(taken) < words:
            taken += rng.choice(sentences).split()
        yield " ".join(made_up(rng) if rng.random() < OWN_WORDS else word for word in taken[:words])
