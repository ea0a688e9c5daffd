"""Write `rag_app/tokens/pieces.txt`, by which tokens are estimated, from the vocabularies that the estimate stands for.

    python benchmarks/token_pieces.py TOKENIZER.json TOKENIZER.json

Each is a tokenizer.json in the format of `tokenizers`, with byte-pair merges: the published Gemma 3 and Gemini
vocabularies. Only a small part of them is kept: the first merges of Persian and of Latin letters of each, characters
that are one token in all of them, and frequent words that are.
"""

from __future__ import annotations

import argparse
import json
import re
import unicodedata
from pathlib import Path

from rag_app.persian.frequencies import RAREST_IDF, counted_idf
from rag_app.tokens.estimate import LATIN, PERSIAN
from rag_app.tokens.pieces import FILE, MERGES, SPACE, WORDS, Merge, Pieces

FIRST_MERGES = {PERSIAN: 4000, LATIN: 1000}  # of each vocabulary
LATIN_WORDS = 4000
# Latin, Persian, general punctuation, symbols, emoji
BLOCKS = (range(0xA1, 0x180), range(0x600, 0x700), range(0x200C, 0x2800), range(0x1F000, 0x1FB00))


def first_merges(merges: list[str] | list[list[str]]) -> list[Merge]:
    """Return the first merges of each script, in order; a space may stand before the letters."""
    pairs = [tuple(merge.split(" ", 1) if isinstance(merge, str) else merge) for merge in merges]
    kept: list[Merge] = []
    for letters, most in FIRST_MERGES.items():
        piece = re.compile(rf"{SPACE}?[{letters}]+")
        kept += [(left, right) for left, right in pairs if piece.fullmatch(left + right)][:most]
    return kept


def fit_for_a_line(char: str) -> bool:
    """Tell whether a character is neither a space nor a control character, other than those of Persian."""
    return unicodedata.category(char)[0] not in "CZ" or char in "\u200c\u200d\u200e\u200f"


def main() -> None:
    """Write the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tokenizers", type=Path, nargs="+")
    models = [json.loads(file.read_text("utf-8"))["model"] for file in parser.parse_args().tokenizers]
    ranks = {  # of what is a token in all of them: the more frequent, the lower
        token: max(model["vocab"][token] for model in models)
        for token in models[0]["vocab"]
        if all(token in model["vocab"] for model in models)
    }
    candidates = (char for block in BLOCKS for char in map(chr, block))
    characters = "".join(char for char in candidates if char in ranks and fit_for_a_line(char))
    merges = [first_merges(model["merges"]) for model in models]
    pieces = Pieces(characters, (), merges)
    spaced = (token for token in sorted(ranks, key=ranks.__getitem__) if token.startswith(SPACE))
    costly = [token[1:] for token in spaced if pieces.letters(token) > 1]
    words = [word for word in costly if re.fullmatch(f"[{PERSIAN}]+", word) and counted_idf(word) < RAREST_IDF]
    words += [word for word in costly if re.fullmatch("[a-z]+", word) and SPACE + word.capitalize() in ranks][
        :LATIN_WORDS
    ]
    lines = [characters, WORDS, *sorted(words)]
    for own in merges:
        lines += [MERGES, *(f"{left} {right}" for left, right in own)]
    FILE.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"{FILE}: {len(characters)} characters, {len(words)} words, {sum(map(len, merges))} merges")


if __name__ == "__main__":
    main()
