"""Which language a customer writes, and the small words that tell."""

from __future__ import annotations

import re

from rag_app.persian.analyzer import PersianAnalyzer

_PERSIAN_LETTER = re.compile(r"[\u0620-\u065f\u066e-\u06d3\u06d5-\u06ef\u06fa-\u06ff]")
_LATIN_LETTER = re.compile(r"[A-Za-z]")
_MIXED_SHARE = 0.2  # of either script
QUESTION_MARKS = re.compile(r"[؟?][؟?!\s]*")  # «؟؟؟» asks once


def _words(text: str) -> frozenset[str]:
    return frozenset(PersianAnalyzer().words(text))


QUESTION_WORDS = _words(
    "چه چی چیست چیه چرا چطور چطوری چگونه چند چقدر چقد کجا کجاست کی کدام کدوم آیا what when where which who why how"
)
CONNECTIVES = _words("و ولی اما یا همچنین بعدش بعد اگر اگه and but or also then if")
_ENGLISH = _words(
    "a an and are at can do does for from have how i in is it many me much my of on or please the there to what when "
    "where which who why will with you your"
)
_FINGLISH = _words(
    "aya baraye bara chand chande chi chie chera cheghad cheghadr cheghadre chetor chetore chetori chejori dare "
    "darid darin ham hast hastin hazine kar kay kei kojast koja ke mikham mixam mishe nist salam sharayet shoma mirese "
    "dastam ro va ya baz bekharam gheymat gheymate mamnoon merci khob kodom"
)


def detect_language(text: str) -> str:
    """Return "fa", "en", "finglish" (Persian in Latin letters), "mixed" (of two scripts) or "unknown" (no letters)."""
    persian, latin = len(_PERSIAN_LETTER.findall(text)), len(_LATIN_LETTER.findall(text))
    if not persian and not latin:
        return "unknown"
    share = latin / (persian + latin)
    if _MIXED_SHARE < share < 1 - _MIXED_SHARE:
        return "mixed"
    if share <= _MIXED_SHARE:
        return "fa"
    words = PersianAnalyzer().words(text)
    english, finglish = (sum(word in known for word in words) for known in (_ENGLISH, _FINGLISH))
    return "finglish" if finglish > english else "en"
