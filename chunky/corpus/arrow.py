"""Arrow's compute functions, imported late and untyped: the published stubs are made for an older Arrow."""

from __future__ import annotations

from typing import Any


def compute() -> Any:
    """The module `pyarrow.compute`."""
    import pyarrow.compute

    return pyarrow.compute


def arrow() -> Any:
    """The module `pyarrow`."""
    import pyarrow

    return pyarrow
