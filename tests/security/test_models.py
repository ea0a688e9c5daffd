"""Models are data: none brings code that is run, whatever its folder asks for and whoever sits at the terminal."""

from __future__ import annotations

import io
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rag_app.cross_encoder import ModelSpec, find_model, load_model
from rag_app.embeddings import open_embedding
from rag_app.embeddings.options import EmbeddingOptions
from rag_app.errors import ComponentError, ConfigurationError
from tests.conftest import INSTITUTE
from tests.models import save_embedding

CODE = """
from pathlib import Path
from transformers import PretrainedConfig, PreTrainedModel, PreTrainedTokenizerFast

Path({mark!r}).touch()


class Config(PretrainedConfig):
    model_type = "own"


class Model(PreTrainedModel):
    config_class = Config


class Tokenizer(PreTrainedTokenizerFast):
    pass
"""
Change = Callable[[Path, Path], None]


class Executes:
    """Touches a file when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self._mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return open, (str(self._mark), "w")


def edit(file: Path, **changes: Any) -> None:
    file.write_text(json.dumps({**json.loads(file.read_text("utf-8")), **changes}), "utf-8")


def pickled_weights(folder: Path, mark: Path) -> None:
    import torch

    (folder / "model.safetensors").unlink()
    torch.save({"weight": Executes(mark)}, folder / "pytorch_model.bin")


def own_architecture(folder: Path, mark: Path) -> None:
    (folder / "own.py").write_text(CODE.format(mark=str(mark)), "utf-8")
    classes = ("AutoModel", "AutoModelForSequenceClassification")
    edit(
        folder / "config.json",
        model_type="own",
        auto_map={"AutoConfig": "own.Config", **dict.fromkeys(classes, "own.Model")},
    )


def own_architecture_of_another_repository(folder: Path, mark: Path) -> None:
    edit(folder / "config.json", model_type="own", auto_map={"AutoConfig": "someone/else--own.Config"})


def own_module(folder: Path, mark: Path) -> None:
    (folder / "own.py").write_text(CODE.format(mark=str(mark)), "utf-8")
    modules = json.loads((folder / "modules.json").read_text("utf-8"))
    modules[1]["type"] = "own.Model"
    (folder / "modules.json").write_text(json.dumps(modules), "utf-8")


def kernel_of_the_hub(folder: Path, mark: Path) -> None:
    edit(folder / "config.json", attn_implementation="someone/kernel")


def own_classes_of_a_known_architecture(folder: Path, mark: Path) -> None:
    (folder / "own.py").write_text(CODE.format(mark=str(mark)), "utf-8")
    edit(
        folder / "config.json",
        auto_map={"AutoConfig": "own.Config", "AutoModelForSequenceClassification": "own.Model"},
    )
    edit(
        folder / "tokenizer_config.json",
        tokenizer_class="Tokenizer",
        auto_map={"AutoTokenizer": ["own.Tokenizer", "own.Tokenizer"]},
    )


@pytest.fixture(scope="module")
def embedding_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    texts = [file.read_text("utf-8") for file in sorted((INSTITUTE / "documents").rglob("*.md"))[:20]]
    return save_embedding(tmp_path_factory.mktemp("embedding"), texts)


@pytest.fixture(autouse=True)
def _somebody_says_yes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n" * 20))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (pickled_weights, "no weights in safetensors, and no others are read"),
        (own_architecture, "needs code of its own to be run, which is never done"),
        (own_architecture_of_another_repository, "needs code of its own to be run, which is never done"),
        (kernel_of_the_hub, r"a kernel from the hub \(someone/kernel\), and no code of a model's is run"),
    ],
)
def test_a_reranker_that_brings_code_is_refused_and_its_code_not_run(
    cross_encoder_folder: Path, tmp_path: Path, change: Change, told: str
) -> None:
    folder, mark = shutil.copytree(cross_encoder_folder, tmp_path / "model"), tmp_path / "executed"
    change(folder, mark)
    with pytest.raises(ComponentError, match=told) as caught:
        load_model(ModelSpec(str(folder), "fp32", "cpu"))
    assert caught.value.reason == "wrong format"
    assert not mark.exists()


def test_the_code_beside_a_reranker_of_a_known_architecture_is_left_alone(
    cross_encoder_folder: Path, tmp_path: Path
) -> None:
    folder, mark = shutil.copytree(cross_encoder_folder, tmp_path / "model"), tmp_path / "executed"
    own_classes_of_a_known_architecture(folder, mark)
    scorer = load_model(ModelSpec(str(folder), "fp32", "cpu")).scorer
    assert type(scorer.model).__module__.startswith("transformers.")
    assert not mark.exists()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (pickled_weights, "pickled and hold more than numbers, and such are never loaded"),
        (own_architecture, "needs code of its own to be run, which is never done"),
        (own_module, "needs code of its own to be run, which is never done"),
    ],
)
def test_an_embedding_that_brings_code_is_refused_and_its_code_not_run(
    embedding_folder: Path, tmp_path: Path, change: Change, told: str
) -> None:
    folder, mark = shutil.copytree(embedding_folder, tmp_path / "model"), tmp_path / "executed"
    change(folder, mark)
    with pytest.raises(ConfigurationError, match=told):
        open_embedding("huggingface", EmbeddingOptions(model=str(folder)))
    assert not mark.exists()


@pytest.mark.parametrize(
    "name",
    ["../../no-such", "BAAI/../../no-such", "a/b/c", "BAAI/bge\0", "models--a--b", "someone/..", "", "~/no-such/x"],
)
def test_a_models_name_leads_nowhere_but_to_a_folder_or_the_hub(name: str) -> None:
    with pytest.raises(ComponentError) as caught:
        find_model(name)
    assert caught.value.reason == "model not found"
