"""A Django project in this process, and the same in processes of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url

from rag_app import process_app

PROJECT = Path(__file__).parent / "project"
PATIENT = {"deadline_s": 30, "retrieval": {"leg_timeout_s": 20}, "flags": {"refresh_s": 0.2}}
DOCUMENTS = {
    "manual/scholarship.md": "# بورسیه\n\nما به دانش‌آموزان ممتاز تا پنجاه درصد بورسیه می‌دهیم.",
    "faq/instalments.md": "# شهریه قسطی\n\nشهریه را می‌توانید در سه قسط بپردازید. بورسیه قسط ندارد.",
}


@dataclass(frozen=True)
class Project:
    """How the project is run in a process of its own."""

    environment: dict[str, str]

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-W", "error", *arguments]

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a script of the project, such as `manage.py check`, to its end."""
        return subprocess.run(
            self.command(*arguments),
            cwd=PROJECT,
            env={**self.environment, **environment},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )


def settings_of(url: str) -> dict[str, Any]:
    """A database as Django's settings name it; the server asks for no password, but one must not break anything."""
    parsed = make_url(url)
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": parsed.database,
        "USER": parsed.username,
        "PASSWORD": "p@ss/w:rd%20",
        "HOST": parsed.query["host"],
        "OPTIONS": {"sslmode": "prefer", "server_side_binding": False},
    }


@pytest.fixture(scope="session")
def documents(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of a manual and an FAQ."""
    folder = tmp_path_factory.mktemp("knowledge")
    for name, text in DOCUMENTS.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text, "utf-8")
    return folder


@pytest.fixture(scope="session")
def projects(new_database: Callable[[], str], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Project]:
    """The project on SQLite with rag_app elsewhere, and on PostgreSQL with rag_app in the same database."""
    sqlite = {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": str(tmp_path_factory.mktemp("site") / "db.sqlite3"),
        "OPTIONS": {"timeout": 60},
    }
    postgres = settings_of(new_database())
    databases = {
        "sqlite": {"default": sqlite, "postgres": postgres},
        "postgres": {"default": postgres},
    }
    given = {"sqlite": {**PATIENT, "database": {"url": new_database()}}, "postgres": PATIENT}
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("RAG_APP", "DATABASE"))}
    return {
        name: Project(
            {
                **inherited,
                "PYTHONPATH": os.pathsep.join([str(PROJECT), str(Path(__file__).parents[3])]),
                "PROJECT_DATABASES": json.dumps(databases[name]),
                "PROJECT_RAG_APP": json.dumps(given[name]),
            }
        )
        for name in databases
    }


@pytest.fixture(scope="session", autouse=True)
def _django(projects: dict[str, Project]) -> Iterator[None]:
    """Start Django in this process as the project on SQLite, with tables and two users in both databases."""
    import django
    from django.core.management import call_command
    from django.db import connections
    from django.test.utils import setup_test_environment, teardown_test_environment

    sys.path.insert(0, str(PROJECT))
    os.environ |= {"DJANGO_SETTINGS_MODULE": "backend.settings"} | {
        name: value for name, value in projects["sqlite"].environment.items() if name.startswith("PROJECT_")
    }
    django.setup()
    setup_test_environment()
    process_app._settings = None  # another test's
    from django.contrib.auth.models import User

    for alias in connections:
        call_command("migrate", database=alias, verbosity=0)
        User.objects.db_manager(alias).create_superuser("sara", pk=1)
        User.objects.db_manager(alias).create_user("omid", pk=2, is_staff=True)
    yield
    connections.close_all()
    teardown_test_environment()
    process_app.close_default_app()
    process_app.configure_from(None)
    sys.path.remove(str(PROJECT))


@pytest.fixture(scope="session")
def ingested(documents: Path) -> None:
    """The documents as those of user 1, stored by the command."""
    from django.core.management import call_command

    call_command("rag_ingest", str(documents), tenant="1", verbosity=0)


@pytest.fixture(scope="session")
def ingested_by_program(projects: dict[str, Project], documents: Path) -> str:
    """The same in the project on PostgreSQL, by `manage.py`; returns what that printed."""
    done = projects["postgres"].run("manage.py", "rag_ingest", str(documents), "--tenant", "1", "--no-color")
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout
