"""Progress: lines into a pipe, a bar on a terminal, nothing when quiet."""

from __future__ import annotations

import io

from chunky.cli.progress import watching


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_one_line_a_step_into_a_pipe():
    err = io.StringIO()
    with watching(False, stream=err) as watcher:
        for done in range(5):
            watcher("first\x1b[31m", done, 5)
        watcher("second", 0, None)
    assert err.getvalue() == "first\\x1b[31m …\nsecond …\n"


def test_nothing_when_quiet():
    err = io.StringIO()
    with watching(True, stream=err) as watcher:
        watcher("step", 1, 2)
    assert err.getvalue() == ""


def test_a_bar_on_a_terminal_that_leaves_no_line_behind():
    err = Terminal()
    with watching(False, "B", stream=err) as watcher:
        watcher("evil \u202e[red]name", 10, 100)
        watcher("evil \u202e[red]name", 100, 100)
        watcher("then", 0, None)
    assert "\u202e" not in err.getvalue()
    assert err.getvalue().rstrip().endswith(("\x1b[2K", "\x1b[?25h"))
