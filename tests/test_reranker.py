import logging
from pathlib import Path

import pytest

from rag_app import CrossEncoderReranker
from rag_app.errors import InvalidInputError
from tests.models import reference_logits

QUESTION = "بورسیه دارین؟"
CHUNKS = [{"content": "ما بورسیه داریم", "source": "faq"}, {"content": "قیمت مناسب"}, {"content": "ارسال با پست"}]


def test_the_users_call_works_as_written(cross_encoder_folder: Path) -> None:
    reranker = CrossEncoderReranker(model_name=str(cross_encoder_folder), precision="fp32")
    assert reranker.model is not None
    found = reranker.rerank(query=QUESTION, chunks=CHUNKS, top_k=2)
    logits = reference_logits(cross_encoder_folder, QUESTION, [chunk["content"] for chunk in CHUNKS])
    best = sorted(range(3), key=lambda place: -logits[place])[:2]
    assert [entry["content"] for entry in found] == [CHUNKS[place]["content"] for place in best]
    assert [entry["logit"] for entry in found] == pytest.approx([logits[place] for place in best], abs=1e-4)
    assert all(isinstance(entry["score"], float) and 0 < entry["score"] < 1 for entry in found)
    assert {entry["reranker"] for entry in found} == {"cross_encoder"}
    assert set(CHUNKS[0]) == {"content", "source"}  # what was given is as it was
    assert next(entry for entry in reranker.rerank(QUESTION, CHUNKS) if entry["content"] == "ما بورسیه داریم")["source"]
    reranker.close()


async def test_the_async_twin_gives_the_same(cross_encoder_folder: Path) -> None:
    reranker = CrossEncoderReranker(model_name=str(cross_encoder_folder), precision="fp32")
    assert await reranker.arerank(QUESTION, CHUNKS) == reranker.rerank(QUESTION, CHUNKS)
    reranker.close()


async def test_without_the_model_the_lexical_reranker_serves_and_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    reranker = CrossEncoderReranker(model_name=str(tmp_path))
    with caplog.at_level(logging.WARNING):
        found = reranker.rerank(QUESTION, CHUNKS[::-1])
    assert found[0]["content"] == "ما بورسیه داریم"
    assert {(entry["reranker"], entry["logit"]) for entry in found} == {("lexical", None)}
    assert found == await reranker.arerank(QUESTION, CHUNKS[::-1])
    assert reranker.model is None
    assert "can not be read" in (reranker.status().error or "")
    assert "cross_encoder failed: model files broken" in caplog.text
    assert QUESTION not in caplog.text


def test_a_timeout_of_nothing_leaves_it_to_the_lexical_reranker(cross_encoder_folder: Path) -> None:
    reranker = CrossEncoderReranker(model_name=str(cross_encoder_folder), precision="fp32")
    assert reranker.model is not None
    assert {entry["reranker"] for entry in reranker.rerank("شعبه کجاست", CHUNKS, timeout_s=0)} == {"lexical"}
    reranker.close()


def test_no_chunks_are_no_chunks(tmp_path: Path) -> None:
    assert CrossEncoderReranker(model_name=str(tmp_path)).rerank(QUESTION, []) == []


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"query": None, "chunks": CHUNKS}, "query must be a string, not NoneType"),
        (
            {"query": "q", "chunks": [{"text": "x"}]},
            r"chunks\[0\] must be a dict with its text under 'content': it has 'text'",
        ),
        ({"query": "q", "chunks": [CHUNKS[0], "x"]}, r"chunks\[1\] .* not str"),
        ({"query": "q", "chunks": CHUNKS, "top_k": 0}, "top_k must be 1 or more, or None for all, not 0"),
    ],
)
def test_bad_arguments_are_told(tmp_path: Path, arguments: dict[str, object], told: str) -> None:
    with pytest.raises(InvalidInputError, match=told):
        CrossEncoderReranker(model_name=str(tmp_path)).rerank(**arguments)  # type: ignore[arg-type]
