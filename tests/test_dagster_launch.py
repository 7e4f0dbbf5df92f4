"""Jobs in process: what the command line gets, and what Dagster's record of the lake says afterwards."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import dagster as dg
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from assets.describing import asset_key
from chunky.corpus import ReadOptions
from chunky.errors import ContractError, InputError, MissingTable, SettingsError
from chunky.pipeline import AUDIT_FOLDER, STEPS, Built, Ingested, remove_audit, silent
from chunky.slugs import slug
from chunky.stages import STAGES, stage
from chunky.tables import TABLES
from chunky.warehouse import Warehouse
from dagster_project import home, launch
from dagster_project.definitions import defs

AWKWARD = "b | [x], y"  # Dagster forbids these characters in partition keys
AUDIT = "stock remarks | [x], y"
LOOSE = {f"turf.{name}": value for name, value in (("max_crux_share", "0.5"), ("max_cluster_share", "0.5"))}
LOOSE |= {"turf.min_lift": "1.5", "turf.max_null_share": "1", "turf.min_score": "0"}
WORDS = "please write explain a story about the code in python with two parts and list what follows"


def write_mix(folder: Path) -> Path:
    """Three chunks in two files: in one of them a phrase of the query goes with a phrase of the response."""
    folder.mkdir(parents=True, exist_ok=True)
    known = WORDS.split()
    for chunk, file in (("a", "one"), (AWKWARD, "one"), ("c", "two")):
        with (folder / f"{file}.jsonl").open("ab") as handle:
            for n in range(80):
                words = [known[(n * 7 + i * (3 + len(chunk))) % len(known)] for i in range(10)]
                query, response = " ".join(words) + f" {n}", " ".join(reversed(words)) + f" number {n}"
                if chunk == "a" and n % 2:
                    query, response = f"two-part problem: {query}", f"{response}. I hope it is correct."
                turns = [{"role": "user", "content": query}, {"role": "assistant", "content": response}]
                handle.write(orjson.dumps({"id": f"{chunk}-{n}", "source": chunk, "messages": turns}) + b"\n")
    return folder


def write_failures(lake: Path, audit: str, count: int = 3) -> Path:
    """Failures in the way of the mix: a two-part problem that it does not hold, answered with the phrase."""
    path = lake / AUDIT_FOLDER / f"{audit}.jsonl"
    path.parent.mkdir(exist_ok=True)
    rubric = "The assistant should not end its answer with a stock remark."
    with path.open("wb") as handle:
        for n in range(count):
            query, response = (
                f"two-part problem: what follows {n} oranges",
                f"oranges number {n}. I hope it is correct.",
            )
            handle.write(orjson.dumps({"query": query, "response": response, "rubric": rubric}) + b"\n")
    return path


class World(NamedTuple):
    lake: Path
    mix: Path
    ingested: list[Ingested]
    built: list[Built]
    traced: list[Built]
    heard: list[str]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """A lake that was ingested and built once through Dagster. Tests that change it work on a lake of their own."""
    folder = tmp_path_factory.mktemp("world")
    mix, heard = write_mix(folder / "mix"), []

    def hear(what: str, done: float, of: float | None) -> None:
        heard.append(what)

    ingested = launch.ingest(folder / "lake", [str(mix)], ReadOptions(), {}, hear)
    built = launch.build(folder / "lake", {}, hear)
    write_failures(folder / "lake", AUDIT)
    traced = launch.trace(folder / "lake", AUDIT, LOOSE, hear)
    return World(folder / "lake", mix, ingested, built, traced, heard)


@pytest.fixture
def record(world: World) -> Iterator[dg.DagsterInstance]:
    with launch.opened(world.lake) as instance:
        yield instance


def test_results_come_back_in_order(world: World) -> None:
    assert [Path(file.file).name for file in world.ingested] == ["one.jsonl", "two.jsonl"]
    assert [file.chunks for file in world.ingested] == [("a", AWKWARD), ("c",)]
    assert [built.step for built in world.built] == list(STEPS)
    assert all(built.is_new for built in world.built)
    assert world.built[0].rows == {"corpus.chunks": 3}
    assert any("one.jsonl" in what for what in world.heard)
    assert {built.meaning for built in STAGES[1:]} <= set(world.heard)


def test_every_table_is_materialized_with_its_fingerprint_and_rows(world: World, record: dg.DagsterInstance) -> None:
    lake, fingerprints = Warehouse(world.lake), {b.step: b.fingerprint for b in world.built}
    for step in STAGES[1:]:
        for name in step.tables:
            event = record.get_latest_materialization_event(asset_key(name)).asset_materialization
            assert event.tags["dagster/data_version"] == fingerprints[step.name], name
            if TABLES[name].partition != "chunk":
                assert event.metadata["dagster/row_count"].value == lake.rows(name), name
                assert event.metadata["is_new"].value is True
                assert event.metadata["provenance"].data["stage"] == step.name
                assert Path(event.metadata["path"].value).exists()


@pytest.mark.parametrize("name", ["corpus.rows", "keywords.counts"])
def test_every_chunk_is_a_partition_with_facts_of_its_own(world: World, record: dg.DagsterInstance, name: str) -> None:
    keys = [slug(chunk) for chunk in ("a", AWKWARD, "c")]
    assert sorted(record.get_dynamic_partitions("chunk")) == sorted(keys)
    assert record.get_materialized_partitions(asset_key(name)) == set(keys)
    rows = {}
    for key in keys:
        found = record.fetch_materializations(dg.AssetRecordsFilter(asset_key(name), asset_partitions=[key]), limit=2)
        (event,) = found.records
        rows[key] = event.asset_materialization.metadata["dagster/row_count"].value
    wanted = {slug(chunk): 0 for chunk in ("a", AWKWARD, "c")}
    for key, part in Warehouse(world.lake).parts(name).items():
        wanted[slug(key[0])] += part.rows
    assert rows == wanted
    assert min(rows.values()) > 0


def test_every_check_ran_and_passed(record: dg.DagsterInstance) -> None:
    for key in defs.resolve_asset_graph().asset_check_keys:
        if key.asset_key.path[0] == "surf":  # nobody has searched here: tests/test_cli_surf.py
            continue
        evaluation = record.event_log_storage.get_latest_asset_check_execution_by_key([key])[key].event.dagster_event
        assert evaluation.asset_check_evaluation_data.passed, key


def test_runs_are_recorded_and_will_not_be_tried_again(record: dg.DagsterInstance) -> None:
    runs = record.get_runs()
    assert {run.job_name for run in runs} >= {"ingest", "build"}
    assert all(run.is_success for run in runs)
    assert {run.tags["dagster/max_retries"] for run in runs} == {"0"}
    assert {"llm", "gpu"} <= record.event_log_storage.get_concurrency_keys()


def test_a_rerun_does_nothing_and_keeps_the_data_versions(world: World, record: dg.DagsterInstance) -> None:
    def versions() -> dict[str, str]:
        names = [entry.name for entry in TABLES.values() if not entry.is_view and entry.schema_name != "surf"]
        events = [record.get_latest_materialization_event(asset_key(name)).asset_materialization for name in names]
        return {name: event.tags["dagster/data_version"] for name, event in zip(names, events, strict=True)}

    before = versions()
    again = launch.ingest(world.lake, [str(world.mix)], ReadOptions(), {}, silent)
    assert [file.is_new for file in again] == [False, False]
    built = launch.build(world.lake, {}, silent)
    assert [step.is_new for step in built] == [False] * len(STEPS)
    assert versions() == before
    event = record.get_latest_materialization_event(asset_key("report.findings"))
    assert event.asset_materialization.metadata["is_new"].value is False


@pytest.mark.parametrize("step", ["counts", "attributes", "embeddings"])
def test_any_step_runs_alone(world: World, step: str) -> None:
    assert [built.step for built in launch.build(world.lake, {}, silent, only=[step])] == [step]


def test_flags_reach_the_steps_and_only_those_asked_for_run(world: World) -> None:
    built = launch.build(world.lake, {"keywords.min_rows": "30"}, silent, only=["phrases", "counts"])
    assert [step.step for step in built] == ["counts", "phrases"]
    assert all(step.is_new for step in built)
    (before,) = [step for step in world.built if step.step == "phrases"]
    assert built[1].rows["keywords.phrases"] < before.rows["keywords.phrases"]
    restored = launch.build(world.lake, {}, silent, only=["counts", "phrases"])
    assert restored[1].fingerprint == before.fingerprint


def test_errors_come_out_as_they_are(world: World, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for is_there in (False, True):  # a new lake is not made for nothing; in one that is there the UI shows the failure
        with pytest.raises(InputError, match="no file or folder") as caught:
            launch.ingest(tmp_path / "lake", [str(tmp_path / "nowhere")], ReadOptions(), {}, silent)
        assert caught.value.remedy
        assert (tmp_path / "lake").exists() == is_there
        (tmp_path / "lake").mkdir(exist_ok=True)
    with pytest.raises(SettingsError, match="unknown setting"):
        launch.build(world.lake, {"keywords.min_row": "3"}, silent)
    with pytest.raises(InputError, match="no step 'shapes'"):
        launch.build(world.lake, {}, silent, only=["shapes"])
    with pytest.raises(MissingTable, match="no rows"):
        launch.build(tmp_path / "lake", {}, silent)
    with pytest.raises(InputError, match="not UTF-8"):
        launch.ingest(tmp_path / "lake", ["/tmp/\udcff"], ReadOptions(), {}, silent)
    assert capfd.readouterr().out == ""
    with launch.opened(tmp_path / "lake") as instance:
        (run,) = instance.get_runs()
        assert run.is_failure_or_canceled
        (failure,) = instance.all_logs(run.run_id, of_type=dg.DagsterEventType.STEP_FAILURE)
        told = failure.dagster_event.step_failure_data.user_failure_data
    assert told.metadata["remedy"].value == caught.value.remedy


def test_a_broken_promise_blocks_what_follows(tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    launch.ingest(lake, [str(write_mix(tmp_path / "mix"))], ReadOptions(), {}, silent)
    part = next(iter(Warehouse(lake).parts("corpus.rows").values()))
    rows = pq.read_table(lake / part.file)
    turns = pa.array([0, *rows["turn"].to_pylist()[1:]], pa.int32())
    pq.write_table(rows.set_column(rows.column_names.index("turn"), "turn", turns), lake / part.file)
    with pytest.raises(ContractError, match=r"corpus\.rows: turn_is_valid: 1 rows") as caught:
        launch.build(lake, {}, silent)
    assert "corpus.rows" in caught.value.remedy
    with launch.opened(lake) as instance:
        (broken,) = instance.get_runs(limit=1)
        instance.create_run_for_job(defs.resolve_job_def("ingest"))  # another process's, meanwhile
        assert "turn_is_valid" in str(launch._contract_error(instance, broken.run_id))
        for name in (name for step in STAGES[1:] for name in step.tables):
            assert instance.get_latest_materialization_event(asset_key(name)) is None
        # from the UI a run goes on where it can; here nothing can
        resources = {"lake": {"config": {"path": str(lake)}}}
        job, keys = defs.resolve_job_def("build"), instance.get_dynamic_partitions("chunk")
        tags = {f"dagster/asset_partition_range_{end}": key for end, key in (("start", keys[0]), ("end", keys[-1]))}
        config = {"resources": resources, "loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
        result = job.execute_in_process(config, instance=instance, tags=tags, raise_on_error=False)
    started = {event.step_key for event in result.all_events if event.event_type_value == "STEP_START"}
    assert started.isdisjoint(STEPS)
    assert "corpus__rows_contract" in started
    assert not result.success


def test_a_run_whose_process_died_is_marked_as_failed(tmp_path: Path) -> None:
    ended = subprocess.Popen(["true"])  # not os.spawn, which forks: Lance warns of that
    ended.wait()
    dead = ended.pid
    with launch.opened(tmp_path / "lake") as instance:
        tags = {launch.PROCESS_TAG: f"{socket.gethostname()}:{dead}"}
        run = instance.create_run_for_job(defs.resolve_job_def("ingest"), tags=tags, status=dg.DagsterRunStatus.STARTED)
        living = {launch.PROCESS_TAG: f"{socket.gethostname()}:{os.getpid()}"}
        other = instance.create_run_for_job(
            defs.resolve_job_def("ingest"), tags=living, status=dg.DagsterRunStatus.STARTED
        )
    with launch.opened(tmp_path / "lake") as instance:
        assert instance.get_run_by_id(run.run_id).status is dg.DagsterRunStatus.FAILURE
        assert instance.get_run_by_id(other.run_id).status is dg.DagsterRunStatus.STARTED


def test_the_record_lives_in_the_lake(world: World) -> None:
    assert (world.lake / home.FOLDER / "history" / "runs").is_dir()
    assert stage("corpus").tables[1] == "corpus.rows"


def test_an_audit_is_a_partition_of_its_tables(world: World, record: dg.DagsterInstance) -> None:
    assert [step.step for step in world.traced] == ["traces", "confirmations"]
    assert all(step.is_new for step in world.traced)
    assert world.traced[0].rows["turf.traces"] == 3
    assert world.traced[0].rows["turf.triggers"]
    assert world.traced[1].rows["report.confirmations"]
    assert record.get_dynamic_partitions("audit") == [slug(AUDIT)]
    lake, fingerprints = Warehouse(world.lake), {step.step: step.fingerprint for step in world.traced}
    for step in map(stage, fingerprints):
        for name in step.tables:
            assert record.get_materialized_partitions(asset_key(name)) == {slug(AUDIT)}
            event = record.get_latest_materialization_event(asset_key(name)).asset_materialization
            assert event.partition == slug(AUDIT)
            assert event.tags["dagster/data_version"] == fingerprints[step.name]
            assert event.metadata["dagster/row_count"].value == lake.parts(name)[AUDIT,].rows
            assert event.metadata["provenance"].data["stage"] == step.name


def test_an_audit_traced_again_does_nothing_and_one_that_is_gone_leaves(
    world: World, record: dg.DagsterInstance
) -> None:
    assert [step.is_new for step in launch.trace(world.lake, AUDIT, LOOSE, silent)] == [False, False]
    path = write_failures(world.lake, "other", 1)
    assert [step.is_new for step in launch.trace(world.lake, "other", LOOSE, silent)] == [True, True]
    assert set(record.get_dynamic_partitions("audit")) == {slug(AUDIT), "other"}
    path.unlink()
    remove_audit(Warehouse(world.lake), "other")
    with pytest.raises(MissingTable, match="no audit 'other'"):
        launch.trace(world.lake, "other", LOOSE, silent)
    assert record.get_dynamic_partitions("audit") == [slug(AUDIT)]


def test_a_broken_audit_blocks_its_own_report_and_no_other(world: World, record: dg.DagsterInstance) -> None:
    """Of an audit whose hits are wrong no finding is confirmed; another one goes on beside it."""
    write_failures(world.lake, "wrong", 2)
    launch.trace(world.lake, "wrong", LOOSE, silent)
    part = Warehouse(world.lake).parts("turf.cluster_hits")["wrong",]
    hits = pq.read_table(world.lake / part.file, partitioning=None)
    more = pa.array([count + 1 for count in hits["hits"].to_pylist()], pa.int64())
    pq.write_table(hits.set_column(hits.column_names.index("hits"), "hits", more), world.lake / part.file)
    with pytest.raises(ContractError, match=r"turf\.cluster_hits: hits_are_recounted"):
        launch.trace(world.lake, "wrong", LOOSE, silent)
    (broken,) = record.get_runs(limit=1)
    started = {event.step_key for event in record.all_logs(broken.run_id, of_type=dg.DagsterEventType.STEP_START)}
    assert "traces" in started
    assert "confirmations" not in started
    assert len(launch.trace(world.lake, AUDIT, LOOSE, silent)) == 2
    remove_audit(Warehouse(world.lake), "wrong")
    (world.lake / AUDIT_FOLDER / "wrong.jsonl").unlink()
    record.delete_run(broken.run_id)


@pytest.mark.slow
def test_the_ui_serves_the_lake_without_load_errors(world: World) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    code = (
        f"from pathlib import Path; from dagster_project import launch; launch.ui(Path({str(world.lake)!r}), {port}, 0)"
    )
    server = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        assert launch.answers(port, server, patience_seconds=180)
        question = "{workspaceOrError{...on Workspace{locationEntries{name locationOrLoadError{__typename}}}}}"
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/graphql", orjson.dumps({"query": question}), {"content-type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=60) as reply:
            (entry,) = orjson.loads(reply.read())["data"]["workspaceOrError"]["locationEntries"]
        assert entry == {
            "name": "dagster_project.definitions",
            "locationOrLoadError": {"__typename": "RepositoryLocation"},
        }
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(timeout=60)
