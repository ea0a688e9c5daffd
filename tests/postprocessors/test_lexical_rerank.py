import pytest
from llama_index.core.schema import NodeWithScore, TextNode

from rag_app.persian import idf
from rag_app.postprocessors import LexicalRerank
from rag_app.postprocessors.lexical_rerank import RANK_PRIOR


def nodes(*texts: str) -> list[NodeWithScore]:
    return [NodeWithScore(node=TextNode(id_=text, text=text), score=0.1) for text in texts]


def order(query: str, *texts: str) -> list[str]:
    return [node.node.node_id for node in LexicalRerank().postprocess_nodes(nodes(*texts), query_str=query)]


def test_the_score_is_the_share_of_the_query_that_the_passage_holds() -> None:
    first, second = LexicalRerank().postprocess_nodes(nodes("بورسیه", "xyz"), query_str="بورسیه تخفیف")
    share = idf("بورسیه") / (idf("بورسیه") + idf("تخفیف"))
    assert first.score == pytest.approx(share * (1 - RANK_PRIOR) + RANK_PRIOR)
    assert second.score == pytest.approx(RANK_PRIOR / 2)


def test_a_similar_word_counts_by_the_square_of_its_dice_similarity() -> None:
    # <ab> and <abc>: 2-grams <a ab b> | <a ab bc c>, 3-grams <ab ab> | <ab abc bc>, 4-grams <ab> | <abc abc>
    (found,) = LexicalRerank().postprocess_nodes(nodes("abc"), query_str="ab")
    assert found.score == pytest.approx((2 * 3 / (6 + 9)) ** 2 * (1 - RANK_PRIOR) + RANK_PRIOR)


@pytest.mark.parametrize("typed", ["استراداد شهریه", "استرداد شهریهه", "اسنرداد شهریه"])
def test_misspelt_words_still_find_their_passage(typed: str) -> None:
    assert order(typed, "ساعت کار شعبه‌ها", "قانون استرداد شهریه")[0] == "قانون استرداد شهریه"


def test_telling_words_outweigh_common_ones() -> None:
    assert order("این برای بورسیه است", "این برای آن است", "بورسیه")[0] == "بورسیه"


def test_the_title_counts_as_well_as_the_text() -> None:
    titled = TextNode(id_="titled", text="سه روز کاری", metadata={"title": "ارسال"}, metadata_template="{value}")
    plain = TextNode(id_="plain", text="سه روز کاری")
    given = [NodeWithScore(node=node, score=1.0) for node in (plain, titled)]
    found = LexicalRerank().postprocess_nodes(given, query_str="ارسال")
    assert [node.node.node_id for node in found] == ["titled", "plain"]


def test_equal_passages_keep_their_order_and_top_n_is_held() -> None:
    same = [TextNode(id_=str(n), text="ارسال کتاب") for n in range(5)]
    given = [NodeWithScore(node=node, score=1.0) for node in same]
    found = LexicalRerank(top_n=3).postprocess_nodes(given, query_str="کتاب")
    assert [node.node.node_id for node in found] == ["0", "1", "2"]
