"""One record, carefully: recognize its shape and turn it into exchanges, or say why it cannot be taken.

This is the definition of what chunky takes; the vectorized path (`vectors`) handles only records for which it provably
gives the same answer and sends all others here.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any, NamedTuple, NoReturn

from chunky.corpus.options import ReadOptions
from chunky.corpus.text import escape
from chunky.corpus.words import (
    ASSISTANT,
    CALL_KEYS,
    CHOSEN,
    CHUNK_COLUMNS,
    CONVERSATION_COLUMNS,
    HISTORY,
    ID_COLUMNS,
    INPUT,
    INSTRUCTION,
    LIST_COLUMNS,
    MAX_CHUNK_CHARS,
    MESSAGE_COLUMNS,
    QUERY_COLUMNS,
    REJECTED,
    RESPONSE_COLUMNS,
    ROLE_KEYS,
    ROLES,
    SYSTEM,
    SYSTEM_COLUMNS,
    TEXT_KEYS,
    USER,
)

JOINT = "\n\n"
Record = Mapping[str, Any]


class Rejected(Exception):  # noqa: N818 (an answer between two functions, never shown as an error)
    """A record that cannot be taken: `reason` is one of `tables.REASONS`, `detail` is for a person."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail


class Turn(NamedTuple):
    """One utterance: role is system, user or assistant."""

    role: str
    text: str


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
        raise Rejected("wrong type", f"a record must be an object, this one is {_kind(record)}")
    shape, turns = _recognize(record, options)
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
            _check_text(value, f"column {name}")
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
            _check_text(value, f"column {name}")
            return value
    return None


# ── shapes ────────────────────────────────────────────────────────────────────────────────────────────────────────


class _Recognized(NamedTuple):
    shape: str
    turns: list[Turn]


def _recognize(record: Record, options: ReadOptions) -> _Recognized:
    """Shape and raw turns of a record. A column that is null counts as absent: merged sets have many of those."""
    if options.query_column is not None and options.response_column is not None:
        query = _named(record, options.query_column, USER, "no query")
        return _Recognized("prompt", query + _named(record, options.response_column, ASSISTANT, "no response"))
    wanted = options.shape
    for shape, columns in (("messages", MESSAGE_COLUMNS), ("conversations", CONVERSATION_COLUMNS)):
        if wanted in (None, shape):
            name = _first(record, columns if wanted is None else LIST_COLUMNS)
            if name is not None:
                return _Recognized(shape, _turn_list(record[name], f"column {name}"))
    if wanted in (None, "preference") and record.get(CHOSEN) is not None and (wanted or REJECTED in record):
        return _Recognized("preference", _preferred(record))
    response = _first(record, RESPONSE_COLUMNS)
    if wanted in (None, "instruction") and record.get(INSTRUCTION) is not None and response is not None:
        answer = _side(record[response], ASSISTANT, f"column {response}")
        return _Recognized("instruction", _history(record) + _instruction(record) + answer)
    query_name = _first(record, QUERY_COLUMNS)
    if wanted in (None, "prompt") and query_name is not None and response is not None:
        asked = _side(record[query_name], USER, f"column {query_name}")
        return _Recognized("prompt", asked + _side(record[response], ASSISTANT, f"column {response}"))
    _explain(record, query_name, response)


def _explain(record: Record, query: str | None, response: str | None) -> NoReturn:
    if query is not None and response is None:
        raise Rejected("no response", f"column {query} stands without one of {', '.join(RESPONSE_COLUMNS)}")
    if response is not None and query is None:
        raise Rejected("no query", f"column {response} stands without one of {', '.join(QUERY_COLUMNS)}")
    nulls = [name for name in (*LIST_COLUMNS, CHOSEN, *QUERY_COLUMNS, *RESPONSE_COLUMNS) if name in record]
    if nulls and all(record[name] is None for name in nulls):
        raise Rejected("wrong type", f"null in {', '.join(nulls)}")
    names = escape(", ".join(str(name)[:40] for name in list(record)[:10]))
    raise Rejected("unknown shape", f"columns: {names or 'none'}; name two with --query-column and --response-column")


def _first(record: Record, names: tuple[str, ...]) -> str | None:
    return next((name for name in names if record.get(name) is not None), None)


def _named(record: Record, name: str, role: str, missing: str) -> list[Turn]:
    if name not in record:
        raise Rejected(missing, f"the record has no column {name}")
    return _side(record[name], role, f"column {name}")


def _side(value: object, role: str, where: str) -> list[Turn]:
    """One side of a pair: text, or a list of turns (or one turn) as trainers of preference models write them."""
    if isinstance(value, str):
        return [Turn(role, value)]
    if isinstance(value, Mapping):
        return _turn_list([value], where)
    if isinstance(value, list) and value and all(isinstance(item, Mapping) for item in value):
        return _turn_list(value, where)
    raise Rejected("wrong type", f"{where} is {_kind(value)}, not text")


def _turn_list(value: object, where: str) -> list[Turn]:
    if not isinstance(value, list):
        raise Rejected("wrong type", f"{where} is {_kind(value)}, not a list of turns")
    turns = []
    for number, item in enumerate(value, 1):
        if not isinstance(item, Mapping):
            raise Rejected("wrong type", f"turn {number} in {where} is {_kind(item)}, not an object")
        turns.append(Turn(_role(item, number), _content(item, number)))
    return turns


def _role(turn: Record, number: int) -> str:
    key = _first(turn, ROLE_KEYS)
    if key is None:
        raise Rejected("unknown role", f"turn {number} has none of {', '.join(ROLE_KEYS)}")
    name = turn[key]
    if not isinstance(name, str):
        raise Rejected("wrong type", f"{key} of turn {number} is {_kind(name)}, not text")
    role = ROLES.get(name) or ROLES.get(name.lower())
    if role is None:
        raise Rejected("unknown role", f"turn {number} is spoken by {escape(name[:40])!r}")
    return role


def _content(turn: Record, number: int) -> str:
    """Text of a turn. A turn that only calls tools (content null or blank) is the JSON of its calls."""
    key = _first(turn, TEXT_KEYS)
    content = None if key is None else turn[key]
    if isinstance(content, list):
        content = "".join(_part(part, number) for part in content)
    if content is None or (isinstance(content, str) and (not content or content.isspace())):
        call = _first(turn, CALL_KEYS)
        if call is not None and turn[call]:
            return json.dumps(turn[call], ensure_ascii=False, separators=(",", ":"), default=str)
    if not isinstance(content, str):
        raise Rejected("wrong type", f"{key or TEXT_KEYS[0]} of turn {number} is {_kind(content)}, not text")
    return content


def _part(part: object, number: int) -> str:
    if isinstance(part, str):
        return part
    if isinstance(part, Mapping) and isinstance(part.get("text"), str):
        text: str = part["text"]
        if part.get("type") in (None, "text", "input_text", "output_text"):
            return text
    kind = part.get("type") if isinstance(part, Mapping) else None
    what = f"part of type {escape(str(kind)[:40])!r}" if kind is not None else _kind(part)
    raise Rejected("wrong type", f"content of turn {number} holds {what}, not text")


def _instruction(record: Record) -> list[Turn]:
    """Instruction, blank line, input; either alone where the other is blank."""
    sides = []
    for name in (INSTRUCTION, INPUT):
        value = record.get(name)
        if value is not None and not isinstance(value, str):
            raise Rejected("wrong type", f"column {name} is {_kind(value)}, not text")
        if value and not value.isspace():
            sides.append(value)
    return [Turn(USER, JOINT.join(sides))]


def _history(record: Record) -> list[Turn]:
    """Earlier turns: pairs of user and assistant text."""
    value = record.get(HISTORY)
    if not value:
        return []
    turns = []
    for pair in value if isinstance(value, list) else [value]:
        if not isinstance(pair, list) or len(pair) != 2 or not all(isinstance(side, str) for side in pair):
            raise Rejected("wrong type", f"column {HISTORY} must be a list of pairs of text")
        turns += [Turn(USER, pair[0]), Turn(ASSISTANT, pair[1])]
    return turns


_MARK = re.compile(r"(?:\A\s*|\n\n)(Human|Assistant): ?")


def _preferred(record: Record) -> list[Turn]:
    """The chosen side of a preference pair, after its prompt where that is a column of its own."""
    chosen = record[CHOSEN]
    name = _first(record, QUERY_COLUMNS)
    prompt = None if name is None else record[name]
    if isinstance(chosen, str):
        if _MARK.match(chosen):
            return _transcript(chosen)
        if isinstance(prompt, str) and _MARK.match(prompt):
            return _transcript(prompt + chosen)
        if prompt is None:
            raise Rejected("no query", f"chosen is plain text, and there is none of {', '.join(QUERY_COLUMNS)}")
    turns = _side(chosen, ASSISTANT, f"column {CHOSEN}")
    if prompt is None or any(turn.role == USER for turn in turns):
        return turns
    asked = _instruction(record) if name == INSTRUCTION else _side(prompt, USER, f"column {name}")
    return asked + turns


def _transcript(text: str) -> list[Turn]:
    """Turns of a `Human: … Assistant: …` transcript; the marks with the one space behind them are not content."""
    pieces = _MARK.split(text)[1:]
    speakers = {"Human": USER, "Assistant": ASSISTANT}
    return [Turn(speakers[who], said) for who, said in zip(pieces[::2], pieces[1::2], strict=True)]


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
            raise Rejected("wrong type", f"column {name} is {_kind(value)}, not text")
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
        if _blank(exchange.query):
            raise Rejected("empty query", f"the query of exchange {number} is empty or white space")
        if _blank(exchange.response):
            raise Rejected("empty response", f"the response of exchange {number} is empty or white space")
    return _Paired(exchanges, 0 if answer else 1, unprompted)


# ── small checks ──────────────────────────────────────────────────────────────────────────────────────────────────


def _blank(text: str) -> bool:
    return not text or text.isspace()


def _check_texts(turns: list[Turn], most: int) -> None:
    total = 0
    for number, turn in enumerate(turns, 1):
        _check_text(turn.text, f"turn {number} ({turn.role})")
        total += len(turn.text)
    if total > most:
        raise Rejected("over-long record", f"{total:,} characters, at most {most:,}: see --max-record-chars")


def _check_text(text: str, where: str) -> None:
    if "\0" in text:
        raise Rejected("NUL character", f"{where}, character {text.index(chr(0)) + 1:,}")
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise Rejected("lone surrogate", f"{where}, character {error.start + 1:,}") from None


def _kind(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return "text"
    if isinstance(value, list):
        return "a list"
    return "an object" if isinstance(value, Mapping) else f"of type {type(value).__name__}"
