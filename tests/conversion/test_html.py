import time
from collections.abc import Callable

import pytest
from bs4 import BeautifulSoup

from rag_app.conversion.markup import markdown_of
from rag_app.errors import ReadError
from tests.conversion.conftest import Convert

Refused = Callable[[str, str | bytes], str]
PAGE = """<!doctype html><html lang="fa" dir="rtl"><head><title>راهنمای  خرید</title><style>p{}</style></head><body>
<nav>خانه</nav><header><h1>خرید از <b>ما</b></h1></header>
<p>سفارش‌ها می‌رسند؛ <b>رای</b>گان * و _ و # هم<br>خط دوم
<p>بند دوم <a href="/about">درباره</a> <a href="https://shop.example/a">پیگیری</a> <a href="tel:02188">02188</a>
<h2>روش‌ها</h2>
<ul><li>پست<li>پیک<ul><li>فوری</ul></ul>
<table><thead><tr><th>روش<th>هزینه</thead><tr><td>پست | عادی<td>۴۵٬۰۰۰<br>تومان</table>
<details><summary>کی می‌رسد؟</summary>سه روز</details><dl><dt>ضمانت<dd>یک سال</dl>
<img src="a.png" alt="نمای کالا"><script>var a="<p>x</p>"</script><noscript>ب</noscript><template>ج</template>
<svg><text>س</text></svg><iframe>ف</iframe><!-- ی --><footer>پانویس</footer>
<custom-tag>پایان</custom-tag></body></html>"""


def test_a_page_keeps_its_structure_and_all_that_is_read(convert: Convert) -> None:
    page = convert(".html", PAGE)
    assert page.title == "راهنمای خرید"
    assert page.text == (
        "# خرید از ما\n\nسفارش‌ها می‌رسند؛ رایگان * و _ و # هم\nخط دوم\n\n"
        "بند دوم درباره پیگیری (https://shop.example/a) 02188\n\n## روش‌ها\n\n- پست\n- پیک\n  - فوری\n\n"
        "| روش | هزینه |\n| --- | --- |\n| پست \\| عادی | ۴۵٬۰۰۰ تومان |\n\n"
        "کی می‌رسد؟\n\nسه روز\n\nضمانت\n\nیک سال\n\nنمای کالا\nپانویس\nپایان"
    )


@pytest.mark.parametrize(
    ("html", "title"),
    [
        ("<title> </title><h1>خرید <i>آسان</i></h1>", "خرید آسان"),
        ("<h2>بخش</h2><h1>سرفصل</h1>", "سرفصل"),
        ("<p>متن<svg><title>نقش</title></svg>", ""),
    ],
)
def test_the_title_is_the_first_heading_where_there_is_none(convert: Convert, html: str, title: str) -> None:
    assert convert(".htm", html).title == title


def test_a_table_that_lays_out_the_page_is_no_table(convert: Convert) -> None:
    html = "<table><tr><td>منو</td><td><table><tr><td>کالا</td><td>قیمت</td></tr></table>متن</td></tr></table>"
    assert convert(".html", html).text == "منو\n\n| کالا | قیمت |\n| --- | --- |\n\nمتن"


@pytest.mark.parametrize(
    "content",
    [
        '<meta charset="windows-1256"><p>کتاب'.encode("cp1256"),
        '<meta http-equiv="content-type" content="text/html; charset=windows-1256"><p>کتاب'.encode("cp1256"),
        '<?xml version="1.0" encoding="windows-1256"?><p>کتاب'.encode("cp1256"),
        '<meta charset="windows-1256"><p>کتاب'.encode(),  # converted when it was saved
        "<p>کتاب".encode(),
        "<p>کتاب".encode("utf-8-sig"),
        "<p>کتاب".encode("utf-16"),
    ],
)
def test_the_charset_is_the_one_that_the_page_is_written_in(convert: Convert, content: bytes) -> None:
    assert convert(".html", content).text == "کتاب"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("<p>کتاب".encode("cp1256"), "not UTF-8: byte 3 is 0x98, and the page declares no charset"),
        (b'<meta charset="utf-8"><p>\xce', "the file is not UTF-8: byte 25 is 0xce"),
        (b'<meta charset="klingon"><p>\xce', "the charset 'klingon', which is not known"),
        (b"\x00\x01binary", "the file is binary: it holds a NUL at 0"),
    ],
)
def test_a_page_that_can_not_be_decoded_is_refused(refused: Refused, content: bytes, reason: str) -> None:
    assert reason in refused(".html", content)


@pytest.mark.parametrize("tag", ["div", "font", "ul><li", "table><tr><td", "blockquote", "b"])
def test_text_at_any_depth_is_read(convert: Convert, tag: str) -> None:
    text = convert(".html", f"<{tag}>متن " * 3000 + "ژرف").text
    assert text.count("متن") == 3000
    assert "ژرف" in text


def test_a_list_of_any_length_is_numbered(convert: Convert) -> None:
    # Each number was once counted from the list's beginning: these took longer than a file may.
    lines = convert(".html", f"<ol start=3>{'<li>متن' * 100_000}</ol><ol start=² ><li>متن").text.split("\n")
    assert (lines[0], lines[99_999], lines[-1]) == ("3. متن", "100002. متن", "1. متن")


def test_a_charset_is_looked_for_in_time(convert: Convert) -> None:
    assert convert(".html", "<p>متن" + "<meta " * 400_000).text == "متن"


def test_lines_within_lists_and_quotes_within_others_stay_short(convert: Convert) -> None:
    for tag in ("ul><li", "ol><li", "blockquote"):
        lines = convert(".html", f"<{tag}>" * 90 + "متن<br>" * 1000).text.split("\n")
        assert sum("متن" in line for line in lines) == 1000
        assert sum(map(len, lines)) < 80_000  # 180,000 where each level indents them


def test_the_first_row_is_the_header_whatever_stands_before_it(convert: Convert) -> None:
    rows = "<tr><td>کالا<td>قیمت</tr><tr><td>چای<td>۱۰۰</tr>"
    expected = "| کالا | قیمت |\n| --- | --- |\n| چای | ۱۰۰ |"
    for before in ("", "<colgroup><col></colgroup>", "<tbody></tbody>"):
        assert convert(".html", f"<table>{before}{rows}</table>").text == expected
    bodies = f"<table><caption>نرخ</caption><tbody>{rows}</tbody><tbody><tr><td>قند<td>۵۰</table>"
    assert convert(".html", bodies).text == f"نرخ\n\n{expected}\n| قند | ۵۰ |"


def test_words_around_what_is_empty_stay_apart(convert: Convert) -> None:
    assert convert(".html", "<div>یک<p></p>دو<h2></h2>سه<div></div>چهار").text == "یک\nدو\nسه\nچهار"


@pytest.mark.parametrize(
    ("html", "reason"),
    [
        ("<br>" * 500_000, r"more than 500,000 elements .*; split it"),
        ("<i>" * 10_000 + "</b>" * 10_000, "elements are nested more than 10,000 levels deep"),
        ("<i>" * 9_900 + "</b>" * 4_000_000, "ends elements again and again that are not open, 9,902 levels deep"),
    ],
)
def test_a_page_beyond_all_measure_is_refused(convert: Convert, html: str, reason: str) -> None:
    with pytest.raises(ReadError, match=reason):
        convert(".html", html)


def test_a_cell_that_claims_a_billion_columns_is_read(convert: Convert) -> None:
    text = convert(".html", "<table><tr><td colspan=1000000000>متن</table>").text
    assert "متن" in text
    assert len(text) < 100_000


@pytest.mark.parametrize("tag", ["p", "pre", "td", "li"])
@pytest.mark.parametrize("blank", [" ", "\n", " \n", "&#32;"])
def test_a_long_run_of_white_space_is_read_in_time(convert: Convert, tag: str, blank: str) -> None:
    started = time.monotonic()
    assert convert(".html", f"<{tag}>یک{blank * 50_000}دو").text.strip("-|` \n").split()[0] == "یک"
    assert time.monotonic() - started < 10  # a minute where its length counted twice


def seconds(html: str) -> float:
    started = time.process_time()
    markdown_of(html)
    return time.process_time() - started


def test_many_runs_of_white_space_take_time_by_their_number() -> None:
    blank = " " * 80
    assert seconds(f"یک{blank * 4}دو" * 4000) < 3 * seconds(f"یک{blank}دو" * 4000)  # 5 where the length counted twice


def test_the_elements_around_one_are_looked_through_by_their_names_alone() -> None:
    html = "<div>" * 190 + "a<b></b>" * 3000
    started = time.process_time()
    BeautifulSoup(html, "lxml")
    read = time.process_time() - started
    assert seconds(html) < 7 * read  # 14 where all that may be asked of an element is asked of each


def test_a_comment_of_white_space_stays_one(convert: Convert) -> None:
    assert convert(".html", f"<p>یک<!--{' ' * 1000}پنهان-->").text == "یک"
