"""Fit random mixes of chunks into random budgets, and count what is not as it should be.

    python benchmarks/budgets.py [--mixes 10000] [--seed 0]

Prints how often the budget is exceeded, a share gets less than it is guaranteed although its chunks have more to say,
or a sentence is left out that would still fit, and what is left of the budgets that were too small for all.
"""

from __future__ import annotations

import argparse
import random
import statistics
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from llama_index.core.schema import BaseNode, NodeWithScore, TextNode

from rag_app.gemini import render_chunk, render_context
from rag_app.persian import sentence_spans
from rag_app.postprocessors import TokenBudgetPostprocessor
from rag_app.schema import RetrievalQuery, TokenBudget, TokenCounter
from rag_app.tokens import EstimatedTokenCounter

DOCUMENTS = Path(__file__).resolve().parent.parent / "examples" / "institute" / "documents"
ODD = (
    "😀 👍🏽",
    "</chunk> <chunk>",
    "۱٬۲۵۰٬۰۰۰ تومان!",
    "| پست | ۶۵٬۰۰۰ |\n",
    "Yes.",
    "https://avanema.example/a?b=1",
    "«بله»؟",
)
Nodes = list[NodeWithScore]


class Mix(NamedTuple):
    """Chunks, best first, and the budget to fit them into."""

    nodes: Nodes
    budget: TokenBudget


def sample_sentences() -> list[str]:
    """Return the sentences of the sample documents."""
    texts = [file.read_text("utf-8") for file in sorted(DOCUMENTS.rglob("*.md"))]
    return [text[start:end] for text in texts for start, end in sentence_spans(text)]


def make_mix(rng: random.Random, sentences: list[str]) -> Mix:
    """Return up to 9 chunks of three sources, each a parent with its child marked, and a budget."""
    nodes = []
    for number in range(rng.randint(0, 9)):
        some = [
            rng.choice(ODD) + " " if rng.random() < 0.15 else rng.choice(sentences) for _ in range(rng.randint(1, 15))
        ]
        text = "".join(some).strip() or "متن."
        spans = sentence_spans(text)
        first = rng.randrange(len(spans))
        last = rng.randint(first, min(first + 3, len(spans) - 1))
        node = TextNode(
            id_=str(number),
            text=text,
            start_char_idx=spans[first][0],
            end_char_idx=spans[last][1],
            metadata={"source": rng.choice(["manual", "faq", "web"]), "title": rng.choice(["", "ارسال کتاب"])},
        )
        if rng.random() < 0.2:
            node.metadata["preamble"] = rng.choice([some[0].strip(), "## هزینه\n| روش | هزینه |"])
        nodes.append(NodeWithScore(node=node, score=1.0 - number / 100))
    primary, secondary = (rng.choice([0, rng.randint(1, 120), rng.randint(60, 900)]) for _ in range(2))
    return Mix(nodes, TokenBudget(primary, secondary, rng.choice(["manual", "manual", None])))


def fit(mix: Mix, counter: TokenCounter) -> Nodes:
    """Return what is shown."""
    postprocessor = TokenBudgetPostprocessor(counter, render_chunk, top_n=9, budget=mix.budget)
    return postprocessor.postprocess_nodes(list(mix.nodes), RetrievalQuery("q", tenant="t", budget=mix.budget))


def faults(mix: Mix, shown: Nodes, counter: TokenCounter) -> list[str]:
    """Return what is not as it should be; every context is rendered and counted anew."""
    budget, found = mix.budget, []
    if _tokens(shown, counter) > budget.total:
        found.append("exceeded")
    own = {node.node.node_id: node for node in shown}
    for share, primary in ((budget.primary, True), (budget.secondary, False)):
        mine = [node for node in mix.nodes if budget.is_primary(node.node.metadata["source"]) is primary]
        mine_shown = [own[node.node.node_id] for node in mine if node.node.node_id in own]
        if share == 0:
            found += ["share of nothing"] * bool(mine_shown)
            continue
        for longer in _one_sentence_more(mine, own):
            others = [node for node in shown if node not in mine_shown]
            if _tokens(_with(others, longer, mine, own), counter) <= budget.total:
                found.append("would fit")
            if _tokens(_with([], longer, mine, own), counter) <= share:
                found.append("share not kept")
    return found


def _with(others: Nodes, longer: BaseNode, mine: Nodes, own: dict[str, NodeWithScore]) -> Nodes:
    """Return the others and the chunks of one share, one of which is longer."""
    changed = own | {longer.node_id: NodeWithScore(node=longer)}
    return others + [changed[node.node.node_id] for node in mine if node.node.node_id in changed]


def _one_sentence_more(nodes: Nodes, own: dict[str, NodeWithScore]) -> Iterator[BaseNode]:
    """Yield each chunk with the next sentence after or before what is shown, or the first of its core."""
    for scored in nodes:
        node, text = scored.node, scored.node.get_content()
        assert isinstance(node, TextNode)  # noqa: S101 - they were made here
        core = (node.start_char_idx or 0, node.end_char_idx or len(text))
        cuts = sorted({0, *core, len(text), *(stop for _, stop in sentence_spans(text))})
        units = [(left, right) for left, right in pairwise(cuts) if text[left:right].strip()]
        if (shown := own.get(node.node_id)) is None:
            runs = [next(unit for unit in units if unit[0] >= core[0])]
        else:
            runs = list(_longer(text, units, core, shown.node.get_content()))
        for left, right in runs:
            yield node.model_copy(update={"text": text[left:right].strip()})


def _longer(text: str, units: list[tuple[int, int]], core: tuple[int, int], shown: str) -> Iterator[tuple[int, int]]:
    """Yield the runs that are one sentence longer than the one shown, which holds the beginning of the core."""
    for first, (start, _) in enumerate(units):
        for last, (_, end) in enumerate(units):
            if start <= core[0] < end and text[start:end].strip() == shown:
                if last + 1 < len(units):
                    yield start, units[last + 1][1]
                if first:
                    yield units[first - 1][0], end


def _tokens(nodes: Nodes, counter: TokenCounter) -> int:
    return counter.count(render_context(nodes))


def main() -> None:
    """Print the counts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mixes", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rng, counter, sentences = random.Random(options.seed), EstimatedTokenCounter(), sample_sentences()  # noqa: S311
    counts: dict[str, int] = dict.fromkeys(("exceeded", "share of nothing", "share not kept", "would fit"), 0)
    left = []
    for _ in range(options.mixes):
        mix = make_mix(rng, sentences)
        shown = fit(mix, counter)
        for fault in set(faults(mix, shown, counter)):
            counts[fault] += 1
        wanted = _tokens(mix.nodes, counter)
        if mix.budget.primary and mix.budget.secondary and wanted > mix.budget.total:
            left.append(mix.budget.total - _tokens(shown, counter))
    print(f"{options.mixes} mixes: " + ", ".join(f"{fault} {count}" for fault, count in counts.items()))
    print(f"left of {len(left)} budgets that were too small: median {statistics.median(left)} tokens, most {max(left)}")


if __name__ == "__main__":
    main()
