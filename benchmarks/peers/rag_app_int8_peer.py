"""rag_app with its cross-encoder in int8, which stays a setting: int8 need not keep the order of fp32."""

from __future__ import annotations

from rag_app_peer import RagAppPeer
from worker import serve


class Int8RagAppPeer(RagAppPeer):
    """What `rerank.precision: int8` makes of it."""

    precision = "int8"


if __name__ == "__main__":
    serve(Int8RagAppPeer)
