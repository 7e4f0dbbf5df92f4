"""Failures: what is traced. A record has a query, a response and a rubric; what cannot be traced says why."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from chunky.corpus.ids import signed_hash
from chunky.errors import ChunkyError, InputError
from chunky.rubrics import Rubric

COLUMNS = ("query", "response", "rubric")
_MOST_CHARS = 1_000_000  # as with corpus records: a longer text is a file, not an answer


@dataclass(frozen=True)
class Failure:
    """One failing pair under one rubric. `failure_id` is a hash of all three, so that a rerun finds it again."""

    query: str
    response: str
    rubric: Rubric

    @property
    def failure_id(self) -> int:
        """Hash of (query, response, principle of the rubric): signed 64-bit."""
        return signed_hash(self.query, self.response, self.rubric.principle)


@dataclass(frozen=True)
class Unusable:
    """A record that is no failure: its number from 1, why, and what text it gives (None where it gives none).

    Without a number it is a failure that a model gave no usable answer about.
    """

    record_number: int | None
    problem: str
    query: str | None = None
    response: str | None = None
    rubric: str | None = None

    @property
    def place(self) -> str:
        """What it is called in a message."""
        return "this failure" if self.record_number is None else f"record {self.record_number:,}"


def failure_of(query: str, response: str, rubric: Rubric) -> Failure:
    """The failure; InputError for a side that is empty, longer than a million characters, or no text at all."""
    for name, text in (("query", query), ("response", response)):
        if not isinstance(text, str):
            raise InputError(f"the {name} is no text", f"give the {name} as a string")
        if not text.strip():
            raise InputError(f"the {name} is empty", "a trace needs what was asked and what was answered")
        if "\0" in text or not _is_encodable(text):
            raise InputError(f"the {name} holds a NUL or half a surrogate pair", "repair the text")
        if len(text) > _MOST_CHARS:
            raise InputError(f"the {name} has {len(text):,} characters", f"cut it to {_MOST_CHARS:,} at most")
    return Failure(query, response, rubric)


def failures_of(
    records: Iterable[Mapping[str, Any] | ChunkyError | None],
    rubric_of: Callable[[str], Rubric],
    default: str | None = None,
) -> tuple[list[Failure], list[Unusable]]:
    """Failures of records with query, response and rubric, in order, each once; and the records that are none.

    `rubric_of` finds a rubric by name, file or text; `default` stands in where a record names none. An error in the
    place of a record says why it could not be read; None is a blank line, which has a number and nothing else.
    """
    found: dict[int, Failure] = {}
    unusable: list[Unusable] = []
    known: dict[str, Rubric] = {}
    for number, record in enumerate(records, 1):
        if record is None:
            continue
        try:
            failure = _failure(record, rubric_of, default, known)
            found.setdefault(failure.failure_id, failure)
        except ChunkyError as error:
            fields = {} if isinstance(record, ChunkyError) else record
            texts = (text if isinstance(text := fields.get(name), str) else None for name in COLUMNS)
            unusable.append(Unusable(number, f"{error.problem}; {error.remedy}", *texts))
    return list(found.values()), unusable


def _failure(
    record: Mapping[str, Any] | ChunkyError,
    rubric_of: Callable[[str], Rubric],
    default: str | None,
    known: dict[str, Rubric],
) -> Failure:
    if isinstance(record, ChunkyError):
        raise record
    for name in ("query", "response"):
        if record.get(name) is None:
            raise InputError(f"the record has no {name}", f"give it the fields {', '.join(COLUMNS)}")
    named = record.get("rubric") or default
    if not isinstance(named, str):
        raise InputError("the record names no rubric", "add a column rubric, or say --rubric")
    if named not in known:
        known[named] = rubric_of(named)
    return failure_of(record["query"], record["response"], known[named])


def _is_encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
