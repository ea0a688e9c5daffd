"""What the pages state is so."""

from __future__ import annotations

import re
import runpy
from collections import Counter
from pathlib import Path

from rag_app.flags import FLAGS
from rag_app.persian import Lexicons, Vocabulary
from tests.docs.pages import PAGES, README, ROOT, blocks


def test_commands_and_settings_are_written_as_they_are() -> None:
    docs = runpy.run_path(str(ROOT / "examples" / "docs.py"))
    for page in docs["GENERATED"]:
        assert docs["written"](page) == PAGES[f"docs/{page.name}"], "make docs writes it anew"


def test_the_flags_of_the_readme_are_the_flags_and_their_defaults() -> None:
    (table,) = re.findall(r"\| flag \| default.*?\n\n", README, re.DOTALL)
    told = {}
    for row in table.split("\n")[2:-2]:
        names, defaults = row.split("|")[1:3]
        told.update(zip(re.findall(r"`(\w+)`", names), defaults.replace("`", "").split(","), strict=True))
    assert {name: default.strip() for name, default in told.items()} == {
        name: str(flag.default).lower() for name, flag in FLAGS.items()
    }


def test_the_lexicon_of_the_pages_is_valid(tmp_path: Path) -> None:
    (text,) = (block.text for block in blocks("yaml") if "synonyms" in block.text)
    (tmp_path / "lexicon.yaml").write_text(text, "utf-8")
    lexicons = Lexicons(tmp_path / "lexicon.yaml")
    assert "sneaker" in lexicons.of("my-shop").synonyms("کتونی")
    assert "sneaker" not in lexicons.of("another").synonyms("کتونی")
    assert lexicons.of("another").without_courtesies(["با", "ارزوی", "موفقیت", "پنل"]) == ["پنل"]


def test_the_spellings_of_the_readme_are_read_as_it_says() -> None:
    texts = [["شهریه", "کلاس"], ["1250000"], ["میخواهم", "می", "خواهم"], ["کتاب"], ["هزینه"], ["تهران"], ["شدن"]]
    texts += [["بورسیه"], ["انصراف"], ["قسطی"], ["لغو"]]
    vocabulary = Vocabulary.of_counts(
        Counter(word for words in texts for word in words), len(texts), Lexicons().of("t")
    )
    (table,) = re.findall(r"\| the customer types.*?\n\n", README, re.DOTALL)
    rows = [re.findall(r"`([^`]+)`", row) for row in table.splitlines()[2:] if "nothing" not in row]
    read = {typed: [word.matches for word in vocabulary.read(typed).words] for row in rows for typed in row}
    for typed, meant in [
        ("شهريه كلاس", ("شهریه", "کلاس")),
        ("۱٬۲۵۰٬۰۰۰", ("1250000",)),
        ("می خواهم", ("میخواهم", "میخواهم")),
        ("میخواهم", ("میخواهم",)),
        ("می‌خواهم", ("میخواهم",)),
        ("کتاباشونو", ("کتاب",)),
        ("هزینه‌ش", ("هزینه",)),
        ("تهرون", ("تهران",)),
        ("میشه", ("شدن",)),
        ("بورصیه", ("بورسیه",)),
        ("انصراق", ("انصراف",)),
        ("ghesti", ("قسطی",)),
        ("qesti", ("قسطی",)),
        ("ghsty", ("قسطی",)),
        ("کنسل", ("انصراف",)),
        ("cancel", ("لغو",)),
    ]:
        assert [matches.get(word, 0) >= 0.75 for matches, word in zip(read[typed], meant, strict=True)] == [True] * len(
            meant
        ), typed
    assert [word.typed for word in vocabulary.read("سلام خسته نباشید کتاب").words] == ["کتاب"]
