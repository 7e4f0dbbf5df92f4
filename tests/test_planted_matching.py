"""Judging finds by extent, against plain set arithmetic."""

from __future__ import annotations

from random import Random

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chunky.errors import InputError
from chunky.planted import (
    WorldSpec,
    feature_matches,
    names_chunk,
    pair_matches,
    plant_world,
    trace_matches,
    truth_match,
)

WORLD = plant_world(WorldSpec(seed=31, rows=1_200, chunks=5, plants=4))
IDS = WORLD.rows["id"].to_list()
# the shape of corpus.rows: integer row ids for the ids of the mix
ROWS = pl.DataFrame({"row_id": [7 * at - 1000 for at in range(len(IDS))], "conversation_id": IDS})
ROW_ID = dict(zip(IDS, ROWS["row_id"].to_list(), strict=True))


def members(features: dict[int, list[str]]) -> pl.DataFrame:
    pairs = [(feature, ROW_ID[name]) for feature, names in features.items() for name in names]
    return pl.DataFrame(pairs, schema={"feature_id": pl.Int64, "row_id": pl.Int64}, orient="row")


def test_the_plants_own_rows_name_it() -> None:
    for plant in WORLD.truth.plants:
        for role, names in (("trigger", plant.trigger_ids), ("behavior", plant.behavior_ids)):
            score = truth_match(plant, WORLD.rows, names, role)
            assert (score.precision, score.recall, score.jaccard, score.names) == (1, 1, 1, True)
            assert truth_match(plant, ROWS, [ROW_ID[name] for name in names], role) == score
            assert not truth_match(plant, WORLD.rows, [], role).names
            assert not truth_match(plant, WORLD.rows, IDS, role).names


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10_000), st.floats(0, 1), st.floats(0, 0.3))
def test_scores_are_set_arithmetic(seed: int, kept: float, noise: float) -> None:
    rng = Random(seed)
    plant = rng.choice(WORLD.truth.plants)
    wanted = set(plant.trigger_ids)
    found = {name for name in IDS if rng.random() < (kept if name in wanted else noise)}
    score = truth_match(plant, ROWS, [ROW_ID[name] for name in found], "trigger")
    if found:
        assert score.precision == len(found & wanted) / len(found)
        assert score.recall == len(found & wanted) / len(wanted)
        assert score.jaccard == len(found & wanted) / len(found | wanted)
    assert score.names == (score.precision >= 0.6 and score.recall >= 0.5)


def test_rows_that_are_not_listed_are_ignored() -> None:
    plant = WORLD.truth.plants[0]
    half = plant.trigger_ids[::2]
    some = WORLD.rows.filter(pl.col("id").is_in(half))
    assert truth_match(plant, some, [*half, "stranger"], "trigger").jaccard == 1


def test_bulk_scores_equal_single_ones() -> None:
    rng = Random(5)
    features = {at: sorted(rng.sample(IDS, rng.randint(5, 300))) for at in range(12)}
    for at, plant in enumerate(WORLD.truth.plants):
        features[100 + at] = [*plant.trigger_ids[: len(plant.trigger_ids) * 3 // 4]]
        features[200 + at] = [*plant.behavior_ids]
    found = feature_matches(WORLD.truth, ROWS, members(features))
    assert set(found["names"].to_list()) == {True, False}
    seen = set()
    for row in found.iter_rows(named=True):
        plant = WORLD.truth.plant(row["plant_id"])
        score = truth_match(plant, ROWS, [ROW_ID[name] for name in features[row["feature_id"]]], row["role"])
        assert (row["precision"], row["recall"], row["jaccard"]) == (score.precision, score.recall, score.jaccard)
        assert row["names"] == score.names
        seen.add((row["plant_id"], row["role"], row["feature_id"]))
    for plant in WORLD.truth.plants:
        for role, wanted in (("trigger", set(plant.trigger_ids)), ("behavior", set(plant.behavior_ids))):
            for feature, names in features.items():
                assert ((plant.plant_id, role, feature) in seen) == bool(wanted & set(names))


def test_pairs_name_a_plant_when_both_sides_do() -> None:
    plants = WORLD.truth.plants
    features = {10 + at: list(plant.trigger_ids) for at, plant in enumerate(plants)}
    features |= {20 + at: list(plant.behavior_ids) for at, plant in enumerate(plants)}
    pairs = pl.DataFrame({"trigger_id": [11, 10, 10, 12], "behavior_id": [20, 20, 21, 22]})
    found = pair_matches(WORLD.truth, ROWS, members(features), pairs)
    assert found.select("plant_id", "trigger_id", "behavior_id", "pair_rank").rows() == [
        (plants[0].plant_id, 10, 20, 2),
        (plants[2].plant_id, 12, 22, 4),
    ]
    assert found["score"].to_list() == [1.0, 1.0]


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10_000), st.floats(0, 1), st.floats(0, 0.2))
def test_traces_are_judged_by_purity_and_by_what_their_tier_can_be_asked(seed: int, kept: float, noise: float) -> None:
    rng = Random(seed)
    plant = rng.choice(WORLD.truth.plants)
    wanted = set(plant.trigger_ids)
    carried = {name for name in IDS if rng.random() < (kept if name in wanted else noise)}
    purity = len(carried & wanted) / len(carried) if carried else 0
    cover = len(carried & wanted) / len(wanted)
    is_match = purity >= 0.6 and cover >= {"plain": 0.5, "semantic": 0.15}[plant.tier]
    assert trace_matches(plant, carried) == (purity, cover, is_match)


def test_a_part_of_a_semantic_trigger_is_enough() -> None:
    for plant in WORLD.truth.plants:
        fifth = plant.trigger_ids[: len(plant.trigger_ids) // 5 + 1]
        assert trace_matches(plant, fifth).is_match == (plant.tier == "semantic")
        assert trace_matches(plant, plant.trigger_ids) == (1, 1, True)
        assert trace_matches(plant, []) == (0, 0, False)
        assert not trace_matches(plant, IDS).is_match


def test_only_the_first_chunk_of_a_trace_counts() -> None:
    plant = WORLD.truth.plants[0]
    other = next(name for name in WORLD.rows["source"].unique(maintain_order=True) if name not in plant.chunks)
    assert names_chunk(plant, [plant.chunks[-1], other])
    assert not names_chunk(plant, [other, *plant.chunks])
    assert not names_chunk(plant, [])


def test_nothing_found_is_an_empty_table() -> None:
    empty = feature_matches(WORLD.truth, ROWS, members({}))
    assert empty.is_empty()
    assert empty.columns == ["plant_id", "role", "feature_id", "overlap", "precision", "recall", "jaccard", "names"]


def test_misuse_is_told() -> None:
    plant = WORLD.truth.plants[0]
    with pytest.raises(InputError, match="no 'cause'"):
        truth_match(plant, WORLD.rows, [], "cause")
    with pytest.raises(InputError, match="row_id"):
        truth_match(plant, WORLD.rows.drop("id"), [], "trigger")
