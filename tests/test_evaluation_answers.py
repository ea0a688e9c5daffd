"""Whether the context holds the answer, what a report keeps of each query, and how it is shown."""

from __future__ import annotations

import json
import re
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from rag_app import RagApp
from rag_app.errors import ComponentError, InvalidInputError, ReadError
from rag_app.evaluation import EvaluationReport, compare, evaluate, read_beir, write_html
from rag_app.evaluation.answers import holds_answer
from rag_app.gemini import render_context
from tests.postprocessors.test_token_budget import node
from tests.test_evaluation import CORPUS, QUERIES, jsonl, write_beir

HOSTILE = '<script src="//x.example/a.js">&"ارسال'
ASKED = [
    {"_id": "q1", "text": "ارسال پست", "metadata": {"way": "short", "answers": ["گران", "رايگان"]}},
    {"_id": "q2", "text": "شهریه مکالمه", "metadata": {"way": "short", "answers": ["سه میلیون"]}},
    {"_id": "q3", "text": HOSTILE, "metadata": {"way": "off"}},
    *QUERIES[3:],
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_beir(tmp_path_factory.mktemp("answers"), queries=jsonl(ASKED))


@pytest.fixture(scope="module")
def report(app: RagApp, folder: Path) -> EvaluationReport:
    return evaluate(app, read_beir(folder))


@pytest.mark.parametrize(
    ("answer", "text", "held"),
    [
        ("رایگان", "ارسال رايگان است", True),
        ("۱٬۲۵۰ تومان", "بهای آن 1,250   تومان است", True),
        ("می‌خواهم", "من می خواهم بیایم", True),
        ("کِتاب", "كتاب‌ها را بخوان", True),
        ("(ناتو)", "پیمان (ناتو) و", True),
        ("5", "1500 تومان", False),
        ("1", "دو تومان", False),  # the number that the chunk is cited by
        ("manual", "دو تومان", False),  # its source
        ("رای", "رایگان است", False),
        ("ایران", "ایرانیان", False),
        ("آن است", "رایگان است", False),
        ("ـ", "هر چه", False),  # nothing once it is folded
    ],
)
def test_an_answer_is_held_as_a_whole_however_it_is_typed(answer: str, text: str, held: bool) -> None:
    assert holds_answer(render_context([node(text)]), [answer]) is held
    assert holds_answer(render_context([node("نه."), node(text)]), ["هیچ‌کدام", answer]) is held


def test_an_answer_is_not_put_together_of_two_chunks_and_may_be_a_title() -> None:
    assert not holds_answer(render_context([node("سفارش سه"), node("روزه می‌رسد")]), ["سه روزه"])
    titled = node("متن")
    titled.node.metadata["title"] = "هزینهٔ ارسال"
    assert holds_answer(render_context([titled]), ["هزینه ارسال"])
    assert not holds_answer("", ["متن"])


def test_answers_are_read_and_must_be_texts(folder: Path, tmp_path: Path) -> None:
    assert read_beir(folder).answers == {"q1": ("گران", "رايگان"), "q2": ("سه میلیون",)}
    for answers in ("x", [3], [" "], {"a": 1}):
        queries = jsonl([{"_id": "q1", "text": "x", "metadata": {"answers": answers}}])
        with pytest.raises(ReadError, match=r"queries\.jsonl:1: answers must be a list of strings that are not blank"):
            read_beir(write_beir(tmp_path, queries=queries))


def test_answers_in_the_context_are_counted_overall_and_by_way(report: EvaluationReport) -> None:
    assert report.answers == {"q1": 1.0, "q2": 0.0}
    shown = report.as_dict()
    assert shown["answer_in_context"] == shown["by_way"]["short"]["answer_in_context"] == 0.5
    assert "answer_in_context" not in shown["by_way"]["off"]
    assert len(shown["confidence"]["answer_in_context"]) == 2
    for name, sizes in shown["context_size"].items():
        values = [getattr(outcome, name) for outcome in report.outcomes.values()]
        assert min(values) <= sizes["p5"] <= sizes["p50"] <= sizes["p95"] <= max(values)
    unknown = replace(report, outcomes={"q3": report.outcomes["q3"]})
    assert unknown.answer_in_context is None


def test_budgets_and_sources_are_those_of_each_retrieval(app: RagApp, tmp_path: Path) -> None:
    corpus = [{**record, "metadata": {"source": "faq" if record["_id"] == "d1" else "web"}} for record in CORPUS]
    dataset = read_beir(write_beir(tmp_path, corpus=jsonl(corpus), queries=jsonl(ASKED)))
    small = evaluate(app, dataset, primary_budget=20, secondary_budget=0)
    assert small.context_size["tokens"]["p95"] <= 20
    assert small.answer_in_context == 0
    split = evaluate(app, dataset, primary_source="web", secondary_sources=["faq"], secondary_budget=0)
    assert all("d1" not in found for found in split.rankings["context"].values())
    with pytest.raises(InvalidInputError, match="primary_budget must be 0 or more"):
        evaluate(app, dataset, primary_budget=-1)


def test_a_frame_has_a_row_for_each_query(report: EvaluationReport) -> None:
    frame = report.to_frame()
    stages = [f"{stage}.{name}" for stage, by_measure in report.by_stage.items() for name in by_measure]
    last = ["ms", "chunks", "tokens", "answer_in_context", "degraded"]
    assert list(frame.columns) == ["id", "text", "way", *stages, *last]
    assert list(frame["id"]) == ["q1", "q2", "q3", "q4"]
    assert frame["text"][2] == HOSTILE
    assert frame["rerank.RR@10"].mean() == pytest.approx(report.measures["RR@10"])
    assert list(frame["answer_in_context"].fillna(False)) == [True, False, False, False]
    assert list(frame["answer_in_context"].isna()) == [False, False, True, True]
    assert not frame["degraded"].any()


def test_the_worst_come_first_with_their_traces(report: EvaluationReport) -> None:
    worst = report.worst(5)
    assert [(query_id, value) for query_id, value, _ in worst] == [("q2", 0.0), ("q1", 1.0)]
    found = worst[0].outcome.result()
    assert found["query"] == "شهریه مکالمه"
    assert found["trace"]["chunks"][0]["legs"]
    by_rank = report.worst(4, measure="RR@10")
    assert [value for _, value, _ in by_rank] == sorted(report.per_query["rerank"]["RR@10"].values())
    with pytest.raises(InvalidInputError, match=r"unknown measure of this evaluation 'RR10': did you mean 'RR@10'\?"):
        report.worst(1, measure="RR10")
    with pytest.raises(InvalidInputError, match="are 1 or more, not 0"):
        report.worst(0)


def test_every_stage_and_the_answers_are_compared(report: EvaluationReport) -> None:
    perfect = replace(
        report,
        outcomes={name: replace(outcome, answer_in_context=True) for name, outcome in report.outcomes.items()},
    )
    with pytest.raises(InvalidInputError, match="same queries"):  # those with answers are others
        compare(report, perfect)
    answered = {name: replace(report.outcomes[name], answer_in_context=True) for name in report.answers}
    comparison = compare(report, replace(report, outcomes={**report.outcomes, **answered}))
    assert comparison.by_stage["context"]["answer_in_context"].difference == 0.5
    frame = comparison.to_frame()
    assert len(frame) == 5 * 5 + 1
    assert list(frame.columns)[:5] == ["stage", "measure", "a", "b", "difference"]
    assert (frame["p_holm"] >= frame["p_value"]).all()


class Page(HTMLParser):
    """What a page is made of."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        names = ("src", "href", "xlink:href", "data", "srcset", "action")
        self.links += [value or "" for name, value in attrs if name in names]

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize("compared", [False, True])
def test_the_page_needs_nothing_from_elsewhere_and_escapes_texts(
    report: EvaluationReport, tmp_path: Path, compared: bool
) -> None:
    file = tmp_path / "report.html"
    noted = replace(report, notes=("<b>note</b>",))
    write_html(compare(noted, noted) if compared else noted, file, title="<i>عنوان", worst=4, measure="RR@10")
    text = file.read_text("utf-8")
    page = Page(text)
    assert not {"script", "link", "img", "iframe", "object", "b", "i"} & set(page.tags)
    assert page.tags.count("svg") == (1 + 2 * 5 if compared else 5)
    assert all(link.startswith("#") for link in page.links)
    assert all(target.startswith("#") for target in re.findall(r"url\((.*?)\)", text))
    assert "://" not in text
    assert "@import" not in text
    for shown in (HOSTILE, "<b>note</b>", "<i>عنوان", "شهریه مکالمه", "رايگان", "RR@10"):
        assert shown in page.text
    assert 'dir="auto"' in text
    assert "prefers-color-scheme: dark" in text


def test_what_can_not_be_written_is_an_error(report: EvaluationReport, tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="the report can not be written to"):
        write_html(report, tmp_path)
    with pytest.raises(InvalidInputError, match="unknown measure of this evaluation 'nDCG@5'"):
        write_html(report, tmp_path / "report.html", measure="nDCG@5")


@pytest.mark.parametrize(("module", "needing"), [("pandas", "to_frame"), ("matplotlib", "html"), ("jinja2", "html")])
def test_without_the_extra_the_install_line_is_shown(
    report: EvaluationReport, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str, needing: str
) -> None:
    for name in [*(loaded for loaded in sys.modules if loaded.startswith(f"{module}.")), module]:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ComponentError, match=rf"needs {module}: pip install 'rag-app\[eval\]'$"):
        report.to_frame() if needing == "to_frame" else write_html(report, tmp_path / "report.html")


def test_a_result_is_kept_small(report: EvaluationReport) -> None:
    outcome: Any = report.outcomes["q1"]
    assert len(outcome._packed) < len(json.dumps(outcome.result(), ensure_ascii=False).encode()) / 2
