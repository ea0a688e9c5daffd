"""Documents in: read, parse, embed and write, no document in more than one transaction."""

from __future__ import annotations

import hashlib
import json
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from llama_index.core.node_parser import NodeParser
from llama_index.core.schema import Document, MetadataMode, NodeRelationship, TextNode

from rag_app.embeddings import Embedding
from rag_app.errors import InvalidAnswerError, UnstorableError
from rag_app.persian import PersianAnalyzer
from rag_app.readers import Item, Read, read
from rag_app.schema import IngestReport, ParsedDocument, Skipped, checked_name
from rag_app.storage import DocumentWriter, TenantCatalog

_BATCH_CHARACTERS = 1_000_000
_OUTCOMES = ("added", "updated", "unchanged")
Progress = Callable[[int, str], None]
"""Called with the number of documents done and the id of the last."""


@dataclass(frozen=True, eq=False)
class _Cut:
    """How documents of a kind are cut, and a text that changes when they must be cut anew."""

    parser: NodeParser
    fingerprint: str


class _Batch(NamedTuple):
    """What is to become of each document, and those of them that are to be written."""

    outcomes: Mapping[str, str]
    parsed: Mapping[str, ParsedDocument]

    def without(self, refused: Iterable[Skipped]) -> Iterator[tuple[str, str]]:
        left_out = {entry.origin for entry in refused}
        return (entry for entry in self.outcomes.items() if entry[0] not in left_out)

    def chunks(self, doc_id: str) -> int:
        return len(self.parsed[doc_id].children) if doc_id in self.parsed else 0


class IngestionPipeline:
    """Stores documents for a tenant; the same documents again change nothing.

    Args:
        writer: where documents go.
        catalog: refuses a stored index that was built with other settings.
        parser: makes documents into parents and children.
        kind_parsers: does so for documents of a kind, by the kind that their metadata names.
        embedding: embeds the children.
        analyzer: makes the children's search tokens.
        index_settings: what the stored index depends on, by name.
        batch_size: how many documents are embedded and written at once; fewer where they are long.
        max_file_mb: the largest file that is read.
    """

    def __init__(
        self,
        *,
        writer: DocumentWriter,
        catalog: TenantCatalog,
        parser: NodeParser,
        kind_parsers: Mapping[str, NodeParser],
        embedding: Embedding,
        analyzer: PersianAnalyzer,
        index_settings: Mapping[str, str],
        batch_size: int = 256,
        max_file_mb: float = 20,
    ) -> None:
        self._writer = writer
        self._catalog = catalog
        self._embedding = embedding
        self._analyzer = analyzer
        self._index_settings = dict(index_settings)
        self._batch_size = batch_size
        self._max_file_mb = max_file_mb
        self._default = _Cut(parser, self._fingerprint(parser))
        self._by_kind = {kind: _Cut(own, self._fingerprint(own)) for kind, own in kind_parsers.items()}

    def run(
        self,
        items: Iterable[Item],
        *,
        tenant: str,
        source: str | None = None,
        prune: bool = False,
        progress: Progress | None = None,
    ) -> IngestReport:
        """Ingest `items` and report; what can not be read or stored is skipped and reported, and the rest goes on.

        Of several documents with one id, the first is stored; the others are reported as skipped. With `prune`, the
        documents of `source`, or of the tenant if it is None, that were there before and are not among `items` are
        deleted at the end, unless something was skipped or nothing was read: what could not be read may be one of them.
        What others write meanwhile stays.

        Raises:
            InvalidInputError: `tenant` or `source` can not be used.
            IndexMismatchError: the stored index was built with another analyser or embedding.
            DatabaseUnavailableError: the database does not answer; documents before stay stored.
        """
        checked_name("tenant", tenant)
        if source is not None:
            checked_name("source", source)
        started = time.perf_counter()
        self._catalog.verify_index(self._index_settings, claim=True)
        before = self._writer.generation(tenant)
        counts = Counter({**dict.fromkeys(_OUTCOMES, 0), "chunks": 0})
        skipped: list[Skipped] = []
        seen: set[str] = set()
        read_batches = _batches(read(items, source=source, max_file_mb=self._max_file_mb), self._batch_size)
        for entries in read_batches:
            batch = self._prepare(tenant, _new(entries, seen, skipped))
            refused = self._write(tenant, list(batch.parsed.values()))
            skipped += refused
            for doc_id, outcome in batch.without(refused):
                counts.update({outcome: 1, "chunks": batch.chunks(doc_id)})
                if progress is not None:
                    progress(sum(counts[name] for name in _OUTCOMES), doc_id)
        deleted = self._writer.delete_others(tenant, source, seen, before) if prune and seen and not skipped else 0
        return IngestReport(**counts, deleted=deleted, skipped=tuple(skipped), seconds=time.perf_counter() - started)

    def _prepare(self, tenant: str, documents: Mapping[str, Document]) -> _Batch:
        """Parse and embed what changed."""
        hashes = {doc_id: self._hash(document) for doc_id, document in documents.items()}
        stored = self._writer.hashes(tenant, documents)
        changed = [document for doc_id, document in documents.items() if stored.get(doc_id) != hashes[doc_id]]
        parsed = self._parse(tenant, changed, hashes)
        outcomes = {
            doc_id: "unchanged" if doc_id not in parsed else "updated" if doc_id in stored else "added"
            for doc_id in documents
        }
        return _Batch(outcomes, parsed)

    def _write(self, tenant: str, documents: Sequence[ParsedDocument]) -> list[Skipped]:
        """Write documents at once, or one by one where one of them can not be stored; return those that can not."""
        if not documents:
            return []
        try:
            self._writer.write(tenant, *documents)
        except UnstorableError as error:
            if len(documents) == 1:
                return [Skipped(documents[0].doc_id, f"the document can not be stored: {error}")]
            return [entry for document in documents for entry in self._write(tenant, [document])]
        return []

    def _fingerprint(self, parser: NodeParser) -> str:
        return json.dumps(parser.to_dict(), sort_keys=True, default=str)

    def _cut(self, document: Document) -> _Cut:
        kind = document.metadata.get("kind")
        return self._by_kind.get(kind, self._default) if isinstance(kind, str) else self._default

    def _hash(self, document: Document) -> str:
        content = json.dumps(
            [self._cut(document).fingerprint, document.text, document.metadata],
            sort_keys=True,
            ensure_ascii=False,
            default=str,
        )
        return hashlib.sha256(content.encode()).hexdigest()

    def _parse(self, tenant: str, documents: list[Document], hashes: Mapping[str, str]) -> dict[str, ParsedDocument]:
        parsed: dict[str, ParsedDocument] = {}
        texts: list[str] = []
        nodes = self._nodes(tenant, documents)
        for document in documents:
            own = nodes[document.node_id]
            children = [node for node in own if NodeRelationship.PARENT in node.relationships]
            searched = [child.get_content(MetadataMode.EMBED) for child in children]
            texts += searched
            parsed[document.node_id] = ParsedDocument(
                doc_id=document.node_id,
                source=document.metadata["source"],
                title=document.metadata["title"],
                content_hash=hashes[document.node_id],
                metadata=document.metadata,
                parents=[node for node in own if NodeRelationship.PARENT not in node.relationships],
                children=children,
                tokens=[self._analyzer.tokens(text) for text in searched],
            )
        embeddings = iter(self._embedded(texts) if texts else ())
        for document_nodes in parsed.values():
            for child in document_nodes.children:
                child.embedding = next(embeddings)
        return parsed

    def _embedded(self, texts: list[str]) -> list[list[float]]:
        vectors = self._embedding.model.get_text_embedding_batch(texts)
        if any(len(vector) != self._embedding.dim for vector in vectors):
            lengths = sorted({len(vector) for vector in vectors})
            raise InvalidAnswerError(f"the embedding gave vectors of {lengths} numbers, not of {self._embedding.dim}")
        return vectors

    def _nodes(self, tenant: str, documents: Iterable[Document]) -> Mapping[str, list[TextNode]]:
        """Return the nodes of each document by its id; documents that are cut alike are cut together."""
        cuts: dict[_Cut, list[Document]] = {}
        for document in documents:
            owned = document.model_copy(update={"metadata": {**document.metadata, "tenant": tenant}})
            cuts.setdefault(self._cut(document), []).append(owned)
        nodes: defaultdict[str, list[TextNode]] = defaultdict(list)
        for cut, owned_documents in cuts.items():
            for node in cut.parser.get_nodes_from_documents(owned_documents):
                if isinstance(node, TextNode) and node.ref_doc_id is not None:
                    nodes[node.ref_doc_id].append(node)
        return nodes


def _new(batch: Iterable[Read], seen: set[str], skipped: list[Skipped]) -> dict[str, Document]:
    """Return the documents that were not seen before by id, and add to what was seen and skipped."""
    documents: dict[str, Document] = {}
    for entry in batch:
        if isinstance(entry, Skipped):
            skipped.append(entry)
        elif entry.node_id in seen:
            skipped.append(Skipped(entry.node_id, "another document of this id came before it"))
        else:
            seen.add(entry.node_id)
            documents[entry.node_id] = entry
    return documents


def _batches(entries: Iterable[Read], most: int) -> Iterator[list[Read]]:
    """Yield the entries in lists of so many at most, and of fewer where they are long."""
    batch: list[Read] = []
    characters = 0
    for entry in entries:
        batch.append(entry)
        characters += len(entry.text) if isinstance(entry, Document) else 0
        if len(batch) >= most or characters >= _BATCH_CHARACTERS:
            yield batch
            batch, characters = [], 0
    if batch:
        yield batch
