"""The command line: `rag-app`."""

from __future__ import annotations

import io
import sys

from rag_app.errors import RagAppError


def main() -> None:
    """Run the command line; an error raised on purpose is printed in one line, with exit status 1."""
    from rag_app.cli.commands import app

    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # as in JSON: an argument may hold half a character
    try:
        app()
    except RagAppError as error:
        from rag_app.schema.terminal import plain

        sys.stderr.write(f"rag-app: {plain(str(error))}\n")
        sys.exit(1)
