"""Model calls in words: what they will take, what they have come to, and what they cost."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from chunky.cli.output import count, seconds, visible

if TYPE_CHECKING:
    from chunky.cli.session import Session
    from chunky.llm.tally import Tally
    from chunky.pipeline import Estimate

MaxCost = Annotated[
    float | None,
    typer.Option("--max-cost", metavar="USD", min=0, help="Dollars that models may cost; setting llm.max_cost."),
]
"""The option of every verb that asks models."""


def dollars(value: float | None) -> str:
    """An amount for people: `$12.30`, `$0.0042`; `?` for unknown."""
    if value is None:
        return "?"
    return f"${value:,.2f}" if value >= 0.1 or value == 0 else f"${value:.2g}"


def lines_of(tally: Tally) -> list[str]:
    """What a person watches while models are asked, a line a subject."""
    rate = tally.calls_per_second
    left = None if not rate else (tally.total - tally.done) / rate
    lines = [
        f"{tally.model} as {tally.role}",
        f"calls    {count(tally.done)} of {count(tally.total)}, {count(tally.cached)} of them from the ledger",
        f"cost     {_cost(tally)}",
        f"tokens   {count(tally.input_tokens)} in, {count(tally.output_tokens)} out",
        f"rate     {'?' if rate is None else f'{rate:,.1f}'} calls/s"
        + ("" if left is None else f", {seconds(left)} left"),
        f"failed   {count(tally.failed)}{_kinds(tally)}",
    ]
    return lines


def sentence_of(tally: Tally) -> str:
    """The same on one line."""
    rate = tally.calls_per_second
    parts = [
        f"{tally.role}: {count(tally.done)} of {count(tally.total)} calls",
        f"{count(tally.cached)} from the ledger",
        _cost(tally),
        f"{count(tally.input_tokens)} tokens in, {count(tally.output_tokens)} out",
        *([] if rate is None else [f"{rate:,.1f} calls/s"]),
        f"{count(tally.failed)} failed{_kinds(tally)}",
    ]
    return " · ".join(parts)


def _cost(tally: Tally) -> str:
    if tally.unpriced:
        return f"{dollars(tally.usd) if tally.usd else '?'} and {count(tally.unpriced)} calls of unknown cost"
    projected = tally.projected_usd
    return dollars(tally.usd) + ("" if projected is None else f" of about {dollars(projected)}")


def _kinds(tally: Tally) -> str:
    return "".join(f", {kind} {count(number)}" for kind, number in tally.errors.most_common(3))


def estimate_lines(estimates: Sequence[Estimate], max_cost: float | None) -> list[str]:
    """What models will take, a line a role, then the sum beside the limit."""
    lines = [_estimate_line(estimate) for estimate in estimates]
    unknown = [estimate for estimate in estimates if estimate.usd is None]
    total = None if unknown else sum(estimate.usd or 0 for estimate in estimates)
    limit = "no limit (--max-cost)" if max_cost is None else f"limit {dollars(max_cost)}"
    lines.append(f"in all about {dollars(total)}; {limit}")
    models = dict.fromkeys(estimate.model for estimate in unknown)
    lines += [f"  no price is known for {model}: write it into prices.toml of the lake" for model in models]
    if total is not None and max_cost is not None and total > max_cost:
        lines.append("  that is above the limit: it would end there, and keep what was paid for")
    return lines


def tell_estimates(session: Session, found: Sequence[Estimate], is_asked: bool) -> None:
    """Say what models will take before they do: on stderr, or as the result where that `is_asked` for."""
    limit = session.settings.llm.max_cost
    if is_asked and session.is_json:
        session.printer.json({"estimates": [asdict(one) for one in found], "max_cost": limit})
        return
    lines = estimate_lines(found, limit) if found else ["no model has anything to do: nothing will be spent"]
    for line in lines if is_asked or not session.is_quiet else ():
        if is_asked:
            session.printer.line(visible(line))
        else:
            sys.stderr.write(f"{visible(line)}\n")


def _estimate_line(estimate: Estimate) -> str:
    price = "" if estimate.price_date is None else f", prices of {estimate.price_date.isoformat()}"
    held = f" ({count(estimate.held_calls)} of them in the ledger)" if estimate.held_calls else ""
    return (
        f"{estimate.role} {estimate.model}: {'at most ' if estimate.is_bound else ''}{count(estimate.items)} "
        f"{estimate.what}, {count(estimate.calls)} calls{held}, {count(estimate.input_tokens)} tokens in, "
        f"{count(estimate.output_tokens)} out, {dollars(estimate.usd)}{price} [{estimate.basis}]"
    )
