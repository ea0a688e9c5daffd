"""One tenant's chunks, searched by BM25 for questions as people write them."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np
from llama_index.core.schema import NodeWithScore, QueryBundle, TextNode
from llama_index.retrievers.bm25 import BM25Retriever

from rag_app.persian import Vocabulary
from rag_app.persian.lexicon import Lexicon
from rag_app.retrievers.bm25.counting import count_words
from rag_app.retrievers.bm25.segment import Asked, Segment
from rag_app.schema import Reading, RetrievalQuery
from rag_app.storage.chunks import ChunkTokens

logging.getLogger("bm25s").setLevel(logging.NOTSET)  # importing it sets DEBUG, which is the application's to choose

_BYTES_OF_OBJECTS = 10_000


class TenantBM25Retriever(BM25Retriever):
    """LlamaIndex's BM25Retriever over one tenant's stored tokens, for questions as people write them.

    A word of the question counts in a chunk by its weight, the BM25 saturation of the best word that it may stand for,
    and how similar that is (see `Vocabulary`). It counts once more by the best chunk of the same parent, because the
    parent is what will be read. Chunks of other sources or documents and chunks that share no word with the question
    are not returned. The nodes carry their ids alone.

    Args:
        chunks: at least one chunk's tokens, those of a parent side by side.
        lexicon: the tenant's synonyms and courtesies.
    """

    def __init__(self, chunks: Sequence[ChunkTokens], lexicon: Lexicon | None = None, *, similarity_top_k: int) -> None:
        lexicon = lexicon or Lexicon()
        counts = count_words([chunk.tokens for chunk in chunks])
        words = lexicon.words.with_more(counts.words)
        self._segment = Segment(chunks, counts, words.places(counts.hashes), words)
        super().__init__(
            existing_bm25=self._segment.bm25,
            similarity_top_k=min(similarity_top_k, len(chunks)),
            skip_stemming=True,
        )
        self.vocabulary = Vocabulary(words, self._segment.chunks_with(), len(chunks), lexicon)
        self.nbytes = self._segment.nbytes + self.vocabulary.nbytes + _BYTES_OF_OBJECTS

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        query = RetrievalQuery.of(query_bundle)
        reading = query.reading or self.vocabulary.read(query.query_str)
        scores = self._segment.scores(self._asked(reading), query)
        most = query.options.sparse_top_k or self.similarity_top_k
        (found,) = np.nonzero(scores)
        if len(found) > most:
            found = found[scores[found] >= np.partition(scores[found], -most)[-most]]
        best = found[np.argsort(-scores[found], kind="stable")][:most]
        return [
            NodeWithScore(node=TextNode(id_=self._segment.node_id(place)), score=float(scores[place])) for place in best
        ]

    def _asked(self, reading: Reading) -> list[Asked]:
        """Return the words of the question, each once, with the places of what they may stand for."""
        words = {word.typed: word for word in reading.words}.values()
        places = self.vocabulary.words.find(match for word in words for match in word.matches)
        asked, start = [], 0
        for word in words:
            similarities = np.fromiter(word.matches.values(), np.float64, len(word.matches))
            own = places[start : start + len(similarities)]
            asked.append(Asked(word.weight, own[own >= 0], similarities[own >= 0]))
            start += len(similarities)
        return asked
