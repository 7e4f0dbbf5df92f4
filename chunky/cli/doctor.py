"""`chunky doctor`: is this machine fit, and is this lake up to date?"""

from __future__ import annotations

from collections.abc import Sequence

import typer

from chunky.cli.output import Head, count, visible
from chunky.cli.session import Session, session_of


def register(app: typer.Typer) -> None:
    """Add the verb of this module."""
    app.command()(doctor)


def doctor(context: typer.Context) -> None:
    """Check Python, engines, memory, disk and the lake's tables; say what to do. Exit code 1 on a problem."""
    from chunky import doctor as checks

    session = session_of(context)
    observations = [*checks.machine(session.lake), *checks.engines(), *checks.extras()]
    lake = session.warehouse(must_exist=False)
    exists = (session.lake / "corpus").is_dir()
    steps = checks.steps(lake, session.settings) if exists else []
    if session.is_json:
        session.printer.json({
            "machine": [observation._asdict() for observation in observations],
            "lake": {"folder": str(session.lake), "exists": exists, "steps": [step._asdict() for step in steps]},
        })  # fmt: skip
    else:
        _print(session, observations, steps, exists)
    if not all(observation.is_fine for observation in observations):
        raise typer.Exit(1)


def _print(
    session: Session,
    observations: Sequence[tuple[str, str, bool, str]],
    steps: Sequence[tuple[str, str, dict[str, int], str]],
    exists: bool,
) -> None:
    printer, folder = session.printer, visible(str(session.lake))
    rows = [
        ("ok" if fine else "PROBLEM", what, found, "" if fine else remedy) for what, found, fine, remedy in observations
    ]
    printer.table((Head(""), Head("what"), Head("found"), Head("do")), rows)
    printer.line()
    if not exists:
        printer.line(f"lake {folder}: none yet. Make one: chunky ingest PATH…; or look around first: chunky demo")
        return
    heads = (Head("step"), Head("state"), Head("table"), Head("rows", True), Head("do"))
    lines: list[tuple[str, ...]] = []
    for step, state, held, remedy in steps:
        for place, (table, number) in enumerate(held.items()):
            shown = ("", "", table, count(number), "") if place else (step, state, table, count(number), remedy)
            lines.append(shown)
    printer.table(heads, lines, f"lake {folder}")
    behind = [step for step, state, _, _ in steps if state != "built"]
    printer.line(
        "up to date"
        if not behind
        else f"behind: {', '.join(behind)}. Run: {next(step[3] for step in steps if step[3])}"
    )
