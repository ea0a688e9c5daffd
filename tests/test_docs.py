"""What the documents say is run."""

import os
import re
import subprocess
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import pytest
import typer
import yaml
from typer.core import TyperGroup

import rag_app
from rag_app import RagApp
from rag_app.cli.commands import app as commands
from rag_app.config import Settings, load_settings
from rag_app.flags import FLAGS
from rag_app.persian import Lexicons, Vocabulary
from rag_app.storage import KeyStore
from tests.served import serving

ROOT = Path(__file__).parent.parent


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", (ROOT / "README.md").read_text("utf-8"), re.DOTALL | re.MULTILINE)


def test_the_python_of_the_readme_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, *_ = blocks("python")
    exec(compile(code, "README.md", "exec"), {"data_dir": tmp_path})
    printed = capsys.readouterr().out
    assert printed.startswith('<chunk id="1" source="faq" title="هزینهٔ ارسال">\nارسال بالای ۵۰۰٬۰۰۰ تومان رایگان است.')
    assert '<chunk id="2" source="manual"' in printed


def test_the_chat_of_the_readme_runs(app: RagApp, capsys: pytest.CaptureFixture[str]) -> None:
    (code,) = (block for block in blocks("python") if "app.answer" in block)
    exec(compile(code, "README.md", "exec"), {"app": app})
    answer, outcome, understood, streamed = capsys.readouterr().out.split("\n", 3)
    assert "[1]" in answer
    assert outcome == "answered (1,)"
    assert understood == "شهریه دوره آیلتس چقدره؟"
    assert "[1]" in streamed


def test_the_reranker_of_the_readme_runs(cross_encoder_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (code,) = (block for block in blocks("python") if "CrossEncoderReranker" in block)
    exec(compile(code.replace('"base"', repr(str(cross_encoder_folder))), "README.md", "exec"), {})
    assert capsys.readouterr().out.split()[-1] == "cross_encoder"


def test_the_calls_of_the_readme_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (code,) = (block for block in blocks("python") if "ProductionRAG" in block)
    rag_app.configure(data_dir=tmp_path)
    try:
        rag_app.default_app().ingest([{"id": "1", "text": "ما بورسیه داریم", "source": "manual"}], tenant="42")
        exec(compile(code, "README.md", "exec"), {"user": SimpleNamespace(pk=42)})
    finally:
        rag_app.configure()
    counts, contents, enabled, served, requests = capsys.readouterr().out.splitlines()
    assert counts.startswith("1 production_rag ")
    assert contents == "['ما بورسیه داریم']"
    assert served == f"{'production_rag' if enabled == 'True' else 'context_retriever'} SPLIT"
    assert int(requests) >= 1


def test_the_requests_of_the_readme_are_answered(
    app: RagApp, tmp_path: Path, tenant: str, capsys: pytest.CaptureFixture[str]
) -> None:
    url = app.settings.database.url
    assert url is not None
    (tmp_path / "shipping.md").write_text("# ارسال\n\nسفارش‌ها ظرف سه روز کاری به دستتان می‌رسد.", "utf-8")
    (requests,) = blocks("bash")
    (client,) = (block for block in blocks("python") if "OpenAI" in block)
    _, key = KeyStore(app.database).create(tenant, "readme")
    with serving({"DATABASE_URL": url.get_secret_value()}) as server:
        here = server.url.removeprefix("http://")
        run = ["bash", "-ec", requests.replace("curl ", "curl -sSf ").replace("localhost:8000", here)]
        environment = {**os.environ, "KEY": key}
        done = subprocess.run(run, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        assert done.stdout.count('"added":1') == 2
        assert "event: retrieval" in done.stdout
        assert "event: done" in done.stdout
        assert '"deleted":true' in done.stdout
        exec(compile(client.replace("http://localhost:8000", server.url), "README.md", "exec"), {"key": key})
    text, rag = capsys.readouterr().out.splitlines()
    assert "[1]" in text
    assert rag.startswith("answered [{'number': 1, 'doc_id': 'f1'")


def test_the_pictures_of_the_readme_exist() -> None:
    pictures = re.findall(r"docs/[\w-]+\.png", (ROOT / "README.md").read_text("utf-8"))
    assert set(pictures) == {f"docs/{file.name}" for file in (ROOT / "docs").glob("*.png")}


def test_the_flags_of_the_readme_are_the_flags_and_their_defaults() -> None:
    (table,) = re.findall(r"\| flag \| default.*?\n\n", (ROOT / "README.md").read_text("utf-8"), re.DOTALL)
    told = {}
    for row in table.split("\n")[2:-2]:
        names, defaults = row.split("|")[1:3]
        told.update(zip(re.findall(r"`(\w+)`", names), defaults.replace("`", "").split(","), strict=True))
    assert {name: default.strip() for name, default in told.items()} == {
        name: str(flag.default).lower() for name, flag in FLAGS.items()
    }


def test_every_command_of_the_readme_exists() -> None:
    group = typer.main.get_command(commands)
    assert isinstance(group, TyperGroup)
    for line in re.findall(r"^rag-app ([a-z]+)(?: ([a-z]+))?", "\n".join(blocks("sh")), re.MULTILINE):
        assert line[0] in group.commands
        if isinstance(inner := group.commands[line[0]], TyperGroup):
            assert line[1] in inner.commands


def test_the_yaml_of_the_readme_is_valid_and_states_the_defaults(tmp_path: Path) -> None:
    _, text = blocks("yaml")
    (tmp_path / "settings.yaml").write_text(text, "utf-8")
    settings = load_settings(tmp_path / "settings.yaml")
    assert settings.rerank.kind == "cross_encoder"
    given = yaml.safe_load(text)
    assert given["deadline_s"] == Settings().deadline_s
    assert given["context"].items() <= Settings().context.model_dump().items()


def test_the_lexicon_of_the_readme_is_valid(tmp_path: Path) -> None:
    text, _ = blocks("yaml")
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
    (table,) = re.findall(r"\| the customer types.*?\n\n", (ROOT / "README.md").read_text("utf-8"), re.DOTALL)
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


def test_every_place_the_readme_names_exists() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    places = set(re.findall(r"`([\w/]+(?:\.py|\.yaml|/))`", readme))
    assert {"pipeline.py", "retrievers/", "postprocessors/", "persian/"} <= places
    assert [place for place in places if not (ROOT / "rag_app" / place).exists() and not (ROOT / place).exists()] == []


def test_every_make_target_the_documents_name_exists() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for document in ("README.md", "CONTRIBUTING.md"):
        for target in re.findall(r"^make (\w+)", (ROOT / document).read_text("utf-8"), re.MULTILINE):
            assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
