"""What one lake teaches and another does not: findings that appeared, moved or went, each told once.

The two lakes are compared at the grain of findings, and each finding is counted again in both from the same feature
definitions: a phrase that was mined in one lake alone is no news where the other holds the same rows with the same
counts. News that rest on the same changed rows are one headline with the others folded beneath.

Definitions are own. Intervals are Wilson's (1927), log odds are Haldane's with Woolf's standard error, as in
`sql/macros/stats`; counts follow `sql/correlations/pairs.sql` (distinct contents; for a chunk, contents inside chunks).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import log, sqrt
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

MIN_SCORE = 0.7  # exp(0.7) ≈ 2: odds that are doubled for sure; weaker findings come and go with any change of a mix
MIN_CHANGE = 0.7  # a pair has moved when its odds have at least doubled or halved, beyond both intervals
SAME_ROWS = 0.5  # Jaccard similarity of changed rows at which two news are one, as in `report.fold_similarity`
_Z = 1.959963984540054
_PAIR = ("trigger_id", "behavior_id")
_SCOPES = ("scope", "within_log_odds", "within_low", "within_high")

I64 = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Side:
    """One lake as far as the comparison needs it.

    `findings`: columns of `report.findings`. `rows`: row_id, content_id (int64) and chunk of every corpus row.
    `members`: feature_id → row ids, for every feature that `features_needed` names, counted in *this* lake.
    """

    findings: pl.DataFrame
    rows: pl.DataFrame
    members: Mapping[int, I64]


@dataclass(frozen=True)
class Measure:
    """One pair in one lake. Rows are rows; `trigger_n`, `both_n` count distinct contents, as intervals do.

    Where no row has the trigger `p`, `log_odds` and `error` are null, and the interval is [0, 1].
    """

    trigger_rows: int
    both_rows: int
    trigger_n: int
    both_n: int
    p: float | None
    p_low: float
    p_high: float
    log_odds: float | None
    error: float | None

    @property
    def score(self) -> float | None:
        """Lower 95 % bound of the log odds; null where they are."""
        return None if self.log_odds is None or self.error is None else self.log_odds - _Z * self.error


@dataclass(frozen=True)
class News:
    """One pair that is not in both lakes what it was in the other; `folded` are others that rest on its rows.

    `kind` is `appeared`, `moved` or `went`. `changed_rows` counts rows with the trigger that are new, gone, or show
    another behavior than before; `chunk` holds most of them, `chunk_share` says how many.
    """

    kind: str
    trigger_id: int
    behavior_id: int
    trigger_text: str
    behavior_text: str
    is_chunk: bool
    is_echo: bool
    before: Measure
    after: Measure
    scope_before: str | None
    scope_after: str | None
    changed_rows: int
    chunk: str | None
    chunk_share: float
    folded: tuple[News, ...] = field(default=())

    @property
    def is_gain(self) -> bool:
        """Whether the behavior follows the trigger more often than before."""
        return (self.after.p or 0.0) >= (self.before.p or 0.0)

    @property
    def surprise(self) -> float:
        """Change of the log odds in standard errors: the order of headlines."""
        error = sqrt((self.before.error or 0.0) ** 2 + (self.after.error or 0.0) ** 2)
        return abs(_gap(self.before, self.after)) / error


def _gap(before: Measure, after: Measure) -> float:
    """Change of the log odds; what is not there has no odds to start from, so it counts from 0."""
    return (after.log_odds or 0.0) - (before.log_odds or 0.0)


def worth_telling(findings: pl.DataFrame, min_score: float = MIN_SCORE) -> pl.DataFrame:
    """The findings that count: q < .05 and a score of at least `min_score`, which must be above 0."""
    return findings.filter((pl.col("q_value") < 0.05) & (pl.col("score") >= min_score) & (pl.col("score") > 0))


def features_needed(before: pl.DataFrame, after: pl.DataFrame, min_score: float = MIN_SCORE) -> list[int]:
    """feature_ids, ascending, of all triggers and behaviors that the comparison of two `report.findings` counts."""
    both = pl.concat([worth_telling(side, min_score).select("trigger_id", "behavior_id") for side in (before, after)])
    return sorted({*both["trigger_id"].to_list(), *both["behavior_id"].to_list()})


def compare(
    before: Side, after: Side, chunk_ids: Iterable[int], *, min_contents: int = 20, min_score: float = MIN_SCORE
) -> list[News]:
    """Headlines, most surprising first, cues before chunks before echoes.

    `chunk_ids` are the feature_ids of triggers that are chunks. A pair is measured where at least `min_contents`
    distinct contents have its trigger. Measured in both lakes, it is news when the Wilson intervals of P(behavior
    given trigger) do not overlap and the log odds differ by `MIN_CHANGE`, or when its scope changed beyond the
    intervals of the within-chunk estimate. Measured in one only, it is news when most of its rows are new (or gone).
    """
    world = _World(before, after)
    chunks = set(chunk_ids)
    pairs = _pairs(before.findings, after.findings, min_score)
    told = [
        news
        for trigger_id, group in pairs.group_by("trigger_id", maintain_order=True)
        for news in _news_of_trigger(world, group, trigger_id[0] in chunks, min_contents)
    ]
    told.sort(key=lambda n: (n.is_echo, n.is_chunk, -n.surprise, n.trigger_id, n.behavior_id))
    return _fold(told, world)


def _pairs(before: pl.DataFrame, after: pl.DataFrame, min_score: float) -> pl.DataFrame:
    """One row per pair that counts in either lake: ids, texts, is_echo, and what each lake says of its scope."""
    named = [*_PAIR, "trigger_text", "behavior_text", "is_echo"]
    union = pl.concat([worth_telling(side, min_score).select(named) for side in (after, before)])
    pairs = union.unique(_PAIR, keep="first", maintain_order=True)
    for name, side in (("before", before), ("after", after)):
        known = side.select(*_PAIR, *(pl.col(column).alias(f"{column}_{name}") for column in _SCOPES))
        pairs = pairs.join(known, on=_PAIR, how="left", maintain_order="left")
    return pairs.sort(_PAIR)


class _World:
    """The rows of both lakes under one numbering, so that a set of rows is a mask in either."""

    def __init__(self, before: Side, after: Side) -> None:
        self.row_ids = np.union1d(before.rows["row_id"].to_numpy(), after.rows["row_id"].to_numpy())
        self.before = _Counter(before, self.row_ids)
        self.after = _Counter(after, self.row_ids)
        places = pl.concat([after.rows, before.rows]).unique("row_id", keep="first").sort("row_id")
        self.chunks = places["chunk"].to_numpy()

    def reach(self, trigger_id: int, behavior_id: int) -> Mask:
        """Rows that the change of a pair accounts for: `changed`, and where the behavior itself came or went.

        The latter only where they are no more than the former again: a behavior that changed all over the mix is
        something larger than this pair.
        """
        changed = self.changed(trigger_id, behavior_id)
        wide = changed | np.not_equal(self.before.mask(behavior_id), self.after.mask(behavior_id))
        return wide if wide.sum() <= 2 * changed.sum() else changed

    def changed(self, trigger_id: int, behavior_id: int) -> Mask:
        """Rows with the trigger in either lake that are new, gone, or differ in trigger or behavior; bool, all rows."""
        old, new = (lake.status(trigger_id, behavior_id) for lake in (self.before, self.after))
        return np.not_equal(old, new)


class _Counter:
    """Counts of one lake. `is_content` marks the first row of each content, `is_unit` the first inside its chunk."""

    def __init__(self, side: Side, row_ids: I64) -> None:
        rows = side.rows.sort("chunk", "row_id")
        places = np.searchsorted(row_ids, rows["row_id"].to_numpy())
        self._size = len(row_ids)
        self._places = {name: np.searchsorted(row_ids, ids).astype(np.int32) for name, ids in side.members.items()}
        self.is_here = self._marked(places)
        self.is_content = self._marked(places[rows["content_id"].is_first_distinct().to_numpy()])
        units = rows.select(pl.struct("content_id", "chunk").is_first_distinct()).to_series()
        self.is_unit = self._marked(places[units.to_numpy()])

    def _marked(self, places: npt.NDArray[Any]) -> Mask:
        mask = np.zeros(self._size, np.bool_)
        mask[places] = True
        return mask

    def mask(self, feature_id: int) -> Mask:
        """Rows of the feature, bool over all rows of both lakes."""
        return self._marked(self._places[feature_id])

    def status(self, trigger_id: int, behavior_id: int) -> npt.NDArray[np.int8]:
        """0 = no trigger, 1 = trigger alone, 2 = trigger and behavior."""
        trigger = self.mask(trigger_id)
        return trigger.astype(np.int8) + (trigger & self.mask(behavior_id)).astype(np.int8)

    def measure(self, trigger: Mask, behavior: Mask, is_chunk: bool) -> Measure:
        """The pair counted in this lake."""
        counted = self.is_unit if is_chunk else self.is_content
        both = trigger & behavior
        trigger_rows, both_rows = int(trigger.sum()), int(both.sum())
        trigger_n, both_n = int((trigger & counted).sum()), int((both & counted).sum())
        behavior_n, all_n = int((behavior & counted).sum()), int(counted.sum())
        low, high = wilson(both_n, trigger_n)
        if not trigger_rows:
            return Measure(0, 0, 0, 0, None, low, high, None, None)
        odds = log_odds(both_n, trigger_n - both_n, behavior_n - both_n, all_n - trigger_n - behavior_n + both_n)
        return Measure(trigger_rows, both_rows, trigger_n, both_n, both_rows / trigger_rows, low, high, *odds)


def wilson(hits: int, trials: int) -> tuple[float, float]:
    """95 % Wilson interval of a rate; (0, 1) without trials."""
    if trials == 0:
        return 0.0, 1.0
    middle = (hits + _Z**2 / 2) / (trials + _Z**2)
    half = _Z * sqrt(hits * (trials - hits) / trials + _Z**2 / 4) / (trials + _Z**2)
    return max(middle - half, 0.0), min(middle + half, 1.0)


def log_odds(both: int, only_trigger: int, only_behavior: int, neither: int) -> tuple[float, float]:
    """Log odds ratio of a 2 × 2 table with 0.5 added to each cell, and its standard error."""
    a, b, c, d = (cell + 0.5 for cell in (both, only_trigger, only_behavior, neither))
    return log(a * d / (b * c)), sqrt(1 / a + 1 / b + 1 / c + 1 / d)


def _news_of_trigger(world: _World, pairs: pl.DataFrame, is_chunk: bool, min_contents: int) -> Iterable[News]:
    trigger_id = pairs["trigger_id"][0]
    old_trigger, new_trigger = world.before.mask(trigger_id), world.after.mask(trigger_id)
    for pair in pairs.iter_rows(named=True):
        old_behavior, new_behavior = world.before.mask(pair["behavior_id"]), world.after.mask(pair["behavior_id"])
        before = world.before.measure(old_trigger, old_behavior, is_chunk)
        after = world.after.measure(new_trigger, new_behavior, is_chunk)
        old_both, new_both = old_trigger & old_behavior, new_trigger & new_behavior
        if not _is_news(before, after, old_both, new_both, min_contents) and not _has_new_scope(pair):
            continue
        changed = world.changed(trigger_id, pair["behavior_id"])
        chunk, share = _leading_chunk(world.chunks[changed])
        yield News(
            _kind(before, after, min_contents), trigger_id, pair["behavior_id"], pair["trigger_text"],
            pair["behavior_text"], is_chunk, pair["is_echo"], before, after, pair["scope_before"],
            pair["scope_after"], int(changed.sum()), chunk, share,
        )  # fmt: skip


def _is_news(before: Measure, after: Measure, old_both: Mask, new_both: Mask, min_contents: int) -> bool:
    measured = (before.trigger_n >= min_contents, after.trigger_n >= min_contents)
    if measured == (True, True):
        is_apart = before.p_high < after.p_low or after.p_high < before.p_low
        return is_apart and abs(_gap(before, after)) >= MIN_CHANGE
    if measured == (False, False):
        return False
    # too few rows on one side to compare rates: the rows themselves say whether something came or went
    more, less = (old_both, new_both) if measured[0] else (new_both, old_both)
    return bool((more & ~less).sum() * 2 >= more.sum())


def _has_new_scope(pair: Mapping[str, Any]) -> bool:
    if None in (pair["scope_before"], pair["scope_after"]) or pair["scope_before"] == pair["scope_after"]:
        return False  # a scope that is known in one lake only cannot be compared
    up: bool = pair["within_low_after"] > pair["within_high_before"]
    down: bool = pair["within_high_after"] < pair["within_low_before"]
    change: float = pair["within_log_odds_after"] - pair["within_log_odds_before"]
    return (up or down) and abs(change) >= MIN_CHANGE


def _kind(before: Measure, after: Measure, min_contents: int) -> str:
    was, is_now = (side.trigger_n >= min_contents and (side.score or 0.0) > 0 for side in (before, after))
    if was and is_now:
        return "moved"
    return "appeared" if is_now else "went"


def _leading_chunk(chunks: npt.NDArray[np.object_]) -> tuple[str | None, float]:
    if not len(chunks):
        return None, 0.0
    counted = pl.Series("chunk", chunks, dtype=pl.String).value_counts()
    counted = counted.sort(["count", "chunk"], descending=[True, False])
    return counted["chunk"][0], counted["count"][0] / len(chunks)


# folding -----------------------------------------------------------------------------------------------------------


class _Rows(NamedTuple):
    changed: Mask
    reach: Mask


def _fold(told: Sequence[News], world: _World) -> list[News]:
    """Each headline with the news that it explains; the order of `told` decides who leads."""
    pairs = [(news.trigger_id, news.behavior_id) for news in told]
    changed = [_Rows(world.changed(*pair), world.reach(*pair)) for pair in pairs]
    leader = list(range(len(told)))
    for place in range(len(told)):
        heads = [head for head in range(place) if leader[head] == head]
        leader[place] = _explainer(place, heads, told, changed, world)
    # a narrow variant may lead a wider one that came later; the wider one then takes over what it explains
    for place in [place for place, head in enumerate(leader) if place == head]:
        wider = [h for h in range(place + 1, len(told))
                 if leader[h] == h and told[h].changed_rows > told[place].changed_rows
                 and (told[h].is_echo, told[h].is_chunk) == (told[place].is_echo, told[place].is_chunk)]  # fmt: skip
        head = _explainer(place, wider, told, changed, world)
        leader = [head if old == place else old for old in leader]
    groups: dict[int, list[News]] = {}
    for place, head in enumerate(leader):
        groups.setdefault(head, []).append(told[place])
    return [
        replace(told[head], folded=tuple(news for news in group if news is not told[head]))
        for head, group in sorted(groups.items())
    ]


def _explainer(place: int, heads: Sequence[int], told: Sequence[News], changed: Sequence[_Rows], world: _World) -> int:
    """The first of `heads` that explains the news at `place`, or `place` itself.

    A head explains what rests mostly on rows in its reach and is either nearly the same set, or the other direction
    (what those rows no longer do), or no finding of its own inside them.
    """
    mine, size = changed[place].changed, told[place].changed_rows
    for head in heads:
        theirs = changed[head]
        if (mine & theirs.reach).sum() * 2 < size or size == 0:
            continue
        inside = (mine & theirs.changed).sum()
        if inside >= SAME_ROWS * (size + told[head].changed_rows - inside):
            return head
        if told[place].is_gain != told[head].is_gain or not _holds_inside(told[place], theirs.reach, world):
            return head
    return place


def _holds_inside(news: News, rows: Mask, world: _World) -> bool:
    """Whether the pair would still be a finding among `rows` alone, in the lake where it is stronger."""
    lake = world.after if news.is_gain else world.before
    rows = rows & lake.is_here
    trigger, behavior = lake.mask(news.trigger_id)[rows], lake.mask(news.behavior_id)[rows]
    both = int((trigger & behavior).sum())
    first, second = int(trigger.sum()), int(behavior.sum())
    odds, error = log_odds(both, first - both, second - both, len(trigger) - first - second + both)
    return odds - _Z * error >= MIN_SCORE
