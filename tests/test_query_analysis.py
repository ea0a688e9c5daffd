import pytest

from rag_app.query_analysis import QueryAnalyzer, QueryRouter

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
        ("When does it start? Is it online?", "complex", "2 questions"),
        ("کلاس " * 21, "complex", "21 words"),
    ],
)
def test_the_complexity_comes_with_its_reason(query: str, complexity: str, reason: str) -> None:
    analysis = ANALYZER.analyze(query)
    assert (analysis.complexity, analysis.complexity_reason) == (complexity, reason)


@pytest.mark.parametrize(
    ("query", "intent", "first_source"),
    [
        ("شهريه كلاس‌ها", "price", "products"),
        ("How much is the IELTS course?", "price", "products"),
        ("بسته‌ام کی می‌رسه؟ ارسال با پست است؟", "shipping", "faq"),
        ("I want a refund", "refund", "manual"),
        ("پول را پس بدم چه می‌شود", "refund", "manual"),
        ("ساعت کاری شعبه", "schedule", "website"),
        ("برای ثبت نام چه کنم", "registration", "manual"),
        ("آدرس شما", "contact", "website"),
        ("hazine chande", "price", "products"),
    ],
)
def test_the_intent_is_found_in_persian_and_english(query: str, intent: str, first_source: str) -> None:
    analysis = ANALYZER.analyze(query)
    assert analysis.intent == intent
    assert analysis.preferred_sources[0] == first_source


@pytest.mark.parametrize("query", ["", "سلام خوبی", "hello there", "۱۲۳", "؟"])
def test_a_question_that_matches_nothing_is_general(query: str) -> None:
    analysis = ANALYZER.analyze(query)
    assert (analysis.intent, analysis.preferred_sources) == ("general", ())


def test_own_intents_replace_the_shipped_ones() -> None:
    router = QueryRouter({"visa": {"phrases": ["ویزا", "وقت سفارت"], "sources": ["visas", "faq"]}})
    assert router.route("ويزاي آلمان") == ("general", ())
    assert router.route("ويزا") == ("visa", ("visas", "faq"))
    assert router.route("قیمت") == ("general", ())
    assert QueryAnalyzer(router).analyze("ویزا چقدر است").intent == "visa"


def test_all_words_of_a_phrase_must_occur_in_any_order() -> None:
    router = QueryRouter({"visa": {"phrases": ["وقت سفارت"], "sources": []}})
    assert router.route("از سفارت کی وقت بگیرم") == ("visa", ())
    assert router.route("وقت کلاس") == ("general", ())


def test_the_intent_with_the_most_matching_words_wins() -> None:
    router = QueryRouter(
        {"first": {"phrases": ["کلاس"], "sources": ["a"]}, "second": {"phrases": ["کلاس خصوصی"], "sources": ["b"]}}
    )
    assert router.route("کلاس خصوصی") == ("second", ("b",))
    assert router.route("کلاس گروهی") == ("first", ("a",))


def test_without_intents_every_question_is_general() -> None:
    assert QueryRouter({}).route("قیمت") == ("general", ())
