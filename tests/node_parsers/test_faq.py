import pytest
from llama_index.core.schema import Document, MetadataMode, TextNode
from pydantic import ValidationError

from rag_app.node_parsers import FaqNodeParser, ParentChildNodeParser
from rag_app.tokens import EstimatedTokenCounter

QUESTION = "شهریه را چطور بپردازم؟"
SENTENCE = "شهریه را می‌توانید نقدی یا در سه قسط بپردازید. "


def parse(answer: str, parser: ParentChildNodeParser, **metadata: str) -> tuple[list[TextNode], list[TextNode]]:
    document = Document(
        id_="faq.csv#1",
        text=f"{QUESTION}\n{answer}",
        metadata={"title": QUESTION, "kind": "faq", "tenant": "t", **metadata},
    )
    nodes = [node for node in parser.get_nodes_from_documents([document]) if isinstance(node, TextNode)]
    children = [node for node in nodes if node.parent_node is not None]
    return [node for node in nodes if node not in children], children


def pair_of(tokens: int) -> str:
    """Return an answer that makes a pair of exactly `tokens` tokens."""
    answer = SENTENCE * 8
    missing = tokens - EstimatedTokenCounter().count(f"{QUESTION}\n{answer}")
    assert missing > 0
    return answer + "۱" * missing


def test_a_pair_longer_than_a_child_stays_one_child_of_one_parent() -> None:
    (parent,), (child,) = parse(pair_of(200), FaqNodeParser(child_tokens=32, parent_tokens=200))
    assert parent.get_content() == child.get_content() == f"{QUESTION}\n{pair_of(200)}"
    assert child.parent_node is not None
    assert child.parent_node.node_id == parent.node_id != child.node_id


def test_a_pair_longer_than_a_parent_is_split_as_any_document_is() -> None:
    parser = FaqNodeParser(child_tokens=32, parent_tokens=199)
    parents, children = parse(pair_of(200), parser)
    assert len(parents) > 1
    assert len(children) > len(parents)
    others, other_children = parse(pair_of(200), ParentChildNodeParser(child_tokens=32, parent_tokens=199))
    assert [node.node_id for node in (*parents, *children)] == [node.node_id for node in (*others, *other_children)]


def test_any_other_parser_splits_the_pair() -> None:
    assert len(parse(pair_of(200), ParentChildNodeParser(child_tokens=32, parent_tokens=200))[1]) > 1


def test_each_pair_knows_its_place_and_document() -> None:
    _, (child,) = parse("نقدی یا قسطی.", FaqNodeParser())
    assert child.ref_doc_id == "faq.csv#1"
    assert (child.start_char_idx, child.end_char_idx) == (0, len(f"{QUESTION}\nنقدی یا قسطی."))


@pytest.mark.parametrize("weight", [1, 2, 3])
def test_the_question_is_searched_as_often_as_it_weighs_and_shown_once(weight: int) -> None:
    _, (child,) = parse("نقدی یا قسطی.", FaqNodeParser(question_weight=weight))
    assert child.get_content(MetadataMode.EMBED) == f"{QUESTION}\n" * weight + "نقدی یا قسطی."
    assert child.get_content(MetadataMode.LLM) == f"{QUESTION}\nنقدی یا قسطی."


def test_the_question_counts_twice_unless_asked_otherwise() -> None:
    _, (child,) = parse("نقدی یا قسطی.", FaqNodeParser())
    assert child.get_content(MetadataMode.EMBED).count(QUESTION) == 2


def test_a_pair_with_a_title_of_its_own_is_searched_with_both() -> None:
    _, (child,) = parse("نقدی یا قسطی.", FaqNodeParser(), title="پرداخت", question=QUESTION)
    assert sorted(child.get_content(MetadataMode.EMBED).splitlines()) == sorted(
        ["پرداخت", QUESTION, QUESTION, "نقدی یا قسطی."]
    )


def test_a_weight_below_one_is_refused() -> None:
    with pytest.raises(ValidationError, match="question_weight"):
        FaqNodeParser(question_weight=0)
