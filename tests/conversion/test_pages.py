from rag_app.conversion.pages import Glyph, page_text


def line(text: str, y: float, x: float = 0, size: float = 10, advance: float = 5) -> list[Glyph]:
    return [Glyph(char, x + i * advance, x + (i + 1) * advance, y, size) for i, char in enumerate(text)]


def test_a_full_line_goes_on_in_the_next_and_a_short_one_ends() -> None:
    glyphs = line("the first line goes", 100) + line("on in a second", 88) + line("and a third", 76)
    assert page_text(glyphs) == "the first line goes on in a second\nand a third"


def test_a_line_that_ends_a_sentence_or_begins_an_item_or_is_larger_is_not_joined() -> None:
    assert page_text(line("it ends right here.", 100) + line("another begins now", 88)).count("\n") == 1
    assert page_text(line("things that we sell", 100) + line("1. first of things", 88)).count("\n") == 1
    assert page_text(line("a heading of a page", 100, size=14) + line("text of small words", 88)).count("\n") == 1


def test_a_gap_parts_words_and_a_wide_one_cells() -> None:
    assert page_text(line("ab", 100) + line("cd", 100, x=12)) == "ab cd"
    rows = [glyph for y in (100, 88, 76) for glyph in line("ab", y) + line("cd", y, x=60)]
    assert page_text(rows) == "| ab | cd |\n| --- | --- |\n| ab | cd |\n| ab | cd |"


def test_a_single_line_with_a_wide_gap_is_no_table() -> None:
    assert page_text(line("ab", 100) + line("cd", 100, x=60)) == "ab  cd"


def test_a_space_that_letters_are_drawn_over_is_a_half_space() -> None:
    seen = line("دور", 100, x=5)
    glyphs = [*seen[:1], Glyph(" ", 10, 12, 100, 10), *seen[1:]]
    assert page_text(glyphs) == "رو‌د"


def test_a_mark_stays_with_its_letter() -> None:
    glyphs = [Glyph("ٔ", 0.2, 0.2, 98, 10), *line("هن", 100), Glyph(" ", 10, 15, 100, 10), *line("بآ", 100, x=15)]
    assert page_text(glyphs) == "آب نهٔ"


def test_ligatures_and_shapes_are_letters_in_their_order() -> None:
    assert page_text([Glyph("لا", 0, 5, 100, 10), Glyph("\ufb90", 5, 10, 100, 10)]) == "کلا"
    assert page_text([Glyph("\ufefb", 0, 5, 100, 10), Glyph("ک", 5, 10, 100, 10)]) == "کلا"


def test_brackets_open_before_they_close_whichever_way_they_are_stored() -> None:
    assert page_text(line("(ب) ا", 100)) == page_text(line(")ب( ا", 100)) == "ا (ب)"


def test_what_is_drawn_twice_to_look_bold_is_read_once() -> None:
    bold = [glyph for one in line("bold", 100) for glyph in (one, Glyph(one.text, one.start + 0.3, one.end, 100, 10))]
    assert page_text(bold) == "bold"
    assert page_text(line("all", 100)) == "all"


def test_what_no_database_stores_is_left_out() -> None:
    assert page_text(line("a\0b\u200e", 100)) == "ab"
    assert page_text(line("1\u200e2 ب", 100)) == "ب 12"
    assert page_text([]) == page_text(line("\0", 100)) == page_text(line(" ", 100)) == ""


def test_a_bullet_stands_apart_from_its_text() -> None:
    assert page_text(line("•one", 100) + line("•two", 88)) == "• one\n• two"
