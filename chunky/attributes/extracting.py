"""Extraction: from the texts of a mix to its attributes, ranked for every row; and from one new pair to its own."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from chunky.attributes.fitted import Fitted, Vocabulary, built_in
from chunky.attributes.membership import Held, Texts, groups, held, joined
from chunky.attributes.topics import Topics, WordVectors, fit
from chunky.attributes.weighing import CAP, order, strongest, synonyms
from chunky.attributes.words import vocabulary
from chunky.errors import InputError
from chunky.features import Feature, Prepared, mine_phrases
from chunky.tables import SIDES

if TYPE_CHECKING:
    from scipy.sparse import csr_array

F64 = npt.NDArray[np.float64]
I64 = npt.NDArray[np.int64]
Progress = Callable[[str, float, float | None], None]

_SYNONYM_DISCOUNT = 0.25  # a synonym says nothing that its leader, ranked before it in the same rows, has not said
_OUTPUT_ROWS = 16_384  # corpus rows a table: a million attributes
_FEWEST_TOPICS = 20
_ECHO_WORD = re.compile(r"[^\W\d_]{4,}")


@dataclass(frozen=True)
class Limits:
    """Bounds of an extraction; see the settings section `attributes` for what each means."""

    mined_min_rows: int = 20
    mined_per_chunk: int = 10
    mined_min_share: float = 0.25
    word_min_rows: int = 8
    sample_rows: int = 30_000
    topics: int = 500
    seed: int = 0

    @property
    def sizes(self) -> dict[str, tuple[int, ...]]:
        """View of a text → numbers of topics to look for: `topics`, its half, …, down to 20; sentences get fewer."""
        whole = tuple(self.topics >> step for step in range(5) if step == 0 or self.topics >> step >= _FEWEST_TOPICS)
        fewer = tuple(dict.fromkeys((max(2, self.topics // 4), max(2, self.topics // 12))))
        return {"whole": whole, "opening": fewer, "closing": fewer}


class Part(NamedTuple):
    """The attributes of one chunk: tables of chunk, row_id, side, attribute_rank (int32, from 1), attribute_id."""

    chunk: str
    tables: Iterator[pa.Table]


@dataclass(frozen=True)
class Extracted:
    """All attributes of a mix: the fitted vocabulary, and which attributes each row has.

    `row_ids` int64, `chunks` and `held` (query side, response side) stand in the order in which the texts came.
    """

    fitted: Fitted
    row_ids: I64
    chunks: pl.Series
    held: tuple[Held, Held]

    @property
    def texts(self) -> pl.DataFrame:
        """One row for each sentence that some row has: the table `texts` of the fitted vocabulary, by attribute_id."""
        return pl.DataFrame(self.fitted.tables()["texts"]).sort("attribute_id")

    def row_attributes(self) -> Iterator[Part]:
        """Chunk by chunk in order of name, each row's attributes by row_id, side and rank."""
        ranks = [
            (side.side, side.places, side.ids, mine) for side, mine in zip(self.fitted.sides, self.held, strict=True)
        ]
        by_chunk = pl.DataFrame({"chunk": self.chunks, "place": np.arange(len(self.chunks))})
        for (chunk,), part in sorted(by_chunk.group_by("chunk"), key=lambda item: str(item[0][0])):
            places = part["place"].to_numpy()
            places = places[np.argsort(self.row_ids[places])]
            yield Part(str(chunk), self._tables(str(chunk), places, ranks))

    def _tables(self, chunk: str, places: I64, ranks: Sequence[tuple[str, I64, I64, Held]]) -> Iterator[pa.Table]:
        for start in range(0, len(places), _OUTPUT_ROWS):
            rows = places[start : start + _OUTPUT_ROWS]
            parts = [_ranked(mine, rows, order_of) for _, order_of, _, mine in ranks]
            local = np.concatenate([part.rows for part in parts])
            sides = np.repeat(np.arange(len(parts)), [len(part.rows) for part in parts])
            by_row = np.argsort(local * len(parts) + sides, kind="stable")
            ids = np.concatenate([of[2][part.numbers] for of, part in zip(ranks, parts, strict=True)])
            names = pa.array([of[0] for of in ranks], pa.string())
            columns: dict[str, Any] = {
                "chunk": pa.repeat(chunk, len(local)),
                "row_id": pa.array(self.row_ids[rows][local[by_row]]),
                "side": names.take(pa.array(sides[by_row], pa.int64())),
                "attribute_rank": pa.array(np.concatenate([part.ranks for part in parts])[by_row]),
                "attribute_id": pa.array(ids[by_row]),
            }
            yield pa.table(columns)


class _Ranked(NamedTuple):
    """Entries of some rows by rank: place of the row, attribute number, int64; rank int32 from 1."""

    rows: I64
    numbers: I64
    ranks: npt.NDArray[np.int32]


def _ranked(mine: Held, rows: I64, places: I64) -> _Ranked:
    starts, lengths = mine.offsets[rows], np.diff(mine.offsets)[rows]
    local = np.repeat(np.arange(len(rows)), lengths)
    before = np.cumsum(lengths) - lengths
    numbers = mine.numbers[np.arange(len(local)) + np.repeat(starts - before, lengths)].astype(np.int64)
    by_rank = np.argsort(local << 32 | places[numbers])
    ranks = np.arange(1, len(local) + 1) - np.repeat(before, lengths)
    return _Ranked(local, numbers[by_rank], ranks.astype(np.int32))


def _silent(what: str, done: float, of: float | None) -> None:
    """Progress that nobody watches."""


def extract(
    texts: Texts,
    phrases: pl.DataFrame,
    *,
    mix_rows: int,
    limits: Limits | None = None,
    word_vectors: WordVectors | None = None,
    progress: Progress = _silent,
) -> Extracted:
    """Find every attribute of every row, and rank them by what they tell about the other side of the row.

    Args:
        texts: gives tables with row_id (int64), chunk, query, response, no nulls; called twice, same rows each time.
        phrases: rows of `keywords.phrases`, with the columns of `keywords.shared_phrases`.
        mix_rows: number of rows that `texts` gives.
        limits: bounds; the defaults where none are given.
        word_vectors: vectors of words for topics (any language, any model); from the mix itself where None.
        progress: told what is done, how much, and of how much.

    Memory: the entries (4 bytes each, some 80 a row), twice while they are weighed, and a sample of the texts.

    Raises:
        InputError: `texts` gives another number of rows than `mix_rows`.

    """
    bounds = limits or Limits()
    mined = mine_phrases(
        phrases, mix_rows=mix_rows, min_rows=bounds.mined_min_rows, per_chunk=bounds.mined_per_chunk,
        min_share=bounds.mined_min_share,
    )  # fmt: skip
    features = [(*built_in(side), *(each for each in mined if each.side == side)) for side in SIDES]
    sample = _sample(texts, mix_rows, bounds.sample_rows)
    progress("topics", 0, 1)
    words = [vocabulary(phrases, side, mix_rows=mix_rows, min_rows=bounds.word_min_rows) for side in SIDES]
    del phrases  # hundreds of megabytes that the pass over the mix does without
    topics = fit(sample, words, bounds.sizes, seed=bounds.seed, word_vectors=word_vectors)
    progress("topics", 1, 1)
    del sample
    return _hold(texts, features, topics, mix_rows, progress)


def _sample(texts: Texts, mix_rows: int, wanted: int) -> pl.DataFrame:
    """Query and response of every n-th row: the stream goes chunk by chunk, so every chunk gives its share."""
    step, seen, parts = max(1, -(-mix_rows // wanted)), 0, []
    for batch in texts():
        parts.append(batch.select(list(SIDES)).take(np.arange(-seen % step, batch.num_rows, step)))
        seen += batch.num_rows
    if seen != mix_rows:
        raise InputError(f"the texts are {seen:,} rows, not {mix_rows:,}", "give all rows of the mix at every call")
    blank = pl.DataFrame(schema=dict.fromkeys(SIDES, pl.String))
    return pl.DataFrame(pa.concat_tables(parts)).cast(pl.String) if parts else blank


def _hold(
    texts: Texts, features: Sequence[tuple[Feature, ...]], topics: Sequence[Topics], mix_rows: int, progress: Progress
) -> Extracted:
    """The second pass over the texts: which attributes each row has; then their weights."""
    row_ids, chunks, contents, parts = [], [], [], []
    done, prepared = 0, Prepared([feature for part in features for feature in part])
    for group in groups(texts()):
        parts.append(held(group, features, topics, prepared))
        row_ids.append(group["row_id"].to_numpy())
        frame = pl.DataFrame(group.select(["chunk", *SIDES]))
        chunks.append(frame["chunk"].cast(pl.String))
        contents.append(frame.select(pl.struct(*SIDES).hash())[SIDES[0]].to_numpy())
        done += group.num_rows
        progress("attributes", done, mix_rows)
    query, response = (joined([part[side] for part in parts]) for side in range(2))
    parts.clear()
    hashes = np.concatenate([np.zeros(0, np.uint64), *contents])
    distinct = np.sort(np.unique(hashes, return_index=True)[1])
    fitted = _weigh(features, topics, (query, response), distinct)
    none = pl.Series("chunk", [], dtype=pl.String)
    return Extracted(
        fitted, np.concatenate([np.zeros(0, np.int64), *row_ids]), pl.concat([none, *chunks]), (query, response)
    )


def _weigh(
    features: Sequence[tuple[Feature, ...]], topics: Sequence[Topics], both: tuple[Held, Held], distinct: I64
) -> Fitted:
    """Vocabularies with rows, weights and synonyms; `distinct`: places of rows that stand for equal contents."""
    sizes = [len(mine) + len(themes.topics) for mine, themes in zip(features, topics, strict=True)]
    matrices = [mine.matrix(size, distinct) for mine, size in zip(both, sizes, strict=True)]
    words = _echo_words(features, topics)
    themes = [np.arange(size) >= len(mine) for size, mine in zip(sizes, features, strict=True)]
    found = []
    for this, other in ((0, 1), (1, 0)):
        gains = strongest(
            matrices[this], matrices[other], words=(words[this], words[other]), themes=(themes[this], themes[other])
        )
        rows = np.bincount(both[this].numbers, minlength=sizes[this]).astype(np.int64)
        plain = Vocabulary(
            SIDES[this], features[this], topics[this], rows, np.minimum(gains, CAP), np.arange(len(rows))
        )
        leaders = synonyms(matrices[this], order(gains, rows, plain.ids))
        weights = np.where(leaders == np.arange(len(leaders)), plain.weights, plain.weights * _SYNONYM_DISCOUNT)
        found.append(Vocabulary(SIDES[this], features[this], topics[this], rows, weights, leaders))
    return Fitted(*found)


def _echo_words(features: Sequence[tuple[Feature, ...]], topics: Sequence[Topics]) -> list[csr_array]:
    """Attributes × words of their texts, a side each, over one list of words; a built-in's word is its name."""
    from scipy.sparse import csr_array

    known: dict[str, int] = {}
    pairs: list[list[tuple[int, int]]] = []
    for mine, themes in zip(features, topics, strict=True):
        words: list[list[str]] = [
            _ECHO_WORD.findall(each.definition) if each.kind == "keyword" else [f"{each.kind} {each.name}"]
            for each in mine
        ]
        words += [list(topic.words) for topic in themes.topics]
        pairs.append(
            [(number, known.setdefault(word, len(known))) for number, found in enumerate(words) for word in set(found)]
        )
    shapes = [(len(mine) + len(themes.topics), len(known)) for mine, themes in zip(features, topics, strict=True)]
    places = [np.array(found, np.int64).reshape(-1, 2).T for found in pairs]
    return [
        csr_array((np.ones(len(rows), np.float32), (rows, columns)), shape=shape)
        for (rows, columns), shape in zip(places, shapes, strict=True)
    ]


def extract_texts(query: str, response: str, fitted: Fitted) -> pl.DataFrame:
    """The attributes of one pair, of the mix or not, by side and rank.

    Columns side, attribute_rank (int32, from 1), attribute_id (int64), attribute, family. For a row of the mix they are
    those that `Extracted.row_attributes` gives it.
    """
    return extract_pairs([query], [response], fitted).drop("pair")


def extract_pairs(queries: Sequence[str], responses: Sequence[str], fitted: Fitted) -> pl.DataFrame:
    """The attributes of many pairs at once, as `extract_texts` gives them, by pair (int64, from 0), side and rank."""
    pairs = pa.table({"query": pa.array(queries, pa.string()), "response": pa.array(responses, pa.string())})
    sides = fitted.sides
    found = held(pairs, [side.features for side in sides], [side.topics for side in sides], fitted.prepared)
    parts = []
    for side, mine in zip(sides, found, strict=True):
        rows, numbers, ranks = _ranked(mine, np.arange(pairs.num_rows), side.places)
        known = pl.DataFrame({"attribute_id": side.ids, "attribute": side.sentences, "family": side.families})
        told = pl.DataFrame({"pair": rows, "attribute_rank": ranks}).with_columns(
            side=pl.lit(side.side), **{name: known[name].gather(numbers) for name in known.columns}
        )
        parts.append(told.select("pair", "side", "attribute_rank", "attribute_id", "attribute", "family"))
    return pl.concat(parts).sort("pair", maintain_order=True)
