"""The searches of an audit in the lake: candidates, a part an iteration, and how each search ended."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import polars as pl
import pyarrow as pa

from chunky.fingerprints import code_digest, digest_of, provenance
from chunky.sections import Surf
from chunky.settings import MIX, RULES, Settings
from chunky.stages import stage
from chunky.surf import Candidate, Search
from chunky.tables import TABLES
from chunky.warehouse import Key, Warehouse

__all__ = ["CANDIDATES", "SEARCHES", "Kept"]

CANDIDATES, SEARCHES = "surf.candidates", "surf.searches"
# what no candidate depends on: searches that go on for longer keep the iterations they have
_AFTER = ("seeds", "iterations", "patience", "least_gain", "violation", "loose_violation", "failures", "fresh_samples")
# the code of players on this machine; a model elsewhere is known by its name alone
_CODE = {
    "target": ("chunky.llm.mix", "chunky.mixture"),
    "generator": ("chunky.recombining",),
    "judge": ("chunky.rubrics",),
}
_OF_THE_MIX = ("corpus.rows", "attributes.texts", "clusters.assignments")


class Kept:
    """The candidates of an audit's searches in the lake, a part an iteration."""

    def __init__(self, lake: Warehouse, settings: Settings, audit: str, pool: str) -> None:
        self._lake, self._settings, self._audit = lake, settings, audit
        neutral = {name: getattr(Surf(), name) for name in _AFTER}  # type: ignore[call-arg]
        told = settings.model_copy(update={"surf": settings.surf.model_copy(update=neutral)})
        reads = {"surf.audits": lake.version("surf.audits", (audit,)), "pool": pool}
        if settings.model("target") == MIX or settings.model("generator") == RULES:
            reads |= {table: lake.version(table) for table in _OF_THE_MIX}
        offline = {role: code_digest(units) for role, units in _CODE.items() if settings.model(role) in (MIX, RULES)}
        self._inputs = reads | offline
        self._told = told

    def facts(self, seed: int) -> dict[str, str]:
        """Provenance of what a seed's search makes."""
        return provenance(stage("search"), self._told, self._inputs, seed)

    def iterations(self, seed: int) -> list[list[Candidate]]:
        """The whole iterations that the lake holds of a seed's search as it would be made now, in order."""
        wanted, parts = self.facts(seed)["fingerprint"], self._lake.parts(CANDIDATES)
        found: list[list[Candidate]] = []
        while (part := parts.get(_key(self._audit, seed, len(found)))) and part.fingerprint == wanted:
            frame = pl.read_parquet(self._lake.root / part.file, hive_partitioning=False)
            found.append([_candidate(row) for row in frame.sort("candidate").iter_rows(named=True)])
        return found

    def write(self, played: dict[int, list[Candidate]]) -> None:
        """Add an iteration of some seeds; parts of other searches of these seeds leave the lake."""
        with self._lake.transaction(CANDIDATES) as transaction:
            held = transaction.parts(CANDIDATES)
            for seed, candidates in played.items():
                facts = self.facts(seed)
                at = candidates[0].iteration
                for key, part in held.items():
                    is_later = key[:2] == (self._audit, str(seed)) and int(key[2]) >= at
                    if is_later or (key[:2] == (self._audit, str(seed)) and part.fingerprint != facts["fingerprint"]):
                        transaction.drop(CANDIDATES, key)
                rows = [_row(self._audit, seed, each) for each in candidates]
                transaction.write(CANDIDATES, _frame(CANDIDATES, rows), facts, _key(self._audit, seed, at))

    def forget_others(self) -> None:
        """Take out of the audit what searches of other settings, models or another mix left, whatever their seed.

        One that was cut off would be counted among the audit's failures with candidates that this one never had.
        """
        parts = self._lake.parts(CANDIDATES)
        wanted = {seed: self.facts(int(seed))["fingerprint"] for audit, seed, _ in parts if audit == self._audit}
        old = {key for key, part in parts.items() if key[0] == self._audit and part.fingerprint != wanted[key[1]]}
        if not old:
            return
        with self._lake.transaction(CANDIDATES, SEARCHES) as transaction:
            for key in old:
                transaction.drop(CANDIDATES, key)
            for key in {key[:2] for key in old} & transaction.parts(SEARCHES).keys():
                transaction.drop(SEARCHES, key)

    def of_others(self, seeds: Collection[int]) -> list[int]:
        """Seeds besides these whose searches in the lake had other settings, models or another mix."""
        parts = self._lake.parts(CANDIDATES)
        held = {int(seed): part for (audit, seed, _), part in parts.items() if audit == self._audit}
        return sorted(
            seed for seed, part in held.items()
            if seed not in seeds and part.fingerprint != self.facts(seed)["fingerprint"]
        )  # fmt: skip

    def end(self, search: Search) -> bool:
        """Write that a search has ended; False when the lake says so already."""
        facts = self.facts(search.seed)
        rules = {"stop": search.stop, "iterations": search.iteration}
        facts["fingerprint"] = digest_of([facts["fingerprint"], rules])
        key = (self._audit, str(search.seed))
        known = self._lake.parts(SEARCHES).get(key)
        if known is not None and known.fingerprint == facts["fingerprint"]:
            return False
        taken = [each for candidates in self.iterations(search.seed)[: search.iteration] for each in candidates]
        row = {
            "audit": self._audit, "seed": search.seed, "iterations": search.iteration, "candidates": len(taken),
            "failed_candidates": sum(each.violation_score is None for each in taken), "stop": search.stop,
        }  # fmt: skip
        with self._lake.transaction(SEARCHES) as transaction:
            transaction.write(SEARCHES, _frame(SEARCHES, [row]), facts, key)
        return True


def _key(audit: str, seed: int, iteration: int) -> Key:
    return audit, str(seed), f"{iteration:04d}"


def _row(audit: str, seed: int, candidate: Candidate) -> dict[str, object]:
    return {
        "audit": audit, "seed": seed, "iteration": candidate.iteration, "candidate": candidate.number,
        "candidate_id": candidate.candidate_id, "sampled_attributes": list(candidate.attributes),
        "query": candidate.query, "response": candidate.response, "violation_score": candidate.violation_score,
        "judge_reason": candidate.reason, "call_error": candidate.error, "query_group": candidate.group,
    }  # fmt: skip


def _candidate(row: dict[str, Any]) -> Candidate:
    return Candidate(
        row["candidate_id"], row["iteration"], row["candidate"], tuple(row["sampled_attributes"]),
        row["query"], row["response"], row["violation_score"], row["judge_reason"], row["call_error"],
        row["query_group"],
    )  # fmt: skip


def _frame(table: str, rows: list[dict[str, object]]) -> pa.Table:
    return pa.Table.from_pylist(rows, TABLES[table].arrow_schema)
