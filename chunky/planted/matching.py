"""Matching: does a found feature, or a found pair, name a plant? Judged by extent, never by wording.

A feature names one side of a plant when its rows are nearly the plant's rows: precision of 0.6 or more and recall of
0.5 or more. A pair names a plant when both its sides do. A trace of one failure names it when the rows that carry the
found trigger do; of a semantic trigger, which shares no string, it need only hold a part.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from chunky.errors import InputError
from chunky.planted.truth import Plant, Truth

if TYPE_CHECKING:
    import polars as pl

__all__ = [
    "COVER",
    "PRECISION",
    "RECALL",
    "MatchScore",
    "TraceScore",
    "feature_matches",
    "names_chunk",
    "pair_matches",
    "trace_matches",
    "truth_match",
]

PRECISION = 0.6
RECALL = 0.5
# by tier of the plant: the part of its trigger's rows that a trace must hold
COVER = {"plain": RECALL, "semantic": 0.15}
_ROLES = ("trigger", "behavior")


@dataclass(frozen=True)
class MatchScore:
    """How well a set of rows covers the rows of one side of a plant; shares between 0 and 1.

    `precision` = overlap / members and `recall` = overlap / rows of the plant, `jaccard` = overlap / union; all are 0
    where there are no members.
    """

    role: str
    precision: float
    recall: float
    jaccard: float

    @property
    def names(self) -> bool:
        """Whether this set names that side of the plant."""
        return self.precision >= PRECISION and self.recall >= RECALL


class TraceScore(NamedTuple):
    """How well the rows that carry a trace's trigger are the plant's trigger rows.

    `purity` = share of the carrying rows that belong to the plant's trigger, `cover` = share of the plant's trigger
    rows that are carried; `is_match` where both reach what the plant's tier asks for.
    """

    purity: float
    cover: float
    is_match: bool


def truth_match(plant: Plant, rows: pl.DataFrame, member_row_ids: Iterable[int | str], role: str) -> MatchScore:
    """Score a feature's rows against `plant`'s trigger rows (`role` = `trigger`) or its behavior rows (`behavior`).

    `rows` says what the member ids mean: with the columns row_id and conversation_id (`corpus.rows`) members are
    row_ids, otherwise ids of the world. Rows that `rows` does not list are ignored on both sides. Raises InputError
    for another role and for rows without either column.
    """
    wanted = set(plant.trigger_ids if _checked(role) == "trigger" else plant.behavior_ids)
    known = _row_names(rows)
    members = {known[member] for member in member_row_ids if member in known}
    return _score(role, members, wanted & set(known.values()))


def trace_matches(plant: Plant, carried: Collection[str]) -> TraceScore:
    """Judge a trace by extent: `carried` are ids of the world of all rows that carry its trigger, whatever they answer.

    It matches with a purity of 0.6 or more and a cover of 0.5 or more for a plain plant, 0.15 for a semantic one.
    """
    score = _score("trigger", set(carried), set(plant.trigger_ids))
    is_match = score.precision >= PRECISION and score.recall >= COVER[plant.tier]
    return TraceScore(score.precision, score.recall, is_match)


def names_chunk(plant: Plant, chunks: Sequence[str]) -> bool:
    """Whether the first of a trace's `chunks` is one of those that the plant was put into."""
    return bool(chunks) and chunks[0] in plant.chunks


def _score(role: str, members: set[str], wanted: set[str]) -> MatchScore:
    overlap, union = len(members & wanted), len(members | wanted)
    if not members or not wanted:
        return MatchScore(role, 0.0, 0.0, 0.0)
    return MatchScore(role, overlap / len(members), overlap / len(wanted), overlap / union)


def feature_matches(truth: Truth, rows: pl.DataFrame, members: pl.DataFrame) -> pl.DataFrame:
    """`truth_match` of every feature with every plant and role at once, by joins.

    `members` has feature_id and row_id (`correlations.members`), `rows` as in `truth_match`. Returns one row per
    (plant_id, role, feature_id) with at least one common row: overlap (int64), precision, recall, jaccard (double),
    names (bool), sorted by plant_id, role, descending jaccard, feature_id.
    """
    import polars as pl

    key = "row_id" if "row_id" in rows.columns else "id"
    named = rows.select(
        pl.col(key).alias("row_id"), pl.col("conversation_id" if key == "row_id" else "id").alias("name")
    )
    wanted = pl.DataFrame(
        [(plant.plant_id, role, name) for plant in truth.plants for role in _ROLES
         for name in (plant.trigger_ids if role == "trigger" else plant.behavior_ids)],
        schema={"plant_id": pl.String, "role": pl.String, "name": pl.String}, orient="row",
    ).join(named, on="name")  # fmt: skip
    sizes = wanted.group_by("plant_id", "role").agg(pl.len().cast(pl.Int64).alias("wanted"))
    inside = members.join(named.select("row_id"), on="row_id", how="semi")
    features = inside.group_by("feature_id").agg(pl.len().cast(pl.Int64).alias("members"))
    overlaps = wanted.join(inside, on="row_id").group_by("plant_id", "role", "feature_id")
    scored = (
        overlaps.agg(pl.len().cast(pl.Int64).alias("overlap"))
        .join(sizes, on=["plant_id", "role"])
        .join(features, on="feature_id")
        .with_columns(
            precision=pl.col("overlap") / pl.col("members"),
            recall=pl.col("overlap") / pl.col("wanted"),
            jaccard=pl.col("overlap") / (pl.col("members") + pl.col("wanted") - pl.col("overlap")),
        )
    )
    named_by = (pl.col("precision") >= PRECISION) & (pl.col("recall") >= RECALL)
    columns = ("plant_id", "role", "feature_id", "overlap", "precision", "recall", "jaccard", "names")
    order = ["plant_id", "role", "jaccard", "feature_id"]
    return scored.with_columns(names=named_by).select(columns).sort(order, descending=[False, False, True, False])


def pair_matches(truth: Truth, rows: pl.DataFrame, members: pl.DataFrame, pairs: pl.DataFrame) -> pl.DataFrame:
    """Which of `pairs` (trigger_id, behavior_id, any order, best first) name which plant.

    Returns plant_id, trigger_id, behavior_id, pair_rank (int64, from 1, position in `pairs`) and `score` (double, the
    smaller of the two Jaccard indices), sorted by plant_id and pair_rank; a plant that no pair names has no row.
    """
    import polars as pl

    matches = feature_matches(truth, rows, members).filter("names")
    sides = {
        role: matches.filter(pl.col("role") == role).select(
            "plant_id", pl.col("feature_id").alias(f"{role}_id"), pl.col("jaccard").alias(f"{role}_jaccard")
        )
        for role in _ROLES
    }
    ranked = pairs.select("trigger_id", "behavior_id").with_columns(
        pl.int_range(1, pl.len() + 1, dtype=pl.Int64).alias("pair_rank")
    )
    found = ranked.join(sides["trigger"], on="trigger_id").join(sides["behavior"], on=["plant_id", "behavior_id"])
    score = pl.min_horizontal("trigger_jaccard", "behavior_jaccard").alias("score")
    return found.select("plant_id", "trigger_id", "behavior_id", "pair_rank", score).sort("plant_id", "pair_rank")


def _checked(role: str) -> str:
    if role not in _ROLES:
        raise InputError(f"a plant has no {role!r}", "ask for `trigger` or `behavior`")
    return role


def _row_names(rows: pl.DataFrame) -> dict[int | str, str]:
    for key, name in (("row_id", "conversation_id"), ("id", "id")):
        if key in rows.columns and name in rows.columns:
            return dict(zip(rows[key].to_list(), rows[name].to_list(), strict=True))
    raise InputError("rows without row_id and conversation_id, and without id", "give corpus.rows or World.rows")
