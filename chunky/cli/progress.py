"""Progress on stderr: a bar on a terminal, one line a step elsewhere, nothing when quiet.

While models are asked, a panel (or a line every ten seconds) says what that costs.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any, Protocol

from chunky.cli.money import lines_of, sentence_of
from chunky.cli.output import seconds, size, visible

if TYPE_CHECKING:
    from chunky.llm.tally import Tally

_LINE_SECONDS = 10.0


class Watcher(Protocol):
    """Somebody who hears of work: `pipeline.Progress`, and what model calls come to."""

    def __call__(self, what: str, done: float, of: float | None) -> None:
        """What is done, how much, of how much (None when unknown)."""
        ...

    def calls(self, tally: Tally) -> None:
        """Model calls so far."""
        ...

    def news(self, line: str) -> None:
        """Something was found."""
        ...


class _Silent:
    """Nobody watches."""

    def __call__(self, what: str, done: float, of: float | None) -> None:
        pass

    def calls(self, tally: Tally) -> None:
        pass

    def news(self, line: str) -> None:
        pass


@contextmanager
def watching(is_quiet: bool, unit: str = "", stream: IO[str] | None = None) -> Iterator[Watcher]:
    """A progress callback for the length of the block; `unit` is `B` when `done` counts bytes."""
    err = stream or sys.stderr
    if is_quiet:
        yield _Silent()
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
        self._told = float("-inf")

    def __call__(self, what: str, done: float, of: float | None) -> None:
        if what != self._what:
            self.finish()
            self._what, self._since = what, time.monotonic()
            self._err.write(f"{visible(what)} …\n")
            self._err.flush()

    def calls(self, tally: Tally) -> None:
        """A line when the calls begin and when they end, and one every ten seconds."""
        now = time.monotonic()
        if tally.done in (0, tally.total) or now - self._told >= _LINE_SECONDS:
            self._told = now
            self._err.write(f"{visible(sentence_of(tally))}\n")
            self._err.flush()

    def news(self, line: str) -> None:
        """A line by itself."""
        self._err.write(f"{visible(line)}\n")
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
    from rich.panel import Panel
    from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, Task, TextColumn, TimeElapsedColumn
    from rich.text import Text

    class Rate(ProgressColumn):
        """Bytes or items a second."""

        def render(self, task: Task) -> Text:
            speed = task.finished_speed or task.speed
            if not speed:
                return Text("")
            return Text(f"{size(speed) if unit == 'B' else f'{speed:,.0f}'}/s", style="cyan")

    class Bars(Progress):
        """The bar, and under it the panel of the model calls, while there are any."""

        tally: Tally | None = None
        current = ""

        def get_renderables(self) -> Iterator[Any]:
            yield self.make_tasks_table(self.tasks)
            if self.tally is not None:
                yield Panel(Text("\n".join(map(visible, lines_of(self.tally)))), title="model calls", expand=False)

        def __call__(self, what: str, done: float, of: float | None) -> None:
            self.tally = None
            self._show(what, done, of)

        def calls(self, tally: Tally) -> None:
            self.tally = tally
            self._show(f"calls of the {tally.role}", tally.done, tally.total)

        def news(self, line: str) -> None:
            self.console.print(visible(line), markup=False, highlight=False, soft_wrap=True)

        def _show(self, what: str, done: float, of: float | None) -> None:
            if what != self.current:
                self.current = what
                self.reset(task, description=visible(what)[-60:], total=of)
            self.update(task, completed=done, total=of)

    console = Console(file=err, markup=False, highlight=False, emoji=False)
    text = TextColumn("{task.description}", markup=False)
    share = TextColumn("{task.percentage:>3.0f} %", markup=False)
    with Bars(
        SpinnerColumn(), text, BarColumn(bar_width=30), share, Rate(), TimeElapsedColumn(), console=console,
        transient=True,
    ) as bars:  # fmt: skip
        task = bars.add_task("", total=None)
        yield bars
