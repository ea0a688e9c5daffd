"""Loading a model: from which files, in which precision; every failure with its reason and what to do about it."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rag_app.cross_encoder.models import INSTALL, INT8_FILE, find_model, int8_folder
from rag_app.cross_encoder.precision import Choice, choose_precision
from rag_app.cross_encoder.scorer import Scorer
from rag_app.errors import ComponentError, RagAppError


@dataclass(frozen=True)
class ModelSpec:
    """Which cross-encoder, and how to run it.

    Attributes:
        model: an alias ("base", "large", "multilingual"), the id of a model on the hub, or a folder.
        precision: "fp32", "bf16", "int8", "fp16", or "auto" for the fastest that keeps fp32's order on this machine.
        device: as torch names devices; a GPU if there is one, when None.
        max_length: the most tokens of query and passage together.
    """

    model: str = "base"
    precision: str = "auto"
    device: str | None = None
    max_length: int = 512


@dataclass(frozen=True)
class LoadedModel:
    """A model ready to score, where it came from, and why in this precision."""

    scorer: Scorer
    folder: Path
    choice: Choice


def load_model(spec: ModelSpec) -> LoadedModel:
    """Load a model from this machine's files.

    Raises:
        ComponentError: it is not here, is broken, is no reranker, or does not fit into memory.
    """
    with failures_explained(spec.model):
        folder = find_model(spec.model)
        device = spec.device or _device(folder)
        if spec.precision == "auto":
            choice = choose_precision(folder, device, lambda precision: _make(spec, folder, precision, device))
        else:
            choice = Choice(spec.precision, "the configuration names it", {})
        return LoadedModel(_make(spec, folder, choice.precision, device), folder, choice)


def _device(folder: Path) -> str:
    if (folder / INT8_FILE).exists():
        return "cpu"
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def _make(spec: ModelSpec, folder: Path, precision: str, device: str) -> Scorer:
    if precision == "int8":
        from rag_app.cross_encoder.onnx_scorer import OnnxScorer

        exported = int8_folder(folder)
        if not (exported / INT8_FILE).exists():
            raise ComponentError(
                f"{spec.model!r} is not exported to int8: run `rag-app models export {spec.model} --int8`",
                "model not found",
            )
        return OnnxScorer(exported, spec.max_length)
    from rag_app.cross_encoder.torch_scorer import TorchScorer

    return TorchScorer(folder, precision, device, spec.max_length)


@contextmanager
def failures_explained(model: str) -> Iterator[None]:
    """Turn whatever a load raises into a ComponentError with its reason."""
    try:
        yield
    except RagAppError:
        raise
    except ImportError as error:
        raise ComponentError(f"{INSTALL} ({error})", "package missing") from error
    except Exception as error:  # libraries raise anything here, down to bare Exception for a broken tokenizer
        if ran_out_of_memory(error):
            raise ComponentError(
                f"there is no memory to load {model!r}: take a smaller model (base instead of large), export it with "
                f"`rag-app models export {model} --int8`, or run fewer processes",
                "out of memory",
            ) from error
        if "trust_remote_code" in str(error):
            raise ComponentError(
                f"the model {model!r} needs code of its own to be run, which is never done: take another model",
                "wrong format",
            ) from error
        again = "" if Path(model).is_dir() else f", with `rag-app models pull {model}`"
        raise ComponentError(
            f"the files of the model {model!r} can not be read ({type(error).__name__}): replace them{again}",
            "model files broken",
        ) from error


def ran_out_of_memory(error: BaseException) -> bool:
    """Tell whether memory ran out, on the CPU or on a GPU."""
    told = str(error).lower()
    return (
        isinstance(error, MemoryError)
        or type(error).__name__ == "OutOfMemoryError"
        or (isinstance(error, OSError) and error.errno == errno.ENOMEM)
        or "allocate memory" in told
        or "bad_alloc" in told
    )
