"""Every test that SECURITY.md names is there, and every version that it tells of is the one that is held."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "SECURITY.md").read_text("utf-8")


def test_every_test_that_is_named_exists() -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", TEXT)
    assert len(named) > 60
    for file, name in named:
        assert re.search(rf"def {name}\b", (ROOT / file).read_text("utf-8")), f"{file}::{name}"


def test_every_file_of_these_tests_is_named() -> None:
    named = set(re.findall(r"tests/security/(\w+\.py)", TEXT))
    assert named == {file.name for file in Path(__file__).parent.glob("test_*.py")} - {Path(__file__).name}


def test_the_versions_that_were_reviewed_are_those_that_are_held() -> None:
    lines = (ROOT / "constraints.txt").read_text("utf-8").lower().splitlines()
    held = dict(line.split("==") for line in lines if "==" in line)
    (table,) = re.findall(r"\| package \| held .*?\n\n", TEXT, re.DOTALL)
    reviewed = {}
    for row in table.splitlines()[2:-1]:
        names, versions = row.split("|")[1:3]
        if "embedded" not in names:
            reviewed.update(zip(names.strip().lower().split(", "), versions.strip().split(", "), strict=True))
    assert len(reviewed) > 20
    assert {name: held[name] for name in reviewed} == reviewed
