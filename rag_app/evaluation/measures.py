"""The measures, as the library ir_measures names and computes them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from rag_app.errors import InvalidInputError
from rag_app.evaluation.extra import library

DEFAULT_MEASURES = ("Success@1", "Success@5", "RR@10", "nDCG@10", "R@20")
_USUAL = ("AP", "Judged", "MAP", "MRR", "P", "Precision", "R", "Recall", "RR", "Success", "nDCG")


def parse_measures(names: Sequence[str]) -> dict[str, Any]:
    """Return ir_measures' measures by the names that were given.

    Raises:
        InvalidInputError: there is no name, or one is no measure that can be computed.
        ComponentError: ir_measures is not installed.
    """
    if isinstance(names, str) or not names:
        raise InvalidInputError(
            f"measures must be a list of names such as {', '.join(DEFAULT_MEASURES)}, not {names!r}"
        )
    return {name: _parse(name) for name in names}


def score(
    measures: Mapping[str, Any], qrels: Mapping[str, Mapping[str, int]], rankings: Mapping[str, Sequence[str]]
) -> dict[str, dict[str, float]]:
    """Return by measure name the value of each query of `rankings`, in that order.

    Args:
        measures: what `parse_measures` returned.
        qrels: the grades of documents by query id; queries of `rankings` alone are looked at.
        rankings: the document ids by query id, best first.
    """
    # Scores that fall with each place, because ir_measures orders by score alone.
    run = {
        query_id: {doc_id: float(len(ranking) - place) for place, doc_id in enumerate(ranking)}
        for query_id, ranking in rankings.items()
        if ranking
    }
    judged = {query_id: dict(qrels[query_id]) for query_id in rankings}
    values: dict[tuple[Any, str], float] = {
        (metric.measure, metric.query_id): float(metric.value)
        for metric in library("ir_measures").iter_calc(list(measures.values()), judged, run)
    }
    return {name: {query_id: values[measure, query_id] for query_id in rankings} for name, measure in measures.items()}


def _parse(name: str) -> Any:
    ir_measures = library("ir_measures")
    try:
        measure = ir_measures.parse_measure(name)
        measure.validate_params()
        if measure.params.get("cutoff") == 0:  # trec_eval ends the process
            raise ValueError(name)
        list(ir_measures.iter_calc([measure], {"q": {"d": 1}}, {"q": {"d": 1.0}}))  # some need what is not installed
    except Exception as error:  # NameError, AssertionError, CalledProcessError and others
        raise InvalidInputError(
            f"{name!r} is no measure that can be computed: {_hint(name)}valid are, for "
            f"example, {', '.join(DEFAULT_MEASURES)}"
        ) from error
    return measure


def _hint(name: str) -> str:
    """Suggest the nearest of the usual measures, with the cutoff that was given or 10."""
    usual = {measure.lower(): measure for measure in _USUAL}
    letters, digits = re.sub(r"[^A-Za-z]", "", name), re.sub(r"\D", "", name).lstrip("0")
    near = get_close_matches(letters.lower(), usual, n=1, cutoff=0.5)
    return f"did you mean {usual[near[0]]}@{digits or 10}? " if near else ""
