"""rag_app and the stock LlamaIndex pipeline on the same documents and vectors, in turn, as ratios of one run.

Stock is what LlamaIndex's documentation sets up: `VectorStoreIndex` on `PGVectorStore` with HNSW, `BM25Retriever`, and
`QueryFusionRetriever` in reciprocal-rank mode, 20 + 15 to 20 candidates. Both sides embed with `HashingEmbedding` and
cut at 128 tokens, each by its own splitter. Compared are ingestion, and both legs with fusion, as a caller waits for
them. Stock serves one tenant here, without a filter.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from llama_index.core import StorageContext, VectorStoreIndex
from llama_index.core.llms.mock import MockLLM
from llama_index.core.node_parser import SentenceSplitter
from llama_index.core.retrievers import QueryFusionRetriever
from llama_index.core.retrievers.fusion_retriever import FUSION_MODES
from llama_index.core.schema import Document, NodeWithScore
from llama_index.retrievers.bm25 import BM25Retriever
from llama_index.vector_stores.postgres import PGVectorStore

from rag_app import RagApp
from rag_app.embeddings import HashingEmbedding
from rag_app.readers import read
from rag_app.schema import RetrievalQuery
from rag_app.storage import start_embedded

INSTITUTE = Path(__file__).parent.parent / "examples" / "institute"
TENANT = "bench"
HNSW = {"hnsw_m": 16, "hnsw_ef_construction": 64, "hnsw_ef_search": 40, "hnsw_dist_method": "vector_cosine_ops"}

Search = Callable[[str], list[NodeWithScore]]


def stock(documents: list[Document], url: str) -> tuple[Search, float]:
    """Ingest and return the search and the seconds it took to ingest."""
    started = time.perf_counter()
    embed_model = HashingEmbedding()
    store = PGVectorStore(
        connection_string=url.replace("postgresql://", "postgresql+psycopg2://"),
        async_connection_string=url.replace("postgresql://", "postgresql+asyncpg://"),
        table_name="stock",
        embed_dim=embed_model.embed_dim,
        hnsw_kwargs=HNSW.copy(),
    )
    nodes = SentenceSplitter(chunk_size=128, chunk_overlap=0).get_nodes_from_documents(documents)
    index = VectorStoreIndex(
        nodes, storage_context=StorageContext.from_defaults(vector_store=store), embed_model=embed_model
    )
    fusion = QueryFusionRetriever(
        [
            index.as_retriever(similarity_top_k=20),
            BM25Retriever.from_defaults(nodes=nodes, similarity_top_k=15),
        ],
        llm=MockLLM(),
        mode=FUSION_MODES.RECIPROCAL_RANK,
        num_queries=1,
        similarity_top_k=20,
        use_async=False,
    )
    return fusion.retrieve, time.perf_counter() - started


def ours(documents: list[Document], app: RagApp) -> tuple[Search, float]:
    """Ingest and return the search and the seconds it took to ingest."""
    started = time.perf_counter()
    app.ingest(documents, tenant=TENANT)
    seconds = time.perf_counter() - started

    async def search(text: str) -> list[NodeWithScore]:
        snapshot = await app.pipeline.catalog.asnapshot(TENANT)
        query = RetrievalQuery(text, tenant=TENANT, generation=snapshot.generation)
        return await app.pipeline.retriever.aretrieve(query)

    return lambda text: app.loop.call(search, text), seconds


def timed(search: Search, texts: list[str]) -> list[float]:
    """Return the milliseconds of each search."""
    durations = []
    for text in texts:
        started = time.perf_counter()
        search(text)
        durations.append((time.perf_counter() - started) * 1000)
    return durations


def percentile(figures: list[float], place: int) -> float:
    """Return the value below which `place` percent of the figures lie."""
    return statistics.quantiles(figures, n=100)[place - 1]


def found(search: Search, questions: list[dict[str, object]], depth: int) -> float:
    """Return the share of questions with a relevant document among the first `depth` chunks."""
    hits = [
        any(node.node.metadata["doc_id"] in question["relevant"] for node in search(str(question["text"]))[:depth])  # type: ignore[operator]
        for question in questions
    ]
    return sum(hits) / len(hits)


def main(rounds: int) -> None:
    """Print the table."""
    documents = [document for document in read([INSTITUTE / "documents"]) if isinstance(document, Document)]
    lines = (INSTITUTE / "questions.jsonl").read_text("utf-8").splitlines()
    questions = [question for question in map(json.loads, lines) if question["relevant"]]
    texts = [question["text"] for question in questions]
    with TemporaryDirectory() as folder, RagApp.from_config(data_dir=folder) as app:
        our_search, our_seconds = ours(documents, app)
        stock_search, stock_seconds = stock(documents, start_embedded(Path(folder)))
        for search in (our_search, stock_search):
            timed(search, texts)
        pairs = [(timed(our_search, texts), timed(stock_search, texts)) for _ in range(rounds)]
        rows = [("ingestion, s", our_seconds, stock_seconds, [our_seconds / stock_seconds])]
        for name, place in (("p50", 50), ("p95", 95)):
            own, other = ([percentile(side, place) for side in sides] for sides in zip(*pairs, strict=True))
            ratios = [a / b for a, b in zip(own, other, strict=True)]
            rows.append((f"retrieval {name}, ms", statistics.median(own), statistics.median(other), ratios))
        print(f"{len(documents)} documents, {len(texts)} questions, {rounds} rounds in turn")
        print(f"{'':20}{'rag_app':>10}{'stock':>10}   ratio, median (least - most)")
        for label, own_figure, other_figure, ratios in rows:
            spread = f"{statistics.median(ratios):.2f} ({min(ratios):.2f} - {max(ratios):.2f})"
            print(f"{label:20}{own_figure:>10.1f}{other_figure:>10.1f}   {spread}")
        for depth in (1, 5):
            shares = [found(search, questions, depth) for search in (our_search, stock_search)]
            print(f"{f'found in first {depth}':20}{shares[0]:>10.2f}{shares[1]:>10.2f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=10, help="how often each side answers all questions")
    main(parser.parse_args().rounds)
