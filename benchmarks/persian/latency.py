"""What reading Persian costs, in one tenant of many chunks made of the shuffled sentences of a SQuAD file.

As the sentences repeat, the vocabulary is that of the file, and smaller than that of as many chunks of a customer.
"""

from __future__ import annotations

import argparse
import random
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from llama_index.core.schema import NodeWithScore
from squad import NotSquadError, read_squad
from table import kept_or_temporary, opened, show
from ways import WAYS

from rag_app import RagApp
from rag_app.persian import Lexicons, PersianAnalyzer, sentence_spans
from rag_app.postprocessors import LexicalRerank
from rag_app.retrievers import ask
from rag_app.retrievers.bm25 import TenantBM25Retriever
from rag_app.schema import RetrievalQuery
from rag_app.storage import ChunkReader

TENANT = "latency"
SENTENCES = 20  # of a document
DOCUMENTS = 50  # that are ingested at once
ANALYSED = 2_000  # chunks
STEPS = ("read", "BM25", "rerank", "all three", "whole request")


def fill(app: RagApp, paragraphs: Iterable[str], chunks: int, rng: random.Random) -> int:
    """Ingest documents of random sentences until there are as many chunks; return how many there are."""
    sentences = [text[start:end].strip() for text in paragraphs for start, end in sentence_spans(text)]
    written_chunks = batch = 0
    while written_chunks < chunks:
        records = [
            {"id": f"{batch}-{number}", "text": " ".join(rng.sample(sentences, SENTENCES)), "source": "manual"}
            for number in range(DOCUMENTS)
        ]
        written_chunks += app.ingest(records, tenant=TENANT).chunks
        batch += 1
    return written_chunks


def build_index(app: RagApp) -> tuple[TenantBM25Retriever, float]:
    """Return the tenant's sparse index and vocabulary, and the seconds that building them took."""
    tokens = app.loop.call(ChunkReader(app.database).atokens, TENANT).chunks
    started = time.perf_counter()
    index = TenantBM25Retriever(tokens, Lexicons().of(TENANT), similarity_top_k=15)
    return index, time.perf_counter() - started


def analysed_per_second(app: RagApp) -> float:
    """Return how many chunks the analyser cuts into tokens in a second on one core."""
    reader = ChunkReader(app.database)
    scores = {chunk.node_id: 1.0 for chunk in app.loop.call(reader.atokens, TENANT).chunks[:ANALYSED]}
    found = app.loop.call(reader.afound, RetrievalQuery("", tenant=TENANT), scores)
    texts = [hit.node.get_content() for hit in found]
    analyzer = PersianAnalyzer()
    started = time.perf_counter()
    for text in texts:
        analyzer.tokens(text)
    return len(texts) / (time.perf_counter() - started)


def timed(app: RagApp, index: TenantBM25Retriever, text: str) -> dict[str, float]:
    """Return the milliseconds of each step for a question."""
    marks = [time.perf_counter()]
    query = RetrievalQuery(text, tenant=TENANT, reading=index.vocabulary.read(text))
    marks.append(time.perf_counter())
    index.retrieve(query)
    marks.append(time.perf_counter())
    nodes = candidates(app, query)
    started = time.perf_counter()
    LexicalRerank().postprocess_nodes(nodes, query)
    rerank = time.perf_counter() - started
    read, bm25 = np.diff(marks)
    whole = app.retrieve(text, tenant=TENANT).trace.total_ms
    return dict(zip(STEPS, [*(1000 * s for s in (read, bm25, rerank, read + bm25 + rerank)), whole], strict=True))


def candidates(app: RagApp, query: RetrievalQuery) -> list[NodeWithScore]:
    """Return what the legs and their fusion find."""

    async def search() -> list[NodeWithScore]:
        query.generation = (await app.pipeline.catalog.asnapshot(TENANT)).generation
        return await ask(app.pipeline.retriever, query)

    return app.loop.call(search)


def rows_of(way: str, times: Mapping[str, Sequence[float]]) -> Iterator[str]:
    """Yield p50 and p95 of each step."""
    for step in STEPS:
        yield " ".join(f"{np.percentile(times[step], percent):.1f}" for percent in (50, 95))
    yield way


def measure(squad: Path, data_dir: Path, chunks: int, count: int) -> None:
    """Print the times."""
    documents, questions = read_squad(squad)
    rng = random.Random(0)  # noqa: S311 - no secret
    drawn = rng.sample(questions, min(count, len(questions)))
    with opened(data_dir) as app:
        print(f"{fill(app, documents.values(), chunks, rng)} chunks, {len(drawn)} questions in each way of writing")
        print(f"ingestion: PersianAnalyzer.tokens {analysed_per_second(app):.0f} chunks/s")
        index, seconds = build_index(app)
        print(f"BM25 index and vocabulary: {seconds:.1f} s, {index.nbytes / 1e6:.0f} MB")
        timed(app, index, drawn[0].text)
        rows = [[*STEPS, "ms, p50 and p95"]]
        for way in WAYS:
            times = defaultdict(list)
            for question in drawn:
                for step, ms in timed(app, index, WAYS[way](question.text, rng, "medium")).items():
                    times[step].append(ms)
            rows.append(list(rows_of(way, times)))
    show(rows)


def main() -> None:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("squad", type=Path, help="a JSON file in the format of SQuAD 1 or 2, such as PQuAD")
    parser.add_argument("--chunks", type=int, default=10_000)
    parser.add_argument("--questions", type=int, default=300)
    given = parser.parse_args()
    try:
        with kept_or_temporary(None) as data_dir:
            measure(given.squad, data_dir, given.chunks, given.questions)
    except NotSquadError as error:
        parser.exit(2, f"{error}\n")


if __name__ == "__main__":
    main()
