"""Results as HTML for a notebook: nothing is loaded or run, and what documents and customers wrote is escaped."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from html import escape
from textwrap import shorten
from typing import TYPE_CHECKING

from rag_app.gemini import lines_above
from rag_app.schema.terminal import notes, outcome
from rag_app.trace import StageTrace, WordTrace

if TYPE_CHECKING:
    from llama_index.core.schema import NodeWithScore

    from rag_app.schema.answer import Answer
    from rag_app.schema.result import QueryAnalysis, RetrievalResult

_SHOWN_MATCHES = 3  # of each word
_PEEK = 110  # characters of a chunk that is closed
_COLOURS = {"query_analysis": "#9a7fd1", "retrieval": "#4b8fd9", "rerank": "#d9902f", "context": "#4aa67c"}
_OTHER_COLOUR = "#8a8f98"
# Greys that let the page's own colours through, for a notebook is light or dark by a theme that no style sheet can ask.
_STYLE = """<style>
.rag-app {max-width: 56rem; line-height: 1.7; font-size: 14px}
.rag-app div, .rag-app summary {text-align: start}
.rag-app .asked {font-size: 1.25em; font-weight: 600}
.rag-app .small, .rag-app .legend {font-size: .86em; opacity: .8}
.rag-app .words {display: flex; flex-wrap: wrap; gap: .4em; margin: .4em 0}
.rag-app .word {border: 1px solid rgba(128,128,128,.45); border-radius: .5em; padding: 0 .6em; text-align: center}
.rag-app .word b, .rag-app .word small {display: block}
.rag-app .bar {display: flex; height: .7em; margin: .5em 0 .2em; border-radius: .35em; overflow: hidden;
  background: rgba(128,128,128,.25)}
.rag-app .legend span {margin-inline-end: 1.2em; white-space: nowrap}
.rag-app .legend i {display: inline-block; width: .7em; height: .7em; border-radius: .2em; margin-inline-end: .4em}
.rag-app .told {border-inline-start: .25em solid #d9902f; padding-inline-start: .6em; margin: .4em 0}
.rag-app details {border: 1px solid rgba(128,128,128,.35); border-radius: .5em; margin: .4em 0; padding: .3em .7em}
.rag-app summary {cursor: pointer}
.rag-app details[open] .peek {display: none}
.rag-app .peek {opacity: .75; overflow: hidden; text-overflow: ellipsis; white-space: nowrap}
.rag-app .text {white-space: pre-wrap; overflow-wrap: anywhere; margin-top: .3em}
</style>"""


def result_html(result: RetrievalResult) -> str:
    """Return what was asked, how it was read, the chunks, and how long each stage took."""
    tokens = {node_id: chunk.tokens for node_id, chunk in result.trace.chunks.items()}
    told = [f"No chunks: {result.reason}"] * (result.reason is not None) + notes(result)
    parts = [
        f'<div class="asked">{escape(result.query)}</div>',
        _reading(result.analysis, result.trace.words),
        *(f'<div class="told" dir="ltr">{escape(note)}</div>' for note in told),
        *(
            _chunk(number, scored, tokens.get(scored.node.node_id), is_open=number == 1)
            for number, scored in enumerate(result.nodes, start=1)
        ),
        _stages(result.trace.stages, result.trace.total_ms),
        f'<div class="small" dir="ltr">{escape(outcome(result))}</div>',
    ]
    return _page(result.query, parts)


def answer_html(answer: Answer) -> str:
    """Return the text, the chunks that it cites, and how it came out."""
    nodes = answer.retrieved.result.nodes
    parts = [
        f'<div class="asked">{escape(answer.retrieved.question)}</div>',
        f'<div class="text" dir="{_direction(answer.text)}">{escape(answer.text)}</div>',
        *(_chunk(number, nodes[number - 1], None) for number in answer.citations),
        f'<div class="small" dir="ltr">{escape(f"{answer.outcome}, by {answer.llm}")}</div>',
    ]
    return _page(answer.retrieved.question, parts)


def _page(question: str, parts: Iterable[str]) -> str:
    return f'{_STYLE}<div class="rag-app" dir="{_direction(question)}">{"".join(parts)}</div>'


def _reading(analysis: QueryAnalysis | None, words: Sequence[WordTrace]) -> str:
    """Return each word of the question above what the texts have for it."""
    told = f"{analysis.language}, {analysis.complexity}, intent {analysis.intent}" if analysis is not None else ""
    read = "".join(
        f'<span class="word"><b>{escape(word.typed)}</b><small>{_matches(word)}</small></span>' for word in words
    )
    return f'<div class="small"><bdi>{escape(told)}</bdi></div><div class="words">{read}</div>'


def _matches(word: WordTrace) -> str:
    best = sorted(word.matches.items(), key=lambda match: -match[1])[:_SHOWN_MATCHES]
    return ", ".join(f"<bdi>{escape(match)}</bdi> {similarity:.2f}" for match, similarity in best) or "–"


def _chunk(number: int, scored: NodeWithScore, tokens: int | None, *, is_open: bool = False) -> str:
    """Return a chunk that opens to its fields or headings and its text, in the direction of that text."""
    metadata, text = scored.node.metadata, scored.node.get_content()
    above = lines_above(scored.node)
    direction = _direction("\n".join([text, *above]))
    facts = [f"score {scored.score or 0:.3f}", *([f"{tokens} tokens"] if tokens is not None else [])]
    told = "".join(f" · <bdi>{escape(fact)}</bdi>" for fact in (str(metadata.get("source", "")), *facts))
    peek = shorten(text, _PEEK, placeholder=" …")
    fields = "".join(f"<div><bdi>{escape(line)}</bdi></div>" for line in above)
    return (
        f'<details{" open" if is_open else ""} dir="{direction}"><summary><b>{number}. '
        f'<bdi>{escape(str(metadata.get("title", "")))}</bdi></b><span class="small">{told}</span>'
        f'<div class="peek">{escape(peek)}</div></summary>{fields}<div class="text">{escape(text)}</div></details>'
    )


def _stages(stages: Sequence[StageTrace], total_ms: float) -> str:
    """Return a bar as long as the request, with a part for each stage, and what the parts are."""
    whole = max(total_ms, sum(stage.ms for stage in stages)) or 1.0
    coloured = [(stage, _COLOURS.get(stage.name, _OTHER_COLOUR)) for stage in stages]
    bar = "".join(
        f'<span style="width:{100 * stage.ms / whole:.2f}%;background:{colour}"></span>' for stage, colour in coloured
    )
    legend = "".join(
        f'<span><i style="background:{colour}"></i>{stage.name} {stage.ms:.1f} ms</span>' for stage, colour in coloured
    )
    legend += f"<span>{total_ms:.1f} ms in all</span>"
    return f'<div class="bar" dir="ltr">{bar}</div><div class="legend" dir="ltr">{legend}</div>'


def _direction(text: str) -> str:
    """Return the direction of a text, "rtl" or "ltr", by its first letter that has one."""
    strong = (kind for char in text if (kind := unicodedata.bidirectional(char)) in ("L", "R", "AL"))
    return "rtl" if next(strong, "L") != "L" else "ltr"
