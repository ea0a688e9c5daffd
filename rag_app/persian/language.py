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
    "چه چی چیا چیست چیه چرا چطور چطوری چطوریه چجوری چجوریه چگونه چند چنده چندتا چقدر چقدره چقد کجا کجاست کجان کی کدام "
    "کدوم کدومه آیا what when where which who why how chi chie chera chetor chetori chejuri chand chande cheghadr "
    "cheghadre koja kojast kodom"
)
CONNECTIVES = _words("و ولی اما یا همچنین بعدش بعد اگر اگه and but or also then if va vali ya agar age")

# Persian in Latin letters is spelt as each writer likes: one spelling for each sound, before words are compared.
_SOUNDS = tuple(
    (re.compile(pattern), letter)
    for pattern, letter in (
        ("aa", "a"),
        ("oo|ou|o", "u"),
        ("ee", "i"),
        ("[ae][iy]", "ei"),
        ("iy", "i"),
        ("q", "gh"),
        ("x", "kh"),
        (r"(.)\1+", r"\1"),
        ("(?<=[ae])h$", ""),
    )
)


def plain_latin(word: str) -> str:
    """Return a word of Persian in Latin letters in the one spelling that stands for all of its sound."""
    for pattern, letter in _SOUNDS:
        word = pattern.sub(letter, word)
    return word


def _plain_words(text: str) -> tuple[str, ...]:
    return tuple(plain_latin(word) for word in text.split())


_ENGLISH = _words(
    "about address after am an and any are at before but by can could did do does don for from get had has have he "
    "hello hi how i if is it many may me middle mind mine minute missed mistake mixed much must my need no not of on "
    "one or our please she should some than thank thanks that the their them there these they this to us want was we "
    "were what when where which who whose why will with without would yes you your"
)
_PERSIAN_WORDS = _plain_words(
    "agar alan ast aya az ba bale bara baraye bashe baz bazi bazid bazin bebakhshid dige emruz faghat farda hafte har "
    "hast hich ke kei khob khub mahe mahi mamnun merci mersi nafar nist nistam nistin ra rafte ro ruz salam sare sath "
    "slm shoma taa va vaght vali vase yadam ya yani yek"
)
_PERSIAN_STEMS = _plain_words(
    "adres azmun barguzar bedun barnam chand danesh darsad emtehan enseraf ersal estefade estekhdam etela furush "
    "garanti gheimat ghest hamkar hanuz hazin hedie hedye jalas kelas ketab kharid khusus kodum koja kumak lutfan "
    "mablagh madarek madrak marju modares modir mojud mushtari muhajer nazdik pardakht pushtiban rahnama raygan ramz "
    "resid sabtenam sabtnam sefaresh shahri sharayet shobe shomar shuru tahvil takhfif tamas tarikh tatil telefun "
    "tuman ustad zaban zarfiat"
)
_ENDING = "(?:am|i|e|im|in|id|an|and|ad)"
_PERSIAN_VERB = re.compile(
    rf"(?:n[ea])?mi[a-z]{{1,9}}{_ENDING}|(?:na)?dar{_ENDING}|(?:b[ei]|n[ea]|mi|nemi)?kun{_ENDING}|hast{_ENDING}"
    rf"|(?:be|na|mi|nemi)?shu(?:d|av){_ENDING}?|(?:be|na)she|(?:na)?kard{_ENDING}?|(?:na)?bud{_ENDING}|nabud"
    r"|(?:be|mi|na)?fe?rest[a-z]+|b[ei][a-z]{2,8}(?:am|id|im|and)"
    r"|ch(?:e|i|ie|ia|ist|era|eghad[a-z]*|etur[a-z]*|ejur[a-z]*|egune[a-z]*)|[a-z]*shanbe[a-z]*"
)
# Of these a question needs two: English words and names have them too.
_PERSIAN_SOUND = re.compile(r"kh|(?<![iu])gh(?!t)|gh[eia]$|q(?!u)|zh|aa|eh$")
_PERSIAN_ENDING = re.compile(
    r"[a-z]{2,}(?:ha(?:ye|i|sh)?|[aeiu]ye|ie|[ae](?:tun|mun|shun|mu|tu))|key|dar|ta|na|ham|pas|nam"
)


def detect_language(text: str) -> str:
    """Return "fa", "en", "finglish" (Persian in Latin letters), "mixed" (of two scripts) or "unknown" (no letters).

    Latin text is Finglish if its small words, verbs and sounds speak for Persian, and more so than small English words
    speak for English; nouns of either language tell nothing.
    """
    if not _LATIN_LETTER.search(text):
        return "fa" if _PERSIAN_LETTER.search(text) else "unknown"
    persian, latin = len(_PERSIAN_LETTER.findall(text)), len(_LATIN_LETTER.findall(text))
    share = latin / (persian + latin)
    if _MIXED_SHARE < share < 1 - _MIXED_SHARE:
        return "mixed"
    if share <= _MIXED_SHARE:
        return "fa"
    words = PersianAnalyzer().words(text)
    english = 2 * sum(word in _ENGLISH for word in words)
    finglish = sum(_persian_evidence(word) for word in words)
    return "finglish" if finglish >= 2 and finglish > english else "en"


def _persian_evidence(word: str) -> int:
    """Return 2 for a Latin word that only Persian has, 1 for one that Persian more often has, else 0."""
    if word in _ENGLISH:
        return 0
    plain = plain_latin(word)
    if plain in _PERSIAN_WORDS or plain.startswith(_PERSIAN_STEMS) or _PERSIAN_VERB.fullmatch(plain):
        return 2
    return bool(_PERSIAN_SOUND.search(word)) + bool(_PERSIAN_ENDING.fullmatch(plain))
