"""Fixtures shared by all tests."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from chunky.settings import Settings
from chunky.warehouse import Warehouse

# How long an example takes says how busy the machine is: three properties failed at a load of 8 that hold at 1.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")

# The instant embedder, for tests that are not about vectors: a model takes 5 s to load.
QUICK = Settings.model_validate({"embeddings": {"embedder": "hashing"}})


@pytest.fixture(autouse=True, scope="session")
def _quick_vectors() -> Iterator[None]:
    """The same where the settings come from their sources, as the command line has them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CHUNKY_EMBEDDINGS_EMBEDDER", "hashing")
        yield


@pytest.fixture
def lake(tmp_path: Path) -> Warehouse:
    """An empty lake."""
    return Warehouse(tmp_path / "lake", lock_seconds=1)


@pytest.fixture(scope="session")
def traced(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the lake of `tests.traced_lake`, with all that traces need. Tests must not change it."""
    from tests import traced_lake  # the pipeline takes a second to import: not for every test

    return traced_lake.build(tmp_path_factory.mktemp("traced"))


@pytest.fixture(scope="session")
def real_mix() -> Path:
    """The folder of a real mix, named by CHUNKY_REAL_MIX; the test is skipped, with the reason, where there is none."""
    folder = os.environ.get("CHUNKY_REAL_MIX")
    if not folder:
        pytest.skip("CHUNKY_REAL_MIX does not name the folder of a real mix")
    path = Path(folder)
    assert path.is_dir(), f"CHUNKY_REAL_MIX={folder} is no folder"
    return path
