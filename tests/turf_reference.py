"""TURF once more, slow and obvious: sets and loops over rows, sentences and clusters. What `sql/turf/` is held against.

Nothing here reads `clusters.postings` or shares code with the models. Counts, expectation, lift and score are written
in the order in which the catalog defines them, so that equal means equal to the last bit; what ranks triggers is made
of bounds that a textbook writes otherwise, and is equal to twelve digits.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from chunky.warehouse import Warehouse

GRID = 2.0**24  # scores are dot products over components that are multiples of 2⁻²⁴, rounded once to float32


@dataclass(frozen=True)
class Mix:
    """A mix as TURF sees it: chunk of each row, rows of each sentence by side, cluster of each sentence."""

    chunks: Mapping[int, str]
    rows: Mapping[str, Mapping[int, frozenset[int]]]
    cluster_of: Mapping[int, int]

    @classmethod
    def of(cls, lake: Warehouse) -> Mix:
        """The mix in a lake, from `corpus.rows`, `attributes.row_attributes` and `clusters.assignments` alone."""
        chunks = dict(_read(lake, "corpus.rows", "row_id", "chunk"))
        held: dict[str, dict[int, set[int]]] = {"query": {}, "response": {}}
        for row_id, side, attribute in _read(lake, "attributes.row_attributes", "row_id", "side", "attribute_id"):
            held[side].setdefault(attribute, set()).add(row_id)
        frozen = {side: {one: frozenset(rows) for one, rows in of.items()} for side, of in held.items()}
        return cls(chunks, frozen, dict(_read(lake, "clusters.assignments", "attribute_id", "cluster_id")))

    def rows_of_cluster(self, cluster_id: int, side: str = "query") -> set[int]:
        """Rows that have some sentence of the cluster."""
        return {
            row for one, rows in self.rows[side].items() if self.cluster_of.get(one) == cluster_id for row in rows
        }  # fmt: skip


def _read(lake: Warehouse, name: str, *columns: str) -> list[tuple]:
    frames = [pl.read_parquet(path, columns=list(columns), hive_partitioning=False) for path in lake.files(name)]
    return [row for frame in frames for row in frame.select(columns).iter_rows()]


def similarities(
    ids: Sequence[int], vectors: npt.NDArray[np.floating], crux: npt.NDArray[np.floating], floor: float
) -> dict[int, float]:
    """Sentence → exact cosine with the crux, for those at `floor` or above; `vectors` (n, d) in the order of `ids`."""
    exact, wanted = (np.rint(each.astype(np.float64) * GRID) / GRID for each in (vectors, crux))
    found = {}
    for one, vector in zip(ids, exact, strict=True):
        score = float(np.float32(math.fsum(vector * wanted)))
        if score >= floor:
            found[one] = score
    return found


# neighbors (equation 3) -----------------------------------------------------------------------------------------------


class Neighbor(NamedTuple):
    """One neighbor of a crux: rank from 1, row, its nearest sentence (the lowest id among equals), how near it is."""

    rank: int
    row_id: int
    attribute_id: int
    similarity: float


def neighbors(mix: Mix, near: Mapping[int, float], k: int) -> list[Neighbor]:
    """The k nearest rows, by their best sentence, then row_id. `near`: response sentence → similarity."""
    best: dict[int, tuple[float, int]] = {}
    for one, similarity in near.items():
        for row in mix.rows["response"].get(one, ()):
            best[row] = min(best.get(row, (math.inf, 0)), (-similarity, one))
    ordered = sorted((minus, row, one) for row, (minus, one) in best.items())[:k]
    return [Neighbor(rank, row, one, -minus) for rank, (minus, row, one) in enumerate(ordered, 1)]


def pair_neighbors(mix: Mix, near: Mapping[int, float], k: int) -> list[Neighbor]:
    """The k nearest pairs of row and sentence: the paper's reading, in which a row may come more than once."""
    pairs = [(-similarity, row, one) for one, similarity in near.items() for row in mix.rows["response"].get(one, ())]
    return [Neighbor(rank, row, one, -minus) for rank, (minus, row, one) in enumerate(sorted(pairs)[:k], 1)]


class Size(NamedTuple):
    """How many neighbors a crux has, rows tied with the last of them, and rows as near as it, beyond k too."""

    neighbors: int
    tied_rows: int
    crux_rows: int
    min_similarity: float


def size(mix: Mix, near: Mapping[int, float], found: Sequence[Neighbor]) -> Size:
    """`turf.cruxes` of one crux; `found` are its neighbors, at least one."""
    last = min(each.similarity for each in found)
    every = neighbors(mix, near, len(mix.chunks))
    return Size(
        len(found),
        sum(each.similarity == last for each in every),
        sum(each.similarity >= last for each in every),
        last,
    )


# hits (equation 4) ----------------------------------------------------------------------------------------------------


class Hits(NamedTuple):
    """A query cluster among the neighbors of a crux, in the columns of `turf.cluster_hits`."""

    hits: int
    pair_hits: int
    inside_hits: int
    inside_rows: int
    neighbors: int
    cluster_rows: int
    expected: float
    lift: float
    trigger_score: float


def hits(mix: Mix, found: Sequence[Neighbor], cluster_id: int) -> Hits:
    """How often the cluster occurs among the neighbors: distinct rows, and each as often as it stands there.

    `inside` are the two chunks with most of the hits, ties by name.
    """
    carriers, times, mix_rows = mix.rows_of_cluster(cluster_id), Counter(each.row_id for each in found), len(mix.chunks)
    count, pairs = 0, 0
    by_chunk: Counter[str] = Counter()
    for row, often in times.items():
        if row in carriers:
            count, pairs = count + 1, pairs + often
            by_chunk[mix.chunks[row]] += 1
    inside = sorted(by_chunk, key=lambda chunk: (-by_chunk[chunk], chunk))[:2]
    inside_rows = sum(mix.chunks[row] in inside for row in carriers)
    expected = len(times) * len(carriers) / mix_rows
    spread = expected * (1 - len(carriers) / mix_rows) * (1 - len(times) / mix_rows) + 1
    score = (count - expected) / math.sqrt(spread)
    return Hits(
        count,
        pairs,
        sum(by_chunk[chunk] for chunk in inside),
        inside_rows,
        len(times),
        len(carriers),
        expected,
        count / expected if expected else 0.0,
        score,
    )


# triggers (equations 5 and 6) -----------------------------------------------------------------------------------------


class Crux(NamedTuple):
    """A candidate crux of a failure, its neighbors and how many rows of the mix are as near.

    `top_relevance` is the relevance that weights are a share of; `echoes`: rank of a query attribute → cosine with it.
    """

    crux_id: int
    weight: float
    top_relevance: float
    crux_rows: int
    found: Sequence[Neighbor]
    echoes: Mapping[int, float]


class Gates(NamedTuple):
    """What a trigger has to pass, and how triggers are ranked: `score`, `hits` or `pairs`."""

    ranking: str
    min_hits: int
    min_lift: float
    max_cluster_share: float
    max_crux_share: float
    max_null_share: float
    min_score: float
    most_triggers: int


class Trigger(NamedTuple):
    """One trigger: its crux and attribute, cluster, counts, share of the null that does as well, what ranks it."""

    crux_id: int
    attribute_rank: int
    attribute: str
    cluster_id: int
    counted: Hits
    null_share: float
    told: Told


class Told(NamedTuple):
    """What the rank of a trigger is made of, in the columns of `turf.triggers`."""

    echo: float
    association: float
    chance_association: float
    exclusivity: float
    trace_score: float


def null_share(null: Mapping[int, Mapping[int, float]], cluster_id: int, score: float) -> float:
    """Share of the neighborhoods in which the cluster scores as high, one added on both sides.

    `null`: neighborhood → cluster → trigger_score; a cluster without a hit there has none.
    """
    return (1 + sum(of.get(cluster_id, -math.inf) >= score for of in null.values())) / (1 + len(null))


def triggers(
    mix: Mix,
    attributes: Sequence[tuple[int, str, int]],
    cruxes: Sequence[Crux],
    null: Mapping[int, Mapping[int, float]],
    gates: Gates,
) -> list[Trigger]:
    """The triggers of one failure, best first; `attributes`: rank, sentence and cluster of its query attributes."""
    options = []
    for crux in cruxes:
        for rank, attribute, cluster in attributes:
            counted = hits(mix, crux.found, cluster)
            if not counted.hits:
                continue
            told = _told(crux, counted, rank, chance_score(null, cluster), len(mix.chunks))
            if gates.ranking != "score":
                told = told._replace(trace_score=counted.hits if gates.ranking == "hits" else counted.pair_hits)
            share = null_share(null, cluster, counted.trigger_score)
            option = Trigger(crux.crux_id, rank, attribute, cluster, counted, share, told)
            if _passes(option, crux, len(mix.chunks), gates):
                options.append(option)
    best: dict[int, Trigger] = {}
    for option in sorted(options, key=lambda each: (-each.told.trace_score, each.attribute_rank, each.crux_id)):
        best.setdefault(option.cluster_id, option)
    order = sorted(
        best.values(),
        key=lambda each: (-each.told.trace_score, -each.counted.cluster_rows, each.attribute_rank, each.cluster_id),
    )
    return order[: gates.most_triggers]


def chance_score(null: Mapping[int, Mapping[int, float]], cluster_id: int) -> float:
    """The trigger_score that one random neighborhood in twenty reaches with the cluster, at least 0."""
    place = max(1, 5 * len(null) // 100)
    scores = sorted((of[cluster_id] for of in null.values() if cluster_id in of), reverse=True)
    return max(0.0, scores[place - 1]) if len(scores) >= place else 0.0


def _told(crux: Crux, counted: Hits, rank: int, chance: float, mix_rows: int) -> Told:
    cluster_rows, crux_rows = counted.cluster_rows, crux.crux_rows
    likely = min(counted.hits * crux_rows / counted.neighbors, crux_rows, cluster_rows)
    both = cluster_rows * crux_rows / mix_rows  # rows with both, were they independent
    spread = mix_rows * (both * (1 - cluster_rows / mix_rows) * (1 - crux_rows / mix_rows) + 1)
    association = (likely - both) / math.sqrt(spread)
    by_chance = chance / math.sqrt(mix_rows)
    outside = wilson_low(counted.hits - counted.inside_hits, cluster_rows - counted.inside_rows)
    exclusivity = max(0.0, 1 - outside / (counted.inside_hits / counted.inside_rows))
    echo = crux.echoes.get(rank, 0.0)
    relevance = max(0.0, crux.weight - 0.25 * echo / crux.top_relevance)
    score = association / (1 + 20 * by_chance) * relevance**1.5 * exclusivity**4
    return Told(echo, association, by_chance, exclusivity, score * math.sqrt(wilson_low(likely, cluster_rows)))


def wilson_low(successes: float, trials: int) -> float:
    """Lower 95 % Wilson bound of a rate; 0 without trials."""
    if not trials:
        return 0.0
    z = 1.959963984540054
    rate = successes / trials
    center = rate + z * z / (2 * trials)
    margin = z * math.sqrt(rate * (1 - rate) / trials + z * z / (4 * trials * trials))
    return max(0.0, (center - margin) / (1 + z * z / trials))


def _passes(option: Trigger, crux: Crux, mix_rows: int, gates: Gates) -> bool:
    counted = option.counted
    return (
        counted.hits >= gates.min_hits
        and counted.lift >= gates.min_lift
        and counted.cluster_rows <= gates.max_cluster_share * mix_rows
        and crux.crux_rows <= gates.max_crux_share * mix_rows
        and option.null_share <= gates.max_null_share
        and option.told.trace_score > gates.min_score
    )


# what a trigger rests on ----------------------------------------------------------------------------------------------


class Extent(NamedTuple):
    """Rows of the whole mix with the trigger that answer as the crux says, by chunk, most first."""

    both_rows: int
    chunks: list[str]
    chunk_counts: list[int]


def extent(mix: Mix, near: Mapping[int, float], found: Sequence[Neighbor], cluster_id: int) -> Extent:
    """All rows of the cluster that are as near to the crux as its last neighbor, beyond k too."""
    last = min(each.similarity for each in found)
    alike = {row for one, s in near.items() if s >= last for row in mix.rows["response"].get(one, ())}
    both = mix.rows_of_cluster(cluster_id) & alike
    counts = sorted(Counter(mix.chunks[row] for row in both).items(), key=lambda item: (-item[1], item[0]))
    return Extent(len(both), [chunk for chunk, _ in counts], [count for _, count in counts])


def evidence(mix: Mix, found: Sequence[Neighbor], cluster_id: int, most: int) -> list[tuple[int, float]]:
    """(row_id, similarity) of the neighbors that carry the trigger, in their order."""
    carriers = mix.rows_of_cluster(cluster_id)
    return [(each.row_id, each.similarity) for each in found if each.row_id in carriers][:most]
