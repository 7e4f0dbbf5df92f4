"""SURF: search a model for failures that violate a rubric (paper: section 3).

pool       the attributes that queries are composed of
sampling   which of them a candidate is given: equation 1
buffer     the best candidates so far: equation 2
groups     queries that are alike
search     one seeded search, from proposal to convergence
presets    settings that belong together
rates      how often a target violates a rubric (table 1), with intervals from `bootstrap`
matrix     the rates of all audits as models × behaviors, and `plot`, its picture
agreement  how far raters agree, people among them (`labels`)

Who writes the queries, answers them and judges is `chunky.llm`; what the lake keeps of it is SQL (`sql/surf/`);
`chunky.pipeline.searching` runs it.
"""

from __future__ import annotations

from chunky.surf.buffer import Candidate, candidate_id, merged, ordered
from chunky.surf.groups import Groups
from chunky.surf.pool import Pool, pool_of
from chunky.surf.presets import PRESETS
from chunky.surf.sampling import Draw, Drawer, attribute_weights
from chunky.surf.search import Rules, Search

__all__ = [
    "PRESETS",
    "Candidate",
    "Draw",
    "Drawer",
    "Groups",
    "Pool",
    "Rules",
    "Search",
    "attribute_weights",
    "candidate_id",
    "merged",
    "ordered",
    "pool_of",
]
