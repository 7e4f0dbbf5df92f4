"""Random mixes of a few dozen rows with sentences, clusters, cruxes and failures, full of ties; and SQL run on them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from chunky import pipeline
from chunky.files import sql_text
from chunky.lens import Lens
from chunky.pipeline.trace_sentences import NEAR
from chunky.pipeline.tracing import remember
from chunky.settings import Settings
from chunky.warehouse import Warehouse
from tests import turf_reference as reference
from tests.small_lake import write

CHUNKS = ("a", "b", "B | [x], y", "ä")
SIMILARITIES = (0.5, 0.625, 0.75, 1.0)  # few, so that many rows are equally near
WEIGHTS = (0.0625, 0.25, 0.25, 1.0)
ECHOES = (-0.25, 0.0, 0.25, 0.875)


@dataclass(frozen=True)
class World:
    """A mix and what is traced in it: near sentences of each crux, query attributes and cruxes of each failure."""

    mix: reference.Mix
    near: Mapping[int, Mapping[int, float]]
    attributes: Mapping[int, list[tuple[int, str, int]]]  # failure → rank, sentence, cluster
    weights: Mapping[int, Mapping[int, float]]  # failure → crux → weight
    top_relevance: Mapping[int, float]  # failure → relevance that its weights are a share of
    echoes: Mapping[int, Mapping[int, Mapping[int, float]]]  # failure → crux → rank of a query attribute → cosine
    k: int
    said: Mapping[int, str]  # sentences that responses open or end with → which; their rows are in mix.rows["response"]
    null: Mapping[int, Mapping[int, float]] = field(default_factory=dict)

    @property
    def clusters(self) -> list[int]:
        """Query clusters that the failures ask for."""
        return sorted({cluster for told in self.attributes.values() for _, _, cluster in told})

    def summaries(self) -> dict[int, set[int]]:
        """Query cluster → its rows."""
        mine = {self.mix.cluster_of[one] for one in self.mix.rows["query"]}
        return {cluster: self.mix.rows_of_cluster(cluster) for cluster in mine}


def ids(rng: np.random.Generator, count: int) -> list[int]:
    """Distinct signed 64-bit ids, as hashes are."""
    found: set[int] = set()
    while len(found) < count:
        found.add(int(rng.integers(-(2**63) + 1, 2**63 - 1)))
    return list(found)


def draw(seed: int) -> World:
    """World number `seed`."""
    rng = np.random.default_rng(seed)
    rows = ids(rng, int(rng.integers(6, 50)))
    chunks = {row: CHUNKS[int(rng.integers(0, int(rng.integers(1, 5))))] for row in rows}
    held: dict[str, dict[int, frozenset[int]]] = {}
    cluster_of: dict[int, int] = {}
    for side in ("query", "response"):
        sentences = ids(rng, int(rng.integers(2, 12)))
        held[side] = {one: _some(rng, rows, rng.choice([0.05, 0.3, 0.7])) for one in sentences}
        centers = sentences[: int(rng.integers(1, len(sentences) + 1))]
        for place, one in enumerate(sentences):
            cluster_of[one] = one if place < len(centers) else centers[int(rng.integers(0, len(centers)))]
    near = {}
    for crux in ids(rng, int(rng.integers(1, 6))):
        count = int(rng.choice([1, 1, 2, 5, 12]))
        picked = rng.permutation(list(held["response"]))[:count]
        near[crux] = {int(one): float(rng.choice(SIMILARITIES)) for one in picked}
    k = int(rng.choice([1, 2, 3, 5, 8, 100]))
    null = _null(reference.Mix(chunks, held, cluster_of), k)
    said: dict[int, str] = {}
    spoken: dict[int, frozenset[int]] = {}
    for part in ("opening", "closing"):
        sentences = ids(rng, int(rng.integers(1, 5)))
        of_row = {row: int(rng.choice([0, *sentences])) for row in rows}  # a response opens with one sentence, or none
        told = {one: frozenset(row for row in rows if of_row[row] == one) for one in sentences}
        spoken |= (told := {one: rows_of for one, rows_of in told.items() if rows_of})
        said |= dict.fromkeys(told, part)
        if told and rng.random() < 0.7:
            (crux,) = ids(rng, 1)
            picked = rng.permutation(list(told))[: int(rng.integers(1, 4))]
            near[crux] = {int(one): float(rng.choice(SIMILARITIES)) for one in picked}
    mix = reference.Mix(chunks, {**held, "response": {**held["response"], **spoken}}, cluster_of)
    attributes, weights, top_relevance, echoes = {}, {}, {}, {}
    for failure in ids(rng, int(rng.integers(1, 5))):
        asked = rng.permutation(list(held["query"]))[: int(rng.integers(1, 8))]
        attributes[failure] = [(rank, f"q{one}", cluster_of[int(one)]) for rank, one in enumerate(asked, 1)]
        weights[failure] = {crux: float(rng.choice(WEIGHTS)) for crux in near if rng.random() < 0.8}
        top_relevance[failure] = float(rng.choice([0.25, 0.5]))
        echoes[failure] = {  # some sentences have no vector
            crux: {rank: float(rng.choice(ECHOES)) for rank, _, _ in attributes[failure] if rng.random() < 0.8}
            for crux in weights[failure]
        }
    return World(mix, near, attributes, weights, top_relevance, echoes, k, said, null)


def _some(rng: np.random.Generator, rows: list[int], share: float) -> frozenset[int]:
    picked = [row for row in rows if rng.random() < share]
    return frozenset(picked or [rows[int(rng.integers(0, len(rows)))]])  # a sentence is one that some row has


def _null(mix: reference.Mix, k: int) -> dict[int, dict[int, float]]:
    """Neighborhoods of the very sentences of the mix, so that triggers tie with it."""
    clusters = {mix.cluster_of[one] for one in mix.rows["query"]}
    null = {}
    for number, one in enumerate(sorted(mix.rows["response"])):
        found = reference.neighbors(mix, {one: 1.0}, k)
        counted = {cluster: reference.hits(mix, found, cluster) for cluster in clusters}
        if told := {cluster: each.trigger_score for cluster, each in counted.items() if each.hits}:
            null[number] = told
    return null


def write_world(lake: Warehouse, world: World) -> Warehouse:
    """Write the tables that the models read; postings by their own step."""
    for chunk in sorted(set(world.mix.chunks.values())):
        mine = [row for row, of in world.mix.chunks.items() if of == chunk]
        write(lake, "corpus.rows", [_row(row, chunk) for row in mine], (chunk, "f"))
        held = [
            {"chunk": chunk, "row_id": row, "side": side, "attribute_id": one}
            for side, sentences in world.mix.rows.items()
            for one, rows in sentences.items()
            for row in mine
            if row in rows and one not in world.said
        ]
        numbered = [told | {"attribute_rank": number} for number, told in enumerate(held, 1)]
        if numbered:
            write(lake, "attributes.row_attributes", numbered, (chunk,))
    spoken = [
        {"sentence_id": one, "row_id": row, "text_part": part}
        for one, part in world.said.items()
        for row in world.mix.rows["response"][one]
    ]
    if spoken:
        write(lake, "embeddings.row_sentences", spoken)
    side_of = {one: side for side, sentences in world.mix.rows.items() for one in sentences}
    assigned = [
        {"attribute_id": one, "cluster_id": cluster, "side": side_of[one]}
        for one, cluster in world.mix.cluster_of.items()
    ]
    write(lake, "clusters.assignments", assigned)
    summaries = [
        {"cluster_id": cluster, "side": "query", "rows": len(rows), "attributes": 1}
        for cluster, rows in world.summaries().items()
    ]
    write(lake, "clusters.summaries", summaries)
    null = [
        {"crux_id": crux, "cluster_id": cluster, "trigger_score": score}
        for crux, told in world.null.items()
        for cluster, score in told.items()
    ]
    write(lake, "turf.null_hits", null)
    pipeline.STEPS["postings"](lake, Settings(), pipeline.silent)
    return lake


def _row(row_id: int, chunk: str) -> dict[str, Any]:
    same = {"conversation_id": f"c{row_id}", "turn": 1, "turns": 1, "query": "q", "response": "r", "file": "f"}
    return same | {
        "row_id": row_id, "content_id": row_id, "chunk": chunk, "query_chars": 1, "response_chars": 1,
        "record_number": 1,
    }  # fmt: skip


# the models -----------------------------------------------------------------------------------------------------------


def near_sentences(world: World) -> pa.Table:
    """`near_sentences`, which the models read: the sentences near to each crux and how many rows have each."""
    told = [
        (crux, world.mix.cluster_of[one], one, similarity, len(world.mix.rows["response"][one]))
        for crux, near in world.near.items()
        for one, similarity in near.items()
        if one not in world.said
    ]
    columns = {"crux_id": pl.Int64, "cluster_id": pl.Int64, "attribute_id": pl.Int64, "similarity": pl.Float64}
    return pl.DataFrame(told, columns | {"sentence_rows": pl.Int64}, orient="row").to_arrow()


def like_sentences(world: World) -> pl.DataFrame:
    """What `look_up` takes: the sentences like that of each crux which is a sentence of the response."""
    told = [
        (crux, one, similarity)
        for crux, near in world.near.items()
        for one, similarity in near.items()
        if one in world.said
    ]
    return pl.DataFrame(told, NEAR, orient="row")


def query_attributes(world: World) -> pa.Table:
    """`query_attributes`: what the failing queries are like."""
    told = [(failure, *each) for failure, of in world.attributes.items() for each in of]
    columns = {"failure_id": pl.Int64, "attribute_rank": pl.Int32, "attribute": pl.String, "cluster_id": pl.Int64}
    return pl.DataFrame(told, columns, orient="row").to_arrow()


def candidates(world: World, sizes: pl.DataFrame) -> pa.Table:
    """`new_cruxes`: the cruxes of each failure with their weight and size; one without neighbors has size 0."""
    told = [
        (failure, crux, weight, world.top_relevance[failure])
        for failure, of in world.weights.items()
        for crux, weight in of.items()
    ]
    columns = {"failure_id": pl.Int64, "crux_id": pl.Int64, "crux_weight": pl.Float64, "top_relevance": pl.Float64}
    joined = pl.DataFrame(told, columns, orient="row").join(sizes, on="crux_id", how="left")
    return joined.with_columns(pl.col("neighbors", "tied_rows", "crux_rows").fill_null(0)).to_arrow()


def echoes(world: World) -> pa.Table:
    """`echoes`: how near query attributes and cruxes of a failure are."""
    told = [
        (failure, crux, rank, echo)
        for failure, cruxes in world.echoes.items()
        for crux, ranks in cruxes.items()
        for rank, echo in ranks.items()
    ]
    columns = {"failure_id": pl.Int64, "crux_id": pl.Int64, "attribute_rank": pl.Int32, "echo": pl.Float64}
    return pl.DataFrame(told, columns, orient="row").to_arrow()


@contextmanager
def seen(lens: Lens, **frames: Any) -> Iterator[None]:
    """Frames under the names by which the models know them."""
    with lens.registered(
        **{name: frame.to_arrow() if isinstance(frame, pl.DataFrame) else frame for name, frame in frames.items()}
    ):
        yield


def run(lens: Lens, name: str, **parameters: Any) -> pl.DataFrame:
    """The SQL model of a table, as a frame."""
    remember(lens)
    lens.set(parameters)
    frame = pl.from_arrow(lens.table(sql_text(name)))
    assert isinstance(frame, pl.DataFrame)
    return frame
