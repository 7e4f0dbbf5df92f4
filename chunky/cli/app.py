"""The application: its verbs in the order in which people need them, and what happens when something goes wrong.

Exit codes: 0 done; 1 an error, told as problem and remedy; 2 wrong usage; 130 interrupted; 141 the reader of the
output went away (`chunky ask | head`).
"""

from __future__ import annotations

import os
import sys
from typing import Any

import typer

from chunky.cli import (
    agreement,
    ask,
    build,
    cost,
    demo,
    diff,
    directions,
    doctor,
    ingest,
    near,
    profile,
    rates,
    rubrics,
    show,
    sql,
    surf,
    trace,
)
from chunky.cli.output import show_error
from chunky.cli.session import share
from chunky.errors import ChunkyError

EPILOG = "Begin with: chunky demo. Then: chunky ingest PATH…, chunky build, chunky ask."
VERBS = (
    ingest, build, cost, ask, surf, trace, directions, near, profile, sql, rates, agreement, rubrics, diff, show,
    doctor, demo,
)  # fmt: skip
_INTERRUPTED, _PIPE_CLOSED = 130, 141  # 128 + SIGINT, 128 + SIGPIPE


class Verbs(typer.core.TyperGroup):
    """The group of all verbs: shares options between them and turns errors into two lines and an exit code."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        share(self)

    def main(self, *arguments: Any, **named: Any) -> Any:
        """Parse, run, and leave with an exit code."""
        try:
            return super().main(*arguments, **named)
        except ChunkyError as error:
            show_error(error)
            sys.exit(1)

    def invoke(self, ctx: Any) -> Any:
        """Run the verb."""
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
            return result
        except KeyboardInterrupt as error:
            sys.stderr.write("\ninterrupted: what was finished is kept; the same command goes on from there\n")
            raise typer.Exit(_INTERRUPTED) from error
        except BrokenPipeError as error:
            # Python flushes stdout once more on its way out; give it a stream that takes it
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(_PIPE_CLOSED) from error


def make() -> typer.Typer:
    """The application with all verbs."""
    app = typer.Typer(
        name="chunky",
        cls=Verbs,
        help="Audit what a post-training mix teaches language models by accident.",
        epilog=EPILOG,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )

    @app.callback()
    def root() -> None:
        """Audit what a post-training mix teaches language models by accident."""

    for module in VERBS:
        module.register(app)
    return app


app = make()


def run() -> None:
    """Run the command line of this process."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # a terminal that cannot show a character spells it out
    app()
