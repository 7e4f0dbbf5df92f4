"""Parsed JSON objects laid out as Arrow columns, so that they take the vectorized path too.

Objects with the same keys form one table. Only what the columns can say exactly is laid out; every other object goes
the careful way.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
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


@contextmanager
def collection_paused() -> Iterator[None]:
    """Keep the garbage collector from walking through one batch of parsed JSON, which holds no cycles.

    It would walk 40,000 living objects again and again: parsing 262,304 records took 0.85 s of CPU instead of 1.62.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


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
            with collection_paused():
                table = _table(keys, [records[place] for place in places], builder.options)
        if table is None:
            careful += places
        else:
            left = take_vectorized(builder, table, [numbers[place] for place in places])
            careful += [places[place] for place in left]
    careful.sort()
    yield from take_carefully(builder, [(numbers[place], records[place]) for place in careful], position)


def take_carefully(builder: Builder, records: Sequence[tuple[int, Any]], position: int) -> Iterator[Batch]:
    """Take numbered records one by one; gives batches early where the rows swell."""
    for number, record in records:
        if builder.chars >= SWOLLEN_CHARS:
            yield builder.finish(position)
        builder.take(number, record)


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


class _Flat(NamedTuple):
    """Turns of many lists one after another; `counts` says how many each list has, -1 for a list that is not plain."""

    roles: list[Any]
    texts: list[Any]
    counts: list[int]


def _turn_lists(lists: list[Any]) -> Any:
    """Lists of turns as `list<struct<role, text>>`; null for a list that is not plain, None when no list is."""
    import numpy as np

    pa = arrow()
    keys = _keys(lists)
    if keys is None:
        return None
    # a turn may also hold a name of higher rank; where the first names are used there is none
    most = None if keys == (ROLE_KEYS[0], TEXT_KEYS[0]) else 2
    try:
        flat = _flat_at_once(lists, keys, most)
    except (KeyError, TypeError, ValueError):
        flat = _flat_one_by_one(lists, keys, most)
    if not set(map(type, flat.roles)) | set(map(type, flat.texts)) <= _TEXT_TYPES:
        return None
    columns = [pa.array(flat.roles, pa.string()), pa.array(flat.texts, pa.string())]
    struct = pa.StructArray.from_arrays(columns, names=list(keys))
    counts = np.array(flat.counts)
    offsets = np.concatenate([[0], np.cumsum(np.maximum(counts, 0))]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), struct, mask=pa.array(counts < 0))


def _flat_at_once(lists: list[Any], keys: _Keys, most: int | None) -> _Flat:
    """Three times as fast as one by one; raises where a single list is not plain."""
    if set(map(type, lists)) != {list}:
        raise TypeError("not only lists")
    flat = [turn for turns in lists for turn in turns]
    if most is not None and max(map(len, flat)) > most:
        raise ValueError("a turn with more names")
    return _Flat([turn[keys.role] for turn in flat], [turn[keys.text] for turn in flat], list(map(len, lists)))


def _flat_one_by_one(lists: list[Any], keys: _Keys, most: int | None) -> _Flat:
    flat = _Flat([], [], [])
    for turns in lists:
        try:
            one = _flat_at_once([turns], keys, most)
        except (KeyError, TypeError, ValueError):
            flat.counts.append(-1)
        else:
            flat.roles.extend(one.roles)
            flat.texts.extend(one.texts)
            flat.counts.append(len(turns))
    return flat


def _keys(lists: list[Any]) -> _Keys | None:
    """Names of speaker and text in the first turn of the first list that has one."""
    for turns in lists:
        if type(turns) is list and turns and type(turns[0]) is dict:
            role = next((key for key in ROLE_KEYS if key in turns[0]), None)
            text = next((key for key in TEXT_KEYS if key in turns[0]), None)
            return _Keys(role, text) if role and text else None
    return None
