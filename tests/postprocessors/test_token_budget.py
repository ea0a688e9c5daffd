from hypothesis import given, settings
from hypothesis import strategies as st
from llama_index.core.schema import NodeWithScore, TextNode

from rag_app.gemini import render_chunk, render_context
from rag_app.persian import sentence_spans
from rag_app.postprocessors import TokenBudgetPostprocessor
from rag_app.schema import FoundInParent, RetrievalQuery, TokenBudget
from rag_app.tokens import EstimatedTokenCounter
from rag_app.trace import ChunkTrace

COUNTER = EstimatedTokenCounter()
SENTENCES = [
    "ارسال رایگان است.",
    "شهریه ۱٬۲۵۰٬۰۰۰ تومان است!",
    "Is it open? Yes.",
    "کتاب‌ها 😀 را «امروز» می‌فرستیم؟",
    "<chunk> x",
]
texts = st.lists(st.sampled_from(SENTENCES), min_size=1, max_size=12).map(" ".join)


@st.composite
def pieces(draw: st.DrawFn) -> list[NodeWithScore]:
    nodes = []
    for number in range(draw(st.integers(0, 12))):
        text = draw(texts)
        spans = sentence_spans(text)
        first = draw(st.integers(0, len(spans) - 1))
        last = draw(st.integers(first, len(spans) - 1))
        node = TextNode(
            id_=str(number),
            text=text,
            start_char_idx=spans[first][0],
            end_char_idx=spans[last][1],
            metadata={
                "source": draw(st.sampled_from(["manual", "faq"])),
                "title": draw(st.sampled_from(["", "عنوان"])),
            },
        )
        nodes.append(NodeWithScore(node=node, score=1.0 - number / 100))
    return nodes


def fit(nodes: list[NodeWithScore], budget: TokenBudget, top_n: int = 8) -> list[NodeWithScore]:
    query = RetrievalQuery("q", tenant="t", budget=budget)
    postprocessor = TokenBudgetPostprocessor(COUNTER, render_chunk, top_n=top_n, budget=TokenBudget(1, 1))
    return postprocessor.postprocess_nodes(nodes, query)


def tokens(nodes: list[NodeWithScore]) -> int:
    return COUNTER.count(render_context(nodes))


def node(text: str, source: str = "manual", core: str | None = None) -> NodeWithScore:
    start = text.index(core) if core else 0
    end = start + len(core or text)
    return NodeWithScore(
        node=TextNode(text=text, start_char_idx=start, end_char_idx=end, metadata={"source": source, "title": ""}),
        score=1.0,
    )


@settings(max_examples=300)
@given(pieces(), st.integers(0, 400), st.integers(0, 400), st.sampled_from(["manual", None]))
def test_the_budget_is_never_exceeded_and_nothing_is_made_up(
    nodes: list[NodeWithScore], primary: int, secondary: int, primary_source: str | None
) -> None:
    budget = TokenBudget(primary, secondary, primary_source)
    shown = fit(nodes, budget)
    assert tokens(shown) <= budget.total
    originals = {n.node.node_id: n.node.get_content() for n in nodes}
    assert all(n.node.get_content() and n.node.get_content() in originals[n.node.node_id] for n in shown)
    is_primary = [budget.is_primary(n.node.metadata["source"]) for n in shown]
    assert is_primary == sorted(is_primary, reverse=True)


@settings(max_examples=200)
@given(pieces(), st.integers(60, 400), st.integers(60, 400))
def test_each_source_gets_at_least_what_it_would_get_alone_within_its_share(
    nodes: list[NodeWithScore], primary: int, secondary: int
) -> None:
    both = fit(nodes, TokenBudget(primary, secondary, "manual"), top_n=9)  # more numbers would cost a token more
    for source, share in (("manual", primary), ("faq", secondary)):
        own = [n for n in nodes[:9] if n.node.metadata["source"] == source]
        alone = fit(own, TokenBudget(share, 0), top_n=9)
        together = [n for n in both if n.node.metadata["source"] == source]
        assert tokens(together) >= tokens(alone)


def test_every_chunk_shows_its_core_before_any_shows_more() -> None:
    long = " ".join(["جملهٔ زمینه."] * 30) + " پاسخ همین است. " + " ".join(["جملهٔ دیگر."] * 30)
    shown = fit([node(long, core="پاسخ همین است.") for _ in range(4)], TokenBudget(200, 0))
    assert len(shown) == 4
    assert all("پاسخ همین است." in n.node.get_content() for n in shown)
    lengths = [len(n.node.get_content()) for n in shown]
    assert lengths[0] > lengths[1] >= lengths[3]
    assert 185 < tokens(shown) <= 200


def found_in_parent(text: str, core: str, found: str) -> NodeWithScore:
    """Return a parent of which a child was found first, and others from the start to the end of `found`."""
    scored = node(text, core=core)
    first = text.index(found)
    places = {"found_start_idx": first, "found_end_idx": first + len(found)}
    return NodeWithScore(node=FoundInParent(**{**dict(scored.node), **places}), score=1.0)


def test_what_else_was_found_in_a_parent_is_shown_before_the_next_node() -> None:
    core, found = "پاسخ در این جمله است.", "پیش از آن این آمد. پاسخ در این جمله است. و پس از آن این آمد."
    text = f"{'جملهٔ زمینه. ' * 20}{found}{' جملهٔ دیگر.' * 20}"
    one, other = found_in_parent(text, core, found), node(f"{'یک جملهٔ کوتاه دیگر. ' * 6}", "manual")
    enough = tokens([node(found), node("یک جملهٔ کوتاه دیگر.")]) + 15  # sentence by sentence it counts as a little more
    shown = fit([one, other], TokenBudget(enough, 0))
    assert len(shown) == 2
    assert found in shown[0].node.get_content()
    assert fit([node(text, core=core), other], TokenBudget(enough, 0))[0].node.get_content().find(found) == -1
    for budget in range(tokens([node(core)]), tokens([node(found)])):  # the best child first
        assert core in fit([one], TokenBudget(budget, 0))[0].node.get_content()


def test_what_one_share_leaves_the_other_gets() -> None:
    long = " ".join(["یک جملهٔ کوتاه."] * 60)
    manual, faq = node(long, "manual"), node("کوتاه.", "faq")
    shown = fit([manual, faq], TokenBudget(100, 200, "manual"))
    assert tokens([n for n in shown if n.node.metadata["source"] == "manual"]) > 200
    shown = fit([node("کوتاه.", "manual"), node(long, "faq")], TokenBudget(200, 100, "manual"))
    assert tokens([n for n in shown if n.node.metadata["source"] == "faq"]) > 200


def test_a_share_of_nothing_shows_nothing() -> None:
    shown = fit([node("الف.", "manual"), node("ب.", "faq")], TokenBudget(0, 100, "manual"))
    assert [n.node.metadata["source"] for n in shown] == ["faq"]


def test_a_core_that_does_not_fit_is_cut_after_a_sentence() -> None:
    core = "جملهٔ یکم کوتاه است. جملهٔ دوم کوتاه است. جملهٔ سوم کوتاه است."
    (shown,) = fit([node(core)], TokenBudget(45, 0))
    assert shown.node.get_content() in ("جملهٔ یکم کوتاه است.", "جملهٔ یکم کوتاه است. جملهٔ دوم کوتاه است.")


def test_what_is_left_out_says_why() -> None:
    query = RetrievalQuery("q", tenant="t", budget=TokenBudget(60, 0))
    nodes = [node("یک جملهٔ کوتاه."), node("یک جملهٔ بلندتر که در بودجه جا نمی‌شود و باید کنار گذاشته شود."), node("سه.")]
    for n in nodes:
        query.trace.chunks[n.node.node_id] = ChunkTrace(n.node.node_id, "d", "manual", "")
    shown = TokenBudgetPostprocessor(COUNTER, render_chunk, top_n=2, budget=TokenBudget(1, 1)).postprocess_nodes(
        nodes, query
    )
    assert [n.node.node_id for n in shown] == [nodes[0].node.node_id]
    reasons = [query.trace.chunks[n.node.node_id].dropped for n in nodes]
    assert reasons == [None, "context: does not fit the budget of 60 tokens", "context: below the best 2"]
    costs = [query.trace.chunks[n.node.node_id].tokens for n in nodes]
    assert costs == [COUNTER.count(render_chunk(1, shown[0].node)), None, None]


def test_what_a_chunk_costs_is_told_of_what_is_left_of_it() -> None:
    class Squares:
        name = "squares"

        def count(self, text: str) -> int:
            return len(text.split()) ** 2

    sentences = " ".join(["یک جملهٔ کوتاه."] * 4)
    query = RetrievalQuery("q", tenant="t", budget=TokenBudget(700, 0))
    nodes = [node(sentences), node(sentences)]
    for n in nodes:
        query.trace.chunks[n.node.node_id] = ChunkTrace(n.node.node_id, "d", "manual", "")
    shown = TokenBudgetPostprocessor(Squares(), render_chunk, budget=TokenBudget(1, 1)).postprocess_nodes(nodes, query)
    assert len(shown[1].node.get_content()) < len(shown[0].node.get_content())
    costs = [query.trace.chunks[n.node.node_id].tokens for n in nodes]
    assert costs == [Squares().count(render_chunk(1, n.node)) for n in shown]
