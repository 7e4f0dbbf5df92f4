"""The judge of tracing gives everything to one who knows and nothing to one who guesses; the peer is in between."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from benchmarks import turf, turf_peer
from chunky.planted import PlantedFailure, World, WorldSpec, draw_failures, plant_world


@pytest.fixture(scope="module")
def world() -> World:
    return plant_world(WorldSpec(seed=21, rows=1_500, chunks=6, plants=4))


@pytest.fixture(scope="module")
def failures(world: World) -> list[PlantedFailure]:
    return draw_failures(world, 20, 1)


def test_who_knows_gets_everything(world: World, failures: list[PlantedFailure]) -> None:
    def knows(failure: PlantedFailure) -> Sequence[turf.Trace]:
        plant = world.truth.plant(failure.plant_id or "")
        return [turf.Trace(frozenset(plant.trigger_ids), plant.chunks)]

    def third(failure: PlantedFailure) -> Sequence[turf.Trace]:
        nothing = turf.Trace(frozenset(), ())
        return [nothing, nothing, *knows(failure)]

    counts = turf.judge(world, failures, knows)
    assert {counts[tier, figure] for tier in turf.TIERS for figure in (*turf.FIGURES, "of")} == {10}
    counts = turf.judge(world, failures, third)
    assert [counts["plain", figure] for figure in turf.FIGURES] == [0, 10, 0]
    assert not any(turf.judge(world, failures, lambda _: []).get((tier, "trigger@3")) for tier in turf.TIERS)


def test_the_peer_beats_no_skill(world: World, failures: list[PlantedFailure]) -> None:
    total = {
        name: sum(turf.judge(world, failures, contender(world.rows))[tier, "trigger@3"] for tier in turf.TIERS)
        for name, contender in turf.CONTENDERS.items()
    }
    assert total["peer"] > total["no skill"] == 0


@pytest.mark.parametrize("excess", ["difference", "z", "g2"])
def test_traces_of_the_peer_are_what_it_says(world: World, failures: list[PlantedFailure], excess: str) -> None:
    trace = turf_peer.peer(world.rows, turf_peer.Recipe(excess=excess))
    low = [query.lower() for query in world.rows["query"]]
    for failure in failures[:6]:
        found = trace(failure.query, failure.response)
        assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)
        for one in found[:3]:
            assert len(one.rows) >= turf_peer.FEWEST
            assert one.chunk in {world.rows["source"][row] for row in one.rows}
            assert all(all(word in low[row] for word in one.gram.split()) for row in one.rows)
            assert all(word in failure.query.lower() for word in one.gram.split())
