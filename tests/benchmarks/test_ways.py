"""Ways of writing Persian."""

import random
from types import ModuleType

import pytest

from tests.benchmarks.conftest import Load

FOLDERS = ("persian",)
WAYS = ("arabic-letters", "half-space", "typo", "colloquial", "finglish")
STRENGTHS = ("light", "medium", "strong")
QUESTIONS = (
    "کتاب‌های درسی کلاس یازدهم را چگونه می‌توان سفارش داد؟",
    "هزینهٔ ارسال برای شهرستان‌ها چقدر است و چند روز طول می‌کشد؟",
    "آیا برای ثبت‌نام در کلاس‌های خصوصی تخفیف می‌دهند؟",
)


@pytest.fixture
def ways(script: Load) -> ModuleType:
    return script("ways")


def written(ways: ModuleType, way: str, strength: str, seed: int = 0) -> list[str]:
    return [ways.WAYS[way](question, random.Random(seed), strength) for question in QUESTIONS]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("strength", STRENGTHS)
def test_each_strength_changes_something_and_the_same_seed_gives_the_same(
    ways: ModuleType, way: str, strength: str
) -> None:
    changed = written(ways, way, strength)
    assert changed != list(QUESTIONS)
    assert changed == written(ways, way, strength)


def test_clean_changes_nothing(ways: ModuleType) -> None:
    assert written(ways, "clean", "strong") == list(QUESTIONS)


@pytest.mark.parametrize(("strength", "slips"), [("light", 1), ("medium", 2), ("strong", 4)])
def test_typos_are_in_as_many_words(ways: ModuleType, strength: str, slips: int) -> None:
    for seed in range(20):
        for question, typed in zip(QUESTIONS, written(ways, "typo", strength, seed), strict=True):
            pairs = zip(question.split(" "), typed.split(" "), strict=True)
            assert 1 <= sum(before != after for before, after in pairs) <= slips


@pytest.mark.parametrize("strength", ["medium", "strong"])
def test_an_arabic_keyboard_has_no_persian_ye_and_ke(ways: ModuleType, strength: str) -> None:
    typed = "".join(written(ways, "arabic-letters", strength))
    assert not set("یک") & set(typed)
    assert set("يك") <= set(typed)


def test_finglish_holds_no_persian_letters(ways: ModuleType) -> None:
    assert all(text.isascii() for text in written(ways, "finglish", "medium"))


def test_half_spaces_are_gone_and_nothing_else(ways: ModuleType) -> None:
    bare = [question.replace("\u200c", "").replace(" ", "") for question in QUESTIONS]
    typed = written(ways, "half-space", "medium")
    assert not any("\u200c" in text for text in typed)
    assert [text.replace(" ", "") for text in typed] == bare


def test_colloquial_writes_as_one_speaks(ways: ModuleType) -> None:
    assert written(ways, "colloquial", "strong")[0].endswith("کتابای درسی کلاس یازدهمو چطوری میشه سفارش داد؟")
