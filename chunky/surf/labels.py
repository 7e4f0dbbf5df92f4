"""Scores that people gave: a CSV beside the failures of an audit. A row that cannot be used says why; the others count.

    failure_id,rater,score          or          query,response,rater,score
    -5223372036854775808,anna,80                "Who are you?","I am a pirate.",anna,80

Comma or tab; `rater` may be left out. Ids are exact: a spreadsheet that rounds them loses them, query and response do
not suffer.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from math import isfinite
from typing import NamedTuple

import polars as pl

from chunky.corpus.delimited import CutRecord, cut_records
from chunky.corpus.lines import Cut
from chunky.errors import InputError

__all__ = ["RATINGS", "READING", "BadLabel", "Labels", "labels_of"]

_BY_ID, _BY_TEXT, _SCORE, _RATER = "failure_id", ("query", "response"), "score", "rater"
_KNOWN = (_BY_ID, *_BY_TEXT, _RATER, _SCORE)
_MOST_BYTES = 16 * 2**20  # of a record: two sides of a million characters each, and room
READING = re.compile(r"#\d+$")
"""How a model that rates is named: its specification, # and the number of its reading, from 1."""

RATINGS = {"failure_id": pl.Int64, "rater": pl.String, "violation_score": pl.Float64}


class BadLabel(NamedTuple):
    """A row that cannot be used: the line on which it begins, from 1, what is wrong, and what to do."""

    line: int
    problem: str
    remedy: str


class Labels(NamedTuple):
    """`ratings`: failure_id, rater, violation_score (0 to 100), one row per failure and rater; and what is no label."""

    ratings: pl.DataFrame
    unusable: list[BadLabel]


def labels_of(data: bytes, failures: pl.DataFrame, rater: str) -> Labels:
    """Labels of a CSV's bytes.

    Args:
        data: the file.
        failures: failure_id, query, response of the audit; one row per failure or more.
        rater: who scored where a row names nobody.

    Raises:
        InputError: no header with `score` and `failure_id` or `query` and `response`.

    """
    delimiter = b"\t" if b"\t" in data.partition(b"\n")[0] else b","
    records = (record for record in cut_records([data], delimiter, _MOST_BYTES) if record.data)
    names = _header(next(records, None))
    finder = _Finder(failures)
    taken: dict[tuple[int, str], tuple[float, int]] = {}
    unusable: list[BadLabel] = []
    for record in records:
        try:
            fields = _fields(record, names)
            score, who = _score(fields[_SCORE]), _rater(fields.get(_RATER, ""), rater)
            key = finder.find(fields), who
            held, line = taken.setdefault(key, (score, record.line))
            if held != score:
                raise InputError(
                    f"{who} scored this failure {held:g} on line {line:,} and {score:g} here", "keep one of the two"
                )
        except InputError as bad:
            unusable.append(BadLabel(record.line, bad.problem, bad.remedy))
    rows = [(failure, who, score) for (failure, who), (score, _) in taken.items()]
    return Labels(pl.DataFrame(rows, schema=RATINGS, orient="row"), unusable)


def _header(record: CutRecord | None) -> list[str]:
    example = "begin the file with failure_id,rater,score or with query,response,rater,score"
    if record is None:
        raise InputError("the file of labels is empty", example)
    names = [field.decode("utf-8", "replace").strip().casefold() for field in record.fields]
    for name in _KNOWN:
        if names.count(name) > 1:
            raise InputError(f"the file of labels has two columns {name}", "take one of them out")
    lacking = [] if _SCORE in names else [_SCORE]
    if _BY_ID not in names and not set(_BY_TEXT) <= set(names):
        lacking.append("failure_id, or query and response")
    if lacking:
        raise InputError(f"the file of labels has no column {' and no '.join(lacking)}", example)
    return names


def _fields(record: CutRecord, names: list[str]) -> Mapping[str, str]:
    if isinstance(record.data, Cut):
        detail = record.data.detail.removeprefix(f"line {record.line:,}: ")
        raise InputError(f"it cannot be read ({detail})", 'put text with commas or line breaks in quotes, and " as ""')
    if len(record.fields) != len(names):
        raise InputError(
            f"it has {len(record.fields):,} fields, the header has {len(names):,}", "put text with commas in quotes"
        )
    try:
        return {name: field.decode() for name, field in zip(names, record.fields, strict=True)}
    except UnicodeDecodeError as bad:
        raise InputError(f"it is not UTF-8: {bad.reason}", "save the file as UTF-8") from bad


def _score(text: str) -> float:
    if not text.strip():
        raise InputError("it has no score", "write a number from 0 to 100, or take the row out")
    try:
        score = float(text)
    except ValueError:
        score = float("nan")
    if not isfinite(score) or not 0 <= score <= 100:
        raise InputError(f"the score {text.strip()!r} is no number from 0 to 100", "write it as 70 or 70.5")
    return score + 0.0  # -0 is 0


def _rater(text: str, default: str) -> str:
    name = text.strip() or default
    if READING.search(name):
        raise InputError(f"the rater {name!r} is named like the reading of a model", "leave the # and the number out")
    if not name.isprintable():
        raise InputError(f"the rater {name!r} has a name that cannot be printed", "use printable characters")
    return name


class _Finder:
    """Which failure a row is about: by id, or by its texts, whose white space alone may differ."""

    def __init__(self, failures: pl.DataFrame) -> None:
        self._ids: dict[tuple[str, ...], set[int]] = {}
        for failure, query, response in failures.select("failure_id", "query", "response").unique().iter_rows():
            for key in (("id", str(failure)), *_by_text(query, response)):
                self._ids.setdefault(key, set()).add(failure)

    def find(self, fields: Mapping[str, str]) -> int:
        """The failure; InputError for one that is not there, and for texts that two have alike."""
        given = fields.get(_BY_ID, "").strip()
        is_by_text = not given and all(name in fields for name in _BY_TEXT)
        if not is_by_text and not re.fullmatch(r"[+-]?\d{1,19}", given):
            raise InputError(
                f"{given!r} is no failure_id" if given else "it has no failure_id",
                "write the whole number; where a spreadsheet rounds it, give query and response instead",
            )
        keys = _by_text(*(fields[name] for name in _BY_TEXT)) if is_by_text else [("id", str(int(given)))]
        for key in keys:
            found = self._ids.get(key, set())
            if len(found) == 1:
                return next(iter(found))
            if found:
                raise InputError("two failures of the audit have this query and response", "name it by failure_id")
        what = "this query with this response" if is_by_text else f"the failure_id {given}"
        raise InputError(f"the audit has no failure with {what}", "compare it with the table surf.failures")


def _by_text(query: str, response: str) -> list[tuple[str, ...]]:
    """What a failure is looked up by, exact first."""
    return [("exact", query, response), ("even", " ".join(query.split()), " ".join(response.split()))]
