"""A cross-encoder quantised to int8 and run by ONNX Runtime."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import onnxruntime

from rag_app.cross_encoder.models import INT8_FILE
from rag_app.cross_encoder.scorer import Features, PairTokenizer


class OnnxScorer:
    """Scores with the int8 export of a model; see `export_int8`.

    Args:
        folder: the export.
        max_length: the most tokens of query and passage together.
    """

    precision = "int8"
    device = "cpu"
    batch_tokens = 1024

    def __init__(self, folder: Path, max_length: int) -> None:
        self._tokenizer = PairTokenizer(str(folder), max_length)
        self.model = onnxruntime.InferenceSession(str(folder / INT8_FILE), providers=["CPUExecutionProvider"])
        self._inputs = [given.name for given in self.model.get_inputs()]
        self.megabytes = (folder / INT8_FILE).stat().st_size / 1e6

    def tokenize(self, query: str, passages: Sequence[str]) -> list[Features]:
        """Return the tokens of each pair, cut to the model's greatest length."""
        return self._tokenizer.pairs(query, passages)

    def logits(self, batch: Sequence[Features]) -> list[float]:
        """Return the logit of each pair; pairs of different lengths are padded to the longest."""
        padded = self._tokenizer.padded(batch, "np")
        (logits,) = self.model.run(None, {name: padded[name] for name in self._inputs})
        return [float(logit) for logit in logits[:, 0]]
