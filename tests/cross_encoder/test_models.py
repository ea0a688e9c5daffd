import os
import shutil
from pathlib import Path

import pytest

from rag_app.cross_encoder import ALIASES, find_model, hub_id, int8_folder
from rag_app.cross_encoder.models import INT8_FILE, fingerprint
from rag_app.errors import ComponentError


def test_aliases_name_the_models_of_the_hub() -> None:
    assert [hub_id(alias) for alias in ("base", "large", "multilingual")] == [
        "BAAI/bge-reranker-base",
        "BAAI/bge-reranker-large",
        "BAAI/bge-reranker-v2-m3",
    ]
    assert hub_id("someone/else") == "someone/else"


def test_a_folder_is_found_as_it_is(cross_encoder_folder: Path) -> None:
    assert find_model(str(cross_encoder_folder)) == cross_encoder_folder


@pytest.mark.parametrize("model", ["base", "nobody/such-model"])
def test_a_model_that_is_not_here_is_an_error_that_says_how_to_get_it(
    model: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(ComponentError, match=f"rag-app models pull {model}") as caught:
        find_model(model)
    assert caught.value.reason == "model not found"
    for way in ("HTTPS_PROXY", "HF_ENDPOINT", "copy its folder here"):
        assert way in str(caught.value)


@pytest.mark.parametrize(("model", "told"), [("bas", "did you mean 'base'"), ("/no/folder", "a folder that exists")])
def test_a_name_that_is_neither_alias_nor_folder_nor_id_is_told(model: str, told: str) -> None:
    with pytest.raises(ComponentError, match=told):
        find_model(model)


def test_the_fingerprint_changes_with_any_file(cross_encoder_folder: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(cross_encoder_folder, tmp_path / "copy")
    first = fingerprint(copy)
    assert fingerprint(copy) == first
    os.utime(copy / "model.safetensors", (1, 1))
    assert fingerprint(copy) != first


def test_an_export_is_its_own_int8_folder(cross_encoder_folder: Path, tmp_path: Path, own_cache: Path) -> None:
    assert int8_folder(cross_encoder_folder).is_relative_to(own_cache)
    (tmp_path / INT8_FILE).touch()
    assert int8_folder(tmp_path) == tmp_path
    assert set(ALIASES) == {"base", "large", "multilingual"}
