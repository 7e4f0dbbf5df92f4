"""The shape of one record, recognized by itself, and the turns that it holds."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import NamedTuple, NoReturn

from chunky.corpus.options import ReadOptions
from chunky.corpus.text import escape
from chunky.corpus.turns import JOINT, Record, Rejected, Turn, kind
from chunky.corpus.words import (
    ASSISTANT,
    CALL_KEYS,
    CHOSEN,
    CONVERSATION_COLUMNS,
    HISTORY,
    INPUT,
    INSTRUCTION,
    LIST_COLUMNS,
    MESSAGE_COLUMNS,
    QUERY_COLUMNS,
    REJECTED,
    RESPONSE_COLUMNS,
    ROLE_KEYS,
    ROLES,
    TEXT_KEYS,
    USER,
)


class Recognized(NamedTuple):
    """A shape of `options.SHAPES`, and the turns as the record has them."""

    shape: str
    turns: list[Turn]


def recognize(record: Record, options: ReadOptions) -> Recognized:
    """Shape and raw turns of a record. A column that is null counts as absent: merged sets have many of those."""
    if options.query_column is not None and options.response_column is not None:
        query = _named(record, options.query_column, USER, "no query")
        return Recognized("prompt", query + _named(record, options.response_column, ASSISTANT, "no response"))
    wanted = options.shape
    for shape, columns in (("messages", MESSAGE_COLUMNS), ("conversations", CONVERSATION_COLUMNS)):
        if wanted in (None, shape):
            name = _first(record, columns if wanted is None else LIST_COLUMNS)
            if name is not None:
                return Recognized(shape, _turn_list(record[name], f"column {name}"))
    if wanted in (None, "preference") and record.get(CHOSEN) is not None and (wanted or REJECTED in record):
        return Recognized("preference", _preferred(record))
    response = _first(record, RESPONSE_COLUMNS)
    if wanted in (None, "instruction") and record.get(INSTRUCTION) is not None and response is not None:
        answer = _side(record[response], ASSISTANT, f"column {response}")
        return Recognized("instruction", _history(record) + _instruction(record) + answer)
    query_name = _first(record, QUERY_COLUMNS)
    if wanted in (None, "prompt") and query_name is not None and response is not None:
        asked = _side(record[query_name], USER, f"column {query_name}")
        return Recognized("prompt", asked + _side(record[response], ASSISTANT, f"column {response}"))
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
    raise Rejected("wrong type", f"{where} is {kind(value)}, not text")


def _turn_list(value: object, where: str) -> list[Turn]:
    if not isinstance(value, list):
        raise Rejected("wrong type", f"{where} is {kind(value)}, not a list of turns")
    turns = []
    for number, item in enumerate(value, 1):
        if not isinstance(item, Mapping):
            raise Rejected("wrong type", f"turn {number} in {where} is {kind(item)}, not an object")
        turns.append(Turn(_role(item, number), _content(item, number)))
    return turns


def _role(turn: Record, number: int) -> str:
    key = _first(turn, ROLE_KEYS)
    if key is None:
        raise Rejected("unknown role", f"turn {number} has none of {', '.join(ROLE_KEYS)}")
    name = turn[key]
    if not isinstance(name, str):
        raise Rejected("wrong type", f"{key} of turn {number} is {kind(name)}, not text")
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
        raise Rejected("wrong type", f"{key or TEXT_KEYS[0]} of turn {number} is {kind(content)}, not text")
    return content


def _part(part: object, number: int) -> str:
    if isinstance(part, str):
        return part
    if isinstance(part, Mapping) and isinstance(part.get("text"), str):
        text: str = part["text"]
        if part.get("type") in (None, "text", "input_text", "output_text"):
            return text
    named = part.get("type") if isinstance(part, Mapping) else None
    what = f"part of type {escape(str(named)[:40])!r}" if named is not None else kind(part)
    raise Rejected("wrong type", f"content of turn {number} holds {what}, not text")


def _instruction(record: Record) -> list[Turn]:
    """Instruction, blank line, input; either alone where the other is blank."""
    sides = []
    for name in (INSTRUCTION, INPUT):
        value = record.get(name)
        if value is not None and not isinstance(value, str):
            raise Rejected("wrong type", f"column {name} is {kind(value)}, not text")
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
