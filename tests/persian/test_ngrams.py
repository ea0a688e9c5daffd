from hypothesis import given, settings
from hypothesis import strategies as st

from rag_app.persian import ngrams


def test_the_ngrams_of_a_word_know_its_edges() -> None:
    assert ngrams("کی", 2, 3) == {"<ک", "کی", "ی>", "<کی", "کی>"}


def test_a_word_shorter_than_the_smallest_size_has_none() -> None:
    assert ngrams("و", 4, 5) == frozenset()
    assert ngrams("و", 3, 5) == {"<و>"}


def test_misspellings_share_more_than_other_words_do() -> None:
    right, misspelt, other = (ngrams(word, 2, 3) for word in ("گواهینامه", "گواهی‌نامه", "پارکینگ"))
    assert len(right & misspelt) > 8
    assert len(right & other) < 2


@given(st.text(max_size=12), st.integers(1, 4), st.integers(0, 3))
@settings(max_examples=100)
def test_they_are_all_substrings_of_the_sizes_asked_for(word: str, smallest: int, more: int) -> None:
    marked = f"<{word}>"
    pairs = [(i, j) for i in range(len(marked)) for j in range(i + 1, len(marked) + 1)]
    assert ngrams(word, smallest, smallest + more) == {
        marked[i:j] for i, j in pairs if smallest <= j - i <= smallest + more
    }
