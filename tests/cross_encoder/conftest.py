"""A cross-encoder that a test may harm."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest


@pytest.fixture
def folder(cross_encoder_folder: Path, tmp_path: Path) -> Path:
    """A copy of the small cross-encoder's folder."""
    return shutil.copytree(cross_encoder_folder, tmp_path / "model")
