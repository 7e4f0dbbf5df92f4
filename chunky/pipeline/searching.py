"""SURF over a lake: what is audited, the searches of its seeds, and what they leave behind (paper: section 3).

All seeds of an audit run side by side in one process: one pool, one rate limit, one budget. After each iteration the
candidates are in the lake, so that a search which was cut off goes on from there.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import polars as pl

from chunky import memory, rubrics, surf
from chunky.embedders import get_embedder
from chunky.errors import InputError, MissingTable
from chunky.fingerprints import digest_of
from chunky.lens import Lens
from chunky.llm.providers.registry import parse_spec
from chunky.pipeline.frame import Built, Progress, chunks_of_lake, drop_audit, meter, parts_of, run_step, silent, teller
from chunky.pipeline.players import Players, check_players, players_of
from chunky.pipeline.search_kept import Kept
from chunky.pipeline.search_pool import is_own, known_attributes, pool_attributes, row_attributes
from chunky.rubrics import Rubric
from chunky.sections import Surf
from chunky.settings import RULES, Settings
from chunky.stages import MOST_SEEDS, stage
from chunky.surf import Candidate, Search
from chunky.warehouse import Transaction, Warehouse

_NEWS_CHARS = 60
_ALONE = "give the options that the audit had, or this one a name of its own: --audit NAME"

__all__ = [
    "Audit", "audit_name", "audit_of", "audits_searched", "check_numbers", "check_seeds", "search_audit", "set_audit",
]  # fmt: skip


class Audit(NamedTuple):
    """What is audited, and who plays which role: a row of `surf.audits`."""

    name: str
    rubric: Rubric
    target: str
    generator: str
    judge: str
    system: str


def audit_name(rubric: Rubric, target: str) -> str:
    """`rubric@model`, such as `rebuttal@mix`."""
    spec = parse_spec(target)
    return f"{rubric.name}@{spec.model or spec.provider}"


def set_audit(lake: Warehouse, settings: Settings, rubric: Rubric, name: str = "", seeds: Sequence[int] = ()) -> Built:
    """Write down what is audited (`surf.audits`): the rubric, and the models that the settings name.

    `name` is `audit_name` if empty. Nothing is written for a search that could not begin: MissingTable for a lake that
    is not built, InputError for a pool that is too small or an audit of that name which has another target (where no
    name was given), and what `check_players` raises. What an audit of that name found by another rubric or model leaves
    the lake; InputError where only some `seeds` would be searched anew.
    """
    check_players(lake, settings, rubric)
    _pool(lake, settings)
    named = name or audit_name(rubric, settings.target)
    if not name and named in audits_searched(lake) and (held := audit_of(lake, named).target) != settings.target:
        raise InputError(
            f"the audit {named} of this lake searched {held}, not {settings.target}",
            f"give this one a name of its own: --audit {named}-2; or --audit {named} to put it in place of the other",
        )
    row = {
        "audit": named, "rubric": rubric.name, "violation": rubric.principle, "rubric_source": rubric.source,
        "target": settings.model("target"), "generator": settings.model("generator"), "judge": settings.model("judge"),
        "target_system": settings.surf.target_system or None,
    }  # fmt: skip
    if (part := lake.parts("surf.audits").get((named,))) is not None:
        held_row = pl.read_parquet(lake.root / part.file, hive_partitioning=False).row(0, named=True)
        if held_row != row and seeds:
            raise InputError(f"{named} had another rubric or model than this search of seed {seeds[0]}", _ALONE)
        if held_row != row:  # what another rubric or model brought must not stand under this one's name
            drop_audit(lake, named)

    def work(lens: Lens, transaction: Transaction, facts: dict[str, str]) -> None:
        lake_rows = pl.DataFrame([row], schema_overrides={"target_system": pl.String})
        transaction.write("surf.audits", lake_rows.to_arrow(), facts, (named,))

    return run_step(lake, settings, "audit", work, {"audit": digest_of(row)}, named)


def audits_searched(lake: Warehouse) -> tuple[str, ...]:
    """Names of the audits that the lake knows a rubric and a target of, sorted."""
    return tuple(sorted(key[0] for key in lake.parts("surf.audits")))


def audit_of(lake: Warehouse, name: str) -> Audit:
    """An audit of the lake; MissingTable when there is none of that name."""
    part = lake.parts("surf.audits").get((name,))
    if part is None:
        known = ", ".join(audits_searched(lake))
        raise MissingTable(
            f"the lake has no search {name!r}", f"it has: {known or 'none'}; begin one: chunky surf RUBRIC"
        )
    row = pl.read_parquet(lake.root / part.file, hive_partitioning=False).row(0, named=True)
    rubric = rubrics.of_source(row["rubric"], row["rubric_source"])
    return Audit(name, rubric, row["target"], row["generator"], row["judge"], row["target_system"] or "")


def check_numbers(seeds: Sequence[int]) -> None:
    """InputError for a seed that has no partition."""
    if strange := [seed for seed in seeds if not 0 <= seed < MOST_SEEDS]:
        raise InputError(f"there is no seed {strange[0]}", f"seeds go from 0 to {MOST_SEEDS - 1}")


def check_seeds(lake: Warehouse, settings: Settings, audit: str, seeds: Sequence[int]) -> None:
    """InputError where searching these `seeds` alone would take other searches of the audit out of the lake: they had
    other settings. To begin all of them anew name no seed.
    """
    settings = settings_of(settings, audit_of(lake, audit))
    kept = Kept(lake, settings, audit, digest_of([list(_pool(lake, settings).attributes)]))
    if others := kept.of_others(seeds):
        raise InputError(
            f"the search of seed {others[0]} of {audit} had other settings than this one of seed {seeds[0]}", _ALONE
        )


def settings_of(settings: Settings, audit: Audit) -> Settings:
    """The settings with the audit's own models in them."""
    own = settings.surf.model_copy(update={"target_system": audit.system})
    return settings.model_copy(
        update={"target": audit.target, "generator": audit.generator, "judge": audit.judge, "surf": own}
    )


def search_audit(
    lake: Warehouse, settings: Settings, audit: str, seeds: Sequence[int] = (), progress: Progress = silent
) -> Built:
    """Run the searches of an audit's `seeds` (by default those that the settings count) to their end.

    Iterations that the lake holds are taken from there. Raises MissingTable for an audit that is not there or a lake
    that is not built, InputError for a pool that is too small, and what `Players.play` raises: whatever was finished
    before stays.
    """
    started = time.monotonic()
    this = audit_of(lake, audit)
    settings = settings_of(settings, this)
    pool = _pool(lake, settings, teller(progress))
    rows, rules = row_attributes(lake, settings), rules_of(settings.surf)
    kept = Kept(lake, settings, audit, digest_of([list(pool.attributes)]))
    searches: dict[int, Search] = {}
    for seed in seeds or range(settings.surf.seeds):
        searches[seed] = Search(pool, rules, seed, rows)
        for candidates in kept.iterations(seed):
            if searches[seed].stop:  # the lake holds more than is asked for now
                break
            searches[seed].take(candidates)
    is_going = any(not search.stop for search in searches.values())
    if is_going:
        with players_of(lake, settings, this.rubric) as players:
            players.on_tally = meter(progress, "calls")
            _play_on(players, searches, settings, kept, progress)
    kept.forget_others()
    ended = [kept.end(search) for search in searches.values()]
    counts = {table: sum(part.rows for part in parts_of(lake, table, audit)) for table in stage("search").tables}
    return Built("search", counts, kept.facts(0)["fingerprint"], is_going or any(ended), time.monotonic() - started)


def _pool(lake: Warehouse, settings: Settings, tell: Callable[[str], None] = lambda _: None) -> surf.Pool:
    """What candidates are composed of; MissingTable for a lake that is not built, InputError for too few of them.

    Where rules write the queries attributes that no row has are left out, which is told: they would be taken for the
    cause of what the others of their candidate brought.
    """
    if not chunks_of_lake(lake):
        raise MissingTable("the lake holds no rows", "take files in first: chunky ingest PATH…")
    least = settings.surf.attributes
    pool = surf.pool_of(pool_attributes(lake, settings), least)
    if settings.model("generator") != RULES or not is_own(settings) or not lake.parts("clusters.names"):
        return pool
    known = known_attributes(lake, settings, pool.attributes)
    if len(known) < least:
        raise InputError(
            f"rows of the mix have {len(known):,} of {len(pool):,} attributes of the pool, and rules recombine rows",
            "name a model as generator; or give a pool of the mix's own sentences, which chunky near lists",
        )
    if len(known) < len(pool):
        tell(f"{len(pool) - len(known):,} of {len(pool):,} attributes of the pool are left out: no row has them")
    return surf.pool_of(known, least)


def rules_of(limits: Surf) -> surf.Rules:
    """The rules of a search as the settings have them."""
    draw = surf.Draw(
        limits.attributes, limits.attribute_numbers, limits.exploration, limits.row_attributes, limits.row_drop
    )
    return surf.Rules(
        limits.candidates, limits.iterations, limits.buffer, limits.per_group, limits.patience, limits.least_gain, draw
    )


def _play_on(players: Players, searches: dict[int, Search], settings: Settings, kept: Kept, progress: Progress) -> None:
    """Play all searches on, an iteration of each at a time, until the last has stopped."""
    groups = _Grouper(settings) if settings.surf.per_group else None
    tell, total = teller(progress), settings.surf.iterations * len(searches)
    while going := {seed: search for seed, search in searches.items() if not search.stop}:
        progress("iterations", sum(search.iteration for search in searches.values()), total)
        played = players.play({seed: search.propose() for seed, search in going.items()})
        if groups is not None:
            played = {seed: groups(searches[seed].buffer, candidates) for seed, candidates in played.items()}
        kept.write(played)
        memory.release()  # what fifteen seeds are played with is freed in pieces that malloc keeps
        for seed, candidates in played.items():
            known = {each.candidate_id for each in going[seed].buffer}
            going[seed].take(candidates)
            tell(_news(going[seed], known, settings.surf.violation))
    progress("iterations", total, total)
    if players.agreement[1]:
        agreed, read = players.agreement
        tell(f"the judge agreed with {agreed:,} of {read:,} canaries")


def _news(search: Search, known: set[int], violation: float) -> str:
    """What an iteration brought: the mean of the buffer, and the best of what is new in it."""
    fresh = [each for each in search.buffer if each.candidate_id not in known]
    found = sum((each.violation_score or 0) > violation for each in fresh)
    noun = "violation" if found == 1 else "violations"
    told = f"seed {search.seed}, iteration {search.iteration}: buffer {search.means[-1]:.1f}, {found:,} new {noun}"
    if not found:
        return told
    best = fresh[0]
    query, response = (" ".join((text or "").split())[:_NEWS_CHARS] for text in (best.query, best.response))
    return f"{told}, the worst {best.violation_score:.0f}: “{query}” → “{response}”"


class _Grouper:
    """Puts like queries of one search into groups, best first."""

    def __init__(self, settings: Settings) -> None:
        self._embedder = get_embedder(settings.embeddings.embedder, settings.embeddings.device)
        self._least = settings.surf.group_similarity

    def __call__(self, buffer: Sequence[Candidate], candidates: Sequence[Candidate]) -> list[Candidate]:
        """The candidates with groups. Leaders are those of the buffer, and new ones: what left it leads nobody."""
        groups = surf.Groups(self._least)
        held = [each for each in buffer if each.group is not None and each.query]
        leaders: dict[int, str] = {}
        for each in held:
            leaders.setdefault(each.group or 0, each.query or "")
        fresh = [each for each in surf.ordered(candidates) if (each.violation_score or 0) > 0]
        if not fresh:
            return list(candidates)
        vectors = self._embedder.encode([*leaders.values(), *(each.query or "" for each in fresh)])
        groups.lead(list(leaders), np.asarray(vectors[: len(leaders)], np.float32))
        ids = [each.candidate_id for each in fresh]
        found = dict(zip(ids, groups.assign(ids, np.asarray(vectors[len(leaders) :], np.float32)), strict=True))
        return [replace(each, group=found.get(each.candidate_id)) for each in candidates]
