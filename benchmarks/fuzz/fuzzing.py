"""Give hostile input to whatever takes input from outside, for as long as is asked.

    python benchmarks/fuzz/fuzzing.py [--minutes 10] [--seed 0] [--only KIND ...]

First every file, text and bomb that is made by code, then random ones of each kind in turn. Only errors that rag_app
raises on purpose may come of it. Prints for each kind how many were tried and refused and which was slowest, and what
broke or hung with the number by which `--seed N --minutes 0` would make it again. Exit status 1 if anything did.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from targets import (
    QUESTION_CHARS,
    TEXT_CHARS,
    every_bomb,
    every_seed,
    every_text,
    takers_of_questions,
    takers_of_texts,
    targets,
)
from trying import Tally

from rag_app.conversion import Converter


def main() -> int:
    """Run the trials and print what came of them."""
    asked = _arguments()
    tallies: dict[str, Tally] = {}
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        if not asked.only:
            _made_by_code(folder, tallies)
        _at_random(asked, folder, tallies)
    for kind, tally in tallies.items():
        print(
            f"{kind:14}{tally.tried:>9} tried{tally.refused:>9} refused  {tally.slowest_s:7.2f} s  {tally.slowest:.90}"
        )
        for place, what in tally.broken.items():
            print(f"    BROKEN {place}: {what}")
    return any(tally.broken for tally in tallies.values())


def _made_by_code(folder: Path, tallies: dict[str, Tally]) -> None:
    from hostile_files import SEEDS

    with Converter() as converter:
        for kind, trials in (
            ("all files", every_seed(tuple(SEEDS), folder, converter)),
            ("all questions", every_text(QUESTION_CHARS, takers_of_questions())),
            ("all texts", every_text(TEXT_CHARS, takers_of_texts())),
            ("all YAML", every_bomb(folder / "bomb.yaml")),
        ):
            tally = tallies.setdefault(kind, Tally())
            for trial in trials:
                if (seconds := tally.run(trial)) > 2:
                    print(f"slow: {seconds:.1f} s {kind}: {trial.name!a}, {trial.size}", flush=True)


def _at_random(asked: argparse.Namespace, folder: Path, tallies: dict[str, Tally]) -> None:
    until = time.monotonic() + 60 * asked.minutes
    number = asked.seed
    with targets(folder) as found:
        kinds = {kind: target for kind, target in found.items() if not asked.only or kind in asked.only}
        while True:
            for kind, target in kinds.items():
                tally = tallies.setdefault(kind, Tally())
                known = set(tally.broken)
                seconds = tally.run(target(random.Random(number)))  # noqa: S311
                if seconds > 2 or set(tally.broken) - known:
                    print(f"seed {number}, {kind}: {seconds:.1f} s {set(tally.broken) - known or ''}", flush=True)
            number += 1
            if time.monotonic() >= until:
                return


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="*", help="kinds, as they are printed")
    return parser.parse_args()


if __name__ == "__main__":
    sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    sys.exit(main())
