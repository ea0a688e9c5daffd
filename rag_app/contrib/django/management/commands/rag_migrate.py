"""`manage.py rag_migrate`."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from rag_app.cli.opening import opened_database
from rag_app.contrib.django.command import RagCommand
from rag_app.process_app import default_settings


class Command(RagCommand):
    """Applies the schema of rag_app."""

    help = "Bring the schema of rag_app to the latest version; safe to run again and beside other processes."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take --show."""
        parser.add_argument("--show", action="store_true", help="Show the version and the latest, and change nothing.")

    def run(self, options: dict[str, Any]) -> None:
        """Apply or show the version of the schema."""
        from rag_app.storage import schema_version

        with opened_database(default_settings()) as database:
            before = schema_version.current(database)
            if options["show"]:
                self.stdout.write(f"{before or schema_version.NONE} (latest: {schema_version.LATEST})")
                return
            after = schema_version.upgrade(database)
        done = "is at" if before == after else f"went from {before or schema_version.NONE} to"
        self.tell(self.style.SUCCESS(f"the schema {done} {after}"))
