"""Keys and passwords are in no setting that is shown, no error and no process that has no need of them."""

from __future__ import annotations

import os
import sys
import types
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from rag_app.config import effective_settings, load_settings
from rag_app.conversion import Converter
from rag_app.errors import ConfigurationError, ReadError
from rag_app.kinds import open_own

SECRET = "s3cr3t-word"
OPTIONS = {
    "llm": "llm: {kind: 'a:B', options: {OPTIONS}}",
    "embedding": "embedding: {kind: 'a:B', options: {OPTIONS}}",
    "rerank": "rerank: {kind: 'a:B', options: {OPTIONS}}",
    "leg": "retrieval: {legs: {mine: {kind: 'a:B', options: {OPTIONS}}}}",
}
HIDDEN = (
    f"{{api_key: {SECRET}, pat: {SECRET}, headers: {{Authorization: {SECRET}}}, more: [{{auth: {SECRET}}}], top: 7}}"
)


def settings_file(folder: Path, text: str) -> Path:
    file = folder / "rag_app.yaml"
    file.write_text(text, "utf-8")
    return file


@pytest.mark.parametrize("section", OPTIONS)
def test_no_text_among_the_options_of_ones_own_class_is_shown(tmp_path: Path, section: str) -> None:
    file = settings_file(tmp_path, OPTIONS[section].replace("{OPTIONS}", HIDDEN))
    shown = effective_settings(file)
    assert SECRET not in str(shown)
    assert [each.value for each in shown if each.name.endswith("options.top")] == [7]
    assert SECRET not in repr(load_settings(file))


def test_the_password_of_an_address_is_not_shown(tmp_path: Path) -> None:
    url = f"https://user:{SECRET}@host/v1"
    file = settings_file(
        tmp_path, f"llm: {{api_base: '{url}'}}\nembedding: {{api_base: '{url}'}}\nqdrant: {{url: '{url}'}}"
    )
    values = {each.name: each.value for each in effective_settings(file)}
    assert {values[name] for name in ("llm.api_base", "embedding.api_base", "qdrant.url")} == {"https://***@host/v1"}


@pytest.mark.parametrize(
    "text",
    [
        f"retrieval: {{legs: {{mine: {{options: {{api_key: {SECRET}}}}}}}}}",  # kind is missing
        f"retrieval: {{legs: {{mine: {{kind: 'a:B', options: {SECRET}}}}}}}",
        f"rerank: {{options: {SECRET}}}",
        f"flags: 'redis://:{SECRET}@host'",
        f"database: 'postgresql://user:{SECRET}@host/name'",
        f"llm: {{api_key: [{SECRET}]}}",
        f"worker: {{broker_url: {{is: {SECRET}}}}}",
        f"server: {{port: {{api_key: {SECRET}}}}}",
    ],
)
def test_a_setting_that_can_not_be_used_is_not_quoted_where_it_may_hold_a_secret(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_settings(settings_file(tmp_path, text))
    assert SECRET not in str(caught.value)


class Own(BaseModel):
    api_key: str
    dim: int


@pytest.mark.parametrize(
    "options", [{"api_key": SECRET}, {"api_key": SECRET, "dim": "x"}, {"api_key": [SECRET], "dim": 1}]
)
def test_what_pydantic_says_of_ones_own_class_quotes_no_option(
    monkeypatch: pytest.MonkeyPatch, options: dict[str, Any]
) -> None:
    module = types.ModuleType("shop_of_secrets")
    module.Own = Own  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    with pytest.raises(ConfigurationError, match=r"can not be made with the options \['api_key'") as caught:
        open_own("llm", "shop_of_secrets:Own", options, object)
    assert SECRET not in str(caught.value)
    assert caught.value.__suppress_context__  # a traceback would show it too


def test_the_process_that_reads_documents_is_given_no_secret(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("DATABASE_URL", "RAG_APP_LLM__API_KEY", "GOOGLE_API_KEY", "HF_TOKEN", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, SECRET)
    hostile = "import os; open({!r}, 'w').write(repr(dict(os.environ)))\n".format(str(tmp_path / "seen"))
    (tmp_path / "bs4.py").write_text(f"{hostile}raise ImportError('bs4')", "utf-8")  # as a document that took it over
    monkeypatch.syspath_prepend(tmp_path)
    with Converter() as converter, pytest.raises(ReadError):
        converter.convert(".html", b"<p>a</p>", max_mb=1)
    seen = (tmp_path / "seen").read_text("utf-8")
    assert "PATH" in seen
    assert SECRET not in seen


def test_a_file_of_settings_is_its_owners_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from typer.testing import CliRunner

    from rag_app.cli.commands import app

    monkeypatch.chdir(tmp_path)
    before = os.umask(0o022)
    try:
        assert CliRunner().invoke(app, ["init"], catch_exceptions=False).exit_code == 0
    finally:
        os.umask(before)
    assert (tmp_path / "rag_app.yaml").stat().st_mode & 0o777 == 0o600
