"""Every precision against transformers called directly."""

from itertools import permutations
from pathlib import Path

import pytest

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
