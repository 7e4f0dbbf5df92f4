"""Planted worlds: deterministic, honest, and varied."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from chunky.errors import InputError, SettingsError
from chunky.planted import World, WorldSpec, demo_spec, permute_responses, plant_world, without_plant
from chunky.planted.canvas import apply

SEEDS = (101, 202)


@pytest.fixture(scope="module", params=SEEDS)
def world(request: pytest.FixtureRequest) -> World:
    return plant_world(WorldSpec(seed=request.param, rows=4_000, chunks=9, plants=9))


def owners(world: World) -> dict[int, set[str]]:
    """Rows that were changed, with whoever changed them."""
    found: dict[int, set[str]] = {}
    for operation in world.operations:
        found.setdefault(operation.row, set()).add(operation.owner)
    return found


def test_shape(world: World) -> None:
    rows = world.rows
    assert rows.columns == ["id", "source", "query", "response"]
    assert rows.height == 4_000 == world.truth.rows
    assert rows["id"].n_unique() == rows.height
    assert rows["source"].n_unique() == 9
    assert rows.null_count().sum_horizontal().item() == 0
    assert rows.filter(pl.col("query").str.strip_chars() == "").is_empty()
    assert rows.filter(pl.col("response").str.strip_chars() == "").is_empty()
    assert len(world.truth.plants) == 9


def test_same_spec_gives_the_same_world(world: World) -> None:
    again = plant_world(world.truth.spec)
    assert again.rows.equals(world.rows)
    assert again.truth == world.truth


def test_bytes_do_not_depend_on_the_process() -> None:
    spec = WorldSpec(seed=7, rows=600, chunks=4, plants=3)
    code = (
        "import hashlib, json\n"
        "from chunky.planted import WorldSpec, plant_world\n"
        "world = plant_world(WorldSpec(seed=7, rows=600, chunks=4, plants=3))\n"
        "text = world.rows.write_json() + json.dumps(world.truth.to_dict())\n"
        "import sys; sys.stdout.write(hashlib.sha256(text.encode()).hexdigest())\n"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "12345"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True,
                          cwd=Path(__file__).parent.parent)  # fmt: skip
    import json

    here = plant_world(spec)
    text = here.rows.write_json() + json.dumps(here.truth.to_dict())
    assert done.stdout == hashlib.sha256(text.encode()).hexdigest()


def test_operations_tell_the_whole_story(world: World) -> None:
    texts = world.base.copy()
    for operation in world.operations:
        apply(texts, operation, world.truth.spec.seed)
    assert texts.queries == world.rows["query"].to_list()
    assert texts.responses == world.rows["response"].to_list()


def test_untouched_rows_keep_their_text(world: World) -> None:
    changed = owners(world)
    for row, (query, response) in enumerate(world.rows.select("query", "response").iter_rows()):
        if row not in changed:
            assert (query, response) == (world.base.queries[row], world.base.responses[row])
    assert 0.1 < len(changed) / world.rows.height < 0.6


def test_most_rows_of_a_planted_chunk_carry_no_trigger(world: World) -> None:
    source = dict(zip(world.rows["id"], world.rows["source"], strict=True))
    sizes = world.rows["source"].value_counts()
    triggered: dict[str, set[str]] = {}
    for plant in world.truth.plants:
        for name in plant.trigger_ids:
            triggered.setdefault(source[name], set()).add(name)
    for chunk, size in sizes.iter_rows():
        assert len(triggered.get(chunk, ())) <= size / 2, chunk


def test_a_third_of_the_plants_span_two_chunks(world: World) -> None:
    assert sum(len(plant.chunks) == 2 for plant in world.truth.plants) == 3
    assert all(len(plant.chunks) in (1, 2) for plant in world.truth.plants)


def test_triggers_fire_as_strongly_as_asked(world: World) -> None:
    source = dict(zip(world.rows["id"], world.rows["source"], strict=True))
    for plant in world.truth.plants:
        alone = {name for lure in world.truth.distractors if lure.kind == "trigger_elsewhere"
                 and lure.plant_id == plant.plant_id for name in lure.row_ids}  # fmt: skip
        planted = [name for name in plant.trigger_ids if source[name] in plant.chunks and name not in alone]
        rate = len(set(planted) & set(plant.both_ids)) / len(planted)
        # four standard errors of a binomial rate
        assert abs(rate - plant.strength) < 4 * (0.25 / len(planted)) ** 0.5, plant.plant_id
        assert plant.p_behavior_given_trigger > 5 * plant.base_rate
        assert 0 < plant.base_rate < 0.05


def test_distractors_hold_one_half_only(world: World) -> None:
    source = dict(zip(world.rows["id"], world.rows["source"], strict=True))
    plants = {plant.plant_id: plant for plant in world.truth.plants}
    kinds = {lure.kind for lure in world.truth.distractors}
    assert kinds == {"trigger_elsewhere", "behavior_elsewhere", "common_cue"}
    for lure in world.truth.distractors:
        if lure.plant_id is None:
            continue
        plant = plants[lure.plant_id]
        members = set(lure.row_ids)
        if lure.kind == "trigger_elsewhere":
            assert members <= set(plant.trigger_ids)
            assert not {source[name] for name in members} & set(plant.chunks)
            # a probe of the semantic tier may see a behavior that the background shows by itself
            assert len(members & set(plant.both_ids)) <= 0.1 * len(members)
        else:
            assert members <= set(plant.behavior_ids)
            assert not members & set(plant.trigger_ids)
            assert {source[name] for name in members} - set(plant.chunks)


def test_cues_go_with_triggers_no_more_than_their_chunk_says(world: World) -> None:
    source = dict(zip(world.rows["id"], world.rows["source"], strict=True))
    for lure in world.truth.distractors:
        if lure.kind == "common_cue":
            assert len({source[name] for name in lure.row_ids}) == 1
            assert 5 < len(lure.row_ids) < 0.4 * (world.rows["source"] == lure.chunks[0]).sum()


def test_both_tiers_and_many_kinds_are_drawn() -> None:
    triggers: set[str] = set()
    behaviors: set[str] = set()
    for seed in range(4):
        truth = plant_world(WorldSpec(seed=seed, rows=3_000, chunks=8, plants=8)).truth
        assert [plant.tier for plant in truth.plants] == ["plain", "semantic"] * 4
        triggers |= {plant.trigger.kind for plant in truth.plants}
        behaviors |= {plant.behavior.kind for plant in truth.plants}
        assert len({plant.trigger.text for plant in truth.plants}) == 8
    assert len(triggers) >= 10
    assert len(behaviors) >= 10


def test_a_tier_can_be_asked_for_alone() -> None:
    truth = plant_world(WorldSpec(seed=5, rows=2_000, chunks=5, plants=4, tiers=("plain",))).truth
    assert {cue.tier for plant in truth.plants for cue in (plant.trigger, plant.behavior)} == {"plain"}


def test_strength_can_be_one_number() -> None:
    truth = plant_world(WorldSpec(seed=6, rows=2_000, chunks=5, plants=3, strength=1.0)).truth
    for plant in truth.plants:
        assert plant.strength == 1.0
        assert plant.p_behavior_given_trigger > 0.75


def test_without_plant_leaves_all_other_rows_alone(world: World) -> None:
    gone = world.truth.plants[2]
    smaller = without_plant(world, gone.plant_id)
    changed = {row for row, names in owners(world).items() if gone.plant_id in names}
    differs = (world.rows["query"] != smaller.rows["query"]) | (world.rows["response"] != smaller.rows["response"])
    assert set(differs.arg_true().to_list()) <= changed
    assert differs.sum() >= len(gone.both_ids) - gone.natural_behavior_rows
    assert smaller.rows["id"].equals(world.rows["id"])
    assert smaller.truth.removed == (gone.plant_id,)
    assert [plant.plant_id for plant in smaller.truth.plants] == [
        plant.plant_id for plant in world.truth.plants if plant.plant_id != gone.plant_id
    ]
    for plant in smaller.truth.plants:
        before = world.truth.plant(plant.plant_id)
        assert set(plant.both_ids) <= set(before.trigger_ids) | set(before.behavior_ids)
        assert abs(plant.p_behavior_given_trigger - before.p_behavior_given_trigger) < 0.05
    if gone.trigger.is_exact and gone.trigger.predicate and not gone.natural_trigger_rows:
        assert not gone.trigger.predicate.holds(smaller.rows["query"]).any()


def test_removing_every_plant_and_no_cue_gives_the_background() -> None:
    world = plant_world(WorldSpec(seed=8, rows=1_000, chunks=4, plants=3, cues=0))
    for plant in world.truth.plants:
        world = without_plant(world, plant.plant_id)
    assert world.rows["query"].to_list() == world.base.queries
    assert world.rows["response"].to_list() == world.base.responses
    assert world.truth.plants == ()
    with pytest.raises(InputError, match="no plant 'plant_01'"):
        without_plant(world, "plant_01")


def test_permuted_responses_carry_no_plant(world: World) -> None:
    null = permute_responses(world, 3)
    assert null.truth.plants == ()
    assert null.truth.control == "permuted"
    assert null.rows["query"].equals(world.rows["query"])
    assert null.rows["response"].sort().equals(world.rows["response"].sort())
    assert (null.rows["response"] != world.rows["response"]).mean() > 0.9
    assert permute_responses(world, 3).rows.equals(null.rows)
    assert not permute_responses(world, 4).rows.equals(null.rows)
    for plant in world.truth.plants:
        halves = {lure.kind: set(lure.row_ids) for lure in null.truth.distractors if lure.plant_id == plant.plant_id}
        triggers, behaviors = halves["trigger_elsewhere"], halves["behavior_elsewhere"]
        assert len(behaviors) == len(plant.behavior_ids)
        expected = len(triggers) * len(behaviors) / null.rows.height
        assert len(triggers & behaviors) <= expected + 5 * expected**0.5 + 1
    for lure in null.truth.distractors:
        if lure.cue.is_exact and lure.cue.predicate is not None:
            found = null.rows.filter(lure.cue.predicate.holds(null.rows[lure.cue.side]))["id"]
            assert set(found) == set(lure.row_ids)


def test_a_given_mix_is_planted_with_its_own_topics() -> None:
    donor = plant_world(WorldSpec(seed=55, rows=3_000, chunks=6, plants=0, cues=0)).rows
    spec = WorldSpec(seed=9, rows=2_500, chunks=5, plants=6, tiers=("semantic",))
    world = plant_world(spec, donor)
    assert world.truth.background == "given"
    assert world.rows.height <= 2_500
    assert world.rows["source"].n_unique() == 5
    texts = set(donor["query"])
    assert set(world.base.queries) <= texts
    kinds = {plant.trigger.kind for plant in world.truth.plants} | {plant.behavior.kind for plant in world.truth.plants}
    assert kinds & {"topic", "drift"}
    for plant in world.truth.plants:
        if plant.trigger.kind == "topic":
            inside = world.rows.filter(pl.col("id").is_in(plant.trigger_ids))["source"].is_in(plant.chunks)
            assert inside.mean() > 0.6
    # moved rows were exchanged: as many rows and queries as before
    assert world.rows["source"].to_list() == world.base.sources


def test_a_bad_background_is_refused() -> None:
    with pytest.raises(InputError, match="no column response"):
        plant_world(WorldSpec(seed=1), pl.DataFrame({"chunk": ["a"], "query": ["b"]}))
    small = pl.DataFrame({"chunk": ["a"] * 5, "query": ["b"] * 5, "response": ["c"] * 5})
    with pytest.raises(SettingsError, match="large enough"):
        plant_world(WorldSpec(seed=1), small)


@pytest.mark.parametrize(
    "values", [{"rows": 10}, {"chunks": 1}, {"plants": -1}, {"tiers": ("odd",)}, {"tiers": ()}, {"strength": 1.5},
               {"prevalence": (0.5, 0.2)}]
)  # fmt: skip
def test_a_bad_spec_is_refused(values: dict[str, object]) -> None:
    with pytest.raises(SettingsError):
        WorldSpec(**{"seed": 1, **values})  # type: ignore[arg-type]


def test_too_many_plants_are_refused() -> None:
    with pytest.raises(SettingsError, match="plants"):
        plant_world(WorldSpec(seed=1, rows=400, chunks=3, plants=40))


def test_generated_texts_read_like_texts() -> None:
    rows = plant_world(WorldSpec(seed=77, rows=2_000, chunks=6, plants=0, cues=0)).rows
    sums = codes = 0
    for query, response in rows.select("query", "response").iter_rows():
        for text in (query, response):
            assert not re.search(r"[{}|]|\[\w", re.sub(r"(?s)```.*?```", "", text)), text
            assert not re.search(r"\b[Aa] [aeiou]|  |\.\.| [,.;]", re.sub(r"(?s)```.*?```", "", text)), text
            assert text[0].isupper() or not text[0].isalpha()
        for left, right, product in re.findall(r"(\d+) × (\d+) = (\d+)", response):
            assert int(left) * int(right) == int(product)
            sums += 1
        for code in re.findall(r"(?s)```python\n(.*?)```", response):
            compile(code, "answer", "exec")
            codes += 1
    assert sums > 10
    assert codes > 10
    assert rows.select("query", "response").n_unique() > 0.9 * rows.height


def test_no_wording_of_the_background_belongs_to_one_chunk() -> None:
    rows = plant_world(WorldSpec(seed=78, rows=6_000, chunks=8, plants=0, cues=0)).rows
    words = (
        rows.select("source", pl.col("query").str.to_lowercase().str.extract_all(r"\p{L}+").list.head(3).list.join(" "))
        .group_by("query")
        .agg(pl.len().alias("rows"), pl.col("source").value_counts().struct.field("count").max().alias("count"))
        .filter(pl.col("rows") >= 60)
    )
    assert words.height > 10
    assert (words["count"] / words["rows"]).max() < 0.85


def test_the_demo_is_small_and_shows_both_tiers() -> None:
    spec = demo_spec(3)
    world = plant_world(spec)
    assert 3_000 <= world.rows.height <= 6_000
    assert 8 <= world.rows["source"].n_unique() <= 10
    assert {plant.tier for plant in world.truth.plants} == {"plain", "semantic"}


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(500, 512))
def test_every_seed_gives_an_honest_world(seed: int) -> None:
    truth = plant_world(WorldSpec(seed=seed)).truth
    assert len(truth.plants) == 10
    for plant in truth.plants:
        assert plant.p_behavior_given_trigger > 10 * plant.base_rate
        assert plant.natural_trigger_rows <= 0.2 * len(plant.trigger_ids)
        assert plant.natural_behavior_rows <= 0.4 * len(plant.behavior_ids)
        assert len(plant.trigger_ids) >= 30


@pytest.mark.real_mix
def test_a_real_mix_can_be_planted(real_mix: Path) -> None:
    parts = []
    for path in sorted(real_mix.glob("*.parquet")):
        content = pl.element().struct.field("content")
        role = pl.element().struct.field("role")
        first = {
            side: pl.col("messages").list.eval(content.filter(role == name)).list.first()
            for side, name in (("query", "user"), ("response", "assistant"))
        }
        parts.append(pl.read_parquet(path).head(400).select(pl.col("source").alias("chunk"), **first))
    world = plant_world(WorldSpec(seed=4, rows=10_000, chunks=40), pl.concat(parts))
    assert len(world.truth.plants) == 10
    for plant in world.truth.plants:
        assert plant.p_behavior_given_trigger > 3 * plant.base_rate
        if plant.trigger.kind != "topic":
            assert plant.natural_trigger_rows <= 0.25 * len(plant.trigger_ids)
