"""`rag-app models`, against a hub that the tests serve. The hub's library reads its environment when it is imported,
so those commands run in processes of their own, several in each."""

from __future__ import annotations

import json
import logging
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from rag_app.cross_encoder import ALIASES, ModelSpec, find_model, int8_folder, load_model
from rag_app.cross_encoder.models import INT8_FILE, is_int8_export
from rag_app.cross_encoder.precision import agreement
from rag_app.cross_encoder.probe_pairs import PASSAGES, QUERIES
from rag_app.errors import ComponentError, InvalidInputError, without_credentials
from rag_app.postprocessors.cross_encoder import calibrated
from tests.cli.test_cli import run
from tests.hub import COMMIT, Hub, files_of, serve_hub
from tests.models import save_cross_encoder
from tests.ports import free_port

MODEL = "someone/small-reranker"
SESSION = """
import io, json, sys
from contextlib import redirect_stderr, redirect_stdout
from rag_app.cli import main

results = []
for arguments in json.loads(sys.argv[1]):
    sys.argv = ["rag-app", *arguments]
    out, err, status = io.StringIO(), io.StringIO(), 0
    with redirect_stdout(out), redirect_stderr(err):
        try:
            main()
        except SystemExit as error:
            status = error.code or 0
    results.append([status, out.getvalue(), err.getvalue()])
print(json.dumps(results))
"""


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    status: int
    stdout: str
    stderr: str


def session(*commands: list[str], **environment: str) -> list[Done]:
    """Run commands one after the other in one process, with nothing of this machine's network settings."""
    proxies = {"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"}
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("HF_", "RAG_APP_")) and name.upper() not in proxies
    }
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", SESSION, json.dumps(commands)],
        env=kept | {"OMP_NUM_THREADS": "1"} | environment,  # threads wait for each other where others work beside
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return [Done(*result) for result in json.loads(done.stdout)]


@pytest.fixture(scope="module")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_cross_encoder(tmp_path_factory.mktemp("model"), [*PASSAGES, *QUERIES] * 20)


@dataclass(frozen=True)
class Pulled:
    """A model that was pulled from a hub, and the environment that finds it offline."""

    hub: Hub
    done: Done
    environment: dict[str, str]


@pytest.fixture(scope="module")
def pulled(model_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Pulled:
    home = tmp_path_factory.mktemp("home")
    environment = {"HF_HOME": str(home), "RAG_APP_CACHE_DIR": str(home / "own")}
    files = files_of(model_folder) | {"pytorch_model.bin": b"a pickle", "modeling.py": b"raise SystemExit"}
    with serve_hub(MODEL, files) as hub:
        (done,) = session(["models", "pull", MODEL], HF_ENDPOINT=hub.url, **environment)
    return Pulled(hub, done, environment | {"HF_HUB_OFFLINE": "1"})


@pytest.fixture(scope="module")
def offline(pulled: Pulled, new_database: Callable[[], str]) -> list[Done]:
    """What works on a pulled model without a network."""
    return session(
        ["models", "path", MODEL],
        ["models", "list", "--json"],
        ["models", "list"],
        ["models", "path", "base"],
        ["doctor", "--json", "--model", MODEL],
        ["models", "pull", MODEL],
        ["models", "pull", "base"],
        DATABASE_URL=new_database(),
        **pulled.environment,
    )


def one_line(done: Done) -> str:
    """Return the message of a command that failed, which is one line."""
    assert (done.status, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("rag-app: ")
    return line


def snapshot(pulled: Pulled) -> Path:
    return Path(pulled.environment["HF_HOME"], "hub", f"models--{MODEL.replace('/', '--')}", "snapshots", COMMIT)


def test_pull_downloads_from_the_mirror_what_a_model_needs_and_prints_its_folder(
    pulled: Pulled, model_folder: Path
) -> None:
    assert pulled.done == Done(0, f"{snapshot(pulled)}\n", "")
    here = {file.name: file.read_bytes() for file in snapshot(pulled).iterdir()}
    assert here == files_of(model_folder)  # neither the pickle nor the code
    assert all("pickle" not in asked and "modeling" not in asked for asked in pulled.hub.asked)


def test_a_pulled_model_is_found_without_a_network(pulled: Pulled, offline: list[Done]) -> None:
    assert offline[0] == Done(0, f"{snapshot(pulled)}\n", "")
    assert offline[5] == Done(0, f"{snapshot(pulled)}\n", "")  # pulled again, it is there


def test_list_shows_every_alias_and_every_cached_model(pulled: Pulled, offline: list[Done], model_folder: Path) -> None:
    found = json.loads(offline[1].stdout)
    size = sum(len(content) for content in files_of(model_folder).values()) / 1e6
    missing = [
        {"model": name, "alias": alias, "folder": None, "megabytes": 0.0, "int8": None}
        for alias, name in ALIASES.items()
    ]
    here = {"model": MODEL, "alias": None, "folder": str(snapshot(pulled)), "megabytes": pytest.approx(size)}
    assert found["models"] == [*missing, here | {"int8": None}]
    home = Path(pulled.environment["HF_HOME"])
    assert (found["hub_cache"], found["own_cache"]) == (str(home / "hub"), str(home / "own"))
    shown = offline[2].stdout.splitlines()
    assert shown[0] == "base (BAAI/bge-reranker-base): not on this machine; rag-app models pull base"
    assert shown[3] == f"{MODEL}: {size:.1f} MB in {snapshot(pulled)}; int8: not exported"
    assert shown[4].startswith(f"cache of the hub: {home / 'hub'} (")
    assert shown[5].startswith(f"int8 exports and measured precisions: {home / 'own'} (")


def test_a_model_that_is_not_here_is_an_error_that_says_how_to_get_it(pulled: Pulled, offline: list[Done]) -> None:
    line = one_line(offline[3])
    assert f"is not on this machine ({pulled.environment['HF_HOME']}/hub): run `rag-app models pull base`" in line


def test_the_doctor_loads_a_pulled_model_without_a_network(pulled: Pulled, offline: list[Done]) -> None:
    assert (offline[4].status, offline[4].stderr) == (0, "")
    checks = {check["name"]: check for check in json.loads(offline[4].stdout)["checks"]}
    assert {checks[name]["state"] for name in ("model", "load", "speed")} == {"ok"}
    assert checks["precision"]["state"] in ("ok", "warning")  # as busy as this machine is
    assert f"{MODEL} is on this machine: {snapshot(pulled)}, in the cache of the hub, " in checks["model"]["finding"]
    assert "HF_HUB_OFFLINE=1" in checks["network"]["finding"]


def test_pull_says_that_downloads_are_switched_off(offline: list[Done]) -> None:
    assert "HF_HUB_OFFLINE or TRANSFORMERS_OFFLINE is set, which switches downloads off" in one_line(offline[6])


@pytest.fixture(scope="module")
def closed() -> str:
    """Return the address of a port that nothing listens on."""
    return f"127.0.0.1:{free_port()}"


def test_a_hub_that_can_not_be_reached_is_an_error_that_names_the_ways_out(closed: str, tmp_path: Path) -> None:
    mirror = f"http://user:secret@{closed}"
    done, again = session(["models", "pull", "base"], ["models", "list"], HF_ENDPOINT=mirror, HF_HOME=str(tmp_path))
    line = one_line(done)
    assert f"'BAAI/bge-reranker-base' can not be downloaded from http://***@{closed}: " in line
    assert "Connection refused" in line
    for way in ("HTTPS_PROXY", "HF_ENDPOINT", "name that folder as the model"):
        assert way in line
    assert "base (BAAI/bge-reranker-base): not on this machine" in again.stdout  # nothing half is left


def test_the_hubs_refusals_are_told_apart(model_folder: Path, tmp_path: Path) -> None:
    with serve_hub(MODEL, {"config.json": b"{}", "pytorch_model.bin": b"a pickle"}) as hub:
        unknown, pickled = session(
            ["models", "pull", "someone/nothing"],
            ["models", "pull", MODEL],
            HF_ENDPOINT=hub.url,
            HF_HOME=str(tmp_path / "one"),
        )
    assert "the hub has no model 'someone/nothing'" in one_line(unknown)
    assert f"{MODEL!r} has no weights in safetensors" in one_line(pickled)


def test_a_hub_can_not_write_outside_the_cache(tmp_path: Path) -> None:
    with serve_hub(MODEL, {"config.json": b"{}", "../../../../../escaped.json": b"{}"}) as hub:
        (done,) = session(["models", "pull", MODEL], HF_ENDPOINT=hub.url, HF_HOME=str(tmp_path / "a" / "b"))
    assert "can not be downloaded" in one_line(done)
    assert not list(tmp_path.rglob("escaped.json"))


def test_pull_goes_through_a_proxy_and_never_shows_its_password(
    model_folder: Path, tmp_path: Path, closed: str
) -> None:
    with serve_hub(MODEL, files_of(model_folder)) as hub:
        proxy = hub.url.replace("//", "//user:secret@")
        (done,) = session(
            ["models", "pull", MODEL],
            HF_ENDPOINT="http://hub.invalid",
            HTTP_PROXY=proxy,
            HF_HOME=str(tmp_path / "through"),
        )
    assert done.status == 0, done.stderr
    assert all(asked.split()[1].startswith("http://hub.invalid/") for asked in hub.asked)
    (failed,) = session(
        ["models", "pull", MODEL], HTTPS_PROXY="ftp://user:secret@proxy:3128", HF_HOME=str(tmp_path / "not")
    )
    assert "proxy:3128" in one_line(failed)
    assert "secret" not in failed.stderr


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("http://user:secret@proxy:3128", "http://***@proxy:3128"),
        ("user:secret@proxy:3128", "***@proxy:3128"),
        ("https://user:s/ec@ret@mirror/models", "https://***@mirror/models"),
        (
            "404 for url https://u:p@mirror/api, then http://proxy",
            "404 for url https://***@mirror/api, then http://proxy",
        ),
        ("http://proxy:3128", "http://proxy:3128"),
    ],
)
def test_credentials_are_hidden(text: str, shown: str) -> None:
    assert without_credentials(text) == shown


@pytest.mark.parametrize(
    "model", ["nope", "./missing", "/missing", "a/b/c", "a/b--c", "../a", "~/missing", "a/b c", ""]
)
def test_a_name_that_can_be_no_model_is_an_error(model: str) -> None:
    for command in ("path", "pull"):
        with pytest.raises(ComponentError, match=r"unknown model .* the id of a model on the hub"):
            run("models", command, model)


# Exports


@pytest.fixture
def own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("RAG_APP_CACHE_DIR", str(tmp_path / "own"))
    return tmp_path / "own"


@pytest.fixture(scope="module")
def exported(model_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """What the export printed, and the folder it wrote."""
    output = tmp_path_factory.mktemp("exports") / "small"
    handlers = list(logging.getLogger().handlers)
    printed = run("models", "export", model_folder, "--int8", "--output", output)
    assert logging.getLogger().handlers == handlers
    return printed, output


def scores(model: Path, precision: str) -> list[float]:
    scorer = load_model(ModelSpec(str(model), precision)).scorer
    pairs = scorer.tokenize(QUERIES[0], PASSAGES)
    return [calibrated(logit) for at in range(0, len(pairs), 4) for logit in scorer.logits(pairs[at : at + 4])]


def test_an_export_is_a_model_that_scores_nearly_as_fp32_does(model_folder: Path, exported: tuple[str, Path]) -> None:
    printed, output = exported
    size = sum(file.stat().st_size for file in output.iterdir()) / 1e6
    assert printed == f"written: {output}, {size:.1f} MB\n"
    assert (output / INT8_FILE).stat().st_size < (model_folder / "model.safetensors").stat().st_size
    assert load_model(ModelSpec(str(output))).choice.precision == "int8"
    whole, small = scores(model_folder, "fp32"), scores(output, "auto")
    assert max(abs(one - other) for one, other in zip(whole, small, strict=True)) < 0.15  # .07 to .11 by the threads
    assert agreement(whole, small) > 0.8
    assert max(whole) - min(whole) > 0.2


def test_an_export_is_made_once(model_folder: Path, exported: tuple[str, Path]) -> None:
    _, output = exported
    before = {file.name: file.stat().st_mtime_ns for file in output.iterdir()}
    again = run("models", "export", model_folder, "--int8", "--output", output)
    assert again.startswith(f"already there: {output}, ")
    assert {file.name: file.stat().st_mtime_ns for file in output.iterdir()} == before
    found = json.loads(run("models", "export", output, "--int8", "--json"))  # an export is its own
    assert found == {"folder": str(output), "megabytes": pytest.approx(0.2, abs=0.2), "written": False}
    assert [file.name for file in output.parent.iterdir()] == [output.name]


def test_by_default_an_export_is_where_the_model_finds_it(
    model_folder: Path, own_cache: Path, caplog: pytest.LogCaptureFixture
) -> None:
    before = load_model(ModelSpec(str(model_folder))).choice
    assert "int8" not in before.measured
    found = json.loads(run("models", "export", model_folder, "--int8", "--json"))
    assert (Path(found["folder"]), found["written"]) == (int8_folder(model_folder), True)
    assert own_cache in Path(found["folder"]).parents
    assert caplog.records == []
    after = load_model(ModelSpec(str(model_folder))).choice
    assert set(after.measured) == {"fp32", "bf16", "int8"}  # measured anew, with it
    assert load_model(ModelSpec(str(model_folder), "int8")).scorer.precision == "int8"
    (model_folder / "model.safetensors").touch()
    assert find_model(str(int8_folder(model_folder).parent)) == int8_folder(model_folder).parent
    assert not int8_folder(model_folder).exists()  # other weights may need another one


def test_what_can_not_be_exported_is_an_error(model_folder: Path, exported: tuple[str, Path], tmp_path: Path) -> None:
    def export(model: Path, *options: str | Path) -> str:
        return run("models", "export", model, *options)

    with pytest.raises(InvalidInputError, match=r"int8 is what a model can be exported to: .* --int8"):
        export(model_folder)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "letter.txt").write_text("mine")
    with pytest.raises(ComponentError, match="exists and is no int8 export: name another folder"):
        export(model_folder, "--int8", "--output", tmp_path / "other")
    assert [file.name for file in (tmp_path / "other").iterdir()] == ["letter.txt"]
    with pytest.raises(ComponentError, match="is an int8 export itself"):
        export(exported[1], "--int8", "--output", tmp_path / "another")
    (tmp_path / "another").write_text("a file")
    with pytest.raises(ComponentError, match="another/letter can not be written: "):
        export(model_folder, "--int8", "--output", tmp_path / "another" / "letter")
    with pytest.raises(ComponentError, match="has 3 labels"):
        export(save_cross_encoder(tmp_path / "three", [*PASSAGES] * 20, labels=3), "--int8", "--output", tmp_path / "3")
    broken = Path(shutil.copytree(model_folder, tmp_path / "broken"))
    (broken / "model.safetensors").write_bytes(b"broken")
    with pytest.raises(ComponentError, match="can not be read"):
        export(broken, "--int8", "--output", tmp_path / "4")
    assert not (tmp_path / "3").exists()
    assert not (tmp_path / "4").exists()


def test_an_export_that_is_broken_off_leaves_nothing(
    model_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rag_app.cross_encoder import export

    def broken_off(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(export, "quantize_dynamic", broken_off)
    with pytest.raises(KeyboardInterrupt):
        export.export_int8(model_folder, tmp_path / "exports" / "small")
    assert list((tmp_path / "exports").iterdir()) == []


def test_of_two_exports_at_once_both_end_well(
    model_folder: Path, exported: tuple[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rag_app.cross_encoder import export

    output, quantize = tmp_path / "exports" / "small", export.quantize_dynamic

    def overtaken(*arguments: object, **options: object) -> None:
        quantize(*arguments, **options)
        shutil.copytree(exported[1], output)

    monkeypatch.setattr(export, "quantize_dynamic", overtaken)
    assert export.export_int8(model_folder, output) == output
    assert is_int8_export(output)
    assert os.listdir(output.parent) == ["small"]
