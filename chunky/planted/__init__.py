"""Planted worlds: mixes with known trigger → behavior correlations, so that attribution accuracy is a number.

wording      templates and the strings that a seed invents
lexicon, tasks, background     the planter's own ordinary mix
banks, languages, predicates   paraphrases, frames, and what decides membership
triggers, behaviors, topics    makers of what is planted
planner, canvas, world         who gets what, and the finished mix
truth, matching, lures, files  what is known, how finds are judged, and bytes on disk
failures, controls             failing pairs with a known cause, and some without one
subjects, rubrics              what failures are about, and what a user would say of them
judging                        how the rules judge knows a planted behavior
"""

from chunky.planted.controls import CONTROLS, draw_controls, with_independent_behavior
from chunky.planted.failures import PlantedFailure, draw_failures
from chunky.planted.files import WorldFiles, read_truth, write_world
from chunky.planted.judging import rubric_of
from chunky.planted.lures import lured_ranks
from chunky.planted.matching import (
    MatchScore,
    TraceScore,
    feature_matches,
    names_chunk,
    pair_matches,
    trace_matches,
    truth_match,
)
from chunky.planted.truth import Cue, Distractor, Plant, Truth, WorldSpec
from chunky.planted.world import World, demo_spec, permute_responses, plant_world, without_plant

__all__ = [
    "CONTROLS",
    "Cue",
    "Distractor",
    "MatchScore",
    "Plant",
    "PlantedFailure",
    "TraceScore",
    "Truth",
    "World",
    "WorldFiles",
    "WorldSpec",
    "demo_spec",
    "draw_controls",
    "draw_failures",
    "feature_matches",
    "lured_ranks",
    "names_chunk",
    "pair_matches",
    "permute_responses",
    "plant_world",
    "read_truth",
    "rubric_of",
    "trace_matches",
    "truth_match",
    "with_independent_behavior",
    "without_plant",
    "write_world",
]
