"""What is given hostile input, kind by kind: each target makes one at random and returns what takes it."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from hostile_files import SEEDS, hostile_file, seed
from hostile_texts import EDGES, UNITS, hostile_text, hostile_value
from hostile_yaml import BOMBS, hostile_yaml
from llama_index.core.schema import Document, TextNode

from rag_app.chat.citations import Citations, without_citations
from rag_app.chat.follow_up import by_rules
from rag_app.cli.flag_texts import parsed_value
from rag_app.cli.options import parsed_filters
from rag_app.config import load_settings
from rag_app.conversion import SUFFIXES, Converter
from rag_app.embeddings.hashing import HashingEmbedding
from rag_app.filters import parse_filters
from rag_app.gemini import ReadChunk, read_turn
from rag_app.gemini.delimiters import as_attribute, without_delimiters
from rag_app.llms.passages import passages_of
from rag_app.node_parsers import FaqNodeParser, ParentChildNodeParser, RecordNodeParser
from rag_app.persian import Lexicons, PersianAnalyzer, Vocabulary, fold, sentence_spans
from rag_app.persian.language import detect_language
from rag_app.persian.references import reference_in, subject_of
from rag_app.query_analysis import QueryRouter, read_intents
from rag_app.readers import read
from rag_app.tokens import EstimatedTokenCounter

QUESTION_CHARS = 2000  # the most that the server takes
TEXT_CHARS = 100_000


class Trial(NamedTuple):
    """An input, and what takes it.

    Attributes:
        name: what the input is, in words.
        size: of it, in characters or bytes.
        take: gives it to the product; only `RagAppError` may be raised.
        elsewhere: whether another process works on it.
    """

    name: str
    size: int
    take: Callable[[], object]
    elsewhere: bool = False


Target = Callable[[random.Random], Trial]


def every_seed(suffixes: tuple[str, ...], folder: Path, converter: Converter) -> Iterator[Trial]:
    """Yield a trial of each file that is made by code, bombs too."""
    for suffix in suffixes:
        for name in SEEDS[suffix]:
            yield file_trial(f"{suffix}: {name}", suffix, seed(suffix, name), folder, converter)


def every_text(most: int, takers: Mapping[str, Callable[[str], object]]) -> Iterator[Trial]:
    """Yield a trial of each unit repeated, of each taker."""
    for name, take in takers.items():
        for unit in UNITS:
            for before, after in (
                ("", ""),
                ("ab", "x"),
                ("کتاب\u200c", "1"),
                ("|", "x"),
                ("1", "1"),
                ("این ", " چنده؟"),
            ):
                text = (before + unit * (most // len(unit)))[:most] + after
                yield Trial(f"{name}: {before!r} {unit!r} {after!r}", len(text), partial(take, text))


def every_bomb(file: Path) -> Iterator[Trial]:
    """Yield a trial of each YAML bomb, as settings, a lexicon and intents."""
    for name, text in BOMBS.items():
        for kind, take in _YAML.items():
            yield Trial(f"{kind}: {name}", len(text), partial(_yaml, file, text, take))


_YAML: dict[str, Callable[[Path], object]] = {
    "settings": load_settings,
    "lexicon": lambda file: Lexicons(file).of("shop").synonyms("پول"),
    "intents": lambda file: QueryRouter(read_intents(file), str(file)).route("قیمت چنده؟"),
}


@contextmanager
def targets(folder: Path) -> Iterator[dict[str, Target]]:
    """Yield the targets that need no database.

    Args:
        folder: where files are written.
    """
    with Converter() as converter:
        found: dict[str, Target] = {
            f"file {suffix}": partial(_any_file, suffix=suffix, folder=folder, converter=converter) for suffix in SEEDS
        }
        yield found | {
            "question": partial(_text, takers=takers_of_questions(), most=QUESTION_CHARS),
            "text": partial(_text, takers=takers_of_texts(), most=TEXT_CHARS),
            "records": partial(_records),
            "YAML": partial(_any_yaml, file=folder / "hostile.yaml"),
            "filters": _filters,
            "arguments": _arguments,
        }


def takers_of_questions() -> dict[str, Callable[[str], object]]:
    """Return what takes a question, or what was said before it."""
    counts = dict.fromkeys("ارسال هزینه ها کتاب سفارش ab a b شان ش 1 shanbe می ا".split(), 3)  # noqa: SIM905
    vocabulary = Vocabulary.of_counts(counts, 10, Lexicons().of(""))
    embedding = HashingEmbedding()
    return {
        "vocabulary": vocabulary.read,
        "language": detect_language,
        "subject": subject_of,
        "reference": reference_in,
        "follow-up": lambda text: by_rules(text, ["شهریه دوره چنده؟", text]),
        "history": lambda text: by_rules("هزینه‌ش چنده؟", [text]),
        "route": QueryRouter().route,
        "embedding": embedding.get_query_embedding,
    }


def takers_of_texts() -> dict[str, Callable[[str], object]]:
    """Return what takes the text of a document, of an answer, or of a conversation."""

    def document(text: str, **metadata: str) -> Document:
        return Document(text=text, metadata={"title": "t", **metadata})

    def streamed(text: str) -> str:
        citations = Citations(3)
        pieces = [citations.feed(text[at : at + 50]) for at in range(0, len(text), 50)]
        return "".join((*pieces, citations.end()))

    counter, analyzer = EstimatedTokenCounter(), PersianAnalyzer()
    return {
        "fold": fold,
        "tokens": analyzer.tokens,
        "sentences": sentence_spans,
        "count": counter.count,
        "delimiters": lambda text: (without_delimiters(text), as_attribute(text)),
        "citations": lambda text: (streamed(text), without_citations(text)),
        "turn": lambda text: read_turn(f"<context>\n{text}</context>\n\n<question>\n{text}\n</question>"),
        "passages": lambda text: passages_of(ReadChunk(1, "s", "t", text[:QUESTION_CHARS])),
        "parents and children": lambda text: ParentChildNodeParser()([document(text)]),
        "a pair": lambda text: FaqNodeParser()([document(text)]),
        "a record": lambda text: RecordNodeParser()([document("x", price=text[:50_000])]),
        "a node": lambda text: TextNode(text=text).get_content(),
    }


def _text(choose: random.Random, takers: Mapping[str, Callable[[str], object]], most: int) -> Trial:
    name, text = choose.choice(list(takers)), hostile_text(choose, most)
    return Trial(name, len(text), partial(takers[name], text))


def _any_file(choose: random.Random, suffix: str, folder: Path, converter: Converter) -> Trial:
    name, content = hostile_file(choose, suffix)
    return file_trial(name, suffix, content, folder, converter)


def file_trial(name: str, suffix: str, content: bytes, folder: Path, converter: Converter) -> Trial:
    """Return a trial of a file."""
    if suffix in SUFFIXES:  # in the process that is there, as starting one takes longer than most files do
        return Trial(name, len(content), partial(converter.convert, suffix, content, max_mb=20), True)
    path = folder / f"hostile{suffix}"

    def take() -> int:
        path.write_bytes(content)
        return sum(1 for _ in read([path]))

    return Trial(name, len(content), take)


def _records(choose: random.Random) -> Trial:
    record = {
        name: hostile_value(choose) for name in ("id", "text", "title", "source", "metadata", "question", "answer")
    }
    kept = {name: value for name, value in record.items() if choose.random() < 0.7}
    item: Any = choose.choice((kept, kept, {**kept, "id": "a", "text": "x"}, hostile_value(choose, most=300)))

    def take() -> None:
        for found in read([item]):
            if isinstance(found, Document):
                RecordNodeParser()([found])

    return Trial("a record", len(kept), take)


def _any_yaml(choose: random.Random, file: Path) -> Trial:
    text, (kind, take) = hostile_yaml(choose), choose.choice(list(_YAML.items()))
    return Trial(kind, len(text), partial(_yaml, file, text, take))


def _yaml(file: Path, text: str, take: Callable[[Path], object]) -> None:
    file.write_bytes(text.encode("utf-8", "surrogatepass"))
    take(file)


def _filters(choose: random.Random) -> Trial:
    value = hostile_value(choose)
    filters: Any = choose.choice((value, {"brand": value}, {"brand": [value, value]}, {hostile_text(choose, 50): "x"}))
    return Trial("filters", 1, partial(parse_filters, filters, ("brand",)))


def _arguments(choose: random.Random) -> Trial:
    text = choose.choice((hostile_text(choose, TEXT_CHARS), "[" * 100_000, "9" * 100_000, choose.choice(EDGES)))

    def take() -> None:
        parsed_value(text)
        parse_filters(parsed_filters([choose.choice((f"brand:={text}", f"brand={text}", text))]), ("brand",))

    return Trial("arguments", len(text), take)
