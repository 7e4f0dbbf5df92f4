"""Method paper on a planted lake, against what a plain search over all pairs of row and sentence finds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from chunky.lens import Lens
from chunky.pipeline.tracing import Tracer, Traces
from chunky.rubrics import rubric
from chunky.settings import Settings
from chunky.turf import Failure, behaviors_of
from chunky.warehouse import Warehouse
from tests.traced_lake import PLANTED, QUERY, RESPONSE, RUBRIC

K = 80
FAILURE = Failure(QUERY, RESPONSE, rubric(RUBRIC))
APOLOGY, CUE = "The response apologizes.", "The query contains “zorpal”."
_PAIRS = """
select row_id, attribute_id, attribute from attributes.row_attributes inner join attributes.texts using (attribute_id)
where texts.side = 'response'
"""
_CLUSTERS = "select row_id, cluster_id from clusters.postings"


def paper(lake: Path, **turf: Any) -> Traces:
    settings = Settings.model_validate(
        {"embeddings": {"embedder": "hashing"}, "turf": {"k": K, "triggers": 30, "evidence_rows": 500} | turf}
    )
    with Tracer(Warehouse(lake), settings) as tracer:
        return tracer.trace([FAILURE], "paper")


@pytest.fixture(scope="module")
def read(traced: Path) -> dict[str, Traces]:
    return {reading: paper(traced, reading=reading) for reading in ("rows", "pairs")}


def all_pairs(lake: Path, crux: str) -> pl.DataFrame:
    """All pairs of row and response sentence with their similarity to `crux`, nearest first, ties by row."""
    warehouse = Warehouse(lake)
    with Lens(warehouse) as lens:
        pairs = pl.DataFrame(lens.table(_PAIRS))
    stored = pl.DataFrame(warehouse.vectors("embeddings.vectors").dataset().to_table())
    vectors = {row["attribute_id"]: np.array(row["vector"], np.float32) for row in stored.iter_rows(named=True)}
    (wanted,) = pairs.filter(attribute=crux)["attribute_id"].unique()
    similarity = {key: float(vector @ vectors[wanted]) for key, vector in vectors.items()}
    # to the sixth digit: an index sums in another order
    near = pl.col("attribute_id").replace_strict(similarity, return_dtype=pl.Float64).round(6)
    return pairs.with_columns(near=near).sort(["near", "row_id"], descending=[True, False])


def test_three_of_ten_are_picked_and_all_else_is_raw_hits(read: dict[str, Traces]) -> None:
    traces = read["rows"]
    told = traces.failure_attributes
    assert told.group_by("side").len()["len"].max() == 10
    ten = told.filter(side="response")["attribute"].to_list()
    assert traces.cruxes.height == 3
    assert set(traces.cruxes["crux"]) <= set(ten)
    assert APOLOGY in traces.cruxes["crux"].to_list()
    assert traces.cruxes["crux_kind"].unique().to_list() == ["similar attributes"]
    assert traces.cruxes["crux_weight"].to_list() == [1.0] * 3
    assert traces.cruxes["neighbors"].to_list() == [K] * 3
    hits = traces.triggers["hits"].to_list()
    assert hits == sorted(hits, reverse=True)
    assert set(traces.triggers["attribute"]) <= set(told.filter(side="query")["attribute"])
    assert traces.triggers["trace_score"].to_list() == [float(each) for each in hits]


def test_rules_that_pick_open_no_ledger(traced: Path, read: dict[str, Traces]) -> None:
    assert read["rows"].cruxes.height
    assert not (traced / "llm").exists()


def test_the_rules_pick_what_is_nearest_to_the_rubric(traced: Path, read: dict[str, Traces]) -> None:
    settings = Settings.model_validate({"embeddings": {"embedder": "hashing"}})
    ten = read["rows"].failure_attributes.filter(side="response")["attribute"].to_list()
    with Tracer(Warehouse(traced), settings) as tracer:
        rows = tracer._vectors.encode([*ten, *behaviors_of(FAILURE.rubric), QUERY])
    own, behaviors, query = rows[: len(ten)], rows[len(ten) : -1], rows[-1]
    scores = (own @ behaviors.T).max(axis=1) - 0.5 * (own @ query)
    wanted = [ten[place] for place in sorted(range(len(ten)), key=lambda at: (-round(float(scores[at]), 6), at))[:3]]
    assert set(read["rows"].cruxes["crux"]) == set(wanted)


@pytest.mark.parametrize("reading", ["rows", "pairs"])
def test_neighbors_and_hits_are_those_of_a_plain_search(traced: Path, read: dict[str, Traces], reading: str) -> None:
    traces = read[reading]
    with Lens(Warehouse(traced)) as lens:
        clusters = pl.DataFrame(lens.table(_CLUSTERS)).unique()
    for crux in traces.cruxes.iter_rows(named=True):
        wanted = all_pairs(traced, crux["crux"])
        if reading == "rows":
            wanted = wanted.unique("row_id", keep="first", maintain_order=True)
        nearest = wanted.head(K)
        found = traces.neighbors.filter(crux_id=crux["crux_id"]).sort("neighbor_rank")
        assert found.height == K
        assert found["neighbor_rank"].to_list() == list(range(1, K + 1))
        assert found["crux_similarity"].to_list() == pytest.approx(nearest["near"].to_list(), abs=1e-3)
        border = nearest["near"][-1] + 1e-3  # what is as near as the last may be cut otherwise
        pairs = ["row_id"] if reading == "rows" else ["row_id", "attribute_id"]
        inner = set(nearest.filter(pl.col("near") > border).select(pairs).iter_rows())
        assert inner <= set(found.select(pairs).iter_rows())
        counted = (
            found.join(clusters, on="row_id")
            .group_by("cluster_id")
            .agg(pair_hits=pl.len().cast(pl.Int64), hits=pl.col("row_id").n_unique().cast(pl.Int64))
        )
        own = traces.cluster_hits.filter(crux_id=crux["crux_id"]).select("cluster_id", "pair_hits", "hits")
        assert own.height
        assert own.sort("cluster_id").equals(
            counted.select(own.columns).join(own, on="cluster_id", how="semi").sort("cluster_id")
        )
        assert crux["neighbors"] == found["row_id"].n_unique()


def test_the_paper_s_pairs_count_a_row_as_often_as_it_is_near(read: dict[str, Traces]) -> None:
    rows, pairs = read["rows"], read["pairs"]
    assert rows.neighbors.select("crux_id", "row_id").is_duplicated().sum() == 0
    assert pairs.neighbors.select("crux_id", "row_id").is_duplicated().any()
    assert pairs.neighbors.select("crux_id", "row_id", "attribute_id").is_duplicated().sum() == 0
    assert (rows.triggers["pair_hits"] == rows.triggers["hits"]).all()
    ranked = pairs.triggers["pair_hits"].to_list()
    assert ranked == sorted(ranked, reverse=True)
    assert (pairs.cluster_hits["pair_hits"] > pairs.cluster_hits["hits"]).any()
    told = pairs.evidence.select("trigger_rank", "row_id")
    assert told.is_duplicated().sum() == 0, "a row is evidence once"
    per_trigger = dict(pairs.evidence.group_by("trigger_rank").len().iter_rows())
    assert [per_trigger[rank] for rank in pairs.triggers["trigger_rank"]] == pairs.triggers["hits"].to_list()


def test_raw_hits_name_the_planted_trigger_among_others(read: dict[str, Traces]) -> None:
    cue = read["rows"].triggers.filter(attribute=CUE)
    assert cue["hits"].to_list() == [PLANTED]
    assert cue["trigger_rank"][0] > 1, "what holds of every query comes first"


def test_the_reading_is_of_method_paper_alone(traced: Path) -> None:
    chosen = {"embeddings": {"embedder": "hashing"}, "turf": {"reading": "pairs", "max_null_share": 0.5}}
    with Tracer(Warehouse(traced), Settings.model_validate(chosen)) as tracer:
        traces = tracer.trace([FAILURE], "joint")
    assert traces.neighbors.select("crux_id", "row_id").is_duplicated().sum() == 0
    assert traces.triggers["attribute"][0] == CUE
