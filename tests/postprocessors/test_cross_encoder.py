import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from llama_index.core.schema import NodeWithScore, TextNode
from llama_index.postprocessor.sbert_rerank import SentenceTransformerRerank

from rag_app.errors import ComponentError
from rag_app.postprocessors import CrossEncoderRerank
from rag_app.schema import RetrievalQuery
from tests.models import save_cross_encoder

PASSAGES = ["ما بورسیه داریم", "قیمت مناسب است", "ارسال کتاب با پست", "شعبهٔ مرکزی"]


def nodes(texts: list[str]) -> list[NodeWithScore]:
    return [NodeWithScore(node=TextNode(id_=text, text=text, metadata={"title": "x"}), score=0.0) for text in texts]


def reference(folder: Path, query: str, texts: list[str]) -> dict[str, float]:
    """The scores by transformers alone, one pair at a time."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    with torch.no_grad():
        return {
            text: torch.sigmoid(model(**tokenizer(query, text, return_tensors="pt")).logits)[0, 0].item()
            for text in texts
        }


def test_it_is_the_stock_reranker() -> None:
    assert issubclass(CrossEncoderRerank, SentenceTransformerRerank)


@pytest.mark.parametrize("texts", [PASSAGES, PASSAGES[::-1]])
def test_scores_are_those_of_transformers_on_the_bare_text_in_any_order(
    cross_encoder_folder: Path, texts: list[str]
) -> None:
    reranker = CrossEncoderRerank(str(cross_encoder_folder))
    found = reranker.postprocess_nodes(nodes(texts), query_str="بورسیه دارین؟")
    expected = reference(cross_encoder_folder, "بورسیه دارین؟", texts)
    assert {node.node.node_id: node.score for node in found} == pytest.approx(expected, abs=1e-4)
    assert [node.node.node_id for node in found] == sorted(expected, key=lambda text: -expected[text])
    assert max(expected.values()) - min(expected.values()) > 0.01


def test_nothing_is_loaded_before_the_first_use_and_one_model_serves_all_threads(cross_encoder_folder: Path) -> None:
    reranker = CrossEncoderRerank(str(cross_encoder_folder))
    assert reranker._model is None
    with ThreadPoolExecutor(8) as pool:
        scores = list(
            pool.map(
                lambda _: [n.score for n in reranker.postprocess_nodes(nodes(PASSAGES), query_str="قیمت")], range(8)
            )
        )
    assert all(score == scores[0] for score in scores)


def test_aliases_name_the_models_of_the_hub() -> None:
    assert CrossEncoderRerank("base").model == "BAAI/bge-reranker-base"
    assert CrossEncoderRerank("large").model == "BAAI/bge-reranker-large"
    assert CrossEncoderRerank("multilingual").model == "BAAI/bge-reranker-v2-m3"


def test_a_folder_without_a_model_is_a_component_error(tmp_path: Path) -> None:
    with pytest.raises(ComponentError, match="can not be loaded"):
        CrossEncoderRerank(str(tmp_path)).postprocess_nodes(nodes(PASSAGES), query_str="q")


def test_scores_that_are_no_numbers_are_a_component_error(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    folder = save_cross_encoder(tmp_path, PASSAGES * 20)
    weights = load_file(folder / "model.safetensors")
    save_file(
        {name: weight * float("nan") for name, weight in weights.items()},
        folder / "model.safetensors",
        metadata={"format": "pt"},
    )
    with pytest.raises(ComponentError, match="no numbers"):
        CrossEncoderRerank(str(folder)).postprocess_nodes(nodes(PASSAGES), query_str="q")


def test_without_the_extra_the_install_line_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    with pytest.raises(ComponentError, match=r"pip install 'rag-app\[cross-encoder\]'"):
        CrossEncoderRerank(str(tmp_path)).postprocess_nodes(nodes(PASSAGES), RetrievalQuery("q", tenant="t"))
