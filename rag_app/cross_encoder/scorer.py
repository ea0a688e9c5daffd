"""What gives a pair of query and passage its logit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

Features = dict[str, list[int]]  # of one pair, by the names of the model's inputs, without padding


class Scorer(Protocol):
    """A loaded cross-encoder; one thread at a time may use it.

    Attributes:
        precision: "fp32", "bf16", "fp16" or "int8".
        device: where it runs, as torch names devices.
        megabytes: what its weights take.
        batch_tokens: from how many tokens at once, padding included, more at once gain nothing.
        model: torch's module or ONNX Runtime's session.
    """

    precision: str
    device: str
    megabytes: float
    batch_tokens: int
    model: Any

    def tokenize(self, query: str, passages: Sequence[str]) -> list[Features]:
        """Return the tokens of each pair, cut to the model's greatest length."""
        ...

    def logits(self, batch: Sequence[Features]) -> list[float]:
        """Return the logit of each pair; pairs of different lengths are padded to the longest."""
        ...


class PairTokenizer:
    """The tokenizer that comes with a model, for pairs of query and passage.

    Args:
        folder: the model's files.
        max_length: the most tokens of query and passage together; the model may allow fewer.
    """

    def __init__(self, folder: str, max_length: int) -> None:
        from transformers import AutoTokenizer

        self._tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        self._max_length = min(max_length, self._tokenizer.model_max_length)

    def pairs(self, query: str, passages: Sequence[str]) -> list[Features]:
        """Return the tokens of each pair."""
        encoded = self._tokenizer([query] * len(passages), list(passages), truncation=True, max_length=self._max_length)
        return [dict(zip(encoded, columns, strict=True)) for columns in zip(*encoded.values(), strict=True)]

    def padded(self, batch: Sequence[Features], tensors: str) -> dict[str, Any]:
        """Return the batch as tensors ("pt" or "np") of shape (pairs, longest)."""
        return dict(self._tokenizer.pad(list(batch), return_tensors=tensors))
