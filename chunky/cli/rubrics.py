"""`chunky rubrics`: the rubrics that there are, what a judge reads of one, and whether it means what it says."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from chunky.cli.output import Head, count, visible
from chunky.cli.session import Session, session_of
from chunky.errors import ChunkyError, InputError

if TYPE_CHECKING:
    from chunky.rubrics import Case, Checked, Rubric

_Spec = Annotated[str, typer.Argument(metavar="NAME", help="A name, or a file.")]


def register(app: typer.Typer) -> None:
    """Add the verbs of this module."""
    group = typer.Typer(help="What audits look for: list, show, check and begin rubrics.", no_args_is_help=True)
    group.callback()(_rubrics)
    group.command("list")(list_)
    group.command()(show)
    group.command()(check)
    group.command()(new)
    app.add_typer(group, name="rubrics")


def _rubrics() -> None:
    """What audits look for: list, show, check and begin rubrics."""


def list_(context: typer.Context) -> None:
    """List the rubrics of the package and of the lake's folder `rubrics`, which goes before it."""
    from chunky import rubrics

    session = session_of(context)
    entries: list[dict[str, Any]] = []
    for name, path in rubrics.files(rubrics.folders_of(session.lake)).items():
        try:
            told = {"principle": rubrics.read_file(path).principle, "problem": None}
        except ChunkyError as bad:
            told = {"principle": None, "problem": f"{bad.problem}; {bad.remedy}"}
        entries.append({"name": name, "from": "package" if rubrics.is_packaged(path) else str(path)} | told)
    if session.is_json:
        session.printer.json({"rubrics": entries})
        return
    rows = [(each["name"], each["from"], each["principle"] or f"! {each['problem']}") for each in entries]
    session.printer.table((Head("rubric"), Head("from"), Head("principle")), rows)


def show(context: typer.Context, name: _Spec) -> None:
    """Print a rubric as a judge reads it; with --json whole, with what a judge does not see."""
    session = session_of(context)
    found = _found(session, name)
    if session.is_json:
        session.printer.json(_object(found))
        return
    for line in found.text().split("\n"):
        session.printer.line(visible(line))


def check(context: typer.Context, name: _Spec) -> None:
    """Check a rubric: the judge without a model scores its canaries and the examples of its scoring guide.

    Exit code 1 when a score is not within the bounds that the rubric gives. What the rubric lacks is told.
    """
    from chunky import rubrics

    session = session_of(context)
    found = _found(session, name)
    checked = rubrics.check(found)
    if session.is_json:
        session.printer.json(_outcome(found, checked))
    else:
        _print(session, found, checked)
    if checked.misses:
        raise typer.Exit(1)


def new(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="What it is called: letters, digits, _ and -.")],
) -> None:
    """Begin a rubric: write NAME.yaml, a commented example to be changed, and never over a file.

    It goes into the lake's folder `rubrics`, where it is found by its name; where there is none, into this folder.
    """
    from chunky import rubrics

    session = session_of(context)
    if not rubrics.is_name(name):
        raise InputError(f"{name!r} is no name of a rubric", "use letters, digits, _ and -, such as no_rhymes")
    folder = next(iter(rubrics.folders_of(session.lake)), Path())
    path, packaged = folder / f"{name}.yaml", name in rubrics.names()
    try:
        with open(path, "x", encoding="utf-8") as file:
            file.write(rubrics.SKELETON)
    except FileExistsError as error:
        raise InputError(f"{path} is there already", "choose another name, or edit that file") from error
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror or error}", "go to another folder") from error
    if session.is_json:
        session.printer.json({"file": str(path)})
        return
    if packaged and path.parent != Path():
        sys.stderr.write(f"in this lake it goes before the package's own rubric {name}\n")
    session.printer.line(f"wrote {visible(str(path))}; change it, then: chunky rubrics check {visible(str(path))}")


def _found(session: Session, name: str) -> Rubric:
    from chunky import rubrics

    return rubrics.rubric(name, rubrics.folders_of(session.lake))


def _object(found: Rubric) -> dict[str, Any]:
    from dataclasses import asdict

    return {
        "name": found.name, "version": found.version, "principle": found.principle, "details": found.details,
        "scoring": [asdict(each) for each in found.scoring], "critical": found.critical, "behaviors": found.behaviors,
        "signals": found.signal_facts(), "canaries": [asdict(each) for each in found.canaries],
        "source": found.source,
    }  # fmt: skip


def _outcome(found: Rubric, checked: Checked) -> dict[str, Any]:
    cases = [each._asdict() | {"is_met": each.is_met} for each in checked.cases]
    return {"rubric": found.name, "cases": cases, "misses": len(checked.misses), "warnings": checked.warnings}


def _print(session: Session, found: Rubric, checked: Checked) -> None:
    printer = session.printer
    for case in checked.misses:
        printer.line(_told(case), "red")
    for warning in checked.warnings:
        printer.line(visible(warning), "yellow")
    met = len(checked.cases) - len(checked.misses)
    printer.line(
        f"{visible(found.name)}: {count(met)} of {count(len(checked.cases))} known answers are met by the rules judge"
        if checked.cases
        else f"{visible(found.name)}: a rubric, without known answers that the rules judge could be held to"
    )


def _told(case: Case) -> str:
    return (
        f"{visible(case.kind)}: {case.score:.1f} is not within {case.low:g} to {case.high:g}: "
        f"“{visible(case.query, 60)}” → “{visible(case.response, 60)}”"
    )
