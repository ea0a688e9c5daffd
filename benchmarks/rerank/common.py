"""What all measurements of the cross-encoder share: arguments, the model, texts, and the times of batches."""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

from full_size import BUILT, SIZES, full_size
from machine import described
from passages import PAIRS, Paragraph, PassageSet, draw, read_paragraphs
from transformers import AutoTokenizer, PreTrainedTokenizerBase
from transformers.utils import logging as transformers_logging

from rag_app.cross_encoder import EngineOptions, find_model
from rag_app.cross_encoder.scorer import Features
from rag_app.errors import ComponentError
from rag_app.postprocessors import CrossEncoderRerank

NOTHING_REMEMBERED = EngineOptions(load_timeout_s=600, cache_size=0)


@dataclass(frozen=True)
class Subject:
    """The model that is measured, and the texts that it ranks.

    Attributes:
        name: the size that was built, or the model that was named.
        folder: the model's files.
        tokenizer: the model's own, by which passages are cut.
    """

    name: str
    folder: Path
    paragraphs: Sequence[Paragraph]
    tokenizer: PreTrainedTokenizerBase

    def draw(self, seed: int, pairs: int = PAIRS) -> PassageSet:
        """Return a question and passages; other seeds give others."""
        return draw(self.paragraphs, self.tokenizer, seed, pairs)


def parser_of(told: str | None, size: str) -> argparse.ArgumentParser:
    """Return a parser of the arguments that all scripts take.

    Args:
        told: what the script does.
        size: what it measures unless told otherwise.
    """
    parser = argparse.ArgumentParser(description=told, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=SIZES, default=size, help="architecture, built once into build/rerank")
    parser.add_argument("--model", help="measure this model instead: a folder, or a name that `rag-app models` knows")
    parser.add_argument("--squad", type=Path, help="take the texts from this file in the format of SQuAD")
    parser.add_argument("--json", type=Path, help="write all that was measured to this file")
    return parser


def subject_of(given: argparse.Namespace) -> Subject:
    """Return what the arguments name; the model is built if need be.

    Raises:
        SystemExit: the model or the file of texts can not be used.
    """
    os.environ.setdefault("RAG_APP_CACHE_DIR", str(BUILT / "cache"))
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    paragraphs = read_paragraphs(given.squad)
    if given.model is None:
        folder = full_size(given.size, [text for paragraph in paragraphs for text in paragraph.texts])
    else:
        try:
            folder = find_model(given.model)
        except ComponentError as error:
            raise SystemExit(str(error)) from error
    return Subject(given.model or given.size, folder, paragraphs, AutoTokenizer.from_pretrained(folder))


@contextmanager
def loaded(subject: Subject, precision: str) -> Iterator[CrossEncoderRerank]:
    """Load our reranker, which remembers no scores, and give its memory back afterwards.

    Raises:
        SystemExit: the model can not be loaded.
    """
    reranker = CrossEncoderRerank(
        str(subject.folder), top_n=PAIRS, precision=precision, device="cpu", options=NOTHING_REMEMBERED
    )
    try:
        if error := reranker.load().error:
            raise SystemExit(error)
        yield reranker
    finally:
        reranker.close()


@contextmanager
def batches_timed(reranker: CrossEncoderRerank) -> Iterator[list[float]]:
    """Collect the seconds that each batch of a loaded reranker takes."""
    model = reranker._engine.model
    if model is None:
        raise SystemExit("the reranker is not loaded")
    scorer, taken = model.scorer, list[float]()
    logits = scorer.logits

    def timed(batch: Sequence[Features]) -> list[float]:
        started = time.perf_counter()
        try:
            return logits(batch)
        finally:
            taken.append(time.perf_counter() - started)

    with patch.object(scorer, "logits", timed):
        yield taken


def headline(subject: Subject, *more: str) -> None:
    """Print what is measured, and on what."""
    print("; ".join((subject.name, *more)))
    print(described())


def middle(figures: Sequence[float]) -> str:
    """Return the median, the least and the most."""
    return f"{statistics.median(figures):.2f} ({min(figures):.2f} - {max(figures):.2f})"


def percentiles(figures: Sequence[float]) -> dict[str, float]:
    """Return p50, p99 and the most."""
    cuts = statistics.quantiles(figures, n=100, method="inclusive")
    return {"p50": cuts[49], "p99": cuts[98], "max": max(figures)}


def scored_told(scored: Sequence[int]) -> str:
    """Return how many passages requests scored."""
    return f"{statistics.fmean(scored):.1f} of {PAIRS} in the mean, {min(scored)} - {max(scored)}"


def write_json(file: Path | None, report: dict[str, Any]) -> None:
    """Write the report, if a file was named."""
    if file is not None:
        file.write_text(json.dumps({"machine": described(), **report}, ensure_ascii=False, indent=1), "utf-8")
