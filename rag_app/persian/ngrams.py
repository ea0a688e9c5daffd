"""Character n-grams: what two spellings of one word still share."""

from __future__ import annotations


def ngrams(word: str, smallest: int, largest: int) -> frozenset[str]:
    """Return the n-grams of `smallest` to `largest` characters of the word between boundary marks.

    >>> sorted(ngrams("کی", 2, 3))
    ['<ک', '<کی', 'کی', 'کی>', 'ی>']
    """
    marked = f"<{word}>"
    return frozenset(
        marked[start : start + size] for size in range(smallest, largest + 1) for start in range(len(marked) - size + 1)
    )
