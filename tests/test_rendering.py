"""Results as a notebook and a terminal show them."""

from __future__ import annotations

from html.parser import HTMLParser
from io import StringIO

import pytest
from IPython.lib.pretty import pretty
from llama_index.core.schema import NodeWithScore, TextNode
from rich.console import Console

from rag_app import RagApp
from rag_app.schema import NO_MATCH, Answer, QueryAnalysis, RetrievalResult, Retrieved, Usage
from rag_app.schema.terminal import render_result
from rag_app.trace import ChunkTrace, StageTrace, Trace, WordTrace

HOSTILE = """</div></details><script>alert(1)</script><img src=x onerror="alert(2)">'" &lt; [bold]x[/] {0}"""
TAGS = {"style", "div", "details", "summary", "span", "b", "bdi", "small", "i"}


class Shown(HTMLParser):
    """What a browser makes of a page: its tags, its attributes, and its text without the style sheet."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.open: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.open.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] != ["style"]:
            self.text += data


def result_of(text: str, **changed: object) -> RetrievalResult:
    named = {"doc_id": text, "source": text, "title": text, "tenant": "t", "preamble": f"رنگ: {text}"}
    node = TextNode(id_="n1", text=text, metadata=named)
    trace = Trace(
        stages=[StageTrace("retrieval", 30.0, 1), StageTrace("rerank", 10.0, 1)],
        words=[WordTrace(text, text, 1.0, {text: 0.75})],
        chunks={"n1": ChunkTrace("n1", text, text, text, context=1, tokens=17)},
        warnings=[text],
        reranker=text,
        reranker_reason=text,
        total_ms=50.0,
    )
    trace.degrade("retrieval", text, text, text)
    values: dict[str, object] = {
        "query": text,
        "tenant": text,
        "nodes": (NodeWithScore(node=node, score=0.5),),
        "context": text,
        "tokens": 17,
        "token_counter": text,
        "method": "production_rag",
        "analysis": QueryAnalysis(text, text, text, text, text),
        "trace": trace,
    }
    return RetrievalResult(**{**values, **changed})  # type: ignore[arg-type]


def answer_of(text: str) -> Answer:
    return Answer(text, Retrieved(text, text, result_of(text)), (1,), text, "answered", Usage(0, 0, text))


@pytest.mark.parametrize("made", [result_of(HOSTILE), answer_of(HOSTILE)])
def test_what_documents_and_customers_wrote_is_escaped(made: RetrievalResult | Answer) -> None:
    shown = Shown(made._repr_html_())
    assert shown.open == []
    assert set(shown.tags) <= TAGS
    assert {name for name, _ in shown.attributes} <= {"class", "dir", "open", "style"}
    assert not any("alert" in (value or "") for _, value in shown.attributes)
    assert shown.text.count(HOSTILE) >= 4
    assert f"رنگ: {HOSTILE}" in shown.text


def test_nothing_is_loaded_or_run() -> None:
    page = result_of("متن")._repr_html_()
    assert not any(part in page for part in ("<script", "http", "url(", "@import", "src=", "onclick"))


def test_a_result_shows_the_reading_the_chunks_and_the_stages(app: RagApp) -> None:
    result = app.retrieve("shahriye kelas almani", tenant="avanema")
    page = result._repr_html_()
    shown = Shown(page)
    assert '<div class="rag-app" dir="ltr">' in page
    assert '<details open dir="rtl">' in page
    assert page.count("<details ") == len(result.nodes) > 1
    assert "shahriyeشهریه" in shown.text
    for number, scored in enumerate(result.nodes, start=1):
        tokens = result.trace.chunks[scored.node.node_id].tokens
        metadata = scored.node.metadata
        facts = f"{metadata['source']} · score {scored.score or 0:.3f} · {tokens} tokens"
        assert f"{number}. {metadata['title']} · {facts}" in shown.text
        assert scored.node.get_content() in shown.text
    for stage in result.trace.stages:
        assert f"{stage.name} {stage.ms:.1f} ms" in shown.text
    assert f"{result.tokens} tokens (" in shown.text
    assert "reranked by lexical (configured)" in shown.text


def test_a_notebook_shows_the_fields_of_a_record_above_its_text_in_its_direction(app: RagApp, tenant: str) -> None:
    fields = {"price": 450_000, "رنگ": "آبی"}
    app.ingest([{"id": "p1", "text": "کتاب دورهٔ آلمانی", "kind": "record", "metadata": fields}], tenant=tenant)
    page = app.retrieve("کتاب آلمانی", tenant=tenant)._repr_html_()
    shown = "<div><bdi>price: 450,000</bdi></div><div><bdi>رنگ: آبی</bdi></div>"
    assert f'</summary>{shown}<div class="text">کتاب دورهٔ آلمانی</div>' in page
    assert '<details open dir="rtl">' in page


def test_the_stages_share_the_bar_by_their_time() -> None:
    page = result_of("متن")._repr_html_()
    assert ["width:60.00%" in page, "width:20.00%" in page] == [True, True]
    nothing = Trace(stages=[StageTrace("query_analysis", 0.0)])
    assert "width:0.00%" in result_of("متن", trace=nothing)._repr_html_()


def test_a_failure_and_an_empty_result_say_why() -> None:
    shown = Shown(result_of("متن", nodes=(), emptiness=NO_MATCH)._repr_html_()).text
    assert "No chunks: no chunk matches the query" in shown
    assert "warning: متن" in shown
    assert "degraded: retrieval: متن (متن), متن served" in shown


def test_an_answer_shows_what_it_cites(app: RagApp) -> None:
    answer = app.answer("شهریه آیلتس چقدره؟", tenant="avanema")
    shown = Shown(answer._repr_html_()).text
    assert answer.text in shown
    for number in answer.citations:
        assert f"{number}. {answer.retrieved.result.nodes[number - 1].node.metadata['title']}" in shown
    assert answer.citations
    assert "answered, by extractive" in shown


def test_a_terminal_shows_what_the_command_does_and_takes_no_markup_from_documents() -> None:
    result = result_of(HOSTILE)
    console = Console(file=StringIO(), width=1_000)
    console.print(result)
    assert isinstance(console.file, StringIO)
    printed = [line.rstrip() for line in console.file.getvalue().splitlines()]
    assert printed == render_result(result).splitlines()
    assert HOSTILE in printed[1]


@pytest.mark.parametrize(
    ("made", "text"), [(result_of("متن"), render_result(result_of("متن"))), (answer_of("متن"), "متن")]
)
def test_ipython_shows_text_in_a_terminal(made: RetrievalResult | Answer, text: str) -> None:
    assert pretty(made) == text
