from rag_app.evaluation import read_beir
from tests.benchmarks.conftest import BENCHMARKS, Load

FOLDERS = ("english",)


def test_english_is_not_worse_than_stock_bm25(script: Load) -> None:
    against_bm25 = script("against_bm25")
    dataset = read_beir(BENCHMARKS / "english" / "helpdesk")
    stock, ours = against_bm25.stock(dataset), against_bm25.ours(dataset)
    for measure in ("Success@1", "Success@5", "RR@10"):
        of_stock, of_ours = (sum(values[measure].values()) / len(dataset.queries) for values in (stock, ours))
        assert of_ours >= of_stock > 0.5, measure
