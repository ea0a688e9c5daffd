"""`manage.py rag_ingest`."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser

from rag_app.cli.documents import LAZY
from rag_app.cli.options import progress_bar
from rag_app.contrib.django.command import RagCommand
from rag_app.process_app import default_settings


class Command(RagCommand):
    """Stores files and folders."""

    help = "Store documents for a tenant; the same documents again change nothing."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take what `rag-app ingest` takes."""
        parser.add_argument("paths", nargs="+", metavar="PATH", help="Files or folders.")
        parser.add_argument("--tenant", required=True, help="Whose documents: the primary key of a user.")
        parser.add_argument("--source", help="The source of all documents; else each file's folder.")
        parser.add_argument("--prune", action="store_true", help="Delete what the source, or the tenant, has besides.")

    def run(self, options: dict[str, Any]) -> None:
        """Ingest, and tell what became of it."""
        from rag_app.app import RagApp
        from rag_app.cli.render import render_ingestion

        settings = default_settings()
        lazy = settings.model_copy(update={"rerank": settings.rerank.model_copy(update=LAZY)})
        prune = options["prune"]
        with RagApp(lazy) as app, progress_bar(shown=options["verbosity"] > 0) as progress:
            report = app.ingest(
                options["paths"], tenant=options["tenant"], source=options["source"], prune=prune, progress=progress
            )
        self.tell(render_ingestion(report, prune=prune))
        if report.skipped and not report.stored:
            raise CommandError("nothing was ingested")
