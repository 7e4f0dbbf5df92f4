r"""Signals: what the `rules` judge looks at, as data in a rubric file, graded rather than yes or no.

A signal holds to a degree between 0 and 1: the least of the degrees of its conditions, less the greatest of its
exceptions. A condition looks at one side and is one of

    shape: no_opening             a shape of the library (`chunky.shapes`): 0 or 1
    phrases: [actually, in fact]  how many of the phrases the text holds, of `full`
    regex: '^No\b'                how often the expression matches, of `full` (RE2 syntax, linear in the text)
    share: '(?s)```.*?```'        share of the characters that the expression covers, of `full`
    length: 400                   characters of the text, of this number

A positive signal of degree d and weight w leaves 1 - w·d of the room below 100, a negative one takes w·d of the score:

    score = 100 · (1 - Π over positive (1 - w·d)) · Π over negative (1 - |w|·d)

So evidence adds up but never past 100, its order does not matter, and what excuses a behavior (the query asks for it,
or is nonsense) scales all of it down.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any, Literal

import polars as pl
from polars.exceptions import PolarsError

from chunky.errors import ChunkyError, InputError
from chunky.shapes import shape
from chunky.tokens import phrase_pattern

__all__ = ["Condition", "Signal", "grade", "signals_of"]

Side = Literal["query", "response"]
_SIDES = ("query", "response")
_KINDS = ("shape", "phrases", "regex", "share", "length")
_CONDITION_KEYS = {*_KINDS, "side", "full", "opening", "closing"}


@dataclass(frozen=True)
class Condition:
    """One look at one side; `test` is a shape's name, phrases, a regular expression or a number of characters.

    `full` is the count or share at which the degree is 1. `opening` and `closing` are numbers of characters at either
    end to which the look is limited, None for the whole text.
    """

    side: Side
    kind: str
    test: str | tuple[str, ...] | int
    full: float = 1.0
    opening: int | None = None
    closing: int | None = None

    def degree(self) -> pl.Expr:
        """Degree as a Float64 expression over the String columns `query` and `response`."""
        text = pl.col(self.side)
        if self.opening is not None:
            text = text.str.strip_chars_start().str.head(self.opening)
        if self.closing is not None:
            text = text.str.strip_chars_end().str.tail(self.closing)
        return (self._amount(text) / self.full).clip(0.0, 1.0)

    def _amount(self, text: pl.Expr) -> pl.Expr:
        if self.kind == "shape":
            return shape(str(self.test), self.side).expression(text).cast(pl.Float64)
        if self.kind == "length":
            return text.str.len_chars().cast(pl.Float64)
        if isinstance(self.test, tuple):
            return pl.sum_horizontal(text.str.contains(phrase_pattern(phrase)) for phrase in self.test).cast(pl.Float64)
        if self.kind == "regex":
            return text.str.count_matches(str(self.test)).cast(pl.Float64)
        covered = text.str.extract_all(str(self.test)).list.eval(pl.element().str.len_chars()).list.sum()
        return covered.cast(pl.Float64) / text.str.len_chars().cast(pl.Float64).clip(lower_bound=1.0)


@dataclass(frozen=True)
class Signal:
    """A named piece of evidence: its weight in [-1, 1], the conditions it needs, the exceptions that undo it."""

    name: str
    weight: float
    needs: tuple[Condition, ...]
    unless: tuple[Condition, ...] = ()

    def degree(self) -> pl.Expr:
        """Degree as a Float64 expression, 0 to 1."""
        held = pl.min_horizontal(condition.degree() for condition in self.needs)
        if not self.unless:
            return held
        return (held - pl.max_horizontal(condition.degree() for condition in self.unless)).clip(lower_bound=0.0)


def grade(queries: Sequence[str], responses: Sequence[str], signals: Sequence[Signal]) -> pl.DataFrame:
    """Score exchanges by signals; the formula is at the top of this module.

    Args:
        queries: one for each exchange.
        responses: as many.
        signals: at least one.

    Returns:
        One row per exchange, in order: a Float64 column of degrees, 0 to 1, for each signal by its name, then
        `violation_score` Float64, 0 to 100.

    Raises:
        InputError: no signals, of which no score follows.

    """
    if not signals:
        raise InputError("there are no signals to score by", "add `signals:` to the rubric, or judge with a model")
    frame = pl.DataFrame({"query": queries, "response": responses}, schema={"query": pl.String, "response": pl.String})
    degrees = frame.lazy().select(signal.degree().alias(signal.name) for signal in signals).collect()
    room = [1.0 - signal.weight * pl.col(signal.name) for signal in signals if signal.weight > 0]
    excuse = [1.0 + signal.weight * pl.col(signal.name) for signal in signals if signal.weight < 0]
    score = 100.0 * (1.0 - _product(room)) * _product(excuse)
    return degrees.with_columns(score.alias("violation_score"))


def _product(factors: Sequence[pl.Expr]) -> pl.Expr:
    return reduce(lambda left, right: left * right, factors, pl.lit(1.0))


def signals_of(entries: Any) -> tuple[Signal, ...]:
    """Signals from their plain form, the list under `signals:` of a rubric file.

    Raises:
        InputError: an entry is not of the form at the top of this module; the problem names the entry and the key.

    """
    if not isinstance(entries, list):
        raise InputError("`signals` is no list", "write one entry a signal, each beginning with `- name: …`")
    signals = tuple(_signal(number, entry) for number, entry in enumerate(entries, 1))
    names = [signal.name for signal in signals]
    repeated = sorted({name for name in names if names.count(name) > 1} | {"violation_score"} & set(names))
    if repeated:
        raise InputError(f"the signal {repeated[0]!r} has a name that is taken", "give each signal its own name")
    return signals


def _signal(number: int, entry: Any) -> Signal:
    if not isinstance(entry, dict):
        raise InputError(f"signal {number} is no mapping", "write `name`, `weight` and a condition")
    name = str(entry.get("name") or f"signal {number}")
    own = {key: value for key, value in entry.items() if key not in ("name", "weight", "all", "unless")}
    needs = [*([own] if own else []), *_list(name, entry, "all")]
    weight = entry.get("weight")
    if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 < abs(weight) <= 1:
        raise InputError(f"the signal {name!r} has the weight {weight!r}", "give a number from -1 to 1 that is not 0")
    if not needs:
        raise InputError(f"the signal {name!r} has no condition", f"give it one of {', '.join(_KINDS)}")
    unless = _list(name, entry, "unless")
    return Signal(
        name, float(weight), tuple(_condition(name, c) for c in needs), tuple(_condition(name, c) for c in unless)
    )


def _list(name: str, entry: Mapping[str, Any], key: str) -> list[Any]:
    found = entry.get(key, [])
    if not isinstance(found, list):
        raise InputError(f"`{key}` of the signal {name!r} is no list", "write its conditions as a list")
    return found


def _condition(name: str, entry: Any) -> Condition:
    keys = set(entry) if isinstance(entry, dict) else set()
    kinds = keys & set(_KINDS)
    if len(kinds) != 1 or not keys <= _CONDITION_KEYS:
        odd = ", ".join(sorted(str(key) for key in keys - _CONDITION_KEYS)) or "none or several tests"
        raise InputError(
            f"the signal {name!r} has a condition with {odd}",
            f"give one of {', '.join(_KINDS)}, and if need be side, full, opening, closing",
        )
    kind = kinds.pop()
    test = entry[kind]
    if kind == "phrases":
        test = (test,) if isinstance(test, str) else tuple(test) if isinstance(test, list) else None
    full = entry.get("full", test if kind == "length" else 1.0)
    condition = Condition(entry.get("side", "response"), kind, test, full, entry.get("opening"), entry.get("closing"))
    _check(name, condition)
    return condition


def _check(name: str, condition: Condition) -> None:
    """Try the condition: regular expressions and shapes are found wanting here, not in the middle of a run."""
    kind, test = condition.kind, condition.test
    is_typed = isinstance(test, tuple) and all(isinstance(p, str) for p in test) and bool(test)
    if kind != "phrases":
        is_typed = isinstance(test, int if kind == "length" else str) and not isinstance(test, bool)
    spans = [span for span in (condition.opening, condition.closing, condition.full) if span is not None]
    if not is_typed or not all(isinstance(span, int | float) and span > 0 for span in spans):
        raise InputError(
            f"the signal {name!r} has a {kind} of {test!r}", "see the page on rubrics for the form of signals"
        )
    if condition.side not in _SIDES:
        raise InputError(f"the signal {name!r} looks at the side {condition.side!r}", "name `query` or `response`")
    try:
        pl.DataFrame({"query": ["x"], "response": ["x"]}).select(condition.degree())
    except PolarsError as bad:
        raise InputError(
            f"the signal {name!r} has a regular expression that cannot be read: {str(bad).splitlines()[0]}",
            "use RE2 syntax: no look-around, no back-references",
        ) from bad
    except ChunkyError as bad:
        raise InputError(f"the signal {name!r}: {bad.problem}", bad.remedy) from bad
