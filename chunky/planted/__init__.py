"""Planted worlds: mixes with known trigger → behavior correlations, so that attribution accuracy is a number.

wording      templates and the strings that a seed invents
lexicon, tasks, background     the planter's own ordinary mix
banks, languages, predicates   paraphrases, frames, and what decides membership
triggers, behaviors, topics    makers of what is planted
planner, canvas, world         who gets what, and the finished mix
truth, matching, lures, files  what is known, how finds are judged, and bytes on disk
"""

from chunky.planted.files import WorldFiles, read_truth, write_world
from chunky.planted.lures import lured_ranks
from chunky.planted.matching import MatchScore, feature_matches, pair_matches, truth_match
from chunky.planted.truth import Cue, Distractor, Plant, Truth, WorldSpec
from chunky.planted.world import World, demo_spec, permute_responses, plant_world, without_plant

__all__ = [
    "Cue",
    "Distractor",
    "MatchScore",
    "Plant",
    "Truth",
    "World",
    "WorldFiles",
    "WorldSpec",
    "demo_spec",
    "feature_matches",
    "lured_ranks",
    "pair_matches",
    "permute_responses",
    "plant_world",
    "read_truth",
    "truth_match",
    "without_plant",
    "write_world",
]
