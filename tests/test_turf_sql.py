"""The models of `sql/turf/` against the slow reading of the paper's equations, on random mixes full of ties."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl
import pytest

from chunky.indexes.neighbors import Postings, nearest_pairs, nearest_rows
from chunky.lens import Lens
from chunky.pipeline.trace_sentences import look_up
from chunky.warehouse import Warehouse
from tests import turf_reference as reference
from tests.turf_worlds import (
    World,
    candidates,
    draw,
    echoes,
    like_sentences,
    near_sentences,
    query_attributes,
    run,
    seen,
    write_world,
)

WORLDS, QUICK = 60, 24  # most of the time goes into opening their lakes
REWRITTEN = 8  # worlds that are written once more, changed
GATES = (
    reference.Gates("score", 2, 1.0, 0.6, 0.8, 0.7, 0.001, 3),
    reference.Gates("score", 1, 0.0, 1.0, 1.0, 1.0, -9.0, 100),
    reference.Gates("hits", 1, 0.0, 1.0, 1.0, 1.0, 0.0, 5),
    reference.Gates("pairs", 1, 0.5, 0.9, 1.0, 1.0, 0.0, 2),
    reference.Gates("score", 1, 0.0, 1.0, 1.0, 0.34, 0.0, 5),
)
EVIDENCE_ROWS = 4


class Case(NamedTuple):
    """A world, its lake, and the neighbors of its cruxes as pairs and as rows, by the slow reading."""

    world: World
    lens: Lens
    rows: dict[int, list[reference.Neighbor]]
    pairs: dict[int, list[reference.Neighbor]]


@pytest.fixture(
    scope="module", params=[*range(QUICK), *(pytest.param(n, marks=pytest.mark.slow) for n in range(QUICK, WORLDS))]
)
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Case]:
    world = draw(request.param)
    lake = write_world(Warehouse(tmp_path_factory.mktemp("turf") / "lake"), world)
    rows = {crux: reference.neighbors(world.mix, near, world.k) for crux, near in world.near.items()}
    pairs = {crux: reference.pair_neighbors(world.mix, near, world.k) for crux, near in world.near.items()}
    with Lens(lake) as lens:
        look_up(lens, like_sentences(world))
        yield Case(world, lens, rows, pairs)


def frame(world: World, found: Mapping[int, list[reference.Neighbor]]) -> pl.DataFrame:
    """`turf.neighbors` of the slow reading, in the model's order."""
    columns = {"crux_id": pl.Int64, "neighbor_rank": pl.Int32, "row_id": pl.Int64, "near_id": pl.Int64}
    told = [(crux, *each) for crux in sorted(found) for each in found[crux]]
    is_said = pl.col("near_id").is_in(list(world.said))
    return pl.DataFrame(told, columns | {"crux_similarity": pl.Float64}, orient="row").select(
        "crux_id",
        "neighbor_rank",
        "row_id",
        attribute_id=pl.when(~is_said).then("near_id"),
        sentence_id=pl.when(is_said).then("near_id"),
        crux_similarity="crux_similarity",
    )


def chosen(case: Case, gates: reference.Gates) -> dict[int, list[reference.Trigger]]:
    """Triggers of each failure by the slow reading; neighbors as rows."""
    found = {}
    for failure, attributes in case.world.attributes.items():
        cruxes = [
            reference.Crux(
                crux,
                weight,
                case.world.top_relevance[failure],
                sized(case, crux).crux_rows,
                case.rows[crux],
                case.world.echoes[failure][crux],
            )
            for crux, weight in case.world.weights[failure].items()
        ]
        found[failure] = reference.triggers(case.world.mix, attributes, cruxes, case.world.null, gates)
    return found


def tight(case: Case) -> reference.Gates:
    """Gates that lie exactly where an option of the world is."""
    every = [each.counted.lift for told in chosen(case, GATES[1]).values() for each in told]
    return GATES[1]._replace(min_lift=sorted(every)[len(every) // 2] if every else 1.0)


def sized(case: Case, crux: int) -> reference.Size:
    return reference.size(case.world.mix, case.world.near[crux], case.rows[crux])


def from_sql(case: Case, gates: reference.Gates) -> pl.DataFrame:
    """`turf.triggers` by the models, from what the slow reading says of everything before them."""
    world, lens = case.world, case.lens
    with seen(lens, near_sentences=near_sentences(world), new_neighbors=frame(case.world, case.rows)):
        sizes = run(lens, "turf.cruxes")
        with seen(lens, candidate_clusters=pl.DataFrame({"cluster_id": world.clusters})):
            hits = run(lens, "turf.cluster_hits")
        with seen(
            lens,
            query_attributes=query_attributes(world),
            new_cruxes=candidates(world, sizes),
            new_hits=hits,
            echoes=echoes(world),
        ):
            return run(lens, "turf.triggers", **gates._asdict())


# one model after the other --------------------------------------------------------------------------------------------


def test_neighbors(case: Case) -> None:
    with seen(case.lens, near_sentences=near_sentences(case.world)):
        found = run(case.lens, "turf.neighbors", k=case.world.k)
    assert found.rows() == frame(case.world, case.rows).rows()


def test_sizes_of_cruxes(case: Case) -> None:
    with seen(case.lens, near_sentences=near_sentences(case.world), new_neighbors=frame(case.world, case.rows)):
        found = run(case.lens, "turf.cruxes").sort("crux_id")
    wanted = [(crux, *sized(case, crux)) for crux in sorted(case.world.near)]
    assert found.rows() == wanted


@pytest.mark.parametrize("reading", ["rows", "pairs"])
def test_hits_expectation_lift_and_score(case: Case, reading: str) -> None:
    neighbors: dict[int, list[reference.Neighbor]] = getattr(case, reading)
    with seen(
        case.lens,
        new_neighbors=frame(case.world, neighbors),
        candidate_clusters=pl.DataFrame({"cluster_id": case.world.clusters * 2}),  # failures share clusters
    ):
        found = run(case.lens, "turf.cluster_hits")
    wanted = [
        (crux, cluster, *counted)
        for crux in sorted(neighbors)
        for cluster in case.world.clusters
        if (counted := reference.hits(case.world.mix, neighbors[crux], cluster)).hits
    ]
    columns = ("crux_id", "cluster_id", *reference.Hits._fields)
    assert found.select(columns).rows() == wanted


def test_triggers(case: Case) -> None:
    columns = ("failure_id", "trigger_rank", "crux_id", "attribute", "cluster_id", "null_share")
    counts = [name for name in reference.Hits._fields if not name.startswith("inside_")]
    for gates in (*GATES, tight(case)):
        found = from_sql(case, gates)
        wanted = [
            (failure, rank, each)
            for failure, told in sorted(chosen(case, gates).items())
            for rank, each in enumerate(told, 1)
        ]
        assert found.select(columns).rows() == [
            (failure, rank, each.crux_id, each.attribute, each.cluster_id, each.null_share)
            for failure, rank, each in wanted
        ], gates
        assert found.select(counts).rows() == [
            tuple(getattr(each.counted, name) for name in counts) for _, _, each in wanted
        ]
        told = found.select(reference.Told._fields).rows()
        assert told == [pytest.approx(tuple(each.told), rel=1e-12, abs=1e-15) for _, _, each in wanted]


def test_extents_chunks_and_evidence(case: Case) -> None:
    triggers, world = from_sql(case, GATES[1]), case.world
    with seen(
        case.lens,
        near_sentences=near_sentences(world),
        new_neighbors=frame(case.world, case.rows),
        new_triggers=triggers,
    ):
        with seen(case.lens, new_cruxes=candidates(world, run(case.lens, "turf.cruxes"))):
            extents = run(case.lens, "turf.extents")
        evidence = run(case.lens, "turf.evidence", evidence_rows=EVIDENCE_ROWS)
    told = triggers.select("failure_id", "trigger_rank", "crux_id", "cluster_id").rows()
    wanted: list[tuple[Any, ...]] = [
        (failure, rank, *reference.extent(world.mix, world.near[crux], case.rows[crux], cluster))
        for failure, rank, crux, cluster in told
    ]
    assert extents.rows() == wanted
    wanted = [
        (failure, rank, place, *each)
        for failure, rank, crux, cluster in told
        for place, each in enumerate(reference.evidence(world.mix, case.rows[crux], cluster, EVIDENCE_ROWS), 1)
    ]
    assert evidence.rows() == wanted


@pytest.mark.parametrize("reading", ["rows", "pairs"])
def test_neighbors_in_memory_are_those_of_sql(case: Case, reading: str) -> None:
    """`chunky.indexes.neighbors` cuts ties as the model does, and counts as many of them."""
    held = case.world.mix.rows["response"]
    sentences, row_ids = sorted(held), sorted(case.world.mix.chunks)
    place = {row: number for number, row in enumerate(row_ids)}
    offsets = np.cumsum([0, *(len(held[one]) for one in sentences)]).astype(np.int64)
    rows = np.array([place[row] for one in sentences for row in sorted(held[one])], np.int64)
    postings = Postings(offsets, rows, np.array(row_ids, np.int64))
    find = nearest_rows if reading == "rows" else nearest_pairs
    for crux, near in case.world.near.items():
        scores = np.array([near.get(one, np.nan) for one in sentences], np.float32)
        found = find(scores, postings, case.world.k)
        wanted: list[reference.Neighbor] = getattr(case, reading)[crux]
        assert [
            (row_ids[row], sentences[sentence], float(similarity))
            for row, sentence, similarity in zip(found.rows, found.sentences, found.similarities, strict=True)
        ] == [each[1:] for each in wanted]
        if reading == "rows":
            assert found.tied_rows == sized(case, crux).tied_rows


# what holds whatever the mix ------------------------------------------------------------------------------------------


def test_hits_are_neighbors_and_neighbors_are_at_most_k(case: Case) -> None:
    with seen(case.lens, near_sentences=near_sentences(case.world)):
        neighbors = run(case.lens, "turf.neighbors", k=case.world.k)
        with seen(
            case.lens, new_neighbors=neighbors, candidate_clusters=pl.DataFrame({"cluster_id": case.world.clusters})
        ):
            sizes, hits = run(case.lens, "turf.cruxes"), run(case.lens, "turf.cluster_hits")
    assert neighbors.select("crux_id", "row_id").n_unique() == neighbors.height
    assert (sizes["neighbors"] <= case.world.k).all()
    assert (sizes["tied_rows"] <= sizes["crux_rows"]).all()
    assert (sizes["neighbors"] <= sizes["crux_rows"]).all()
    # all that there are, or k of them
    assert ((sizes["neighbors"] == case.world.k) | (sizes["neighbors"] == sizes["crux_rows"])).all()
    assert (hits["hits"] <= hits["neighbors"]).all()
    assert (hits["hits"] <= hits["cluster_rows"]).all()
    assert (hits["hits"] == hits["pair_hits"]).all()  # neighbors are rows: each is there once
    assert (hits["expected"] <= hits["neighbors"]).all()


@pytest.mark.parametrize("case", range(REWRITTEN), indirect=True)
def test_other_names_of_rows_change_nothing_but_ties(case: Case, tmp_path: Path) -> None:
    world = case.world
    names = {row: row ^ 0x5DEECE66D for row in world.mix.chunks}
    renamed = reference.Mix(
        {names[row]: chunk for row, chunk in world.mix.chunks.items()},
        {
            side: {one: frozenset(names[row] for row in rows) for one, rows in sentences.items()}
            for side, sentences in world.mix.rows.items()
        },
        world.mix.cluster_of,
    )
    other = replace(world, mix=renamed)
    with (
        Lens(write_world(Warehouse(tmp_path / "lake"), other)) as lens,
        seen(lens, near_sentences=near_sentences(other)),
    ):
        look_up(lens, like_sentences(other))
        neighbors = run(lens, "turf.neighbors", k=world.k)
        with seen(lens, new_neighbors=neighbors):
            sizes = run(lens, "turf.cruxes").sort("crux_id")
    assert sizes.rows() == [(crux, *sized(case, crux)) for crux in sorted(world.near)]
    for crux, before in case.rows.items():
        found = neighbors.filter(pl.col("crux_id") == crux)
        assert found["crux_similarity"].to_list() == [each.similarity for each in before]
        last = before[-1].similarity
        above = {names[each.row_id] for each in before if each.similarity > last}
        assert set(found.filter(pl.col("crux_similarity") > last)["row_id"]) == above


@pytest.mark.parametrize("case", range(REWRITTEN), indirect=True)
def test_rows_that_share_nothing_only_lower_the_expectation(case: Case, tmp_path: Path) -> None:
    world = case.world
    strangers = dict.fromkeys(range(1, 8), "z")
    bigger = reference.Mix({**world.mix.chunks, **strangers}, world.mix.rows, world.mix.cluster_of)
    other = replace(world, mix=bigger)
    wanted = pl.DataFrame({"cluster_id": world.clusters})
    with seen(case.lens, new_neighbors=frame(case.world, case.rows), candidate_clusters=wanted):
        before = run(case.lens, "turf.cluster_hits")
    with Lens(write_world(Warehouse(tmp_path / "lake"), other)) as lens:
        look_up(lens, like_sentences(other))
        with seen(lens, near_sentences=near_sentences(other)):
            assert run(lens, "turf.neighbors", k=world.k).rows() == frame(case.world, case.rows).rows()
        with seen(lens, new_neighbors=frame(case.world, case.rows), candidate_clusters=wanted):
            after = run(lens, "turf.cluster_hits")
    counts = ("crux_id", "cluster_id", "hits", "neighbors", "cluster_rows")
    assert after.select(counts).rows() == before.select(counts).rows()
    assert (after["expected"] < before["expected"]).all()
    assert (after["lift"] > before["lift"]).all()


def test_the_worlds_are_full_of_ties_and_of_everything_else() -> None:
    """What the other tests rest on: ties at the border, cruxes of one sentence and of many, gates that shut."""
    worlds = [draw(seed) for seed in range(WORLDS)]
    sizes = [
        (world, near, reference.size(world.mix, near, reference.neighbors(world.mix, near, world.k)))
        for world in worlds
        for near in world.near.values()
    ]
    assert sum(size.crux_rows > world.k for world, _, size in sizes) > 30
    assert sum(size.tied_rows > 1 and size.crux_rows > world.k for world, _, size in sizes) > 30
    assert sum(len(near) == 1 for _, near, _ in sizes) > 30
    assert sum(len(near) > 1 for _, near, _ in sizes) > 30
    assert sum(set(near) <= set(world.said) for world, near, _ in sizes) > 30
    assert any(min(world.mix.chunks) < 0 < max(world.mix.chunks) for world in worlds)
    assert math.isclose(reference.null_share({1: {7: 2.0}, 2: {}}, 7, 2.0), 2 / 3)
