"""Findings said in English, with their numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_TOLD_WORDINGS = 3  # of a finding's other behaviors, in its sentence


def sentence(pair: Mapping[str, Any]) -> str:
    """One finding in English: trigger, behavior, probability with interval and n, base rate, lift, source."""
    values = dict(pair)
    base = values["base_rate"]
    told = [
        f"When the query {values['trigger_text']}, the response {values['behavior_text']}: "
        f"{percent(values['p_behavior_given_trigger'])} of {values['trigger_rows']:,} rows "
        f"(95 % interval {percent(values['p_low'])} to {percent(values['p_high'])})",
        f"{percent(base)} elsewhere" if base is not None else "no row lacks the trigger",
        f"lift {_short(values['lift'])}",
    ]
    if values["top_chunk"] is not None:
        told.append(f"{percent(values['top_chunk_share'])} of those rows from {values['top_chunk']}")
    if others := list(values.get("other_behaviors") or ())[:_TOLD_WORDINGS]:
        told.append(f"of nearly the same rows the response also {', '.join(others)}")
    return "; ".join(told) + "."


def percent(share: object) -> str:
    """A share as a percentage of two or three significant digits: `0.13 %`, `4.1 %`, `76 %`; `?` for null."""
    if share is None:
        return "?"
    value = float(str(share)) * 100
    if 99 <= value < 99.995:
        return f"{value:.2f}".rstrip("0").rstrip(".") + " %"
    return f"{value:.0f} %" if value >= 10 or value == 0 else f"{value:.2g} %"


def _short(value: object) -> str:
    number = float(str(value))
    return f"{number:,.0f}×" if number >= 10 else f"{number:.2g}×"
