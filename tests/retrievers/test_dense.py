from collections.abc import Callable

import numpy as np

from rag_app import RagApp
from rag_app.embeddings import HashingEmbedding
from rag_app.schema import Reading, RetrievalQuery

WORDS = [
    "ارسال",
    "پست",
    "کتاب",
    "شهریه",
    "تخفیف",
    "کلاس",
    "مدرس",
    "آزمون",
    "گواهی",
    "شعبه",
    "ثبت",
    "بورسیه",
    "اقساط",
    "مرجوعی",
]


def test_it_finds_the_nearest_twenty_of_brute_force(
    app: RagApp, ask: Callable[..., RetrievalQuery], tenant: str
) -> None:
    rng = np.random.default_rng(7)
    texts = [" ".join(rng.choice(WORDS, size=rng.integers(2, 9))) + f" {number}" for number in range(120)]
    app.ingest([{"id": str(n), "text": text, "source": f"s{n % 2}"} for n, text in enumerate(texts)], tenant=tenant)
    leg = app.pipeline.retriever.legs["dense"]
    embed = HashingEmbedding()
    vectors = np.array(embed.get_text_embedding_batch(texts), dtype=np.float16).astype(np.float64)
    query = np.array(embed.get_query_embedding("تخفیف شهریه کلاس"))
    similarity = vectors @ query / np.linalg.norm(vectors, axis=1)
    for sources, allowed in ((None, range(120)), (("s1",), range(1, 120, 2))):
        nearest = sorted(allowed, key=lambda n: -similarity[n])[:20]
        found = leg.retrieve(ask("تخفیف شهریه کلاس", tenant, sources))
        np.testing.assert_allclose([node.score for node in found], similarity[nearest], atol=2e-3)
        assert len({int(node.node.metadata["doc_id"]) for node in found} & set(nearest)) >= 19  # ties may differ


def test_a_misspelt_word_is_near(app: RagApp, ask: Callable[..., RetrievalQuery], tenant: str) -> None:
    app.ingest([{"id": word, "text": word} for word in WORDS], tenant=tenant)
    found = app.pipeline.retriever.legs["dense"].retrieve(ask("مرجوعیی", tenant))
    assert found[0].node.metadata["doc_id"] == "مرجوعی"


def test_what_the_question_was_read_as_is_embedded(
    app: RagApp, ask: Callable[..., RetrievalQuery], tenant: str
) -> None:
    app.ingest([{"id": word, "text": word} for word in WORDS], tenant=tenant)
    leg = app.pipeline.retriever.legs["dense"]
    query = ask("aghsat", tenant)
    assert leg.retrieve(query)[0].score < 0.5
    query.reading = Reading((), "اقساط")
    best = leg.retrieve(query)[0]
    assert best.node.metadata["doc_id"] == "اقساط"
    assert best.score > 0.99


def test_a_chunk_without_a_word_lies_nowhere_and_spoils_nothing(
    app: RagApp, ask: Callable[..., RetrievalQuery], tenant: str
) -> None:
    app.ingest([{"id": "words", "text": "ارسال سفارش"}, {"id": "none", "text": "- - - * * *"}], tenant=tenant)
    found = app.pipeline.retriever.legs["dense"].retrieve(ask("ارسال", tenant))
    assert [node.node.metadata["doc_id"] for node in found] == ["words"]
    assert not app.retrieve("ارسال", tenant=tenant).degraded
