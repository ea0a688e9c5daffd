"""The memory of the tenants' BM25 indexes, and how long a query waits for one that is not in memory.

Many small tenants are asked in turn, so that each finds its index gone, and the process's real memory (RSS) is set
against what the cache believes to hold. Then tenants of several sizes are asked once each: reading the tokens from
PostgreSQL, building the index, and the first question in Persian and in Latin letters. At last one document of each is
written, and the next query timed.

The texts are random sentences of a SQuAD file, or of made-up words with the frequencies of a language.
"""

from __future__ import annotations

import argparse
import gc
import random
import resource
import time
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from llama_index.core.schema import TextNode
from texts import OWN_WORDS, made_up, sentences_of

from rag_app import RagApp
from rag_app.persian import Lexicons, PersianAnalyzer
from rag_app.retrievers import BM25Indexes
from rag_app.retrievers.bm25 import TenantBM25Retriever
from rag_app.schema import ParsedDocument, RetrievalQuery
from rag_app.storage import ChunkReader, DocumentWriter

QUESTIONS = ("پایتخت ایران در زمان صفویه کجا بود؟", "paytakhte iran dar zaman safavie koja bud")
WORDS = 60  # of a chunk, at least
CHUNKS = 4  # of a document
POOL = 20_000  # texts that are made; larger tenants hold one more than once, with words of their own
_VECTOR = [0.1] * 8
_BATCH = 500  # documents in a transaction


def token_lists(squad: Path | None, rng: random.Random) -> Iterator[list[str]]:
    """Yield the tokens of one chunk after the other, without end."""
    sentences, analyzer = sentences_of(squad, rng), PersianAnalyzer()
    pool = []
    for _ in range(POOL):
        tokens: list[str] = []
        while len(tokens) < WORDS:
            tokens += analyzer.tokens(rng.choice(sentences))
        pool.append(tokens)
    while True:
        yield [made_up(rng) if rng.random() < OWN_WORDS else token for token in rng.choice(pool)]


def document(name: str, tokens: Sequence[list[str]]) -> ParsedDocument:
    """Return a document of chunks that are of one parent; their text is of no matter to BM25."""
    parent = TextNode(id_=f"{name:>32}", text=name, start_char_idx=0)
    children = [
        TextNode(id_=f"{name}-{number:02}".rjust(32), text=name, embedding=_VECTOR) for number in range(len(tokens))
    ]
    return ParsedDocument(name, "manual", name, name, {}, [parent], children, list(tokens))


def fill(writer: DocumentWriter, tenant: str, chunks: int, texts: Iterator[list[str]]) -> None:
    """Write a tenant of as many chunks."""
    for start in range(0, chunks, _BATCH * CHUNKS):
        firsts = range(start, min(start + _BATCH * CHUNKS, chunks), CHUNKS)
        writer.write(tenant, *(document(f"d{n}", list(islice(texts, min(CHUNKS, chunks - n)))) for n in firsts))


def rss() -> float:
    """Return the memory of this process in MB, as Linux tells it."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 1e6


def ask(app: RagApp, indexes: BM25Indexes, tenant: str, question: str) -> float:
    """Return the milliseconds of a question, with all that it waits for."""

    async def search() -> float:
        started = time.perf_counter()
        generation = (await app.pipeline.catalog.asnapshot(tenant)).generation
        index = await indexes.aget(tenant, generation)
        if index is None:
            raise SystemExit(f"{tenant} has no chunks")
        index.retrieve(RetrievalQuery(question, tenant=tenant, generation=generation))
        return 1000 * (time.perf_counter() - started)

    return app.loop.call(search)


def cycle(app: RagApp, tenants: Sequence[str], max_mb: float, rounds: int) -> None:
    """Print the memory while all tenants are asked in turn."""
    indexes = BM25Indexes(ChunkReader(app.database), Lexicons(), max_bytes=int(max_mb * 1e6))
    TenantBM25Retriever(app.loop.call(ChunkReader(app.database).atokens, tenants[0]).chunks, similarity_top_k=15)
    before = rss()
    for number in range(1, rounds + 1):
        times = [ask(app, indexes, tenant, QUESTIONS[place % 2]) for place, tenant in enumerate(tenants)]
        held = len(indexes._entries)
        print(
            f"round {number}: {held} of {len(tenants)} held, estimate {indexes.nbytes / 1e6:.1f} MB of {max_mb:.0f}, "
            f"RSS +{rss() - before:.1f}; ms a query p50 {np.median(times):.0f}, p95 {np.percentile(times, 95):.0f}"
        )


def start_cold(app: RagApp, writer: DocumentWriter, size: int, texts: Iterator[list[str]]) -> None:
    """Print the times and the memory of one tenant."""
    tenant = f"of {size}"
    reader = ChunkReader(app.database)
    started = time.perf_counter()
    app.loop.call(reader.atokens, tenant)
    read = 1000 * (time.perf_counter() - started)
    before = rss()
    indexes = BM25Indexes(reader, Lexicons(), max_bytes=10**12)
    cold = ask(app, indexes, tenant, QUESTIONS[0])
    latin = ask(app, indexes, tenant, QUESTIONS[1])
    warm = np.median([ask(app, indexes, tenant, QUESTIONS[0]) for _ in range(15)])
    estimate, real = indexes.nbytes / 1e6, rss() - before
    after_write = []
    for _ in range(5):
        writer.write(tenant, document("d0", list(islice(texts, CHUNKS))))
        after_write.append(ask(app, indexes, tenant, QUESTIONS[0]))
    print(
        f"{size:>7} chunks: cold {cold:.0f} ms (reading alone {read:.0f}), first in Latin letters {latin:.0f}, "
        f"warm {warm:.1f}, after a write {np.median(after_write):.0f}; estimate {estimate:.1f} MB, RSS +{real:.1f}"
    )


def measure(data_dir: str, squad: Path | None, tenants: int, sizes: Sequence[int], max_mb: float, rounds: int) -> None:
    """Fill a database and print all figures."""
    rng = random.Random(0)  # noqa: S311 - no secret
    texts = token_lists(squad, rng)
    with RagApp.from_config(data_dir=data_dir) as app:
        writer = DocumentWriter(app.database)
        names = [f"tenant {number}" for number in range(tenants)]
        for name in names:
            fill(writer, name, 100, texts)
        for size in sizes:
            fill(writer, f"of {size}", size, texts)
        cycle(app, names, max_mb, rounds)
        for size in sizes:
            start_cold(app, writer, size, texts)


def main() -> None:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--squad", type=Path, help="a JSON file in the format of SQuAD 1 or 2, such as PQuAD")
    parser.add_argument("--tenants", type=int, default=1000, help="of 100 chunks each")
    parser.add_argument("--sizes", type=int, nargs="*", default=[100, 1000, 10_000, 100_000], help="of single tenants")
    parser.add_argument("--cache-mb", type=float, default=200)
    parser.add_argument("--rounds", type=int, default=2)
    given = parser.parse_args()
    with TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        measure(folder, given.squad, given.tenants, given.sizes, given.cache_mb, given.rounds)


if __name__ == "__main__":
    main()
