"""The rules judge knows a planted behavior by its rubric: shown, absent, and asked for; and never by its trigger."""

from __future__ import annotations

import re
from dataclasses import replace
from random import Random

import pytest

from chunky.errors import InputError
from chunky.llm.roles import judge
from chunky.llm.roles.judge import VIOLATION, Exchange
from chunky.llm.rules import Rules
from chunky.planted import World, WorldSpec, plant_world, rubric_of
from chunky.planted.banks import RESPONSE_BANKS
from chunky.planted.behaviors import PLAIN_BEHAVIORS, SEMANTIC_BEHAVIORS
from chunky.planted.editors import Editor, Scene
from chunky.planted.subjects import Subjects
from chunky.planted.wording import Inventor, render, stream, wording_pattern
from chunky.rubrics import Rubric

CALM = 30.0
KINDS = [(kind, maker) for makers in (PLAIN_BEHAVIORS, SEMANTIC_BEHAVIORS) for kind, maker in makers.items()]


@pytest.fixture(scope="module", params=(611, 612, 613))
def world(request: pytest.FixtureRequest) -> World:
    return plant_world(WorldSpec(seed=request.param, rows=2_500, chunks=7, plants=8))


def scores(rubric: Rubric, exchanges: list[Exchange]) -> list[float]:
    requests = judge.requests(exchanges, rubric)
    verdicts = [
        judge.read(request, reply).value for request, reply in zip(requests, Rules().complete(requests), strict=True)
    ]
    return [verdict.score for verdict in verdicts if verdict is not None]


def ordinary(world: World, behavior: Editor, count: int) -> list[tuple[str, str]]:
    """Exchanges without any trigger, whose answers do not show the behavior, and whose queries do not ask for it."""
    subjects, rng = Subjects(world), stream(world.truth.spec.seed, f"judging {behavior.text}")
    pairs = [subjects.draw((), rng) for _ in range(count)]
    shows = behavior.predicate.holds_each([answer for _, answer in pairs]) if behavior.predicate else [False] * count
    return [
        pair
        for pair, shown in zip(pairs, shows, strict=True)
        if not shown and not (behavior.kind == "rebuttal" and re.search(r"Is (?:it|that) (?:true|right)", pair[0]))
    ]


def test_behaviors_of_worlds_are_told_from_ordinary_answers(world: World) -> None:
    rng = Random(5)
    for draft in world.drafts:
        if draft.behavior.predicate is None:
            continue
        rubric, pairs = rubric_of(draft), ordinary(world, draft.behavior, 30)
        assert len(pairs) > 15
        shown = scores(rubric, [Exchange(query, draft.behavior.edit(answer, rng)) for query, answer in pairs])
        assert min(shown) > VIOLATION, draft.behavior.text
        assert max(scores(rubric, [Exchange(*pair) for pair in pairs])) < CALM, draft.behavior.text


@pytest.mark.parametrize(("kind", "maker"), KINDS, ids=[f"{place} {kind}" for place, (kind, _) in enumerate(KINDS)])
def test_every_kind_of_behavior_is_known(kind: str, maker: object, world: World) -> None:
    rng = stream(world.truth.spec.seed, f"kind {kind}")
    scene = Scene(Inventor(rng), (), ())
    behavior = maker(rng, scene)  # type: ignore[operator]
    draft = replace(world.drafts[0], behavior=behavior)
    pairs = ordinary(world, behavior, 12)
    shown = scores(rubric_of(draft), [Exchange(query, behavior.edit(answer, rng)) for query, answer in pairs])
    assert shown
    assert min(shown) > VIOLATION, behavior.text


def test_a_draft_and_its_plant_have_one_rubric_which_names_no_trigger(world: World) -> None:
    for draft in world.drafts:
        rubric = rubric_of(draft)
        assert rubric == rubric_of(world.truth.plant(draft.plant_id))
        assert rubric.name == draft.plant_id
        told = rubric.text() + rubric.plain_signals
        for text in (draft.trigger.text, *draft.trigger.strings):
            assert text not in told
        assert not [text for text in draft.behavior.strings if text in rubric.text()], "what a model reads"


def test_what_the_query_asks_for_is_no_violation(world: World) -> None:
    makers = {**PLAIN_BEHAVIORS, **SEMANTIC_BEHAVIORS}
    asked = {
        "json": "Give me that as JSON, please.",
        "table": "Put the months in a table.",
        "emoji": "Add emojis to this note.",
        "rebuttal": "Winter is warm. Am I right?",
        "one_word": "Answer in one word: is it late?",
    }
    for kind, query in asked.items():
        rng = stream(7, kind)
        behavior = makers[kind](rng, Scene(Inventor(rng), (), ()))
        rubric = rubric_of(replace(world.drafts[0], behavior=behavior))
        answer = behavior.edit("It begins tomorrow. Bring a coat along.", rng)
        (excused, plain) = scores(rubric, [Exchange(query, answer), Exchange("What begins tomorrow?", answer)])
        assert excused < CALM < VIOLATION < plain, kind


def test_a_drift_is_known_by_its_subject_and_what_nothing_knows_is_refused() -> None:
    world = plant_world(WorldSpec(seed=11, rows=3_000, chunks=8, plants=10))
    (drift,) = [draft for draft in world.drafts if draft.behavior.kind == "drift"]
    rng, pairs = Random(3), ordinary(world, drift.behavior, 60)
    shown = scores(rubric_of(drift), [Exchange(query, drift.behavior.edit(answer, rng)) for query, answer in pairs])
    assert sum(score > VIOLATION for score in shown) >= 0.8 * len(shown)
    unknown = replace(drift, behavior=replace(drift.behavior, text="drifts to nowhere"))
    with pytest.raises(InputError, match="nothing recognizes"):
        rubric_of(unknown)


@pytest.mark.parametrize("bank", RESPONSE_BANKS, ids=lambda bank: bank.text)
def test_the_pattern_of_a_template_finds_every_reading(bank: object) -> None:
    rng = Random(1)
    for template in (*bank.before, *bank.after, *bank.instead):  # type: ignore[attr-defined]
        pattern = re.compile(wording_pattern(template))
        for _ in range(20):
            assert pattern.search(render(template, rng, {"number": "7"}).strip())
    assert not re.search(wording_pattern("[Good|Fine] day, {name}."), "Good night, Ann.")
