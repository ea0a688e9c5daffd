"""`rag-app config show`, `config schema` and `init`."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from rag_app.cli.commands import app
from rag_app.config import Settings, load_settings
from rag_app.kinds import SHIPPED

SECRET = "s3cr3t-word"


def run(*arguments: str) -> str:
    result = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout


def shown(*arguments: str) -> dict[str, dict[str, Any]]:
    return {each["name"]: each for each in json.loads(run("config", "show", "--json", *arguments))}


def test_every_setting_is_shown_with_where_it_came_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "rag_app.yaml"
    file.write_text(
        "rerank: {top_k: 5}\nretrieval: {legs: {mine: {kind: 'shop:Search', options: {limit: 3}}}}", "utf-8"
    )
    monkeypatch.setenv("RAG_APP_RERANK__MODEL", "multilingual")
    settings = shown("--config", str(file), "--profile", "production", "--data-dir", str(tmp_path))
    assert {name: settings[name]["origin"] for name in ("rerank.top_k", "retrieval.legs.mine.options.limit")} == {
        "rerank.top_k": f"file {file}",
        "retrieval.legs.mine.options.limit": f"file {file}",
    }
    assert settings["rerank.model"] == {
        "name": "rerank.model",
        "value": "multilingual",
        "origin": "environment RAG_APP_RERANK__MODEL",
    }
    assert settings["rerank.kind"]["origin"] == "profile production"
    assert settings["data_dir"]["origin"] == "argument"
    assert settings["rerank.max_length"] == {"name": "rerank.max_length", "value": 512, "origin": "default"}
    assert settings["retrieval.legs.mine.weight"]["origin"] == "default"


def test_what_is_shown_is_yaml_that_sets_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAG_APP_RETRIEVAL__DENSE_TOP_K", "33")
    text = run("config", "show", "--profile", "production")
    assert re.search(r"dense_top_k: 33 +# environment RAG_APP_RETRIEVAL__DENSE_TOP_K\n", text)
    monkeypatch.delenv("RAG_APP_RETRIEVAL__DENSE_TOP_K")
    file = tmp_path / "again.yaml"
    file.write_text(text, "utf-8")
    assert load_settings(file) == load_settings(profile="production", retrieval={"dense_top_k": 33})


@pytest.mark.parametrize("way", [(), ("--json",)])
def test_no_secret_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: tuple[str, ...]) -> None:
    file = tmp_path / "rag_app.yaml"
    file.write_text(f"retrieval: {{legs: {{mine: {{kind: 'a:B', options: {{api_key: {SECRET}}}}}}}}}", "utf-8")
    monkeypatch.setenv("DATABASE_URL", f"postgresql://user:{SECRET}@host/name")
    monkeypatch.setenv("RAG_APP_LLM__API_KEY", SECRET)
    monkeypatch.setenv("RAG_APP_FLAGS__REDIS_URL", f"redis://:{SECRET}@host")
    text = run("config", "show", *way, "--config", str(file))
    assert SECRET not in text
    assert "environment DATABASE_URL" in text
    assert "environment RAG_APP_LLM__API_KEY" in text


def test_a_misspelt_setting_is_refused_with_the_nearest_name(tmp_path: Path) -> None:
    from rag_app.errors import ConfigurationError

    file = tmp_path / "rag_app.yaml"
    file.write_text("rerank: {modle: base}", "utf-8")
    with pytest.raises(ConfigurationError, match="'modle': did you mean 'model'"):
        run("config", "show", "--config", str(file))


def test_the_schema_knows_every_setting_and_kind() -> None:
    schema = json.loads(run("config", "schema"))
    assert schema["properties"].keys() == Settings.model_fields.keys()
    kinds = schema["$defs"]["RerankSettings"]["properties"]["kind"]["anyOf"]
    assert kinds[0]["enum"] == list(SHIPPED["rerank"])
    pattern = kinds[1]["pattern"]
    assert re.match(pattern, "shop.search:Reranker")
    assert not re.match(pattern, "lexica")
    assert schema["additionalProperties"] is False


def test_init_writes_a_file_that_changes_nothing_and_names_everything(tmp_path: Path) -> None:
    file = tmp_path / "rag_app.yaml"
    assert f"--config {file}" in run("init", str(file))
    text = file.read_text("utf-8")
    assert yaml.safe_load(text) is None
    assert load_settings(file) == load_settings()
    settings = (line.removeprefix("# ") for line in text.splitlines()[2:] if not re.match(r"(# +)?##", line))
    file.write_text("\n".join(settings), "utf-8")
    held = yaml.safe_load(file.read_text("utf-8"))
    assert held.keys() == Settings.model_fields.keys()
    assert held["rerank"].keys() == type(load_settings().rerank).model_fields.keys()
    assert load_settings(file) == load_settings()


def test_init_overwrites_nothing_unless_told_to(tmp_path: Path) -> None:
    from rag_app.errors import InvalidInputError

    file = tmp_path / "rag_app.yaml"
    file.write_text("deadline_s: 3", "utf-8")
    with pytest.raises(InvalidInputError, match="add --force"):
        run("init", str(file))
    assert file.read_text("utf-8") == "deadline_s: 3"
    run("init", str(file), "--force")
    assert "deadline_s: 2.0" in file.read_text("utf-8")
