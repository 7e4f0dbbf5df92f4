"""The judge of tracing gives everything to one who knows and nothing to one who guesses; the peer is in between."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import pytest

from benchmarks import turf, turf_cases, turf_ours, turf_peer
from benchmarks.turf_cases import Mix, Trace
from chunky.planted import PlantedFailure, World, WorldSpec, draw_failures, plant_world
from chunky.settings import Settings
from tests.conftest import QUICK

OPTIONS = argparse.Namespace(
    chunks=6, plants=4, failures=20, controls=4, real=False, permuted=False, independent=False, mix=None
)
ROWS, SEED = 1_500, 21
PEERS = ("peer", "peer, whole tokens", "no skill, words")


@pytest.fixture(scope="module")
def world() -> World:
    return plant_world(WorldSpec(seed=SEED, rows=ROWS, chunks=6, plants=4))


@pytest.fixture(scope="module")
def failures(world: World) -> list[PlantedFailure]:
    return draw_failures(world, 20, 1)


@pytest.fixture(scope="module")
def case() -> turf_cases.Case:
    return turf_cases.case(OPTIONS, SEED, ROWS)


@pytest.fixture(scope="module")
def mix(case: turf_cases.Case, tmp_path_factory: pytest.TempPathFactory) -> Mix:
    few = Settings.model_validate(QUICK.model_dump() | {"attributes": {"topics": 40, "word_vectors": "mix"}})
    return case.mix(tmp_path_factory.mktemp("worlds"), few)


def bare(world: World) -> Mix:
    """A mix for contenders that look at rows alone."""
    return Mix(world.rows, Path("nowhere"), QUICK)


def test_who_knows_gets_everything(world: World, failures: list[PlantedFailure]) -> None:
    def knows(failure: PlantedFailure) -> Sequence[Trace]:
        plant = world.truth.plant(failure.plant_id or "")
        return [Trace(frozenset(plant.trigger_ids), plant.chunks)]

    nothing = Trace(frozenset(), ())
    counts = turf_cases.judge(world.truth, failures, [knows(failure) for failure in failures])
    figures = (*turf_cases.FIGURES, "of")
    assert {counts[tier, figure] for tier in turf_cases.TIERS for figure in figures} == {10}
    third = [[nothing, nothing, *knows(failure)] for failure in failures]
    counts = turf_cases.judge(world.truth, failures, third)
    assert [counts["plain", figure] for figure in turf_cases.FIGURES] == [10, 0, 10, 0]
    counts = turf_cases.judge(world.truth, failures, [[] for _ in failures])
    assert not any(counts[tier, figure] for tier in turf_cases.TIERS for figure in turf_cases.FIGURES)


def test_a_trace_of_a_control_is_false(case: turf_cases.Case) -> None:
    controls = case.failures[20:]
    everything = [Trace(frozenset(plant.trigger_ids), plant.chunks) for plant in case.world.truth.plants]
    counts = turf_cases.judge(case.world.truth, controls, [everything] * 4 + [[]] * 4)
    told = turf.nested(counts)
    assert list(told) == ["absent behavior", "swapped response"]
    nothing_else = {"of": 4, "trigger@1": 0, "trigger@3": 0, "chunk@1": 0}
    assert told["absent behavior"] == nothing_else | {"traced": 4}
    assert told["swapped response"] == nothing_else | {"traced": 0}
    assert [line.split("false trigger")[1] for line in turf.lines(counts)] == [" 1.00 (4) of 4", " 0.00 (0) of 4"]


@pytest.mark.parametrize(("kind", "control"), [("permuted", "permuted"), ("independent", "independent behavior")])
def test_worlds_of_controls_hold_nothing_else(kind: str, control: str) -> None:
    told = turf_cases.case(argparse.Namespace(**vars(OPTIONS) | {kind: True}), SEED, ROWS)
    assert told.name == f"{SEED}-{ROWS}-{kind}"
    assert len(told.failures) == (20 if kind == "permuted" else 4)
    assert {turf_cases.group(failure) for failure in told.failures} == {control}
    assert {failure.plant_id for failure in told.failures} == {None}


def test_the_peer_beats_no_skill(world: World, failures: list[PlantedFailure]) -> None:
    total = {}
    for name in PEERS:
        counts = turf_cases.judge(world.truth, failures, turf.CONTENDERS[name](bare(world))(failures))
        total[name] = sum(counts[tier, "trigger@3"] for tier in turf_cases.TIERS)
    assert total["peer"] > total["no skill, words"] == 0


def test_ours_beats_no_skill_and_its_misses_have_reasons(
    case: turf_cases.Case, mix: Mix, capsys: pytest.CaptureFixture[str]
) -> None:
    ours = {name: turf.CONTENDERS[name] for name in turf.OVER_LAKES}
    facts = turf.compete(case, mix, ours)
    counts = facts["counts"]
    assert {tuple(sorted(figures)) for figures in counts.values()} == {
        ("absent behavior", "plain", "semantic", "swapped response")
    }
    assert counts["chunky"]["plain"]["trigger@1"] >= 5
    assert not any(counts["no skill"][tier]["trigger@1"] for tier in turf_cases.TIERS)
    assert {figures["traced"] / figures["of"] for figures in counts["no skill"].values()} == {1.0}
    named = sum(counts["chunky"][tier]["trigger@1"] for tier in turf_cases.TIERS)
    assert sum(one["failures"] for one in facts["missed"]) == 20 - named
    assert {one["why"] for one in facts["missed"]} <= {"no cluster", "not counted", "below threshold", "ranked below"}
    turf.report([facts, facts])
    assert f"of {2 * counts['chunky']['plain']['of']}" in capsys.readouterr().out


def test_extents_are_all_rows_that_have_a_cluster(mix: Mix) -> None:
    [trace, *_] = turf_ours.commonest(mix)([None])[0]  # type: ignore[list-item]
    held = set(mix.rows["id"])
    assert trace.carried <= held
    assert len(trace.carried) > 0.5 * len(held)
    assert set(trace.chunks) <= set(mix.rows["source"])


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
