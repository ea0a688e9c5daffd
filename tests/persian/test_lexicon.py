from __future__ import annotations

from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
import yaml

from rag_app.errors import ConfigurationError
from rag_app.persian import Lexicons, PersianAnalyzer
from rag_app.persian.lexicon import Lexicon

Write = Callable[[str], Path]
SHIPPED = resources.files("rag_app.persian").joinpath("lexicon.yaml")


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a lexicon file and returns its path."""

    def make(text: str) -> Path:
        file = tmp_path / "lexicon.yaml"
        file.write_text(text, "utf-8")
        return file

    return make


def test_the_shipped_file_is_valid_by_the_rules_for_a_deployments_own(write: Write) -> None:
    text = SHIPPED.read_text("utf-8")
    Lexicons(write(text))
    entries: dict[str, list[Any]] = yaml.safe_load(text)
    assert set(entries) == {"synonyms", "courtesies"}
    assert all(len(set(group)) == len(group) for group in entries["synonyms"])
    assert len(set(entries["courtesies"])) == len(entries["courtesies"])


def test_every_shipped_group_and_courtesy_is_in_force() -> None:
    entries: dict[str, list[Any]] = yaml.safe_load(SHIPPED.read_text("utf-8"))
    lexicon, analyzer = Lexicons().of("t"), PersianAnalyzer()
    for group in entries["synonyms"]:
        words = {"".join(analyzer.words(word)) for word in group}
        assert all(words - {word} <= lexicon.synonyms(word) for word in words)
    for phrase in entries["courtesies"]:
        assert lexicon.without_courtesies([*analyzer.words(phrase), "شهریه"]) == ["شهریه"], phrase


def test_written_and_spoken_forms_that_hazm_lists_are_synonyms() -> None:
    assert "خانه" in Lexicons().of("t").synonyms("خونه")
    assert "اگر" in Lexicons().of("t").synonyms("اگه")


def test_a_form_of_a_word_has_its_synonyms() -> None:
    lexicon = Lexicon({"synonyms": [["شهریه", "هزینه", "کارت‌به‌کارت"]]})
    assert lexicon.synonyms("هزینهها") == lexicon.synonyms("هزینه") == {"شهریه", "کارتبهکارت"}
    assert lexicon.synonyms("کارتبهکارت") == {"شهریه", "هزینه"}
    assert lexicon.synonyms("پارکینگ") == frozenset()
    assert set(lexicon.words) == {"شهریه", "هزینه", "کارتبهکارت"}


def test_a_word_is_compared_folded() -> None:
    assert Lexicon({"synonyms": [["كتاب", "جُزوه"]]}).synonyms("کتاب") == {"جزوه"}


def test_courtesies_are_left_out_the_longest_first() -> None:
    lexicon = Lexicon({"courtesies": ["سلام", "وقت بخیر", "یه سوال", "یه سوال داشتم"]})
    said = ["سلام", "وقت", "بخیر", "یه", "سوال", "داشتم", "وقت", "کلاس", "کی"]
    assert lexicon.without_courtesies(said) == ["وقت", "کلاس", "کی"]


@pytest.mark.parametrize("said", [["سلام"], ["سلام", "وقت", "بخیر"], []])
def test_all_is_kept_if_nothing_else_is_said(said: list[str]) -> None:
    assert Lexicon({"courtesies": ["سلام", "وقت بخیر"]}).without_courtesies(said) == said


def test_what_deployment_and_tenant_add_comes_on_top_and_tenants_do_not_see_each_others(write: Write) -> None:
    lexicons = Lexicons(
        write("""
            synonyms: [[شهریه, توشن]]
            courtesies: [یاالله]
            tenants:
              shop:
                synonyms: [[شهریه, بلیت]]
                courtesies: [عزیزجان]
              "123": {synonyms: [[شهریه, کرایه]]}
        """)
    )
    shop, numbered, other = lexicons.of("shop"), lexicons.of("123"), lexicons.of("other")
    assert {"هزینه", "توشن", "بلیت"} <= shop.synonyms("شهریه")
    assert {"هزینه", "توشن", "کرایه"} <= numbered.synonyms("شهریه")
    assert {"هزینه", "توشن"} <= other.synonyms("شهریه")
    assert not {"بلیت", "کرایه"} & other.synonyms("شهریه")
    assert "کرایه" not in shop.synonyms("شهریه")
    assert "بلیت" not in numbered.synonyms("شهریه")
    said = ["سلام", "یاالله", "عزیزجان", "کلاس"]
    assert shop.without_courtesies(said) == ["کلاس"]
    assert other.without_courtesies(said) == ["عزیزجان", "کلاس"]
    assert Lexicons().of("shop").without_courtesies(said) == ["یاالله", "عزیزجان", "کلاس"]


def test_tenants_without_entries_share_one_lexicon(write: Write) -> None:
    lexicons = Lexicons(write("tenants: {shop: {}}"))
    assert lexicons.of("a") is lexicons.of("b")
    assert lexicons.of("shop") is lexicons.of("shop") is not lexicons.of("a")


@pytest.mark.parametrize("text", ["", "# nothing yet", "tenants: {}", "synonyms: []", "tenants: {t: {courtesies: []}}"])
def test_a_file_may_add_nothing(write: Write, text: str) -> None:
    assert "هزینه" in Lexicons(write(text)).of("t").synonyms("شهریه")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("synonyms: [", "is not YAML"),
        ("[a, b]", "must map synonyms and courtesies to lists, not be a list"),
        ("no", "must map synonyms and courtesies to lists, not be a bool"),
        ("synonims: []", "unknown section 'synonims': did you mean 'synonyms'?"),
        ("1: []", "unknown section '1'"),
        ("synonyms: a", "synonyms must be a list of groups"),
        ("synonyms:", "synonyms must be a list of groups"),
        ("synonyms: [[پول]]", "synonyms must be a list of groups"),
        ("synonyms: [پول, وجه]", "synonyms must be a list of groups"),
        ("synonyms: [[پول, 3]]", "synonyms must be a list of groups"),
        ("synonyms: [[پول, '؟!']]", "synonyms must be a list of groups"),
        ("courtesies: سلام", "courtesies must be a list of phrases"),
        ("courtesies: [[سلام]]", "courtesies must be a list of phrases"),
        ("courtesies: ['']", "courtesies must be a list of phrases"),
        ("tenants: [a]", "tenants must map tenants to their entries, not be a list"),
        ("tenants:", "tenants must map tenants to their entries, not be a NoneType"),
        ("tenants: {shop: [a]}", "tenants: shop must map synonyms and courtesies to lists, not be a list"),
        ("tenants: {shop: {tenants: {}}}", "tenants: shop: unknown section 'tenants'"),
        ("tenants: {shop: {synonyms: [[a]]}}", "tenants: shop: synonyms must be a list of groups"),
        ("tenants: {123: {synonyms: [[پول, وجه]]}}", "tenants: 123 is no text: write it in quotes"),
    ],
)
def test_a_file_that_can_not_be_used_names_itself_and_the_place(write: Write, text: str, message: str) -> None:
    file = write(text)
    with pytest.raises(ConfigurationError) as raised:
        Lexicons(file)
    assert message in str(raised.value)
    assert str(file) in str(raised.value)


def test_a_file_that_is_missing_or_no_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_bytes(b"\xff\xfe\x00")
    for name, reason in (("none.yaml", "can not be read"), ("bad.yaml", "is not YAML"), (".", "can not be read")):
        with pytest.raises(ConfigurationError, match=reason) as raised:
            Lexicons(tmp_path / name)
        assert str(tmp_path) in str(raised.value)
