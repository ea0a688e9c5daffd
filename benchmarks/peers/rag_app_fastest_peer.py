"""rag_app by its fastest settings: vectors in this process, and the cross-encoder in int8.

Both stay settings: a process needs memory for the vectors, and int8 need not keep the order of fp32.
"""

from __future__ import annotations

from rag_app_peer import RagAppPeer
from worker import serve


class FastestRagAppPeer(RagAppPeer):
    """What `retrieval.dense: memory` and `rerank.precision: int8` make of it."""

    dense = "memory"
    precision = "int8"


if __name__ == "__main__":
    serve(FastestRagAppPeer)
