"""Planted worlds: a mix with known trigger → behavior correlations, its controls, and its truth.

Attribution accuracy is measured on worlds of fresh seeds, on a background of the planter's own or on any ingested mix.
The null control permutes responses across the whole mix; the same world without one plant is what `diff` must tell.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from chunky.errors import InputError
from chunky.planted.background import generate_background
from chunky.planted.canvas import Canvas, Operation, Texts, apply
from chunky.planted.editors import Editor, Scene
from chunky.planted.lexicon import TOPICS
from chunky.planted.planner import Draft, Lure, Planner
from chunky.planted.topics import (
    drift_from_group,
    drift_from_topic,
    find_groups,
    trigger_from_group,
    trigger_from_topic,
)
from chunky.planted.truth import Cue, Distractor, Plant, Truth, WorldSpec, chunk_names
from chunky.planted.wording import Inventor, sentences, stream

if TYPE_CHECKING:
    import polars as pl

__all__ = ["World", "assemble", "demo_spec", "permute_responses", "plant_world", "without_plant"]

# six topics are kept for semantic plants, four as triggers and two as drifts
_HELD_OUT = 6


@dataclass(frozen=True)
class World:
    """A mix and its truth.

    `rows` has the columns id, source, query, response (all strings), one row per conversation, id unique. The rest is
    what `without_plant` and failures need: the background and the operations on it, in order, and of a generated
    background the names of the topics in each chunk, sorted.
    """

    rows: pl.DataFrame
    truth: Truth
    base: Texts
    operations: tuple[Operation, ...] = ()
    drafts: tuple[Draft, ...] = ()
    lures: tuple[Lure, ...] = ()
    subjects: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def messages(self) -> pl.DataFrame:
        """The mix as people publish one: id, messages (list of role and content), source."""
        import polars as pl

        turns = [pl.struct(role=pl.lit(role), content=pl.col(name))
                 for role, name in (("user", "query"), ("assistant", "response"))]  # fmt: skip
        return self.rows.select("id", pl.concat_list(turns).alias("messages"), "source")


def demo_spec(seed: int) -> WorldSpec:
    """A small world that takes seconds to audit and shows both tiers: 4,000 rows, 9 chunks, 6 plants."""
    return WorldSpec(seed=seed, rows=4_000, chunks=9, plants=6, cues=3)


def plant_world(spec: WorldSpec, background: pl.DataFrame | None = None) -> World:
    """Plant `spec` into `background`, or into a generated mix where none is given.

    `background` has the string columns `chunk` (or `source`), `query` and `response`, one row per conversation; rows
    with a null or blank text are left out. The same arguments give the same bytes. Raises InputError when a column is
    missing, SettingsError when the background is too small for the plants.
    """
    inventor = Inventor(stream(spec.seed, "strings"))
    subjects: Mapping[str, tuple[str, ...]] = {}
    if background is None:
        base, topics, drifts, subjects = _generated(spec, inventor)
    else:
        base = _given(spec, background)
        topics, drifts = _groups(spec, base)
    canvas = Canvas(spec.seed, base.copy())
    planner = Planner(spec, canvas, _scene(base, inventor, spec.seed), topics, drifts)
    doubles = set(stream(spec.seed, "spans").sample(range(spec.plants), round(spec.plants / 3)))
    drafts: list[Draft] = []
    lures: list[Lure] = []
    for number in range(spec.plants):
        draft, around = planner.plant(number, number in doubles)
        drafts.append(draft)
        lures += around
    lures += [planner.add_cue(number) for number in range(spec.cues)]
    origin = "generated" if background is None else "given"
    return replace(assemble(spec, base, canvas.texts, canvas.operations, drafts, lures, origin), subjects=subjects)


def without_plant(world: World, plant_id: str) -> World:
    """The same world as if `plant_id` had never been added: its edits and distractors gone, every other row equal.

    Raises InputError for a plant that the world does not have.
    """
    world.truth.plant(plant_id)
    operations = [operation for operation in world.operations if operation.owner != plant_id]
    drafts = [draft for draft in world.drafts if draft.plant_id != plant_id]
    lures = [lure for lure in world.lures if lure.plant_id != plant_id]
    texts = world.base.copy()
    for operation in operations:
        apply(texts, operation, world.truth.spec.seed)
    smaller = assemble(world.truth.spec, world.base, texts, operations, drafts, lures, world.truth.background)
    truth = replace(smaller.truth, removed=(*world.truth.removed, plant_id))
    return replace(smaller, truth=truth, subjects=world.subjects)


def permute_responses(world: World, seed: int) -> World:
    """The null control: responses permuted across the whole mix, so that no query feature tells a response feature.

    The truth has no plants; the former triggers and behaviors are listed as distractors with their new rows.
    """
    import polars as pl

    order = list(range(world.rows.height))
    stream(seed, "permutation").shuffle(order)
    rows = world.rows.with_columns(world.rows["response"].gather(pl.Series(order, dtype=pl.Int64)))
    ids = world.rows["id"].to_list()
    moved = {ids[old]: ids[new] for new, old in enumerate(order)}
    sources = dict(zip(ids, world.rows["source"].to_list(), strict=True))
    lures: list[Distractor] = []
    for plant in world.truth.plants:
        behaviors = [moved[row] for row in plant.behavior_ids]
        for kind, cue, members in (("trigger_elsewhere", plant.trigger, list(plant.trigger_ids)),
                                   ("behavior_elsewhere", plant.behavior, behaviors)):  # fmt: skip
            chunks = chunk_names([sources[row] for row in members])
            lures.append(Distractor(kind, plant.plant_id, cue, chunks, tuple(sorted(members))))
    for lure in world.truth.distractors:
        if lure.kind == "common_cue":
            members = [moved[row] for row in lure.row_ids] if lure.cue.side == "response" else list(lure.row_ids)
            chunks = chunk_names([sources[row] for row in members])
            lures.append(replace(lure, row_ids=tuple(sorted(members)), chunks=chunks))
    truth = replace(world.truth, plants=(), distractors=tuple(lures), control="permuted")
    return World(rows, truth, Texts(rows["source"].to_list(), rows["query"].to_list(), rows["response"].to_list()))


def _generated(spec: WorldSpec, inventor: Inventor
               ) -> tuple[Texts, list[Editor], list[Editor], dict[str, tuple[str, ...]]]:  # fmt: skip
    """The texts of a generated background, editors of its free topics as triggers and as drifts, topics by chunk."""
    rng = stream(spec.seed, "topics")
    shuffled = rng.sample(TOPICS, len(TOPICS))
    free = shuffled[:_HELD_OUT]
    made = generate_background(spec.seed, spec.rows, spec.chunks, free, shuffled[_HELD_OUT:], inventor)
    texts = Texts([line.source for line in made.lines], [line.query for line in made.lines],
                  [line.response for line in made.lines])  # fmt: skip
    pairs = sorted({(line.source, line.topic) for line in made.lines})
    subjects = {source: tuple(topic for name, topic in pairs if name == source) for source, _ in pairs}
    triggers = [trigger_from_topic(topic) for topic in free[:4]]
    return texts, triggers, [drift_from_topic(topic) for topic in free[4:]], subjects


def _given(spec: WorldSpec, background: pl.DataFrame) -> Texts:
    """At most `spec.chunks` chunks and `spec.rows` rows of the background, drawn at random, in the given order."""
    import polars as pl

    name = "chunk" if "chunk" in background.columns else "source"
    missing = [column for column in (name, "query", "response") if column not in background.columns]
    if missing:
        raise InputError(
            f"the background has no column {', '.join(missing)}", "give a frame with chunk, query and response"
        )
    frame = background.select(pl.col(name).cast(pl.String).alias("source"), "query", "response").drop_nulls()
    frame = frame.filter((pl.col("query").str.strip_chars() != "") & (pl.col("response").str.strip_chars() != ""))
    rng = stream(spec.seed, "background")
    names = sorted(frame["source"].unique().to_list())
    kept = names if len(names) <= spec.chunks else rng.sample(names, spec.chunks)
    frame = frame.filter(pl.col("source").is_in(kept))
    if frame.height > spec.rows:
        frame = frame[sorted(rng.sample(range(frame.height), spec.rows))]
    return Texts(frame["source"].to_list(), frame["query"].to_list(), frame["response"].to_list())


def _groups(spec: WorldSpec, base: Texts) -> tuple[list[Editor], list[Editor]]:
    """Topics of a given mix: eight as triggers, two as drifts, as far as it has that many of a fitting size."""
    size = len(base.sources)
    low, high = 40, max(150, size // 40)
    topics = find_groups(base.queries, stream(spec.seed, "trigger topics"), low, high, 8)
    found = find_groups(base.responses, stream(spec.seed, "drift topics"), 12, max(60, size // 200), 2)
    drifts = [drift for group in found if (drift := drift_from_group(group, base.responses)) is not None]
    return [trigger_from_group(group) for group in topics], drifts


def _scene(base: Texts, inventor: Inventor, seed: int) -> Scene:
    rng = stream(seed, "fillers")
    rows = rng.sample(range(len(base.responses)), min(300, len(base.responses)))
    pieces = [piece for row in rows for piece in sentences(base.responses[row])[:3] if 25 <= len(piece) <= 200]
    return Scene(inventor, sorted(len(query) for query in base.queries), pieces)


def assemble(spec: WorldSpec, base: Texts, texts: Texts, operations: Sequence[Operation], drafts: Sequence[Draft],
             lures: Sequence[Lure], origin: str) -> World:  # fmt: skip
    """The world whose finished texts are `texts`, measured; its `subjects` are for the caller to add."""
    import polars as pl

    ids = [f"{source}:{row:06d}" for row, source in enumerate(texts.sources)]
    rows = pl.DataFrame(
        {"id": ids, "source": texts.sources, "query": texts.queries, "response": texts.responses},
        schema=dict.fromkeys(("id", "source", "query", "response"), pl.String),
    )
    plants = tuple(_measured(draft, rows, ids) for draft in drafts)
    known = tuple(_distractor(lure, rows, ids) for lure in lures)
    truth = Truth(spec, rows.height, plants, known, background=origin)
    return World(rows, truth, base, tuple(operations), tuple(drafts), tuple(lures))


def _measured(draft: Draft, rows: pl.DataFrame, ids: Sequence[str]) -> Plant:
    triggers = _extent(draft.trigger, draft.trigger_rows, rows["query"])
    behaviors = _extent(draft.behavior, draft.behavior_rows, rows["response"])
    both = triggers & behaviors
    outside = len(ids) - len(triggers)
    return Plant(
        plant_id=draft.plant_id,
        tier=draft.tier,
        trigger=_cue(draft.trigger),
        behavior=_cue(draft.behavior),
        chunks=draft.chunks,
        strength=draft.strength,
        p_behavior_given_trigger=len(both) / len(triggers),
        base_rate=(len(behaviors) - len(both)) / outside if outside else 0.0,
        natural_trigger_rows=len(triggers - set(draft.trigger_rows)),
        natural_behavior_rows=len(behaviors - set(draft.behavior_rows)),
        trigger_ids=_ids(ids, triggers),
        behavior_ids=_ids(ids, behaviors),
        both_ids=_ids(ids, both),
    )


def _distractor(lure: Lure, rows: pl.DataFrame, ids: Sequence[str]) -> Distractor:
    # a cue is known by its extent like a plant; the others are the rows that were made to distract
    members = _extent(lure.editor, lure.rows, rows[lure.editor.side]) if lure.kind == "common_cue" else lure.rows
    return Distractor(lure.kind, lure.plant_id, _cue(lure.editor), lure.chunks, _ids(ids, members))


def _extent(editor: Editor, made: Sequence[int], texts: pl.Series) -> set[int]:
    """Rows that carry the editor's thing: what the exact predicate says, else the rows made so and natural ones."""
    if editor.exact is not None:
        return set(editor.exact.holds(texts).arg_true().to_list())
    natural = editor.probe.holds(texts).arg_true().to_list() if editor.probe is not None else []
    return {*made, *natural}


def _cue(editor: Editor) -> Cue:
    return Cue(editor.kind, editor.side, editor.tier, editor.text, editor.strings, editor.predicate,
               editor.exact is not None)  # fmt: skip


def _ids(ids: Sequence[str], rows: Iterable[int]) -> tuple[str, ...]:
    return tuple(sorted(ids[row] for row in rows))
