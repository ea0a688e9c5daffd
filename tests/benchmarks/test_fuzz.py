"""A thousand hostile inputs, the same each time; `benchmarks/fuzz/fuzzing.py` goes on for as long as asked."""

import importlib
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

FUZZ = Path(__file__).parent.parent.parent / "benchmarks" / "fuzz"
KINDS = {  # and how many of each
    **dict.fromkeys(("file .html", "file .docx", "file .pdf"), 15),
    **dict.fromkeys(("file .csv", "file .jsonl", "file .md", "file .txt"), 20),
    **dict.fromkeys(("YAML", "filters", "arguments"), 100),
    **dict.fromkeys(("question", "text", "records"), 25),
}
MOST_BYTES = 60_000
LARGE = {  # for what they unpack to
    *("100,000 paragraphs", "20,000 numbered items", "20,000 rows", "20,000 runs", "fields within fields"),
    *("a bomb", "a bomb in a bomb", "forms of forms"),
}


@pytest.fixture(scope="module")
def script() -> Iterator[ModuleType]:
    """The script's targets and its tally; all are forgotten in the end, as their names may be other modules' too."""
    sys.path.insert(0, str(FUZZ))
    yield importlib.import_module("trying")
    sys.path.remove(str(FUZZ))
    for file in FUZZ.glob("*.py"):
        sys.modules.pop(file.stem, None)


@pytest.fixture(scope="module")
def targets(script: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """The targets by kind."""
    with importlib.import_module("targets").targets(tmp_path_factory.mktemp("hostile")) as found:
        assert set(found) == set(KINDS)
        yield found


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_but_our_own_errors_comes_of_hostile_input(
    script: ModuleType, targets: dict[str, Any], kind: str
) -> None:
    tally = script.Tally()
    for number in range(KINDS[kind]):
        tally.run(targets[kind](random.Random(number)))
    assert tally.broken == {}
    assert tally.tried == KINDS[kind]


def test_nothing_but_our_own_errors_comes_of_files_and_yaml_made_to_break_readers(
    script: ModuleType, tmp_path: Path
) -> None:
    targets, files = importlib.import_module("targets"), importlib.import_module("hostile_files")
    tally = script.Tally()
    with targets.Converter() as converter:
        for suffix, names in files.SEEDS.items():
            for name in names.keys() - LARGE:
                if len(content := files.seed(suffix, name)) <= MOST_BYTES:
                    tally.run(targets.file_trial(f"{suffix}: {name}", suffix, content, tmp_path, converter))
    for trial in targets.every_bomb(tmp_path / "bomb.yaml"):
        tally.run(trial)
    assert tally.broken == {}


def test_a_break_is_told(script: ModuleType) -> None:
    targets = importlib.import_module("targets")
    tally = script.Tally()
    tally.run(targets.Trial("text", 1, lambda: int("x")))
    tally.run(targets.Trial("good", 1, lambda: None))
    assert list(tally.broken.values()) == ["text: invalid literal for int() with base 10: 'x'"]
    assert (tally.tried, tally.refused) == (2, 0)
