"""The leg that searches words by PostgreSQL's own full text search, with no index in this process."""

from __future__ import annotations

from llama_index.core.schema import NodeWithScore

from rag_app.background import BackgroundLoop
from rag_app.persian import PersianAnalyzer
from rag_app.retrievers.searching import TenantRetriever
from rag_app.schema import RetrievalQuery
from rag_app.storage import AskedMatch, ChunkReader, TextSearch

_MOST_MATCHES = 1_000  # of a question; each costs time in every chunk that holds it
_DECIMALS = 1  # of similarities: matches that are about as similar are looked for together


class PostgresFtsLeg(TenantRetriever):
    """Retrieves the chunks that hold the most telling words of the query, or what they may stand for.

    Scores are above 0: for each word its weight, times how similar the best match in the chunk is and how much the
    chunk holds of it.

    Args:
        search: finds chunks by words.
        reader: where the texts are.
        loop: where synchronous calls run.
        similarity_top_k: the most chunks to return.
    """

    def __init__(
        self, search: TextSearch, reader: ChunkReader, loop: BackgroundLoop, *, similarity_top_k: int = 15
    ) -> None:
        super().__init__()
        self._loop = loop
        self._search = search
        self._reader = reader
        self._similarity_top_k = similarity_top_k
        self._analyzer = PersianAnalyzer()

    async def asearch(self, query: RetrievalQuery) -> list[NodeWithScore]:
        """Return the chunks with their scores, best first."""
        asked = self._asked(query)
        if not asked:
            return []
        found = await self._search.afind(
            query.tenant,
            asked,
            limit=query.options.sparse_top_k or self._similarity_top_k,
            sources=query.sources,
            doc_ids=query.doc_ids,
        )
        return await self._reader.afound(query, found)

    def _asked(self, query: RetrievalQuery) -> list[AskedMatch]:
        """Return what may stand for the words of the question, the most telling first; words as typed if not read."""
        if query.reading is None:
            words = dict.fromkeys(self._analyzer.words(query.query_str))
            return [AskedMatch(place, 1.0, 1.0, word) for place, word in enumerate(words)][:_MOST_MATCHES]
        once = {word.typed: word for word in query.reading.words}.values()
        asked = [
            AskedMatch(place, word.weight, max(round(similarity, _DECIMALS), 10**-_DECIMALS), match)
            for place, word in enumerate(once)
            for match, similarity in word.matches.items()
        ]
        return sorted(asked, key=lambda each: -each.weight * each.similarity)[:_MOST_MATCHES]
