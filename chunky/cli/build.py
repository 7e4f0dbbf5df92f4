"""`chunky build` and `chunky ui`: make every table that the corpus allows, and watch it being made."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from chunky.cli import work
from chunky.cli.output import Head, count, seconds
from chunky.cli.progress import watching
from chunky.cli.session import Session, session_of
from chunky.errors import SettingsError
from chunky.stages import STAGES

if TYPE_CHECKING:
    from chunky.pipeline import Built

STEPS = {stage.name: stage.meaning for stage in STAGES if stage.name != "corpus"}
_HEADS = (Head("step"), Head("table"), Head("rows", True), Head("time", True), Head(""))


def register(app: typer.Typer) -> None:
    """Add the verbs of this module."""
    app.command()(build)
    app.command()(ui)


def build(
    context: typer.Context,
    only: Annotated[
        list[str] | None, typer.Option("--only", metavar="STEP", help=f"One step of: {', '.join(STEPS)}; repeatable.")
    ] = None,
) -> None:
    """Build all tables from the rows taken in. A step whose inputs, code and settings are as before is left alone."""
    session = session_of(context)
    session.warehouse()
    for step in only or ():
        if step not in STEPS:
            raise SettingsError(f"there is no step {step!r}", f"use one of: {', '.join(STEPS)}")
    started = time.monotonic()
    with watching(session.is_quiet) as watcher:
        built = work.build(session, watcher, only or None)
    show_built(session, built, time.monotonic() - started)


def show_built(session: Session, built: Sequence[Built], passed: float) -> None:
    """Print what each step made, and what to do next."""
    printer = session.printer
    if session.is_json:
        printer.json({"steps": [asdict(step) for step in built], "seconds": passed})
        return
    rows = [
        (step.step, table, number, seconds(step.seconds) if step.is_new else "", "" if step.is_new else "unchanged")
        for step in built
        for table, number in step.rows.items()
    ]
    printer.table(_HEADS, rows)
    new = sum(step.is_new for step in built)
    printer.line(f"{count(new)} of {count(len(built))} steps had work to do; {seconds(passed)}. next: chunky ask")


def ui(
    context: typer.Context,
    port: Annotated[int, typer.Option(min=1, max=65_535, help="Port on this machine.")] = 3000,
    open_browser: Annotated[bool, typer.Option("--open/--no-open", help="Open a browser.")] = True,
) -> None:
    """Open the Dagster UI over the lake: every asset, run, check and its lineage."""
    session = session_of(context)
    session.warehouse(must_exist=False)
    work.serve(session.lake, port, open_browser)
