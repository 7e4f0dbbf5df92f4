"""Models × behaviors: the paper's table 1 of all audits, as cells that a table or a picture shows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

__all__ = ["Cell", "Matrix", "Row", "matrix", "percent"]

_FIELDS = {
    "violation": ("violation_rate", "violation_low", "violation_high", "violations", "outputs"),
    "fresh": ("fresh_rate", "fresh_low", "fresh_high", "fresh_violations", "fresh_samples"),
}


@dataclass(frozen=True)
class Cell:
    """One audit: its rate with the 95 % interval, and how many of how many; None where that is unknown."""

    audit: str
    rate: float | None
    low: float | None
    high: float | None
    violations: int
    of: int

    @property
    def interval(self) -> str:
        """The interval in percent, `31–71`; empty without one."""
        return "" if self.low is None or self.high is None else f"{percent(self.low)}–{percent(self.high)}"


class Row(NamedTuple):
    """A model, and from 1 which of its audits by one rubric: nearly always the first and only one."""

    target: str
    number: int

    @property
    def label(self) -> str:
        """What the row is called."""
        return self.target if self.number == 1 else f"{self.target} ({self.number})"


@dataclass(frozen=True)
class Matrix:
    """Cells by row and column (a rubric); where nothing was run there is none."""

    rows: tuple[Row, ...]
    columns: tuple[str, ...]
    cells: Mapping[tuple[Row, str], Cell]

    @property
    def repeated(self) -> list[tuple[Row, str, str]]:
        """(row, column, audit) of models that one rubric audited several times: model and rubric do not tell them."""
        several = {(row.target, column) for row, column in self.cells if row.number > 1}
        return [
            (row, column, cell.audit) for (row, column), cell in self.cells.items() if (row.target, column) in several
        ]


def matrix(rates: Iterable[Mapping[str, Any]], kind: str = "violation") -> Matrix:
    """The matrix of some rates, one an audit, in the columns of the question `violation_rates`.

    `kind` is violation (of the outputs) or fresh (of new responses to their queries).
    """
    rate, low, high, violations, of = _FIELDS[kind]
    cells: dict[tuple[Row, str], Cell] = {}
    numbers: Counter[tuple[str, str]] = Counter()
    for each in sorted(rates, key=lambda each: (each["target"], each["rubric"], each["audit"])):
        place = each["target"], each["rubric"]
        numbers[place] += 1
        told = Cell(each["audit"], each[rate], each[low], each[high], each[violations] or 0, each[of] or 0)
        cells[Row(each["target"], numbers[place]), each["rubric"]] = told
    rows, columns = {row for row, _ in cells}, {column for _, column in cells}
    return Matrix(tuple(sorted(rows)), tuple(sorted(columns)), cells)


def percent(rate: float) -> str:
    """A rate in percent, without the sign: whole, but `0.4` and `99.6` where whole numbers would say never or always.

    `<0.1` and `>99.9` are neither.
    """
    value = rate * 100
    if 0 < value < 1 or 99 < value < 100:
        return "<0.1" if value < 0.05 else ">99.9" if value >= 99.95 else f"{value:.1f}"
    return f"{value:.0f}"
