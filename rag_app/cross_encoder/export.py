"""Writing a model as int8 for ONNX Runtime."""

from __future__ import annotations

import logging
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from onnxruntime.quantization import QuantType, quantize_dynamic
from torch import Tensor, nn
from transformers import PreTrainedModel

from rag_app.cross_encoder.loading import ran_out_of_memory
from rag_app.cross_encoder.models import INT8_FILE, is_int8_export
from rag_app.cross_encoder.scorer import PairTokenizer
from rag_app.cross_encoder.torch_scorer import load_classifier
from rag_app.errors import ComponentError

_OPSET = 17


def export_int8(folder: Path, output: Path) -> Path:
    """Quantise a model to int8 and write it with its tokenizer, so that `output` is itself a model's folder.

    Weights are quantised by channel, activations by tensor as they come (dynamic quantisation), in the way that suits
    this machine's processor: export where the model is to run. A folder that is complete is left as it is; an export
    that is broken off leaves none.

    Args:
        folder: the model's files.
        output: the folder to write, which must not exist or be an export.

    Raises:
        ComponentError: the model is itself an export, is no sequence classifier of one label, or lacks weights; or
            `output` is something else already or can not be written.
    """
    if is_int8_export(output):
        return output
    if output.exists():
        raise ComponentError(f"{output} exists and is no int8 export: name another folder", "output exists")
    if is_int8_export(folder):
        raise ComponentError(f"{folder} is an int8 export itself: name the model it was made of", "wrong format")
    model, tokenizer = load_classifier(folder), PairTokenizer(str(folder), 64)
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=output.parent) as directory:
            whole, written = Path(directory) / "fp32.onnx", Path(directory) / "export"
            written.mkdir()
            with _quiet():
                _write_onnx(model, tokenizer, whole)
                quantize_dynamic(whole, written / INT8_FILE, weight_type=_weight_type(), per_channel=True)
            for file in folder.iterdir():
                if file.is_file() and file.suffix in {".json", ".txt", ".model"}:
                    shutil.copy(file, written)
            try:
                written.rename(output)
            except OSError:
                if not is_int8_export(output):  # else another process has written the same meanwhile
                    raise
    except OSError as error:
        if ran_out_of_memory(error):
            raise
        raise ComponentError(f"{output} can not be written: {error.strerror or error}", "output not written") from error
    return output


def _write_onnx(model: PreTrainedModel, tokenizer: PairTokenizer, file: Path) -> None:
    example = tokenizer.padded(tokenizer.pairs("پرسش", ["پاسخ", "پاسخی دیگر"]), "pt")
    torch.onnx.export(
        _Logits(model, list(example)).eval(),
        tuple(example.values()),
        str(file),
        opset_version=_OPSET,
        dynamo=False,  # the other exporter needs onnxscript
        input_names=list(example),
        output_names=["logits"],
        dynamic_axes={name: {0: "pairs", 1: "tokens"} for name in example} | {"logits": {0: "pairs"}},
    )


def _weight_type() -> QuantType:
    """Return signed weights, which are fastest, where they are exact.

    Without VNNI, the processor adds products of signed weights in 16 bits, which overflow: on AVX2 alone the order
    agreed with fp32 by .54 (Kendall's tau), with unsigned weights by .90.
    """
    return QuantType.QInt8 if torch.cpu._is_vnni_supported() else QuantType.QUInt8


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep what is known of this exporter, and the quantiser's advice, from the caller's warnings and log."""
    root, silent = logging.getLogger(), logging.NullHandler()
    root.addFilter(_is_no_advice)
    root.addHandler(silent)  # without any, the quantiser would set up logging for the whole process
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", category=torch.jit.TracerWarning)  # type: ignore[attr-defined]
            warnings.filterwarnings("ignore", "You are using the legacy TorchScript", DeprecationWarning)
            warnings.filterwarnings("ignore", "The feature will be removed", DeprecationWarning)
            warnings.filterwarnings("ignore", "Exporting aten::index operator", UserWarning)
            yield
    finally:
        root.removeHandler(silent)
        root.removeFilter(_is_no_advice)


def _is_no_advice(record: logging.LogRecord) -> bool:
    return "pre-processing before quantization" not in record.getMessage()


class _Logits(nn.Module):
    """The model with its inputs in a fixed order and its logits alone, as the exporter wants it."""

    def __init__(self, model: PreTrainedModel, inputs: list[str]) -> None:
        super().__init__()
        self.model = model
        self.inputs = inputs

    def forward(self, *given: Tensor) -> Tensor:
        logits: Tensor = self.model(**dict(zip(self.inputs, given, strict=True))).logits
        return logits
