from collections.abc import Callable
from pathlib import Path

import pytest

from rag_app.config import load_settings
from rag_app.errors import ConfigurationError
from rag_app.persian import Lexicons
from rag_app.query_analysis import read_intents
from rag_app.yaml_file import load_yaml


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "given.yaml"


def _laughs(levels: int) -> str:
    return "x0: &x0 [a]\n" + "\n".join(f"x{n}: &x{n} [{', '.join([f'*x{n - 1}'] * 9)}]" for n in range(1, levels))


@pytest.mark.parametrize("read", [load_settings, Lexicons, read_intents])
@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (_laughs(60), "with its aliases it has more than 1000000 values"),
        ("\n".join(["x0: &x0 [a]", *(f"x{n}: &x{n} [*x{n - 1}]" for n in range(1, 300))]), "more than 100 levels"),
        ("a: &a {b: *a}", "an alias stands for what it is in"),
        ("[" * 1000, "is nested too deep"),
        ("a: " + "[" * 150 + "]" * 150, "more than 100 levels"),
        ("a: 2026-13-45", "a value is no timestamp"),
        ("a: !!int secret", "a value is no int"),
        ("a: " + "9" * 5000, "a value is no int"),
        ("a: !!bool secret", "a value is no bool"),
        ("a: !!timestamp secret", "a value is no timestamp"),
        ("# " + "x" * 10_000_000, "has 10.0 MB; the limit is 10"),
    ],
)
def test_yaml_that_can_not_be_read_or_grows_by_itself_is_refused(
    file: Path, read: Callable[[Path], object], content: str, reason: str
) -> None:
    file.write_text(content)
    with pytest.raises(ConfigurationError) as raised:
        read(file)
    assert reason in str(raised.value)
    assert str(file) in str(raised.value)
    assert "secret" not in str(raised.value)


def test_aliases_and_merges_that_people_write_are_read(file: Path) -> None:
    file.write_text("a: &a {x: 1, y: [2]}\nb: {<<: *a, x: 3}\nc: [*a, *a]\n")
    assert load_yaml(file, "file")["b"] == {"x": 3, "y": [2]}
    file.write_text("")
    assert load_yaml(file, "file") is None
