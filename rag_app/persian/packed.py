"""Many words in little memory: their UTF-16 units in one array, and where each word begins in another."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from rag_app.persian.remembered import remembered

SPACE = 32  # the unit that follows each word
_END_OF_TEXT = "\0"  # PostgreSQL stores no text that holds it, so that no token does
_FACTOR = 0x9E3779B97F4A7C15  # odd, and near to 2**64 over the golden ratio, as in Knuth's multiplicative hashing
_MASK = (1 << 64) - 1


class PackedWords:
    """A list of words without spaces.

    Args:
        units: the UTF-16 units of the words, and one more after each word.
        bounds: where each word begins, and at last the end.
    """

    def __init__(self, units: NDArray[np.uint16], bounds: NDArray[np.int32]) -> None:
        self.units = units
        self.bounds = bounds

    @classmethod
    def of(cls, words: Iterable[str]) -> PackedWords:
        """Return the words packed."""
        return _split(" ".join((*words, "")))

    @classmethod
    def joined(cls, parts: Sequence[PackedWords]) -> PackedWords:
        """Return the words of all parts."""
        lengths = [np.diff(part.bounds) for part in parts]
        return cls(np.concatenate([part.units for part in parts]), _bounds(np.concatenate(lengths)))

    def __len__(self) -> int:
        return len(self.bounds) - 1

    def __getitem__(self, place: int) -> str:
        units = self.units[self.bounds[place] : self.bounds[place + 1] - 1]
        return units.tobytes().decode("utf-16-le", "surrogatepass")

    def unpacked(self) -> list[str]:
        """Return the words; each is followed by a space in `units`."""
        return self.units.tobytes().decode("utf-16-le", "surrogatepass").split(" ")[:-1]

    @property
    def lengths(self) -> NDArray[np.int32]:
        """The UTF-16 units of each word."""
        return np.diff(self.bounds) - 1

    @property
    def nbytes(self) -> int:
        """The memory of the arrays, in bytes."""
        return self.units.nbytes + self.bounds.nbytes

    def take(self, places: NDArray[np.intp]) -> PackedWords:
        """Return the words at these places, each followed by a space."""
        starts = self.bounds[places]
        lengths = self.bounds[places + 1] - starts
        bounds = _bounds(lengths)
        units = self.units[np.repeat(starts - bounds[:-1], lengths) + np.arange(bounds[-1])]
        units[bounds[1:] - 1] = SPACE
        return PackedWords(units, bounds)

    def positions(self) -> NDArray[np.int32]:
        """Return for each unit its place within its word."""
        return np.arange(len(self.units), dtype=np.int32) - np.repeat(self.bounds[:-1], np.diff(self.bounds))

    def hashes(self) -> NDArray[np.uint64]:
        """Return the `hash_of` each word."""
        if not len(self):
            return np.zeros(0, np.uint64)
        positions = self.positions()
        powers = np.full(int(positions.max()) + 1, _FACTOR, np.uint64)
        powers[0] = 1
        products = np.cumprod(powers)[positions]  # modulo 2**64, as is all that follows
        products *= self.units
        products[self.bounds[1:] - 1] = 0
        return np.add.reduceat(products, self.bounds[:-1])


@remembered
def hash_of(word: str) -> int:
    """Return a number of 64 bits that no two words of a language share, 0 for no word; the same in every process.

    It is the polynomial of the word's UTF-16 units, as in the fingerprints of Rabin and Karp (1987).
    """
    value = 0
    for unit in reversed(memoryview(word.encode("utf-16-le", "surrogatepass")).cast("H")):
        value = (value * _FACTOR + unit) & _MASK
    return value


def tokens_of(texts: Sequence[str]) -> tuple[PackedWords, NDArray[np.int32]]:
    """Return the tokens of texts that separate them by spaces, and the place of the text that each is in.

    A text without tokens has an empty one.
    """
    tokens = _split(_END_OF_TEXT.join((*texts, "")))
    ends = np.flatnonzero(tokens.units == 0)
    return tokens, np.searchsorted(ends, tokens.bounds[:-1]).astype(np.int32)


def _split(text: str) -> PackedWords:
    units = np.frombuffer(text.encode("utf-16-le", "surrogatepass"), np.uint16)
    (ends,) = np.nonzero((units == SPACE) | (units == 0))
    bounds = np.zeros(len(ends) + 1, np.int32)
    np.add(ends, 1, out=bounds[1:], casting="unsafe")
    return PackedWords(units, bounds)


def _bounds(lengths: NDArray[np.int32]) -> NDArray[np.int32]:
    bounds = np.zeros(len(lengths) + 1, np.int32)
    np.cumsum(lengths, out=bounds[1:])
    return bounds
