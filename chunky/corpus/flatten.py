"""Parsed JSON objects laid out as Arrow columns, so that they take the vectorized path too.

Objects with the same keys form one table. Only what the columns can say exactly is laid out; every other object goes
the careful way.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from chunky.corpus.arrow import arrow
from chunky.corpus.batches import Builder
from chunky.corpus.options import Batch, ReadOptions
from chunky.corpus.vectors import take_vectorized
from chunky.corpus.words import KNOWN_COLUMNS, LIST_COLUMNS, ROLE_KEYS, TEXT_KEYS

# Below this an Arrow table costs more than it saves (about 1 ms against 15 µs a record).
_LEAST_RECORDS = 64
# What one batch may swell to: a system message stands in every row of its conversation.
SWOLLEN_CHARS = 128 * 2**20
_TEXT_TYPES = frozenset((str, type(None)))


def take_records(builder: Builder, numbers: Sequence[int], records: Sequence[Any], position: int) -> Iterator[Batch]:
    """Take parsed records, fast where they allow it; gives batches early where the rows swell."""
    groups: dict[tuple[str, ...], list[int]] = {}
    careful: list[int] = []
    for place, record in enumerate(records):
        if type(record) is dict:
            groups.setdefault(tuple(record), []).append(place)
        else:
            careful.append(place)
    for keys, places in groups.items():
        table = None
        if len(places) >= _LEAST_RECORDS:
            table = _table(keys, [records[place] for place in places], builder.options)
        if table is None:
            careful += places
        else:
            left = take_vectorized(builder, table, [numbers[place] for place in places])
            careful += [places[place] for place in left]
    for place in sorted(careful):
        if builder.chars >= SWOLLEN_CHARS:
            yield builder.finish(position)
        builder.take(numbers[place], records[place])


def _table(keys: tuple[str, ...], records: list[dict[str, Any]], options: ReadOptions) -> Any:
    """The columns that matter of objects with equal keys; None when one of them has no plain type."""
    pa = arrow()
    named = {options.query_column, options.response_column, options.system_column}
    named |= {options.chunk_column, options.id_column}
    columns: dict[str, Any] = {}
    for key in keys:
        if key not in KNOWN_COLUMNS and key not in named:
            continue
        values = [record[key] for record in records]
        types = set(map(type, values))
        if types <= _TEXT_TYPES:
            columns[key] = pa.array(values, pa.string())
        elif types == {int}:
            try:
                columns[key] = pa.array(values, pa.int64())
            except (OverflowError, pa.ArrowInvalid):
                return None
        elif key in LIST_COLUMNS and list in types:
            columns[key] = _turn_lists(values)
        else:
            return None
        if columns[key] is None:
            return None
    return pa.table(columns) if columns else None


class _Keys(NamedTuple):
    role: str
    text: str


def _turn_lists(lists: list[Any]) -> Any:
    """Lists of turns as `list<struct<role, text>>`; null for a list that is not plain, None when no list is."""
    import numpy as np

    pa = arrow()
    keys = _keys(lists)
    if keys is None:
        return None
    role_key, text_key = keys
    # a turn may also hold a name of higher rank; where the first names are used there is none
    most = 10**9 if keys == (ROLE_KEYS[0], TEXT_KEYS[0]) else 2
    roles: list[Any] = []
    texts: list[Any] = []
    offsets = [0]
    plain = []
    for turns in lists:
        before = len(roles)
        is_plain = type(turns) is list
        if is_plain:
            try:
                for turn in turns:
                    if len(turn) > most:
                        raise KeyError
                    role, text = turn[role_key], turn[text_key]
                    roles.append(role)
                    texts.append(text)
            except (KeyError, TypeError):
                is_plain = False
                del roles[before:], texts[before:]
        plain.append(is_plain)
        offsets.append(len(roles))
    if not set(map(type, roles)) | set(map(type, texts)) <= _TEXT_TYPES:
        return None
    columns = [pa.array(roles, pa.string()), pa.array(texts, pa.string())]
    struct = pa.StructArray.from_arrays(columns, names=[role_key, text_key])
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), struct, mask=pa.array(~np.array(plain, dtype=bool)))


def _keys(lists: list[Any]) -> _Keys | None:
    """Names of speaker and text in the first turn of the first list that has one."""
    for turns in lists:
        if type(turns) is list and turns and type(turns[0]) is dict:
            role = next((key for key in ROLE_KEYS if key in turns[0]), None)
            text = next((key for key in TEXT_KEYS if key in turns[0]), None)
            return _Keys(role, text) if role and text else None
    return None
