"""Dagster's home inside a lake: `LAKE/.dagster`, so that a lake carries the record of every run that made it."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

FOLDER = ".dagster"


def prepare(lake: Path) -> Path:
    """The folder to use as DAGSTER_HOME for `lake`, made on first use; an existing `dagster.yaml` is left as it is.

    Absolute, as Dagster wants it.
    """
    home = lake.absolute() / FOLDER
    home.mkdir(parents=True, exist_ok=True)
    settings = home / "dagster.yaml"
    if not settings.exists():
        settings.write_text(files("dagster_project").joinpath("dagster.yaml").read_text("utf-8"), encoding="utf-8")
    return home
