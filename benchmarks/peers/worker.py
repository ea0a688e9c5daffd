"""What each side runs in its own process and environment: requests as JSON lines on stdin, answers on stdout.

Only the standard library and numpy are needed, which every side has. What libraries print goes to stderr.
"""

from __future__ import annotations

import json
import os
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

CANDIDATES = 20  # that retrieval gives, and that the cross-encoder reads
DENSE_TOP_K, SPARSE_TOP_K = 20, 15
TOP_N = 8  # that the cross-encoder leaves


class Vectors:
    """Vectors that were made beforehand, the same for every side.

    Args:
        folder: holds `texts.json`, a list, and `vectors.npy`, float32 of shape (texts, dimensions).
    """

    def __init__(self, folder: Path) -> None:
        self._rows = np.load(folder / "vectors.npy")
        self._places = {
            text: place for place, text in enumerate(json.loads((folder / "texts.json").read_text("utf-8")))
        }

    @property
    def dim(self) -> int:
        """The length of each."""
        return int(self._rows.shape[1])

    def __contains__(self, text: str) -> bool:
        return text in self._places

    def of(self, text: str) -> list[float]:
        """Return the vector of a text.

        Raises:
            KeyError: none was made of it.
        """
        row: list[float] = self._rows[self._places[text]].tolist()
        return row


class Peer(ABC):
    """A side of the comparison, set up as its own documentation does.

    Attributes:
        packages: those whose versions are told.
    """

    packages: tuple[str, ...]

    @abstractmethod
    def ingest(self, documents: Mapping[str, str]) -> None:
        """Store the documents, by id, until all that a search needs is built."""

    @abstractmethod
    def retrieve(self, question: str) -> list[Any]:
        """Return the candidates of hybrid search, best first."""

    def order(self, question: str, candidates: list[Any]) -> list[Any]:
        """Return the candidates as the side orders them where it has no model; most have no way to."""
        return candidates

    @abstractmethod
    def load(self, model: Path) -> None:
        """Load the cross-encoder."""

    @abstractmethod
    def rerank(self, question: str, candidates: list[Any]) -> list[Any]:
        """Return the best candidates by the cross-encoder."""

    @abstractmethod
    def doc_id(self, candidate: Any) -> str:
        """Return the id of the document that a candidate is of."""

    def close(self) -> None:  # noqa: B027 - most have nothing to close
        """Give back what is held."""


class _Stages:
    """The document ids that each stage of a question gave, and the milliseconds that it took."""

    def __init__(self, peer: Peer) -> None:
        self.rankings: dict[str, list[str]] = {}
        self.ms: dict[str, float] = {}
        self._peer = peer

    def run(self, name: str, stage: Callable[..., list[Any]], *given: Any) -> list[Any]:
        """Run a stage and note what came of it."""
        started = time.perf_counter()
        candidates = stage(*given)
        self.ms[name] = (time.perf_counter() - started) * 1000
        self.rankings[name] = list(dict.fromkeys(map(self._peer.doc_id, candidates)))
        return candidates


def answered(peer: Peer, request: Mapping[str, Any]) -> dict[str, Any]:
    """Do what a request asks for.

    Raises:
        ValueError: it asks for something unknown.
    """
    match request["do"]:
        case "ingest":
            started = time.perf_counter()
            peer.ingest(request["documents"])
            return {
                "seconds": time.perf_counter() - started,
                "versions": {name: version(name) for name in peer.packages},
            }
        case "load":
            peer.load(Path(request["model"]))
            return {}
        case "ask":
            asked = []
            for question in request["questions"]:
                stages = _Stages(peer)
                candidates = stages.run("retrieval", peer.retrieve, question)
                if request["rerank"]:
                    stages.run("rerank", peer.rerank, question, candidates)
                else:
                    stages.run("order", peer.order, question, candidates)
                asked.append({"rankings": stages.rankings, "ms": stages.ms})
            return {"asked": asked}
        case unknown:
            raise ValueError(f"{unknown!r} is not among the requests: ingest, load, ask")


def serve(opened: Callable[[Path, Vectors], Peer]) -> None:
    """Answer the requests until stdin ends.

    Args:
        opened: opens the side, given a folder for what it stores, and the vectors.
    """
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    folder, vectors = map(Path, sys.argv[1:3])
    peer = opened(folder, Vectors(vectors))
    try:
        for line in sys.stdin:
            print(json.dumps(answered(peer, json.loads(line))), file=answers, flush=True)
    finally:
        peer.close()
