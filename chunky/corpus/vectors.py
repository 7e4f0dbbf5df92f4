"""Whole columns at once: the fast path for records whose conversion needs no thought.

A record is taken here only when every check of the careful path (`records`) would pass it and leave its text alone:
known speakers in strict turns, no blank, null or NUL text, no second opinion between columns. All others are handed
back, so the two paths cannot disagree about what a bad record is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from chunky.corpus.arrow import arrow, compute
from chunky.corpus.batches import ROW_COLUMNS, Builder
from chunky.corpus.options import ReadOptions
from chunky.corpus.text import NOT_BLANK
from chunky.corpus.turns import JOINT
from chunky.corpus.words import (
    ASSISTANT,
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
    RESPONSE_COLUMNS,
    ROLE_KEYS,
    ROLES,
    SYSTEM,
    SYSTEM_COLUMNS,
    TEXT_KEYS,
    USER,
)

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    Mask = npt.NDArray[np.bool_]
    Numbers = npt.NDArray[np.int64]

# A long system message repeated over many turns swells; what exceeds this in one batch goes the careful way.
_MOST_CHARS = 128 * 2**20
_CODES = {SYSTEM: 0, USER: 1, ASSISTANT: 2}


class _Plan(NamedTuple):
    """Shape of a batch, by its schema: a list column, or a query column with a response column."""

    shape: str
    turns: str = ""
    query: str = ""
    response: str = ""


class _Rows(NamedTuple):
    """Row columns of the clean records; `record` is the place of each row's record in the batch."""

    record: Numbers
    turn: Numbers
    turns: Numbers
    system: Any
    query: Any
    response: Any


def take_vectorized(builder: Builder, table: pa.Table, numbers: Sequence[int]) -> Sequence[int]:
    """Take what is clean of `table`, whose rows are the records `numbers`; places of the rows left, ascending."""
    import numpy as np

    pa = arrow()
    everything = range(table.num_rows)
    options = builder.options
    plan = _plan(table.schema, options)
    if plan is None:
        return everything
    try:
        table.validate(full=True)
    except pa.ArrowInvalid:  # text that is not UTF-8: found record by record
        return everything
    columns = {name: _array(table[name]) for name in table.schema.names}
    clean = np.ones(table.num_rows, dtype=bool)
    chunk = _chunks(columns, options, builder.source.chunk, clean)
    ids = _ids(columns, options, clean)
    found = _turn_rows(columns, plan, options, clean) if plan.turns else _pair_rows(columns, plan, options, clean)
    if len(found.record):
        where = pa.array(found.record)
        values = (
            chunk.take(where),
            ids.take(where),
            pa.array(found.turn, pa.int32()),
            pa.array(found.turns, pa.int32()),
            found.system,
            found.query,
            found.response,
            pa.array(np.asarray(numbers, dtype=np.int64)[found.record]),
        )
        builder.take_table(pa.table(list(values), names=list(ROW_COLUMNS)), plan.shape, int(clean.sum()))
    left: list[int] = np.flatnonzero(~clean).tolist()
    return left


# ── which path, by the schema ─────────────────────────────────────────────────────────────────────────────────────


def _plan(schema: pa.Schema, options: ReadOptions) -> _Plan | None:
    """How the batch can be read at once; None where the careful path must look at every record."""
    names = set(schema.names)
    if len(names) < len(schema.names):
        return None
    plan: _Plan | None = None
    if options.query_column is not None and options.response_column is not None:
        plan = _Plan("prompt", query=options.query_column, response=options.response_column)
    elif options.shape in ("messages", "conversations") or (options.shape is None and names & set(LIST_COLUMNS)):
        order = LIST_COLUMNS if options.shape else (*MESSAGE_COLUMNS, *CONVERSATION_COLUMNS)
        name = _first(order, names)
        if not name or not _is_turn_list(schema.field(name).type):
            return None
        return _Plan(options.shape or ("messages" if name in MESSAGE_COLUMNS else "conversations"), turns=name)
    elif options.shape != "preference" and (options.shape is not None or CHOSEN not in names):
        response = _first(RESPONSE_COLUMNS, names)
        if options.shape in (None, "instruction") and INSTRUCTION in names:
            plan = _Plan("instruction", query=INSTRUCTION, response=response)
        elif options.shape in (None, "prompt"):
            plan = _Plan("prompt", query=_first(QUERY_COLUMNS, names), response=response)
    if plan is None or not {plan.query, plan.response} <= names:
        return None
    texts = [plan.query, plan.response, *([INPUT] if plan.shape == "instruction" and INPUT in names else [])]
    return plan if all(_is_text(schema.field(name).type) for name in texts) else None


def _first(names: Sequence[str], present: set[str]) -> str:
    return next((name for name in names if name in present), "")


def _is_text(kind: Any) -> bool:
    types = arrow().types
    if types.is_dictionary(kind):
        kind = kind.value_type
    return bool(types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind))


def _is_turn_list(kind: Any) -> bool:
    types = arrow().types
    if not (types.is_list(kind) or types.is_large_list(kind)) or not types.is_struct(kind.value_type):
        return False
    fields = {field.name: field.type for field in kind.value_type}
    role, text = _first(ROLE_KEYS, set(fields)), _first(TEXT_KEYS, set(fields))
    return bool(role and text) and _is_text(fields[role]) and _is_text(fields[text])


# ── columns ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _array(column: Any) -> Any:
    """One contiguous array, text as plain strings."""
    array = column.combine_chunks()
    if isinstance(array, arrow().ChunkedArray):
        array = array.chunk(0) if array.num_chunks else arrow().array([], column.type)
    return _text(array) if _is_text(array.type) else array


def _text(array: Any) -> Any:
    return array if arrow().types.is_string(array.type) else array.cast(arrow().string())


def _mask(values: Any) -> Mask:
    import numpy as np

    mask: Mask = np.asarray(compute().fill_null(values, False).to_numpy(zero_copy_only=False), dtype=bool)
    return mask


def _good(text: Any) -> Mask:
    """Where a string array holds text: not null, not blank, without NUL."""
    pc = compute()
    mask = _mask(pc.match_substring_regex(text, NOT_BLANK))
    return mask & ~_has_nul(text)


def _has_nul(text: Any) -> Mask:
    import numpy as np

    buffer = text.buffers()[2]
    # one look at the bytes spares a search in every value: 5 GB/s against 0.3
    if buffer is None or np.frombuffer(buffer, dtype=np.uint8).all():
        return np.zeros(len(text), dtype=bool)
    return _mask(compute().match_substring(text, "\0"))


def _chunks(columns: dict[str, Any], options: ReadOptions, default: str, clean: Mask) -> Any:
    pa = arrow()
    if options.chunk is not None:
        return pa.repeat(pa.scalar(options.chunk), len(clean))
    names = CHUNK_COLUMNS if options.chunk_column is None else (options.chunk_column,)
    name = _first(names, {name for name, column in columns.items() if _is_text(column.type)})
    if name:
        clean &= _good(columns[name])
        clean &= _mask(compute().less_equal(compute().utf8_length(columns[name]), MAX_CHUNK_CHARS))
        return columns[name]
    if options.chunk_column is not None:
        clean[:] = False
    return pa.repeat(pa.scalar(default), len(clean))


def _ids(columns: dict[str, Any], options: ReadOptions, clean: Mask) -> Any:
    pa = arrow()
    for name in ID_COLUMNS if options.id_column is None else (options.id_column,):
        if name not in columns:
            continue
        column = columns[name]
        if _is_text(column.type):
            clean &= _good(column)
            return column
        if pa.types.is_integer(column.type):
            clean &= _mask(column.is_valid())
            return column.cast(pa.string())
        if pa.types.is_floating(column.type):
            clean &= _mask(column.is_null())
    return pa.nulls(len(clean), pa.string())


def _systems(columns: dict[str, Any], options: ReadOptions, clean: Mask) -> Any:
    """The system column with blanks as null; a second one with a value, or one that is not text, is not clean."""
    pa, pc = arrow(), compute()
    system = pa.nulls(len(clean), pa.string())
    is_found = False
    for name in SYSTEM_COLUMNS if options.system_column is None else (options.system_column,):
        if name not in columns:
            continue
        column = columns[name]
        if is_found or not _is_text(column.type):
            clean &= _mask(column.is_null())
            continue
        is_found = True
        clean &= ~_has_nul(column)
        system = pc.if_else(pc.match_substring_regex(column, NOT_BLANK), column, pa.scalar(None, pa.string()))
    return system


# ── rows ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _pair_rows(columns: dict[str, Any], plan: _Plan, options: ReadOptions, clean: Mask) -> _Rows:
    """One row per record of the shapes `instruction` and `prompt`."""
    import numpy as np

    pa, pc = arrow(), compute()
    query, response = columns[plan.query], columns[plan.response]
    clean &= _good(query) & _good(response)
    if plan.shape == "instruction":
        if HISTORY in columns:
            clean &= _mask(columns[HISTORY].is_null())
        if INPUT in columns:
            extra = columns[INPUT]
            clean &= ~_has_nul(extra)
            joined = pc.binary_join_element_wise(query, extra, JOINT)
            query = pc.if_else(pc.fill_null(pc.match_substring_regex(extra, NOT_BLANK), False), joined, query)
    system = _systems(columns, options, clean)
    chars = _lengths(query) + _lengths(response) + _lengths(system)
    _bound(chars, chars, options, clean)
    record = np.flatnonzero(clean)
    where, ones = pa.array(record), np.ones(len(record), dtype=np.int64)
    return _Rows(record, ones, ones, system.take(where), query.take(where), response.take(where))


def _turn_rows(columns: dict[str, Any], plan: _Plan, options: ReadOptions, clean: Mask) -> _Rows:
    """One row per exchange of a list column: an optional system message, then user and assistant in turns."""
    import numpy as np

    pa = arrow()
    lists = columns[plan.turns]
    system_column = _systems(columns, options, clean)
    clean &= _mask(lists.is_valid()) & _mask(system_column.is_null())
    offsets: Numbers = lists.offsets.to_numpy().astype(np.int64)
    turns = lists.values.slice(offsets[0], offsets[-1] - offsets[0])
    offsets = offsets - offsets[0]
    counts = np.diff(offsets)
    record = np.repeat(np.arange(len(counts)), counts)
    fields = {field.name for field in turns.type}
    text = _text(turns.field(_first(TEXT_KEYS, fields)))
    codes = _role_codes(_text(turns.field(_first(ROLE_KEYS, fields))))

    starts_with_system = np.zeros(len(counts), dtype=np.int64)
    filled = counts > 0
    starts_with_system[filled] = codes[offsets[:-1][filled]] == _CODES[SYSTEM]
    place = np.arange(len(record)) - offsets[record] - starts_with_system[record]
    expected = np.where(place < 0, _CODES[SYSTEM], np.where(place % 2 == 0, _CODES[USER], _CODES[ASSISTANT]))
    is_bad = (codes != expected) | ~_good(text) | ~_mask(turns.is_valid())
    clean[record[is_bad]] = False
    spoken = counts - starts_with_system
    clean &= (spoken >= 2) & (spoken % 2 == 0)

    lengths = _lengths(text)
    chars = np.bincount(record, weights=lengths, minlength=len(counts))
    first = np.zeros(len(counts), dtype=np.int64)
    first[filled] = lengths[offsets[:-1][filled]] * starts_with_system[filled]
    _bound(chars, chars + first * np.maximum(spoken // 2 - 1, 0), options, clean)

    users = np.flatnonzero((place >= 0) & (place % 2 == 0) & clean[record])
    owners = record[users]
    systems = pa.array(offsets[:-1][owners], mask=starts_with_system[owners] == 0)
    query, response = text.take(pa.array(users)), text.take(pa.array(users + 1))
    return _Rows(owners, place[users] // 2 + 1, spoken[owners] // 2, text.take(systems), query, response)


def _role_codes(role: Any) -> Numbers:
    """0 system, 1 user, 2 assistant, -1 anything else."""
    import numpy as np

    pa, pc = arrow(), compute()
    known = np.array([_CODES[role] for role in ROLES.values()] + [-1], dtype=np.int64)
    found = pc.index_in(role, value_set=pa.array(list(ROLES), pa.string()))
    codes: Numbers = known[pc.fill_null(found, -1).to_numpy(zero_copy_only=False)]
    return codes


def _lengths(text: Any) -> Numbers:
    import numpy as np

    lengths = compute().fill_null(compute().utf8_length(text), 0).to_numpy(zero_copy_only=False)
    return np.asarray(lengths, dtype=np.int64)


def _bound(chars: Any, expanded: Any, options: ReadOptions, clean: Mask) -> None:
    """Leave to the careful path what is long itself or would swell the batch."""
    import numpy as np

    clean &= (chars <= options.max_record_chars) & (expanded <= options.max_record_chars)
    clean &= np.cumsum(np.where(clean, expanded, 0)) <= _MOST_CHARS
