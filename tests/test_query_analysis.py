import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rag_app import RagApp
from rag_app.cli.render import render_explanation
from rag_app.errors import ConfigurationError
from rag_app.query_analysis import QueryAnalyzer, QueryRouter, Route, read_intents

ANALYZER = QueryAnalyzer()


@pytest.mark.parametrize(
    ("query", "language"),
    [
        ("شهریه چقدر است؟", "fa"),
        ("How much is the course?", "en"),
        ("shahrie chande?", "finglish"),
        ("کلاس speaking دارید؟", "mixed"),
        ("؟؟؟ ۱۲", "unknown"),
    ],
)
def test_the_language_is_found(query: str, language: str) -> None:
    assert ANALYZER.analyze(query).language == language


@pytest.mark.parametrize(
    ("query", "complexity", "reason"),
    [
        ("شهریه چقدر است؟", "simple", "3 words"),
        ("", "simple", "0 words"),
        ("قیمت؟؟؟", "simple", "1 words"),
        ("قیمت؟! ؟", "simple", "1 words"),
        ("ثبت‌نام و پرداخت و ارسال", "moderate", "5 words, 2 connectives"),
        ("می‌خواهم برای پسرم که ده سال دارد ثبت‌نام کنم", "moderate", "9 words, 0 connectives"),
        ("شهریه چقدر است؟ کلاس از ساعت ۹ است؟", "complex", "2 questions"),
        ("شهریه چقدر است و کلاس کجا برگزار می‌شود", "complex", "2 questions"),
        ("شهریش چنده شعبه کرج کجاست", "complex", "2 questions"),
        ("hazine chande va chetor sabtenam konam", "complex", "2 questions"),
        ("When does it start? Is it online?", "complex", "2 questions"),
        ("کلاس " * 21, "complex", "21 words"),
    ],
)
def test_the_complexity_comes_with_its_reason(query: str, complexity: str, reason: str) -> None:
    analysis = ANALYZER.analyze(query)
    assert (analysis.complexity, analysis.complexity_reason) == (complexity, reason)


@pytest.mark.parametrize(
    ("query", "intent", "reason", "first_source"),
    [
        ("شهريه كلاس‌ها", "price", "شهریه", "products"),
        ("شهریه‌ش چنده", "price", "شهریه, چنده", "products"),
        ("قیمتش", "price", "قیمت (قیمتش)", "products"),
        ("قیمت‌هاتون چطوره", "price", "قیمت", "products"),
        ("قیمتاتون چطوره", "price", "قیمت (قیمتاتون)", "products"),
        ("هزینه‌ها", "price", "هزینه", "products"),
        ("How much is the IELTS course?", "price", "how much", "products"),
        ("prices?", "price", "price (prices)", "products"),
        ("بسته‌ام کی می‌رسه؟ ارسال با پست است؟", "shipping", "ارسال, پست, می‌رسه, بسته", "faq"),
        ("I want a refund", "refund", "refund", "manual"),
        ("پول را پس بدم چه می‌شود", "refund", "پس بدم", "manual"),
        ("ساعت کاری شعبه", "schedule", "ساعت, ساعت کاری", "website"),
        ("برای ثبت نام چه کنم", "registration", "ثبت‌نام", "manual"),
        ("برای ثبت‌نام چه کنم", "registration", "ثبت‌نام", "manual"),
        ("برای ثبتنام چه کنم", "registration", "ثبت‌نام", "manual"),
        ("آدرس شما", "contact", "آدرس", "website"),
        ("آدرستون کجاست", "contact", "آدرس (ادرستون), کجاست", "website"),
        ("hazine chande", "price", "hazine, chande", "products"),
    ],
)
def test_the_intent_comes_with_the_phrases_that_say_so(query: str, intent: str, reason: str, first_source: str) -> None:
    analysis = ANALYZER.analyze(query)
    assert (analysis.intent, analysis.intent_reason) == (intent, reason)
    assert analysis.preferred_sources[0] == first_source


@pytest.mark.parametrize(
    "query", ["", "سلام خوبی", "hello there", "۱۲۳", "؟", "پارسال رفتم", "بستنی دارید", "پسته", "تاریک است"]
)
def test_a_question_that_matches_nothing_is_general(query: str) -> None:
    analysis = ANALYZER.analyze(query)
    assert (analysis.intent, analysis.intent_reason, analysis.preferred_sources) == ("general", "no phrase matches", ())


def test_own_intents_replace_the_shipped_ones() -> None:
    router = QueryRouter({"visa": {"phrases": ["ویزا", "وقت سفارت"], "sources": ["visas", "faq"]}})
    assert router.route("ويزا آلمان") == Route("visa", "ویزا", ("visas", "faq"))
    assert router.route("قیمت") == Route("general", "no phrase matches", ())
    assert QueryAnalyzer(router).analyze("ویزا چقدر است").intent == "visa"


def test_all_words_of_a_phrase_must_occur_in_any_order() -> None:
    router = QueryRouter({"visa": {"phrases": ["وقت سفارت"]}})
    assert router.route("از سفارت‌ها کی وقت بگیرم") == Route("visa", "وقت سفارت", ())
    assert router.route("وقت کلاس").intent == "general"


def test_short_words_take_no_endings_and_long_ones_only_short_endings() -> None:
    router = QueryRouter({"any": {"phrases": ["پست", "کتاب"]}})
    assert router.route("پستچی").intent == "general"
    assert router.route("کتابهاتون").intent == "any"
    assert router.route("کتابفروشیهایشان").intent == "general"


def test_the_intent_with_the_most_matching_words_wins_and_of_equals_the_first() -> None:
    router = QueryRouter({"first": {"phrases": ["کلاس", "دوره"]}, "second": {"phrases": ["کلاس خصوصی", "ترم"]}})
    assert router.route("کلاس خصوصی").intent == "second"
    assert router.route("کلاس گروهی").intent == "first"
    assert router.route("ترم و دوره").intent == "first"


def test_without_intents_every_question_is_general() -> None:
    assert QueryRouter({}).route("قیمت").intent == "general"


@pytest.mark.parametrize("word", ["شهریه‌ش", "سلام", "price"])
def test_the_analysis_of_a_long_question_takes_milliseconds(word: str) -> None:
    query = f"{word} " * 2000
    started = time.thread_time()
    ANALYZER.analyze(query)
    assert time.thread_time() - started < 1


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (
            {"phrases": ["ویزا"], "source": ["faq"]},
            r"unknown key 'source': did you mean 'sources'\? valid: phrases, sour",
        ),
        ({"phrase": ["ویزا"]}, r"unknown key 'phrase': did you mean 'phrases'\?"),
        ({"sources": ["faq"]}, "has no phrases"),
        ({"phrases": []}, "has no phrases"),
        ({"phrases": "ویزا"}, "phrases must be a list, not 'ویزا'"),
        ({"phrases": ["ویزا"], "sources": "faq"}, "sources must be a list, not 'faq'"),
        ({"phrases": ["ویزا"], "sources": None}, "sources must be a list, not None"),
        ({"phrases": ["ویزا", 24]}, "phrases must hold texts, in quotes if need be, not 24"),
        ({"phrases": ["ویزا", True]}, "phrases must hold texts, in quotes if need be, not True"),
        ({"phrases": ["؟"]}, "phrases must hold texts, in quotes if need be, not '؟'"),
        (["ویزا"], "must map phrases and sources to lists, not be"),
        (None, "must map phrases and sources to lists, not be None"),
    ],
)
def test_an_intent_that_can_not_be_used_is_named_with_what_is_wrong(entry: Any, message: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"my\.yaml: intent 'visa'.*{message}"):
        QueryRouter({"price": {"phrases": ["قیمت"]}, "visa": entry}, origin="my.yaml")


@pytest.mark.parametrize("content", [None, b"- price\n", b"", b"price: [\n", b"\xff\xfe\xff"])
def test_a_file_of_intents_that_can_not_be_read_is_named(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "my.yaml").write_bytes(content)
    with pytest.raises(ConfigurationError, match=r"the intents file .*my\.yaml"):
        read_intents(tmp_path / "my.yaml")


def test_intents_are_a_setting_and_their_findings_are_in_the_result_and_its_explanation(
    new_database: Callable[[], str], tmp_path: Path
) -> None:
    (tmp_path / "my.yaml").write_text("visa:\n  phrases: [ویزا]\n  sources: [visas]\n", "utf-8")
    options: dict[str, Any] = {
        "database": {"url": new_database()},
        "deadline_s": 30,
        "retrieval": {"leg_timeout_s": 20},
    }
    with RagApp.from_config(**options, query_analysis={"intents": tmp_path / "my.yaml"}) as app:
        app.ingest([{"id": "v", "text": "ویزای تحصیلی سه ماه طول می‌کشد.", "source": "manual"}], tenant="t")
        result = app.retrieve("ویزاش چقدر طول می‌کشه؟", tenant="t")
    assert [node.node.metadata["source"] for node in result.nodes] == ["manual"]  # the preference informs alone
    assert result.as_dict()["analysis"] == {
        "language": "fa",
        "complexity": "simple",
        "complexity_reason": "4 words",
        "intent": "visa",
        "intent_reason": "ویزا (ویزاش)",
        "preferred_sources": ("visas",),
    }
    shown = render_explanation(result).splitlines()[0]
    for finding in ("language fa", "simple (4 words)", "intent visa", "ویزا (ویزاش)", "usually answered from visas"):
        assert finding in shown


def test_a_mistake_in_the_intents_is_told_when_the_application_opens(
    new_database: Callable[[], str], tmp_path: Path
) -> None:
    (tmp_path / "my.yaml").write_text("visa:\n  phrase: [ویزا]\n", "utf-8")
    with pytest.raises(ConfigurationError, match=r"the intents file .*my\.yaml: intent 'visa': unknown key 'phrase'"):
        RagApp.from_config(database={"url": new_database()}, query_analysis={"intents": tmp_path / "my.yaml"})
