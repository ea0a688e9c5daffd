"""`manage.py rag_verify`."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser

from rag_app.cli.doctor import shown
from rag_app.cli.verify import side_by_side
from rag_app.contrib.django.command import RagCommand
from rag_app.process_app import default_settings


class Command(RagCommand):
    """Checks that everything works together."""

    help = "Check that rag_app works in this project, and show the old retriever beside the new one."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take what `rag-app verify` takes."""
        parser.add_argument("--tenant", help="Whose documents to search; else a few of our own.")
        parser.add_argument("--question", action="append", help="What to ask; may be given again.")

    def run(self, options: dict[str, Any]) -> None:
        """Verify, and tell each finding."""
        from rag_app.verification import verify

        styles = {"ok": self.style.SUCCESS, "warning": self.style.WARNING, "problem": self.style.ERROR}
        found = verify(default_settings(), tenant=options["tenant"], questions=options["question"] or ())
        for check in found.checks:
            self.tell(styles[check.state](shown(check)), level=0 if check.state == "problem" else 1)
        for pair in found.compared:
            self.tell(side_by_side(pair))
        if not found.passed:
            raise CommandError("something is wrong: see the problems above")
        self.tell(self.style.SUCCESS("\neverything works"))
