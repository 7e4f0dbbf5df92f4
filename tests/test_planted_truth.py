"""The truth is exact: recounted by another engine, kind by kind; and its strings are nobody else's."""

from __future__ import annotations

from pathlib import Path
from random import Random

import duckdb
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import chunky
from chunky.planted import WorldSpec, plant_world
from chunky.planted.background import generate_background
from chunky.planted.banks import QUERY_BANKS, RESPONSE_BANKS, Bank
from chunky.planted.behaviors import PLAIN_BEHAVIORS, SEMANTIC_BEHAVIORS
from chunky.planted.editors import Scene
from chunky.planted.languages import LANGUAGES
from chunky.planted.lexicon import TOPICS
from chunky.planted.predicates import Predicate, escape
from chunky.planted.topics import drift_from_topic, trigger_from_topic
from chunky.planted.triggers import PLAIN_TRIGGERS, SEMANTIC_TRIGGERS
from chunky.planted.wording import Inventor, render, sentences, stream

INVENTOR = Inventor(stream(1, "test"))
LINES = generate_background(1, 300, 3, TOPICS[:4], TOPICS[4:], INVENTOR).lines
SCENE = Scene(
    INVENTOR,
    sorted(len(line.query) for line in LINES),
    [piece for line in LINES for piece in sentences(line.response) if 25 <= len(piece) <= 200],
)
MAKERS = [
    *((side, tier, kind) for side, tier, makers in (
        ("query", "plain", PLAIN_TRIGGERS), ("query", "semantic", SEMANTIC_TRIGGERS),
        ("response", "plain", PLAIN_BEHAVIORS), ("response", "semantic", SEMANTIC_BEHAVIORS),
    ) for kind in makers),
]  # fmt: skip
REGISTRY = {
    ("query", "plain"): PLAIN_TRIGGERS,
    ("query", "semantic"): SEMANTIC_TRIGGERS,
    ("response", "plain"): PLAIN_BEHAVIORS,
    ("response", "semantic"): SEMANTIC_BEHAVIORS,
}


def test_there_are_at_least_ten_kinds_of_each() -> None:
    assert len(PLAIN_TRIGGERS) >= 10
    assert len(PLAIN_BEHAVIORS) >= 10
    assert len(SEMANTIC_TRIGGERS) + 1 >= 5
    assert len(SEMANTIC_BEHAVIORS) + 1 >= 10


@pytest.mark.parametrize(("side", "tier", "kind"), MAKERS)
def test_every_kind_works_on_ordinary_texts(side: str, tier: str, kind: str) -> None:
    for draw in range(12):
        rng = Random(f"{kind} {draw}")
        editor = REGISTRY[side, tier][kind](rng, SCENE)
        assert (editor.kind, editor.side, editor.tier) == (kind, side, tier)
        assert editor.text
        texts = [line.query if side == "query" else line.response for line in LINES[draw * 20 : draw * 20 + 40]]
        edited = [editor.edit(text, rng) for text in texts]
        assert all(text.strip() for text in edited)
        if tier == "plain":
            assert editor.exact is not None
            assert sum(editor.exact.holds_each(edited)) >= 0.9 * len(edited), editor
            for literal in editor.strings:
                assert sum(literal in text for text in edited) >= 0.9 * len(edited) or kind in ("table", "layout")
        else:
            assert editor.exact is None
            assert sum(old != new for old, new in zip(texts, edited, strict=True)) == len(texts)
            # no single word of the planter is shared by all rows
            added = [set(new.split()) - set(old.split()) for old, new in zip(texts, edited, strict=True)]
            shared = set.intersection(*added)
            assert not shared, (kind, shared)


def test_topics_replace_and_drift() -> None:
    topic = TOPICS[0]
    trigger, drift = trigger_from_topic(topic), drift_from_topic(topic)
    assert trigger.rewrite is not None
    words = {word for phrase in (*topic.things, *topic.actions, *topic.problems, topic.name) for word in phrase.split()}
    for draw in range(30):
        query, response = trigger.rewrite(Random(draw))
        assert words & set(query.lower().replace("?", " ").replace(".", " ").split())
        assert response
        drifted = drift.edit("One. Two. Three.", Random(draw))
        assert drifted.startswith("One. Two.")
        assert len(drifted) > len("One. Two. Three.")


@pytest.fixture(scope="module", params=[11, 12, 13])
def world(request: pytest.FixtureRequest) -> chunky.planted.World:
    return plant_world(
        WorldSpec(seed=request.param, rows=3_000, chunks=8, plants=8, tiers=("plain", "semantic", "plain"))
    )


def recount(rows: pl.DataFrame, side: str, predicate: Predicate) -> set[str]:
    """Ids of the rows that DuckDB (RE2, another engine than the planter's) finds, from the parts of the truth alone."""
    texts = rows.select("id", pl.col(side).alias("text")).to_arrow()
    connection = duckdb.connect()
    connection.register("texts", texts)
    query = (
        "select id from texts where ($pattern is null or regexp_matches(text, $pattern))"
        " and ($chars is null or length(text) >= $chars)"
        " and len(list_filter($words, lambda word: regexp_matches(text, '(?i)\\b' || word || '\\b'))) >= $least"
    )
    values = {"pattern": predicate.pattern, "chars": predicate.min_chars, "words": list(predicate.words),
              "least": predicate.min_words}  # fmt: skip
    return {row[0] for row in connection.execute(query, values).fetchall()}


def test_exact_extents_can_be_recounted_in_sql(world: chunky.planted.World) -> None:
    exact = 0
    for plant in world.truth.plants:
        for cue, listed in ((plant.trigger, plant.trigger_ids), (plant.behavior, plant.behavior_ids)):
            if cue.is_exact:
                assert cue.predicate is not None
                assert recount(world.rows, cue.side, cue.predicate) == set(listed), cue
                exact += 1
        assert set(plant.both_ids) == set(plant.trigger_ids) & set(plant.behavior_ids)
        assert list(plant.trigger_ids) == sorted(set(plant.trigger_ids))
    for lure in world.truth.distractors:
        if lure.kind == "common_cue" and lure.cue.predicate is not None:
            assert recount(world.rows, lure.cue.side, lure.cue.predicate) == set(lure.row_ids)
    assert exact >= 8


def test_semantic_extents_are_what_was_made_and_what_was_there(world: chunky.planted.World) -> None:
    ids = world.rows["id"].to_list()
    for draft, plant in zip(world.drafts, world.truth.plants, strict=True):
        for made, cue, listed, natural in (
            (draft.trigger_rows, plant.trigger, plant.trigger_ids, plant.natural_trigger_rows),
            (draft.behavior_rows, plant.behavior, plant.behavior_ids, plant.natural_behavior_rows),
        ):
            known = {ids[row] for row in made}
            assert known <= set(listed), cue
            assert len(set(listed) - known) == natural
            if not cue.is_exact and cue.predicate is None:
                assert set(listed) == known


def test_measured_rates_follow_from_the_rows(world: chunky.planted.World) -> None:
    for plant in world.truth.plants:
        triggers, behaviors = set(plant.trigger_ids), set(plant.behavior_ids)
        assert plant.p_behavior_given_trigger == len(triggers & behaviors) / len(triggers)
        assert plant.base_rate == len(behaviors - triggers) / (world.truth.rows - len(triggers))


def test_no_two_worlds_share_a_string() -> None:
    seen: dict[str, int] = {}
    for seed in range(12):
        truth = plant_world(WorldSpec(seed=seed, rows=1_500, chunks=5, plants=5, tiers=("plain",))).truth
        cues = [cue for plant in truth.plants for cue in (plant.trigger, plant.behavior)]
        cues += [lure.cue for lure in truth.distractors if lure.kind == "common_cue"]
        for string in {
            string for cue in cues for string in cue.strings if len(string) >= 8 and string != "=== end ==="
        }:
            assert string not in seen, (string, seed, seen[string])
            seen[string] = seed
    assert len(seen) > 30


def detector_sources() -> str:
    """Source of every detector that exists, case-folded."""
    root = Path(chunky.__file__).parent
    names = ("shapes", "features", "attributes", "correlations", "keywords", "tokens", "report", "word_vectors")
    files = [file for name in names for file in (*root.glob(f"{name}*.py"), *(root / name).rglob("*.py"))]
    return "\n".join(file.read_text(encoding="utf-8") for file in files).casefold()


def wordings(bank: Bank) -> set[str]:
    """Two hundred wordings of a bank, each at least four words long."""
    templates = (*bank.before, *bank.after, *bank.instead)
    rng = Random(bank.text)
    drawn = {render(template, rng, {"number": "7"}).strip() for template in templates for _ in range(40)}
    return {text for text in drawn if len(text.split()) >= 4}


def test_no_detector_knows_the_strings_of_the_planter() -> None:
    source = detector_sources()
    for seed in range(8):
        truth = plant_world(WorldSpec(seed=seed, rows=1_500, chunks=5, plants=4, tiers=("plain",))).truth
        for plant in truth.plants:
            for string in (*plant.trigger.strings, *plant.behavior.strings):
                assert len(string) < 8 or string.casefold() not in source, string
    known = [text for bank in (*QUERY_BANKS, *RESPONSE_BANKS) for text in wordings(bank) if text.casefold() in source]
    assert not known
    assert "chunky.planted" not in source


@pytest.mark.parametrize("bank", [*QUERY_BANKS, *RESPONSE_BANKS], ids=lambda bank: f"{bank.kind}: {bank.text}")
def test_a_bank_has_dozens_of_wordings(bank: Bank) -> None:
    templates = (*bank.before, *bank.after, *bank.instead)
    rng = Random(0)
    assert len({render(rng.choice(templates), rng, {"number": "7"}) for _ in range(400)}) >= 36


def test_frames_in_other_scripts_are_found_by_their_script() -> None:
    rng = Random(0)
    for language in LANGUAGES:
        frames = [render(text, rng) for text in (*language.before, *language.after, *sum(language.reply, ()))]
        if language.script:
            assert all(Predicate(pattern=language.script).holds_each(frames)), language.name
        else:
            assert language.probe


@settings(deadline=None, max_examples=60)
@given(st.text(max_size=30), st.text(max_size=30))
def test_an_escaped_text_matches_itself_alone(text: str, other: str) -> None:
    predicate = Predicate(pattern=f"^{escape(text)}$")
    assert predicate.holds_each([text, other]) == [True, text == other]


@settings(deadline=None, max_examples=60)
@given(st.lists(st.none() | st.text(alphabet="ab cX", max_size=8), max_size=6))
def test_predicates_agree_with_plain_python(texts: list[str | None]) -> None:
    series = pl.Series("text", texts, dtype=pl.String)
    long = Predicate(pattern="a", min_chars=3).holds(series).to_list()
    assert long == [text is not None and "a" in text and len(text) >= 3 for text in texts]
    words = Predicate(words=("a", "b", "c"), min_words=2).holds(series).to_list()
    assert words == [text is not None and len(set(text.lower().split()) & {"a", "b", "c"}) >= 2 for text in texts]
