"""A cross-encoder run by torch: fp32 and bf16 on CPUs, fp16 on GPUs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from transformers import AutoConfig, AutoModelForSequenceClassification, PreTrainedModel
from transformers.utils import logging as transformers_logging

from rag_app.cross_encoder.last_layer import read_first_token_alone
from rag_app.cross_encoder.scorer import Features, PairTokenizer
from rag_app.errors import ComponentError


class TorchScorer:
    """Scores with a sequence classifier of one label, as transformers loads it.

    bf16 means that matrix products are taken of bf16 factors, where the time goes; sums, the residual stream,
    normalisation and attention stay fp32, and so do the products for the first token, whose state alone the score is
    read from. On a CPU that is about as fast as a model that is bf16 throughout; the scores stray from those of fp32
    by a twentieth of what they would.

    Args:
        folder: the model's files; weights are read from safetensors alone.
        precision: "fp32", "bf16" or "fp16".
        device: as torch names devices.
        max_length: the most tokens of query and passage together.

    Raises:
        ComponentError: the model is no sequence classifier of one label, or lacks weights.
    """

    def __init__(self, folder: Path, precision: str, device: str, max_length: int) -> None:
        self.precision = precision
        self.device = device
        self.batch_tokens = 1024 if device == "cpu" else 32_768
        self._tokenizer = PairTokenizer(str(folder), max_length)
        model = load_classifier(folder)
        if precision == "bf16":
            _multiply_in_bfloat16(model.base_model)
        elif precision == "fp16":
            nn.Module.half(model)
        self.model = nn.Module.to(model, device)
        held = (*model.parameters(), *model.buffers())
        self.megabytes = sum(tensor.numel() * tensor.element_size() for tensor in held) / 1e6

    def tokenize(self, query: str, passages: Sequence[str]) -> list[Features]:
        """Return the tokens of each pair, cut to the model's greatest length."""
        return self._tokenizer.pairs(query, passages)

    @torch.inference_mode()
    def logits(self, batch: Sequence[Features]) -> list[float]:
        """Return the logit of each pair; pairs of different lengths are padded to the longest."""
        inputs = {name: tensor.to(self.device) for name, tensor in self._tokenizer.padded(batch, "pt").items()}
        logits: list[float] = self.model(**inputs).logits[:, 0].float().tolist()
        return logits


def load_classifier(folder: Path) -> PreTrainedModel:
    """Load a sequence classifier of one label in fp32, ready for inference.

    Raises:
        ComponentError: it has another number of labels, weights are missing from its files or not in safetensors, or
            it asks for code of its own to be run.
    """
    if not any(folder.glob("*.safetensors")):
        raise ComponentError(
            f"{folder} has no weights in safetensors, and no others are read: take another model", "wrong format"
        )
    # Left out, `trust_remote_code` means that the terminal is asked whether to run the model's own code.
    config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    if config.num_labels != 1:
        raise ComponentError(
            f"the model in {folder} has {config.num_labels} labels; a reranker has one", "wrong architecture"
        )
    if "/" in str(config._attn_implementation):
        raise ComponentError(
            f"the model in {folder} asks for a kernel from the hub ({config._attn_implementation}), and no code of a "
            "model's is run: take attn_implementation out of its config.json, or take another model",
            "wrong format",
        )
    bars = transformers_logging.is_progress_bar_enabled()
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        model, loaded = AutoModelForSequenceClassification.from_pretrained(
            folder,
            config=config,
            local_files_only=True,
            trust_remote_code=False,
            use_safetensors=True,
            dtype=torch.float32,
            output_loading_info=True,
        )
    finally:
        if bars:
            transformers_logging.enable_progress_bar()  # type: ignore[no-untyped-call]
    if loaded["missing_keys"]:
        missing = ", ".join(sorted(loaded["missing_keys"])[:3])
        raise ComponentError(
            f"the model in {folder} is no trained reranker: its files hold no weights for {missing}",
            "wrong architecture",
        )
    classifier: PreTrainedModel = model.eval()
    read_first_token_alone(classifier)
    return classifier


class _BFloat16Linear(nn.Module):
    """A linear layer over (pairs, tokens, features): bf16 products, but fp32 for each pair's first token."""

    weight: Tensor

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.exact = linear
        self.register_buffer("weight", linear.weight.detach().bfloat16())

    def forward(self, given: Tensor) -> Tensor:
        if given.shape[1] == 1:
            exact: Tensor = self.exact(given)
            return exact
        product = nn.functional.linear(given.bfloat16(), self.weight).float()
        if self.exact.bias is not None:
            product.add_(self.exact.bias)
        product[:, 0] = self.exact(given[:, 0])
        return product


def _multiply_in_bfloat16(encoder: nn.Module) -> None:
    for module in list(encoder.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, nn.Linear):
                setattr(module, name, _BFloat16Linear(child))
