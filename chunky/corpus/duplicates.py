"""Groups of rows that say the same: word for word, the same query answered differently, or nearly the same text.

Near duplicates are found by MinHash and banding (Broder 1997; Leskovec, Rajaraman and Ullman, *Mining of Massive
Datasets*, section 3.4) and verified by the exact Jaccard similarity of their word 3-grams, so that no pair is taken on
a sketch's word. Groups are the connected components of the verified pairs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from chunky.corpus.hashing import hash_columns
from chunky.corpus.ids import signed_hash
from chunky.tables import TABLES
from chunky.tokens import mix64, tokenize

if TYPE_CHECKING:
    import numpy.typing as npt
    import pyarrow as pa

    Bools = npt.NDArray[np.bool_]
    U32 = npt.NDArray[np.uint32]
    U64 = npt.NDArray[np.uint64]
    I64 = npt.NDArray[np.int64]

__all__ = ["SIMILARITY", "find_duplicates"]

SIMILARITY: Final = 0.8
# 13 bands of 5: a pair of similarity 0.8 becomes a candidate with probability 0.994, one of 0.9 with 0.99999; one of
# 0.5 with 0.34, which the signatures then rule out for the price of 65 comparisons.
_BANDS: Final = 13
_BAND_ROWS: Final = 5
# Of 65 minima a pair of similarity 0.8 shares 52 ± 3.2: below 34 (5.5 deviations) it is not worth an exact look.
_MIN_SHARED: Final = 34
# In a bucket each member meets this many of the bucket's first members and its predecessor: linear in the bucket.
_LEADERS: Final = 8
# A row's number within its slice and a shingle's hash share 64 bits while sorting; two sets of 1,000 shingles of 54
# bits have one in common by accident with probability 6e-11.
_ROW_BITS: Final = 10
_HASH_BITS: Final = np.uint64(64 - _ROW_BITS)
_CHAIN: Final = np.uint64(0xA24BAED4963EE407)
_VERIFIED_AT_ONCE: Final = 1 << 17


def find_duplicates(batches: Callable[[], Iterable[pa.Table | pa.RecordBatch]]) -> pa.Table:
    """All groups of duplicates, as `corpus.duplicates`: the larger groups first, ties by group_id.

    The batches (read once) have columns row_id, content_id, chunk, query, response and, where there are any, system.
    Three kinds of group: `content`, rows of one content_id; `query`, rows of equal system and query with at least two
    contents; `near`, rows of two or more contents tied by Jaccard similarities of at least 0.8. `similarity` is the
    least one of a member to the group's first row (lowest row_id) over the sets of word 3-grams of query and response,
    numbers unmasked, signs counted as words; in a chain of near duplicates it may lie below 0.8.

    Memory: 8 bytes for each distinct word 3-gram of a content, and 300 bytes a content.
    """
    corpus = _read(batches)
    near = _near_labels(corpus)[corpus.content]
    kinds = {"content": corpus.content, "query": corpus.query, "near": near}
    return _table(corpus, [group for kind, labels in kinds.items() for group in _groups(corpus, kind, labels)])


class _Sets(NamedTuple):
    """Sets of shingles: set i is the `sizes[i]` hashes (uint64, ascending) from `hashes[starts[i]]` on."""

    hashes: U64
    starts: I64
    sizes: I64


class _Corpus(NamedTuple):
    """What one pass keeps. Rows ascend by row_id; `content`, `query` and `chunk` are dense numbers (int64, one a row).

    Of each content: its set of shingles and its MinHash signature (uint32, contents × 65); contents ascend by id.
    """

    row_ids: I64
    content: I64
    query: I64
    chunk: I64
    chunks: list[str]
    sets: _Sets
    signatures: U32


def _read(batches: Callable[[], Iterable[Any]]) -> _Corpus:
    import pyarrow as pa

    ids: list[list[Any]] = [[], [], [], []]
    seen: set[int] = set()
    known: list[I64] = []
    shingles = _Shingles()
    signatures: list[U32] = []
    for batch in _slices(batches):
        content = batch["content_id"].to_numpy()
        keys = [batch["system"]] if "system" in batch.schema.names else []
        query = hash_columns(*keys, batch["query"])
        for part, values in zip(
            ids, (batch["row_id"].to_numpy(), content, query, batch["chunk"].to_pylist()), strict=True
        ):
            part.append(values)
        _, first = np.unique(content, return_index=True)
        fresh = np.array([place for place in first.tolist() if int(content[place]) not in seen], np.int64)
        seen.update(content[fresh].tolist())
        known.append(content[fresh])
        sets = _shingles(batch["query"].take(pa.array(fresh)), batch["response"].take(pa.array(fresh)))
        shingles.add(sets)
        signatures.append(_signatures(sets))
    return _corpus(ids, known, shingles, signatures)


class _Shingles:
    """All sets read so far, in one array that grows where it lies: joining parts would hold everything twice."""

    _STEP: Final = 1 << 23  # 64 MiB: beyond what the allocator keeps in its heap, so that it moves pages, not bytes

    def __init__(self) -> None:
        self._hashes: U64 = np.zeros(0, np.uint64)
        self._used = 0
        self._sizes: list[I64] = []

    def add(self, sets: _Sets) -> None:
        """Append sets that lie one after the other."""
        used = self._used + len(sets.hashes)
        if used > len(self._hashes):
            self._hashes.resize(max(used, len(self._hashes) + self._STEP), refcheck=False)
        self._hashes[self._used : used] = sets.hashes
        self._used = used
        self._sizes.append(sets.sizes)

    def in_order(self, order: I64) -> _Sets:
        """The sets, number order[0] first; the hashes stay where they are."""
        sizes = np.concatenate([np.zeros(0, np.int64), *self._sizes])
        starts = np.cumsum(sizes) - sizes
        return _Sets(self._hashes[: self._used], starts[order], sizes[order])


def _slices(batches: Callable[[], Iterable[Any]]) -> Iterator[Any]:
    for batch in batches():
        for start in range(0, batch.num_rows, 1 << _ROW_BITS):
            yield batch.slice(start, 1 << _ROW_BITS)


def _corpus(ids: list[list[Any]], known: list[I64], shingles: _Shingles, signatures: list[U32]) -> _Corpus:
    """Rows by row_id, contents by content_id: the result does not depend on the order of reading."""
    none = np.zeros(0, np.int64)
    row_ids, content, query = (np.concatenate([none, *part]) for part in ids[:3])
    order = np.argsort(row_ids)
    chunks, chunk = np.unique(np.array([name for part in ids[3] for name in part], object), return_inverse=True)
    contents = np.concatenate([none, *known])
    by_id = np.argsort(contents)
    return _Corpus(
        row_ids[order],
        np.searchsorted(contents[by_id], content[order]),
        np.unique(query[order], return_inverse=True)[1],
        chunk[order],
        chunks.tolist(),
        shingles.in_order(by_id),
        np.concatenate([np.zeros((0, _BANDS * _BAND_ROWS), np.uint32), *signatures])[by_id],
    )


def _shingles(queries: Any, responses: Any) -> _Sets:
    """The set of word 3-grams of each row (at most 1,024 rows); a text of fewer words is one shingle."""
    import pyarrow as pa
    import pyarrow.compute as pc

    wide = pa.large_string()
    texts = pc.binary_join_element_wise(queries.cast(wide), responses.cast(wide), pa.scalar("\n", wide))
    tokens = tokenize(texts, mask_numbers=False, with_text=False)
    begins, counts = tokens.row_offsets[:-1], np.diff(tokens.row_offsets)
    left = np.repeat(tokens.row_offsets[1:], counts) - np.arange(len(tokens))
    hashes = mix64(tokens.hashes)
    for size in (2, 3):
        # a text's last words stay as they are: they begin no longer shingle, and are dropped unless the text is short
        longer = np.flatnonzero(left >= size)
        hashes[longer] = mix64(hashes[longer] * _CHAIN + tokens.hashes[longer + size - 1])
    whole = left >= 3
    whole[begins[(counts > 0) & (counts < 3)]] = True
    rows = tokens.rows[whole].astype(np.uint64)
    keys = np.sort(rows << _HASH_BITS | hashes[whole] >> np.uint64(_ROW_BITS))
    keys = keys[np.append(True, keys[1:] != keys[:-1])[: len(keys)]]
    offsets = np.searchsorted(keys >> _HASH_BITS, np.arange(len(counts) + 1, dtype=np.uint64))
    return _Sets(keys & ((np.uint64(1) << _HASH_BITS) - np.uint64(1)), offsets[:-1], np.diff(offsets))


def _signatures(sets: _Sets) -> U32:
    """Minima of 65 fixed hash functions over each set, uint32 (sets, 65); an empty set has the largest numbers.

    The sets lie one after the other, in order.
    """
    hashes = (sets.hashes >> np.uint64(22)).astype(np.uint32)
    filled = sets.sizes > 0
    starts = sets.starts[filled]
    seeds = mix64(np.arange(1, _BANDS * _BAND_ROWS + 1, dtype=np.uint64))
    signatures = np.full((len(filled), len(seeds)), np.iinfo(np.uint32).max, np.uint32)
    for place, seed in enumerate(seeds.tolist()):
        if len(starts):
            values = hashes * np.uint32(seed & 0xFFFFFFFF | 1) + np.uint32(seed >> 32)
            signatures[filled, place] = np.minimum.reduceat(values, starts)
    return signatures


def _near_labels(corpus: _Corpus) -> I64:
    """Group of each content (int64): the least number among the contents that verified pairs tie to it."""
    sizes = corpus.sets.sizes
    labels = np.arange(len(sizes))
    tried = np.zeros(0, np.int64)
    for band in range(_BANDS):
        minima = corpus.signatures[:, band * _BAND_ROWS : (band + 1) * _BAND_ROWS]
        for pairs in _candidates(minima, sizes > 0):
            low, high = pairs // len(sizes), pairs % len(sizes)
            near = labels[low] != labels[high]
            near &= np.minimum(sizes[low], sizes[high]) >= SIMILARITY * np.maximum(sizes[low], sizes[high])
            pairs = pairs[near]
            pairs = pairs[~np.isin(pairs, tried)]
            pairs = pairs[_shared_minima(corpus.signatures, pairs // len(sizes), pairs % len(sizes)) >= _MIN_SHARED]
            tried = np.append(tried, pairs)
            low, high = pairs // len(sizes), pairs % len(sizes)
            alike = _jaccard(corpus.sets, low, high) >= SIMILARITY
            labels = _connect(labels, low[alike], high[alike])
    return labels


def _candidates(signatures: U32, taking_part: Bools) -> Iterator[I64]:
    """Pairs of contents that agree in a band, as low × contents + high: first each with its bucket's first member.

    Most pairs of the later arrays are tied by then and need no exact look: it halved the shingles looked up.
    """
    contents = np.flatnonzero(taking_part)
    keys = np.zeros(len(contents), np.uint64)
    for place in range(signatures.shape[1]):
        keys = mix64(keys * _CHAIN + signatures[contents, place])
    order = np.argsort(keys, kind="stable")
    keys, members = keys[order], contents[order]
    at = np.arange(len(keys))
    starts = np.maximum.accumulate(np.where(np.append(True, keys[1:] != keys[:-1])[: len(keys)], at, 0))
    for leader in range(_LEADERS):
        later = np.flatnonzero(at - starts > leader)
        yield members[starts[later] + leader] * len(signatures) + members[later]
    later = np.flatnonzero(at - starts > _LEADERS)
    yield members[later - 1] * len(signatures) + members[later]


def _shared_minima(signatures: U32, low: I64, high: I64) -> I64:
    shared = np.zeros(len(low), np.int64)
    for start in range(0, len(low), _VERIFIED_AT_ONCE):
        part = slice(start, start + _VERIFIED_AT_ONCE)
        shared[part] = np.count_nonzero(signatures[low[part]] == signatures[high[part]], axis=1)
    return shared


def _jaccard(sets: _Sets, left: I64, right: I64) -> npt.NDArray[np.float64]:
    """Exact Jaccard similarity of the pairs (left[i], right[i]) of sets, float64; 1 for two empty sets."""
    sizes = sets.sizes
    swap = sizes[left] > sizes[right]
    small, large = np.where(swap, right, left), np.where(swap, left, right)
    common = np.zeros(len(left), np.int64)
    work = np.cumsum(sizes[small])
    start = 0
    while start < len(small):
        done = int(work[start - 1]) if start else 0
        stop = max(start + 1, int(np.searchsorted(work, done + _VERIFIED_AT_ONCE, side="right")))
        common[start:stop] = _common(sets, small[start:stop], large[start:stop])
        start = stop
    union = sizes[left] + sizes[right] - common
    return np.where(union > 0, common / np.maximum(union, 1), 1.0)


def _common(sets: _Sets, small: I64, large: I64) -> I64:
    """How many members of each small set the large one holds: one binary search for all of them at once."""
    counts = sets.sizes[small]
    pair = np.repeat(np.arange(len(small)), counts)
    needles = sets.hashes[np.repeat(sets.starts[small] - (np.cumsum(counts) - counts), counts) + np.arange(len(pair))]
    low = sets.starts[large][pair]
    end = low + sets.sizes[large][pair]
    high = end.copy()
    for _ in range(int((end - low).max(initial=0)).bit_length()):
        middle = (low + high) // 2
        before = (low < high) & (sets.hashes[np.minimum(middle, end - 1)] < needles)
        low, high = np.where(before, middle + 1, low), np.where(before, high, middle)
    found = (low < end) & (sets.hashes[np.minimum(low, end - 1)] == needles)
    return np.bincount(pair[found], minlength=len(small))


def _connect(labels: I64, low: I64, high: I64) -> I64:
    """Labels after tying the pairs together: everything connected gets the least label (union-find by halving)."""
    labels = labels.copy()
    while True:
        ones, others = labels[low], labels[high]
        apart = ones != others
        if not apart.any():
            return labels
        low, high = low[apart], high[apart]
        least = np.minimum(ones[apart], others[apart])
        np.minimum.at(labels, np.maximum(ones[apart], others[apart]), least)
        while np.any(labels[labels] != labels):
            labels = labels[labels]


class _Group(NamedTuple):
    kind: str
    members: I64  # places of rows, ascending


def _groups(corpus: _Corpus, kind: str, labels: I64) -> Iterator[_Group]:
    """Groups of rows with equal labels: at least two rows, and at least two contents unless content is the label."""
    order = np.argsort(labels, kind="stable")
    starts = np.flatnonzero(np.append(True, labels[order][1:] != labels[order][:-1])[: len(order)])
    stops = np.append(starts[1:], len(order))
    for start, stop in zip(starts[stops - starts > 1].tolist(), stops[stops - starts > 1].tolist(), strict=True):
        members = order[start:stop]
        contents = corpus.content[members]
        if kind == "content" or np.any(contents != contents[0]):
            yield _Group(kind, members)


def _table(corpus: _Corpus, groups: list[_Group]) -> pa.Table:
    import pyarrow as pa

    first = np.concatenate(
        [np.zeros(0, np.int64), *(np.full(len(group.members), group.members[0]) for group in groups)]
    )
    member = np.concatenate([np.zeros(0, np.int64), *(group.members for group in groups)])
    similarity = _jaccard(corpus.sets, corpus.content[first], corpus.content[member])
    records = []
    at = 0
    for group in groups:
        row_ids = corpus.row_ids[group.members].tolist()
        codes, counts = np.unique(corpus.chunk[group.members], return_counts=True)
        ranked = codes[np.argsort(-counts, kind="stable")]  # codes ascend with the chunk's name, so ties do
        records.append(
            {
                "group_id": signed_hash(group.kind, *row_ids),
                "kind": group.kind,
                "rows": len(row_ids),
                "chunk_count": len(codes),
                "chunks": [corpus.chunks[code] for code in ranked.tolist()],
                "similarity": float(similarity[at : at + len(row_ids)].min()),
                "row_ids": row_ids,
            }
        )
        at += len(row_ids)
    records.sort(key=lambda record: (-record["rows"], record["group_id"]))
    return pa.Table.from_pylist(records, TABLES["corpus.duplicates"].arrow_schema)
