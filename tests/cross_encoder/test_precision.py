"""The choice of a precision: by measurement, once, for these weights on this machine."""

import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from rag_app.cross_encoder import ModelSpec, load_model
from rag_app.cross_encoder.models import INT8_FILE, int8_folder
from rag_app.cross_encoder.precision import MIN_AGREEMENT, choose_precision
from rag_app.cross_encoder.scorer import Features


class Scripted:
    """A scorer of a known speed, whose order agrees with fp32's or does not."""

    device = "cpu"
    megabytes = 1.0
    batch_tokens = 1024
    model: Any = None

    def __init__(self, precision: str, seconds: float, faithful: bool) -> None:
        self.precision, self.seconds, self.faithful = precision, seconds, faithful

    def tokenize(self, query: str, passages: Sequence[str]) -> list[Features]:
        return [{"input_ids": [len(query), *map(ord, passage)]} for passage in passages]

    def logits(self, batch: Sequence[Features]) -> list[float]:
        time.sleep(self.seconds * len(batch))
        return [float(sum(pair["input_ids"]) % (9973 if self.faithful else 97)) for pair in batch]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RAG_APP_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def folder(cross_encoder_folder: Path, tmp_path: Path) -> Path:
    return shutil.copytree(cross_encoder_folder, tmp_path / "model")


@pytest.mark.parametrize(
    ("bf16", "chosen", "why"),
    [
        ((0.0005, True), "bf16", "bf16 is the fastest that keeps the order of fp32"),
        ((0.0005, False), "fp32", "agreement"),
        ((0.004, True), "fp32", "bf16 is not faster"),
    ],
)
def test_the_fastest_that_keeps_the_order_is_taken(
    folder: Path, bf16: tuple[float, bool], chosen: str, why: str
) -> None:
    speeds = {"fp32": (0.002, True), "bf16": bf16}
    choice = choose_precision(folder, "cpu", lambda precision: Scripted(precision, *speeds[precision]))
    assert choice.precision == chosen
    assert why in choice.why
    assert "int8 was not exported" in choice.why
    if not bf16[1]:
        agreed = choice.measured["bf16"].agreement
        assert agreed is not None
        assert agreed < MIN_AGREEMENT


def test_int8_is_measured_once_it_is_exported(folder: Path) -> None:
    int8_folder(folder).mkdir(parents=True)
    (int8_folder(folder) / INT8_FILE).touch()
    speeds = {"fp32": 0.002, "bf16": 0.001, "int8": 0.0003}
    choice = choose_precision(folder, "cpu", lambda precision: Scripted(precision, speeds[precision], True))
    assert choice.precision == "int8"
    assert set(choice.measured) == {"fp32", "bf16", "int8"}


def test_the_outcome_is_kept_for_these_weights_and_measured_again_for_others(
    folder: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []

    def make(precision: str) -> Scripted:
        made.append(precision)
        return Scripted(precision, 0.0, True)

    first = choose_precision(folder, "cpu", make)
    assert made == ["fp32", "bf16"]
    assert choose_precision(folder, "cpu", make) == first
    assert len(made) == 2
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX2")  # as good as another machine
    choose_precision(folder, "cpu", make)
    assert len(made) == 4
    monkeypatch.delenv("ONEDNN_MAX_CPU_ISA")
    (folder / "model.safetensors").write_bytes(b"other weights")
    choose_precision(folder, "cpu", make)
    assert len(made) == 6
    for kept in (cache / "precision").iterdir():
        kept.write_text("{broken", "utf-8")
    assert choose_precision(folder, "cpu", make) == choose_precision(folder, "cpu", make)
    assert len(made) == 8


def test_a_gpu_takes_fp16_and_an_export_is_int8_without_measuring(folder: Path) -> None:
    def make(precision: str) -> Scripted:
        raise AssertionError

    assert choose_precision(folder, "cuda", make).precision == "fp16"
    (folder / INT8_FILE).touch()
    assert choose_precision(folder, "cpu", make).precision == "int8"


def test_a_real_model_is_probed_for_real(cross_encoder_folder: Path) -> None:
    loaded = load_model(ModelSpec(str(cross_encoder_folder), "auto", "cpu"))
    assert {"fp32", "bf16"} <= set(loaded.choice.measured)
    assert loaded.scorer.precision == loaded.choice.precision
    assert loaded.choice.measured["fp32"].seconds > 0
