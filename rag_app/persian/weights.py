"""How much a word tells, whatever the texts: Persian by hazm's counts and stop words, English by stop words."""

from __future__ import annotations

from functools import cache

from rag_app.persian.folding import fold
from rag_app.persian.frequencies import RAREST_IDF, counted_idf, hazm_data
from rag_app.persian.inflection import light_verbs, verb_forms

STOP_WORD_IDF = 1.0
SMALL_WORD_IDF = 2.0
_AFFIXES = frozenset(("می", "نمی", "ها", "های", "هایی", "تر", "ترین", "ام", "ات", "اش", "ای"))
# Stop words by hazm's counts of news, but they tell one term, one size, one king from the next. «یک» is an article too.
_NUMERALS = frozenset(fold("دو سه چهار پنج شش سی اول دوم سوم چهارم نخست اولین نخستین آخرین").split())
# What questions are made of whatever they ask for, as people write it.
_SMALL_WORDS = frozenset(
    fold(
        "چی چیه چیست چیا کی کیه کیا کجا کجاست کجاس کجان کدوم کدومه چقدر چقد چقدره چقده چند چنده چندتا چطور چطوری "
        "چطوره چطوریه چجوری چجوریه چگونه چگونست چرا یه یکی یکم دیگه اگه اینا اونا اونجا اینجا همون همین همونه هم "
        "خیلی فقط الان حتما باید من ما شما تو خودم خودت خودش خودتون خودمون برام برات براش براتون براشون برامون "
        "بهم بهت بهش بهتون بهمون ازم ازش ازتون باهام باهاش باهاتون واسه واسم واستون هست هستش هستین هستید نیست "
        "نیستش آره نه چون بازم هنوز کسی چیزی جوری لطفا سوال want need know tell like get got someone anybody "
        "anyone something does did"
    ).split()
)


@cache
def _stop_words() -> frozenset[str]:
    from bm25s.stopwords import STOPWORDS_EN_PLUS

    words = _AFFIXES.union(hazm_data("stopwords.dat"), STOPWORDS_EN_PLUS)
    pairs = [line.split(" ") for line in hazm_data("iwords.dat")]
    return words.union(pair[0] for pair in pairs if pair[-1] in words) - _NUMERALS


def idf(word: str) -> float:
    """Return how much a folded word tells: `STOP_WORD_IDF` for a stop word to `RAREST_IDF` for an unknown one.

    Between them it is the negative natural logarithm of the word's share of the corpus that hazm counted, which holds
    few verbs; `SMALL_WORD_IDF` for a word that questions are made of and for a form of a verb that tells little.
    """
    if word in _stop_words():
        return STOP_WORD_IDF
    if word in _SMALL_WORDS or verb_forms().get(word) in light_verbs():
        return SMALL_WORD_IDF
    return counted_idf(word)


def is_known(word: str) -> bool:
    """Tell whether a folded word is a stop word, a verb or one that hazm counted, and so no slip."""
    return idf(word) < RAREST_IDF or word in verb_forms()
