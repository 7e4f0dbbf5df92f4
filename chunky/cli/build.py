"""`chunky build` and `chunky ui`: make every table that the corpus allows, and watch it being made."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from chunky.cli import work
from chunky.cli.ingest import show_ingested
from chunky.cli.money import MaxCost, tell_estimates
from chunky.cli.output import Head, count, seconds
from chunky.cli.progress import watching
from chunky.cli.session import Session, session_of
from chunky.errors import SettingsError
from chunky.stages import STAGES

if TYPE_CHECKING:
    from chunky.pipeline import Built, Ingested

STEPS = {stage.name: stage.meaning for stage in STAGES if stage.name != "corpus"}
_HEADS = (Head("step"), Head("table"), Head("rows", True), Head("time", True), Head(""))


def register(app: typer.Typer) -> None:
    """Add the verbs of this module."""
    app.command()(build)
    app.command()(ui)


def build(
    context: typer.Context,
    paths: Annotated[
        list[str] | None,
        typer.Argument(metavar="PATH", help="Files, folders or globs to take in first, as `chunky ingest` does."),
    ] = None,
    only: Annotated[
        list[str] | None, typer.Option("--only", metavar="STEP", help=f"One step of: {', '.join(STEPS)}; repeatable.")
    ] = None,
    max_cost: MaxCost = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what models would take, and build nothing; PATH is taken in.")
    ] = False,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Ask models again where their replies could not be used.")
    ] = False,
) -> None:
    """Build all tables from the rows taken in, after taking in PATH where one is given.

    A step whose inputs, code and settings are as before is left alone. Exit code 1 when a file could not be read.
    Where `extractor` or `summarizer` name a model, what it will cost is said before it is asked.
    """
    session = session_of(context)
    if max_cost is not None:
        session.flags["llm.max_cost"] = str(max_cost)
    session.warehouse(must_exist=not paths)
    for step in only or ():
        if step not in STEPS:
            raise SettingsError(f"there is no step {step!r}", f"use one of: {', '.join(STEPS)}")
    started = time.monotonic()
    taken = _take(session, paths) if paths else []
    if retry_failed and not dry_run:
        _forget_failures(session)
    _tell_costs(session, only, dry_run)
    if dry_run:
        return
    with watching(session.is_quiet) as watcher:
        built = work.build(session, watcher, only or None)
    show_built(session, built, time.monotonic() - started, taken)
    if any(file.fault for file in taken):
        raise typer.Exit(1)


def _tell_costs(session: Session, only: Sequence[str] | None, is_asked: bool) -> None:
    """Say what models will take, before they do: on stderr, or as the result when that `is_asked` for."""
    from chunky import pipeline

    settings, lake = session.settings, session.warehouse(must_exist=False)
    if not pipeline.roles_by_models(settings) and not is_asked:
        return
    tell_estimates(session, pipeline.estimates(lake, settings, only), is_asked)


def _forget_failures(session: Session) -> None:
    from chunky import pipeline

    number = pipeline.forget_failures(session.warehouse())
    if not session.is_quiet:
        sys.stderr.write(f"asked again: {count(number)} repl{'y' if number == 1 else 'ies'} that could not be used\n")


def _take(session: Session, paths: Sequence[str]) -> list[Ingested]:
    """Take files in with the default reading options, and say what became of them."""
    from chunky.corpus import ReadOptions

    options = ReadOptions(max_record_chars=session.settings.corpus.max_record_chars)
    started = time.monotonic()
    with watching(session.is_quiet, "B") as watcher:
        taken = work.ingest(session, paths, options, watcher)
    if not session.is_json:
        show_ingested(session, taken, time.monotonic() - started)
    return taken


def show_built(session: Session, built: Sequence[Built], passed: float, taken: Sequence[Ingested] = ()) -> None:
    """Print what each step made, and what to do next; with --json also the files taken in."""
    printer = session.printer
    if session.is_json:
        files = {"files": [asdict(file) for file in taken]} if taken else {}
        printer.json({**files, "steps": [asdict(step) for step in built], "seconds": passed})
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
