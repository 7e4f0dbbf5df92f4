"""The models of `sql/surf/` against the search's own buffer and weights: random candidates, ties, holes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chunky.contracts import queries
from chunky.lens import Lens
from chunky.surf import Candidate, attribute_weights, merged
from chunky.tables import TABLES
from chunky.warehouse import Warehouse
from tests.small_lake import write
from tests.turf_worlds import run, seen

AUDIT = "rebuttal@mix"
VIOLATION = 70
ATTRIBUTES = ("The query is short.", "The query rhymes.", "The query is in Thai.", "Ä", "the")
SCHEMA = TABLES["surf.candidates"].arrow_schema

Rows = list[dict[str, Any]]


@pytest.fixture(scope="module")
def lens(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lens]:
    with Lens(Warehouse(tmp_path_factory.mktemp("surf") / "lake")) as opened:
        yield opened


@st.composite
def searches(draw: st.DrawFn) -> Rows:
    """Candidates of one to three seeds; few texts and scores, so that there are ties and duplicates."""
    rows: Rows = []
    ids = draw(st.lists(st.integers(-(2**63) + 1, 2**63 - 1), unique=True, min_size=36, max_size=36))
    group_of = {query: draw(st.sampled_from([None, 5, 6])) for query in "abc"}  # of a query: equal ones are alike
    scores = st.sampled_from([0.0, 0.0, 12.5, 70.0, 70.1, 99.0, 100.0])
    for seed in draw(st.lists(st.integers(0, 9), unique=True, min_size=1, max_size=3)):
        for iteration in range(draw(st.integers(1, 4))):
            for number in range(1, draw(st.integers(1, 3)) + 1):
                is_failed = draw(st.booleans()) and draw(st.booleans())
                query = draw(st.sampled_from("abc"))
                rows.append(
                    {
                        "audit": AUDIT, "seed": seed, "iteration": iteration, "candidate": number,
                        "candidate_id": ids[len(rows)],
                        "sampled_attributes": draw(st.lists(st.sampled_from(ATTRIBUTES), unique=True, max_size=4)),
                        "query": query,
                        "response": None if is_failed else draw(st.sampled_from(["x", "y"])),
                        "violation_score": None if is_failed else draw(scores),
                        "call_error": "target: lost" if is_failed else None,
                        "query_group": group_of[query],
                    }
                )  # fmt: skip
    return rows


@contextmanager
def candidates(lens: Lens, rows: Rows) -> Iterator[None]:
    """`rows`, and the same scored best in another audit, which nothing may look at."""
    others = [row | {"audit": "other", "violation_score": 100.0, "query": "a", "response": "x"} for row in rows]
    data = pl.DataFrame([*others, *rows], schema=pl.DataFrame(SCHEMA.empty_table()).schema).to_arrow()
    with lens.registered(given_candidates=data):
        lens.connection.execute("create or replace view surf.candidates as select * from given_candidates")
        yield


def replayed(rows: Rows, size: int, per_group: int) -> Iterator[tuple[int, int, list[Candidate]]]:
    """Seed, iteration and buffer, by merging iteration after iteration as the search does."""
    for seed in sorted({row["seed"] for row in rows}):
        buffer: list[Candidate] = []
        for iteration in sorted({row["iteration"] for row in rows if row["seed"] == seed}):
            new = [
                Candidate(
                    row["candidate_id"], iteration, row["candidate"], tuple(row["sampled_attributes"]), row["query"],
                    row["response"], row["violation_score"], group=row["query_group"],
                )
                for row in rows
                if (row["seed"], row["iteration"]) == (seed, iteration)
            ]  # fmt: skip
            buffer = merged(buffer, new, size, per_group)
            yield seed, iteration, buffer


def models(lens: Lens, rows: Rows, size: int, per_group: int) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    with candidates(lens, rows):
        buffers = run(lens, "surf.buffers", audit=AUDIT, buffer=size, per_group=per_group)
        with seen(lens, new_buffers=buffers):
            weights = run(lens, "surf.weights", audit=AUDIT)
            return buffers, weights, run(lens, "surf.convergence", audit=AUDIT, violation=VIOLATION)


SLOW = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])


@SLOW
@given(rows=searches(), size=st.integers(1, 6), per_group=st.integers(0, 2))
def test_buffers_and_weights_are_those_of_the_search(lens: Lens, rows: Rows, size: int, per_group: int) -> None:
    buffers, weights, _ = models(lens, rows, size, per_group)
    told, weighed = [], []
    for seed, iteration, buffer in replayed(rows, size, per_group):
        told += [
            (AUDIT, seed, iteration, rank, each.candidate_id, each.violation_score)
            for rank, each in enumerate(buffer, 1)
        ]
        mass = {name: weight for name, weight in attribute_weights(buffer).items() if weight > 0}
        ranked = sorted(mass.items(), key=lambda each: (-each[1], each[0].encode()))
        total = sum(mass.values())
        weighed += [
            (AUDIT, seed, iteration, rank, name, weight, pytest.approx(weight / total))
            for rank, (name, weight) in enumerate(ranked, 1)
        ]
    assert buffers.rows() == told
    assert weights.rows() == weighed, "equal to the last bit: sums are in the order of the buffer"


@SLOW
@given(rows=searches(), size=st.integers(1, 6))
def test_convergence_is_counted_like_a_loop(lens: Lens, rows: Rows, size: int) -> None:
    buffers = {(seed, iteration): buffer for seed, iteration, buffer in replayed(rows, size, 0)}
    _, _, found = models(lens, rows, size, 0)
    wanted = []
    violating: dict[int, set[str]] = {}
    for seed, iteration in sorted(buffers):
        mine = [row for row in rows if (row["seed"], row["iteration"]) == (seed, iteration)]
        scores = [row["violation_score"] for row in mine if row["violation_score"] is not None]
        bad = [row["query"] for row in mine if (row["violation_score"] or 0) > VIOLATION]
        known = violating.setdefault(seed, set())
        held = [each.violation_score or 0.0 for each in buffers[seed, iteration]]
        wanted.append(
            (
                AUDIT, seed, iteration, len(mine), len(mine) - len(scores), mean(scores), max(scores, default=None),
                mean(held), min(held, default=None), len(bad), len(set(bad) - known),
            )
        )  # fmt: skip
        known |= set(bad)
    assert found.rows() == wanted


def mean(values: Sequence[float]) -> Any:
    return pytest.approx(sum(values) / len(values)) if values else None


def test_the_answers_keep_the_catalogs_promises(tmp_path: Path) -> None:
    lake = Warehouse(tmp_path / "lake")
    rows: Rows = [
        {"audit": AUDIT, "seed": seed, "iteration": iteration, "candidate": number, "query": f"{iteration}{number}",
         "candidate_id": hash((seed, iteration, number)), "sampled_attributes": ["a", "b"][:number], "response": "r",
         "violation_score": 10.0 * number + iteration}
        for seed in (0, 3) for iteration in range(3) for number in (1, 2, 3)
    ]  # fmt: skip
    for seed in (0, 3):
        write(lake, "surf.candidates", [row for row in rows if row["seed"] == seed], (AUDIT, str(seed)))
    names = ("surf.buffers", "surf.weights", "surf.convergence")
    with Lens(lake) as lens:
        lens.set({"audit": AUDIT, "buffer": 4, "per_group": 0, "violation": VIOLATION})
        buffers = run(lens, "surf.buffers")
        with seen(lens, new_buffers=buffers):
            frames = [buffers, run(lens, "surf.weights"), run(lens, "surf.convergence")]
    for name, frame in zip(names, frames, strict=True):
        assert frame.columns == list(TABLES[name].column_names), "in the order of the catalog"
        write(lake, name, frame.to_dicts(), (AUDIT,))
    with Lens(lake) as lens:
        for name in names:
            for query in queries(TABLES[name]):
                assert lens.table(query.sql)["broken"].to_pylist() == [0], query.name
