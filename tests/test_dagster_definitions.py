"""What Dagster is told: every table is one asset with one contract check, described by the catalog."""

from __future__ import annotations

from dataclasses import MISSING, fields
from pathlib import Path

import dagster as dg
import pytest
import yaml

from assets.corpus import Reading
from assets.describing import asset_key, column_schema, table_name
from chunky.corpus import ReadOptions
from chunky.settings import Settings
from chunky.stages import AUDIT_STAGES, BY_TABLE, STAGES
from chunky.tables import TABLES
from dagster_project import home
from dagster_project.checks import CONTRACT, DISTRIBUTIONS
from dagster_project.definitions import defs
from dagster_project.jobs import JOBS
from dagster_project.partitions import AUDIT, CHUNK, SEARCH
from dagster_project.sensors import SENSORS

MAY_COST = {"audit", "search", "resamples", "agreement"}
"""Steps of an audit that people start: they ask models, or are written beside Dagster."""
OF_TRACES = {table for stage in AUDIT_STAGES if stage.name in ("traces", "confirmations") for table in stage.tables}
FILED = [entry for entry in TABLES.values() if not entry.is_view]
SPECS = {table_name(spec.key): spec for spec in defs.resolve_all_asset_specs()}


def test_the_definitions_load_as_a_code_location() -> None:
    dg.Definitions.validate_loadable(defs)  # names of jobs and ops must not meet, among other things


def test_every_table_that_holds_files_is_one_asset() -> None:
    assert sorted(SPECS) == sorted(entry.name for entry in FILED)
    assert len(defs.resolve_all_asset_specs()) == len(SPECS)


@pytest.mark.parametrize("entry", FILED, ids=lambda entry: entry.name)
def test_an_asset_says_what_the_catalog_says(entry) -> None:
    spec = SPECS[entry.name]
    assert spec.group_name == entry.schema_name
    assert spec.description.startswith(f"Each row is {entry.grain}.")
    assert entry.storage in spec.kinds
    assert spec.metadata["dagster/table_name"] == entry.name
    assert [column.name for column in spec.metadata["dagster/column_schema"].columns] == list(entry.column_names)
    assert spec.partitions_def == {"chunk": CHUNK, "audit": AUDIT, "seed": SEARCH}.get(entry.partition)
    assert not spec.owners
    assert spec.code_version


@pytest.mark.parametrize("stage", STAGES[1:], ids=lambda stage: stage.name)
def test_lineage_is_what_the_stages_read(stage) -> None:
    for table in stage.tables:
        assert {table_name(dep.asset_key) for dep in SPECS[table].deps} == {*stage.reads, *stage.follows}
        assert SPECS[table].automation_condition is not None


@pytest.mark.parametrize("stage", AUDIT_STAGES, ids=lambda stage: stage.name)
def test_lineage_of_an_audit_is_what_its_stages_read_and_what_follows_inside(stage) -> None:
    deps = {table: {table_name(dep.asset_key) for dep in SPECS[table].deps} for table in stage.tables}
    assert set().union(*deps.values()) - set(stage.tables) == set(stage.reads)
    for place, table in enumerate(stage.tables):
        assert not deps[table] & set(stage.tables[place:]), "a table follows from those before it"
        assert (SPECS[table].automation_condition is None) == (stage.name in MAY_COST)


def test_failures_lead_to_findings() -> None:
    graph, reached = defs.resolve_asset_graph(), {asset_key("turf.failures")}
    while more := {child for key in reached for child in graph.get(key).child_keys} - reached:
        reached |= more
    assert {table_name(key) for key in reached} == OF_TRACES
    assert {"report.findings", "turf.triggers"} <= {
        table_name(dep.asset_key) for dep in SPECS["report.confirmations"].deps
    }


def test_searches_lead_to_failures_that_are_traced() -> None:
    graph = defs.resolve_asset_graph()
    assert asset_key("surf.candidates") in graph.get(asset_key("surf.failures")).parent_keys
    assert asset_key("surf.failures") in graph.get(asset_key("turf.failures")).parent_keys
    mapping = graph.get_partition_mapping(asset_key("surf.failures"), asset_key("surf.candidates"))
    assert isinstance(mapping, dg.MultiToSingleDimensionPartitionMapping)


def test_a_search_is_cut_by_audit_and_seed_and_takes_many_seeds_in_a_run() -> None:
    job = defs.resolve_job_def("surf")
    assert job.partitions_def == SEARCH
    (search,) = [
        each for each in defs.assets or () if isinstance(each, dg.AssetsDefinition) and each.op.name == "search"
    ]
    assert search.backfill_policy == dg.BackfillPolicy.single_run()
    made = {table_name(key) for key in defs.resolve_job_def("violations").asset_layer.executable_asset_keys}
    wanted = ("outcomes", "resamples", "rates")
    assert made == {table for stage in AUDIT_STAGES if stage.name in wanted for table in stage.tables}


def test_lineage_has_few_roots_and_no_strangers() -> None:
    roots = {name for name, spec in SPECS.items() if not spec.deps}
    assert roots == {"corpus.files", "corpus.quarantine", "surf.audits"}
    assert {table_name(dep.asset_key) for spec in SPECS.values() for dep in spec.deps} <= set(BY_TABLE)


def test_a_column_keeps_type_meaning_and_promises() -> None:
    by_name = {column.name: column for column in column_schema(TABLES["correlations.members"]).columns}
    assert by_name["row_id"].type == "int64"
    assert by_name["row_id"].description == TABLES["correlations.members"].column("row_id").meaning
    assert by_name["row_id"].constraints.other == ["occurs in corpus.rows.row_id"]
    by_name = {column.name: column for column in column_schema(TABLES["corpus.quarantine"]).columns}
    assert by_name["chunk"].constraints.nullable
    assert not by_name["reason"].constraints.nullable
    assert by_name["quarantine_id"].constraints.unique
    assert "bad JSON" in by_name["reason"].constraints.other[0]
    assert by_name["record_number"].constraints.other == ["at least 1"]


def test_every_table_has_one_contract_check_and_every_watched_one_a_warning() -> None:
    graph = defs.resolve_asset_graph()
    checks = {(table_name(key.asset_key), key.name) for key in graph.asset_check_keys}
    assert {name for name, check in checks if check == CONTRACT} == {entry.name for entry in FILED}
    assert {name for name, check in checks if check == DISTRIBUTIONS} == {e.name for e in FILED if e.watches}
    assert len(checks) == len(graph.asset_check_keys)
    blocking = {key.name: graph.get_check_spec(key).blocking for key in graph.asset_check_keys}
    assert blocking == {CONTRACT: True, DISTRIBUTIONS: False}


def test_the_build_makes_everything_downstream_and_checks_the_corpus() -> None:
    job = defs.resolve_job_def("build")
    made = {table_name(key) for key in job.asset_layer.executable_asset_keys}
    assert made == {table for stage in STAGES[1:] for table in stage.tables}
    checked = {table_name(key.asset_key) for key in job.asset_layer.asset_graph.asset_check_keys}
    assert checked == {entry.name for entry in FILED if entry.partition not in ("audit", "seed")}


def test_the_trace_makes_the_tables_of_an_audit_and_checks_them() -> None:
    job = defs.resolve_job_def("trace")
    made = {table_name(key) for key in job.asset_layer.executable_asset_keys}
    assert made == OF_TRACES
    assert {table_name(key.asset_key) for key in job.asset_layer.asset_graph.asset_check_keys} == made
    assert job.partitions_def == AUDIT


def test_jobs_resolve_and_sensors_are_off() -> None:
    for job in JOBS:
        assert defs.resolve_job_def(job.name).description
    assert [sensor.name for sensor in SENSORS] == ["inbox", "failures", "automation"]
    assert {sensor.default_status for sensor in SENSORS} == {dg.DefaultSensorStatus.STOPPED}


def test_reading_in_the_launchpad_is_what_the_readers_take() -> None:
    known = {field.name: field.default for field in fields(ReadOptions)}
    assert MISSING not in known.values()
    assert set(Reading.model_fields) == set(known)
    assert Reading().options(Settings()) == ReadOptions(max_record_chars=Settings().corpus.max_record_chars)
    assert Reading(chunk="a", limit=3).options(Settings()) == ReadOptions(chunk="a", limit=3)
    assert all(field.description for field in Reading.model_fields.values())


def test_home_ships_settings_once_and_keeps_the_user_s(tmp_path: Path) -> None:
    folder = home.prepare(tmp_path / "lake")
    shipped = yaml.safe_load((folder / "dagster.yaml").read_text())
    assert folder == tmp_path / "lake" / ".dagster"
    assert shipped["telemetry"] == {"enabled": False}
    assert shipped["nux"] == {"enabled": False}
    assert shipped["run_retries"]["enabled"] is True
    (folder / "dagster.yaml").write_text("telemetry:\n  enabled: false\n")
    assert home.prepare(tmp_path / "lake") == folder
    assert "nux" not in (folder / "dagster.yaml").read_text()


def test_keys_are_paths_of_tables() -> None:
    assert asset_key("corpus.rows").to_user_string() == "corpus/rows"
    assert table_name(asset_key("corpus.rows")) == "corpus.rows"
