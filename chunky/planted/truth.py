"""The truth about a planted world: what was planted where, and exactly which rows carry it.

Row sets are extents in the finished mix, whoever put them there: injected rows, rows elsewhere that distract, and rows
in which the background says the same by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from chunky.errors import InputError, SettingsError
from chunky.planted.predicates import Predicate

__all__ = ["TIERS", "Cue", "Distractor", "Plant", "Truth", "WorldSpec"]

TIERS = ("plain", "semantic")
DISTRACTORS = ("trigger_elsewhere", "behavior_elsewhere", "common_cue", "independent_behavior")


@dataclass(frozen=True)
class WorldSpec:
    """What world to plant; all that is drawn is drawn from `seed`.

    `rows` and `chunks` are the size of a generated background and upper limits for a given one. Pairs of numbers are
    ranges from which each plant draws: `strength` = P(behavior edited in, given an injected trigger); `prevalence` =
    share of a planted chunk's rows that get the trigger (a chunk with several plants stays below `0.45` in sum);
    `base_rate` = share of the whole mix that gets the behavior without the trigger; `elsewhere` = rows in other chunks
    that get the trigger alone, as a share of the planted ones. `cues` counts strings and formats that are merely
    common in one chunk. Raises SettingsError for values that cannot be used.
    """

    seed: int
    rows: int = 8_000
    chunks: int = 12
    plants: int = 10
    strength: tuple[float, float] | float = (0.6, 0.95)
    prevalence: tuple[float, float] = (0.12, 0.30)
    base_rate: tuple[float, float] = (0.002, 0.010)
    elsewhere: tuple[float, float] = (0.08, 0.20)
    cues: int = 4
    tiers: tuple[str, ...] = TIERS

    def __post_init__(self) -> None:
        if not self.tiers or not set(self.tiers) <= set(TIERS):
            raise SettingsError(f"a planted world has no tier {self.tiers}", f"choose from {', '.join(TIERS)}")
        if self.rows < 200 or self.chunks < 2 or self.plants < 0 or self.cues < 0:
            raise SettingsError(
                f"a world of {self.rows} rows, {self.chunks} chunks, {self.plants} plants and {self.cues} cues",
                "give at least 200 rows and 2 chunks, and no negative number",
            )
        for name in ("strength", "prevalence", "base_rate", "elsewhere"):
            low, high = self.range_of(name)
            if not 0 <= low <= high <= 1:
                raise SettingsError(f"{name} = ({low}, {high})", "give two shares in order, each between 0 and 1")

    def range_of(self, name: str) -> tuple[float, float]:
        """The range called `name`; a single number is a range of one value."""
        value = getattr(self, name)
        return (value, value) if isinstance(value, int | float) else (value[0], value[1])


@dataclass(frozen=True)
class Cue:
    """One trigger or behavior: `text` completes `the query …` or `the response …`.

    With `is_exact` the predicate alone decides membership; without, the rows are known because they were made so, and
    the predicate, where there is one, only adds natural occurrences. `strings` are the literals drawn from the seed.
    """

    kind: str
    side: str
    tier: str
    text: str
    strings: tuple[str, ...] = ()
    predicate: Predicate | None = None
    is_exact: bool = False


@dataclass(frozen=True)
class Plant:
    """One planted correlation with its extents; row ids are the `id` of the mix, ascending.

    `chunks` are the planted ones; the trigger also occurs elsewhere. `strength` was asked for;
    `p_behavior_given_trigger` and `base_rate` = P(behavior given not trigger) are measured on all rows of the mix.
    Natural counts are rows of the extent that no edit of this plant made.
    """

    plant_id: str
    tier: str
    trigger: Cue
    behavior: Cue
    chunks: tuple[str, ...]
    strength: float
    p_behavior_given_trigger: float
    base_rate: float
    natural_trigger_rows: int
    natural_behavior_rows: int
    trigger_ids: tuple[str, ...]
    behavior_ids: tuple[str, ...]
    both_ids: tuple[str, ...]


@dataclass(frozen=True)
class Distractor:
    """Rows that invite a false finding.

    They hold a trigger or behavior of `plant_id` alone, a cue that is merely common, or a behavior that goes with no
    query.
    """

    kind: str
    plant_id: str | None
    cue: Cue
    chunks: tuple[str, ...]
    row_ids: tuple[str, ...]


@dataclass(frozen=True)
class Truth:
    """All that is known about one world. `control` is `permuted` where responses were permuted: nothing is planted."""

    spec: WorldSpec
    rows: int
    plants: tuple[Plant, ...]
    distractors: tuple[Distractor, ...]
    background: str = "generated"
    control: str | None = None
    removed: tuple[str, ...] = field(default=())

    def plant(self, plant_id: str) -> Plant:
        """The plant `plant_id`; InputError with the names there are when it is absent."""
        for plant in self.plants:
            if plant.plant_id == plant_id:
                return plant
        names = ", ".join(plant.plant_id for plant in self.plants) or "none"
        raise InputError(f"this world has no plant {plant_id!r}", f"its plants are: {names}")

    def to_dict(self) -> dict[str, Any]:
        """Plain lists, numbers and strings for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Truth:
        """The inverse of `to_dict` after a trip through JSON."""
        spec: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in data["spec"].items()
        }
        plants = tuple(
            Plant(**_tuples(item) | {"trigger": _cue(item["trigger"]), "behavior": _cue(item["behavior"])})
            for item in data["plants"]
        )
        distractors = tuple(Distractor(**_tuples(item) | {"cue": _cue(item["cue"])}) for item in data["distractors"])
        rest = {name: data[name] for name in ("rows", "background", "control")}
        return cls(WorldSpec(**spec), plants=plants, distractors=distractors, removed=tuple(data["removed"]), **rest)


def _tuples(item: dict[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in item.items()}


def _cue(item: dict[str, Any]) -> Cue:
    cue = Cue(**_tuples(item))
    return replace(cue, predicate=Predicate(**_tuples(item["predicate"]))) if item["predicate"] else cue


def chunk_names(sources: Sequence[str]) -> tuple[str, ...]:
    """Distinct chunk names, most rows first, ties by name."""
    counts: dict[str, int] = {}
    for source in sources:
        counts[source] = counts.get(source, 0) + 1
    return tuple(sorted(counts, key=lambda name: (-counts[name], name)))
