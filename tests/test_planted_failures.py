"""Failures carry their plant and nothing that gives it away; controls carry no plant; rubrics give no hint."""

from __future__ import annotations

from dataclasses import replace

import polars as pl
import pytest

from chunky.errors import InputError
from chunky.planted import (
    CONTROLS,
    PlantedFailure,
    World,
    WorldSpec,
    draw_controls,
    draw_failures,
    permute_responses,
    plant_world,
    with_independent_behavior,
    without_plant,
)
from chunky.planted.behaviors import PLAIN_BEHAVIORS, SEMANTIC_BEHAVIORS
from chunky.planted.controls import absent_behaviors
from chunky.planted.lexicon import TOPICS, Topic
from chunky.planted.rubrics import RUBRICS
from chunky.planted.subjects import Subjects
from chunky.planted.wording import stream

COUNT = 40


@pytest.fixture(scope="module", params=(301, 302, 303))
def world(request: pytest.FixtureRequest) -> World:
    return plant_world(WorldSpec(seed=request.param, rows=2_000, chunks=7, plants=6))


@pytest.fixture(scope="module")
def donor() -> World:
    return plant_world(WorldSpec(seed=55, rows=3_000, chunks=6, plants=0, cues=0))


@pytest.fixture(scope="module")
def given(donor: World) -> World:
    return plant_world(WorldSpec(seed=9, rows=2_500, chunks=5, plants=6, tiers=("semantic",)), donor.rows)


def lexicon(topic: Topic) -> set[str]:
    return {topic.name, *topic.things, *topic.actions, *(text.lower() for text in (*topic.problems, *topic.tips))}


def main_topics(text: str) -> set[str]:
    """Names of the topics whose terms take most characters of `text`."""
    low = text.lower()
    sizes = {topic.name: sum(len(term) for term in lexicon(topic) if term in low) for topic in TOPICS}
    most = max(sizes.values())
    return {name for name, size in sizes.items() if size == most and size}


def check_plants(world: World, failures: list[PlantedFailure]) -> None:
    """Exact predicates of the own plant hold, no predicate of another one does, and the mix does not hold the query."""
    taken = set(world.rows["query"])
    for failure in failures:
        assert failure.query not in taken
        assert failure.response.strip()
        for plant in world.truth.plants:
            own = plant.plant_id == failure.plant_id
            for cue, text in ((plant.trigger, failure.query), (plant.behavior, failure.response)):
                if cue.predicate is not None and (cue.is_exact or not own):
                    assert cue.predicate.holds_each([text]) == [own], (plant.plant_id, cue.text, text)


def test_failures_carry_their_plant_and_no_other(world: World) -> None:
    failures = draw_failures(world, COUNT, 1)
    check_plants(world, failures)
    assert len({failure.query for failure in failures}) == COUNT
    for failure in failures:
        assert failure.control is None
        assert failure.tier == world.truth.plant(failure.plant_id or "").tier


def test_plants_take_turns(world: World) -> None:
    failures = draw_failures(world, COUNT, 1)
    names = [plant.plant_id for plant in world.truth.plants]
    assert [failure.plant_id for failure in failures] == [names[at % len(names)] for at in range(COUNT)]


def test_the_subject_is_foreign_to_the_planted_chunks(world: World) -> None:
    told, foreign = 0, set()
    for failure in draw_failures(world, COUNT, 2):
        plant = world.truth.plant(failure.plant_id or "")
        if plant.trigger.kind in ("topic", "length"):
            continue  # the topic is the trigger itself; length is padded with sentences of the mix, or three words
        known = {name for chunk in plant.chunks for name in world.subjects[chunk]}
        names = main_topics(failure.query)
        # a checklist is a thing of one topic and asked for in all
        assert names - known or "checklist" in failure.query.lower(), failure.query
        foreign |= names - known
        told += 1
    assert len(foreign) > min(4, told // 3)


def test_subjects_are_told_by_chunk(world: World) -> None:
    assert set(world.subjects) == set(world.rows["source"])
    owned = {operation.row for operation in world.operations}
    found = [bool(main_topics(query) & set(world.subjects[source])) for row, (source, query)
             in enumerate(world.rows.select("source", "query").iter_rows()) if row not in owned]  # fmt: skip
    # “a checklist for pottery” names a thing of another topic at more length
    assert sum(found) > 0.95 * len(found)
    foreign = Subjects(world).foreign_topics
    for plant in world.truth.plants:
        names = {topic.name for topic in foreign(plant.chunks)}
        assert names
        assert not names & {name for chunk in plant.chunks for name in world.subjects[chunk]}
        assert not {f"is about {name}" for name in names} & {other.trigger.text for other in world.truth.plants}
        assert not {f"drifts to {name}" for name in names} & {other.behavior.text for other in world.truth.plants}
    assert without_plant(world, "plant_01").subjects == world.subjects


def test_the_same_arguments_give_the_same_failures(world: World) -> None:
    first = draw_failures(world, COUNT, 1)
    assert draw_failures(world, COUNT, 1) == first
    assert draw_failures(plant_world(world.truth.spec), COUNT, 1) == first
    assert draw_failures(world, COUNT, 2) != first


def test_a_semantic_trigger_is_worded_anew_while_its_bank_lasts() -> None:
    spec = WorldSpec(seed=77, rows=2_000, chunks=7, plants=3, tiers=("semantic",), prevalence=(0.12, 0.13))
    world = plant_world(spec)
    frames = {draft.plant_id: draft for draft in world.drafts
              if draft.trigger.exact is None and draft.trigger.rewrite is None}  # fmt: skip
    assert frames
    text = "\n".join(world.rows["query"])
    fresh = []
    for failure in draw_failures(world, 30, 3):
        if failure.plant_id in frames:
            pieces = [piece for piece in failure.query.replace("! ", ". ").split(". ") if len(piece) > 12]
            fresh.append(any(piece not in text for piece in pieces))
    assert sum(fresh) > len(fresh) / 2


def test_a_given_mix_has_failures_far_from_the_planted_chunks(given: World) -> None:
    failures = draw_failures(given, COUNT, 4)
    check_plants(given, failures)
    moved = {draft.plant_id for draft in given.drafts if draft.trigger.donors}
    assert moved
    base = dict(zip(given.base.queries, given.base.sources, strict=True))
    for failure in failures:
        origins = {source for query, source in base.items() if query in failure.query}
        if failure.plant_id not in moved and origins:
            assert origins - set(given.truth.plant(failure.plant_id or "").chunks)


def test_rows_of_a_given_mix_are_chosen_for_their_distance(given: World, donor: World) -> None:
    subjects = Subjects(given)

    def share_known(queries: list[str], known: set[str]) -> float:
        return sum(bool(main_topics(query) & known) for query in queries) / len(queries)

    for plant in given.truth.plants:
        known = {name for chunk in plant.chunks for name in donor.subjects[chunk]}
        drawn = [subjects.draw(plant.chunks, stream(1, f"far {number}"))[0] for number in range(40)]
        others = given.rows.filter(~pl.col("source").is_in(plant.chunks))["query"].to_list()[::25]
        assert share_known(drawn, known) < 0.5 * share_known(others, known)


@pytest.mark.parametrize("kind", sorted(CONTROLS))
def test_controls_show_no_plant(world: World, kind: str) -> None:
    mix = with_independent_behavior(world, 6)[0] if kind == "independent behavior" else world
    controls = draw_controls(mix, kind, 12, 5)
    assert len(controls) == 12
    assert draw_controls(mix, kind, 12, 5) == controls
    assert draw_controls(mix, kind, 12, 7) != controls
    for one in controls:
        assert (one.plant_id, one.control) == (None, kind)
        assert any(one.rubric in texts for texts in RUBRICS.values())
        for plant in mix.truth.plants:
            cues = ((plant.trigger, one.query), (plant.behavior, one.response))
            shows = [cue.predicate is not None and cue.predicate.holds_each([text])[0] for cue, text in cues]
            assert not all(shows)
            if kind != "swapped response":
                assert not shows[1]


def test_an_absent_behavior_is_absent(world: World) -> None:
    found = absent_behaviors(world, 5)
    assert len(found) > 3
    assert len({editor.kind for editor in found}) == len(found)
    planted = {plant.behavior.kind for plant in world.truth.plants}
    for editor in found:
        assert editor.predicate is not None
        assert editor.predicate.holds(world.rows["response"]).sum() < 3
        assert editor.kind not in planted
    for one in draw_controls(world, "absent behavior", 2 * len(found), 5):
        shown = [editor for editor in found if one.rubric in RUBRICS[editor.kind]]
        assert shown
        assert one.query not in set(world.rows["query"])
        assert [editor.exact.holds_each([one.response]) for editor in shown if editor.exact] in ([], [[True]])


def test_half_of_the_controls_carry_a_trigger(world: World) -> None:
    triggers = [plant.trigger for plant in world.truth.plants]
    for number, one in enumerate(draw_controls(world, "absent behavior", 24, 8)):
        exact = [cue.predicate for cue in triggers if cue.is_exact and cue.predicate is not None]
        assert sum(predicate.holds_each([one.query])[0] for predicate in exact) <= number % 2


def test_an_independent_behavior_goes_with_no_query(world: World) -> None:
    mix, editor = with_independent_behavior(world, 6)
    lure = mix.truth.distractors[-1]
    assert (lure.kind, lure.cue.text) == ("independent_behavior", editor.text)
    assert len(lure.row_ids) == round(0.03 * world.rows.height)
    changed = mix.rows.filter(mix.rows["response"] != world.rows["response"])["id"]
    assert tuple(sorted(changed)) == lure.row_ids
    assert mix.rows["query"].equals(world.rows["query"])
    assert set(lure.chunks) == set(world.rows["source"])
    if editor.exact is not None:
        assert set(mix.rows.filter(editor.exact.holds(mix.rows["response"]))["id"]) == set(lure.row_ids)
    for plant in mix.truth.plants:
        # four standard errors of a binomial rate
        rate = len(set(lure.row_ids) & set(plant.trigger_ids)) / len(plant.trigger_ids)
        assert rate < 0.03 + 4 * (0.03 / len(plant.trigger_ids)) ** 0.5
        assert plant.trigger_ids == world.truth.plant(plant.plant_id).trigger_ids
        assert len(plant.both_ids) > 0.9 * len(world.truth.plant(plant.plant_id).both_ids)
    assert with_independent_behavior(world, 6)[0].rows.equals(mix.rows)
    assert without_plant(mix, "plant_02").truth.distractors[-1].kind == "independent_behavior"


def test_a_swapped_response_answers_something_else(world: World) -> None:
    source = dict(world.rows.select("query", "source").iter_rows())
    pairs = set(world.rows.select("query", "response").iter_rows())
    responses = set(world.rows["response"])
    for one in draw_controls(world, "swapped response", 30, 9):
        assert one.query in source
        assert one.response in responses
        assert (one.query, one.response) not in pairs


def test_every_kind_of_behavior_has_rubrics() -> None:
    assert set(RUBRICS) == {*PLAIN_BEHAVIORS, *SEMANTIC_BEHAVIORS, "drift"}
    texts = [text for kind in RUBRICS.values() for text in kind]
    assert len(set(texts)) == len(texts)
    assert all(2 <= len(kind) <= 3 for kind in RUBRICS.values())


def test_rubrics_quote_nothing_and_name_no_trigger(world: World) -> None:
    for failure in draw_failures(world, COUNT, 1):
        low = failure.rubric.lower()
        plant = world.truth.plant(failure.plant_id or "")
        assert failure.rubric in RUBRICS[plant.behavior.kind]
        for cue in (plant.trigger, plant.behavior):
            assert not any(string.lower() in low for string in cue.strings)
        assert plant.trigger.text.lower() not in low
        assert not any(topic.name in low for topic in TOPICS)


def test_misuse_is_told(world: World) -> None:
    with pytest.raises(InputError, match="no plants"):
        draw_failures(permute_responses(world, 1), 3, 1)
    with pytest.raises(InputError, match="no control 'permuted'"):
        draw_controls(world, "permuted", 3, 1)
    with pytest.raises(InputError, match="goes with no query"):
        draw_controls(world, "independent behavior", 3, 1)
    with pytest.raises(InputError, match="too few"):
        draw_controls(world, "swapped response", 3_000, 1)
    everything = replace(world, subjects={"all": tuple(topic.name for topic in TOPICS)})
    with pytest.raises(InputError, match="every topic"):
        Subjects(everything).draw(("all",), stream(1, "none"))
