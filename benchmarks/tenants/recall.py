"""How many of the 20 nearest chunks the dense leg finds, for tenants of several sizes in one table.

The vectors are those of `HashingEmbedding` on texts, or random ones, which have no neighbourhoods and are the worst
for a graph. Compared is with brute force in double precision: on the vectors as they are stored, in 16 bits, which
tells what the search misses, and on the vectors as they were given, which tells also what 16 bits lose. Hits as near
as the twentieth count as found. With and without a filter on a source that a tenth of the chunks have.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from llama_index.core.schema import TextNode
from numpy.typing import NDArray
from texts import questions_of, sentences_of, texts

from rag_app import RagApp
from rag_app.embeddings import HashingEmbedding
from rag_app.schema import ParsedDocument, RetrievalQuery
from rag_app.storage import DocumentWriter

SIZES = (10, 100, 1_000, 10_000, 50_000)
ROWS = 200_000
FILLER = 5_000  # chunks of each further tenant
TOP_K = 20
QUESTIONS = 100
WORDS = 45
_BATCH = 1_000
_AS_NEAR = 1e-6  # what summing in 32 bits loses of a cosine

Vectors = NDArray[np.float32]
Embed = Callable[[Sequence[str]], Vectors]


def hashing() -> Embed:
    """Return what embeds texts by the embedded profile's embedding."""
    model = HashingEmbedding()
    return lambda given: np.array(model.get_text_embedding_batch(list(given)), dtype=np.float32)


def gaussian(seed: int) -> Embed:
    """Return what gives each text a random vector."""
    rng = np.random.default_rng(seed)
    return lambda given: rng.normal(size=(len(given), 1024)).astype(np.float32)


def source_of(number: int) -> str:
    """Return the source of a tenant's chunk; one in ten is of the smaller source."""
    return "faq" if number % 10 == 0 else "manual"


def fill(app: RagApp, tenant: str, given: Iterator[str], size: int, embed: Embed) -> Vectors:
    """Write a tenant of so many chunks and return their vectors."""
    writer, written = DocumentWriter(app.database), []
    for start in range(0, size, _BATCH):
        batch = list(islice(given, min(_BATCH, size - start)))
        vectors = embed(batch)
        documents = []
        for number, (text, vector) in enumerate(zip(batch, vectors, strict=True), start):
            name, source = f"{tenant}-{number}", source_of(number)
            metadata = {"tenant": tenant, "doc_id": name, "source": source, "title": ""}
            child = TextNode(id_=name, text=text, metadata=metadata, embedding=vector.tolist())
            documents.append(ParsedDocument(name, source, "", "", metadata, [], [child], [text.split()]))
        writer.write(tenant, *documents)
        written.append(vectors)
    return np.concatenate(written)


def nearest(app: RagApp, tenant: str, embedding: Vectors, source: str | None) -> list[int]:
    """Return the numbers of the chunks that the dense leg finds, as the pipeline asks it."""

    async def search() -> list[int]:
        query = RetrievalQuery("?", tenant=tenant, sources=source and (source,), embedding=embedding.tolist())  # type: ignore[arg-type]
        catalog = app.pipeline.catalog
        await catalog.aresolve(query, await catalog.asnapshot(tenant))
        return [
            int(hit.node.node_id.rpartition("-")[2])
            for hit in await app.pipeline.retriever.legs["dense"].aretrieve(query)
        ]

    return app.loop.call(search)


def stored(vectors: Vectors) -> Vectors:
    """Return the vectors as they are stored."""
    return vectors.astype(np.float16).astype(np.float32)


def recall(found: list[int], vectors: Vectors, embedding: Vectors, source: str | None) -> float:
    """Return the share of the nearest chunks that were found."""
    given = vectors.astype(np.float64)
    cosines = given @ embedding.astype(np.float64) / (np.linalg.norm(given, axis=1) * np.linalg.norm(embedding))
    if source is not None:
        cosines[[source_of(number) != source for number in range(len(cosines))]] = -2
    expected = min(TOP_K, int((cosines > -2).sum()))
    if not expected:
        return 1.0
    least = np.sort(cosines)[-expected] - _AS_NEAR
    return float((cosines[list(set(found))] >= least).sum()) / expected


def main(squad: Path | None, kind: str, rows: int, sizes: Sequence[int], out: Path | None) -> None:
    """Fill the table, ask each tenant, and print a line for each."""
    rng = random.Random(0)  # noqa: S311 - not for cryptography
    sentences = sentences_of(squad, rng)
    given = texts(sentences, rng, WORDS)
    embed = hashing() if kind == "hashing" else gaussian(0)
    asked = embed(questions_of(squad, sentences, QUESTIONS, rng))
    found: list[Mapping[str, object]] = []
    with TemporaryDirectory(ignore_cleanup_errors=True) as folder, RagApp.from_config(data_dir=folder) as app:
        if kind == "gaussian":  # questions that an index is measured with lie as the chunks do
            app._components.dense_indexes._embed_query = lambda words: embed([words])[0].tolist()
        for number in range((rows - sum(sizes)) // FILLER):
            fill(app, f"filler {number}", given, FILLER, embed)
        print(f"{rows} rows, vectors: {kind}, {QUESTIONS} questions, first {TOP_K}")
        print(
            f"{'chunks':>8} {'recall':>8} {'least':>8} {'in faq':>8} {'of given':>8} {'p50 ms':>8} {'p95 ms':>8}"
            "  dense search"
        )
        for size in sizes:
            vectors = fill(app, f"of {size}", given, size, embed)
            started = time.perf_counter()
            status = app.reindex(f"of {size}")[0]
            built_s = time.perf_counter() - started
            recalls: dict[str | None, list[float]] = {None: [], "faq": []}
            of_given: list[float] = []
            for source, shares in recalls.items():
                for question in asked:
                    hits = nearest(app, f"of {size}", question, source)
                    shares.append(recall(hits, stored(vectors), stored(question), source))
                    of_given.append(recall(hits, vectors, question, source))
            durations = []
            for question in asked:
                started = time.perf_counter()
                nearest(app, f"of {size}", question, None)
                durations.append((time.perf_counter() - started) * 1000)
            cuts = statistics.quantiles(durations, n=100)
            row = {
                "chunks": size,
                "recall": statistics.mean(recalls[None]),
                "least": min(recalls[None]),
                "recall_with_source": statistics.mean(recalls["faq"]),
                "recall_of_given": statistics.mean(of_given),
                "p50_ms": cuts[49],
                "p95_ms": cuts[94],
                "kind": status.kind,
                "ef_search": status.ef_search,
                "build_s": built_s,
            }
            found.append(row)
            print(
                f"{size:>8} {row['recall']:>8.4f} {row['least']:>8.2f} {row['recall_with_source']:>8.4f} "
                f"{row['recall_of_given']:>8.4f} {row['p50_ms']:>8.1f} {row['p95_ms']:>8.1f}  {status.kind}"
                + (f", ef_search {status.ef_search}, built and measured in {built_s:.0f} s" if status.ef_search else "")
                + (f" ({status.reason})" if status.kind == "exact" else ""),
                flush=True,
            )
    if out is not None:
        out.write_text(json.dumps(found, indent=1), "utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--squad", type=Path, help="a file in the format of SQuAD; else made-up words")
    parser.add_argument("--vectors", choices=["hashing", "gaussian"], default="hashing")
    parser.add_argument("--rows", type=int, default=ROWS, help="rows in the table, all tenants together")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="chunks of the tenants that are asked")
    parser.add_argument("--json", type=Path, help="a file to write the figures to")
    arguments = parser.parse_args()
    main(arguments.squad, arguments.vectors, arguments.rows, arguments.sizes, arguments.json)
