"""Lures: does a finding fall for what a world planted to distract? Judged by extent, as matching is."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from chunky.planted.matching import PRECISION, RECALL
from chunky.planted.truth import Truth

if TYPE_CHECKING:
    import polars as pl

__all__ = ["lured_ranks"]

_SIDES = {"trigger": "query", "behavior": "response"}


def lured_ranks(
    truth: Truth, rows: pl.DataFrame, members: pl.DataFrame, findings: pl.DataFrame, chunk_ids: Collection[int]
) -> list[int]:
    """Ranks of findings that fall for a distractor, ascending.

    Such a finding rests, on one side at least, on rows of a distractor (a trigger or behavior planted alone, or a cue
    that is merely common in one chunk) and not on a plant's; or it joins one plant's trigger with another's behavior.
    Findings whose trigger is a chunk (`chunk_ids`, feature_ids) do not count: that a cue is common in its chunk is
    true. `rows`: row_id and conversation_id; `members`: `correlations.members`; `findings`: finding_rank, trigger_id,
    behavior_id.
    """
    import polars as pl

    of_row = dict(rows.select("row_id", "conversation_id").iter_rows())
    used = set(findings["trigger_id"]) | set(findings["behavior_id"])
    extents = {
        int(str(key[0])): {of_row[row] for row in part["row_id"]}
        for key, part in members.filter(pl.col("feature_id").is_in(list(used))).group_by("feature_id")
    }
    plants = {role: {plant.plant_id: set(getattr(plant, f"{role}_ids")) for plant in truth.plants} for role in _SIDES}
    lures = {
        role: {str(place): set(lure.row_ids) for place, lure in enumerate(truth.distractors) if lure.cue.side == side}
        for role, side in _SIDES.items()
    }
    found = []
    for rank, trigger, behavior in findings.select("finding_rank", "trigger_id", "behavior_id").iter_rows():
        sides = (("trigger", extents[trigger]), ("behavior", extents[behavior]))
        own = {role: _named(extent, plants[role]) for role, extent in sides}
        lured = {role: _named(extent, lures[role]) for role, extent in sides}
        is_crossed = bool(own["trigger"]) and bool(own["behavior"]) and not own["trigger"] & own["behavior"]
        if (is_crossed or any(lured[role] and not own[role] for role in _SIDES)) and trigger not in chunk_ids:
            found.append(rank)
    return sorted(found)


def _named(members: set[str], known: Mapping[str, set[str]]) -> set[str]:
    """The sets of `known` that `members` names, by the measure of `pair_matches`."""
    found = set()
    for name, wanted in known.items():
        overlap = len(members & wanted)
        if overlap and overlap / len(members) >= PRECISION and overlap / len(wanted) >= RECALL:
            found.add(name)
    return found
