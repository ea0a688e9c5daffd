"""Vectors of 16-bit floats in PostgreSQL's binary format, which is a tenth of their text and needs no parsing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import psycopg
from numpy.typing import NDArray
from psycopg.adapt import Dumper
from psycopg.pq import Format


class Halfvec(bytes):
    """A value of type halfvec: two 16-bit integers, the length and 0, and 16-bit floats."""


class _HalfvecDumper(Dumper):
    """Sends a value as it is; its type is what the query casts it to."""

    format = Format.BINARY

    def dump(self, obj: bytes) -> bytes:
        return obj


psycopg.adapters.register_dumper(Halfvec, _HalfvecDumper)


def as_halfvec(values: Sequence[float]) -> Halfvec:
    """Return a vector as a value for a query's parameter, or for a column that is copied as bytes."""
    return Halfvec(len(values).to_bytes(2, "big") + b"\0\0" + np.asarray(values, dtype=">f2").tobytes())


def from_halfvecs(values: Sequence[bytes]) -> NDArray[np.float32]:
    """Return the vectors of such values, which have one length, as the rows of a matrix."""
    rows = np.frombuffer(b"".join(values), dtype=">f2").reshape(len(values), -1 if values else 2)
    return rows[:, 2:].astype(np.float32)  # the head of each is as long as two numbers
