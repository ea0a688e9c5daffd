"""rag_app and the stock LlamaIndex pipeline on the same texts and vectors, in turn, by the size of the tenant.

Stock is what LlamaIndex's documentation sets up: `VectorStoreIndex` on `PGVectorStore` with HNSW, `BM25Retriever`, and
`QueryFusionRetriever` in reciprocal-rank mode, 20 + 15 to 20 candidates. It serves one tenant, from a table of its own
and without a filter, while ours share one table. Every text is one chunk on both sides. The vectors are made beforehand
and looked up, so that neither side's time holds any.

Compared are ingestion, until all is stored and until all that a search needs is built (for us the dense index of a
large tenant and the index of BM25, for stock its BM25), and both legs with fusion as a caller waits for them; ours
includes looking up the tenant and reading the question.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from llama_index.core import StorageContext, VectorStoreIndex
from llama_index.core.llms.mock import MockLLM
from llama_index.core.node_parser import SentenceSplitter
from llama_index.core.retrievers import QueryFusionRetriever
from llama_index.core.retrievers.fusion_retriever import FUSION_MODES
from llama_index.core.schema import Document, NodeWithScore
from llama_index.retrievers.bm25 import BM25Retriever
from llama_index.vector_stores.postgres import PGVectorStore
from numpy.typing import NDArray
from texts import questions_of, sentences_of, texts

from rag_app import RagApp
from rag_app.embeddings import HashingEmbedding
from rag_app.retrievers import ask
from rag_app.schema import RetrievalQuery
from rag_app.storage import start_embedded

SIZES = (100, 1_000, 10_000, 100_000)
QUESTIONS = 100
WORDS = 35
MOST_TOKENS = 512  # so that neither side cuts one
HNSW = {"hnsw_m": 16, "hnsw_ef_construction": 64, "hnsw_ef_search": 40, "hnsw_dist_method": "vector_cosine_ops"}

Search = Callable[[str], list[NodeWithScore]]


class Remembered(HashingEmbedding):
    """HashingEmbedding whose vectors were made beforehand."""

    def remember(self, given: Sequence[str]) -> None:
        """Make the vectors of these texts; those of before are forgotten."""
        _remembered.clear()
        for start in range(0, len(given), 1000):
            self._remember(given[start : start + 1000])

    def _remember(self, given: Sequence[str]) -> None:
        vectors = np.array(HashingEmbedding._embed(self, list(given)), dtype=np.float32)
        _remembered.update(zip(given, vectors, strict=True))

    def _embed(self, texts: list[str]) -> list[list[float]]:
        stripped = [text.strip() for text in texts]
        if new := [text for text in stripped if text not in _remembered]:  # questions, in the round that is not timed
            self._remember(new)
        return [_remembered[text].tolist() for text in stripped]


_remembered: dict[str, NDArray[np.float32]] = {}


def stock(documents: list[Document], url: str, table: str) -> tuple[Search, dict[str, float]]:
    """Ingest and return the search, and the seconds that each part took."""
    started = time.perf_counter()
    embed_model = Remembered()
    store = PGVectorStore(
        connection_string=url.replace("postgresql://", "postgresql+psycopg2://"),
        async_connection_string=url.replace("postgresql://", "postgresql+asyncpg://"),
        table_name=table,
        embed_dim=embed_model.embed_dim,
        hnsw_kwargs=HNSW.copy(),
    )
    nodes = SentenceSplitter(chunk_size=2 * MOST_TOKENS, chunk_overlap=0).get_nodes_from_documents(documents)
    index = VectorStoreIndex(
        nodes, storage_context=StorageContext.from_defaults(vector_store=store), embed_model=embed_model
    )
    stored_s = time.perf_counter() - started
    bm25 = BM25Retriever.from_defaults(nodes=nodes, similarity_top_k=15)
    fusion = QueryFusionRetriever(
        [index.as_retriever(similarity_top_k=20), bm25],
        llm=MockLLM(),
        mode=FUSION_MODES.RECIPROCAL_RANK,
        num_queries=1,
        similarity_top_k=20,
        use_async=False,
    )
    if len(nodes) != len(documents):
        raise RuntimeError("stock cut a text")
    return fusion.retrieve, {"stored_s": stored_s, "searchable_s": time.perf_counter() - started}


def ours(documents: list[Document], app: RagApp, tenant: str, question: str) -> tuple[Search, dict[str, float]]:
    """Ingest and return the search, and the seconds that each part took."""
    started = time.perf_counter()
    report = app.ingest(documents, tenant=tenant)
    stored_s = time.perf_counter() - started
    app.reindex(tenant)
    indexed_s = time.perf_counter() - started

    async def search(text: str) -> list[NodeWithScore]:
        catalog = app.pipeline.catalog
        query = RetrievalQuery(text, tenant=tenant)
        await catalog.aresolve(query, await catalog.asnapshot(tenant))
        query.reading = await app.pipeline.read(query)
        return await ask(app.pipeline.retriever, query)

    def searched(text: str) -> list[NodeWithScore]:
        return app.loop.call(search, text)

    before = time.perf_counter()
    searched(question)
    cold_s = time.perf_counter() - before
    if report.chunks != len(documents):
        raise RuntimeError("a text was cut")
    return searched, {
        "stored_s": stored_s,
        "searchable_s": time.perf_counter() - started,
        "dense_index_s": indexed_s - stored_s,
        "first_question_s": cold_s,
    }


def timed(search: Search, asked: Sequence[str]) -> list[float]:
    """Return the milliseconds of each search."""
    durations = []
    for text in asked:
        started = time.perf_counter()
        search(text)
        durations.append((time.perf_counter() - started) * 1000)
    return durations


def compared(own: Sequence[list[float]], other: Sequence[list[float]], place: int) -> tuple[float, float, list[float]]:
    """Return both sides' percentile in the median round, and the ratio of each round."""
    ours_at, stock_at = ([statistics.quantiles(run, n=100)[place - 1] for run in side] for side in (own, other))
    ratios = [a / b for a, b in zip(ours_at, stock_at, strict=True)]
    return statistics.median(ours_at), statistics.median(stock_at), ratios


def spread(ratios: Sequence[float]) -> str:
    """Return the median, and the least and the greatest."""
    return f"{statistics.median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f})"


def plot(rows: Sequence[Mapping[str, float]], file: Path) -> None:
    """Draw the time of retrieval and the speed of ingestion by the tenant's size."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    sizes = [row["chunks"] for row in rows]
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(10, 4), layout="constrained")
    for side, colour in (("ours", "tab:blue"), ("stock", "tab:orange")):
        name = "rag_app" if side == "ours" else "stock LlamaIndex"
        left.plot(sizes, [row[f"{side}_p50_ms"] for row in rows], "--", color=colour, label=f"{name}, p50")
        left.plot(sizes, [row[f"{side}_p95_ms"] for row in rows], "-o", color=colour, label=f"{name}, p95")
        for until, line in (("stored", "-o"), ("searchable", "--")):
            speeds = [row["chunks"] / row[f"{side}_{until}_s"] for row in rows]
            right.plot(sizes, speeds, line, color=colour, label=f"{name}, until {until}")
    left.set(xscale="log", yscale="log", xlabel="chunks of the tenant", ylabel="ms", title="Both legs and fusion")
    right.set(xscale="log", yscale="log", xlabel="chunks of the tenant", ylabel="chunks/s", title="Ingestion")
    for axes in (left, right):
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8)
    figure.savefig(file)


def main(squad: Path | None, sizes: Sequence[int], rounds: int, out: Path | None, picture: Path | None) -> None:
    """Print a line for each size."""
    rng = random.Random(0)  # noqa: S311 - not for cryptography
    sentences = sentences_of(squad, rng)
    asked = questions_of(squad, sentences, QUESTIONS, rng)
    given = texts(sentences, rng, WORDS)
    uncut = {"child_tokens": MOST_TOKENS}
    rows: list[Mapping[str, float]] = []
    embedding = {"kind": f"{__name__}:{Remembered.__name__}"}
    print(f"{QUESTIONS} questions, {rounds} rounds in turn; ratios: rag_app / stock, median (least-most) of the rounds")
    settings: Mapping[str, Any] = {"embedding": embedding, "ingestion": uncut}
    with (
        TemporaryDirectory(ignore_cleanup_errors=True) as folder,
        RagApp.from_config(data_dir=folder, **settings) as app,
    ):
        for size in sizes:
            bodies = list(islice(given, size))
            embed_model = Remembered()
            embed_model.remember(bodies)
            documents = [
                Document(
                    id_=f"d{number}",
                    text=text,
                    metadata={"source": "manual", "title": ""},
                    excluded_embed_metadata_keys=["source", "title"],
                )
                for number, text in enumerate(bodies)
            ]
            row: dict[str, float] = {"chunks": size}
            searches: dict[str, Search] = {}
            searches["ours"], took = ours(documents, app, f"of {size}", asked[0])
            row |= {f"ours_{name}": seconds for name, seconds in took.items()}
            searches["stock"], took = stock(documents, start_embedded(Path(folder)), f"of_{size}")
            row |= {f"stock_{name}": seconds for name, seconds in took.items()}
            for search in searches.values():
                timed(search, asked)
            runs: dict[str, list[list[float]]] = {"ours": [], "stock": []}
            for _ in range(rounds):
                for side, search in searches.items():
                    runs[side].append(timed(search, asked))
            shown = []
            for place in (50, 95):
                own, other, ratios = compared(runs["ours"], runs["stock"], place)
                row |= {f"ours_p{place}_ms": own, f"stock_p{place}_ms": other}
                row[f"p{place}_ratio"] = statistics.median(ratios)
                shown.append(f"p{place} {own:.1f} / {other:.1f} ms = {spread(ratios)}")
            rows.append(row)
            ratio = row["stock_stored_s"] / row["ours_stored_s"]
            print(
                f"{size:>7} chunks  retrieval: {', '.join(shown)}\n"
                f"                ingestion, chunks/s: {size / row['ours_stored_s']:.0f} / "
                f"{size / row['stock_stored_s']:.0f} = {ratio:.1f}x until stored, "
                f"{row['stock_searchable_s'] / row['ours_searchable_s']:.1f}x until searchable "
                f"(dense index {row['ours_dense_index_s']:.1f} s, first question {row['ours_first_question_s']:.2f} s)",
                flush=True,
            )
    if out is not None:
        out.write_text(json.dumps(rows, indent=1), "utf-8")
    if picture is not None:
        plot(rows, picture)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--squad", type=Path, help="a file in the format of SQuAD; else made-up words")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="chunks of the tenants")
    parser.add_argument("--rounds", type=int, default=7, help="how often each side answers all questions")
    parser.add_argument("--json", type=Path, help="a file to write the figures to")
    parser.add_argument("--plot", type=Path, help="a picture to draw them into; needs matplotlib")
    arguments = parser.parse_args()
    main(arguments.squad, arguments.sizes, arguments.rounds, arguments.json, arguments.plot)
