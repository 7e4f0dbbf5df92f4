"""How a reply is taken apart: one JSON object, or tags, whole and once; anything else is an error that keeps the text.

Three forms are read. The whole reply is a JSON object (a provider with structured output gives that; one Markdown fence
around it is forgiven). The object stands between `<reply-CODE>` and `</reply-CODE>`, with the code of the call, so that
no text which the model quotes can pass for its answer. Instead of the object, one tag a field.

Nothing is searched for in prose and nothing is guessed: a key that comes twice, a key too many, a score of 101 or
"high", two answers, an answer that is cut off are all errors. An error is a row to retry or to report, never a number.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Literal, NoReturn, TypeVar

from chunky.errors import InputError
from chunky.llm.prompts import code_of
from chunky.llm.protocol import Reply, Request

__all__ = ["Field", "Parsed", "Unreadable", "line", "one_of_a_kind", "outline", "read", "schema"]

Value = TypeVar("Value")

_FENCED = re.compile(r"\A```(?:json)?[ \t]*\n(.*)\n```\Z", re.DOTALL)
_NUMBER = re.compile(r"-?[0-9]{1,9}(?:\.[0-9]{1,9})?")
_TYPES: dict[str, dict[str, Any]] = {
    "text": {"type": "string"},
    "number": {"type": "number"},
    "texts": {"type": "array", "items": {"type": "string"}},
    "integers": {"type": "array", "items": {"type": "integer"}},
}
MAX_LINE_CHARS = 400
"""Longest sentence read: twenty words are about 120 characters, and a quoted phrase may be long."""


class Unreadable(InputError):
    """A reply that does not say what its role must say."""


@dataclass(frozen=True)
class Parsed(Generic[Value]):
    """What a reply says, or why that is unknown: exactly one of `value` and `error` is set.

    `error` is a kind of `chunky.llm.protocol.Reply`; a reply that came but cannot be read is a "bad reply". `text` is
    the reply as it came, also where it is an error; None when none came.
    """

    value: Value | None
    error: str | None
    detail: str | None
    text: str | None


@dataclass(frozen=True)
class Field:
    """One field of a reply. `tag` is its name in the tag form, one tag for each element of a list."""

    name: str
    kind: Literal["text", "number", "texts", "integers"]
    meaning: str
    tag: str


def schema(fields: Iterable[Field]) -> dict[str, Any]:
    """JSON schema of a reply with these fields, in this order, and no other.

    Only keywords that the structured outputs of all vendors take: bounds and lengths are told in the descriptions and
    checked by the reader, since some vendors reject `minimum` or `minItems`.
    """
    properties = {field.name: {**_TYPES[field.kind], "description": field.meaning} for field in fields}
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def outline(fields: Iterable[Field]) -> str:
    """The object as a prompt shows it, e.g. `{"reason": "…", "score": 0}`."""
    samples: dict[str, Any] = {"text": "…", "number": 0, "texts": ["…", "…"], "integers": [1, 2]}
    return json.dumps({field.name: samples[field.kind] for field in fields}, ensure_ascii=False)


def read(
    request: Request, reply: Reply, fields: Sequence[Field], build: Callable[[Mapping[str, Any]], Value]
) -> Parsed[Value]:
    """What a reply says; `build` makes the value of its fields, or raises Unreadable where they break its promises.

    A "bad reply" with its text is read too: a provider that checks schemas knows JSON alone, and tags may be right.
    """
    if reply.error is not None and not (reply.error == "bad reply" and reply.text):
        return Parsed(None, reply.error, reply.detail, reply.text)
    if reply.text is None or not reply.text.strip():
        return Parsed(None, "empty", "the reply holds no text", reply.text)
    try:
        return Parsed(build(_fields(reply.text, code_of(request), fields)), None, None, reply.text)
    except Unreadable as bad:
        return Parsed(None, "bad reply", bad.problem, reply.text)


def line(text: str, begins: str = "") -> str:
    """A text that must be one line: spaces are evened out, a final mark is added.

    Raises:
        Unreadable: empty, too long, of several lines, with characters that are not seen, or without its beginning.

    """
    evened = re.sub(r"[ \t\xa0]+", " ", text).strip()
    if not evened or len(evened) > MAX_LINE_CHARS:
        _refuse(f"a sentence of {len(evened)} characters")
    if not evened.isprintable():
        _refuse(f"a sentence with a line break or an invisible character: {evened[:80]!r}")
    if not evened.startswith(begins) or len(evened) == len(begins):
        _refuse(f"a sentence that does not begin with “{begins.strip()}”: {evened[:80]!r}")
    return evened if evened[-1] in ".!?…" or evened[-2:] in (".”", '."') else f"{evened}."


def one_of_a_kind(texts: Sequence[str], least: int, most: int, what: str) -> tuple[str, ...]:
    """Texts that must be between `least` and `most` in number and differ in more than case; Unreadable otherwise."""
    if not least <= len(texts) <= most:
        _refuse(f"{len(texts)} {what}, not {most if least == most else f'{least} to {most}'}")
    if len({text.casefold() for text in texts}) < len(texts):
        _refuse(f"{what} that repeat each other")
    return tuple(texts)


def _refuse(what: str) -> NoReturn:
    raise Unreadable(what, "ask again; the text of the reply is kept")


def _fields(text: str, code: str | None, fields: Sequence[Field]) -> dict[str, Any]:
    """The raw fields of a reply, each of its type."""
    answer = _answer(text, code)
    fenced = _FENCED.match(answer)
    answer = fenced[1].strip() if fenced else answer
    found = _from_json(answer) if answer.startswith("{") else _from_tags(answer, fields)
    names = [field.name for field in fields]
    if sorted(found) != sorted(names):
        _refuse(f"an answer with the fields {', '.join(sorted(found)) or '(none)'} instead of {', '.join(names)}")
    return {field.name: _typed(field, found[field.name]) for field in fields}


def _answer(text: str, code: str | None) -> str:
    """The part that counts: what stands between the tags with the call's code, or everything where there are none."""
    if code is None or f"reply-{code}>" not in text:
        return text.strip()
    opening, closing = f"<reply-{code}>", f"</reply-{code}>"
    start, end = text.find(opening), text.find(closing)
    if text.count(opening) != 1 or text.count(closing) != 1 or end < start:
        _refuse("an answer that is not between one pair of reply tags")
    return text[start + len(opening) : end].strip()


def _from_json(text: str) -> dict[str, Any]:
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            _refuse("an object that has a key twice")
        return found

    try:
        found: dict[str, Any] = json.loads(text, object_pairs_hook=once)
    except (ValueError, RecursionError) as bad:
        # RecursionError: ten thousand brackets are a reply too.
        _refuse(f"no JSON object: {bad}")
    return found


def _from_tags(text: str, fields: Sequence[Field]) -> dict[str, Any]:
    by_tag = {field.tag: field for field in fields}
    tag = f"({'|'.join(by_tag)})"
    found: dict[str, Any] = {field.name: [] for field in fields}
    matches = list(re.finditer(rf"<{tag}>(.*?)</\1>", text, re.DOTALL))
    if not matches or re.sub(rf"<{tag}>(.*?)</\1>", "", text, flags=re.DOTALL).strip():
        _refuse("neither a JSON object nor tags alone")
    for match in matches:
        if re.search(rf"</?{tag}>", match[2]):
            _refuse(f"a tag <{match[1]}> that holds another tag")
        found[by_tag[match[1]].name].append(match[2].strip())
    for field in fields:
        values = found[field.name]
        if field.kind in ("text", "number"):
            if len(values) != 1:
                _refuse(f"{len(values)} tags <{field.tag}>, not one")
            found[field.name] = values[0]
        if field.kind in ("number", "integers"):
            numbers = [_parsed(value) for value in values]
            found[field.name] = numbers if field.kind == "integers" else numbers[0]
    return found


def _parsed(text: str) -> float | int:
    if not _NUMBER.fullmatch(text):
        _refuse(f"{text[:40]!r} where a number belongs")
    return float(text) if "." in text else int(text)


def _typed(field: Field, value: Any) -> Any:
    elements = value if field.kind in ("texts", "integers") else [value]
    # A bool is an int to Python; NaN and infinities are no JSON, but Python reads them.
    wanted = {"text": (str,), "texts": (str,), "number": (int, float), "integers": (int,)}[field.kind]
    if not isinstance(elements, list):
        _refuse(f"the field {field.name} is no list")
    for element in elements:
        if not isinstance(element, wanted) or isinstance(element, bool):
            _refuse(f"the field {field.name} holds {str(element)[:40]!r}")
        if isinstance(element, float) and not math.isfinite(element):
            _refuse(f"the field {field.name} holds {element}")
        if isinstance(element, str) and not element.isascii() and any("\ud800" <= c <= "\udfff" for c in element):
            _refuse(f"the field {field.name} holds half a character")
    return value
