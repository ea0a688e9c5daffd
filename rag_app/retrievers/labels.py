"""Names of many things, in arrays that are searched at once."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray


class Labels:
    """What each of many things is called; few names for many things, or as many."""

    def __init__(self, names: Sequence[str]) -> None:
        hashes = np.fromiter(map(hash, names), np.int64, len(names))
        self._hashes, codes = np.unique(hashes, return_inverse=True)
        self._codes = codes.astype(np.min_scalar_type(len(self._hashes)))
        self.nbytes = self._hashes.nbytes + self._codes.nbytes

    def among(self, names: Collection[str]) -> NDArray[np.bool_]:
        """Tell which things have one of these names."""
        named = np.isin(self._hashes, np.fromiter(map(hash, names), np.int64, len(names)))
        among: NDArray[np.bool_] = named[self._codes]
        return among
