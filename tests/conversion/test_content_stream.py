import pytest

from rag_app.conversion.content_stream import instructions


def followed(content: bytes) -> list[tuple[bytes, list[object]]]:
    return list(instructions(content))


@pytest.mark.parametrize(
    ("written", "operands"),
    [
        (b"1 -2.5 +3 .5 -.5 4.", [1, -2.5, 3, 0.5, -0.5, 4]),
        (b"1-2 --3 1.2.3", [1, -2, -3, 1.2, 0.3]),
        (b"0\0001\t2\f3\r\n4", [0, 1, 2, 3, 4]),
        (b"(a) (b c) ()", [b"a", b"b c", b""]),
        (b"(a (b) c) (\\(\\\\\\)) (\\101\\7\\n\\x\\\nz)", [b"a (b) c", b"(\\)", b"A\x07\nxz"]),
        (b"<4a4B> <4a 5> <>", [b"JK", b"JP", b""]),
        (b"/F1 /A#20B / /\xff", ["F1", "A B", "", str(b"\xff")]),
        (b"[(a) -20 <62> 3(c)] 5", [[b"a", -20, b"b", 3, b"c"], 5]),
        (b"[1 [2 (a)] 3", [[2, b"a"], 3]),
        (b"1 % 2 (\n3", [1, 3]),
        (b"/Span <</ActualText <feff> /MCID 3>> 1", ["Span", 1]),
        (b"} ) ] > 1 {", [1]),
    ],
)
def test_operands_are_told_from_each_other(written: bytes, operands: list[object]) -> None:
    assert followed(written + b" Tj") == [(b"Tj", operands)]


def test_each_operator_has_the_operands_before_it() -> None:
    assert followed(b"q 1 0 0 1 5 5 cm BT/F 9 Tf(a)Tj T*<62>' Q 7") == [
        (b"q", []),
        (b"cm", [1, 0, 0, 1, 5, 5]),
        (b"BT", []),
        (b"Tf", ["F", 9]),
        (b"Tj", [b"a"]),
        (b"T*", []),
        (b"'", [b"b"]),
        (b"Q", []),
    ]


@pytest.mark.parametrize("image", [b"\xff(EIx[", b"", b"1 Tj (2) Tj"])
def test_the_bytes_of_an_image_are_no_instructions(image: bytes) -> None:
    assert followed(b"BI /W 1 /H 1 ID " + image + b"\nEI (a) Tj") == [(b"BI", []), (b"Tj", [b"a"])]


@pytest.mark.parametrize("end", [b"(a Tj", b"(a \\", b"[(a) 1", b"<61", b"ID \xff", b"<<", b"%"])
def test_what_is_cut_off_ends(end: bytes) -> None:
    assert followed(b"1 w " + end) == [(b"w", [1])]
