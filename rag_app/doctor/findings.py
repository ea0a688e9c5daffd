"""What a check tells, and what to do about what users lived through."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "warning", "problem"]

TROUBLESHOOTING = {
    "the model does not download": "`rag-app models pull base` downloads it once; later nothing is downloaded. Behind "
    "a proxy, set HTTPS_PROXY; from a mirror, set HF_ENDPOINT. Without a network, run `rag-app models path base` where "
    "it was downloaded, copy that folder here, and name the copy as rerank.model.",
    "out of memory": "Take the smallest model (rerank.model: base), fewer candidates (retrieval.fusion_top_k: 10) and "
    "fewer processes. `rag-app models export base --int8`, on a machine with five times the model's size to spare, "
    "makes a copy of a quarter of that size; name that folder as rerank.model. rerank.kind: lexical needs no model.",
    "latency over 3 s": "deadline_s bounds every request, and `rag-app retrieve` shows what each stage took. Take "
    "fewer candidates (retrieval.fusion_top_k: 10) and fewer chunks (rerank.top_k: 5), export the model to int8, or "
    "switch it off (rerank.kind: lexical).",
    "no chunks retrieved": "`rag-app doctor --tenant T --source S` tells whether there are documents under these "
    "names, `rag-app ingest FOLDER --tenant T` stores some. `rag-app retrieve QUESTION --tenant T --explain` tells why "
    "each chunk was dropped; where none fits, raise context.primary_budget.",
}


@dataclass(frozen=True)
class Check:
    """One finding.

    Attributes:
        answer: what to do about it; None where there is nothing to do, or where the finding says it.
    """

    name: str
    state: State
    finding: str
    answer: str | None = None
