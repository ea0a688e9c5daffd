"""What is wrong with a model's files reaches the result as a reason, in time, and mends itself with the files."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from prometheus_client import REGISTRY
from transformers import AutoConfig

from rag_app import RagApp
from rag_app.cross_encoder import EngineOptions
from rag_app.pipeline import RetrievalPipeline
from rag_app.postprocessors import CrossEncoderRerank
from rag_app.schema import RetrievalResult
from tests.serving import pipeline_of, query_of, serve, service_of

QUESTION = "استراداد شهریه بعد جلسه دوم چند درسده؟"
DEADLINE_S = 4.0


def missing(folder: Path) -> None:
    shutil.rmtree(folder)


def corrupt_weights(folder: Path) -> None:
    weights = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(weights[: len(weights) // 2])


def truncated_tokenizer(folder: Path) -> None:
    told = (folder / "tokenizer.json").read_bytes()
    (folder / "tokenizer.json").write_bytes(told[: len(told) // 2])


def plain_encoder(folder: Path) -> None:
    from transformers import XLMRobertaConfig, XLMRobertaModel

    config = XLMRobertaConfig.from_pretrained(folder)
    XLMRobertaModel(config).save_pretrained(folder)


def two_labels(folder: Path) -> None:
    from transformers import XLMRobertaConfig, XLMRobertaForSequenceClassification

    config = XLMRobertaConfig.from_pretrained(folder, num_labels=2)
    XLMRobertaForSequenceClassification(config).save_pretrained(folder)


def no_numbers(folder: Path) -> None:
    from safetensors.torch import load_file, save_file

    weights = load_file(folder / "model.safetensors")
    broken = {name: weight * float("nan") for name, weight in weights.items()}
    save_file(broken, folder / "model.safetensors", metadata={"format": "pt"})


def hanging(folder: Path) -> None:
    os.mkfifo(folder / "fifo")


FAULTS = {
    missing: "model not found",
    corrupt_weights: "model files broken",
    truncated_tokenizer: "model files broken",
    plain_encoder: "wrong architecture",
    two_labels: "wrong architecture",
    no_numbers: "invalid scores",
    hanging: "load timed out",
}


@contextmanager
def reranking(app: RagApp, folder: Path, load_timeout_s: float) -> Iterator[RetrievalPipeline]:
    """The application's pipeline with a cross-encoder in front of its reranker."""
    options = EngineOptions(load_timeout_s, retry_after_s=0.2)
    cross_encoder = CrossEncoderRerank(str(folder), precision="fp32", options=options)
    yield pipeline_of(app, rerankers={"cross_encoder": cross_encoder, **app.pipeline.rerankers})
    cross_encoder.close()


def ask(app: RagApp, pipeline: RetrievalPipeline) -> RetrievalResult:
    started = time.monotonic()
    result = serve(app, service_of(app, production=pipeline), query_of(QUESTION, DEADLINE_S))
    assert time.monotonic() - started < DEADLINE_S
    return result


def counted(reason: str) -> float:
    labels = {"stage": "rerank", "component": "cross_encoder", "reason": reason}
    return REGISTRY.get_sample_value("rag_degradations_total", labels) or 0.0


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_degrades_to_the_lexical_reranker_and_mends_without_a_restart(
    app: RagApp,
    cross_encoder_folder: Path,
    folder: Path,
    fault: Callable[[Path], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reason = FAULTS[fault]
    fault(folder)
    if fault is hanging:  # whoever opens a pipe waits for its writer, as for a network disk that is gone
        monkeypatch.setattr(AutoConfig, "from_pretrained", lambda *_, **__: (folder / "fifo").read_text())
    before = counted(reason)
    with reranking(app, folder, load_timeout_s=1.0 if fault is hanging else 60.0) as pipeline:
        result = ask(app, pipeline)
        until = time.monotonic() + 60
        while result.trace.reranker_reason == "cross_encoder: loading" and time.monotonic() < until:
            result = ask(app, pipeline)  # it waits for half of its time
        assert result.nodes
        assert (result.trace.reranker, result.trace.reranker_reason) == ("lexical", f"cross_encoder: {reason}")
        assert counted(reason) == before + 1
        status = pipeline.rerankers["cross_encoder"].status()
        assert status.state == "failed"
        assert status.error

        monkeypatch.undo()
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(cross_encoder_folder, folder)
        until = time.monotonic() + 60
        while time.monotonic() < until and result.trace.reranker != "cross_encoder":
            time.sleep(0.1)
            result = ask(app, pipeline)
        assert (result.trace.reranker, result.trace.reranker_reason) == ("cross_encoder", "configured")
        assert result.nodes


OUT_OF_MEMORY = """
import json, resource, sys
from rag_app.cross_encoder import EngineOptions, ModelSpec, ScoringEngine
from rag_app.errors import ComponentError
import torch, transformers.models.xlm_roberta.modeling_xlm_roberta
from transformers import AutoModelForSequenceClassification
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
engine = ScoringEngine(ModelSpec(sys.argv[1], "fp32", "cpu"), EngineOptions(retry_after_s=0.1))
_, most = resource.getrlimit(resource.RLIMIT_AS)
resource.setrlimit(resource.RLIMIT_AS, (used + 100_000_000, most))
try:
    engine.score("a", ["b"])
except ComponentError as error:
    print(error.reason, "|", error)
resource.setrlimit(resource.RLIMIT_AS, (most, most))
import time; time.sleep(0.2)
print(len(engine.score("a", ["b"])))
"""


def test_no_memory_to_load_is_told_and_a_later_load_serves(folder: Path) -> None:
    from transformers import XLMRobertaConfig, XLMRobertaForSequenceClassification

    config = XLMRobertaConfig.from_pretrained(folder, vocab_size=40_000, hidden_size=1024, num_labels=1)
    XLMRobertaForSequenceClassification(config).save_pretrained(folder)  # 160 MB of embeddings
    run = subprocess.run([sys.executable, "-c", OUT_OF_MEMORY, folder], capture_output=True, text=True, timeout=100)
    told, served = run.stdout.splitlines() or [run.stderr, ""]
    assert told.startswith("out of memory | there is no memory to load")
    assert "take a smaller model" in told
    assert served == "1"
