"""`chunky cost` and `chunky cache`: where the money for models went, and the answers that it bought."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from chunky.cli.money import dollars
from chunky.cli.output import Head, count, size, visible
from chunky.cli.session import Session, session_of

if TYPE_CHECKING:
    from chunky.llm.books import Cost

_DAY = 86_400.0
_HEADS = (
    Head("run"), Head("role"), Head("model"), Head("calls", True), Head("from the ledger", True), Head("failed", True),
    Head("tokens in", True), Head("out", True), Head("cost", True),
)  # fmt: skip


def register(app: typer.Typer) -> None:
    """Add the verbs of this module."""
    app.command()(cost)
    cache = typer.Typer(help="The answers that models gave, kept so that none is paid for twice.", no_args_is_help=True)
    cache.callback()(_cache)
    cache.command("stats")(stats)
    cache.command("prune")(prune)
    cache.command("verify")(verify)
    app.add_typer(cache, name="cache")


def cost(
    context: typer.Context,
    run: Annotated[
        str, typer.Option("--run", metavar="RUN", help="This run alone, by the beginning of its name.")
    ] = "",
) -> None:
    """Say what models have cost: by run, role and model. Brings the table llm.calls up to date for SQL."""
    from chunky import pipeline
    from chunky.llm.batches.books import open_batches
    from chunky.llm.books import costs

    session = session_of(context)
    lake = session.warehouse()
    with pipeline.ledger_of(lake) as ledger:
        found = [each for each in costs(ledger) if each.run.startswith(run)]
        in_flight = open_batches(ledger)
    if lake.parts("corpus.rows"):
        pipeline.STEPS["calls"](lake, session.settings, pipeline.silent)
    if session.is_json:
        told = [each._asdict() | {"started_at": _time(each.started_at)} for each in found]
        batches = [each._asdict() | {"submitted_at": _known_time(each.submitted_at)} for each in in_flight]
        told_all = {"costs": told, "usd": _sum(found), "unpriced": sum(each.unpriced for each in found)}
        session.printer.json(told_all | {"open_batches": batches})
        return
    _print(session, found)
    if in_flight:
        waiting, reserved = sum(each.rows for each in in_flight), sum(each.reserved_usd for each in in_flight)
        session.printer.line(
            f"{count(len(in_flight))} batches with {count(waiting)} calls are at the vendors, at most "
            f"{dollars(reserved)}; the next build with llm.batch collects them"
        )


def _print(session: Session, found: Sequence[Cost]) -> None:
    printer = session.printer
    if not found:
        printer.line("no model was ever asked: nothing was spent")
        return
    rows = [
        (each.run, each.role, each.model, each.calls, each.cached, each.failed, each.input_tokens, each.output_tokens,
         _known(each.usd, each.unpriced))
        for each in found
    ]  # fmt: skip
    printer.table(_HEADS, rows)
    calls, cached = sum(each.calls for each in found), sum(each.cached for each in found)
    total = _known(_sum(found), sum(each.unpriced for each in found))
    printer.line(f"{count(calls)} calls, {count(cached)} of them for nothing; in all {total}")
    printer.line("by SQL: chunky sql --question model_costs")


def _sum(found: Sequence[Cost]) -> float | None:
    known = [each.usd for each in found if each.usd is not None]
    return sum(known) if known else None


def _known(usd: float | None, unpriced: int) -> str:
    return dollars(usd) + (f" and {count(unpriced)} calls of unknown cost" if unpriced else "")


def _time(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="seconds")


def _known_time(moment: float | None) -> str | None:
    return None if moment is None else _time(moment)


def _cache() -> None:
    """The answers that models gave, kept so that none is paid for twice."""


def stats(context: typer.Context) -> None:
    """Say what is kept, by model."""
    from chunky import pipeline
    from chunky.llm.books import contents

    session = session_of(context)
    lake = session.warehouse()
    path = pipeline.ledger_path(lake)
    stored = path.stat().st_size if path.is_file() else 0
    with pipeline.ledger_of(lake) as ledger:
        found = contents(ledger)
    if session.is_json:
        times = [each._asdict() | {"oldest": _time(each.oldest), "newest": _time(each.newest)} for each in found]
        session.printer.json({"file": str(path), "bytes": stored, "models": times})
        return
    heads = (Head("model"), Head("answers", True), Head("characters", True), Head("other calls", True), Head("newest"))
    rows = [(each.model, each.answers, each.chars, each.others, _time(each.newest)) for each in found]
    session.printer.table(heads, rows)
    session.printer.line(f"{visible(str(path))}: {size(stored)}")


def prune(
    context: typer.Context,
    older_than: Annotated[
        float | None, typer.Option(metavar="DAYS", min=0, help="Only calls older than this many days.")
    ] = None,
    model: Annotated[str | None, typer.Option(metavar="MODEL", help="Only calls of this model.")] = None,
    answers: Annotated[
        bool, typer.Option("--answers", help="Answers too: what needs one of them pays for it again.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Forget calls that are no answers: hits, failures. What runs have spent stays in their budgets."""
    from chunky import pipeline
    from chunky.llm import books

    session = session_of(context)
    lake = session.warehouse()
    if answers and not yes:
        typer.confirm("Forget answers that were paid for?", abort=True, err=True)
    before = None if older_than is None else time.time() - older_than * _DAY
    with pipeline.ledger_of(lake) as ledger:
        gone = books.prune(ledger, before=before, model=model, keep_answers=not answers)
    if session.is_json:
        session.printer.json({"forgotten": gone})
        return
    session.printer.line(f"forgot {count(gone)} calls")


def verify(context: typer.Context) -> None:
    """Check every answer against its check sum, and the books against themselves. Exit code 1 when something is off."""
    from chunky import pipeline
    from chunky.llm import books

    session = session_of(context)
    with pipeline.ledger_of(session.warehouse()) as ledger:
        found = books.verify(ledger)
        number = sum(each.answers for each in books.contents(ledger))
    if session.is_json:
        session.printer.json({"answers": number, "problems": found})
    else:
        for problem in found:
            session.printer.line(visible(problem), "red")
        session.printer.line(f"{count(number)} answers checked, {count(len(found))} problems")
    if found:
        raise typer.Exit(1)
