"""No label grows without bounds, and none holds what a customer, a tenant or a caller wrote."""

from prometheus_client.parser import text_string_to_metric_families

from rag_app.metrics.labels import MODEL, OTHER, SOURCE, WORDS, Label

QUESTION = "شماره من ۰۹۱۲۳۴۵۶۷۸۹ است؛ کی میرسه؟"
TENANT = "shop-of-maryam@example.ir"


def test_at_most_so_many_different_ones() -> None:
    label = Label(SOURCE, most=50)
    assert [label(f"s{number}") for number in range(50)] == [f"s{number}" for number in range(50)]
    assert label("s50") == OTHER
    assert label("s49") == "s49"


def test_words() -> None:
    label = Label(WORDS)
    for word in ("TimeoutError", "out of time: scored in part", "no match", "x" * 60):
        assert label(word) == word
    for other in ("", "x" * 61, QUESTION, TENANT, "a\n", 'a"b', "سلام", "\ud800", None, 7, ["TimeoutError"]):
        assert label(other) == OTHER, other


def test_sources_are_in_any_script() -> None:
    label = Label(SOURCE)
    for source in ("manual", "پرسش‌ها", "web/pages", "product_2"):
        assert label(source) == source
    for other in ("\ud800", "a\nb", "", "x" * 61, "a{b}"):
        assert label(other) == OTHER


def test_models_are_hub_ids() -> None:
    assert Label(MODEL)("BAAI/bge-reranker-v2-m3") == "BAAI/bge-reranker-v2-m3"


def test_the_exposition_stays_small_and_holds_no_words(run_python) -> None:
    text = run_python(f"""
from rag_app.trace import Degradation
words = [{QUESTION!r}, {TENANT!r}]
for number in range(300):
    run(primary_source=f"source {{number}}", scores=[(f"chunk source {{number}}", 0.5)])
for word in words:
    run(method=word, error_type=word, empty_reason=word, complexity=word, stages={{word: 0.1}})
    run(method="production_rag", primary_source=word + "?", scores=[(word + "?", 0.5)])
    metrics.degraded([Degradation(word, word, word, word)])
    metrics.reranked(word, 0.1)
    metrics.flag_evaluated(word, word, word)
    metrics.cache_used(word, hits=1)
    metrics.shadowed(word, overlap=0.1, seconds={{word: 0.1}})
print(json.dumps(metrics.exposition().decode()))
""")
    assert "maryam" not in text
    assert "۰۹۱۲" not in text
    sources = {
        sample.labels.get("primary_source") or sample.labels.get("source")
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    } - {None, OTHER, "all"}
    assert len(sources) == 50
    methods = {
        sample.labels["method"]
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if "method" in sample.labels
    }
    assert methods == {"production_rag", "context_retriever", OTHER}


def test_a_source_that_is_no_text_does_not_break_the_exposition(run_python) -> None:
    assert run_python(r"""
run(primary_source="\ud800", scores=[("\ud800", 0.5), (None, 0.5)])
print(json.dumps('primary_source="other"' in metrics.exposition().decode()))
""")
