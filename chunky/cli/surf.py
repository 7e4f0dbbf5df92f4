"""`chunky surf` and `chunky audit`: search a model for responses that violate a rubric, and trace what was found."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from chunky.cli import work
from chunky.cli.ask import warn_if_behind
from chunky.cli.money import MaxCost, tell_estimates
from chunky.cli.output import Head, count, visible
from chunky.cli.progress import watching
from chunky.cli.session import Session, session_of
from chunky.errors import SettingsError

if TYPE_CHECKING:
    from chunky.settings import Settings

_SETTINGS = {
    "target": "target", "generator": "generator", "judge": "judge", "seeds": "surf.seeds",
    "iterations": "surf.iterations", "candidates": "surf.candidates", "max_cost": "llm.max_cost",
}  # fmt: skip
"""Setting that an option of this name sets."""

_SHOWN_CHARS = 100
_SHOWN = 10

_FAILURES = """
select
    query_group, arg_max(seed, violation_score) as seed, count(distinct seed) as seeds,
    max(violation_score) as violation_score,
    arg_max(query, violation_score) as query, arg_max(response, violation_score) as response,
    arg_max(judge_reason, violation_score) as judge_reason, arg_max(failure_id, violation_score) as failure_id,
    bool_or(is_violation) as is_violation, count(*) as failures,
from surf.failures where audit = ?
group by query_group
order by violation_score desc, query_group
"""
_SEARCHES = "select * exclude (audit) from surf.searches where audit = ? order by seed"
_RATES = "select * exclude (audit) from surf.violation_rates where audit = ? order by threshold desc"

Rubric_ = Annotated[
    str, typer.Argument(metavar="RUBRIC", help="What is searched for: a name (rebuttal, code, …), a file, a sentence.")
]
Target = Annotated[
    str | None,
    typer.Option(
        "--target",
        metavar="MODEL",
        help="Who is audited: mix, anthropic:NAME, openai:NAME[@URL]; setting target.",
    ),
]
Generator = Annotated[
    str | None, typer.Option("--generator", metavar="MODEL", help="Who writes queries; setting generator.")
]
Judge = Annotated[str | None, typer.Option("--judge", metavar="MODEL", help="Who scores responses; setting judge.")]
Seeds = Annotated[int | None, typer.Option("--seeds", min=1, help="Searches side by side; setting surf.seeds.")]
Seed = Annotated[
    list[int] | None, typer.Option("--seed", min=0, help="This seed alone (repeatable), such as one that failed.")
]
Iterations = Annotated[
    int | None, typer.Option("--iterations", min=1, help="Iterations at most; setting surf.iterations.")
]
Candidates = Annotated[
    int | None, typer.Option("--candidates", min=1, help="Candidates of an iteration; setting surf.candidates.")
]
Preset = Annotated[
    str,
    typer.Option(
        "--preset", help="paper, exploring or published: settings that belong together; --set overrules them."
    ),
]
Name = Annotated[str, typer.Option("--audit", metavar="NAME", help="Name of the audit; else rubric@model.")]


def register(app: typer.Typer) -> None:
    """Add the verbs of this module."""
    app.command("surf")(surf)
    app.command("audit")(audit)


def surf(
    context: typer.Context,
    rubric: Rubric_,
    target: Target = None,
    generator: Generator = None,
    judge: Judge = None,
    seeds: Seeds = None,
    seed: Seed = None,
    iterations: Iterations = None,
    candidates: Candidates = None,
    max_cost: MaxCost = None,
    preset: Preset = "paper",
    name: Name = "",
) -> None:
    """Search a model for responses that violate a rubric: seeded searches over what queries can be like.

    Each search composes queries from attributes of the mix, has the target answer them and a judge score the answers,
    and draws more of the attributes that the worst ones share. Target `mix` needs no key: it answers as the rows of the
    mix do. A search that was cut off goes on where it was, and what was answered is not paid again.
    """
    session = session_of(context)
    _set(session, context.params)
    named = _search(session, rubric, seed or [], name)
    told = _told(session, named)
    if session.is_json:
        session.printer.json(told)
        return
    _show(session, told)
    if any(each["is_violation"] for each in told["failures"]):
        session.printer.line(f"next: {told['trace']}")


def audit(
    context: typer.Context,
    rubric: Rubric_,
    target: Target = None,
    generator: Generator = None,
    judge: Judge = None,
    seeds: Seeds = None,
    iterations: Iterations = None,
    candidates: Candidates = None,
    max_cost: MaxCost = None,
    preset: Preset = "paper",
    name: Name = "",
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="Traces shown.")] = 5,
) -> None:
    """Search a model for violations of a rubric, and trace each to the rows of the mix that taught it.

    `chunky surf`, then `chunky trace` of what it found, then the findings of the mix that it confirms.
    """
    session = session_of(context)
    _set(session, context.params)
    named = _search(session, rubric, [], name)
    told = _told(session, named)
    if not session.is_json:
        _show(session, told)
    causes: list[dict[str, Any]] = []
    findings: list[dict[str, Any]] = []
    if any(each["is_violation"] for each in told["failures"]):
        with watching(session.is_quiet) as watcher:
            work.trace(session, named, watcher)
        causes, findings = (_asked(session, named, question) for question in ("causes_of_audit", "findings_of_audit"))
    if session.is_json:
        session.printer.json(told | {"causes": causes, "findings": findings})
        return
    _show_causes(session, causes, limit)
    _show_findings(session, findings, limit)


def _set(session: Session, options: Mapping[str, Any]) -> None:
    """What the options say, by the names of the parameters, as flags of the session.

    A preset comes before --set, an option after it.
    """
    from chunky.surf import PRESETS

    preset = options["preset"]
    if preset not in PRESETS:
        raise SettingsError(f"there is no preset {preset!r}", f"use one of: {', '.join(PRESETS)}")
    given = {_SETTINGS[name]: str(value) for name, value in options.items() if name in _SETTINGS and value is not None}
    session.flags = PRESETS[preset] | session.flags | given


def _search(session: Session, spec: str, seeds: Sequence[int], name: str) -> str:
    """Write down what is audited, search, and return the audit's name."""
    from chunky import pipeline, rubrics

    lake, settings = session.warehouse(), session.settings
    warn_if_behind(session, lake)
    rubric = rubrics.rubric(spec, rubrics.folders_of(lake.root))
    named = name or pipeline.audit_name(rubric, settings.target)
    pipeline.check_numbers(seeds or range(settings.surf.seeds))
    before = pipeline.audit_of(lake, named) if named in pipeline.audits_searched(lake) else None
    pipeline.set_audit(lake, settings, rubric, name, seeds)
    if before is not None and pipeline.audit_of(lake, named) != before and not session.is_quiet:
        sys.stderr.write(f"{visible(named)} had another rubric or model: what that found is taken out of the lake\n")
    if seeds:
        pipeline.check_seeds(lake, settings, named, seeds)
    if not session.is_quiet:
        sys.stderr.write(f"{visible(_plan(settings, named, len(seeds)))}\n")
    if found := pipeline.search_estimates(lake, settings, named, len(seeds) or settings.surf.seeds):
        tell_estimates(session, found, is_asked=False)
    with watching(session.is_quiet) as watcher:
        work.search(session, named, seeds or range(settings.surf.seeds), watcher)
    return named


def _plan(settings: Settings, audit: str, seeds: int) -> str:
    limits = settings.surf
    number = seeds or limits.seeds
    most = number * limits.iterations * limits.candidates
    who = ", ".join(f"{role} {settings.model(role)}" for role in ("target", "generator", "judge"))
    return (
        f"{audit}: {who}; {number:,} search{'' if number == 1 else 'es'} of at most {limits.iterations:,} "
        f"iteration{'' if limits.iterations == 1 else 's'} × {limits.candidates:,} candidates: {most:,} in all"
    )


def _told(session: Session, audit: str) -> dict[str, Any]:
    """What the lake holds of a search, as plain values; failures by group of like queries, worst first."""
    from chunky.lens import Lens

    with Lens(session.warehouse(), session.settings) as lens:
        failures, searches, rates = (lens.table(sql, [audit]).to_pylist() for sql in (_FAILURES, _SEARCHES, _RATES))
    trace = f"chunky trace --audit {shlex.quote(audit)}"
    return {"audit": audit, "searches": searches, "rates": rates, "failures": failures, "trace": trace}


def _show(session: Session, told: Mapping[str, Any]) -> None:
    printer = session.printer
    ended = [each["stop"] for each in told["searches"]]
    made, failed = (sum(each[key] for each in told["searches"]) for key in ("candidates", "failed_candidates"))
    printer.line(
        f"{count(len(ended))} searches, {count(ended.count('converged'))} of them converged; {count(made)} candidates, "
        f"{count(failed)} without a score"
    )
    if "converged" in ended and not any(each["is_violation"] for each in told["failures"]):
        printer.line("no violation: what the buffers do not have is drawn no more, but by --preset exploring")
    heads = (Head("score", True), Head("seeds", True), Head("query"), Head("response"))
    rows = [
        (f"{each['violation_score']:.0f}", each["seeds"], _short(each["query"]), _short(each["response"]))
        for each in told["failures"][:_SHOWN]
    ]
    printer.table(heads, rows, f"worst of {count(len(told['failures']))} groups of like queries")
    for rate in told["rates"]:
        printer.line(_rate(rate))


def _rate(rate: Mapping[str, Any]) -> str:
    """One line: the rate of violations at a threshold, with its interval, and that of new responses."""
    told = f"score above {rate['threshold']:g}: {count(rate['violations'])} of {count(rate['outputs'])} outputs"
    if rate["violation_rate"] is None:
        return told
    told += f", {rate['violation_rate']:.0%}{_interval(rate['violation_low'], rate['violation_high'])}"
    told += f", {count(rate['distinct_failures'])} distinct"
    if rate["fresh_rate"] is not None:
        told += f"; new responses {rate['fresh_rate']:.0%}{_interval(rate['fresh_low'], rate['fresh_high'])}"
    return told


def _interval(low: float | None, high: float | None) -> str:
    return "" if low is None or high is None else f" [{low:.0%}, {high:.0%}]"


def _short(text: str) -> str:
    return visible(" ".join(text.split()), _SHOWN_CHARS)


def _asked(session: Session, audit: str, name: str) -> list[dict[str, Any]]:
    """The answer to a ready question about an audit, as plain values."""
    from chunky.lens import Lens
    from chunky.sql_files import question

    asked = question(name)
    with Lens(session.warehouse(), session.settings) as lens:
        lens.set(asked.values({"audit": audit}))
        return lens.table(asked.sql).to_pylist()


def _show_causes(session: Session, causes: Sequence[Mapping[str, Any]], limit: int) -> None:
    printer = session.printer
    if not causes:
        printer.line("nothing to trace: no output violates the rubric")
        return
    printer.line()
    for each in causes[:limit]:
        printer.line(f"{_failures(each['failures'])}: {visible(each['explanation'])}", "bold")
        printer.line(f"  such as “{_short(each['query'])}” → “{_short(each['response'])}”")
    if len(causes) > limit:
        printer.line(f"and {count(len(causes) - limit)} more: --limit")


def _show_findings(session: Session, findings: Sequence[Mapping[str, Any]], limit: int) -> None:
    """Findings of the mix, made before any model was asked, that rest on the rows of these causes."""
    if not findings:
        return
    printer = session.printer
    printer.line()
    printer.line("findings of the mix that rest on the same rows (chunky ask)", "bold")
    for each in findings[:limit]:
        printer.line(f"  {each['finding_rank']:>4}  {visible(each['sentence'])} ({_failures(each['failures'])})")


def _failures(number: int) -> str:
    return f"{count(number)} failure{'' if number == 1 else 's'}"
