import runpy
from pathlib import Path

from rag_app.evaluation import read_beir

ENGLISH = Path(__file__).parent.parent.parent / "benchmarks" / "english"


def test_english_is_not_worse_than_stock_bm25() -> None:
    script = runpy.run_path(str(ENGLISH / "against_bm25.py"))
    dataset = read_beir(ENGLISH / "helpdesk")
    stock, ours = script["stock"](dataset), script["ours"](dataset)
    for measure in ("Success@1", "Success@5", "RR@10"):
        of_stock, of_ours = (sum(values[measure].values()) / len(dataset.queries) for values in (stock, ours))
        assert of_ours >= of_stock > 0.5, measure
