from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from rag_app.config import PROFILES, Settings, load_settings
from rag_app.errors import ConfigurationError

SECRET = "s3cr3t-word"
URL = f"postgresql://user:{SECRET}@host/name"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "settings.yaml"
    path.write_text("rerank:\n  kind: none\n  top_k: 5\ndeadline_s: 4\n", "utf-8")
    return path


def url_of(settings: Settings) -> str | None:
    url = settings.database.url
    return None if url is None else url.get_secret_value()


def refusal(config: str | Path | None = None, **overrides: Any) -> str:
    with pytest.raises(ConfigurationError) as caught:
        load_settings(config, **overrides)
    return str(caught.value)


# Where settings come from, the weakest first


def test_everything_has_a_default() -> None:
    settings = load_settings()
    assert settings.profile == "embedded"
    assert (settings.rerank.kind, settings.rerank.top_k, settings.deadline_s) == ("lexical", 8, 2.0)
    assert (settings.ingestion.child_tokens, settings.ingestion.parent_tokens) == (128, 512)
    assert url_of(settings) is None
    assert settings.database.auto_upgrade


@pytest.mark.parametrize("profile", PROFILES)
def test_every_profile_can_be_loaded(profile: str) -> None:
    assert load_settings(profile=profile).profile == profile


def test_a_profile_wins_over_the_defaults() -> None:
    settings = load_settings(profile="production")
    assert settings.rerank.kind == "cross_encoder"
    assert not settings.database.auto_upgrade


def test_the_file_wins_over_the_profile(config: Path) -> None:
    settings = load_settings(config, profile="production")
    assert settings.rerank.kind == "none"
    assert not settings.database.auto_upgrade


def test_the_environment_wins_over_the_file(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAG_APP_RERANK__KIND", "cross_encoder")
    monkeypatch.setenv("RAG_APP_DEADLINE_S", "6")
    settings = load_settings(config)
    assert (settings.rerank.kind, settings.rerank.top_k, settings.deadline_s) == ("cross_encoder", 5, 6.0)


def test_a_keyword_wins_over_the_environment(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAG_APP_RERANK__KIND", "cross_encoder")
    monkeypatch.setenv("RAG_APP_DEADLINE_S", "6")
    settings = load_settings(config, rerank={"kind": "lexical"}, deadline_s=8)
    assert (settings.rerank.kind, settings.rerank.top_k, settings.deadline_s) == ("lexical", 5, 8.0)


def test_each_place_adds_to_a_section_and_keeps_what_the_others_set(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAG_APP_RERANK__MAX_LENGTH", "256")
    rerank = load_settings(config, profile="production", rerank={"model": "large"}).rerank
    assert rerank.model_dump(include={"kind", "top_k", "max_length", "model"}) == {
        "kind": "none",
        "top_k": 5,
        "max_length": 256,
        "model": "large",
    }


def test_a_keyword_that_is_none_is_not_given(config: Path) -> None:
    assert load_settings(config, deadline_s=None, rerank=None).deadline_s == 4.0


def test_the_profile_may_come_from_file_environment_or_keyword(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config.write_text("profile: production\n", "utf-8")
    assert load_settings(config).rerank.kind == "cross_encoder"
    monkeypatch.setenv("RAG_APP_PROFILE", "embedded")
    assert load_settings(config).rerank.kind == "lexical"
    assert load_settings(config, profile="production").rerank.kind == "cross_encoder"


def test_the_environment_names_the_file(config: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("RAG_APP_CONFIG", str(config))
    assert load_settings().deadline_s == 4.0
    other = tmp_path / "other.yaml"
    other.write_text("deadline_s: 5", "utf-8")
    assert load_settings(other).deadline_s == 5.0


def test_one_file_does_not_linger_for_the_next_call(config: Path) -> None:
    load_settings(config)
    assert load_settings().deadline_s == 2.0
    refusal(config, nonsense=1)
    assert load_settings().deadline_s == 2.0


def test_an_empty_file_sets_nothing(config: Path) -> None:
    config.write_text("# nothing yet\n", "utf-8")
    assert load_settings(config) == load_settings()


def test_the_file_is_read_as_utf_8(config: Path) -> None:
    config.write_text("data_dir: داده‌ها\n", "utf-8")
    assert load_settings(config).data_dir == Path("داده‌ها")


def test_settings_can_not_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        load_settings().rerank.top_k = 3  # type: ignore[misc]


# The database URL


def test_database_url_is_used_unless_a_url_is_set(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://plain")
    settings = load_settings(database={"pool_size": 3})
    assert (url_of(settings), settings.database.pool_size) == ("postgresql://plain", 3)
    assert url_of(load_settings(database={"url": "postgresql://keyword"})) == "postgresql://keyword"
    config.write_text("database: {url: postgresql://file}", "utf-8")
    assert url_of(load_settings(config)) == "postgresql://file"
    monkeypatch.setenv("RAG_APP_DATABASE__URL", "postgresql://own")
    assert url_of(load_settings(config)) == "postgresql://own"


def test_an_empty_database_url_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "")
    assert url_of(load_settings()) is None


# What is refused


def test_an_unknown_setting_names_the_nearest() -> None:
    message = refusal(rerank={"topk": 3})
    assert message.startswith("unknown setting of rerank 'topk': did you mean 'top_k'? valid: cache_size, device, ")


def test_an_unknown_section_names_the_nearest() -> None:
    assert refusal(reranking={}).startswith("unknown setting 'reranking': did you mean 'rerank'? valid: context, ")


def test_an_unknown_profile_names_the_nearest() -> None:
    assert refusal(profile="prod") == "unknown profile 'prod': did you mean 'production'? valid: embedded, production"


@pytest.mark.parametrize("profile", ["5", "[embedded]", "yes"])
def test_a_profile_that_is_no_name_is_unknown(config: Path, profile: str) -> None:
    config.write_text(f"profile: {profile}", "utf-8")
    assert refusal(config).startswith("unknown profile ")


def test_an_unknown_setting_in_the_file_is_refused(config: Path) -> None:
    config.write_text("rerank: {topk: 3}\n1: 2\n", "utf-8")
    message = refusal(config)
    assert "unknown setting of rerank 'topk'" in message
    assert "unknown setting '1'" in message


def test_an_unknown_setting_in_the_environment_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAG_APP_RERANK__TOPK", "3")
    assert "did you mean 'top_k'" in refusal()


@pytest.mark.parametrize(
    ("overrides", "start", "value"),
    [
        ({"rerank": {"top_k": "many"}}, "rerank.top_k: ", "'many'"),
        ({"rerank": {"top_k": 0}}, "rerank.top_k: ", "0"),
        ({"ingestion": {"child_tokens": -4000}}, "ingestion.child_tokens: ", "-4000"),
        ({"context": {"duplicate_threshold": 0}}, "context.duplicate_threshold: ", "0"),
        ({"deadline_s": -1}, "deadline_s: ", "-1"),
        ({"rerank": "lexical"}, "rerank: ", "'lexical'"),
    ],
)
def test_a_wrong_value_names_the_setting_and_the_value(overrides: dict[str, Any], start: str, value: str) -> None:
    message = refusal(**overrides)
    assert message.startswith(start)
    assert message.endswith(f", not {value}")


def test_a_wrong_value_in_the_environment_names_the_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAG_APP_RETRIEVAL__RRF_K", "sixty")
    assert refusal().startswith("retrieval.rrf_k: ")


def test_a_section_in_one_variable_is_json_or_refused_with_advice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAG_APP_RERANK", '{"top_k": 3}')
    assert load_settings().rerank.top_k == 3
    monkeypatch.setenv("RAG_APP_RERANK", "lexical")
    message = refusal()
    assert '"rerank"' in message
    assert "RAG_APP_RERANK__TOP_K" in message


def test_all_mistakes_are_told_at_once() -> None:
    assert len(refusal(rerank={"topk": 3, "top_k": "x"}, nonsense=1).splitlines()) == 3


def test_a_missing_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert refusal(tmp_path / "missing.yaml").endswith("missing.yaml does not exist")
    assert refusal(tmp_path).endswith("does not exist")
    monkeypatch.setenv("RAG_APP_CONFIG", "missing.yaml")
    assert refusal() == "the configuration file missing.yaml does not exist"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b'rerank: "top', "is not YAML"),
        (b"a: [1\nb: 2", "is not YAML"),
        (b"!!python/object/apply:os.getcwd []", "is not YAML"),
        (b"data_dir: a\0b", "is not YAML"),
        ("data_dir: داده".encode("cp1256"), "is not YAML: 'utf-8' codec can't decode byte"),
        (b"- rerank\n- context", "must map names to values; it is a list"),
        (b"rerank", "must map names to values; it is a str"),
    ],
)
def test_a_broken_file_is_refused_by_name(config: Path, content: bytes, reason: str) -> None:
    config.write_bytes(content)
    message = refusal(config)
    assert message.startswith(f"the configuration file {config} ")
    assert reason in message


# Secrets


def test_a_password_is_in_no_printed_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", URL)
    for settings in (load_settings(), load_settings(database={"url": URL})):
        assert url_of(settings) == URL
        assert SECRET not in f"{settings!r} {settings} {settings.database!r} {settings.model_dump_json()}"


@pytest.mark.parametrize(
    "database", [URL, [URL], {"url": [URL]}, {"url": {"x": URL}}, {"urll": URL}, {"url": URL, "pool_size": 0}]
)
def test_a_password_is_in_no_error(database: Any) -> None:
    message = refusal(database=database)
    assert "database" in message
    assert SECRET not in message


def test_a_password_in_the_environment_is_in_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAG_APP_DATABASE", URL)
    message = refusal()
    assert "database" in message
    assert SECRET not in message


@pytest.mark.parametrize("line", ['url: "{}', "url: [{}", "url: {}\n  x: y", "{}"])
def test_a_password_in_a_broken_file_is_in_no_error(config: Path, line: str) -> None:
    config.write_text(f"database:\n  {line.format(URL)}\n", "utf-8")
    assert SECRET not in refusal(config)


def test_a_misspelt_section_in_the_environment_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAG_APP_SERVICE_HOST", "what Kubernetes sets is no setting")
    load_settings()
    monkeypatch.setenv("RAG_APP_RERANKK__KIND", "none")
    with pytest.raises(ConfigurationError, match="'rerankk': did you mean 'rerank'"):
        load_settings()


def test_what_is_wrong_is_told_with_the_place_that_it_is_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text("retrieval: {dense_topk: 3, rrf_k: many}\n", "utf-8")
    monkeypatch.setenv("RAG_APP_CONTEXT__PRIMARY_BUDGET", "-4")
    wrong = refusal(file, rerank={"top_k": 0}).splitlines()
    assert sum(line.endswith(f" (file {file})") for line in wrong) == 2
    (from_environment,) = (line for line in wrong if line.startswith("context.primary_budget: "))
    assert from_environment.endswith(", not '-4' (environment RAG_APP_CONTEXT__PRIMARY_BUDGET)")
    (from_argument,) = (line for line in wrong if line.startswith("rerank.top_k: "))
    assert from_argument.endswith(", not 0")
