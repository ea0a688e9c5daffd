"""One tenant's chunks, searched by BM25 for questions as people write them."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from copy import copy

import numpy as np
import Stemmer
from llama_index.core.schema import NodeWithScore, QueryBundle, TextNode
from llama_index.retrievers.bm25 import BM25Retriever

from rag_app.persian import Vocabulary
from rag_app.persian.lexicon import Lexicon
from rag_app.persian.matches import placed
from rag_app.persian.word_memory import WordMemory
from rag_app.retrievers.bm25.counting import count_words
from rag_app.retrievers.bm25.segment import Asked, Segment
from rag_app.schema import Reading, RetrievalQuery
from rag_app.storage.chunks import ChunkTokens, TokenChanges

logging.getLogger("bm25s").setLevel(logging.NOTSET)  # importing it sets DEBUG, which is the application's to choose

_NO_STEMMER = Stemmer.Stemmer("english")  # that the stock retriever makes even if it is told not to stem
_BYTES_OF_OBJECTS = 7_000


class TenantBM25Retriever(BM25Retriever):
    """LlamaIndex's BM25Retriever over one tenant's stored tokens, for questions as people write them.

    A word of the question counts in a chunk by its weight, the BM25 saturation of the best word that it may stand for,
    and how similar that is (see `Vocabulary`). It counts once more by the best chunk of the same parent, because the
    parent is what will be read. Chunks of other sources or documents and chunks that share no word with the question
    are not returned. The nodes carry their ids alone.

    An index never changes: `with_changes` makes another one, which shares what is the same.

    Args:
        chunks: at least one chunk's tokens, those of a parent side by side.
        lexicon: the tenant's synonyms and courtesies.
        similarity_top_k: the most chunks that a query gets.
        memory: of what words of questions stand for, which indexes may share; None for none.

    Attributes:
        vocabulary: reads questions by the words of the chunks.
        changed: how many chunks changed since the index was built whole.
    """

    def __init__(
        self,
        chunks: Sequence[ChunkTokens],
        lexicon: Lexicon | None = None,
        *,
        similarity_top_k: int,
        memory: WordMemory | None = None,
    ) -> None:
        self._lexicon = lexicon or Lexicon()
        self._memory = memory
        counts = count_words([chunk.tokens for chunk in chunks])
        words = self._lexicon.words.with_more(counts.words)
        self._main = Segment(chunks, counts, words.places(counts.hashes), words)
        self._void = np.zeros(len(chunks), np.bool_)
        self._newer: Segment | None = None
        self.changed = 0
        super().__init__(
            existing_bm25=self._main.bm25,
            similarity_top_k=min(similarity_top_k, len(chunks)),
            skip_stemming=True,
            stemmer=_NO_STEMMER,
        )
        self.similarity_top_k = similarity_top_k  # the chunks may become more
        self.vocabulary = Vocabulary(words, self._main.chunks_with(), len(chunks), self._lexicon, memory)

    def __len__(self) -> int:
        return len(self._main) - int(self._void.sum()) + (len(self._newer) if self._newer is not None else 0)

    @property
    def nbytes(self) -> int:
        """The memory that it does not share with the lexicon, in bytes; see `benchmarks/tenants/bm25_memory.py`."""
        newer = self._newer.nbytes if self._newer is not None else 0
        return self._main.nbytes + self._void.nbytes + newer + self.vocabulary.nbytes + _BYTES_OF_OBJECTS

    def with_changes(self, changes: TokenChanges) -> TenantBM25Retriever | None:
        """Return this index, which was built whole, with what changed since; None if no chunk is left.

        It finds and orders what one built anew would, except that each part's own mean length enters BM25.
        """
        changed = copy(self)
        changed._void = self._main.of_documents(changes.doc_ids)
        counts = count_words([chunk.tokens for chunk in changes.chunks])
        words = self.vocabulary.words.with_more(counts.words)
        chunks_with = np.zeros(len(words), np.int32)
        chunks_with[: len(self.vocabulary.words)] = self.vocabulary.counts - self._main.chunks_with(changed._void)
        if changes.chunks:
            changed._newer = Segment(changes.chunks, counts, words.places(counts.hashes), words)
            chunks_with += changed._newer.chunks_with()
        changed.changed = int(changed._void.sum()) + len(changes.chunks)
        changed.vocabulary = Vocabulary(words, chunks_with, len(changed), self._lexicon, self._memory)
        return changed if len(changed) else None

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        found = self.search(RetrievalQuery.of(query_bundle))
        return [NodeWithScore(node=TextNode(id_=node_id), score=score) for node_id, score in found.items()]

    def search(self, query: RetrievalQuery) -> dict[str, float]:
        """Return the scores, above 0, of the best chunks by id, best first."""
        asked = self._asked(query.reading or self.vocabulary.read(query.query_str))
        if not asked:
            return {}
        scores = self._main.scores(asked, query)
        scores[self._void] = 0.0
        if self._newer is not None:
            scores = np.r_[scores, self._newer.scores(asked, query)]
        most = query.options.sparse_top_k or self.similarity_top_k
        (found,) = np.nonzero(scores)
        if len(found) > most:
            found = found[scores[found] >= np.partition(scores[found], -most)[-most]]
        best = found[np.argsort(-scores[found], kind="stable")][:most]
        return {self._node_id(place): float(scores[place]) for place in best.tolist()}

    def _node_id(self, place: int) -> str:
        if place >= len(self._main) and self._newer is not None:
            return self._newer.node_id(place - len(self._main))
        return self._main.node_id(place)

    def _asked(self, reading: Reading) -> list[Asked]:
        """Return the words of the question, each once, with the places of what they may stand for."""
        words = {word.typed: word for word in reading.words}.values()
        return [Asked(word.weight, *placed(self.vocabulary.words, word.matches)) for word in words]
