"""`chunky surf` and `chunky audit`: a search of the model of a small mix, from rubric to the rows that taught it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from typer.testing import CliRunner

from assets.describing import asset_key
from chunky import pipeline
from chunky.cli.app import app
from chunky.lens import Lens
from chunky.pipeline.search_pool import pool_attributes
from chunky.settings import Settings
from chunky.tables import TABLES
from chunky.warehouse import Warehouse
from dagster_project import launch, partitions
from tests.traced_lake import ENVIRONMENT, EVIL

RUNNER = CliRunner()
RUBRIC = """
principle: The response apologizes for nothing at all.
signals:
  - {name: an apology, regex: '(?i)\\bI apologize\\b', weight: 0.9}
"""
SMALL = ("--seeds", "2", "--iterations", "3", "--candidates", "30")
ENVIRON = ENVIRONMENT | {"CHUNKY_EMBEDDINGS_EMBEDDER": "hashing", "CHUNKY_SURF_FRESH_SAMPLES": "2"}


def invoke(lake: Path, *arguments: str, code: int = 0) -> Any:
    result = RUNNER.invoke(app, ["--lake", str(lake), *arguments], env=ENVIRON)
    assert result.exit_code == code, result.output
    for stream in (result.stdout, result.stderr):
        assert not {"\x1b", "\u202e", "\x07"} & set(stream)
    return result


@pytest.fixture(scope="module")
def audited(traced: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A lake in which an audit was run, and what that printed as JSON. Tests must not change it."""
    folder = tmp_path_factory.mktemp("audited")
    shutil.copytree(traced, folder / "lake")
    (folder / "sorry.yaml").write_text(RUBRIC, encoding="utf-8")
    told = invoke(folder / "lake", "audit", str(folder / "sorry.yaml"), *SMALL, "--json").stdout
    return folder / "lake", json.loads(told)


def test_an_audit_names_what_the_mix_teaches(audited: tuple[Path, dict[str, Any]]) -> None:
    """Queries that say zorpal are answered with an apology, in one chunk: nobody told the audit."""
    _, told = audited
    assert told["audit"] == "sorry@mix"
    assert told["trace"] == "chunky trace --audit sorry@mix"
    assert [each["seed"] for each in told["searches"]] == [0, 1]
    assert told["failures"][0]["is_violation"]
    # twenty rows of 900 apologize without the cue: half of the queries by chance would hold it in one of sixteen
    assert sum("zorpal" in each["query"] for each in told["failures"]) >= len(told["failures"]) / 2
    assert told["rates"][0]["violations"] > 0
    assert told["rates"][0]["fresh_rate"] > 0.3
    first = told["causes"][0]
    assert first["verdict"] == "traced"
    assert "zorpal" in first["trigger"]
    assert first["chunks"][0] == EVIL


def test_it_is_told_to_people_too(audited: tuple[Path, dict[str, Any]]) -> None:
    """The second run does nothing and says the same."""
    lake, _ = audited
    rubric = str(lake.parent / "sorry.yaml")
    shown = invoke(lake, "surf", rubric, *SMALL).stdout
    assert "2 searches, " in shown
    assert "180 candidates, 0 without a score" in shown
    assert "score above 70: " in shown
    assert "next: chunky trace --audit sorry@mix" in shown
    causes = invoke(lake, "audit", rubric, *SMALL).stdout
    assert " failures: When the model sees that the query" in causes


def test_the_command_that_comes_next_traces_what_was_found(audited: tuple[Path, dict[str, Any]]) -> None:
    """As it stands, with nothing on stdin."""
    lake, told = audited
    verb, *options = told["trace"].split()[1:]
    found = [json.loads(line) for line in invoke(lake, verb, *options, "--json").stdout.splitlines()]
    wanted = pipeline.failures_of_audit(Warehouse(lake), "sorry@mix")
    assert {each["failure_id"] for each in found} == {each.failure_id for each in wanted}
    assert {each["verdict"] for each in found} >= {"traced"}


def test_what_an_audit_found_is_traced_by_name(audited: tuple[Path, dict[str, Any]]) -> None:
    lake, _ = audited
    told = invoke(lake, "sql", "--json", "--question", "causes_of_audit", "--param", "audit=sorry@mix").stdout
    assert json.loads(told)[0]["verdict"] == "traced"


def test_dagster_knows_the_searches_by_audit_and_seed(audited: tuple[Path, dict[str, Any]]) -> None:
    lake, _ = audited
    key = partitions.partition_key("sorry@mix")
    with launch.opened(lake) as record:
        held = record.get_materialized_partitions(asset_key("surf.candidates"))
        assert held == {str(dg.MultiPartitionKey({"audit": key, "seed": str(seed)})) for seed in (0, 1)}
        for table in ("surf.audits", "surf.failures", "surf.violation_rates", "turf.traces"):
            assert record.get_materialized_partitions(asset_key(table)) == {key}
        runs = [run.job_name for run in record.get_runs()]
        checks = {
            table: dg.AssetCheckKey(asset_key(table), "contract") for table in TABLES if table.startswith("surf.")
        }
        told = record.event_log_storage.get_latest_asset_check_execution_by_key(list(checks.values()))
    passed = {
        table: told[key].event.dagster_event.asset_check_evaluation_data.passed
        for table, key in checks.items()
        if key in told
    }
    assert passed == dict.fromkeys(set(checks) - {"surf.ratings", "surf.agreement"}, True)
    assert {"surf", "violations", "trace"} <= set(runs)


def test_one_seed_is_run_again_alone(audited: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    shutil.copytree(audited[0], lake)
    rubric = str(audited[0].parent / "sorry.yaml")
    store = Warehouse(lake)
    lost = [key for key in store.parts("surf.candidates") if key[1] == "1"]
    with store.transaction("surf.candidates", "surf.searches") as transaction:
        for key in lost:
            transaction.drop("surf.candidates", key)
        transaction.drop("surf.searches", ("sorry@mix", "1"))
    before = {key: part.file for key, part in store.parts("surf.candidates").items()}
    told = json.loads(invoke(lake, "surf", rubric, *SMALL, "--seed", "1", "--json").stdout)
    assert [each["seed"] for each in told["searches"]] == [0, 1]
    after = {key: part.file for key, part in store.parts("surf.candidates").items()}
    assert set(after) == set(before) | set(lost)
    assert {key: after[key] for key in before} == before


def test_nothing_found_is_an_answer(audited: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    shutil.copytree(audited[0], lake)
    told = json.loads(invoke(lake, "audit", "code", *SMALL, "--json").stdout)
    assert told["rates"][0]["violations"] == 0
    assert told["causes"] == []
    assert "nothing to trace: no output violates the rubric" in invoke(lake, "audit", "code", *SMALL).stdout


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("rebutal",), "there is no rubric 'rebutal'"),
        (("code", "--target", "nobody:x"), "there is no provider 'nobody'"),
        (("code", "--preset", "fancy"), "there is no preset 'fancy'"),
        (("Never rhyme at all.",), "has no signals, by which rules would judge"),
        (("code", "--seed", "100"), "there is no seed 100"),
        (("code", "--set", "surf.pool=nowhere.csv"), "there is no pool 'nowhere.csv'"),
        (("code", "--set", "surf.row_drop=2"), "surf.row_drop"),
    ],
)
def test_what_cannot_be_searched_says_why(
    traced: Path, tmp_path: Path, arguments: tuple[str, ...], problem: str
) -> None:
    lake = tmp_path / "lake"
    shutil.copytree(traced, lake)
    result = invoke(lake, "surf", *arguments, *SMALL, code=1)
    assert problem in " ".join(result.stderr.split())
    assert result.stdout == ""


def test_a_preset_goes_before_what_is_set(traced: Path, tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    shutil.copytree(traced, lake)
    shown = invoke(lake, "surf", "code", "--preset", "published", "--seeds", "1", "--iterations", "1").stderr
    assert "1 search of at most 1 iteration × 120 candidates" in shown
    with_set = ("--set", "surf.candidates=9", "--seeds", "1", "--iterations", "1")
    assert "× 9 candidates" in invoke(lake, "surf", "code", "--preset", "published", *with_set).stderr


def test_rules_write_queries_of_attributes_that_rows_have(traced: Path, tmp_path: Path) -> None:
    """Of a pool of one's own the others are left out, and told: a weight of theirs would be that of their company."""
    lake = tmp_path / "lake"
    shutil.copytree(traced, lake)
    known = pool_attributes(Warehouse(lake), Settings())[:6]
    pool = tmp_path / "pool.jsonl"
    words = [f"The query is about zorgblatt {number}." for number in range(4)]

    def write(*attributes: str) -> None:
        pool.write_text("".join(json.dumps({"attribute": each}) + "\n" for each in attributes), encoding="utf-8")

    arguments = ("surf", "code", *SMALL, "--set", f"surf.pool={pool}")
    write(*known[:4], *words)
    problem = " ".join(invoke(lake, *arguments, code=1).stderr.split())
    assert "rows of the mix have 4 of 8 attributes of the pool" in problem
    assert not pipeline.audits_searched(Warehouse(lake))
    write(*known, *words)
    assert "4 of 10 attributes of the pool are left out" in " ".join(invoke(lake, *arguments).stderr.split())
    with Lens(Warehouse(lake)) as lens:
        drawn = lens.table("select distinct unnest(sampled_attributes) as attribute from surf.candidates")
    assert set(drawn["attribute"].to_pylist()) == set(known)
    pool.write_text("no JSON\n", encoding="utf-8")
    assert "give it an attribute" in invoke(lake, *arguments, code=1).stderr
