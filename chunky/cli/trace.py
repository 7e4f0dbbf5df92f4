"""`chunky trace`: which rows of the mix taught a strange response, and which cue of the query brings it."""

from __future__ import annotations

import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from chunky.cli.ask import warn_if_behind
from chunky.cli.money import MaxCost, tell_estimates
from chunky.cli.progress import Watcher, watching
from chunky.cli.session import Session, session_of
from chunky.cli.trace_view import show_sum, show_trace, tell_left_out, tell_untraced
from chunky.errors import FileFault, InputError, MissingTable, SettingsError

if TYPE_CHECKING:
    from chunky.corpus import Source
    from chunky.settings import Settings
    from chunky.turf import Failure, Unusable
    from chunky.warehouse import Warehouse

_STDIN = "-"
_EMPTY = "empty file"
_BATCH = 64  # failures traced at once: what they share is looked up once, and fifty took a tenth of one by one
_LEAST_EVIDENCE = 20  # rows of each trigger that a program gets, where there are so many


def register(app: typer.Typer) -> None:
    """Add the verb of this module."""
    app.command()(trace)


class Given(NamedTuple):
    """What is to be traced, the records that cannot be, and how many records repeat one before them."""

    failures: list[Failure]
    unusable: list[Unusable]
    repeated: int


def trace(
    context: typer.Context,
    query: Annotated[str | None, typer.Option("--query", metavar="TEXT", help="What was asked.")] = None,
    response: Annotated[str | None, typer.Option("--response", metavar="TEXT", help="What was answered.")] = None,
    query_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The same from a file, without its last line break.")
    ] = None,
    response_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The same from a file, without its last line break.")
    ] = None,
    rubric: Annotated[
        str | None,
        typer.Option(
            metavar="RUBRIC",
            help="What the response violates: a name (rebuttal, identity, …), a file, or a sentence. With --input, "
            "for records that name none.",
        ),
    ] = None,
    input_: Annotated[
        str | None,
        typer.Option(
            "--input",
            metavar="FILE",
            help="Failures with query, response and rubric: JSONL, JSON, CSV, TSV or Parquet, also .gz and .zst; "
            "`-` or a pipe: stdin.",
        ),
    ] = None,
    method: Annotated[str, typer.Option(help="joint or paper; else setting turf.method.")] = "",
    k: Annotated[int | None, typer.Option("-k", min=1, help="Neighbors of a crux, rows; else setting turf.k.")] = None,
    limit: Annotated[
        int | None, typer.Option("--limit", "-n", min=1, help="Triggers of a failure; else setting turf.triggers.")
    ] = None,
    evidence: Annotated[int, typer.Option(min=0, help="Rows of the mix shown for the first trigger.")] = 3,
    audit: Annotated[
        str, typer.Option(metavar="NAME", help="Keep the traces in the lake, as this audit, in place of what it held.")
    ] = "",
    max_cost: MaxCost = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what models would take, and trace nothing.")] = False,
) -> None:
    """Trace a strange response to the rows of the mix that taught it: “When the model sees …, it …, because of …”.

    The response is taken apart into attributes; those that the rubric speaks of are the cruxes. Their neighbors are the
    rows of the mix that respond so, and a trigger is an attribute of the query that is more frequent among the queries
    of those rows than in the mix, and than chance explains. “No trigger found” and “not taught by this mix” are answers
    too.

    With --audit the traces are rows of the tables turf.* too, a partition for each audit, and report.confirmations
    says which findings they confirm; the same failures traced again are read from there. Where a model found the
    attributes of the lake, it describes the failure too, and picks the cruxes: three calls, paid once; what they will
    take is said before.

    With --json one object a failure, each on its line, with at least 20 rows of evidence for a trigger where there are
    so many. Exit code 1 when a record could not be traced; the others are.
    """
    session = session_of(context)
    if max_cost is not None:
        session.flags["llm.max_cost"] = str(max_cost)
    lake = session.warehouse()
    settings = _with(session.settings, method, k, limit, max(evidence, _LEAST_EVIDENCE))
    given = _given((query, query_file), (response, response_file), rubric, input_, lake, audit)
    warn_if_behind(session, lake)
    tell_left_out(given.unusable, given.repeated)
    _tell_costs(session, settings, given, dry_run)
    if dry_run:
        return
    untraced = _trace(session, settings, given, evidence, audit) if given.failures else []
    if session.is_json:
        _print_unusable(session, [*given.unusable, *untraced])
    if given.unusable or untraced:
        raise typer.Exit(1)


def _tell_costs(session: Session, settings: Settings, given: Given, is_asked: bool) -> None:
    """Say what models will take, where one has something to do or where that `is_asked` for."""
    from chunky import pipeline

    found = pipeline.trace_estimates(session.warehouse(), settings, given.failures)
    if found or is_asked:
        tell_estimates(session, found, is_asked)


def _with(settings: Settings, method: str, k: int | None, limit: int | None, evidence: int) -> Settings:
    """The settings with what the options say instead."""
    from chunky.pipeline.tracing import METHODS

    turf = settings.turf
    if method and method not in METHODS:
        raise SettingsError(f"there is no method {method!r}", f"use one of: {', '.join(METHODS)}")
    changed: dict[str, Any] = {
        "method": method or turf.method, "k": k or turf.k, "triggers": limit or turf.triggers,
        "evidence_rows": max(evidence, turf.evidence_rows),
    }  # fmt: skip
    return settings.model_copy(update={"turf": turf.model_copy(update=changed)})


# what is to be traced ----------------------------------------------------------------------------------------------


def _given(
    query: tuple[str | None, Path | None],
    response: tuple[str | None, Path | None],
    rubric: str | None,
    path: str | None,
    lake: Warehouse,
    audit: str,
) -> Given:
    """What the options name: one failure by text or file of each side, a file of many, or stdin where nothing is.

    An audit that the lake knows brings its own failures, where stdin is a terminal or empty.
    """
    from chunky import pipeline

    is_single = (*query, *response) != (None,) * 4
    if path is None and is_single:
        return _single(_side("query", *query), _side("response", *response), rubric, lake.root)
    if is_single:
        raise InputError("failures come from --input or from --query and --response, not both", "leave one of them out")
    if path is not None:
        return _many(path, rubric, lake.root)
    try:
        if sys.stdin.isatty():
            raise FileFault("no failure was given", "name --query, --response and --rubric, or --input FILE", _EMPTY)
        return _many(_STDIN, rubric, lake.root)
    except FileFault as fault:
        if audit and fault.reason == _EMPTY:
            with suppress(MissingTable):
                return Given(pipeline.failures_of_audit(lake, audit), [], 0)
        raise


def _side(name: str, text: str | None, file: Path | None) -> str:
    """A side's text, from the one place that was named."""
    if (text is None) == (file is None):
        problem = f"the {name} is given twice" if file else f"there is no {name}"
        raise InputError(problem, f"name one of --{name} TEXT and --{name}-file FILE")
    if file is None:
        return str(text)
    try:
        with open(file, encoding="utf-8-sig", newline="") as stream:
            found = stream.read()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{file} cannot be read: {error}", "name a file of text in UTF-8") from error
    return found.removesuffix("\n").removesuffix("\r")


def _single(query: str, response: str, rubric: str | None, lake: Path) -> Given:
    from chunky import rubrics, turf

    folders = rubrics.folders_of(lake)
    if rubric is None:
        there = ", ".join(rubrics.names(folders))
        raise InputError("there is no rubric", f"say --rubric: {there}, a file, or a sentence")
    return Given([turf.failure_of(query, response, rubrics.rubric(rubric, folders))], [], 0)


def _many(path: str, rubric: str | None, lake: Path) -> Given:
    from chunky import rubrics, turf

    folders = rubrics.folders_of(lake)
    if rubric is not None:
        rubrics.rubric(rubric, folders)  # a misspelled default is told once, not by every record
    records = 0

    def counted(source: Source) -> Iterator[Any]:
        nonlocal records
        for record in turf.read_records(source):
            records += record is not None
            yield record

    with _source(path) as source:
        failures, unusable = turf.failures_of(counted(source), lambda spec: rubrics.rubric(spec, folders), rubric)
    return Given(failures, unusable, records - len(failures) - len(unusable))


@contextmanager
def _source(path: str) -> Iterator[Source]:
    """The file of failures; what is no file (stdin, a pipe) is copied to one first, as content tells the format."""
    from chunky.corpus import Source

    try:
        if path != _STDIN and stat.S_ISREG((found := os.stat(path)).st_mode):
            yield Source(path, path, "", found.st_size)
            return
        if path != _STDIN and stat.S_ISDIR(found.st_mode):
            raise InputError(f"{path} is a folder", "name the file of the failures")
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder, "failures")
            with open(copy, "wb") as file:
                if path == _STDIN:
                    shutil.copyfileobj(sys.stdin.buffer, file)
                else:
                    with open(path, "rb") as pipe:
                        shutil.copyfileobj(pipe, file)
            yield Source(str(copy), "stdin" if path == _STDIN else path, "", copy.stat().st_size)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}", "name a file that is there") from error


# what came of it ---------------------------------------------------------------------------------------------------


def _trace(session: Session, settings: Settings, given: Given, evidence: int, audit: str) -> list[Unusable]:
    """Trace all failures, in batches, and print what came of each; those come back that a model failed to judge.

    On a terminal traces are printed when the last is done, so that they do not run through the bar of the progress.
    """
    printer, total = session.printer, len(given.failures)
    verdicts: list[str] = []

    def show(traces: list[dict[str, Any]]) -> None:
        for each in traces:
            verdicts.append(each["verdict"])
            if session.is_json:
                printer.json_line(each)
                continue
            show_trace(printer, each, evidence, f"failure {len(verdicts):,} of {total:,}" if total > 1 else "")
            printer.line()

    held: list[dict[str, Any]] = []
    untraced: list[Unusable] = []
    traced = _kept(audit) if audit else _batches
    try:
        with watching(session.is_quiet) as watcher:
            least = max(evidence, _LEAST_EVIDENCE)
            for traces in traced(session, settings, given.failures, least, watcher, untraced):
                if sys.stdout.isatty():
                    held += traces
                else:
                    show(traces)
    finally:  # what was traced before a model took no more calls is told
        show(held)
    tell_untraced(untraced)
    if total > 1 and not session.is_json:
        show_sum(printer, verdicts)
    return untraced


def _batches(
    session: Session,
    settings: Settings,
    failures: list[Failure],
    evidence: int,
    watcher: Watcher,
    untraced: list[Unusable],
) -> Iterator[list[dict[str, Any]]]:
    """Traces as objects, batch by batch; what cannot be traced is put into `untraced` when the last is done."""
    from chunky.lens import Lens
    from chunky.pipeline.trace_objects import trace_objects
    from chunky.pipeline.tracing import Tracer, in_batches

    lake = session.warehouse()
    watcher("opening the lake", 0, None)
    with Tracer(lake, settings) as tracer, Lens(lake, settings) as lens:
        done = 0
        for batch in in_batches(failures, _BATCH):
            watcher("failures", done, len(failures))
            yield trace_objects(lens, tracer.trace(batch), evidence)
            done += len(batch)
        untraced += tracer.untraced
        watcher("failures", len(failures), len(failures))


def _kept(audit: str) -> Callable[..., Iterator[list[dict[str, Any]]]]:
    """The same, by way of the lake: all failures of an audit in one transaction, then read from there."""

    def batches(
        session: Session,
        settings: Settings,
        failures: list[Failure],
        evidence: int,
        watcher: Watcher,
        untraced: list[Unusable],
    ) -> Iterator[list[dict[str, Any]]]:
        from chunky import pipeline
        from chunky.lens import Lens
        from chunky.pipeline.trace_objects import trace_objects
        from chunky.turf import Unusable

        lake = session.warehouse()
        pipeline.trace_audit(lake, settings, audit, failures, progress=watcher)
        pipeline.confirm_audit(lake, settings, audit, progress=watcher)
        held = set(pipeline.traces_of_audit(lake, audit).traces["failure_id"].to_list())
        there = [each for each in failures if each.failure_id in held]
        untraced += [
            Unusable(None, "a model gave no usable answer; see llm.calls", each.query, each.response, each.rubric.name)
            for each in failures
            if each.failure_id not in held
        ]
        traces = pipeline.traces_of_audit(lake, audit, [each.failure_id for each in there])
        with Lens(lake, settings) as lens:
            yield trace_objects(lens, traces, evidence)

    return batches


def _print_unusable(session: Session, unusable: list[Unusable]) -> None:
    from chunky import turf

    for each in unusable:
        session.printer.json_line(turf.unusable_object(each))
