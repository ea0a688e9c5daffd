"""The HTTP API and the web page, over one application: `create_server`, `serve` for a process of its own.

`serve_processes` has several of them on one port.

::

    request ─▶ envelope ─▶ guard ──────────────────────────────────▶ endpoint
               id, log      key → tenant, rate, in flight, body size   retrieve, chat, documents, uploads, completions
"""

from __future__ import annotations

from rag_app.errors import ConfigurationError

try:
    from rag_app.server.application import create_server
    from rag_app.server.processes import serve_processes
    from rag_app.server.running import serve
except ModuleNotFoundError as error:
    if error.name is None or error.name.partition(".")[0] not in ("fastapi", "starlette", "uvicorn"):
        raise
    raise ConfigurationError(f"the server needs {error.name}: pip install 'rag-app[server]'") from error

__all__ = ["create_server", "serve", "serve_processes"]
