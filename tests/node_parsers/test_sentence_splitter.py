import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from llama_index.core.ingestion import IngestionPipeline
from llama_index.core.node_parser import TextSplitter
from llama_index.core.schema import Document, TextNode
from pydantic import ValidationError

from rag_app.node_parsers import PersianSentenceSplitter
from rag_app.tokens import EstimatedTokenCounter

TEXT = "آموزشگاه از ساعت ۹ ق.ظ. باز است. شهریه ۱٬۲۵۰٬۰۰۰ تومان است؟ بله! ثبت‌نام در سایت انجام می‌شود."


@given(st.text(alphabet="سلامک.؟!؛، \n-#۱a😀", max_size=200), st.integers(16, 64))
@settings(max_examples=150)
def test_the_chunks_joined_are_the_text_again_and_none_is_too_long(text: str, max_tokens: int) -> None:
    chunks = PersianSentenceSplitter(max_tokens=max_tokens).split_text(text)
    assert "".join(chunks) == text
    assert all(EstimatedTokenCounter().count(chunk) <= max_tokens for chunk in chunks)


def test_chunks_end_where_sentences_do() -> None:
    assert PersianSentenceSplitter(max_tokens=17).split_text(TEXT) == [
        "آموزشگاه از ساعت ۹ ق.ظ. باز است. ",
        "شهریه ۱٬۲۵۰٬۰۰۰ تومان است؟ ",
        "بله! ثبت‌نام در سایت انجام می‌شود.",
    ]


def test_a_document_becomes_nodes_with_their_places() -> None:
    nodes = PersianSentenceSplitter(max_tokens=20).get_nodes_from_documents(
        [Document(text=TEXT, metadata={"title": "الف"})]
    )
    assert len(nodes) > 1
    for node in nodes:
        assert node.metadata == {"title": "الف"}
        assert isinstance(node, TextNode)
        assert TEXT[node.start_char_idx : node.end_char_idx] == node.text


def test_it_is_a_transformation_of_llama_index() -> None:
    splitter = PersianSentenceSplitter(max_tokens=20)
    assert isinstance(splitter, TextSplitter)
    pipeline = IngestionPipeline(transformations=[splitter], disable_cache=True)
    chunks = [node.get_content() for node in pipeline.run(documents=[Document(text=TEXT)])]
    assert chunks == splitter.split_text(TEXT)


def test_a_chunk_must_have_room() -> None:
    with pytest.raises(ValidationError, match="max_tokens"):
        PersianSentenceSplitter(max_tokens=0)
