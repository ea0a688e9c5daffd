"""A file whose bytes were read, as it is given to the reader of its kind."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rag_app.errors import ReadError


@dataclass(frozen=True)
class Opened:
    """A file that is not too large.

    Attributes:
        content: its bytes.
        name: its path in the folder that was given, else its name; its documents are named by it.
        source: the source of documents that name none.
        origin: what is said to have been skipped if it can not be read.
        max_mb: the size, in MB, that it does not exceed.
    """

    content: bytes
    name: str
    source: str
    origin: str
    max_mb: float

    @property
    def suffix(self) -> str:
        """What the name ends in, in small letters, with the full stop."""
        return Path(self.name).suffix.lower()

    @property
    def stem(self) -> str:
        """The name without folders and suffix, as a title."""
        return Path(self.name).stem.replace("-", " ")

    def text(self) -> str:
        """Return the content as text, with every line ended by a line feed.

        Raises:
            ReadError: it is neither UTF-8 nor UTF-16 with a byte-order mark.
        """
        encoding = "utf-16" if self.content.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8"
        if b"\0" in self.content and encoding == "utf-8":
            raise ReadError(f"the file is binary: it holds a NUL byte at {self.content.index(0)}")
        try:
            text = self.content.decode(encoding).removeprefix("\ufeff")
        except UnicodeDecodeError as error:
            remedy = ". If it was saved by an old Windows editor: iconv -f WINDOWS-1256 -t UTF-8"
            raise ReadError(
                f"the file is not {encoding.upper()}: byte {error.start} is {self.content[error.start]:#04x}"
                f"{remedy if encoding == 'utf-8' else ''}"
            ) from error
        return text.replace("\r\n", "\n").replace("\r", "\n")
