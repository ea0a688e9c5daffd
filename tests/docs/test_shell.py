"""The commands of the pages are run, in the folder of somebody who follows them."""

from __future__ import annotations

import json
import re
import shlex
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import typer
from typer.core import TyperGroup
from typer.testing import CliRunner

from rag_app import RagApp
from rag_app.cli.commands import app as commands
from tests.docs.pages import PAGES, ROOT, Block, blocks

NOT_RUN = {
    r"make \w+": "what they make takes minutes; CI makes it",
    r"\. \.venv/bin/activate": "of the shell",
    r"pip install 'rag-app\[[\w-]+\]'": "needs the package index",
    r"rag-app serve": "does not end by itself; test_server.py runs it",
    r"rag-app models .*": "needs a hub; tests/cli/test_models.py has one",
    r"rag-app doctor --model base": "needs that model; tests/cli/test_doctor.py has one",
}
FILES = {
    "my-folder/manual/shipping.md": "# ارسال\n\nسفارش‌ها ظرف سه روز کاری به دستتان می‌رسد.",
    "my-folder/faq/faq.csv": "question,answer\nهزینه ارسال چقدر است؟,ارسال بالای ۵۰۰٬۰۰۰ تومان رایگان است.\n",
    "my-folder/products/products.jsonl": json.dumps(
        {"id": "p1", "title": "گوشی سونی", "text": "ضدآب", "metadata": {"brand": "سونی", "size": 42}}
    ),
    "FOLDER/corpus.jsonl": '{"_id": "d1", "title": "ارسال", "text": "ارسال رایگان است."}\n',
    "FOLDER/queries.jsonl": '{"_id": "q1", "text": "ارسال رایگانه؟"}\n',
    "FOLDER/qrels/test.tsv": "query-id\tcorpus-id\tscore\nq1\td1\t1\n",
    "other.yaml": "retrieval: {dense: none}\n",
}


@pytest.fixture(scope="module")
def shop(new_database: Callable[[], str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, RagApp]]:
    """The folder that commands are run in, and an application on their database."""
    folder = tmp_path_factory.mktemp("shop")
    for name, text in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, "utf-8")
    with RagApp.from_config(database={"url": new_database()}) as app:
        yield folder, app


def lines_of(block: Block) -> list[str]:
    return [line for line in (line.partition("  #")[0].strip() for line in block.text.splitlines()) if line]


@pytest.mark.parametrize("block", blocks("sh"), ids=str)
def test_the_commands_run(block: Block, shop: tuple[Path, RagApp], monkeypatch: pytest.MonkeyPatch) -> None:
    folder, app = shop
    app.ingest([folder / "my-folder"], tenant="my-shop")
    monkeypatch.chdir(folder)
    monkeypatch.setenv("DATABASE_URL", app.settings.database.url.get_secret_value())  # type: ignore[union-attr]
    monkeypatch.setenv("RAG_APP_DEADLINE_S", "30")
    monkeypatch.setenv("RAG_APP_RETRIEVAL__LEG_TIMEOUT_S", "20")
    monkeypatch.setenv("RAG_APP_RETRIEVAL__FILTER_KEYS", '["brand", "size"]')
    for line in lines_of(block):
        if any(re.fullmatch(pattern, line) for pattern in NOT_RUN):
            continue
        program, *arguments = shlex.split(line)
        assert program == "rag-app", line
        done = CliRunner().invoke(commands, arguments, input="هزینه ارسال چقدره؟\n")
        assert done.exit_code == 0, f"{line}\n{done.output}\n{done.exception!r}"
        if arguments[0] in ("chat", "retrieve"):
            assert "رایگان" in done.output or "سونی" in done.output, line


def test_what_is_not_run_is_there_to_be_named() -> None:
    lines = [line for block in blocks("sh") for line in lines_of(block)]
    for pattern in NOT_RUN:
        assert [line for line in lines if re.fullmatch(pattern, line)], pattern


def test_every_extra_that_is_named_exists() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    assert set(re.findall(r"rag-app\[([\w-]+)\]", "".join(PAGES.values()))) <= set(extras)


def test_every_target_of_make_that_is_named_exists() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    text = "".join((*PAGES.values(), (ROOT / "CONTRIBUTING.md").read_text("utf-8")))
    for target in re.findall(r"^make ([\w-]+)|`make ([\w-]+)`", text, re.MULTILINE):
        assert re.search(rf"^{''.join(target)}:", makefile, re.MULTILINE), target


@pytest.mark.parametrize("page", PAGES)
def test_every_command_that_is_named_exists_with_its_options(page: str) -> None:
    for line in re.findall(r"`(rag-app [^`]+)`|^(rag-app .+)$", PAGES[page], re.MULTILINE):
        words = shlex.split("".join(line).replace("[", "").replace("]", ""), comments=True)[1:]
        command = typer.main.get_command(commands)
        while isinstance(command, TyperGroup) and words and not words[0].isupper():
            command = command.commands[words.pop(0)]
        if not isinstance(command, TyperGroup):
            options = {name for option in command.params for name in option.opts}
            assert {word for word in words if word.startswith("--")} <= options | {"--help"}, line
