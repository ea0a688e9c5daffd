"""Compare the estimate of tokens with the vocabularies that it stands for.

    python benchmarks/tokens.py TOKENIZER.json [TOKENIZER.json ...] [--squad SQUAD.json]

Each is a tokenizer.json that `tokenizers` reads: the published Gemma 3 and Gemini vocabularies. A text counts as
undercounted if the estimate is below the most that any of them makes of it.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import statistics
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from tokenizers import Tokenizer

from rag_app.persian import sentence_spans
from rag_app.tokens import EstimatedTokenCounter

ROOT = Path(__file__).resolve().parent
sys.path.insert(0, str(ROOT / "persian"))

from squad import read_squad  # noqa: E402 - a script of its own folder
from ways import finglish  # noqa: E402

EMOJI = "😀😂🙏❤️👍🏽👨‍👩‍👧‍👦🇮🇷🎉🔥✅📦🚚☎️⏰💳🥲🫶©️™️①"
Texts = dict[str, list[str]]


def collect(squad: Path | None, most: int, rng: random.Random) -> Texts:
    """Return the texts by kind, at most `most` of each."""
    institute = ROOT.parent / "examples" / "institute"
    documents = [
        path.read_text("utf-8")
        for path in sorted(institute.rglob("*"))
        if path.suffix in (".md", ".csv", ".txt", ".jsonl")
    ]
    helpdesk = [
        json.loads(line)["text"] for line in (ROOT / "english/helpdesk/corpus.jsonl").read_text("utf-8").splitlines()
    ]
    asked = [json.loads(line)["text"] for line in (institute / "questions.jsonl").read_text("utf-8").splitlines()]
    texts: Texts = {"institute documents": documents, "English helpdesk": helpdesk}
    passages = documents
    if squad is not None:
        found, questions = read_squad(squad)
        passages = list(found.values())
        texts["Persian passages"] = passages
        asked += [question.text for question in questions]
    rng.shuffle(asked)
    persian = [piece for text in passages + documents for piece in _sentences(text)]
    english = [piece for text in helpdesk for piece in _sentences(text)]
    rng.shuffle(persian)
    texts["Persian questions"] = asked
    texts["Persian sentences"] = persian
    texts["English sentences"] = english
    texts["mixed"] = [f"{rng.choice(persian)} {rng.choice(english)}" for _ in range(most)]
    texts["mixed words"] = [
        " ".join(rng.sample(rng.choice(persian).split() + rng.choice(english).split(), 4)) for _ in range(most)
    ]
    texts["Finglish"] = [finglish(text, rng, "strong") for text in asked[:most]]
    texts["code"] = [path.read_text("utf-8")[:3000] for path in sorted((ROOT.parent / "rag_app").rglob("*.py"))]
    texts.update({kind: [make(rng) for _ in range(most)] for kind, make in MADE_UP.items()})
    return {kind: [text for text in some if text.strip()][:most] for kind, some in texts.items()}


def _sentences(text: str) -> Iterator[str]:
    for start, end in sentence_spans(text):
        yield text[start:end]


def _letters(alphabet: str, longest: int) -> Callable[[random.Random], str]:
    def make(rng: random.Random) -> str:
        words = ("".join(rng.choices(alphabet, k=rng.randint(1, longest))) for _ in range(rng.randint(1, 12)))
        return " ".join(words)

    return make


def _url(rng: random.Random) -> str:
    host = "".join(rng.choices("abcdefghijklmnoprstuvyz", k=rng.randint(3, 12)))
    path = "/".join(
        "".join(rng.choices("abcdefghijklmnopqrstuvwxyz0123456789-_%", k=rng.randint(1, 14))) for _ in range(3)
    )
    site = f"https://www.{host}.{rng.choice(['ir', 'com', 'co.uk', 'org'])}"
    return f"{site}/{path}?id={rng.randrange(10**9)}&q=%D8%B3%D9%84"


def _number(rng: random.Random) -> str:
    value = f"{rng.randrange(10 ** rng.randint(1, 12)):,}"
    digits = rng.choice(["0123456789", "۰۱۲۳۴۵۶۷۸۹", "٠١٢٣٤٥٦٧٨٩"])
    return rng.choice(["{} تومان", "{}%", "{}", "${}", "{}٬۰۰۰ ریال"]).format(
        value.translate(str.maketrans("0123456789,", digits + rng.choice(",٬.")))
    )


def _phone(rng: random.Random) -> str:
    digits = "".join(rng.choices("0123456789", k=10))
    return rng.choice(
        [
            f"+98 {digits[:3]} {digits[3:6]} {digits[6:]}",
            f"۰۲۱-{digits[:8]}",
            f"0{digits}",
            f"({digits[:3]}) {digits[3:]}",
        ]
    )


def _any_characters(rng: random.Random) -> str:
    return "".join(
        chr(code) for code in rng.choices(range(1, 0x30000), k=rng.randint(1, 60)) if not 0xD800 <= code < 0xE000
    )


def _odd_spaces(rng: random.Random) -> str:
    words = rng.choices("سلام دنیا کتاب\u200cها قیمت است the Delivery costs 12 ۵ ( . از".split(), k=12)  # noqa: SIM905
    return "".join(
        f"{rng.choice([' ', '  ', '   ', chr(10), chr(10) + ' ', ' ' + chr(10), ' ' * 9, chr(9), ''])}{word}"
        for word in words
    )


def _runs(rng: random.Random) -> str:
    return "".join(char * rng.choice([1, 2, 7, 31, 33, 90]) for char in rng.choices(" \n\t.-=_*#", k=4))


def _marks(rng: random.Random) -> str:
    return "".join(
        rng.choices(" \n\t.,;:!?()[]{}<>/\\|-_=+*&^%$#@~`'\"«»،؛؟…–—•\u200c\u200f\u202b\u00a0\r", k=rng.randint(1, 60))
    )


MADE_UP: dict[str, Callable[[random.Random], str]] = {
    "emoji": lambda rng: "".join(rng.choices([*re.findall(r".\ufe0f?", EMOJI), EMOJI], k=rng.randint(1, 12))),
    "URLs": _url,
    "numbers": _number,
    "phone numbers": _phone,
    "random Latin letters": _letters("abcdefghijklmnopqrstuvwxyzABCDEXYZ", 14),
    "random Persian letters": _letters("ابپتثجچحخدذرزژسشصضطظعغفقکگلمنوهیآئأؤ\u200cًُِّ", 14),
    "long words": lambda rng: "".join(rng.choices([*"abcdefgh", "the", "ing", "tion"], k=rng.randint(10, 200))),
    "odd spaces": _odd_spaces,
    "runs": _runs,
    "random marks": _marks,
    "random characters": _any_characters,
}


def main() -> None:
    """Print the table: kind, texts, undercounted, and what the estimate is above the count, as a share of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tokenizers", type=Path, nargs="+")
    parser.add_argument("--squad", type=Path)
    parser.add_argument("--most", type=int, default=1000, help="texts of each kind")
    parser.add_argument("--show", type=int, default=0, help="undercounted texts of each kind to print")
    options = parser.parse_args()
    vocabularies = [Tokenizer.from_file(str(file)) for file in options.tokenizers]
    counter = EstimatedTokenCounter()
    print(f"{'kind':24}{'texts':>7}{'under':>7}{'median':>9}{'p95':>9}")
    for kind, texts in collect(options.squad, options.most, random.Random(7)).items():  # noqa: S311 - no secret
        exact = [
            max(counts)
            for counts in zip(
                *(
                    [len(found) for found in vocabulary.encode_batch(texts, add_special_tokens=False)]
                    for vocabulary in vocabularies
                ),
                strict=True,
            )
        ]
        estimates = [counter.count(text) for text in texts]
        over = sorted(estimate / count - 1 for estimate, count in zip(estimates, exact, strict=True))
        under = [text for text, estimate, count in zip(texts, estimates, exact, strict=True) if estimate < count]
        print(f"{kind:24}{len(texts):7}{len(under):7}{statistics.median(over):9.0%}{over[int(len(over) * 0.95)]:9.0%}")
        for text in sorted(under, key=len)[: options.show]:
            tokens = [vocabulary.encode(text, add_special_tokens=False).tokens for vocabulary in vocabularies]
            print(f"    {counter.count(text)} {text!r} {max(tokens, key=len)}")


if __name__ == "__main__":
    main()
