import pytest
from llama_index.core.schema import NodeRelationship, NodeWithScore, RelatedNodeInfo, TextNode

from rag_app.persian import idf
from rag_app.postprocessors import LexicalRerank
from rag_app.postprocessors.lexical_rerank import _NEIGHBOURS, _PARENT, _PASSAGE, _PRIOR, _TITLE
from rag_app.schema import QueryWord, Reading, RetrievalQuery


def node(text: str, *, title: str = "", parent: str = "") -> NodeWithScore:
    made = TextNode(id_=text, text=text, metadata={"title": title} if title else {}, metadata_template="{value}")
    if parent:
        made.relationships[NodeRelationship.PARENT] = RelatedNodeInfo(node_id=parent)
    return NodeWithScore(node=made, score=0.1)


def nodes(*texts: str) -> list[NodeWithScore]:
    return [node(text) for text in texts]


def query(*words: QueryWord) -> RetrievalQuery:
    return RetrievalQuery("هرچه", tenant="t", reading=Reading(words, "هرچه"))


def word(typed: str, weight: float = 1.0, **matches: float) -> QueryWord:
    return QueryWord(typed, weight, matches or {typed: 1.0}, typed)


def scores(asked: RetrievalQuery, *given: NodeWithScore) -> dict[str, float]:
    found = LexicalRerank().postprocess_nodes(list(given), asked)
    return {scored.node.node_id: scored.score or 0.0 for scored in found}


def order(query: str, *texts: str) -> list[str]:
    return [node.node.node_id for node in LexicalRerank().postprocess_nodes(nodes(*texts), query_str=query)]


def test_the_parts_of_a_score_add_up_to_one() -> None:
    assert pytest.approx(1) == _PASSAGE + _PARENT + _NEIGHBOURS + _TITLE + _PRIOR
    asked = query(word("ارسال", 3), word("کتاب", 2))
    assert scores(asked, node("ارسال کتاب", title="ارسال کتاب")) == {"ارسال کتاب": pytest.approx(1)}


def test_the_score_is_the_share_of_the_weight_that_the_passage_holds_by_similarity() -> None:
    asked = query(word("a", 3, x=0.5, y=0.8), word("b", 1), word("c", 2))
    found = scores(asked, node("x"), node("c y x"), node("z"))
    assert found == {
        "x": pytest.approx((_PASSAGE + _PARENT) * 0.5 * 3 / 6 + _PRIOR),
        "c y x": pytest.approx((_PASSAGE + _PARENT) * (0.8 * 3 + 2) / 6 + _PRIOR * 2 / 3),
        "z": pytest.approx(_PRIOR / 3),
    }


def test_a_word_said_twice_counts_once() -> None:
    once, twice = (scores(query(*words), node("a"), node("b")) for words in ([word("a")], [word("a"), word("a")]))
    assert once == twice


def test_neighbouring_words_that_are_neighbours_there_too_count_more() -> None:
    asked = query(word("لغو"), word("سفارش"))
    found = scores(asked, node("سفارش را لغو"), node("لغو سفارش را"), node("لغو را سفارش"))
    best, *others = found.values()
    assert next(iter(found)) == "لغو سفارش را"
    assert best - max(others) == pytest.approx(_NEIGHBOURS - _PRIOR / 3)


def test_words_that_only_a_sibling_holds_count_too() -> None:
    asked = query(word("شهریه", 2), word("ترم", 1))
    siblings = scores(asked, node("شهریه", parent="p"), node("ترم", parent="p"))
    strangers = scores(asked, node("شهریه", parent="p"), node("ترم", parent="q"))
    assert siblings["شهریه"] - strangers["شهریه"] == pytest.approx(_PARENT / 3)
    assert siblings["ترم"] - strangers["ترم"] == pytest.approx(_PARENT * 2 / 3)


def test_a_title_counts_by_how_far_it_and_the_question_are_the_same() -> None:
    asked = query(word("ارسال"), word("کتاب"))
    of_title = {"ارسال کتاب": 1.0, "ارسال": 1.0, "پارکینگ": 0.0}
    of_title["ارسال کتاب بورسیه"] = 1 - idf("بورسیه") / sum(map(idf, ["ارسال", "کتاب", "بورسیه"]))
    of_question = {"ارسال کتاب": 1.0, "ارسال": 0.5, "پارکینگ": 0.0, "ارسال کتاب بورسیه": 1.0}
    for title, share in of_title.items():
        likeness = 2 * share * of_question[title] / ((share + of_question[title]) or 1)
        titled = node("متن", title=title)
        titled.node.excluded_embed_metadata_keys = ["title"]  # or its words count as words of the passage too
        assert scores(asked, titled) == {"متن": pytest.approx(_TITLE * likeness + _PRIOR)}
    untitled = scores(asked, node("ارسال کتاب"), node("متن"))
    titled = scores(asked, node("ارسال کتاب", title="پارکینگ"), node("متن"))
    assert untitled == titled


def test_a_half_spaced_word_of_a_passage_is_its_parts_too() -> None:
    asked = query(word("نام"))
    assert next(iter(scores(asked, node("نامه"), node("ثبت‌نام")))) == "ثبت‌نام"


def test_the_reading_of_the_tenants_texts_is_used_if_there_is_one() -> None:
    asked = RetrievalQuery("شهریه", tenant="t", reading=Reading((word("شهریه", 1, هزینه=1.0),), "شهریه"))
    assert next(iter(scores(asked, node("شهریه"), node("هزینه")))) == "هزینه"
    asked.reading = None
    assert next(iter(scores(asked, node("هزینه"), node("شهریه")))) == "شهریه"


@pytest.mark.parametrize("asked", [query(), RetrievalQuery("؟!", tenant="t"), RetrievalQuery("", tenant="t")])
def test_a_question_without_words_and_passages_without_words_keep_their_order(asked: RetrievalQuery) -> None:
    assert list(scores(asked, node("؟"), node("ارسال", title="!"), node("…"))) == ["؟", "ارسال", "…"]


@pytest.mark.parametrize("typed", ["ersal", "ارسالش", "ارصال", "ارسال"])
def test_without_a_reading_the_words_of_the_passages_tell_what_is_meant(typed: str) -> None:
    assert order(typed, "ساعت کار شعبه", "ارسال کتاب")[0] == "ارسال کتاب"


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
