"""How well each stage does on a test collection, and whether one configuration does better than another."""

from rag_app.evaluation.beir import BeirDataset, read_beir
from rag_app.evaluation.comparison import HOLM_NOTE, Comparison, Difference, compare
from rag_app.evaluation.html_report import write_html
from rag_app.evaluation.measures import DEFAULT_MEASURES, parse_measures
from rag_app.evaluation.rankings import write_runs
from rag_app.evaluation.report import ANSWER_IN_CONTEXT, EvaluationReport, WorstQuery, worst_by
from rag_app.evaluation.running import evaluate

__all__ = [
    "ANSWER_IN_CONTEXT",
    "DEFAULT_MEASURES",
    "HOLM_NOTE",
    "BeirDataset",
    "Comparison",
    "Difference",
    "EvaluationReport",
    "WorstQuery",
    "compare",
    "evaluate",
    "parse_measures",
    "read_beir",
    "worst_by",
    "write_html",
    "write_runs",
]
