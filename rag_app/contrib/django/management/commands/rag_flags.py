"""`manage.py rag_flags`."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser

from rag_app.cli.flag_texts import parsed_value, render_change, render_flags, render_history, shown_value
from rag_app.cli.opening import opened_flags
from rag_app.contrib.django.command import RagCommand
from rag_app.flags.who import system_user
from rag_app.process_app import default_settings

_PROGRAM = "manage.py rag_flags"
_NEEDED = {"list": 0, "get": 1, "set": 2, "unset": 1, "history": 0}


class Command(RagCommand):
    """Shows and changes the flags."""

    help = "The flags of rag_app, which act at run time in every process."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take what `rag-app flags` takes, by one parser: those of actions would lack Django's options."""
        parser.add_argument("action", choices=list(_NEEDED), help="What to do.")
        parser.add_argument("name", nargs="?", help="The flag.")
        parser.add_argument("value", nargs="?", help="To set it to: true, false, a number or a name.")
        parser.add_argument("--user", help="get: evaluate it for the user of this primary key.")
        parser.add_argument("--ttl", type=float, help="set: after how many seconds it falls back by itself.")
        parser.add_argument("--by", help="set, unset: who changes it; else the user of the system.")
        parser.add_argument("--limit", type=int, default=20, help="history: how many changes to show.")

    def run(self, options: dict[str, Any]) -> None:
        """Do the action on the flags alone, without opening the application."""
        action, name, by = options["action"], options["name"], options["by"] or system_user()
        given = sum(options[each] is not None for each in ("name", "value"))
        if given < _NEEDED[action]:
            needed = " ".join(("NAME", "VALUE")[: _NEEDED[action]])
            raise CommandError(f"write {_PROGRAM} {action} {needed}")
        with opened_flags(default_settings()) as flags:
            match action:
                case "list":
                    self.stdout.write(render_flags(flags.all()))
                case "get":
                    found = flags.evaluate(name, options["user"])
                    self.stdout.write(f"{shown_value(found.value)} ({found.reason})")
                case "history":
                    self.stdout.write("\n".join(render_history(flags.history(name, options["limit"]))))
                case "set":
                    flags.set(name, parsed_value(options["value"]), ttl=options["ttl"], changed_by=by)
                    self.tell(render_change(name, flags.all(), options["ttl"], program=_PROGRAM))
                case _:
                    flags.unset(name, changed_by=by)
                    self.tell(render_change(name, flags.all(), program=_PROGRAM))
