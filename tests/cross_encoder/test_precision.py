"""The choice of a precision: by measurement, once, for these weights on this machine."""

import json
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from rag_app.cross_encoder import ModelSpec, load_model, precision
from rag_app.cross_encoder.models import INT8_FILE, int8_folder
from rag_app.cross_encoder.precision import MIN_AGREEMENT, Choice, choose_precision
from rag_app.cross_encoder.scorer import Features


class Clock:
    """Goes on as scorers compute in two threads, on a machine that gives them processors for part of the time."""

    def __init__(self) -> None:
        self.gone = self.worked = 0.0

    def __call__(self) -> tuple[float, float, float]:
        return self.gone, self.worked, 2 * self.worked

    def computed(self, seconds: float, share: float) -> None:
        self.gone += seconds / share
        self.worked += seconds


class Scripted:
    """A scorer of a known speed, whose order agrees with fp32's or does not."""

    device = "cpu"
    megabytes = 1.0
    batch_tokens = 1024
    model: Any = None

    def __init__(self, precision: str, clock: Clock, seconds: float, faithful: bool = True, share: float = 1.0) -> None:
        self.precision, self.clock, self.seconds, self.faithful, self.share = precision, clock, seconds, faithful, share
        self.scored = 0

    def tokenize(self, query: str, passages: Sequence[str]) -> list[Features]:
        return [{"input_ids": [len(query), *map(ord, passage)]} for passage in passages]

    def logits(self, batch: Sequence[Features]) -> list[float]:
        self.scored += len(batch)
        self.clock.computed(self.seconds * len(batch), self.share)
        return [float(sum(pair["input_ids"]) % (9973 if self.faithful else 97)) for pair in batch]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def begin_process(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """What is remembered in memory is forgotten, as by the next process."""
    return lambda: monkeypatch.setattr(precision, "_known", {})


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RAG_APP_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.mark.parametrize(
    ("bf16", "chosen", "why"),
    [
        ((0.0005, True), "bf16", "bf16 is the fastest that keeps the order of fp32"),
        ((0.0005, False), "fp32", "agreement"),
        ((0.004, True), "fp32", "bf16 is not faster"),
    ],
)
def test_the_fastest_that_keeps_the_order_is_taken(
    folder: Path, clock: Clock, bf16: tuple[float, bool], chosen: str, why: str
) -> None:
    speeds = {"fp32": (0.002, True), "bf16": bf16}
    choice = choose_precision(folder, "cpu", lambda name: Scripted(name, clock, *speeds[name]), clock)
    assert choice.precision == chosen
    assert why in choice.why
    assert "int8 was not exported" in choice.why
    if not bf16[1]:
        agreed = choice.measured["bf16"].agreement
        assert agreed is not None
        assert agreed < MIN_AGREEMENT


def test_int8_is_measured_once_it_is_exported(folder: Path, clock: Clock) -> None:
    int8_folder(folder).mkdir(parents=True)
    (int8_folder(folder) / INT8_FILE).touch()
    speeds = {"fp32": 0.002, "bf16": 0.001, "int8": 0.0003}
    choice = choose_precision(folder, "cpu", lambda name: Scripted(name, clock, speeds[name]), clock)
    assert choice.precision == "int8"
    assert set(choice.measured) == {"fp32", "bf16", "int8"}


def test_the_outcome_is_kept_for_these_weights_and_measured_again_for_others(
    folder: Path, cache: Path, clock: Clock, begin_process: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []

    def make(name: str) -> Scripted:
        made.append(name)
        return Scripted(name, clock, 0.001)

    def choose() -> Choice:
        return choose_precision(folder, "cpu", make, clock)

    first = choose()
    assert made == ["fp32", "bf16"]
    begin_process()
    assert choose() == first
    assert len(made) == 2
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX2")  # as good as another machine
    choose()
    assert len(made) == 4
    monkeypatch.delenv("ONEDNN_MAX_CPU_ISA")
    (folder / "model.safetensors").write_bytes(b"other weights")
    choose()
    assert len(made) == 6


@pytest.mark.parametrize(
    "broken", ["", "{brok", "[]", '{"precision": "fp32", "why": "", "measured": [], "settled": true}']
)
def test_a_file_that_can_not_be_read_is_written_anew(
    folder: Path, cache: Path, clock: Clock, begin_process: Callable[[], None], broken: str
) -> None:
    def choose() -> Choice:
        begin_process()
        return choose_precision(folder, "cpu", lambda name: Scripted(name, clock, 1 / 1024), clock)

    first = choose()
    (file,) = (cache / "precision").iterdir()
    file.write_text(broken, "utf-8")
    assert choose() == first
    assert json.loads(file.read_text("utf-8"))["precision"] == first.precision


def test_threads_that_measure_at_once_do_not_write_into_each_others_files(
    folder: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    written, replace = threading.Barrier(2), Path.replace

    def replace_together(part: Path, file: Path) -> Path:
        written.wait(20)
        return replace(part, file)

    monkeypatch.setattr(Path, "replace", replace_together)

    def choose() -> None:
        clock = Clock()
        choose_precision(folder, "cpu", lambda name: Scripted(name, clock, 0.001), clock)

    threads = [threading.Thread(target=choose) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (file,) = (cache / "precision").iterdir()
    assert json.loads(file.read_text("utf-8"))["settled"]
    assert caplog.records == []


def test_what_others_take_of_the_processors_does_not_count(folder: Path, clock: Clock) -> None:
    speeds = {"fp32": (0.002, 1.0), "bf16": (0.001, 0.2)}  # so that bf16 takes longer by the clock on the wall
    choice = choose_precision(
        folder, "cpu", lambda name: Scripted(name, clock, speeds[name][0], share=speeds[name][1]), clock
    )
    assert choice.precision == "bf16"
    assert "bf16 is 2.0 times as fast" in choice.why


def test_what_is_hopelessly_slow_is_timed_once(folder: Path, clock: Clock) -> None:
    made = {}

    def make(name: str) -> Scripted:
        made[name] = Scripted(name, clock, {"fp32": 0.002, "bf16": 0.005}[name])
        return made[name]

    assert choose_precision(folder, "cpu", make, clock).precision == "fp32"
    assert made["bf16"].scored == 2 + 20


def test_what_was_measured_on_a_busy_machine_serves_the_process_and_the_next_measures_again(
    folder: Path, clock: Clock, begin_process: Callable[[], None]
) -> None:
    made = []

    def choose(bf16_s: float, share: float) -> Choice:
        def make(name: str) -> Scripted:
            made.append(name)
            return Scripted(name, clock, {"fp32": 0.002, "bf16": bf16_s}[name], share=share)

        return choose_precision(folder, "cpu", make, clock)

    busy = choose(0.003, 0.25)
    assert (busy.precision, busy.settled) == ("fp32", False)
    assert "busy machine, which gave it a processor for 25% of the time: the next process measures again" in busy.why
    assert choose(0.001, 1.0) is busy
    assert len(made) == 2
    begin_process()
    calm = choose(0.001, 1.0)
    assert (calm.precision, calm.settled) == ("bf16", True)
    assert "busy" not in calm.why
    begin_process()
    assert choose(0.003, 0.25) == calm
    assert len(made) == 4


def test_a_machine_that_is_always_busy_is_believed_when_it_says_the_same_twice(
    folder: Path, clock: Clock, begin_process: Callable[[], None]
) -> None:
    made = []

    def choose(bf16_s: float) -> Choice:
        def make(name: str) -> Scripted:
            made.append(name)
            return Scripted(name, clock, {"fp32": 0.002, "bf16": bf16_s}[name], share=0.1)

        begin_process()
        return choose_precision(folder, "cpu", make, clock)

    first, second, third = choose(0.003), choose(0.001), choose(0.001)
    assert [(choice.precision, choice.settled) for choice in (first, second, third)] == [
        ("fp32", False),
        ("bf16", False),
        ("bf16", True),
    ]
    assert "busy machine, which gave it a processor for 10% of the time, but twice with the same outcome" in third.why
    assert choose(0.003) == third
    assert len(made) == 6


def test_a_gpu_takes_fp16_and_an_export_is_int8_without_measuring(folder: Path) -> None:
    def make(name: str) -> Scripted:
        raise AssertionError

    assert choose_precision(folder, "cuda", make).precision == "fp16"
    (folder / INT8_FILE).touch()
    assert choose_precision(folder, "cpu", make).precision == "int8"


def test_a_real_model_is_probed_for_real(cross_encoder_folder: Path) -> None:
    loaded = load_model(ModelSpec(str(cross_encoder_folder), "auto", "cpu"))
    assert {"fp32", "bf16"} <= set(loaded.choice.measured)
    assert loaded.scorer.precision == loaded.choice.precision
    assert loaded.choice.measured["fp32"].seconds > 0
