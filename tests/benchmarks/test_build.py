"""BEIR folders from a SQuAD file, and what is measured on them."""

import json
from pathlib import Path
from typing import Any

import pytest

from rag_app import RagApp
from rag_app.errors import ReadError
from rag_app.evaluation import evaluate, read_beir
from tests.benchmarks.conftest import Load

FOLDERS = ("persian",)


def answered(question: str, **more: Any) -> dict[str, Any]:
    return {"id": "x", "question": question, "answers": [{"text": "a", "answer_start": 0}], **more}


SQUAD = {
    "version": "2",
    "data": [
        {
            "title": "تهران",
            "paragraphs": [
                {
                    "context": "تهران پایتخت ایران است.",
                    "qas": [
                        answered("پایتخت ایران کجاست؟", is_impossible=False),
                        {"id": "2", "question": "پایتخت مریخ کجاست؟", "answers": [], "is_impossible": True},
                    ],
                },
                {"context": "کتاب‌ها را می‌خوانند.", "qas": [answered("چه چیزی را می‌خوانند؟")]},
            ],
        },
        {"paragraphs": [{"context": "تهران پایتخت ایران است.", "qas": [answered("تهران چیست؟")]}]},
    ],
}


@pytest.fixture
def squad(tmp_path: Path) -> Path:
    file = tmp_path / "squad.json"
    file.write_text(json.dumps(SQUAD), "utf-8")
    return file


def test_each_way_of_writing_is_a_beir_folder(script: Load, squad: Path, tmp_path: Path) -> None:
    build = script("build")
    build.build(squad, tmp_path / "out")
    for way in build.WAYS:
        dataset = read_beir(tmp_path / "out" / way)
        assert [(record["title"], record["text"]) for record in dataset.corpus.values()] == [
            ("", "تهران پایتخت ایران است."),
            ("", "کتاب‌ها را می‌خوانند."),
        ]
        assert dataset.qrels == {"q1": {"d1": 1}, "q2": {"d2": 1}, "q3": {"d1": 1}}
        assert set(dataset.ways.values()) == {way}
    clean = read_beir(tmp_path / "out" / "clean").queries
    assert clean["q1"] == "پایتخت ایران کجاست؟"
    assert clean.keys() == {"q1", "q2", "q3"}


def test_answers_come_along_and_documents_are_dealt_out_to_sources(script: Load, squad: Path, tmp_path: Path) -> None:
    build = script("build").build
    build(squad, tmp_path / "one")
    dataset = read_beir(tmp_path / "one" / "finglish")
    assert dataset.answers == dict.fromkeys(("q1", "q2", "q3"), ("a",))
    assert {record["source"] for record in dataset.corpus.values()} == {None}
    build(squad, tmp_path / "two", sources=["manual", "web"])
    dealt = read_beir(tmp_path / "two" / "typo").corpus
    assert {doc_id: record["source"] for doc_id, record in dealt.items()} == {"d1": "manual", "d2": "web"}


def test_an_answer_counts_once_and_a_blank_one_not(script: Load, tmp_path: Path) -> None:
    answers = [{"text": text} for text in (" a", "b", "a ", " ")]
    asked = {"context": "a b", "qas": [{"question": "?", "answers": answers}]}
    (tmp_path / "squad.json").write_text(json.dumps({"data": [{"paragraphs": [asked]}]}), "utf-8")
    (question,) = script("squad").read_squad(tmp_path / "squad.json")[1]
    assert question.answers == ("a", "b")


def test_a_question_is_written_the_same_whatever_the_limit(script: Load, squad: Path, tmp_path: Path) -> None:
    build = script("build").build
    queries = []
    for name, options in [("a", {}), ("b", {}), ("c", {"limit": 2}), ("d", {"seed": 1}), ("e", {"strength": "strong"})]:
        build(squad, tmp_path / name, **options)
        queries.append(read_beir(tmp_path / name / "finglish").queries)
    assert queries[0] == queries[1]
    assert len(queries[2]) == 2
    assert queries[2].items() <= queries[0].items()
    assert queries[0] != queries[3]
    assert queries[0] != queries[4]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is not SQuAD"),
        ("[]", "is not SQuAD"),
        ('{"data": [{"paragraphs": [{"context": "a"}]}]}', r"is not SQuAD.*KeyError: 'qas'"),
        ('{"data": []}', "has no question with an answer"),
    ],
)
def test_another_file_is_refused(script: Load, tmp_path: Path, content: str, message: str) -> None:
    build = script("build")
    (tmp_path / "bad.json").write_text(content, "utf-8")
    with pytest.raises(build.NotSquadError, match=message):
        build.build(tmp_path / "bad.json", tmp_path / "out")
    with pytest.raises(build.NotSquadError, match="can not be read"):
        build.build(tmp_path / "none.json", tmp_path / "out")


def test_the_table_finds_the_folders_and_clean_comes_first(script: Load, squad: Path, tmp_path: Path) -> None:
    script("build").build(squad, tmp_path / "out")
    beir_folders = script("table").beir_folders
    found = beir_folders([tmp_path / "out"])
    assert list(found)[:2] == ["out/clean", "out/arabic-letters"]
    assert beir_folders([tmp_path / "out" / "typo"]) == {"out/typo": tmp_path / "out" / "typo"}
    with pytest.raises(ReadError, match="neither is a BEIR folder nor holds any"):
        beir_folders([tmp_path / "out" / "typo" / "qrels"])


def test_the_table_tells_whether_the_answer_is_in_the_context(
    script: Load, squad: Path, tmp_path: Path, app: RagApp
) -> None:
    script("build").build(squad, tmp_path / "out")
    table = script("table")
    report = evaluate(app, read_beir(tmp_path / "out" / "clean"), table.MEASURES)
    (row,) = table.rows_of("clean", report, stages=False)
    assert row[len(table.MEASURES)] == "0.000"  # no chunk holds "a"
    assert row[-1] == "clean rerank"
    assert [each[-1].split()[-1] for each in table.rows_of("clean", report, stages=True)] == list(report.by_stage)
    assert table.mean_row([report, report])[: len(row) - 5] == row[:-5]


def test_every_element_can_be_switched_off_and_comes_back(script: Load) -> None:
    ablation = script("ablation")
    for element in ablation.ELEMENTS.values():
        before = [getattr(target, name) for target, name, _ in element.patches]
        with element.off():
            assert [getattr(target, name) for target, name, _ in element.patches] != before or not before
            assert ablation.Vocabulary.of_texts([["کتاب"]]).read("كتاب‌ها ثبت نام ketab میشه").words
        assert [getattr(target, name) for target, name, _ in element.patches] == before


def test_switches_change_what_they_name(script: Load) -> None:
    ablation = script("ablation")
    analyzer = ablation.PersianAnalyzer()
    assert analyzer.tokens("كتاب‌ها ۵") == ["کتابها", "کتاب", "ها", "5"]
    with ablation.ELEMENTS["folding of letters and digits"].off():
        assert analyzer.tokens("كتاب‌ها ۵") == ["كتابها", "كتاب", "ها", "۵"]
    with ablation.ELEMENTS["half-space"].off():
        assert analyzer.tokens("كتاب‌ها ۵") == ["کتاب", "ها", "5"]
    for element, question, held in [
        ("inflection and spoken forms", "میشه", "شدند"),
        ("Finglish", "ketab", "کتاب"),
        ("n-grams of the vocabulary", "کتاپ", "کتاب"),
    ]:
        texts = [["شدند"], ["کتاب"], ["باران"]]
        assert held in ablation.Vocabulary.of_texts(texts).read(question).words[0].matches
        with ablation.ELEMENTS[element].off():
            assert held not in ablation.Vocabulary.of_texts(texts).read(question).words[0].matches
