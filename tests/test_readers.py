import json
import os
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from llama_index.core.schema import Document

from rag_app import RagApp
from rag_app.readers import Item, Read, read
from rag_app.schema import Skipped
from tests.conversion.files import docx, paragraph, pdf_of_pages

Write = Callable[[str, str | bytes], Path]
GOOD = {"id": "good", "text": "متن"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "knowledge"
    path.mkdir()
    return path


@pytest.fixture
def write(folder: Path) -> Write:
    def write_file(name: str, content: str | bytes) -> Path:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write_file


def read_all(*items: Any, **options: Any) -> list[Read]:
    return list(read(items, **options))


def one(*items: Any, **options: Any) -> Document:
    (document,) = read_all(*items, **options)
    assert isinstance(document, Document), document
    return document


def skipped(item: Any, **options: Any) -> Skipped:
    """Return why `item` is skipped, after checking that what comes before and after it is read."""
    before, *entries, after = read_all(GOOD, item, GOOD, **options)
    assert isinstance(before, Document)
    assert isinstance(after, Document)
    (entry,) = entries
    assert isinstance(entry, Skipped), entry
    return entry


# What is read


def test_a_text_file_is_named_by_its_name_and_its_folder(write: Write) -> None:
    document = one(write("return-policy.txt", "بازگشت وجه تا هفت روز."))
    assert (document.node_id, document.text) == ("return-policy.txt", "بازگشت وجه تا هفت روز.")
    assert document.metadata == {"doc_id": "return-policy.txt", "source": "knowledge", "title": "return policy"}


def test_a_path_may_be_a_string_and_a_suffix_in_capitals(write: Write) -> None:
    assert one(str(write("NOTE.TXT", "متن"))).node_id == "NOTE.TXT"


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("# شرایط ثبت‌نام\n\nمتن", "شرایط ثبت‌نام"),
        ("\n\n# C# و جاوا\nمتن", "C# و جاوا"),
        ("## بخش\nمتن", "my page"),
        ("#برچسب\nمتن", "my page"),
        ("# \nمتن", "my page"),
        ("متن\n# عنوان", "my page"),
    ],
)
@pytest.mark.parametrize("suffix", ["md", "markdown"])
def test_the_title_of_markdown_is_its_first_heading_else_the_name(
    write: Write, suffix: str, text: str, title: str
) -> None:
    document = one(write(f"my-page.{suffix}", text))
    assert document.metadata["title"] == title
    assert document.text == text


def test_every_line_of_jsonl_is_a_document(write: Write) -> None:
    lines = [
        {"id": "p1", "title": "کتاب", "text": "متن یک", "source": "shop", "metadata": {"price": 5}, "url": "http://x"},
        {"_id": 7, "text": "متن دو"},
    ]
    path = write("products.jsonl", "\n\n".join(json.dumps(line, ensure_ascii=False) for line in lines) + "\n")
    first, second = read_all(path)
    assert isinstance(first, Document)
    assert isinstance(second, Document)
    assert first.metadata == {"price": 5, "url": "http://x", "doc_id": "p1", "source": "shop", "title": "کتاب"}
    assert second.metadata == {"doc_id": "7", "source": "knowledge", "title": ""}
    assert (first.text, second.text, second.node_id) == ("متن یک", "متن دو", "7")


@pytest.mark.parametrize("separator", ["\u2028", "\u2029", "\x85"])
def test_a_line_separator_within_a_json_string_ends_no_line(write: Write, separator: str) -> None:
    assert one(write("a.jsonl", f'{{"id": "a", "text": "یک{separator}دو"}}')).text == f"یک{separator}دو"


@pytest.mark.parametrize(
    "header",
    ["question,answer", " Question , ANSWER ", "id,answer,question", "پرسش,پاسخ", "سوال,جواب", "سؤال,پاسخ"],
)
@pytest.mark.parametrize("start", ["", "\ufeff"])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_every_row_of_a_faq_is_a_pair(write: Write, header: str, start: str, newline: str) -> None:
    row = "1,سه روز.,ارسال چند روز است؟" if header.startswith("id") else "ارسال چند روز است؟,سه روز."
    document = one(write("faq.csv", f"{start}{header}{newline}{row}{newline}"))
    assert document.text == "ارسال چند روز است؟\nسه روز."
    assert document.metadata["title"] == "ارسال چند روز است؟"
    assert document.metadata["kind"] == "faq"
    assert document.node_id.startswith("faq.csv#")


def test_an_answer_may_hold_commas_quotes_and_lines(write: Write) -> None:
    assert one(write("faq.csv", 'question,answer\r\nچطور؟,"با ""پست""، رایگان,\r\nیا پیک"\r\n')).text == (
        'چطور؟\nبا "پست"، رایگان,\nیا پیک'
    )


def test_a_pair_keeps_its_id_when_rows_move_or_its_answer_changes(write: Write) -> None:
    def ids(content: str) -> dict[str, str]:
        read_rows = read_all(write("faq.csv", f"question,answer\n{content}"))
        return {row.metadata["title"]: row.node_id for row in read_rows if isinstance(row, Document)}

    before, after = ids("الف,۱\nب,۲\n"), ids("پ,۳\nب,۴\nالف,۱\n")
    assert before.items() <= after.items()
    assert len(set(after.values())) == 3


def test_a_folder_is_read_whole_and_names_documents_by_their_path_in_it(folder: Path, write: Write) -> None:
    write("manual/refund/steps.md", "# مراحل\nمتن")
    write("faq.csv", "question,answer\nالف,ب\n")
    write("website/about.txt", "درباره")
    documents = [entry for entry in read_all(folder) if isinstance(entry, Document)]
    assert [(document.node_id.partition("#")[0], document.metadata["source"]) for document in documents] == [
        ("faq.csv", "knowledge"),
        ("manual/refund/steps.md", "refund"),
        ("website/about.txt", "website"),
    ]


def test_hidden_files_and_folders_are_ignored(folder: Path, write: Write) -> None:
    write(".hidden.txt", "متن")
    write(".git/notes.md", "متن")
    write("a/.trash/old.md", "متن")
    write("a/seen.txt", "متن")
    assert one(folder).node_id == "a/seen.txt"


def test_a_hidden_folder_that_is_asked_for_is_read(folder: Path, write: Write) -> None:
    write(".notes/a.txt", "متن")
    assert one(folder / ".notes").metadata["source"] == ".notes"


def test_an_empty_folder_holds_nothing(folder: Path) -> None:
    assert read_all(folder) == []


def test_the_source_given_stands_in_for_the_folder_but_not_for_the_source_of_a_record(write: Write) -> None:
    assert one(write("a/b.txt", "متن"), source="mine").metadata["source"] == "mine"
    assert one({**GOOD, "source": "shop"}, source="mine").metadata["source"] == "shop"
    assert one(GOOD, source="mine").metadata["source"] == "mine"
    assert one(GOOD).metadata["source"] == "documents"


def test_a_record_is_read_with_all_it_names() -> None:
    record = {"id": "m1", "title": "ارسال", "text": "سه روز.", "source": "manual", "metadata": {"a": [1]}, "lang": "fa"}
    document = one(record)
    assert (document.node_id, document.text) == ("m1", "سه روز.")
    assert document.metadata == {"a": [1], "lang": "fa", "doc_id": "m1", "source": "manual", "title": "ارسال"}


def test_a_llama_index_document_is_read() -> None:
    given = Document(id_="d1", text="متن", metadata={"title": "عنوان", "source": "shop", "page": 3})
    document = one(given)
    assert document.metadata == {"title": "عنوان", "source": "shop", "page": 3, "doc_id": "d1"}
    assert given.metadata == {"title": "عنوان", "source": "shop", "page": 3}
    assert one(Document(id_="d1", text="متن", metadata={"title": None}), source="mine").metadata == {
        "doc_id": "d1",
        "source": "mine",
        "title": "",
    }


def test_a_whole_number_is_taken_as_the_string_it_prints() -> None:
    document = one({"id": 12, "title": 504, "source": 0, "text": "متن"})
    assert (document.node_id, document.metadata["title"], document.metadata["source"]) == ("12", "504", "0")
    assert one({"id": 0, "text": "متن"}).node_id == "0"


def test_nothing_is_taken_as_not_given() -> None:
    record = {"id": None, "_id": "a", "title": None, "source": None, "metadata": None, "text": "متن"}
    assert one(record, source="mine").metadata == {"doc_id": "a", "source": "mine", "title": ""}


def test_metadata_comes_as_the_database_will_give_it_back() -> None:
    assert (
        one({**GOOD, "metadata": {1: (2, 3)}, "path": "C:\\u0000"}).metadata.items()
        >= {
            "1": [2, 3],
            "path": "C:\\u0000",
        }.items()
    )


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_text_is_read_in_unicode_encodings_and_with_any_line_ends(write: Write, encoding: str, newline: str) -> None:
    assert one(write("a.txt", f"سلام{newline}دنیا 😀".encode(encoding))).text == "سلام\nدنیا 😀"


def test_big_endian_utf_16_is_read(write: Write) -> None:
    assert one(write("a.txt", b"\xfe\xff" + "سلام".encode("utf-16-be"))).text == "سلام"


def test_documents_come_one_at_a_time(write: Write) -> None:
    def endless() -> Any:
        while True:
            yield GOOD

    items: Any = endless()
    assert isinstance(next(read(items)), Document)


PAIR = {"question": "ارسال چند روز است؟", "answer": "سه روز."}


@pytest.mark.parametrize(
    "record",
    [
        PAIR,
        {"پرسش": PAIR["question"], "پاسخ": PAIR["answer"]},
        {"سؤال": f" {PAIR['question']} ", "جواب": f"{PAIR['answer']}\n", "text": None},
    ],
)
def test_a_record_with_question_and_answer_is_a_pair_of_a_faq(record: dict[str, Any]) -> None:
    document = one(record)
    assert document.text == "ارسال چند روز است؟\nسه روز."
    title = PAIR["question"]
    assert document.metadata == {"doc_id": document.node_id, "source": "documents", "title": title, "kind": "faq"}


def test_a_pair_is_named_by_its_id_else_by_its_question_as_in_a_csv_of_that_name(write: Write) -> None:
    assert one({**PAIR, "id": 7}).node_id == "7"
    assert one(PAIR).node_id == one({**PAIR, "answer": "چهار روز."}).node_id
    assert one(PAIR).node_id.startswith("faq#")
    jsonl = one(write("a.jsonl", json.dumps(PAIR)))
    csv = one(write("a.csv", f"question,answer\n{PAIR['question']},{PAIR['answer']}\n"))
    assert jsonl.node_id.partition("#")[2] == csv.node_id.partition("#")[2]
    assert jsonl.node_id.startswith("a.jsonl#")


def test_a_pair_keeps_what_else_the_record_holds() -> None:
    document = one({**PAIR, "title": "ارسال", "source": "help", "metadata": {"page": 2}, "lang": "fa"})
    assert document.metadata == {
        "page": 2,
        "lang": "fa",
        "question": PAIR["question"],
        "kind": "faq",
        "doc_id": document.node_id,
        "source": "help",
        "title": "ارسال",
    }


def test_a_record_with_a_text_of_its_own_is_no_pair() -> None:
    document = one({**PAIR, **GOOD})
    assert document.text == GOOD["text"]
    assert "kind" not in document.metadata
    assert document.metadata["question"] == PAIR["question"]


PRODUCTS = "sku,name,description,price,رنگ\nB-1,کتاب آبی,سطح A1 دارد.,450000,آبی\nB-2,کتاب سبز,,۳۸۰۰۰۰,\n"


def test_every_row_of_a_csv_of_products_is_a_record(write: Write) -> None:
    first, second = read_all(write("products.csv", PRODUCTS))
    assert isinstance(first, Document)
    assert isinstance(second, Document)
    assert (first.node_id, first.text) == ("products.csv#B-1", "سطح A1 دارد.")
    assert first.metadata == {
        "sku": "B-1",
        "price": "450000",
        "رنگ": "آبی",
        "kind": "record",
        "doc_id": "products.csv#B-1",
        "source": "knowledge",
        "title": "کتاب آبی",
    }
    assert second.text == second.metadata["title"] == "کتاب سبز"
    assert "رنگ" not in second.metadata


@pytest.mark.parametrize(
    ("header", "doc_id"),
    [
        ("id,title", "p.csv#7"),
        ("شناسه,عنوان", "p.csv#7"),
        ("کد,نام", "p.csv#7"),
        ("كد محصول,نام_محصول", "p.csv#7"),
        (" SKU , Name ", "p.csv#7"),
        ("price,name", "p.csv#"),
    ],
)
def test_the_columns_of_a_record_have_names_in_either_language(write: Write, header: str, doc_id: str) -> None:
    document = one(write("p.csv", f"{header}\n7,کتاب\n"))
    assert document.metadata["title"] == "کتاب"
    assert document.node_id.startswith(doc_id)
    assert len(document.node_id) == (len(doc_id) if doc_id.endswith("7") else len("p.csv#") + 12)


@pytest.mark.parametrize(
    ("record", "doc_id", "text"),
    [
        ({"شناسه": 7, "نام": "کفش", "قيمت": "۹۰۰", "توضیحات": "سبک"}, "7", "سبک"),
        ({"id": "p7", "نام کالا": "کفش", "قيمت": "۹۰۰"}, "p7", "کفش"),
        ({"_id": "p7", "title": "کفش", "متن": "سبک", "قيمت": "۹۰۰"}, "p7", "سبک"),
        ({"كد_محصول": 7, "عنوان": "کفش", "قيمت": "۹۰۰"}, "p.jsonl#7", "کفش"),
        ({"name": "کفش", "text": None, "قيمت": "۹۰۰"}, "p.jsonl#", "کفش"),
    ],
)
def test_a_record_of_jsonl_without_a_text_is_read_as_a_row_is(
    write: Write, record: dict[str, object], doc_id: str, text: str
) -> None:
    document = one(write("p.jsonl", json.dumps(record)))
    assert (document.metadata["title"], document.text) == ("کفش", text)
    assert document.metadata["قيمت"] == "۹۰۰"
    assert document.metadata["kind"] == "record"
    assert document.node_id.startswith(doc_id)
    assert document.node_id == one(write("p.jsonl", json.dumps(record))).node_id


@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_cells_may_be_apart_by_what_spreadsheets_of_other_countries_write(write: Write, mark: str) -> None:
    row = mark.join(["7", "کتاب، چاپ دوم", '"آبی; سبز, زرد"'])
    document = one(write("p.csv", f"\n{mark.join(['کد', 'نام', 'رنگ'])}\n{row}\n"))
    assert document.metadata["title"] == "کتاب، چاپ دوم"
    assert document.metadata["رنگ"] == "آبی; سبز, زرد"


def test_a_record_without_a_code_keeps_its_id_when_rows_move(write: Write) -> None:
    before = read_all(write("p.csv", "name,price\nکتاب,1\nدفتر,2\n"))
    after = read_all(write("p.csv", "name,price\nمداد,3\nدفتر,4\nکتاب,5\n"))
    ids = [
        {row.metadata["title"]: row.node_id for row in rows if isinstance(row, Document)} for rows in (before, after)
    ]
    assert ids[0].items() <= ids[1].items()


def test_a_long_cell_of_a_record_is_text_to_read_and_a_number_of_the_row_no_field(write: Write) -> None:
    long = "ویژگی مهم این کتاب " * 20
    document = one(write("p.csv", f"id,name,text,ویژگی‌ها,source\n1,کتاب,متن.,{long},shop\n"))
    assert document.text == f"متن.\n\nویژگی‌ها: {long.strip()}"
    assert document.metadata == {"kind": "record", "doc_id": "p.csv#1", "source": "shop", "title": "کتاب"}


FILES = Path(__file__).parent / "conversion" / "data"


def test_a_page_a_word_document_and_a_pdf_are_named_as_other_files_are(folder: Path, write: Write) -> None:
    write("web/my-page.html", "<p>متن صفحه")
    write("word/a.DOCX", (FILES / "writer.docx").read_bytes())
    write("pdf/price-list.pdf", (FILES / "fpdf2.pdf").read_bytes())
    documents = [entry for entry in read_all(folder) if isinstance(entry, Document)]
    assert [document.metadata for document in documents] == [
        {"doc_id": "pdf/price-list.pdf", "source": "pdf", "title": "price list"},
        {"doc_id": "web/my-page.html", "source": "web", "title": "my page"},
        {"doc_id": "word/a.DOCX", "source": "word", "title": "ارسال و تحویل"},
    ]
    assert all("می‌رسد" in document.text for document in documents if document.metadata["source"] != "web")
    assert documents[1].text == "متن صفحه"


def test_a_pdf_is_read_without_the_pages_that_are_too_much_and_these_are_told(write: Write) -> None:
    file = write("a.pdf", pdf_of_pages(b"BT /F 12 Tf (Hello) Tj ET", bytes(6_000_000)))
    document, note = read_all(file)
    assert isinstance(document, Document)
    assert document.text == "Hello"
    assert note == Skipped(str(file), "pages of the PDF were left out (more than 5 MB of instructions on one page): 2")


# What is skipped, while the rest is read


def test_a_link_leads_to_no_file_outside_of_the_folder(tmp_path: Path) -> None:
    folder, outside = tmp_path / "given", tmp_path / "given-else"
    for place in (folder, outside):
        place.mkdir()
        (place / "a.txt").write_text(f"in {place.name}", "utf-8")
    links = {
        "far.txt": outside / "a.txt",
        "folder": outside,
        "loop": folder,
        "near.txt": folder / "a.txt",
        "no.txt": "x",
    }
    for name, target in links.items():
        (folder / name).symlink_to(target)
    found = {(entry.node_id, entry.text) if isinstance(entry, Document) else entry for entry in read_all(folder)}
    elsewhere = "the link leads out of the folder that was given; give the file itself, or put a copy there"
    nowhere = "the link leads to no file; links to folders are not followed"
    assert found == {
        ("a.txt", "in given"),
        ("near.txt", "in given"),
        Skipped(str(folder / "far.txt"), elsewhere),
        *(Skipped(str(folder / name), nowhere) for name in ("folder", "loop", "no.txt")),
    }
    (document,) = read_all(folder / "far.txt")  # named by whoever asks
    assert isinstance(document, Document)


def test_of_a_cell_that_is_too_long_no_line_is_taken_for_a_row(write: Write) -> None:
    long = "چند؟,این سطر از خانه‌ای دراز است\n" * 5000
    file = write("faq.csv", f'question,answer\nچرا؟,"{long}""\n"\nکی؟,فردا\n')
    note, document = read_all(file)
    assert isinstance(note, Skipped)
    assert "field larger than field limit" in note.reason
    assert isinstance(document, Document)
    assert document.text == "کی؟\nفردا"


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.txt")
    assert read_all(tmp_path / "a.txt") == [Skipped(str(tmp_path / "a.txt"), "it is no regular file")]


@pytest.mark.parametrize("suffix", [".html", ".htm", ".docx", ".pdf"])
def test_a_converted_file_that_is_broken_empty_or_too_large_is_skipped(write: Write, suffix: str) -> None:
    assert skipped(write(f"a{suffix}", b"\xff\xff")).origin.endswith(suffix)
    assert skipped(write(f"a{suffix}", b"")).origin.endswith(suffix)
    assert (
        "limit is 0.001 (ingestion.max_file_mb)" in skipped(write(f"a{suffix}", bytes(2000)), max_file_mb=0.001).reason
    )


def test_without_the_extra_converted_files_are_skipped_and_the_rest_is_read(
    folder: Path, write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pdfminer.py").write_text("raise ImportError('not installed')")
    monkeypatch.syspath_prepend(tmp_path)
    write("a.pdf", (FILES / "fpdf2.pdf").read_bytes())
    write("b.html", "<p>متن")
    entry, document = read_all(folder)
    assert isinstance(entry, Skipped)
    assert "pip install 'rag-app[readers]'" in entry.reason
    assert isinstance(document, Document)


def test_a_missing_file_is_skipped(folder: Path) -> None:
    entry = skipped(folder / "missing.txt")
    assert entry == Skipped(str(folder / "missing.txt"), "there is no such file or folder")


def test_a_missing_folder_is_skipped(folder: Path) -> None:
    assert skipped(folder / "missing").reason == "there is no such file or folder"


@pytest.mark.parametrize("path", ["متن یک سند، نه مسیر آن. " * 100, "a\0b.txt", "a\ud800.txt"])
def test_what_can_be_no_path_is_skipped(path: str) -> None:
    entry = skipped(path)
    assert "path" in entry.reason or "no such file" in entry.reason
    assert len(entry.origin) < 100
    entry.origin.encode()


def test_a_file_named_in_an_old_encoding_is_skipped_and_can_be_reported(folder: Path, write: Write) -> None:
    try:
        write("\udcd3\udce1.txt", "متن")
    except OSError:  # a file system that keeps to UTF-8 has no such file
        return
    write("b.txt", "متن")
    entry, document = sorted(read_all(folder), key=lambda entry: isinstance(entry, Document))
    assert isinstance(document, Document)
    assert isinstance(entry, Skipped)
    assert "surrogates" in entry.reason
    f"{entry.origin} {entry.reason}".encode()


def test_a_binary_file_is_skipped(write: Write) -> None:
    assert skipped(write("a.txt", b"PK\x03\x04\0\0")).reason == "the file is binary: it holds a NUL byte at 4"


def test_a_file_in_an_old_encoding_is_skipped_with_the_byte_and_the_remedy(write: Write) -> None:
    entry = skipped(write("a.txt", "ab سلام".encode("cp1256")))
    assert entry.reason == (
        "the file is not UTF-8: byte 3 is 0xd3. If it was saved by an old Windows editor: "
        "iconv -f WINDOWS-1256 -t UTF-8"
    )


def test_the_byte_is_counted_from_the_start_of_the_file(write: Write) -> None:
    assert "byte 5 is 0xff" in skipped(write("a.txt", b"\xef\xbb\xbfab\xffcd")).reason


def test_broken_utf_16_is_skipped_without_the_remedy_for_another_encoding(write: Write) -> None:
    entry = skipped(write("a.txt", "سلام".encode("utf-16") + b"\x01"))
    assert entry.reason == "the file is not UTF-16: byte 10 is 0x01"


def test_a_file_too_large_is_skipped_unread(write: Write) -> None:
    path = write("a.txt", "")
    with path.open("r+b") as file:
        file.truncate(50_000_000)
    assert skipped(path).reason == "the file has 50.0 MB; the limit is 20 (ingestion.max_file_mb)"
    assert "limit is 49.9" in skipped(path, max_file_mb=49.9).reason
    assert "binary" in skipped(path, max_file_mb=50).reason


@pytest.mark.parametrize(("name", "kind"), [("a.png", ".png files"), ("README", "files without a suffix")])
def test_an_unknown_suffix_is_skipped_and_the_valid_ones_are_listed(write: Write, name: str, kind: str) -> None:
    valid = ".csv, .docx, .htm, .html, .jsonl, .markdown, .md, .pdf, .txt"
    assert skipped(write(name, "متن")).reason == f"{kind} are not read; valid: {valid}"


def test_what_a_folder_holds_beside_documents_is_skipped_by_name(folder: Path, write: Write) -> None:
    write("a.txt", "متن")
    write("logo.png", b"\x89PNG\0")
    assert [type(entry) for entry in read_all(folder)] == [Document, Skipped]
    (entry,) = (entry for entry in read_all(folder) if isinstance(entry, Skipped))
    assert entry.origin == str(folder / "logo.png")


@pytest.mark.parametrize("name", ["a.txt", "a.md"])
@pytest.mark.parametrize("content", ["", " \n\t", "\ufeff"])
def test_an_empty_file_is_skipped(write: Write, name: str, content: str) -> None:
    assert skipped(write(name, content)).reason == "the document has no text"


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('{"id": "a", "text": ', "the line is not JSON: "),
        ("سلام", "the line is not JSON: "),
        ("[" * 100_000, "the line is not JSON: "),
        ('{"id": ' + "9" * 5000 + ', "text": "متن"}', "the line is not JSON: "),
        ('["a", "b"]', "a document is a dict, a path or a Document, not list"),
        ('"a.txt"', "a document is a dict, a path or a Document, not str"),
        ("null", "a document is a dict, a path or a Document, not NoneType"),
        ('{"text": "متن"}', "the record has no id"),
        ('{"question": "چرا؟"}', "the pair has no answer"),
        ('{"id": "a", "text": "\\u0000"}', "the text holds NUL"),
        ('{"id": "a", "text": "\\ud800"}', "the text holds NUL characters or lone surrogates"),
        ('{"id": "a", "text": "متن", "n": NaN}', "the metadata can not be stored as JSON"),
    ],
)
def test_a_bad_line_of_jsonl_is_skipped_by_number(write: Write, line: str, reason: str) -> None:
    good = '{"id": "a", "text": "متن"}'
    path = write("a.jsonl", f"{good}\n{line}\n{good}\n")
    first, entry, last = read_all(path)
    assert isinstance(first, Document)
    assert isinstance(last, Document)
    assert isinstance(entry, Skipped)
    assert entry.origin == f"{path}:2"
    assert reason in entry.reason


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ({"text": "متن"}, "the record has no id"),
        ({"question": "چرا؟"}, "the pair has no answer"),
        ({"question": "چرا؟", "answer": " "}, "the pair has no answer"),
        ({"پاسخ": "چون"}, "the pair has no question"),
        ({"id": "a", "question": None, "answer": "چون"}, "the pair has no question"),
        ({"question": ["چرا؟"], "answer": "چون"}, "the question must be a string, not list"),
        ({"question": "چرا؟", "answer": {"a": 1}}, "the answer must be a string, not dict"),
        ({"question": "چرا؟\0", "answer": "چون"}, "the text holds NUL"),
        ({"question": "چرا؟", "answer": "چون", "metadata": 3}, "metadata must be an object, not int"),
        ({"id": "", "text": "متن"}, "document id is empty"),
        ({"id": 1.5, "text": "متن"}, "document id must be a string, not float: 1.5"),
        ({"id": True, "text": "متن"}, "document id must be a string, not bool: True"),
        ({"id": "x" * 201, "text": "متن"}, "document id has 201 characters; the limit is 200"),
        ({"id": "a\nb", "text": "متن"}, "holds control characters"),
        ({"id": "\ud800", "text": "متن"}, "lone surrogates"),
        ({"id": "a"}, "the document has no text"),
        ({"id": "a", "text": None}, "the document has no text"),
        ({"id": "a", "text": ["متن"]}, "the text must be a string, not list"),
        ({"id": "a", "text": 5}, "the text must be a string, not int"),
        ({"id": "a", "text": "الف\0"}, "the text holds NUL characters or lone surrogates, which no database stores"),
        ({"id": "a", "text": "الف\udfff"}, "the text holds NUL characters or lone surrogates"),
        ({"id": "a", "text": "متن", "title": ["x"]}, "the title must be a string, not list"),
        ({"id": "a", "text": "متن", "title": False}, "the title must be a string, not bool"),
        ({"id": "a", "text": "متن", "title": "\0"}, "the title holds NUL"),
        ({"id": "a", "text": "متن", "title": "\ud800"}, "the title holds NUL characters or lone surrogates"),
        ({"id": "a", "text": "متن", "source": ["faq"]}, "source must be a string, not list: ['faq']"),
        ({"id": "a", "text": "متن", "source": {"a": 1}}, "source must be a string, not dict"),
        ({"id": "a", "text": "متن", "source": "  "}, "source is empty"),
        ({"id": "a", "text": "متن", "metadata": "x"}, "metadata must be an object, not str"),
        ({"id": "a", "text": "متن", "metadata": [1]}, "metadata must be an object, not list"),
        ({"id": "a", "text": "متن", "metadata": {"d": date(2024, 1, 1)}}, "the metadata can not be stored as JSON"),
        ({"id": "a", "text": "متن", "metadata": {"x": ["\0"]}}, "the metadata holds NUL"),
        ({"id": "a", "text": "متن", "metadata": {"\ud800": 1}}, "the metadata holds NUL characters or lone surrogates"),
        ({"id": "a", "text": "متن", "price": float("inf")}, "the metadata can not be stored as JSON"),
        (5, "a document is a dict, a path or a Document, not int"),
        (None, "a document is a dict, a path or a Document, not NoneType"),
        (b"a.txt", "a document is a dict, a path or a Document, not bytes"),
        (Document(id_="d", text=""), "the document has no text"),
        (Document(id_="d", text="متن", metadata={"title": 1.5}), "the title must be a string, not float"),
        (Document(id_="d", text="متن", metadata={"source": ["x"]}), "source must be a string, not list"),
    ],
)
def test_a_record_that_can_not_be_used_is_skipped(record: Item, reason: str) -> None:
    entry = skipped(record)
    assert reason in entry.reason
    f"{entry.origin} {entry.reason}".encode()


def test_a_skipped_record_is_named_by_its_id() -> None:
    assert skipped({"_id": "a7", "text": ""}).origin == "a7"
    assert skipped({"text": "متن"}).origin == "record"
    assert skipped(Document(id_="d9", text="")).origin == "d9"


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ("q,a\nالف,ب\n", "q, a"),
        ("question,x\nالف,ب\n", "question, x"),
        ("", "none"),
        ("answer,name\nالف,ب\n", "answer, name"),
    ],
)
def test_a_faq_without_its_columns_is_skipped_and_says_what_it_found(write: Write, content: str, found: str) -> None:
    assert skipped(write("faq.csv", content)).reason == (
        "a CSV file needs the columns question and answer (or پرسش and پاسخ), or a column title or name (or عنوان, "
        f"نام) for records; found: {found}"
    )


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("چرا؟,", "the pair has no answer"),
        ("چرا؟", "the pair has no answer"),
        ("چرا؟,  ", "the pair has no answer"),
        (",چون", "the pair has no question"),
        ("چرا؟,چون, و چرا", "the row has more cells than there are columns; put quotes around cells that hold commas"),
        ("چرا؟," + "ا" * 150_000, "the row is not CSV: field larger than field limit"),
    ],
)
def test_a_bad_row_of_a_faq_is_skipped_by_number(write: Write, row: str, reason: str) -> None:
    path = write("faq.csv", f"question,answer\nاول,یک\n{row}\nآخر,دو\n")
    entries = read_all(path)
    assert [entry.text for entry in entries if isinstance(entry, Document)] == ["اول\nیک", "آخر\nدو"]
    (entry,) = (entry for entry in entries if isinstance(entry, Skipped))
    assert entry.origin == f"{path}:3"
    assert reason in entry.reason


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (",متن,5", "the row has no name"),
        ("کتاب,متن,5,6", "the row has more cells than there are columns"),
        ("کتاب," + "ا" * 150_000, "the row is not CSV: field larger than field limit"),
    ],
)
def test_a_bad_row_of_records_is_skipped_by_number(write: Write, row: str, reason: str) -> None:
    path = write("p.csv", f"name,text,price\nاول,یک,1\n{row}\nآخر,دو,2\n")
    entries = read_all(path)
    assert [entry.text for entry in entries if isinstance(entry, Document)] == ["یک", "دو"]
    (entry,) = (entry for entry in entries if isinstance(entry, Skipped))
    assert entry.origin == f"{path}:3"
    assert reason in entry.reason


def test_empty_cells_and_lines_after_the_pairs_do_no_harm(write: Write) -> None:
    assert one(write("faq.csv", "question,answer\nالف,ب,, \n\n\n")).text == "الف\nب"


def test_a_faq_whose_header_is_no_csv_is_skipped(write: Write) -> None:
    assert "the first line is not CSV" in skipped(write("faq.csv", '"question,answer\n' + "ا,ب\n" * 50_000)).reason


def test_rows_shorter_than_a_very_wide_header_are_read_in_time(write: Write) -> None:
    header = ",".join(("title", *map(str, range(100_000))))
    started = time.process_time()
    documents = read_all(write("wide.csv", f"{header}\n" + "چای\n" * 2000))
    assert [document.text for document in documents if isinstance(document, Document)] == ["چای"] * 2000
    assert time.process_time() - started < 5  # each row as wide as the header took a minute


def test_a_header_of_no_use_is_told_in_a_short_note(write: Write) -> None:
    assert len(skipped(write("wide.csv", ",".join(map(str, range(100_000))) + "\n")).reason) < 600


def test_metadata_that_would_swell_every_chunk_is_refused() -> None:
    assert "1001 fields; the limit is 1000" in skipped({**GOOD, **{f"k{n}": n for n in range(1001)}}).reason
    assert "characters as JSON; the limit is 50000" in skipped({**GOOD, "metadata": {"a": "ب" * 50_000}}).reason
    assert "characters as JSON; the limit is 50000" in skipped({**GOOD, "title": "ب" * 50_000}).reason
    assert one({**GOOD, "metadata": {"a": "ب" * 40_000}}).metadata["a"] == "ب" * 40_000


@pytest.mark.parametrize("content", ["{}\n", '{"id": "a", "text": "x"}\n'])
def test_a_file_whose_rows_are_of_no_use_is_not_read_to_its_end(write: Write, content: str) -> None:
    good = '{"id": "a", "text": "متن"}\n'
    found = read_all(write("a.jsonl", f"{good}{content * 30_000}{good}"))
    assert isinstance(found[0], Document)
    assert isinstance(found[-1], Skipped)
    assert len(found) == 10_002
    assert found[-1].reason == "10,000 of its rows or lines can not be used, or repeat others; the rest is not read"
    assert found[-1].origin.endswith("a.jsonl")


@pytest.mark.parametrize("name", ["id", "title", "source"])
def test_a_number_of_thousands_of_digits_is_no_name(name: str) -> None:
    assert "a number of thousands of digits" in skipped({**GOOD, name: 10**5000}).reason


def test_a_question_of_half_a_character_is_refused() -> None:
    assert "lone surrogates" in skipped({"question": "چند\ud800", "answer": "سه"}).reason


# From every kind of file to an answer


def test_a_question_finds_its_answer_in_every_kind_of_file(
    app: RagApp, tenant: str, folder: Path, write: Write
) -> None:
    write("hours.txt", "پشتیبانی هر روز از ساعت ۸ تا ۲۰ پاسخ می‌دهد.")
    write("payment.md", "# پرداخت\n\nپرداخت قسطی در چهار ماه ممکن است.")
    page = '<meta charset="windows-1256"><title>درباره ما</title><h2>نشانى</h2><p>دفتر مركزى در اصفهان است.'
    write("about.html", page.encode("cp1256"))
    table = "<w:tbl><w:tr><w:tc>{}</w:tc><w:tc>{}</w:tc></w:tr><w:tr><w:tc>{}</w:tc><w:tc>{}</w:tc></w:tr></w:tbl>"
    cells = [paragraph(cell) for cell in ("کالا", "مدت ضمانت", "ساعت هوشمند", "۲۴ ماه")]
    write("warranty.docx", docx(paragraph("ضمانت", "Heading1") + table.format(*cells)))
    write("return.pdf", (FILES / "shaped-before.pdf").read_bytes())
    write("delivery.pdf", (FILES / "chromium.pdf").read_bytes())
    write("faq.csv", "question,answer\nآیا فاکتور رسمی می‌دهید؟,بله، برای شرکت‌ها.\n")
    write("products.jsonl", json.dumps({"id": "p1", "title": "کفش", "text": "کفش کوهنوردی ضدآب است."}))
    report = app.ingest(folder, tenant=tenant)
    assert not report.skipped
    assert report.added == 8
    for question, doc_id, answer in [
        ("پشتيباني تا ساعت چند جواب میده؟", "hours.txt", "۲۰"),
        ("پرداخت قسطی دارین؟", "payment.md", "چهار ماه"),
        ("دفتر مرکزی کجاست؟", "about.html", "اصفهان"),
        ("ضمانت ساعت هوشمند چقدره؟", "warranty.docx", "| ساعت هوشمند | ۲۴ ماه |"),
        ("کالا رو تا کی میشه مرجوع کرد؟", "return.pdf", "۷ روز"),
        ("سفارش ها چند ساعته به پست میرسه؟", "delivery.pdf", "۲۴ ساعت"),
        ("فاکتور رسمی", "faq.csv", "برای شرکت‌ها"),
        ("کفش کوهنوردی", "p1", "ضدآب"),
    ]:
        best = app.retrieve(question, tenant=tenant).nodes[0].node
        assert str(best.metadata["doc_id"]).partition("#")[0] == doc_id, question
        assert answer in best.get_content(), question
