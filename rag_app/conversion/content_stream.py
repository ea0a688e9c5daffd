"""The instructions of a PDF's page or form, one after the other (ISO 32000-1, 7.2 and 7.8.2)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

_SPACE = b"\0\t\n\f\r "
_TOKEN = re.compile(
    rb"(?:"
    rb"(?P<numbers>[-+.0-9][-+.0-9" + _SPACE + rb"]*)"
    rb"|(?P<operator>[A-Za-z'\"][A-Za-z0-9*'\"]*)"
    rb"|<(?P<hexadecimal>[0-9A-Fa-f" + _SPACE + rb"]*)>"
    rb"|<<[^<>()]*(?:<[^<>()]*>[^<>()]*)*>>"
    rb"|\((?P<plain>[^()\\]*)\)"
    rb"|(?P<string>\()"
    rb"|/(?P<name>[^()<>\[\]{}/%" + _SPACE + rb"]*)"
    rb"|(?P<begin>\[)"
    rb"|(?P<end>\])"
    rb"|%[^\r\n]*"
    rb")[" + _SPACE + rb"]*"
)
_NUMBER = re.compile(rb"[-+]?(?:\d+\.?\d*|\.\d+)")
_BOUND = re.compile(rb"[()]|\\.?", re.DOTALL)
_ESCAPED = re.compile(rb"\\([0-7]{1,3}|\r\n|.|$)", re.DOTALL)
_ESCAPES = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f", b"\n": b"", b"\r": b"", b"\r\n": b""}
_ESCAPED_IN_NAME = re.compile(rb"#([0-9A-Fa-f]{2})")
_IMAGE_ENDS = re.compile(rb"EI(?=[" + _SPACE + rb"]|$)")


def instructions(content: bytes) -> Iterator[tuple[bytes, list[Any]]]:
    """Yield each operator with the operands before it: numbers, names as str, strings as bytes, and lists of these.

    What is no token is passed over, and so are dictionaries and the bytes of images within the stream.
    """
    operands: list[Any] = []
    array: list[Any] | None = None
    into = operands
    at: int | None = 0
    while at is not None:
        tokens, at = _TOKEN.finditer(content, at), None
        for token in tokens:
            kind = token.lastgroup
            if kind == "operator":
                operator = token["operator"]
                if operator == b"ID":
                    image_ends = _IMAGE_ENDS.search(content, token.end())
                    at = image_ends.end() if image_ends else len(content)
                else:
                    yield operator, operands
                operands, array = [], None
                into = operands
            elif kind == "numbers":
                into += _numbers(token["numbers"])
            elif kind == "hexadecimal":
                into.append(_of_hexadecimal(token["hexadecimal"]))
            elif kind == "plain":
                into.append(token["plain"])
            elif kind == "string":
                string, at = _string(content, token.start() + 1)
                into.append(string)
            elif kind == "name":
                into.append(_name(token["name"]))
            elif kind == "begin":
                into = array = []
            elif kind == "end" and array is not None:
                operands.append(array)
                into, array = operands, None
            if at is not None:
                break


def _numbers(run: bytes) -> list[float]:
    try:
        return [float(number) for number in run.split()]
    except ValueError:  # of 1-2, --3 and the like
        return [float(number) for number in _NUMBER.findall(run)]


def _of_hexadecimal(digits: bytes) -> bytes:
    plain = digits.translate(None, _SPACE)
    return bytes.fromhex((plain + b"0" * (len(plain) % 2)).decode("ascii"))


def _name(written: bytes) -> str:
    name = written
    if b"#" in written:
        name = _ESCAPED_IN_NAME.sub(lambda match: bytes.fromhex(match[1].decode("ascii")), written)
    try:
        return name.decode("utf-8")
    except UnicodeDecodeError:
        return str(name)  # as pdfminer.six writes the keys of dictionaries


def _string(content: bytes, start: int) -> tuple[bytes, int]:
    """Return the string that begins at `start`, after its bracket, and where it ends."""
    depth = 1
    for bound in _BOUND.finditer(content, start):
        depth += {b"(": 1, b")": -1}.get(bound[0], 0)
        if not depth:
            return _ESCAPED.sub(_unescaped, content[start : bound.start()]), bound.end()
    return _ESCAPED.sub(_unescaped, content[start:]), len(content)


def _unescaped(match: re.Match[bytes]) -> bytes:
    escaped = match[1]
    if escaped[:1].isdigit() and escaped not in (b"8", b"9"):
        return bytes((int(escaped, 8) & 255,))
    return _ESCAPES.get(escaped, escaped)
