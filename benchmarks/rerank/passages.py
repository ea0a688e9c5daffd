"""Sets of a question and passages of mixed lengths, of a SQuAD file or of the sample knowledge base."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from llama_index.core.schema import NodeWithScore, TextNode
from transformers import PreTrainedTokenizerBase

from rag_app.evaluation import read_beir
from rag_app.schema import Deadline, RetrievalQuery
from rag_app.trace import ChunkTrace, Trace

INSTITUTE = Path(__file__).parent.parent.parent / "examples" / "institute"
PAIRS = 20
SHORTEST, LONGEST = 24, 128  # tokens of a passage

# What a node has beside its text. Stock reads of it what a node does not exclude; ours reads the text alone.
METADATA = ("title and source", "title", "none")


@dataclass(frozen=True)
class Paragraph:
    """A text, its title and source, and the questions that it answers."""

    title: str
    source: str
    text: str
    questions: tuple[str, ...] = ()

    @property
    def texts(self) -> tuple[str, ...]:
        """All that is written in it."""
        return (self.title, self.text, *self.questions)


@dataclass(frozen=True)
class PassageSet:
    """A question and the passages to rank for it."""

    question: str
    passages: tuple[Paragraph, ...]

    def nodes(self, metadata: str = "none") -> list[NodeWithScore]:
        """Return the passages as retrieval hands them on, best first.

        Args:
            metadata: "title and source" for nodes with both, in LlamaIndex's own format; "title" for nodes as the
                product's chunks are, which exclude the source; "none" for text alone.
        """
        count = len(self.passages)
        return [
            NodeWithScore(node=_node(str(place), passage, metadata), score=1 - place / count)
            for place, passage in enumerate(self.passages)
        ]

    def query(self, deadline: Deadline | None = None) -> RetrievalQuery:
        """Return the question with a trace that knows the nodes, so that their logits can be read from it."""
        chunks = {str(place): ChunkTrace(str(place), "", "", "") for place in range(len(self.passages))}
        return RetrievalQuery(
            self.question, tenant="bench", deadline=deadline or Deadline(), trace=Trace(chunks=chunks)
        )


def logits_of(query: RetrievalQuery) -> list[float | None]:
    """Return the logits that the trace keeps, in the order in which the passages came in."""
    return [chunk.logit for chunk in query.trace.chunks.values()]


def draw(
    paragraphs: Sequence[Paragraph], tokenizer: PreTrainedTokenizerBase, seed: int, pairs: int = PAIRS
) -> PassageSet:
    """Return passages of evenly spread numbers of tokens in mixed order, and a question that one of them answers."""
    rng = random.Random(seed)  # noqa: S311 - no secret
    drawn = sorted(rng.sample(paragraphs, pairs), key=lambda paragraph: len(paragraph.text))
    steps = max(1, pairs - 1)
    passages = [
        Paragraph(
            paragraph.title,
            paragraph.source,
            cut(paragraph.text, tokenizer, SHORTEST + (LONGEST - SHORTEST) * place // steps),
        )
        for place, paragraph in enumerate(drawn)
    ]
    rng.shuffle(passages)
    answered = [paragraph for paragraph in drawn if paragraph.questions] or [
        paragraph for paragraph in paragraphs if paragraph.questions
    ]
    return PassageSet(rng.choice(rng.choice(answered).questions), tuple(passages))


def cut(text: str, tokenizer: PreTrainedTokenizerBase, tokens: int) -> str:
    """Return the beginning of a text up to the end of a word, at most so many tokens."""
    encoded = tokenizer(text, add_special_tokens=False, truncation=True, max_length=tokens, return_offsets_mapping=True)
    end = encoded["offset_mapping"][-1][1]
    whole = text[end : end + 1].strip() == ""
    return text[:end] if whole else text[:end].rsplit(maxsplit=1)[0]


def read_paragraphs(squad: Path | None) -> list[Paragraph]:
    """Return the paragraphs of a SQuAD file, or the documents of the sample knowledge base.

    Raises:
        SystemExit: the file can not be read or is not in the format of SQuAD.
    """
    if squad is None:
        return _institute()
    try:
        articles = json.loads(squad.read_text("utf-8-sig"))["data"]
        return [
            Paragraph(
                article.get("title", ""),
                "website",
                " ".join(paragraph["context"].split()),
                tuple(entry["question"] for entry in paragraph["qas"]),
            )
            for article in articles
            for paragraph in article["paragraphs"]
        ]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise SystemExit(f"{squad} can not be read as SQuAD: {type(error).__name__}: {error}") from error


def _institute() -> list[Paragraph]:
    held_out = read_beir(INSTITUTE / "support-held-out")
    questions: dict[str, list[str]] = {}
    for query_id, text in held_out.judged.items():
        for doc_id in held_out.qrels[query_id]:
            questions.setdefault(doc_id, []).append(text)
    return [
        Paragraph(
            record["title"],
            record["source"],
            " ".join(record["text"].split()),
            tuple(questions.get(doc_id, ())),
        )
        for doc_id, record in held_out.corpus.items()
    ]


def _node(node_id: str, passage: Paragraph, metadata: str) -> TextNode:
    if metadata == "none":
        return TextNode(id_=node_id, text=passage.text)
    node = TextNode(id_=node_id, text=passage.text, metadata={"title": passage.title, "source": passage.source})
    if metadata == "title":
        node.excluded_embed_metadata_keys = ["source"]
        node.metadata_template, node.text_template = "{value}", "{metadata_str}\n{content}"
    return node
