"""What rag_app brings may be passed on with a program under the MIT licence, and `docs/licences.md` lists it."""

from __future__ import annotations

import re
import runpy
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def licences() -> dict[str, Any]:
    return runpy.run_path(str(ROOT / "examples" / "licences.py"))


@pytest.fixture(scope="module")
def listed() -> dict[str, dict[str, str]]:
    """The packages of each part of the list, with their licences."""
    parts = re.split(r"^## (.+)\n", (ROOT / "docs" / "licences.md").read_text("utf-8"), flags=re.MULTILINE)[1:]
    rows = re.compile(r"^\| ([a-z0-9-]+) \| (.+) \| [a-z ]+ \|$", re.MULTILINE)
    return {title: dict(rows.findall(text)) for title, text in zip(parts[::2], parts[1::2], strict=True)}


def test_every_package_of_the_core_and_of_each_extra_is_listed(
    licences: dict[str, Any], listed: dict[str, dict[str, str]]
) -> None:
    core = licences["packages"]()
    assert {"llama-index-core", "hazm", "psycopg", "numpy"} <= core
    assert core <= set(listed["core"])
    assert set(listed) == {"core", *(f"extra `{extra}`" for extra in licences["extras"]())}
    for extra in licences["extras"]():
        assert licences["packages"](extras=[extra]) <= set(listed["core"]) | set(listed[f"extra `{extra}`"]), extra


def test_what_an_extra_brings_by_another_is_counted(licences: dict[str, Any]) -> None:
    brought = licences["packages"](extras=["notebooks"])
    assert {"pandas", "matplotlib", "ir-measures", "ipykernel"} <= brought
    assert "rag-app" not in brought


def test_none_is_unknown_and_the_copyleft_ones_are_weak_and_named(
    licences: dict[str, Any], listed: dict[str, dict[str, str]]
) -> None:
    packages = {name for names in listed.values() for name in names}
    kinds = {name: licences["kind"](licences["licence"](name)) for name in packages if licences["_installed"](name)}
    assert {name for name, kind in kinds.items() if kind == "unknown"} == set()
    weak = {name for name, kind in kinds.items() if kind == "weak copyleft"}
    named = re.findall(r"^- (.+)$", (ROOT / "docs" / "licences.md").read_text("utf-8"), re.MULTILINE)
    assert weak == set(named)
    assert {"psycopg", "gensim"} <= weak


@pytest.mark.parametrize(
    ("stated", "kind"),
    [
        ("MIT", "permissive"),
        ("Apache-2.0 OR BSD-2-Clause", "permissive"),
        ("LGPL-3.0-only", "weak copyleft"),
        ("GNU Library or Lesser General Public License (LGPL)", "weak copyleft"),
        ("MPL-2.0 AND MIT", "weak copyleft"),
        ("GPL-3.0-or-later", "unknown"),
        ("AGPL-3.0", "unknown"),
        ("GNU General Public License v3 (GPLv3)", "unknown"),
        ("Proprietary", "unknown"),
        ("", "unknown"),
    ],
)
def test_a_licence_is_told_by_what_it_asks(licences: dict[str, Any], stated: str, kind: str) -> None:
    assert licences["kind"](stated) == kind
