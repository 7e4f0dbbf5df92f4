"""Progress on stderr: a bar on a terminal, one line a step elsewhere, nothing when quiet."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO

from chunky.cli.output import seconds, size, visible

Watcher = Callable[[str, float, float | None], None]  # what, done, of (None when unknown): pipeline.Progress


def ignore(what: str, done: float, of: float | None) -> None:
    """Progress that nobody watches."""


@contextmanager
def watching(is_quiet: bool, unit: str = "", stream: IO[str] | None = None) -> Iterator[Watcher]:
    """A progress callback for the length of the block; `unit` is `B` when `done` counts bytes."""
    err = stream or sys.stderr
    if is_quiet:
        yield ignore
    elif err.isatty():
        with _bars(err, unit) as watcher:
            yield watcher
    else:
        lines = _Lines(err)
        yield lines
        lines.finish()


class _Lines:
    """One line when a step begins to report, and one with its time when the next begins."""

    def __init__(self, err: IO[str]) -> None:
        self._err, self._what, self._since = err, "", 0.0

    def __call__(self, what: str, done: float, of: float | None) -> None:
        if what != self._what:
            self.finish()
            self._what, self._since = what, time.monotonic()
            self._err.write(f"{visible(what)} …\n")
            self._err.flush()

    def finish(self) -> None:
        """Tell how long the step before took, where that is worth a line."""
        taken = time.monotonic() - self._since
        if self._what and taken >= 1:
            self._err.write(f"{visible(self._what)}: {seconds(taken)}\n")
            self._err.flush()
        self._what = ""


@contextmanager
def _bars(err: IO[str], unit: str) -> Iterator[Watcher]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, Task, TextColumn, TimeElapsedColumn
    from rich.text import Text

    class Rate(ProgressColumn):
        """Bytes or items a second."""

        def render(self, task: Task) -> Text:
            speed = task.finished_speed or task.speed
            if not speed:
                return Text("")
            return Text(f"{size(speed) if unit == 'B' else f'{speed:,.0f}'}/s", style="cyan")

    console = Console(file=err, markup=False, highlight=False, emoji=False)
    text = TextColumn("{task.description}", markup=False)
    share = TextColumn("{task.percentage:>3.0f} %", markup=False)
    with Progress(
        SpinnerColumn(),
        text,
        BarColumn(bar_width=30),
        share,
        Rate(),
        TimeElapsedColumn(),
        console=console,
        transient=True,
    ) as progress:
        task = progress.add_task("", total=None)
        current = ""

        def watcher(what: str, done: float, of: float | None) -> None:
            nonlocal current
            if what != current:
                current = what
                progress.reset(task, description=visible(what)[-60:], total=of)
            progress.update(task, completed=done, total=of)

        yield watcher
