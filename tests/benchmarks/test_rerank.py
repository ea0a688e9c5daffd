"""The measurements of the cross-encoder run, on a tiny model."""

import argparse
import asyncio
import json
import time
from pathlib import Path

import pytest

from tests.benchmarks.conftest import Load

FOLDERS = ("rerank",)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAG_APP_CACHE_DIR", str(tmp_path_factory.getbasetemp() / "rerank-cache"))


@pytest.fixture(scope="module")
def subject(script: Load, tmp_path_factory: pytest.TempPathFactory) -> object:
    paragraphs = script("passages").read_paragraphs(None)
    texts = [text for paragraph in paragraphs for text in paragraph.texts]
    root = tmp_path_factory.mktemp("models")
    folder = script("full_size").full_size("tiny", texts, root=root)
    assert script("full_size").full_size("tiny", [], root=root) == folder  # reused
    common = script("common")
    return common.Subject("tiny", folder, paragraphs, common.AutoTokenizer.from_pretrained(folder))


def test_the_architectures_are_those_of_bge_reranker(script: Load, subject: object) -> None:
    full_size = script("full_size")
    config = full_size._config(full_size.SIZES["base"], subject.tokenizer)  # type: ignore[attr-defined]
    assert (config.hidden_size, config.num_hidden_layers, config.num_attention_heads) == (768, 12, 12)
    assert (config.intermediate_size, config.vocab_size, config.num_labels) == (3072, 250_002, 1)
    large = full_size.SIZES["large"]
    assert (large.hidden, large.layers, large.heads, large.intermediate, large.vocabulary) == (
        1024, 24, 16, 4096, 250_002,
    )  # fmt: skip


def test_passages_are_of_mixed_lengths_and_other_seeds_give_others(script: Load, subject: object) -> None:
    drawn, same, other = (subject.draw(seed) for seed in (1, 1, 2))  # type: ignore[attr-defined]
    assert drawn == same != other
    tokenizer = subject.tokenizer  # type: ignore[attr-defined]
    lengths = [len(tokenizer.tokenize(passage.text)) for passage in drawn.passages]
    assert len(lengths) == 20
    assert 20 <= min(lengths) <= 24
    assert 90 <= max(lengths) <= 128
    assert lengths != sorted(lengths)
    text = "کتاب‌های تازه رسیدند"
    assert script("passages").cut(text, tokenizer, 100) == text
    assert script("passages").cut(text, tokenizer, len(tokenizer.tokenize(text)) - 1) == "کتاب‌های تازه"


def test_nodes_show_stock_what_they_say(script: Load, subject: object) -> None:
    drawn = subject.draw(0)  # type: ignore[attr-defined]
    passage = drawn.passages[0]
    shown = {metadata: drawn.nodes(metadata)[0].node.get_content("embed") for metadata in script("passages").METADATA}
    assert shown == {
        "title and source": f"title: {passage.title}\nsource: {passage.source}\n\n{passage.text}",
        "title": f"{passage.title}\n{passage.text}",
        "none": passage.text,
    }


def test_squad_is_read_with_its_titles(script: Load, tmp_path: Path) -> None:
    squad = tmp_path / "squad.json"
    paragraph = {"context": "تهران  پایتخت است.", "qas": [{"question": "پایتخت؟"}]}
    squad.write_text(json.dumps({"data": [{"title": "تهران", "paragraphs": [paragraph]}]}), "utf-8")
    (read,) = script("passages").read_paragraphs(squad)
    assert read.texts == ("تهران", "تهران پایتخت است.", "پایتخت؟")
    squad.write_text("[]", "utf-8")
    with pytest.raises(SystemExit, match="can not be read as SQuAD"):
        script("passages").read_paragraphs(squad)


def test_work_is_counted_without_padding(script: Load) -> None:
    config = argparse.Namespace(hidden_size=2, intermediate_size=3, num_hidden_layers=5)
    by_hand = 2 * 5 * ((4 * 4 + 2 * 6) * (7 + 1) + 2 * 2 * (49 + 1))
    assert script("machine").gflop(config, [7, 1]) == pytest.approx(by_hand / 1e9)


def test_other_processes_are_told(script: Load) -> None:
    with script("machine").watched() as others:
        time.sleep(0.05)
    assert str(others) == "unknown" or 0 <= others.part <= 1


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of the exporter and of SWIG
def test_against_stock(script: Load, subject: object, capsys: pytest.CaptureFixture[str]) -> None:
    against_stock = script("against_stock")
    sets = [subject.draw(seed) for seed in range(2)]  # type: ignore[attr-defined]
    measured = against_stock.measure(subject, sets)
    assert list(measured) == ["fp32", "bf16", "int8", "auto"]
    assert measured["auto"].chosen in ("fp32", "bf16", "int8")
    for found in measured.values():
        assert [len(logits) for logits in found.logits] == [20, 20]
        assert all(len(found.times_as_fast(metadata)) == 2 for metadata in against_stock.METADATA)
    reference = measured["fp32"]
    for ours, stock in zip(reference.logits, reference.stock_logits, strict=True):
        assert ours == pytest.approx(stock, abs=1e-5)  # the same model on the same text
    work, peaks = against_stock.work_of(subject, sets), against_stock.peaks_of({"fp32", "bf16", "int8"}, 64)
    against_stock.show(measured, work, peaks)
    told = capsys.readouterr().out
    assert "stock, title and source" in told
    assert "auto: " in told
    report = json.loads(json.dumps(against_stock.report_of(measured, work, peaks)))
    assert report["precisions"]["fp32"]["agreement"]["tau"] == pytest.approx(1)


def test_agreement(script: Load) -> None:
    agreement = script("agreement").agreement
    ten = [float(number) for number in range(10)]
    assert agreement([ten], [ten[::-1]])[:3] == (pytest.approx(-1), pytest.approx(-1), pytest.approx(6 / 8))
    found = agreement([ten, ten], [ten, [ten[1], ten[0], *ten[2:]]])
    assert found.tau == pytest.approx((1 + 43 / 45) / 2)
    assert found.least_tau == pytest.approx(43 / 45)
    assert agreement([ten], [[number + 5 for number in ten]]).noise == pytest.approx(0)


def test_anytime(script: Load, subject: object, capsys: pytest.CaptureFixture[str]) -> None:
    anytime = script("anytime")
    precision, (much, none) = asyncio.run(anytime.measure(subject, "fp32", 3, (30.0, 0.0)))
    assert precision == "fp32"
    assert [call.scored for call in much.calls] == [20, 20, 20]
    assert much.batches
    assert all(call.seconds < 30 for call in much.calls)
    assert [(call.scored, call.same_order) for call in none.calls] == [(0, True)] * 3
    anytime.show(much)
    assert "passages scored:         20.0 of 20" in capsys.readouterr().out
    assert json.dumps(anytime.report_of(none))


def test_concurrency(script: Load, subject: object, capsys: pytest.CaptureFixture[str]) -> None:
    concurrency = script("concurrency")
    given = argparse.Namespace(requests=3, rounds=2, deadline=30.0)
    found = asyncio.run(concurrency.measure(subject, "fp32", given))
    assert len(found.together) == len(found.in_turn) == 2
    assert [answer.overrun for answer in found.answers] == [0.0] * 6
    (talk,) = found.cross_talk
    assert talk.pairs == 120
    assert talk.difference < talk.spread / 10
    concurrency.show(found, given)
    assert "within 0.0001" in capsys.readouterr().out
    assert concurrency.CrossTalk("bf16", 1, 0.1, 0.1).verdict == "BEYOND 0.001"
