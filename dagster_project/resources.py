"""Resources: which lake a run works on with which settings, and who listens to it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path

import dagster as dg
from pydantic import Field

from chunky import settings
from chunky.errors import ChunkyError
from chunky.pipeline import Built, Ingested, Progress, silent
from chunky.settings import Settings
from chunky.warehouse import Warehouse

DEFAULT_LAKE = "warehouse"


class LakeResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """The lake and its settings: from the run's config, else from the environment and `chunky.toml`."""

    path: str = Field(default="", description="folder of the lake; empty = CHUNKY_LAKE, else `warehouse`")
    inbox: str = Field(default="", description="folder to watch; empty = CHUNKY_INBOX, else `inbox` in the lake")
    flags: dict[str, str] = Field(default={}, description="settings by dotted name, e.g. `keywords.min_rows: '10'`")

    @property
    def root(self) -> Path:
        """Folder of the lake; it may not exist yet."""
        return Path(self.path or os.environ.get("CHUNKY_LAKE") or DEFAULT_LAKE)

    @property
    def inbox_folder(self) -> Path:
        """Folder in which people drop files to be taken."""
        return Path(self.inbox or os.environ.get("CHUNKY_INBOX") or self.root / "inbox")

    def settings(self) -> Settings:
        """Settings in force; SettingsError names the source of a value that cannot be used."""
        return settings.load(self.root, os.environ, self.flags).settings

    def warehouse(self) -> Warehouse:
        """The lake, with the lock patience of its settings."""
        return Warehouse(self.root, self.settings().engine.lock_seconds)


@dataclass
class Listener:
    """Whoever started a run in this process: hears its progress and gets the results and errors as they are.

    A run in a process of its own (from the UI, a sensor) has a listener that nobody looks at.
    """

    progress: Progress = silent
    ingested: list[Ingested] = field(default_factory=list)
    built: list[Built] = field(default_factory=list)
    errors: list[ChunkyError] = field(default_factory=list)

    @contextmanager
    def listening(self) -> Iterator[Listener]:
        """Be the listener of every run that starts in this context."""
        token = _LISTENER.set(self)
        try:
            yield self
        finally:
            _LISTENER.reset(token)

    @contextmanager
    def hearing(self) -> Iterator[None]:
        """Keep an error raised on purpose, and show Dagster its problem and remedy instead of a stack trace."""
        try:
            yield
        except ChunkyError as error:
            self.errors.append(error)
            raise dg.Failure(
                description=str(error),
                metadata={"problem": error.problem, "remedy": error.remedy, "error": type(error).__name__},
                allow_retries=False,  # the same step on the same lake would fail the same way
            ) from error


_LISTENER: ContextVar[Listener] = ContextVar("listener")


@dg.resource(description="Whoever started the run in this process; nobody when Dagster did.")
def listener() -> Listener:
    """The listener in force: a job's own resources cannot be replaced when only some of its assets are chosen."""
    return _LISTENER.get(Listener())
