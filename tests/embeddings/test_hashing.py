import asyncio
import hashlib
import math
import subprocess
import sys
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag_app.embeddings import HashingEmbedding
from rag_app.persian import idf
from rag_app.persian.frequencies import hazm_data
from rag_app.persian.inflection import verb_forms

MODEL = HashingEmbedding()
TEXTS = ["شهریه کلاس آیلتس چقدر است؟", "گواهینامه پایان دوره", "opening hours of the branch", "", "شهریه شهریه شهریه"]

DIGEST = """
import hashlib, sys
import numpy as np
from rag_app.embeddings import HashingEmbedding
texts = sys.stdin.read().split("|")
print(hashlib.sha256(np.array(HashingEmbedding().get_text_embedding_batch(texts)).round(5).tobytes()).hexdigest())
"""


def likeness(first: str, second: str, model: HashingEmbedding = MODEL) -> float:
    return float(np.dot(model.get_query_embedding(first), model.get_text_embedding(second)))


@pytest.mark.parametrize("embed_dim", [64, 1024])
def test_a_vector_has_the_dimension_asked_for_and_unit_length(embed_dim: int) -> None:
    vector = HashingEmbedding(embed_dim=embed_dim).get_text_embedding(TEXTS[0])
    assert len(vector) == embed_dim
    assert math.isclose(np.linalg.norm(vector), 1.0, rel_tol=1e-5)


@given(st.text(alphabet=st.characters()) | st.text(alphabet="ابپ‌کی abc ۱۲", max_size=60))
@settings(max_examples=60)
def test_any_text_has_a_vector_of_unit_length_or_of_zeros(text: str) -> None:
    vector = MODEL.get_text_embedding(text)
    assert len(vector) == MODEL.embed_dim
    length = float(np.linalg.norm(vector))
    assert length == 0.0 or math.isclose(length, 1.0, rel_tol=1e-5)


@pytest.mark.parametrize("text", ["", "  \n", "؟! 😀"])
def test_a_text_without_words_gives_zeros(text: str) -> None:
    assert MODEL.get_text_embedding(text) == [0.0] * 1024
    assert MODEL.get_text_embedding_batch([text, text]) == [[0.0] * 1024] * 2


def test_another_process_gives_the_same_vectors() -> None:
    printed = subprocess.run(
        [sys.executable, "-c", DIGEST],
        input="|".join(TEXTS),
        capture_output=True,
        text=True,
        check=True,
        encoding="utf-8",
        env={"PYTHONHASHSEED": "77", "PYTHONUTF8": "1"},
    ).stdout.strip()
    assert printed == hashlib.sha256(np.array(MODEL.get_text_embedding_batch(TEXTS)).round(5).tobytes()).hexdigest()


def test_a_batch_gives_the_vectors_of_its_texts() -> None:
    batch = MODEL.get_text_embedding_batch(TEXTS)
    assert np.allclose(batch, [MODEL.get_text_embedding(text) for text in TEXTS], atol=1e-6)
    assert np.allclose(batch, [MODEL.get_query_embedding(text) for text in TEXTS], atol=1e-6)


def test_waiting_for_a_vector_gives_the_same_one() -> None:
    async def both() -> tuple[list[float], list[float]]:
        return await MODEL.aget_query_embedding(TEXTS[0]), await MODEL.aget_text_embedding(TEXTS[0])

    query, text = asyncio.run(both())
    assert query == text == MODEL.get_text_embedding(TEXTS[0])


@pytest.mark.parametrize(
    ("word", "misspelt", "other"),
    [
        ("گواهینامه", "گواهی‌نامه", "پارکینگ"),
        ("آموزشگاه", "اموزشگاهه", "فروشگاه"),
        ("certificate", "certifcate", "parking"),
    ],
)
def test_a_misspelling_lies_nearer_than_another_word(word: str, misspelt: str, other: str) -> None:
    assert likeness(word, misspelt) > 0.4 > likeness(word, other)


def test_every_way_of_typing_a_text_gives_the_same_vector() -> None:
    assert MODEL.get_text_embedding("كتاب‌هاي ١٢") == MODEL.get_text_embedding("کتاب‌های ۱۲")


def test_a_rare_word_weighs_more_than_a_stop_word() -> None:
    assert likeness("شهریه است", "شهریه") > 0.9 > likeness("شهریه است", "است")


def test_a_long_word_weighs_no_more_than_a_short_one() -> None:
    short, long = "قژخ", "ضظطغثذژخقصشسیبل"
    assert likeness(f"{short} {long}", short) == pytest.approx(0.5**0.5, abs=0.1)
    assert likeness(f"{short} {long}", long) == pytest.approx(0.5**0.5, abs=0.1)


def test_a_repeated_word_weighs_more_but_not_in_proportion() -> None:
    once, thrice = likeness("شهریه گواهینامه", "شهریه"), likeness("شهریه شهریه شهریه گواهینامه", "شهریه")
    assert once < thrice < 0.95


def test_the_fingerprint_changes_with_the_dimension() -> None:
    assert MODEL.fingerprint == HashingEmbedding().fingerprint
    assert MODEL.fingerprint != HashingEmbedding(embed_dim=512).fingerprint
    # Change it here on purpose when the vectors change: users must then ingest anew.
    assert MODEL.fingerprint == "hashing-3-5-1024-2-persian-e6175bc52fa7"


def test_the_weights_of_words_are_those_of_the_fingerprint() -> None:
    words = sorted(
        {*hazm_data("stopwords.dat"), *verb_forms(), *(line.split("\t")[0] for line in hazm_data("words.dat"))}
    )
    weights = hashlib.sha256("\n".join(f"{word} {idf(word):.2f}" for word in words).encode())
    # They are in the vectors: change it here on purpose, and raise the version of the weights in the fingerprint.
    assert weights.hexdigest()[:12] == "1a86f806fb46"


def test_it_remembers_nothing_of_the_words_that_it_embeds() -> None:
    words = [f"واژه{number}" for number in range(3000)]
    tracemalloc.start()
    MODEL.get_text_embedding(" ".join(words))
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert held < 1_000_000  # their n-grams would take six times as much
