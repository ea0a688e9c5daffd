"""Evaluation on a test collection: reading it, measuring each stage, and comparing two configurations."""

import json
import math
import sys
from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest
from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.postprocessor.types import BaseNodePostprocessor
from llama_index.core.schema import NodeWithScore, QueryBundle, TextNode

from rag_app import RagApp, serving, simple_pipeline
from rag_app.errors import ComponentError, InvalidInputError, ReadError
from rag_app.evaluation import DEFAULT_MEASURES, BeirDataset, EvaluationReport, compare, evaluate, read_beir, write_runs
from rag_app.evaluation.measures import parse_measures, score
from rag_app.evaluation.rankings import rankings_of
from rag_app.evaluation.significance import holm, interval, p_values
from rag_app.schema import RetrievalResult
from rag_app.trace import STAGES, ChunkTrace, Ranked, StageTrace, Trace

TEXTS = {
    "d1": "هزینه ارسال با پست رایگان است",
    "d2": "شهریه کلاس مکالمه دو میلیون تومان است",
    "d3": "ساعت کار شعبه مرکزی هشت صبح است",
    "d4": "مرجوع کردن کالا تا هفت روز ممکن است",
    "d5": "گارانتی دستگاه هجده ماه است",
}
CORPUS = [{"_id": doc_id, "title": "", "text": text, "metadata": {}} for doc_id, text in TEXTS.items()]
QUERIES = [
    {"_id": "q1", "text": "ارسال پست", "metadata": {"way": "short"}},
    {"_id": "q2", "text": "شهریه مکالمه", "metadata": {"way": "short"}},
    {"_id": "q3", "text": "ساعت کار", "metadata": {"way": "off"}},
    {"_id": "q4", "text": "zzz"},
    {"_id": "q5", "text": "کسی این را داوری نکرده است"},
]
QRELS = "query-id\tcorpus-id\tscore\nq1\td1\t1\nq1\td2\t0\nq2\td2\t1\nq2\td3\t1\nq3\td4\t1\nq4\td5\t1\n"


def jsonl(entries: Sequence[Any]) -> str:
    return "".join(f"{json.dumps(entry, ensure_ascii=False)}\n" for entry in entries)


def write_beir(folder: Path, **changed: str) -> Path:
    """Write the collection above, with the files that are given in place of its own."""
    files = {"corpus": jsonl(CORPUS), "queries": jsonl(QUERIES), "qrels": QRELS, **changed}
    (folder / "qrels").mkdir(parents=True, exist_ok=True)
    (folder / "corpus.jsonl").write_text(files["corpus"], "utf-8")
    (folder / "queries.jsonl").write_text(files["queries"], "utf-8")
    (folder / "qrels" / "test.tsv").write_text(files["qrels"], "utf-8")
    return folder


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> BeirDataset:
    return read_beir(write_beir(tmp_path_factory.mktemp("beir")))


@pytest.fixture(scope="module")
def report(app: RagApp, dataset: BeirDataset) -> EvaluationReport:
    return evaluate(app, dataset)


def test_a_folder_is_read_as_it_is_written(tmp_path: Path) -> None:
    corpus = jsonl(
        [{"_id": "d1", "title": "ت", "text": "م", "metadata": {"source": "faq", "kind": "faq"}}, *CORPUS[1:]]
    )
    dataset = read_beir(write_beir(tmp_path, corpus="\ufeff" + corpus + "\n", qrels=QRELS.replace("\n", "\r\n")))
    metadata = {"source": "faq", "kind": "faq"}
    assert dataset.corpus["d1"] == {"id": "d1", "title": "ت", "text": "م", "source": "faq", "metadata": metadata}
    assert list(dataset.corpus) == list(TEXTS)
    assert dataset.queries["q4"] == "zzz"
    assert dataset.qrels == {"q1": {"d1": 1, "d2": 0}, "q2": {"d2": 1, "d3": 1}, "q3": {"d4": 1}, "q4": {"d5": 1}}
    assert dataset.ways == {"q1": "short", "q2": "short", "q3": "off"}
    assert list(dataset.judged) == ["q1", "q2", "q3", "q4"]
    assert dataset.notes == []


@pytest.mark.parametrize(
    ("file", "content", "expected"),
    [
        ("corpus", jsonl(CORPUS) + "{", r"corpus\.jsonl:6: the line is not JSON: .*; valid: \{\"_id\": \"d1\""),
        ("corpus", "[" * 100_000, r"corpus\.jsonl:1: the line is not JSON"),
        ("corpus", "\n[1]\n", r"corpus\.jsonl:2: the line must be an object, not \[1\]; valid: "),
        ("corpus", jsonl([*CORPUS, CORPUS[1]]), r"corpus\.jsonl:6: another line before it has the _id 'd2'"),
        ("corpus", jsonl([{"_id": 7, "text": "x"}]), r"corpus\.jsonl:1: _id must be a string, not int: 7"),
        ("corpus", jsonl([{"_id": "", "text": "x"}]), r"corpus\.jsonl:1: _id is empty"),
        ("corpus", jsonl([{"_id": "x" * 201, "text": "x"}]), r"corpus\.jsonl:1: _id has 201 characters"),
        ("corpus", jsonl([{"_id": "x"}]), r"corpus\.jsonl:1: text must be a string, not None"),
        ("corpus", jsonl([{"_id": "x", "text": "x", "title": 3}]), r"corpus\.jsonl:1: title must be a string, not 3"),
        ("corpus", jsonl([{"_id": "x", "text": "x", "metadata": [3]}]), r"metadata must be an object, not \[3\]"),
        ("queries", jsonl([{"_id": "q1"}]), r"queries\.jsonl:1: text must be a string.*valid: \{\"_id\": \"q1\""),
        ("queries", jsonl([*QUERIES, QUERIES[0]]), r"queries\.jsonl:6: another line before it has the _id 'q1'"),
        ("queries", jsonl([{"_id": "q1", "text": "x", "metadata": {"way": 1}}]), r"way must be a string, not 1"),
        ("qrels", "q1\td1\t1\n", r"test\.tsv:1: the first line must be query-id<TAB>corpus-id<TAB>score, not 'q1"),
        ("qrels", "", r"test\.tsv:1: the first line must be"),
        ("qrels", QRELS + "q1 d1 1\n", r"test\.tsv:8: 'q1 d1 1' is no judgement; valid: q1<TAB>d1<TAB>1"),
        ("qrels", QRELS + "q1\td3\tyes\n", r"test\.tsv:8: 'q1\\td3\\tyes' is no judgement"),
        ("qrels", QRELS + "q1\td1\t2\n", r"test\.tsv:8: another line before it gives this document another score"),
    ],
)
def test_a_line_that_can_not_be_used_is_named_with_a_valid_one(
    tmp_path: Path, file: str, content: str, expected: str
) -> None:
    with pytest.raises(ReadError, match=expected):
        read_beir(write_beir(tmp_path, **{file: content}))


def test_a_folder_of_another_layout_is_told_what_is_expected(tmp_path: Path) -> None:
    with pytest.raises(ReadError, match=r"which holds corpus\.jsonl, queries\.jsonl, qrels/test\.tsv; missing: c"):
        read_beir(tmp_path / "nowhere")
    write_beir(tmp_path)
    (tmp_path / "qrels" / "test.tsv").rename(tmp_path / "qrels" / "dev.tsv")
    with pytest.raises(ReadError, match=r"missing: qrels/test\.tsv$"):
        read_beir(tmp_path)


def test_a_file_that_is_not_utf_8_is_named(tmp_path: Path) -> None:
    (write_beir(tmp_path) / "queries.jsonl").write_bytes(b'{"_id": "\xff"}')
    with pytest.raises(ReadError, match=r"queries\.jsonl can not be read as UTF-8"):
        read_beir(tmp_path)


def test_unknown_ids_are_counted_and_refused_if_nothing_else_is_judged(tmp_path: Path) -> None:
    dataset = read_beir(write_beir(tmp_path, qrels=QRELS + "q9\td1\t1\nq8\td1\t1\nq1\tgone\t1\n"))
    assert dataset.notes == [
        "2 judged queries are not in the collection and are left out",
        "1 judgements name documents that are not in the collection, which counts as not found",
    ]
    header = QRELS.partition("\n")[0]
    for line in ("q9\td1\t1", "q1\tgone\t1"):
        with pytest.raises(InvalidInputError, match="no query has a judged document: 5 queries, 5 documents"):
            read_beir(write_beir(tmp_path, qrels=f"{header}\n{line}\n"))


def test_the_tenant_follows_from_the_documents_alone(dataset: BeirDataset, tmp_path: Path) -> None:
    assert dataset.tenant.startswith("eval-")
    assert len(dataset.tenant) == len("eval-") + 12
    assert replace(dataset, queries={"q1": "پرسش"}, ways={}).tenant == dataset.tenant
    changed = read_beir(write_beir(tmp_path, corpus=jsonl([*CORPUS[1:], {**CORPUS[0], "title": "عنوان"}])))
    assert changed.tenant != dataset.tenant


def test_the_measures_are_those_computed_by_hand(app: RagApp, tmp_path: Path) -> None:
    """Each query finds one document: q1 its one relevant, q2 the first of two, q3 another; q4 finds none."""
    words = {"d1": "کتاب", "d2": "ظرف", "d3": "پیچ", "d4": "نمد", "d5": "غسل"}  # they share no letter
    asked = {"q1": "کتاب", "q2": "ظرف", "q3": "پیچ", "q4": "۹۹"}
    corpus = jsonl([{"_id": doc_id, "text": word} for doc_id, word in words.items()])
    queries = jsonl([{"_id": query_id, "text": text} for query_id, text in asked.items()])
    report = evaluate(app, read_beir(write_beir(tmp_path, corpus=corpus, queries=queries)))
    assert report.rankings["bm25"] == {"q1": ["d1"], "q2": ["d2"], "q3": ["d3"], "q4": []}
    one_of_two = 1 / (1 + 1 / math.log2(3))
    assert report.by_stage["bm25"] == pytest.approx(
        {
            "Success@1": 2 / 4,
            "Success@5": 2 / 4,
            "RR@10": 2 / 4,
            "nDCG@10": (1 + one_of_two) / 4,
            "R@20": (1 + 1 / 2) / 4,
        }
    )
    assert report.per_query["bm25"]["R@20"] == {"q1": 1, "q2": 0.5, "q3": 0, "q4": 0}


def by_definition(ranking: Sequence[str], grades: dict[str, int]) -> dict[str, float]:
    """Return the default measures of one query, computed slowly."""
    hits = [int(grades.get(doc_id, 0) > 0) for doc_id in ranking]
    relevant = sum(grade > 0 for grade in grades.values())
    first = hits.index(1) + 1 if 1 in hits[:10] else math.inf
    gain = sum(hit / math.log2(place + 1) for place, hit in enumerate(hits[:10], start=1))
    ideal = sum(1 / math.log2(place + 1) for place in range(1, min(relevant, 10) + 1))
    return {
        "Success@1": float(any(hits[:1])),
        "Success@5": float(any(hits[:5])),
        "RR@10": 1 / first,
        "nDCG@10": gain / ideal,
        "R@20": sum(hits[:20]) / relevant,
    }


def test_every_stage_is_measured_by_the_definitions(dataset: BeirDataset, report: EvaluationReport) -> None:
    assert list(report.by_stage) == ["bm25", "dense", "fusion", "rerank", "context"]
    for stage, rankings in report.rankings.items():
        expected = [by_definition(rankings[query_id], dict(dataset.qrels[query_id])) for query_id in dataset.judged]
        for name in DEFAULT_MEASURES:
            assert list(report.per_query[stage][name].values()) == pytest.approx([entry[name] for entry in expected])
            assert report.by_stage[stage][name] == pytest.approx(fmean(entry[name] for entry in expected))
    assert max(len(ranking) for ranking in report.rankings["dense"].values()) > 1


def test_the_report_says_what_was_run_and_how_long_it_took(report: EvaluationReport) -> None:
    shown = report.as_dict()
    assert json.loads(json.dumps(shown)) == shown
    assert {name: shown[name] for name in ("queries", "documents", "degraded", "notes")} == {
        "queries": 4,
        "documents": 5,
        "degraded": 0,
        "notes": [],
    }
    assert shown["empty"] == sum(not ranking for ranking in report.rankings["context"].values())
    assert shown["measures"] == shown["by_stage"]["rerank"]
    assert 0 < shown["latency_ms"]["p50"] <= shown["latency_ms"]["p95"] <= shown["latency_ms"]["p99"]
    assert set(shown["stage_latency_ms"]) == set(STAGES)
    for low, high in shown["confidence"].values():
        assert 0 <= low <= high <= 1


def test_ways_of_writing_are_measured_apart(report: EvaluationReport) -> None:
    values = report.per_query["rerank"]["RR@10"]
    assert list(report.by_way) == ["off", "short"]
    assert report.by_way["short"]["queries"] == 2
    assert report.by_way["short"]["RR@10"] == (values["q1"] + values["q2"]) / 2
    assert report.by_way["off"]["RR@10"] == values["q3"]


def test_a_second_evaluation_ingests_nothing_and_finds_the_same(
    app: RagApp, dataset: BeirDataset, report: EvaluationReport
) -> None:
    again = app.ingest(dataset.corpus.values(), tenant=dataset.tenant)
    assert (again.added, again.updated, again.unchanged) == (0, 0, 5)
    calls: list[tuple[int, str]] = []
    second = evaluate(app, dataset, ["AP"], progress=lambda done, name: calls.append((done, name)))
    assert calls == list(enumerate([*TEXTS, "q1", "q2", "q3", "q4"], start=1))
    assert second.rankings == report.rankings
    assert set(second.measures) == {"AP"}


def test_sources_titles_and_what_can_not_be_ingested(app: RagApp, tmp_path: Path) -> None:
    corpus = [
        {"_id": "d1", "text": "ارسال با پست", "metadata": {"source": "faq"}},
        {"_id": "d2", "title": "شهریه مکالمه", "text": ""},
        {"_id": "d3", "text": " "},
    ]
    dataset = read_beir(write_beir(tmp_path, corpus=jsonl(corpus)))
    report = evaluate(app, dataset)
    assert report.rankings["bm25"]["q2"][0] == "d2"
    assert report.notes == (
        "2 judgements name documents that are not in the collection, which counts as not found",
        "1 documents were not ingested; the first, d3: the document has no text",
    )
    found = app.retrieve("ارسال", tenant=dataset.tenant, primary_source="faq")
    assert [node.node.metadata["doc_id"] for node in found.nodes] == ["d1"]


def test_options_that_can_not_be_used_are_refused_before_anything_is_ingested(app: RagApp, tmp_path: Path) -> None:
    corpus = jsonl([{"_id": "d1", "text": "ارسال با پیک"}])
    dataset = read_beir(write_beir(tmp_path, corpus=corpus))
    with pytest.raises(InvalidInputError, match="secondary_sources need a primary_source"):
        evaluate(app, dataset, secondary_sources=["faq"])
    assert app.documents(tenant=dataset.tenant).documents == ()


class Down(BaseRetriever):
    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        raise RuntimeError


def test_queries_that_were_answered_with_less_are_counted(
    app: RagApp, dataset: BeirDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(simple_pipeline, "LAST_CHANCE_S", 20.0)  # the moment which the old retriever has even then
    monkeypatch.setattr(serving, "LAST_RESORT_S", 30.0)
    url = app.database.url.render_as_string(hide_password=False)
    with RagApp.from_config(database={"url": url}, deadline_s=1e-6) as late:
        late.service.simple.retriever = Down()
        report = evaluate(late, dataset)
    assert (report.queries, report.degraded, report.empty) == (4, 4, 4)
    assert "4 queries degraded: retrieval: dense (TimeoutError), fallback served" in report.notes
    assert "4 queries degraded: retrieval: context_retriever (RuntimeError), empty result served" in report.notes
    assert report.measures == dict.fromkeys(DEFAULT_MEASURES, 0.0)


class StartingRerank(BaseNodePostprocessor):
    """Fails twice before it serves, as a model does that is still loading."""

    failures: int = 2

    def _postprocess_nodes(
        self, nodes: list[NodeWithScore], query_bundle: QueryBundle | None = None
    ) -> list[NodeWithScore]:
        if self.failures:
            self.failures -= 1
            raise ComponentError("the model is loading")
        return nodes


def test_the_first_requests_warm_up_and_are_not_measured(app: RagApp, dataset: BeirDataset) -> None:
    url = app.database.url.render_as_string(hide_password=False)
    with RagApp.from_config(database={"url": url}, deadline_s=30, retrieval={"leg_timeout_s": 20}) as cold:
        cold.pipeline.rerankers = {"starting": StartingRerank()}
        assert evaluate(cold, dataset).degraded == 0
        cold.pipeline.rerankers = {"broken": StartingRerank(failures=1_000)}
        broken = evaluate(cold, dataset)
    assert broken.degraded == 4 - broken.empty >= 3  # nothing is reranked where nothing was found
    assert broken.notes == (f"{broken.degraded} queries degraded: rerank: broken (failed), fused order served",)
    assert broken.rankings["rerank"] == broken.rankings["fusion"]


def result_of(trace: Trace, doc_ids: Sequence[str] = ()) -> RetrievalResult:
    nodes = tuple(NodeWithScore(node=TextNode(metadata={"doc_id": doc_id})) for doc_id in doc_ids)
    return RetrievalResult("q", "t", nodes, "", 0, "estimate", "production_rag", None, trace)


def chunk(name: str, doc_id: str, fusion: int, rerank: int | None = None, **legs: int) -> ChunkTrace:
    """Return a trace of a chunk by its ranks."""
    places = {leg: Ranked(rank, 1 / rank) for leg, rank in legs.items()}
    return ChunkTrace(name, doc_id, "s", "", places, Ranked(fusion, 1.0), rerank and Ranked(rerank, 1.0))


def test_a_document_stands_where_its_best_chunk_does() -> None:
    chunks = [
        chunk("a1", "a", fusion=3, rerank=1, bm25=2),
        chunk("b1", "b", fusion=1, rerank=3, bm25=1, dense=3),
        chunk("a2", "a", fusion=2, rerank=2, dense=1),
        chunk("c1", "c", fusion=4, dense=2),
    ]
    trace = Trace(stages=[StageTrace("retrieval", candidates=3)], chunks={entry.node_id: entry for entry in chunks})
    assert rankings_of(result_of(trace, ["b", "a", "b"])) == {
        "bm25": ["b", "a"],
        "dense": ["a", "c", "b"],
        "fusion": ["b", "a"],  # c's chunk was below the best 3, which are all that left the stage
        "rerank": ["a", "b"],
        "context": ["b", "a"],
    }


def test_where_no_reranker_served_the_fused_order_is_the_last() -> None:
    chunks = {"b1": chunk("b1", "b", fusion=2, dense=1), "a1": chunk("a1", "a", fusion=1, dense=2)}
    rankings = rankings_of(result_of(Trace(stages=[StageTrace("retrieval", candidates=2)], chunks=chunks)))
    assert rankings["rerank"] == rankings["fusion"] == ["a", "b"]


def test_an_order_is_measured_as_it_stands() -> None:
    ranking = [f"d{number}" for number in (9, 3, 7, 1, 8, 2, 6, 4, 5, 0)]
    for place, doc_id in enumerate(ranking, start=1):
        values = score(parse_measures(["RR@10", "MRR@10"]), {"q": {doc_id: 1}, "other": {"x": 1}}, {"q": ranking})
        assert values == {"RR@10": {"q": 1 / place}, "MRR@10": {"q": 1 / place}}


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("ndgc@20", "did you mean nDCG@20? "),
        ("recall_5", "did you mean Recall@5? "),
        ("R", "did you mean R@10? "),
        ("nDCG@0", "did you mean nDCG@10? "),
        ("nDCG@x", "did you mean nDCG@10? "),
        ("Success@1,", "did you mean Success@1? "),
        ("زیبایی", ""),
        ("Accuracy", ""),
    ],
)
def test_an_unknown_measure_is_named_with_the_nearest_and_examples(
    app: RagApp, dataset: BeirDataset, name: str, hint: str
) -> None:
    with pytest.raises(InvalidInputError) as caught:
        evaluate(app, dataset, ["RR@10", name])
    examples = "Success@1, Success@5, RR@10, nDCG@10, R@20"
    assert str(caught.value) == f"{name!r} is no measure that can be computed: {hint}valid are, for example, {examples}"


@pytest.mark.parametrize("names", [[], "RR@10"])
def test_measures_are_a_list_of_names(names: Any) -> None:
    with pytest.raises(InvalidInputError, match="measures must be a list of names such as Success@1"):
        parse_measures(names)


def test_without_ir_measures_the_install_line_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ir_measures", None)
    with pytest.raises(ComponentError, match=r"pip install 'rag-app\[eval\]'$"):
        parse_measures(["RR@10"])


def test_runs_are_read_by_trec_tools_and_measure_the_same(
    dataset: BeirDataset, report: EvaluationReport, tmp_path: Path
) -> None:
    import ir_measures

    write_runs(report.rankings, tmp_path / "new" / "runs")
    assert sorted(file.stem for file in (tmp_path / "new" / "runs").iterdir()) == sorted(report.rankings)
    for stage, means in report.by_stage.items():
        run = ir_measures.read_trec_run(str(tmp_path / "new" / "runs" / f"{stage}.run"))
        measures = [ir_measures.parse_measure(name) for name in means]
        found = ir_measures.calc_aggregate(measures, {qid: dict(dataset.qrels[qid]) for qid in dataset.judged}, run)
        assert {str(measure): value for measure, value in found.items()} == pytest.approx(means)


def test_a_run_has_a_line_for_each_document(tmp_path: Path) -> None:
    write_runs({"rerank": {"q1": ["d2", "d1"], "q2": [], "q3": ["d3"]}}, tmp_path)
    assert (tmp_path / "rerank.run").read_text("utf-8").splitlines() == [
        "q1 Q0 d2 1 2 rag_app-rerank",
        "q1 Q0 d1 2 1 rag_app-rerank",
        "q3 Q0 d3 1 1 rag_app-rerank",
    ]


def test_runs_that_can_not_be_written_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="the id 'a b' holds white space"):
        write_runs({"rerank": {"q": ["a b"]}}, tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(InvalidInputError, match="is no folder that runs can be written to"):
        write_runs({"rerank": {"q": ["a"]}}, tmp_path / "file")


@pytest.mark.parametrize(
    "differences",
    [
        [0.5, 0.2, -0.1, 0.0, 0.3, 0.4, 0.25, -0.05],
        [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0],
        [0.3, -0.3, 0.1, -0.2, 0.2, -0.1],
        [-1.0, -0.5],
    ],
)
def test_the_randomisation_test_agrees_with_all_permutations(differences: list[float]) -> None:
    observed = abs(sum(differences)) - 1e-9
    signs = list(product((1, -1), repeat=len(differences)))
    extreme = sum(abs(sum(map(float.__mul__, differences, map(float, row)))) >= observed for row in signs)
    (value,) = p_values([differences])
    assert value == pytest.approx(extreme / len(signs), abs=0.015)
    assert p_values([[-value for value in differences], [1.0], differences]) == [value, 1.0, value]
    assert value > 0


def test_p_values_of_many_are_those_of_holm() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])  # worked out by hand
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    assert holm([]) == []


def test_the_interval_is_the_normal_one_where_there_are_many_queries() -> None:
    values = [1.0] * 300 + [0.0] * 100
    half = 1.96 * math.sqrt(0.75 * 0.25 / 400)
    assert interval(values) == pytest.approx((0.75 - half, 0.75 + half), abs=0.006)
    assert interval([0.25, 0.25]) == (0.25, 0.25)


def test_a_report_does_not_differ_from_itself(report: EvaluationReport) -> None:
    shown = compare(report, report).as_dict()
    assert shown["a"] == shown["b"] == report.as_dict()
    for name, mean in report.measures.items():
        same = {"a": mean, "b": mean, "difference": 0.0, "interval": [0.0, 0.0], "p_value": 1.0, "p_holm": 1.0}
        assert shown["difference"][name] == same
    assert list(shown["difference_by_stage"]) == list(report.by_stage)


def test_a_difference_has_the_sign_of_the_better_one(report: EvaluationReport) -> None:
    perfect = replace(
        report,
        per_query={"rerank": {name: dict.fromkeys(values, 1.0) for name, values in report.per_query["rerank"].items()}},
    )
    entry = compare(report, perfect).difference["R@20"]
    assert (entry.a, entry.b) == (report.measures["R@20"], 1.0)
    assert entry.difference == pytest.approx(1 - report.measures["R@20"])
    assert entry.interval[0] <= entry.difference <= entry.interval[1]
    assert compare(perfect, report).difference["R@20"].difference == -entry.difference


def test_only_the_same_queries_and_measures_are_compared(
    app: RagApp, dataset: BeirDataset, report: EvaluationReport
) -> None:
    fewer = evaluate(app, replace(dataset, queries={"q1": "ارسال پست"}))
    for other in (fewer, evaluate(app, dataset, ["AP"])):
        with pytest.raises(InvalidInputError, match="same queries by the same measures"):
            compare(report, other)
