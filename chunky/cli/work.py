"""Long work on behalf of a verb: ingest and build as Dagster runs, so that the UI shows every run with its lineage."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from chunky.cli.progress import Watcher
from chunky.cli.session import Session

if TYPE_CHECKING:
    from chunky.corpus import ReadOptions
    from chunky.pipeline import Built, Ingested

_STARTING = "starting Dagster"  # its imports take 1 to 3 s, longer than many a file


def ingest(session: Session, paths: Sequence[str], options: ReadOptions, watcher: Watcher) -> list[Ingested]:
    """Take files into the session's lake; what became of each, in order."""
    watcher(_STARTING, 0, None)
    from dagster_project import launch

    return list(launch.ingest(session.lake, paths, options, session.flags, watcher))


def build(session: Session, watcher: Watcher, only: Sequence[str] | None = None) -> list[Built]:
    """Build every table downstream of the corpus, or the steps `only`; what each step did, in order."""
    watcher(_STARTING, 0, None)
    from chunky.pipeline import Metered
    from dagster_project import launch

    return list(launch.build(session.lake, session.flags, Metered(watcher, watcher.calls, watcher.news), only=only))


def search(session: Session, audit: str, seeds: Sequence[int], watcher: Watcher) -> list[Built]:
    """Run the searches of an audit, and what follows from them; what each step did, in order."""
    watcher(_STARTING, 0, None)
    from chunky.pipeline import Metered
    from dagster_project import launch

    progress = Metered(watcher, watcher.calls, watcher.news)
    return list(launch.search(session.lake, audit, seeds, session.flags, progress))


def trace(session: Session, audit: str, watcher: Watcher) -> list[Built]:
    """Trace the failures of an audit; what each step did, in order."""
    watcher(_STARTING, 0, None)
    from chunky.pipeline import Metered
    from dagster_project import launch

    progress = Metered(watcher, watcher.calls, watcher.news)
    return list(launch.trace(session.lake, audit, session.flags, progress))


def serve(lake: Path, port: int, open_browser: bool) -> None:
    """Replace this process by the Dagster UI over `lake`."""
    from dagster_project import launch

    launch.ui(lake, port, open_browser)
