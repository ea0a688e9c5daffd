"""English: our final order against LlamaIndex's BM25Retriever with its English stemmer and stop words.

Stock cuts by `SentenceSplitter` at its default size and reads the titles as the first line of the texts.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from statistics import fmean
from tempfile import TemporaryDirectory

from llama_index.core.node_parser import SentenceSplitter
from llama_index.core.schema import Document
from llama_index.retrievers.bm25 import BM25Retriever

from rag_app import RagApp
from rag_app.evaluation import BeirDataset, evaluate, parse_measures, read_beir
from rag_app.evaluation.measures import score
from rag_app.evaluation.significance import p_values

HELPDESK = Path(__file__).parent / "helpdesk"
MEASURES = ("Success@1", "Success@5", "RR@10")

Values = dict[str, dict[str, float]]


def stock(dataset: BeirDataset) -> Values:
    """Return the value of each query by measure."""
    documents = [
        Document(text=f"{record['title']}\n{record['text']}", doc_id=doc_id)
        for doc_id, record in dataset.corpus.items()
    ]
    nodes = SentenceSplitter().get_nodes_from_documents(documents)
    retriever = BM25Retriever.from_defaults(nodes=nodes, similarity_top_k=20)
    rankings = {
        query_id: list(dict.fromkeys(str(hit.node.ref_doc_id) for hit in retriever.retrieve(text)))
        for query_id, text in dataset.judged.items()
    }
    return score(parse_measures(MEASURES), dataset.qrels, rankings)


def ours(dataset: BeirDataset) -> Values:
    """Return the value of each query by measure, with so much time that the machine's load changes nothing."""
    with (
        TemporaryDirectory() as folder,
        RagApp.from_config(data_dir=folder, deadline_s=30, retrieval={"leg_timeout_s": 20}) as app,
    ):
        values = evaluate(app, dataset, MEASURES).per_query["rerank"]
    return {measure: dict(by_query) for measure, by_query in values.items()}


def main(folder: Path) -> None:
    """Print the table."""
    dataset = read_beir(folder)
    own, other = ours(dataset), stock(dataset)
    print(f"{len(dataset.judged)} queries, {len(dataset.corpus)} documents")
    print(f"{'':10}{'rag_app':>9}{'stock':>9}{'difference':>12}{'p':>9}")
    for measure in MEASURES:
        differences = [value - other[measure][query_id] for query_id, value in own[measure].items()]
        means = fmean(own[measure].values()), fmean(other[measure].values())
        print(
            f"{measure:10}{means[0]:>9.3f}{means[1]:>9.3f}{fmean(differences):>+12.3f}{p_values([differences])[0]:>9.4f}"
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", default=HELPDESK, help="a BEIR folder in English")
    main(parser.parse_args().folder)
