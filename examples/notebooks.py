"""Runs the notebooks from top to bottom and writes them with what came out."""

from __future__ import annotations

import argparse
import asyncio
import os
import re
from collections.abc import Sequence
from pathlib import Path

import nbformat
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbformat import NotebookNode

NOTEBOOKS = Path(__file__).parent.parent / "notebooks"
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
AT_ONCE = 2
CELL_S = 120


async def execute(file: Path, turn: asyncio.Semaphore) -> NotebookNode:
    """Return the notebook with its outputs, and without what tells of the machine or is another in each run.

    Raises:
        nbclient.exceptions.CellExecutionError: a cell fails.
    """
    notebook: NotebookNode = nbformat.read(file, as_version=4)  # type: ignore[no-untyped-call]
    # Without the kernels of the machine there is one: that of this interpreter.
    kernel = AsyncKernelManager(kernel_spec_manager=KernelSpecManager(kernel_dirs=[]))
    client = NotebookClient(
        notebook,
        kernel,
        timeout=CELL_S,
        record_timing=False,
        resources={"metadata": {"path": str(NOTEBOOKS)}},
        extra_arguments=["--log-level=ERROR"],
    )
    async with turn:
        try:
            await client.async_execute(env=environment())
        finally:
            await kernel.shutdown_kernel(now=True)
    notebook.metadata = METADATA
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            settle(output.get("data", {}), cell.id)
    return notebook


def environment() -> dict[str, str]:
    """Return this process's environment without settings of `rag_app`, above all the database that they may name."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RAG_APP_")}
    kept.pop("DATABASE_URL", None)
    return {**kept, "PYTHONWARNINGS": "ignore:IProgress not found"}  # of tqdm, whose bars are not shown; it has a path


def settle(data: dict[str, str], cell_id: str) -> None:
    """Take out of an output what is another in each run: addresses of objects, and the ids that pandas draws."""
    if "text/plain" in data:
        data["text/plain"] = re.sub(r" at 0x[0-9a-f]+>", ">", data["text/plain"])
    if "text/html" in data:
        data["text/html"] = re.sub(r"\bT_[0-9a-f]{5}(?=[\W_])", f"T_{cell_id}", data["text/html"])


async def main(names: Sequence[str], out: Path) -> None:
    """Run the notebooks of these names, or all, and write each to `out` when all have run."""
    files = [NOTEBOOKS / name for name in names] or sorted(NOTEBOOKS.glob("*.ipynb"))
    turn = asyncio.Semaphore(AT_ONCE)
    for file, notebook in zip(files, await asyncio.gather(*(execute(file, turn) for file in files)), strict=True):
        nbformat.write(notebook, out / file.name)  # type: ignore[no-untyped-call]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME.ipynb", help="those of notebooks/ to run; else all")
    parser.add_argument("--out", type=Path, default=NOTEBOOKS, help="the folder to write to")
    arguments = parser.parse_args()
    asyncio.run(main(arguments.names, arguments.out))
