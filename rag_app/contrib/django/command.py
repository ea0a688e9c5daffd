"""What the management commands share."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from rag_app.errors import RagAppError, SchemaVersionError


class RagCommand(BaseCommand):
    """A command whose errors are told in a line, and that says nothing else with `--verbosity 0`."""

    def handle(self, *_: Any, **options: Any) -> None:
        """Run the command.

        Raises:
            CommandError: rag_app raised an error.
        """
        self._verbosity = options["verbosity"]
        try:
            self.run(options)
        except SchemaVersionError as error:
            raise CommandError(f"{error}; in this project: manage.py rag_migrate") from error
        except RagAppError as error:
            raise CommandError(str(error)) from error

    def run(self, options: dict[str, Any]) -> None:
        """Do what the command is for."""
        raise NotImplementedError

    def tell(self, text: str, *, level: int = 1) -> None:
        """Print a text at this verbosity and above."""
        if self._verbosity >= level:
            self.stdout.write(text)
