"""The documents that each stage found, best first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from rag_app.errors import InvalidInputError
from rag_app.schema import RetrievalResult
from rag_app.trace import ChunkTrace, Ranked

FUSION, RERANK, CONTEXT = "fusion", "rerank", "context"
Rankings = Mapping[str, Mapping[str, Sequence[str]]]
"""By stage and query id the document ids, best first."""


def rankings_of(result: RetrievalResult) -> dict[str, list[str]]:
    """Return the ranking of each leg, of `fusion`, `rerank` and `context`: a document stands where its best chunk does.

    Where no reranker served, the fused order is the reranked one.
    """
    chunks = result.trace.chunks.values()
    kept = sum(stage.candidates for stage in result.trace.stages if stage.name == "retrieval")
    legs = {leg for chunk in chunks for leg in chunk.legs}
    rankings = {leg: _ordered((chunk.legs.get(leg), chunk) for chunk in chunks) for leg in sorted(legs)}
    fused = [(chunk.fusion, chunk) for chunk in chunks if chunk.fusion is not None and chunk.fusion.rank <= kept]
    rankings[FUSION] = _ordered(fused)
    rankings[RERANK] = _ordered((chunk.rerank, chunk) for chunk in chunks) or rankings[FUSION]
    rankings[CONTEXT] = list(dict.fromkeys(scored.node.metadata["doc_id"] for scored in result.nodes))
    return rankings


def write_runs(rankings: Rankings, folder: str | Path) -> None:
    """Write a TREC run for each stage: `STAGE.run`, with lines of `qid Q0 docid rank score tag`.

    Raises:
        InvalidInputError: an id holds white space, or the folder can not be written to.
    """
    for stage, by_query in rankings.items():
        lines = [
            f"{_word(query_id)} Q0 {_word(doc_id)} {rank} {len(ranking) + 1 - rank} rag_app-{stage}\n"
            for query_id, ranking in by_query.items()
            for rank, doc_id in enumerate(ranking, start=1)
        ]
        try:
            Path(folder).mkdir(parents=True, exist_ok=True)
            (Path(folder) / f"{stage}.run").write_text("".join(lines), "utf-8")
        except OSError as error:
            raise InvalidInputError(f"{folder} is no folder that runs can be written to: {error.strerror}") from error


def _ordered(places: Iterable[tuple[Ranked | None, ChunkTrace]]) -> list[str]:
    ranked = sorted((place.rank, chunk.doc_id) for place, chunk in places if place is not None)
    return list(dict.fromkeys(doc_id for _, doc_id in ranked))


def _word(name: str) -> str:
    if len(name.split()) != 1:
        raise InvalidInputError(f"the id {name!r} holds white space, which divides the columns of a TREC run")
    return name
