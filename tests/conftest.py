"""Fixtures shared by all tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from chunky.warehouse import Warehouse


@pytest.fixture
def lake(tmp_path: Path) -> Warehouse:
    """An empty lake."""
    return Warehouse(tmp_path / "lake", lock_seconds=1)


@pytest.fixture(scope="session")
def real_mix() -> Path:
    """The folder of a real mix, named by CHUNKY_REAL_MIX; the test is skipped, with the reason, where there is none."""
    folder = os.environ.get("CHUNKY_REAL_MIX")
    if not folder:
        pytest.skip("CHUNKY_REAL_MIX does not name the folder of a real mix")
    path = Path(folder)
    assert path.is_dir(), f"CHUNKY_REAL_MIX={folder} is no folder"
    return path
