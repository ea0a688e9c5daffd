"""Every block of every page is run by a test, and what the pages point to is there."""

from __future__ import annotations

import re
import tomllib
from collections import Counter

import pytest
import yaml

from rag_app.config import Settings, load_settings
from rag_app.kinds import COMPONENTS
from tests.deploy.test_prometheus import CHUNKS, MEAN, SUCCESS
from tests.docs.pages import BLOCKS, ELSEWHERE, PAGES, PYTHON, README, ROOT, Block, blocks

RUN = {"python", "sh", "bash", "yaml", "toml", "promql"}
NOT_RUN = {"": "a drawing of the stages"}


def test_no_block_is_of_a_kind_that_nothing_runs() -> None:
    assert {block.language for block in BLOCKS} <= RUN | set(NOT_RUN)
    (drawing,) = (block for block in BLOCKS if not block.language)
    assert drawing.text.startswith("question ─▶ ①")


def test_blocks_that_are_run_elsewhere_are_all_known_there() -> None:
    found = Counter((block.page, block.language) for block in BLOCKS)
    assert {place: found[place] for place in ELSEWHERE} == ELSEWHERE


def test_every_block_of_python_is_run() -> None:
    found = [[name for name, phrase in PYTHON.items() if phrase in block.text] for block in blocks("python")]
    assert sorted(found) == sorted([name] for name in PYTHON)


@pytest.mark.parametrize("block", [block for block in blocks("yaml") if "synonyms" not in block.text], ids=str)
def test_yaml_is_valid_settings(block: Block, tmp_path_factory: pytest.TempPathFactory) -> None:
    file = tmp_path_factory.mktemp("yaml") / "settings.yaml"
    file.write_text(block.text, "utf-8")
    load_settings(file)


def test_the_yaml_of_the_readme_states_the_defaults() -> None:
    (block,) = (block for block in blocks("yaml") if block.page == "README.md")
    given = yaml.safe_load(block.text)
    assert given["deadline_s"] == Settings().deadline_s
    assert given["context"].items() <= Settings().context.model_dump().items()


def test_toml_names_groups_of_kinds() -> None:
    (block,) = blocks("toml")
    (group,) = tomllib.loads(block.text)["project"]["entry-points"]
    assert group.removeprefix("rag_app.") in COMPONENTS


def test_promql_is_what_a_real_prometheus_is_asked() -> None:
    (block,) = blocks("promql")
    assert block.text.splitlines() == [MEAN, SUCCESS, CHUNKS]


def test_the_pictures_are_all_shown() -> None:
    shown = {name for text in PAGES.values() for name in re.findall(r"[\w-]+\.png", text)}
    assert shown == {file.name for file in (ROOT / "docs").glob("*.png")}


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_somewhere(page: str) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)]+)\)", PAGES[page]):
        path, _, anchor = target.partition("#")
        file = ((ROOT / page).parent / path).resolve() if path else ROOT / page
        assert file.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.+)$", file.read_text("utf-8"), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}, target


@pytest.mark.parametrize("page", PAGES)
def test_every_place_that_is_named_exists(page: str) -> None:
    theirs = {"my-lexicon.yaml", "my-intents.yaml", "other.yaml", "shop/receivers.py"}  # of those who read it
    places = set(re.findall(r"`([\w/-]+(?:\.py|\.yaml|/))`", PAGES[page])) - theirs
    assert [place for place in places if not (ROOT / "rag_app" / place).exists() and not (ROOT / place).exists()] == []


def test_the_readme_links_every_page() -> None:
    linked = set(re.findall(r"\((docs/[\w-]+\.md)", README))
    assert linked == set(PAGES) - {"README.md"}
