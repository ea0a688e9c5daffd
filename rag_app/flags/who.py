"""Who changes a flag, where nobody is named."""

from __future__ import annotations

import getpass
import os


def system_user() -> str:
    """Return the name of the operating system's user, or the number of one without a name, as in containers."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"
