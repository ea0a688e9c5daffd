"""Every precision against transformers called directly."""

import json
import shutil
from itertools import permutations
from pathlib import Path

import pytest
import torch
from transformers import BertConfig, BertForSequenceClassification

from rag_app.cross_encoder import ModelSpec, load_model
from rag_app.cross_encoder.precision import agreement
from rag_app.cross_encoder.probe_pairs import PASSAGES, QUERIES
from rag_app.cross_encoder.scorer import Scorer
from tests.models import reference_logits


def logits(scorer: Scorer, order: list[int], batch: int) -> dict[int, float]:
    pairs = scorer.tokenize(QUERIES[0], [PASSAGES[place] for place in order])
    found = [logit for start in range(0, len(pairs), batch) for logit in scorer.logits(pairs[start : start + batch])]
    return dict(zip(order, found, strict=True))


@pytest.fixture(scope="module")
def expected(cross_encoder_folder: Path) -> dict[int, float]:
    return dict(enumerate(reference_logits(cross_encoder_folder, QUERIES[0], list(PASSAGES))))


@pytest.mark.parametrize("batch", [1, 3, 20])
def test_fp32_gives_the_logits_of_transformers_in_any_batch(
    cross_encoder_folder: Path, expected: dict[int, float], batch: int
) -> None:
    scorer = load_model(ModelSpec(str(cross_encoder_folder), "fp32", "cpu")).scorer
    for order in (list(range(20)), list(range(19, -1, -1)), list(next(permutations(range(5))))):
        found = logits(scorer, order, batch)
        assert found == pytest.approx({place: expected[place] for place in order}, abs=1e-4)
    assert max(expected.values()) - min(expected.values()) > 0.1


def test_bf16_keeps_the_order(cross_encoder_folder: Path, expected: dict[int, float]) -> None:
    loaded = load_model(ModelSpec(str(cross_encoder_folder), "bf16", "cpu"))
    found = logits(loaded.scorer, list(range(20)), 4)
    assert found == pytest.approx(expected, abs=0.3)  # the small model's large weights magnify differences
    assert agreement(list(found.values()), list(expected.values())) > 0.9
    assert found != pytest.approx(expected, abs=1e-6)  # else the products were not taken in bf16
    weights = [buffer for name, buffer in loaded.scorer.model.named_buffers() if name.endswith("query.weight")]
    assert {str(weight.dtype) for weight in weights} == {"torch.bfloat16"}
    assert loaded.choice.why == "the configuration names it"


def test_what_is_too_long_is_cut(cross_encoder_folder: Path) -> None:
    scorer = load_model(ModelSpec(str(cross_encoder_folder), "fp32", "cpu", max_length=24)).scorer
    (pair,) = scorer.tokenize("پرسش", [" ".join(PASSAGES)])
    assert len(pair["input_ids"]) == 24
    longest = load_model(ModelSpec(str(cross_encoder_folder), "fp32", "cpu", max_length=9999)).scorer
    (pair,) = longest.tokenize("پرسش", ["متن " * 900])
    assert len(pair["input_ids"]) == 512
    assert len(longest.logits([pair])) == 1


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_the_last_layer_is_computed_for_the_first_token_alone(
    folder: Path, expected: dict[int, float], attention: str
) -> None:
    config = json.loads((folder / "config.json").read_text("utf-8"))
    (folder / "config.json").write_text(json.dumps(config | {"attn_implementation": attention}), "utf-8")
    scorer = load_model(ModelSpec(str(folder), "fp32", "cpu")).scorer
    shapes: list[tuple[int, ...]] = []
    for layer in scorer.model.roberta.encoder.layer:
        layer.register_forward_hook(lambda _layer, _given, state: shapes.append(tuple(state.shape)))
    found = logits(scorer, list(range(20)), 20)
    assert found == pytest.approx(expected, abs=1e-4)
    (pairs, tokens, features), last = shapes
    assert last == (pairs, 1, features)
    assert tokens > 1


def test_a_classifier_of_another_architecture_is_left_as_it_is(tmp_path: Path, cross_encoder_folder: Path) -> None:
    shutil.copytree(cross_encoder_folder, tmp_path, dirs_exist_ok=True)
    config = json.loads((tmp_path / "config.json").read_text("utf-8"))
    sizes = ("vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size")
    torch.manual_seed(0)
    bert = BertConfig(**{name: config[name] for name in sizes}, num_labels=1, initializer_range=0.5)
    BertForSequenceClassification(bert).save_pretrained(tmp_path)
    scorer = load_model(ModelSpec(str(tmp_path), "fp32", "cpu")).scorer
    assert len(set(logits(scorer, list(range(20)), 20).values())) == 20
    assert {type(layer).__name__ for layer in scorer.model.bert.encoder.layer} == {"BertLayer"}
