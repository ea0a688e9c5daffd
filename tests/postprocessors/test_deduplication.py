import pytest
from llama_index.core.schema import NodeWithScore, TextNode

from rag_app.postprocessors import Deduplication
from rag_app.schema import RetrievalQuery
from rag_app.trace import ChunkTrace

TEN = "یک دو سه چهار پنج شش هفت هشت نه ده"


def nodes(*texts: str) -> list[NodeWithScore]:
    return [NodeWithScore(node=TextNode(id_=str(n), text=text), score=1.0) for n, text in enumerate(texts)]


def kept(*texts: str, threshold: float = 0.9) -> list[str]:
    return [node.node.node_id for node in Deduplication(threshold=threshold).postprocess_nodes(nodes(*texts))]


@pytest.mark.parametrize("again", [TEN, f"  {TEN}!", TEN.replace("ی", "ي"), TEN.replace(" ", "\n")])
def test_the_second_of_two_that_say_the_same_is_dropped(again: str) -> None:
    assert kept(TEN, "چیز دیگر", again) == ["0", "1"]


def test_the_threshold_is_the_share_of_common_words() -> None:
    nine_of_eleven = TEN.replace("ده", "یازده")
    assert kept(TEN, nine_of_eleven, threshold=0.81) == ["0"]
    assert kept(TEN, nine_of_eleven, threshold=0.82) == ["0", "1"]


def test_the_trace_says_which_one_it_repeats() -> None:
    query = RetrievalQuery("q", tenant="t")
    query.trace.chunks["1"] = ChunkTrace("1", "d", "s", "")
    Deduplication().postprocess_nodes(nodes(TEN, TEN), query)
    assert query.trace.chunks["1"].dropped == "context: says the same as 0"
