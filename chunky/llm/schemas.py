"""Whether a reply fits the JSON schema it was asked in: the part of JSON schema that replies of roles use.

A full validator took longer than all else that is done for a call. Keywords that are not checked here are left to the
role's own parser, which has the last word.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}


def misfit(text: str, schema: Mapping[str, Any]) -> str | None:
    """Why `text` is no JSON of that schema; None when it is."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        return f"no JSON: {error}"
    return _misfit(value, schema, "reply")


def _misfit(value: object, schema: Mapping[str, Any], place: str) -> str | None:
    kinds = schema.get("type")
    if kinds is not None and not any(_is(value, kind) for kind in ([kinds] if isinstance(kinds, str) else kinds)):
        return f"{place} is no {kinds}"
    if "enum" in schema and value not in schema["enum"]:
        return f"{place} is none of the values allowed"
    if isinstance(value, dict):
        return _misfit_object(value, schema, place)
    if isinstance(value, list):
        return _misfit_array(value, schema, place)
    if isinstance(value, int | float) and not isinstance(value, bool):
        low, high = schema.get("minimum", value), schema.get("maximum", value)
        return None if low <= value <= high else f"{place} is out of range"
    return None


def _misfit_object(value: dict[str, object], schema: Mapping[str, Any], place: str) -> str | None:
    properties: Mapping[str, Any] = schema.get("properties", {})
    missing = [name for name in schema.get("required", ()) if name not in value]
    if missing:
        return f"{place} lacks {missing[0]}"
    if schema.get("additionalProperties") is False and not value.keys() <= properties.keys():
        return f"{place} has more than was asked for"
    found = (_misfit(value[name], properties[name], f"{place}.{name}") for name in value if name in properties)
    return next((reason for reason in found if reason), None)


def _misfit_array(value: list[object], schema: Mapping[str, Any], place: str) -> str | None:
    if not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value)):
        return f"{place} has {len(value)} items"
    inner = schema.get("items")
    if not isinstance(inner, Mapping):
        return None
    found = (_misfit(item, inner, f"{place}[{index}]") for index, item in enumerate(value))
    return next((reason for reason in found if reason), None)


def _is(value: object, kind: str) -> bool:
    if isinstance(value, bool):  # a bool is an int to Python, and none to JSON
        return kind == "boolean"
    return isinstance(value, _TYPES.get(kind, (object,)))
