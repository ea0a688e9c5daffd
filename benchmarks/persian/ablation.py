"""What each element of the pipeline is worth: the same questions with one element switched off at a time."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any
from unittest.mock import patch

from table import RERANK, beir_folders, kept_or_temporary, opened, show

from rag_app.errors import RagAppError
from rag_app.evaluation import BeirDataset, EvaluationReport, evaluate, read_beir
from rag_app.persian import (
    Lexicons,
    PersianAnalyzer,
    Vocabulary,
    analyzer,
    folding,
    inflection,
    lexicon,
    matching,
    words,
)
from rag_app.persian import weights as word_weights
from rag_app.persian.finglish import FinglishIndex
from rag_app.persian.lexicon import Lexicon
from rag_app.persian.matching import WordMatcher
from rag_app.persian.spelling import Ngrams, SimilarToEach, SpellingIndex
from rag_app.postprocessors import lexical_rerank
from rag_app.retrievers.bm25 import TenantBM25Retriever, cache
from rag_app.storage.chunks import ChunkTokens

MEASURES = ("Success@1", "Success@5", "R@20")
SHOWN = ((RERANK, "Success@1"), (RERANK, "Success@5"), ("fusion", "R@20"))
_TABLE = folding._TABLE


class KeptLetters(dict[int, str | None]):
    """A folding table that leaves letters and digits as they are."""

    def __missing__(self, code: int) -> str | None:
        folded = _TABLE[code]
        return chr(code) if folded is not None and chr(code).isalnum() else folded


class ExactWords(SpellingIndex):
    """A spelling index that finds the word itself alone: what has all of its n-grams and no others."""

    def similar_to_each(self, asked: Ngrams, threshold: float) -> SimilarToEach:
        """Return each word itself where the list has it."""
        return super().similar_to_each(asked, 1.0)


class EachChunkAlone(TenantBM25Retriever):
    """The sparse leg as if each chunk were the only one of its parent."""

    def __init__(self, chunks: Sequence[ChunkTokens], *given: Any, **named: Any) -> None:
        super().__init__([chunk._replace(parent_id=chunk.node_id) for chunk in chunks], *given, **named)


def _spaced_forms(self: PersianAnalyzer, text: str) -> list[tuple[str, ...]]:
    """Take a half-space for a space."""
    spaced = folding.fold(text).replace(folding.HALF_SPACE, " ")
    return [(analyzer._plain(word),) for word in analyzer._WORD.findall(spaced)]


def _nothing(*_: object) -> SimilarToEach:
    return SimilarToEach.joined([])


@dataclass(frozen=True)
class Element:
    """What is switched off.

    Attributes:
        patches: objects, their attributes, and what stands in their place.
        settings: settings of the application.
        reindex: whether the stored index depends on it.
    """

    patches: Sequence[tuple[object, str, object]] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    reindex: bool = False

    @contextmanager
    def off(self) -> Iterator[None]:
        """Switch the element off within the block."""
        with ExitStack() as stack:
            for target, name, instead in self.patches:
                stack.enter_context(patch.object(target, name, instead))
            yield


ELEMENTS = {
    "folding of letters and digits": Element([(folding, "_TABLE", KeptLetters())], reindex=True),
    "half-space": Element(
        [
            (PersianAnalyzer, "forms", _spaced_forms),
            (Vocabulary, "_parts", lambda self, word, *parts: (word,)),
            (WordMatcher, "_add_joined", lambda self, typed, matches: None),
        ],
        reindex=True,
    ),
    "inflection and spoken forms": Element(
        [
            (matching, "_stem", str),
            (words, "stem", str),
            (lexicon, "stem", str),
            (matching, "possible_stems", lambda word: iter(())),
            (inflection, "verb_forms", dict),
            (word_weights, "verb_forms", dict),
        ]
    ),
    "Finglish": Element([(FinglishIndex, "candidates", _nothing)]),
    "n-grams of the vocabulary": Element([(words, "SpellingIndex", ExactWords)]),
    "synonyms and courtesies": Element([(Lexicons, "of", lambda self, tenant: Lexicon())]),
    "parent in BM25": Element([(cache, "TenantBM25Retriever", EachChunkAlone)]),
    "lexical rerank": Element(settings={"rerank": {"kind": "none"}}),
    "neighbours in the rerank": Element([(lexical_rerank, "_NEIGHBOURS", 0.0)]),
    "title in the rerank": Element([(lexical_rerank, "_TITLE", 0.0)]),
}


def ablate(
    folders: Mapping[str, Path], data_dir: Path, limit: int | None, names: Sequence[str]
) -> dict[str, dict[str, EvaluationReport]]:
    """Return the reports by element and folder; those with everything on come first, as "all on"."""
    datasets = {name: _first(read_beir(folder), limit) for name, folder in folders.items()}
    reports = {}
    for name, element in {"all on": Element(), **{name: ELEMENTS[name] for name in names}}.items():
        own_dir = data_dir / (name.replace(" ", "-") if element.reindex else "shared")
        with element.off(), opened(own_dir, **element.settings) as app:
            reports[name] = {way: evaluate(app, dataset, MEASURES) for way, dataset in datasets.items()}
    return reports


def _first(dataset: BeirDataset, limit: int | None) -> BeirDataset:
    queries = dict(islice(dataset.judged.items(), limit))
    return replace(dataset, queries=queries, qrels={query_id: dataset.qrels[query_id] for query_id in queries})


def rows_of(reports: Mapping[str, Mapping[str, EvaluationReport]], way: str) -> Iterator[list[str]]:
    """Yield the values with everything on, then for each element the values without it and the differences."""
    whole = reports["all on"][way].by_stage
    for name, by_way in reports.items():
        row = []
        for stage, measure in SHOWN:
            value = by_way[way].by_stage[stage][measure]
            row += [f"{value:.3f}", "" if name == "all on" else f"{value - whole[stage][measure]:+.3f}"]
        yield [*row, f"{way}: {name}" if name == "all on" else f"without {name}"]


def main() -> None:
    """Read the arguments and print one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", type=Path, nargs="+", help="BEIR folders, or what build.py wrote")
    parser.add_argument("--limit", type=int, help="how many queries of each folder to ask; all by default")
    parser.add_argument("--only", choices=ELEMENTS, action="append", help="switch this off alone; may be given again")
    parser.add_argument("--data-dir", type=Path, help="keep the databases here; temporary ones by default")
    given = parser.parse_args()
    try:
        with kept_or_temporary(given.data_dir) as data_dir:
            reports = ablate(beir_folders(given.folders), data_dir, given.limit, given.only or list(ELEMENTS))
    except RagAppError as error:
        parser.exit(2, f"{error}\n")
    columns = [column for stage, measure in SHOWN for column in (f"{stage} {measure}", "")]
    show([[*columns, "way and element"], *(row for way in reports["all on"] for row in rows_of(reports, way))])


if __name__ == "__main__":
    main()
