"""One record, carefully: recognize its shape and turn it into exchanges, or say why it cannot be taken.

This is the definition of what chunky takes; the vectorized path (`vectors`) handles only records for which it provably
gives the same answer and sends all others here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

from chunky.corpus.options import ReadOptions
from chunky.corpus.recognize import recognize
from chunky.corpus.turns import JOINT, Record, Rejected, Turn, check_text, is_blank, kind
from chunky.corpus.words import CHUNK_COLUMNS, ID_COLUMNS, MAX_CHUNK_CHARS, SYSTEM, SYSTEM_COLUMNS, USER


class Exchange(NamedTuple):
    """One assistant turn with the user turn it answers and the system message in force."""

    system: str | None
    query: str
    response: str


class Conversation(NamedTuple):
    """What one record holds; `id` is null where the record has none."""

    shape: str
    id: str | None
    exchanges: list[Exchange]
    unanswered: int
    unprompted: int


def convert(record: object, options: ReadOptions) -> Conversation:
    """The conversation in `record` (a parsed JSON value); raises Rejected."""
    if not isinstance(record, Mapping):
        raise Rejected("wrong type", f"a record must be an object, this one is {kind(record)}")
    shape, turns = recognize(record, options)
    turns = _with_system(record, turns, options)
    _check_texts(turns, options.max_record_chars)
    exchanges, unanswered, unprompted = _pair(turns)
    expanded = sum(len(e.system or "") + len(e.query) + len(e.response) for e in exchanges)
    # the system message stands in every row: without a bound one record of 1 MB could become 100 GB of rows
    if expanded > 16 * options.max_record_chars:
        raise Rejected("over-long record", f"its rows would hold {expanded:,} characters: a long system message "
                       f"repeated over {len(exchanges):,} turns")  # fmt: skip
    return Conversation(shape, conversation_id(record, options), exchanges, unanswered, unprompted)


# ── chunk and id ──────────────────────────────────────────────────────────────────────────────────────────────────


def chunk_of(record: object, options: ReadOptions, default: str) -> str:
    """Chunk of a record: the option, the record's own column, else `default`; raises Rejected."""
    if options.chunk is not None:
        return options.chunk
    if not isinstance(record, Mapping):
        return default
    for name in CHUNK_COLUMNS if options.chunk_column is None else (options.chunk_column,):
        value = record.get(name)
        if isinstance(value, str) and value and not value.isspace():
            check_text(value, f"column {name}")
            if len(value) > MAX_CHUNK_CHARS:
                raise Rejected("no chunk", f"column {name} holds {len(value):,} characters, a chunk name has at most "
                               f"{MAX_CHUNK_CHARS}: name another with --chunk-column or --chunk")  # fmt: skip
            return value
    if options.chunk_column is not None:
        raise Rejected("no chunk", f"column {options.chunk_column} holds no text")
    return default


def conversation_id(record: Record, options: ReadOptions) -> str | None:
    """The record's own id as text; None where it has none (the content is hashed then)."""
    for name in ID_COLUMNS if options.id_column is None else (options.id_column,):
        value = record.get(name)
        if isinstance(value, bool):
            continue
        if isinstance(value, int):
            return str(value)
        # a whole float beyond 2**53 has lost digits and would name several conversations alike
        if isinstance(value, float) and math.isfinite(value) and abs(value) < 2**53:
            return str(int(value)) if value.is_integer() else repr(value)
        if isinstance(value, str) and value and not value.isspace():
            check_text(value, f"column {name}")
            return value
    return None


# ── turns into exchanges ──────────────────────────────────────────────────────────────────────────────────────────


def _with_system(record: Record, turns: list[Turn], options: ReadOptions) -> list[Turn]:
    """Put the record's system column first, unless the turns bring a system message of their own.

    A blank column is no system message: a column has no other way to say so.
    """
    for name in SYSTEM_COLUMNS if options.system_column is None else (options.system_column,):
        value = record.get(name)
        if value is None:
            continue
        if not isinstance(value, str):
            raise Rejected("wrong type", f"column {name} is {kind(value)}, not text")
        if value and not value.isspace():
            return turns if any(turn.role == SYSTEM for turn in turns) else [Turn(SYSTEM, value), *turns]
    return turns


class _Paired(NamedTuple):
    exchanges: list[Exchange]
    unanswered: int
    unprompted: int


def _pair(turns: list[Turn]) -> _Paired:
    """Exchanges of a conversation; what one speaker says in a row is one turn, joined by a blank line."""
    exchanges: list[Exchange] = []
    asked: list[str] = []
    answer: list[str] = []
    system: str | None = None
    in_force: str | None = None
    unprompted = 0
    before = ""
    for role, text in turns:
        if role == SYSTEM:
            system = text if before != SYSTEM or system is None else system + JOINT + text
        elif role == USER:
            if answer:
                exchanges.append(Exchange(in_force, JOINT.join(asked), JOINT.join(answer)))
                asked, answer = [], []
            asked.append(text)
        elif asked:
            if not answer:
                in_force = system
            answer.append(text)
        else:
            unprompted = 1
        before = role
    if answer:
        exchanges.append(Exchange(in_force, JOINT.join(asked), JOINT.join(answer)))
    elif not exchanges:
        raise Rejected("no response" if asked else "no query", "no user turn is followed by an assistant turn")
    for number, exchange in enumerate(exchanges, 1):
        if is_blank(exchange.query):
            raise Rejected("empty query", f"the query of exchange {number} is empty or white space")
        if is_blank(exchange.response):
            raise Rejected("empty response", f"the response of exchange {number} is empty or white space")
    return _Paired(exchanges, 0 if answer else 1, unprompted)


def _check_texts(turns: list[Turn], most: int) -> None:
    total = 0
    for number, turn in enumerate(turns, 1):
        check_text(turn.text, f"turn {number} ({turn.role})")
        total += len(turn.text)
    if total > most:
        raise Rejected("over-long record", f"{total:,} characters, at most {most:,}: see --max-record-chars")
