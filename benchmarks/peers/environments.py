"""A virtual environment for each peer, in build/peers, from the requirements beside this file.

The versions are pinned, torch among them: its exact version has a build for the CPU alone. An environment whose
requirements did not change is left as it is.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

PEERS = ("llamaindex", "langchain", "haystack", "raglite")
HERE = Path(__file__).resolve().parent
BUILT = HERE.parent.parent / "build" / "peers"


def python_of(peer: str) -> Path:
    """Return the interpreter of a peer's environment."""
    return BUILT / peer / "bin" / "python"


def install(peer: str) -> None:
    """Make the environment, unless it is there.

    Raises:
        subprocess.CalledProcessError: a package can not be installed.
    """
    requirements, installed = HERE / f"{peer}.txt", BUILT / peer / "requirements.txt"
    if installed.exists() and installed.read_text("utf-8") == requirements.read_text("utf-8"):
        return
    print(f"{peer}: installing, about 2 GB, which may take some minutes", flush=True)
    subprocess.run([sys.executable, "-m", "venv", "--clear", BUILT / peer], check=True)  # noqa: S603 - our own arguments
    pip = [str(python_of(peer)), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "--requirement", requirements], check=True)  # noqa: S603 - our own arguments
    installed.write_text(requirements.read_text("utf-8"), "utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("peers", nargs="*", default=PEERS, help=f"of {', '.join(PEERS)}; all by default")
    names = parser.parse_args().peers
    if unknown := sorted(set(names) - set(PEERS)):
        parser.error(f"no peer is named {', '.join(unknown)}: choose of {', '.join(PEERS)}")
    for name in names:
        install(name)
