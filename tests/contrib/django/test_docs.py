"""What `docs/django.md` says is run."""

from __future__ import annotations

import ast
import json
import re
import shlex
from pathlib import Path

import pytest
from django.core.management import get_commands, load_command_class
from django.db.models.signals import post_delete, post_save
from django.test import RequestFactory, override_settings

from rag_app.contrib.django.conf import project_settings
from tests.contrib.django.conftest import PROJECT

DOCUMENT = (Path(__file__).parents[3] / "docs" / "django.md").read_text("utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", DOCUMENT, re.DOTALL | re.MULTILINE)


def test_the_settings_are_valid() -> None:
    given: dict[str, object] = {"INSTALLED_APPS": [], "BASE_DIR": PROJECT}
    exec(compile(blocks("python")[0], "settings.py", "exec"), given)
    with override_settings(RAG_APP=given["RAG_APP"]):
        assert project_settings().data_dir == PROJECT / ".rag_app"
    assert given["INSTALLED_APPS"] == ["rag_app.contrib.django"]


def test_the_commands_are_there_and_take_these_arguments() -> None:
    lines = re.findall(r"^python manage.py (.*)$", "\n".join(blocks("sh")), re.MULTILINE)
    assert len(lines) == 4
    for line in lines:
        name, *arguments = shlex.split(line, comments=True)
        command = load_command_class(get_commands()[name], name)
        command.create_parser("manage.py", name).parse_args(arguments)


@pytest.mark.usefixtures("ingested")
def test_the_view_answers() -> None:
    found: dict[str, object] = {}
    exec(compile(blocks("python")[1], "views.py", "exec"), found)
    response = found["chat"](RequestFactory().get("/", {"q": "بورسیه دارین؟"}))  # type: ignore[operator]
    assert json.loads(response.content)["total_chunks"] > 0


def test_the_receivers_are_those_of_the_project() -> None:
    def meant(code: str) -> list[str]:
        """The code without the types, which the project has."""
        tree = ast.parse(code)
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef):
                node.returns = None
                for argument in (*node.args.args, *filter(None, [node.args.kwarg])):
                    argument.annotation = None
        return [ast.unparse(statement) for statement in tree.body]

    assert meant(blocks("python")[3]) == meant((PROJECT / "shop" / "receivers.py").read_text("utf-8"))
    assert post_save.receivers
    assert post_delete.receivers


@pytest.mark.parametrize("block", [2, 4])
def test_what_needs_another_package_is_python(block: int) -> None:
    compile(blocks("python")[block], "docs/django.md", "exec")
