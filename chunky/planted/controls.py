"""Controls of tracing: failing pairs that no trigger of the mix explains. What names one for them is mistaken.

absent behavior        the response shows what nothing in the mix shows
independent behavior   it shows what the mix shows in some rows of every kind, whatever their query
swapped response       a query of the mix with the response to another one, far from it
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING

from chunky.errors import InputError
from chunky.planted.behaviors import PLAIN_BEHAVIORS, SEMANTIC_BEHAVIORS
from chunky.planted.canvas import Canvas, Texts
from chunky.planted.editors import Editor, Scene
from chunky.planted.failures import Composer, PlantedFailure
from chunky.planted.planner import Lure
from chunky.planted.rubrics import RUBRICS
from chunky.planted.subjects import words
from chunky.planted.truth import chunk_names
from chunky.planted.wording import Inventor, stream
from chunky.planted.world import World, assemble

if TYPE_CHECKING:
    import polars as pl

__all__ = ["CONTROLS", "absent_behaviors", "draw_controls", "with_independent_behavior"]

_MAX_ROWS = 2
_DRAWS = 4
_INDEPENDENT = "independent_behavior"
_SHARE = 0.03
# the farthest of so many rows is swapped in; with other chunks in the minority so many are looked at
_CHOICE = 24
_PLENTY = 2_000
# lists and fences of another kind stand in every background, and have causes there
_ABSENT = sorted(
    (kind, tier)
    for tier, makers in (("plain", PLAIN_BEHAVIORS), ("semantic", SEMANTIC_BEHAVIORS))
    for kind in makers
    if kind not in ("bullets", "code_fence")
)
# kinds that add to a response and take nothing away, so that no plant loses its behavior in rows that get one
_ADDING = {
    ("closing_sentence", "plain"), ("opening_phrase", "plain"), ("emoji", "plain"), ("slot", "plain"),
    ("stamp", "plain"), ("heading", "plain"), ("persona_claim", "plain"), ("apology", "semantic"),
    ("disclaimer", "semantic"), ("flattery", "semantic"), ("moralizing", "semantic"), ("persona_claim", "semantic"),
    ("question_back", "semantic"), ("rebuttal", "semantic"),
}  # fmt: skip


def draw_controls(world: World, kind: str, count: int, seed: int) -> list[PlantedFailure]:
    """`count` failing pairs without a cause, of one `kind` of `CONTROLS`; the same arguments give the same pairs.

    Queries of the first two kinds are on foreign subjects as those of failures are, every second one with the trigger
    of some plant. An independent behavior needs a world made by `with_independent_behavior`. Raises InputError for
    another kind, for a world without what the kind needs, and where no fitting pair comes up.
    """
    if kind not in CONTROLS:
        raise InputError(f"there is no control {kind!r}", f"choose one of {', '.join(CONTROLS)}")
    return CONTROLS[kind](world, count, seed)


def absent_behaviors(world: World, seed: int, adding: bool = False) -> list[Editor]:
    """Behaviors that at most two rows of the mix show, of kinds unlike all that was put into its responses.

    Kinds come in random order, each at most once; with `adding` only kinds that leave the rest of a response alone.
    The list is empty where the mix leaves no kind.
    """
    rng = stream(world.truth.spec.seed, f"absent behaviors {seed}")
    scene = Scene(Inventor(stream(world.truth.spec.seed, f"absent strings {seed}")), (), ())
    used = {likeness for draft in world.drafts for likeness in _likenesses(draft.behavior)}
    cues = [lure.editor for lure in world.lures if lure.editor.side == "response"]
    used |= {likeness for editor in cues for likeness in _likenesses(editor)}
    found: list[Editor] = []
    for kind, tier in rng.sample(_ABSENT, len(_ABSENT)):
        if adding and (kind, tier) not in _ADDING:
            continue
        maker = (PLAIN_BEHAVIORS if tier == "plain" else SEMANTIC_BEHAVIORS)[kind]
        for _ in range(_DRAWS):
            editor = maker(rng, scene)
            if not _likenesses(editor) & used and _rows_with(editor, world.rows["response"]) <= _MAX_ROWS:
                found.append(editor)
                used |= _likenesses(editor)
                break
    return found


def with_independent_behavior(world: World, seed: int) -> tuple[World, Editor]:
    """`world` with a behavior edited into 3 % of all rows at random, whatever query and chunk, and its editor.

    The mix did not show it before; plants keep their rows and are measured anew. The truth lists the rows as a
    distractor of kind `independent_behavior`. Raises InputError where every kind of behavior is taken.
    """
    choice = absent_behaviors(world, seed, adding=True)
    if not choice:
        raise InputError("this mix shows every kind of behavior that only adds", "use a world with fewer plants")
    editor, owner = choice[0], f"independent {seed}"
    columns = (world.rows[name].to_list() for name in ("source", "query", "response"))
    canvas = Canvas(world.truth.spec.seed, Texts(*columns))
    rows = stream(world.truth.spec.seed, owner).sample(range(world.rows.height), round(_SHARE * world.rows.height))
    done = canvas.overlay(editor, owner, rows, {})
    chunks = chunk_names([canvas.texts.sources[row] for row in done])
    lure = Lure(_INDEPENDENT, None, owner, editor, chunks, tuple(sorted(done)))
    made = assemble(world.truth.spec, world.base, canvas.texts, [*world.operations, *canvas.operations], world.drafts,
                    [*world.lures, lure], world.truth.background)  # fmt: skip
    truth = replace(made.truth, removed=world.truth.removed)
    return replace(made, truth=truth, subjects=world.subjects), editor


def _absent(world: World, count: int, seed: int) -> list[PlantedFailure]:
    return _showing(world, absent_behaviors(world, seed), "absent behavior", count, seed)


def _independent(world: World, count: int, seed: int) -> list[PlantedFailure]:
    editors = [lure.editor for lure in world.lures if lure.kind == _INDEPENDENT]
    if not editors:
        raise InputError(
            "this world has no behavior that goes with no query", "make one: with_independent_behavior(world, seed)"
        )
    return _showing(world, editors, "independent behavior", count, seed)


def _showing(world: World, editors: Collection[Editor], control: str, count: int, seed: int) -> list[PlantedFailure]:
    """Pairs that show one of `editors` in turn, every second one with a plant's trigger."""
    if count and not editors:
        raise InputError("the mix shows every kind of behavior", "use a world with fewer plants")
    composer, choice = Composer(world), list(editors)
    found = []
    for number in range(count):
        purpose = f"{control} {seed} {number}"
        rng = stream(world.truth.spec.seed, f"{purpose} choice")
        editor = choice[number // 2 % len(choice)]
        draft = rng.choice(world.drafts) if number % 2 and world.drafts else None
        [(query, response)] = composer.compose(draft, editor, purpose, 1)
        found.append(PlantedFailure(None, editor.tier, control, query, response, rng.choice(RUBRICS[editor.kind])))
    return found


def _swapped(world: World, count: int, seed: int) -> list[PlantedFailure]:
    """Queries of the mix, each with the response whose query shares the fewest words with it, of two dozen drawn."""
    rows = world.rows
    if count > rows.height or rows["source"].n_unique() < 2:
        raise InputError(f"{rows.height} rows are too few for {count} swapped responses", "draw fewer")
    rng = stream(world.truth.spec.seed, f"swapped {seed}")
    ids, queries, responses = (rows[name].to_list() for name in ("id", "query", "response"))
    plants = [(set(plant.trigger_ids), set(plant.behavior_ids)) for plant in world.truth.plants]
    texts = [text for kind in sorted(RUBRICS) for text in RUBRICS[kind]]
    found = []
    for row in rng.sample(range(rows.height), count):
        # a response that shows what the query's own trigger teaches would be no control
        taught = {name for triggers, behaviors in plants if ids[row] in triggers for name in behaviors}
        other = _far(rows, queries, row, taught, rng)
        found.append(PlantedFailure(None, None, "swapped response", queries[row], responses[other], rng.choice(texts)))
    return found


def _far(rows: pl.DataFrame, queries: list[str], row: int, taught: set[str], rng: Random) -> int:
    """A row of another chunk, not one of `taught`, whose query has little in common with that of `row`."""
    own, source = words(queries[row]), rows["source"][row]
    drawn: list[int] = []
    for at in rng.sample(range(rows.height), min(rows.height, _PLENTY)):
        if rows["source"][at] != source and rows["id"][at] not in taught:
            drawn.append(at)
        if len(drawn) == _CHOICE:
            break
    if not drawn:
        raise InputError(f"no response outside {source} is free of what its queries teach", "use a larger world")
    return min(drawn, key=lambda at: len(own & words(queries[at])) / max(1, len(own | words(queries[at]))))


def _likenesses(editor: Editor) -> set[str]:
    """Names under which an editor is the same sort of thing as another one: its kind, and its family's first word."""
    return {editor.kind, editor.family.split(" ")[0]}


def _rows_with(editor: Editor, texts: pl.Series) -> int:
    # without a predicate nothing tells that the mix lacks it
    return len(texts) if editor.predicate is None else int(editor.predicate.holds(texts).sum())


CONTROLS: dict[str, Callable[[World, int, int], list[PlantedFailure]]] = {
    "absent behavior": _absent,
    "independent behavior": _independent,
    "swapped response": _swapped,
}
