"""How well each stage does on a test collection, and whether one configuration does better than another."""

from rag_app.evaluation.beir import BeirDataset, read_beir
from rag_app.evaluation.comparison import Comparison, Difference, compare
from rag_app.evaluation.measures import DEFAULT_MEASURES, parse_measures
from rag_app.evaluation.rankings import write_runs
from rag_app.evaluation.report import EvaluationReport, evaluate

__all__ = [
    "DEFAULT_MEASURES",
    "BeirDataset",
    "Comparison",
    "Difference",
    "EvaluationReport",
    "compare",
    "evaluate",
    "parse_measures",
    "read_beir",
    "write_runs",
]
