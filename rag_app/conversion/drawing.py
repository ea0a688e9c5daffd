"""What a PDF's page draws to its glyphs, by the operators that place text (ISO 32000-1, 8.4 and 9.3 to 9.4)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from pdfminer.pdfpage import PDFPage
from pdfminer.pdftypes import PDFStream, dict_value, list_value, resolve1
from pdfminer.psparser import LIT

from rag_app.conversion.budget import Budget
from rag_app.conversion.content_stream import instructions
from rag_app.conversion.fonts import Font, Fonts
from rag_app.conversion.pages import Glyph

Matrix = tuple[float, float, float, float, float, float]

_IDENTITY: Matrix = (1.0, 0.0, 0.0, 1.0, 0.0, 0.0)


@dataclass(slots=True)
class _State:
    """What `q` keeps and `Q` brings back."""

    matrix: Matrix
    font: Font | None = None
    size: float = 0.0
    letter_space: float = 0.0
    word_space: float = 0.0
    scale: float = 1.0
    leading: float = 0.0


class Drawing:
    """What a page draws.

    Attributes:
        glyphs: whose letters are told, in the order in which they are drawn.
        unknown: how many others there are.
    """

    def __init__(self, page: PDFPage, fonts: Fonts, budget: Budget) -> None:
        self.glyphs: list[Glyph] = []
        self.unknown = 0
        self.fonts, self.budget = fonts, budget
        _Instructions(self, page.resources, _State(_upright(page)), ()).follow(page.contents)


class _Instructions:
    """Follows the instructions of a page, or of a form within it.

    Args:
        drawing: takes the glyphs.
        resources: what the fonts and forms are called.
        state: as it is before the first.
        within: the streams that this one is drawn by.
    """

    def __init__(self, drawing: Drawing, resources: object, state: _State, within: tuple[object, ...]) -> None:
        self._drawing = drawing
        self._resources = dict_value(resources)
        self._fonts: dict[str, Font] = {}
        self._state = state
        self._kept: list[_State] = []
        self._text = _IDENTITY
        self._x = self._y = 0.0  # how far the text of this line has come
        self._within = within

    def follow(self, streams: Iterable[object]) -> None:
        found = [stream for stream in map(resolve1, streams) if isinstance(stream, PDFStream)]
        new = [stream for stream in found if stream.objid not in self._within]
        for stream in new:
            self._drawing.budget.pay_for(stream)
        self._within += tuple(stream.objid for stream in new)
        for operator, operands in instructions(b"\n".join(stream.get_data() for stream in new)):
            if known := _OPERATORS.get(operator):
                kinds, take = known
                taken = operands[len(operands) - len(kinds) :]
                if tuple(map(type, taken)) == kinds:
                    take(self, *taken)

    def _keep(self) -> None:
        self._drawing.budget.pay_for_state()
        self._kept.append(replace(self._state))

    def _bring_back(self) -> None:
        if self._kept:
            self._state = self._kept.pop()

    def _transform(self, *matrix: float) -> None:
        self._state.matrix = _product(matrix, self._state.matrix)

    def _begin_text(self) -> None:
        self._place(*_IDENTITY)

    def _place(self, a: float, b: float, c: float, d: float, e: float, f: float) -> None:
        self._text = a, b, c, d, e, f
        self._x = self._y = 0.0

    def _move(self, right: float, up: float) -> None:
        self._place(*_product((1.0, 0.0, 0.0, 1.0, right, up), self._text))

    def _move_and_lead(self, right: float, up: float) -> None:
        self._state.leading = -up
        self._move(right, up)

    def _next_line(self) -> None:
        self._move(0.0, -self._state.leading)

    def _set_font(self, name: str, size: float) -> None:
        self._state.size = size
        if name not in self._fonts:
            self._fonts[name] = self._drawing.fonts.read(dict_value(self._resources.get("Font")).get(name))
        self._state.font = self._fonts[name]

    def _set_letter_space(self, space: float) -> None:
        self._state.letter_space = space

    def _set_word_space(self, space: float) -> None:
        self._state.word_space = space

    def _set_scale(self, percent: float) -> None:
        self._state.scale = percent / 100

    def _set_leading(self, leading: float) -> None:
        self._state.leading = leading

    def _show(self, string: bytes) -> None:
        self._show_parts([string])

    def _show_on_next_line(self, string: bytes) -> None:
        self._next_line()
        self._show_parts([string])

    def _show_spaced(self, word_space: float, letter_space: float, string: bytes) -> None:
        self._state.word_space, self._state.letter_space = word_space, letter_space
        self._show_on_next_line(string)

    def _show_parts(self, parts: Sequence[object]) -> None:
        state, drawing = self._state, self._drawing
        font, size, scale = state.font, state.size, state.scale
        if font is None:
            return
        word_space = state.word_space if font.has_word_space else 0.0
        a, b, c, d, e, f = _product(self._text, state.matrix)
        length = math.hypot(a, b)
        right, up = (a / length, b / length) if length else (0.0, 0.0)  # the direction of the line
        left, bottom = e * right + f * up, f * right - e * up
        slant, height = c * right + d * up, d * right - c * up
        x, y = self._x, self._y
        for part in parts:
            codes: list[int] = []
            if isinstance(part, bytes):
                codes += font.codes(part)
                drawing.budget.pay_for_glyphs(len(codes))
            elif isinstance(part, float):
                step = -part / 1000 * size
                x, y = (x, y + step) if font.is_vertical else (x + step * scale, y)
            for code in codes:
                text, advance = font.glyph(code)
                if text:
                    start = left + x * length + y * slant
                    end = start + advance * size * scale * length
                    ends = (start, end) if start <= end else (end, start)
                    drawing.glyphs.append(Glyph(text, *ends, bottom + y * height, size * abs(height)))
                elif text is None:
                    drawing.unknown += 1
                step = advance * size + state.letter_space + (word_space if code == _SPACE else 0.0)
                x, y = (x, y + step) if font.is_vertical else (x + step * scale, y)
        self._x, self._y = x, y

    def _draw(self, name: str) -> None:
        form = resolve1(dict_value(self._resources.get("XObject")).get(name))
        if isinstance(form, PDFStream) and form.get("Subtype") is _FORM:
            matrix = _matrix(form.get("Matrix"))
            state = replace(self._state, matrix=_product(matrix, self._state.matrix))
            resources = form.get("Resources") or self._resources  # old ones have those of the page
            _Instructions(self._drawing, resources, state, self._within).follow([form])


_FORM = LIT("Form")
_SPACE = 32
# Not Ts, for what is raised or lowered belongs to its line, nor Tr, for the letters of a scan may be drawn unseen.
_OPERATORS: dict[bytes, tuple[tuple[type, ...], Callable[..., None]]] = {
    b"q": ((), _Instructions._keep),
    b"Q": ((), _Instructions._bring_back),
    b"cm": ((float,) * 6, _Instructions._transform),
    b"BT": ((), _Instructions._begin_text),
    b"Tm": ((float,) * 6, _Instructions._place),
    b"Td": ((float, float), _Instructions._move),
    b"TD": ((float, float), _Instructions._move_and_lead),
    b"T*": ((), _Instructions._next_line),
    b"Tf": ((str, float), _Instructions._set_font),
    b"Tc": ((float,), _Instructions._set_letter_space),
    b"Tw": ((float,), _Instructions._set_word_space),
    b"Tz": ((float,), _Instructions._set_scale),
    b"TL": ((float,), _Instructions._set_leading),
    b"Tj": ((bytes,), _Instructions._show),
    b"TJ": ((list,), _Instructions._show_parts),
    b"'": ((bytes,), _Instructions._show_on_next_line),
    b'"': ((float, float, bytes), _Instructions._show_spaced),
    b"Do": ((str,), _Instructions._draw),
}


def _upright(page: PDFPage) -> Matrix:
    left, bottom, right, top = page.mediabox
    turned: dict[int, Matrix] = {
        90: (0.0, -1.0, 1.0, 0.0, -bottom, right),
        180: (-1.0, 0.0, 0.0, -1.0, right, top),
        270: (0.0, 1.0, -1.0, 0.0, top, -left),
    }
    return turned.get(page.rotate, (1.0, 0.0, 0.0, 1.0, -left, -bottom))


def _product(first: tuple[float, ...], second: Matrix) -> Matrix:
    a, b, c, d, e, f = first
    p, q, r, s, t, u = second
    return a * p + b * r, a * q + b * s, c * p + d * r, c * q + d * s, e * p + f * r + t, e * q + f * s + u


def _matrix(given: object) -> Matrix:
    numbers = [resolve1(number) for number in list_value(given)] if given is not None else []
    if len(numbers) == 6 and all(isinstance(number, int | float) for number in numbers):
        a, b, c, d, e, f = map(float, numbers)
        return a, b, c, d, e, f
    return _IDENTITY
