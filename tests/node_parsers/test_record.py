from typing import Any

import pytest
from llama_index.core.schema import Document, MetadataMode, TextNode

from rag_app.node_parsers import RecordNodeParser

TEXT = "کتاب اصلی دورهٔ آلمانی A1 در ۲۰۰ صفحهٔ رنگی و ۱۵ درس."
RESERVED = {"title": "آلمانی از آغاز", "source": "products", "doc_id": "p1", "kind": "product", "tenant": "t"}


def parse(text: str = TEXT, parser: RecordNodeParser | None = None, **fields: Any) -> list[TextNode]:
    document = Document(id_="p1", text=text, metadata={**fields, **RESERVED})
    nodes = (parser or RecordNodeParser()).get_nodes_from_documents([document])
    return [node for node in nodes if isinstance(node, TextNode)]


def lines(**fields: Any) -> list[str]:
    return str(parse(**fields)[1].metadata.get("preamble", "")).splitlines()


def test_a_record_is_one_child_of_one_parent_and_its_text_is_unaltered() -> None:
    parent, child = parse(price=450_000)
    assert parent.text == child.text == TEXT
    assert child.parent_node is not None
    assert child.parent_node.node_id == parent.node_id
    assert child.metadata["price"] == 450_000


def test_its_fields_are_searched_with_its_title_and_text_and_shown_with_its_text() -> None:
    _, child = parse(price=450_000, sku="DE-A1", رنگ="آبی")
    fields = "price: 450,000\nsku: DE-A1\nرنگ: آبی"
    assert child.get_content(MetadataMode.EMBED) == f"آلمانی از آغاز\n{fields}\n{TEXT}"
    assert child.get_content(MetadataMode.LLM) == f"{fields}\n{TEXT}"


def test_without_fields_the_text_stands_alone() -> None:
    _, child = parse()
    assert child.get_content(MetadataMode.LLM) == TEXT


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (4_200_000, "4,200,000"),
        ("4200000", "4,200,000"),
        ("۴۲۰۰۰۰۰", "۴٬۲۰۰٬۰۰۰"),
        (4_200_000.0, "4,200,000"),
        ("۴٬۲۰۰٬۰۰۰ تومان", "۴٬۲۰۰٬۰۰۰ تومان"),
        (2100, "2100"),
        ("02188776600", "02188776600"),
        (6_260_123_456_789, "6260123456789"),
        (4.5, "4.5"),
        (0, "0"),
        ("  دو\n خط ", "دو خط"),
        (["قرمز", "آبی", 3], "قرمز، آبی، 3"),
        (True, "yes"),
        (False, "no"),
    ],
)
def test_values_are_shown_on_one_line_and_sums_of_money_in_thousands(value: Any, shown: str) -> None:
    assert lines(field=value) == [f"field: {shown}"]


def test_yes_and_no_are_in_the_language_of_the_fields_name() -> None:
    assert lines(موجود=True, گارانتی=False) == ["موجود: بله", "گارانتی: خیر"]


@pytest.mark.parametrize("value", [None, "", "  ", [], [None], {"a": 1}, [{"a": 1}], "بلند " * 130])
def test_what_has_no_short_form_stays_in_the_metadata_alone(value: Any) -> None:
    assert lines(field=value, sku="7") == ["sku: 7"]
    assert parse(field=value)[1].metadata["field"] == value


def test_a_record_that_is_too_long_is_split_and_every_piece_has_its_fields() -> None:
    text = "## جزئیات\n" + "این کتاب برای خودآموزی مناسب است. " * 12
    nodes = parse(text, RecordNodeParser(child_tokens=32, parent_tokens=64), sku="DE-A1")
    assert len(nodes) > 4
    assert " ".join(node.text for node in nodes if node.parent_node is None).split() == text.split()
    assert all(node.metadata["preamble"].splitlines()[0] == "sku: DE-A1" for node in nodes)
    assert nodes[-1].metadata["preamble"] == "sku: DE-A1\n## جزئیات"
