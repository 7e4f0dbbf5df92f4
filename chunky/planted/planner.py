"""The planner: draws what is planted where, and puts it on the canvas.

A draw is accepted only if it is honest in this background: it can be put into ordinary rows, the background hardly
says it by itself, and no other plant of the world does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import ceil
from random import Random

from chunky.errors import SettingsError
from chunky.planted.behaviors import PLAIN_BEHAVIORS, SEMANTIC_BEHAVIORS
from chunky.planted.canvas import Canvas
from chunky.planted.editors import Editor, Maker, Scene
from chunky.planted.triggers import PLAIN_TRIGGERS, SEMANTIC_TRIGGERS
from chunky.planted.truth import WorldSpec, chunk_names
from chunky.planted.wording import stream

__all__ = ["Draft", "Lure", "Planner"]

# a planted chunk keeps at least 55 % of its rows without any trigger
_LOAD = 0.45
_LEAST = 30
# one plant takes at most 3 % of the mix, so that a huge chunk does not make its plant trivial
_SHARE = 0.03
_TRIES = 60
_SAMPLE = 40


@dataclass(frozen=True)
class Draft:
    """A plant as it was put in; rows are indices. `behavior_rows` include those without the trigger."""

    plant_id: str
    tier: str
    trigger: Editor
    behavior: Editor
    chunks: tuple[str, ...]
    strength: float
    trigger_rows: tuple[int, ...]
    behavior_rows: tuple[int, ...]


@dataclass(frozen=True)
class Lure:
    """A distractor as it was put in."""

    kind: str
    plant_id: str | None
    owner: str
    editor: Editor
    chunks: tuple[str, ...]
    rows: tuple[int, ...]


@dataclass
class Deck:
    """Kinds in random order; each comes up once before any comes up twice."""

    rng: Random
    kinds: Sequence[str]
    pile: list[str] = field(default_factory=list)

    def draw(self) -> str:
        """The next kind."""
        if not self.pile:
            self.pile = list(self.kinds)
            self.rng.shuffle(self.pile)
        return self.pile.pop()


class Planner:
    """Plants one world on a canvas, plant after plant; `topics` and `drifts` are editors that know the background."""

    def __init__(self, spec: WorldSpec, canvas: Canvas, scene: Scene, topics: Sequence[Editor],
                 drifts: Sequence[Editor]) -> None:  # fmt: skip
        self.spec, self.canvas, self.scene = spec, canvas, scene
        self.topics, self.drifts = list(topics), list(drifts)
        rng = stream(spec.seed, "decks")
        self.decks = {
            ("query", "plain"): Deck(rng, sorted(PLAIN_TRIGGERS)),
            ("query", "semantic"): Deck(rng, [*sorted(SEMANTIC_TRIGGERS), *(["topic", "topic "] if topics else [])]),
            ("response", "plain"): Deck(rng, sorted(PLAIN_BEHAVIORS)),
            ("response", "semantic"): Deck(rng, [*sorted(SEMANTIC_BEHAVIORS), *(["drift"] if drifts else [])]),
        }
        self.load: dict[str, int] = {}
        self.hosts = self._host_pool()

    def _host_pool(self) -> list[str]:
        """Chunks that take plants, six in ten of them where that is room enough: a mix has chunks that are clean."""
        members = self.canvas.members
        able = [name for name in sorted(members) if len(members[name]) * _LOAD >= _LEAST]
        if self.spec.plants and not able:
            raise SettingsError(
                "no chunk of this background is large enough for a plant",
                f"use chunks of {ceil(_LEAST / _LOAD)} rows or more, or more rows and fewer chunks in the spec",
            )
        slots = self.spec.plants + round(self.spec.plants / 3)
        # chunks needed if each slot draws the mean prevalence, with a fifth to spare
        needed = ceil(1.2 * slots * sum(self.spec.range_of("prevalence")) / 2 / _LOAD)
        count = min(len(able), max(2, ceil(0.6 * len(members)), needed))
        return sorted(stream(self.spec.seed, "hosts").sample(able, count))

    def plant(self, number: int, spans_two: bool) -> tuple[Draft, list[Lure]]:
        """Put in plant `number`; SettingsError where nothing fits into this background any more."""
        plant_id = f"plant_{number + 1:02d}"
        rng = stream(self.spec.seed, plant_id)
        tier = self.spec.tiers[number % len(self.spec.tiers)]
        hosts = self._hosts(rng, 2 if spans_two else 1)
        wanted = self._quota(hosts, rng)
        trigger_tier, behavior_tier = self._tiers(tier, rng)
        trigger = self._propose(rng, "query", trigger_tier, sum(wanted.values()), hosts, None)
        if trigger.donors:
            wanted = self._room_for(trigger, hosts, wanted)
        for name, count in wanted.items():
            self.load[name] = self.load.get(name, 0) + count
        trigger_rows = self._put_trigger(plant_id, trigger, wanted, rng)
        if len(trigger_rows) < _LEAST // 2:
            raise SettingsError(
                f"only {len(trigger_rows)} rows could take the trigger of {plant_id}",
                "lower `plants`, or give more rows or fewer chunks",
            )
        behavior = self._propose(rng, "response", behavior_tier, len(trigger_rows), hosts, trigger)
        strength = rng.uniform(*self.spec.range_of("strength"))
        firing = [row for row in trigger_rows if rng.random() < strength]
        fired = self.canvas.put(behavior, plant_id, firing, len(firing))
        lures = self._elsewhere(plant_id, trigger, behavior, hosts, trigger_rows, fired, rng)
        self.canvas.editors += [trigger, behavior]
        alone = [row for lure in lures if lure.kind == "trigger_elsewhere" for row in lure.rows]
        behaving = [row for lure in lures if lure.kind == "behavior_elsewhere" for row in lure.rows]
        draft = Draft(plant_id, tier, trigger, behavior, tuple(hosts), strength,
                      tuple(sorted([*trigger_rows, *alone])), tuple(sorted([*fired, *behaving])))  # fmt: skip
        return draft, lures

    def _tiers(self, tier: str, rng: Random) -> tuple[str, str]:
        """Tiers of trigger and behavior: a semantic plant is semantic on both sides in three of five draws."""
        if tier == "plain":
            return "plain", "plain"
        return rng.choice((("semantic", "semantic"),) * 3 + (("semantic", "plain"), ("plain", "semantic")))

    def _hosts(self, rng: Random, count: int) -> list[str]:
        """The least loaded chunks of the pool, ties at random; SettingsError where none has room left."""

        def burden(name: str) -> tuple[float, float]:
            return self.load.get(name, 0) / len(self.canvas.members[name]), rng.random()

        open_hosts = [name for name in self.hosts if self._room(name) >= _LEAST]
        if not open_hosts:
            raise SettingsError(
                "the chunks have no room for another plant below the share of rows that stay without a trigger",
                "lower `plants` or `prevalence`, or give more rows in fewer chunks",
            )
        return sorted(sorted(open_hosts, key=burden)[:count])

    def _room(self, name: str) -> int:
        """Rows of a chunk that may still get a trigger."""
        return max(0, int(_LOAD * len(self.canvas.members[name])) - self.load.get(name, 0))

    def _quota(self, hosts: Sequence[str], rng: Random) -> dict[str, int]:
        """Rows of each host that get the trigger."""
        limit = max(200, int(_SHARE * len(self.canvas.texts.sources)))
        wanted = {}
        for name in hosts:
            size = len(self.canvas.members[name])
            drawn = min(int(rng.uniform(*self.spec.range_of("prevalence")) * size), limit // len(hosts))
            wanted[name] = min(self._room(name), max(drawn, _LEAST))
        return wanted

    def _room_for(self, trigger: Editor, hosts: Sequence[str], wanted: dict[str, int]) -> dict[str, int]:
        """The quota for moved donors: seven in eight of them, as far as the hosts have room below their load."""
        share = ceil(len(trigger.donors) * 7 / 8 / len(hosts))
        return {name: min(share, self._room(name)) for name in wanted}

    def _propose(self, rng: Random, side: str, tier: str, rows: int, hosts: Sequence[str],
                 partner: Editor | None) -> Editor:  # fmt: skip
        """The first acceptable draw; SettingsError after sixty refusals."""
        for _ in range(_TRIES):
            kind = self.decks[side, tier].draw().strip()
            editor = self._make(kind, side, tier, rng)
            if editor is not None and self._is_acceptable(editor, rows, hosts, rng, partner):
                return editor
        raise SettingsError(
            f"no {tier} {'trigger' if side == 'query' else 'behavior'} fits this background any more",
            "lower `plants`, or restrict `tiers`",
        )

    def _make(self, kind: str, side: str, tier: str, rng: Random) -> Editor | None:
        if kind in ("topic", "drift"):
            special = self.topics if kind == "topic" else self.drifts
            return rng.choice(special) if special else None
        makers: dict[str, Maker] = {
            ("query", "plain"): PLAIN_TRIGGERS,
            ("query", "semantic"): SEMANTIC_TRIGGERS,
            ("response", "plain"): PLAIN_BEHAVIORS,
            ("response", "semantic"): SEMANTIC_BEHAVIORS,
        }[side, tier]
        return makers[kind](rng, self.scene)

    def _is_acceptable(self, editor: Editor, rows: int, hosts: Sequence[str], rng: Random,
                       partner: Editor | None) -> bool:  # fmt: skip
        """Whether the editor is new here, rare by nature, applicable, and not confused with another one."""
        if any(editor.text == other.text and editor.side == other.side for other in self.canvas.editors):
            return False
        if partner is not None and partner.family == editor.family:
            return False
        if editor.donors:
            # fewer than seven in ten moved would leave a trigger that mostly stands where nothing was planted
            room = sum(self._room_for(editor, hosts, dict.fromkeys(hosts, 0)).values())
            return room >= 0.7 * len(editor.donors)
        natural = self.canvas.natural_rows(editor)
        # triggers: 15 % of the planted rows; behaviors: 60 %, since a base rate belongs to them
        if natural > max(2, (0.15 if editor.side == "query" else 0.6) * rows):
            return False
        sample = self.canvas.free([row for name in hosts for row in self.canvas.members[name]], rng)[:_SAMPLE]
        column = self.canvas.texts.side(editor.side)
        plain = [column[row] for row in sample]
        edited = [editor.edit(text, rng) for text in plain]
        if editor.exact is not None and sum(editor.exact.holds_each(edited)) < 0.9 * len(edited):
            return False
        return not any(self._confused(editor, other, plain, edited, rng) for other in self.canvas.editors
                       if other.side == editor.side)  # fmt: skip

    def _confused(self, new: Editor, old: Editor, plain: list[str], edited: list[str], rng: Random) -> bool:
        """Whether one editor's texts look like the other one's: more than 5 % beyond what unedited texts do."""

        def excess(editor: Editor, texts: list[str]) -> float:
            if editor.predicate is None:
                return 0.0
            found, before = editor.predicate.holds_each(texts), editor.predicate.holds_each(plain)
            return sum(now and not was for now, was in zip(found, before, strict=True)) / max(1, len(texts))

        return excess(old, edited) > 0.05 or excess(new, [old.edit(text, rng) for text in plain]) > 0.05

    def _put_trigger(self, plant_id: str, trigger: Editor, wanted: dict[str, int], rng: Random) -> list[int]:
        rows: list[int] = []
        for name, count in wanted.items():
            candidates = self.canvas.free(self.canvas.members[name], rng)
            if trigger.donors:
                rows += self._move(plant_id, trigger, name, candidates, count, rng)
            else:
                rows += self.canvas.put(trigger, plant_id, candidates, count)
        return sorted(rows)

    def _move(self, plant_id: str, trigger: Editor, name: str, candidates: list[int], count: int,
              rng: Random) -> list[int]:  # fmt: skip
        """Bring donor rows into chunk `name` by exchanging texts; rows of the topic that live there stay and count."""
        donors = set(trigger.donors)
        here = [row for row in candidates if row in donors][:count]
        for row in here:
            self.canvas.owner[row] = plant_id
        away = self.canvas.free(sorted(row for row in donors if self.canvas.texts.sources[row] != name), rng)
        # one donor in eight stays where it was: the trigger elsewhere, without the behavior
        away = away[: max(0, min(count - len(here), len(away) - len(donors) // 8))]
        guests = [row for row in candidates if row not in donors][: len(away)]
        for donor, host in zip(away, guests, strict=False):
            self.canvas.swap(plant_id, donor, host)
        return here + guests

    def _elsewhere(self, plant_id: str, trigger: Editor, behavior: Editor, hosts: Sequence[str],
                   trigger_rows: Sequence[int], fired: Sequence[int], rng: Random) -> list[Lure]:  # fmt: skip
        """The trigger in other chunks without the behavior, and the behavior at its base rate without the trigger."""
        others = [name for name in sorted(self.canvas.members) if name not in hosts]
        lures = []
        if others and not trigger.donors:
            names = rng.sample(others, min(len(others), rng.randint(1, 3)))
            count = round(rng.uniform(*self.spec.range_of("elsewhere")) * len(trigger_rows))
            rows = self.canvas.free([row for name in names for row in self.canvas.members[name]], rng)
            done = self.canvas.put(trigger, plant_id, rows, count)
            lures.append(self._lure("trigger_elsewhere", plant_id, trigger, done))
        mix = len(self.canvas.texts.sources)
        # bounded by half the planted rows: in a huge mix a base rate would otherwise bury the plant
        count = round(min(rng.uniform(*self.spec.range_of("base_rate")) * mix, 0.5 * len(fired)))
        chosen = self.canvas.members[rng.choice(others)] if others else []
        near = self.canvas.free(chosen, rng)[: count // 2]
        # candidates in plenty, yet not the whole mix: many rows are owned, and each is searched for the trigger
        anywhere = self.canvas.free(rng.sample(range(mix), min(mix, 8 * count + 100)), rng)
        pool = list(dict.fromkeys([*near, *anywhere]))
        natural = self.canvas.matches(trigger, pool)
        pool = [row for row, has in zip(pool, natural, strict=True) if not has]
        done = self.canvas.put(behavior, plant_id, pool, count)
        lures.append(self._lure("behavior_elsewhere", plant_id, behavior, done))
        return lures

    def _lure(self, kind: str, plant_id: str | None, editor: Editor, rows: Sequence[int], owner: str = "") -> Lure:
        chunks = chunk_names([self.canvas.texts.sources[row] for row in rows])
        return Lure(kind, plant_id, owner or plant_id or "", editor, chunks, tuple(sorted(rows)))

    def add_cue(self, number: int) -> Lure:
        """A string or format that is frequent in one chunk whatever else its rows hold: common, and nothing more."""
        owner = f"cue_{number + 1:02d}"
        rng = stream(self.spec.seed, owner)
        side = ("query", "response")[number % 2]
        large = [name for name, rows in self.canvas.members.items() if len(rows) >= 2 * _LEAST]
        name = rng.choice(sorted(large or self.canvas.members))
        members = list(self.canvas.members[name])
        share = rng.uniform(0.12, 0.30)
        editor = self._propose(rng, side, "plain", int(share * len(members)), [name], None)
        rows = [row for row in members if rng.random() < share]
        guards = {str(at): other.predicate for at, other in enumerate(self.canvas.editors)
                  if other.side == side and other.predicate is not None}  # fmt: skip
        done = self.canvas.overlay(editor, owner, rows, guards)
        self.canvas.editors.append(editor)
        return self._lure("common_cue", None, editor, done, owner)
