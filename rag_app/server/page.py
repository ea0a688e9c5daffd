"""The web page at `/`: files of this package, and nothing from another server."""

from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI
from fastapi.responses import FileResponse
from starlette.staticfiles import StaticFiles

STATIC = Path(__file__).parent / "static"


def install_page(server: FastAPI) -> None:
    """Serve the page and its files."""

    @server.get("/", include_in_schema=False)
    async def page() -> FileResponse:
        return FileResponse(STATIC / "index.html")

    server.mount("/static", StaticFiles(directory=STATIC), "static")
