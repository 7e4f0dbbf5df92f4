"""What the command line calls: Dagster's jobs in this process, recorded in the lake's home, so that the UI shows them.

Results, progress and errors are handed over in memory by a `Listener`; the record in `LAKE/.dagster` is for the UI.
A job in process costs about 3 s of processor time: 1 s of imports, 0.1 s a step, and the imports of Great Expectations.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import uuid
import warnings
import webbrowser
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg
from dagster._core.errors import DagsterAssetCheckFailedError, DagsterExecutionInterruptedError
from dagster._core.instance import InstanceRef

from chunky.corpus import discover
from chunky.errors import ContractError, InputError, MissingTable, PrerequisiteError
from chunky.pipeline import STEPS, Built, Ingested, Progress, check_numbers, roles_by_models, silent
from chunky.stages import stage
from chunky.tables import TABLES
from dagster_project import home, partitions
from dagster_project.resources import LakeResource, Listener

if TYPE_CHECKING:
    from chunky.corpus import ReadOptions
    from chunky.warehouse import Warehouse

PROCESS_TAG = "chunky/process"
POOLS = {"llm": 4, "gpu": 1}  # steps at a time; change with: dagster instance concurrency set
_RANGE = "dagster/asset_partition_range_"
_QUIET = {"console": {"config": {"log_level": "CRITICAL"}}}
_NO_COMPUTE_LOGS = {
    # In this process stdout and stderr belong to the command line; capturing them costs two processes a step.
    "compute_logs": {"module": "dagster._core.storage.noop_compute_log_manager", "class": "NoOpComputeLogManager"}
}


def ingest(
    lake: Path, paths: Sequence[str], options: ReadOptions, flags: Mapping[str, str], progress: Progress
) -> list[Ingested]:
    """Run the job `ingest` over `paths`: what became of each file, in order.

    Raises what the pipeline raises on purpose, and ContractError when the corpus does not keep the catalog's promises.
    """
    for path in paths:
        if not path.isprintable() and any("\ud800" <= character <= "\udfff" for character in path):
            raise InputError(f"the path {path!r} is not UTF-8", "name its folder instead, or rename it")
    if not lake.exists():
        discover(paths)  # a path that names nothing leaves no empty lake behind
    config = {"take": {"config": {"paths": list(paths), "reading": asdict(options)}}}
    with opened(lake) as instance:
        return _run(instance, "ingest", lake, flags, Listener(progress), ops=config).ingested


def build(lake: Path, flags: Mapping[str, str], progress: Progress, only: Sequence[str] | None = None) -> list[Built]:
    """Run the job `build`, or the steps `only` of it: what each step did, in order of the build.

    MissingTable when the lake holds no rows, ContractError when a table does not keep the catalog's promises; whatever
    else the pipeline raises on purpose comes out as it is.
    """
    from dagster_project.jobs import tables_of

    if strangers := sorted(set(only or ()) - STEPS.keys()):
        raise InputError(f"there is no step {strangers[0]!r}", f"the steps are: {', '.join(STEPS)}")
    resource = LakeResource(path=str(lake), flags=dict(flags))
    with opened(lake) as instance:
        keys = partitions.sync(instance, resource.warehouse())
        if not keys:
            raise MissingTable("the lake holds no rows", "take files in first: chunky ingest PATH…")
        tags, known = {}, instance.get_dynamic_partitions(partitions.NAME)
        if not only or any(TABLES[table].partition == "chunk" for step in only for table in stage(step).tables):
            # what is cut by chunk is made for all of them, in one run
            tags = {f"{_RANGE}start": known[0], f"{_RANGE}end": known[-1]}
        chosen = [dg.AssetKey(table.split(".")) for table in tables_of(only)] if only else None
        listener = Listener(progress)
        try:
            built = _run(instance, "build", lake, flags, listener, tags=tags, chosen=chosen).built
        finally:
            if roles_by_models(resource.settings()) and "calls" not in [step.step for step in listener.built]:
                STEPS["calls"](resource.warehouse(), resource.settings(), silent)  # what was paid shows, come what may
    order = list(STEPS)
    return sorted(built, key=lambda result: order.index(result.step))


def search(lake: Path, audit: str, seeds: Sequence[int], flags: Mapping[str, str], progress: Progress) -> list[Built]:
    """Run the jobs `surf`, with all `seeds` side by side, and `violations`: what each step did, in order.

    MissingTable when there is no such audit, InputError for a seed that has no partition; whatever else the pipeline
    raises on purpose comes out as it is.
    """
    resource = LakeResource(path=str(lake), flags=dict(flags))
    key = partitions.partition_key(audit)
    check_numbers(seeds)
    with opened(lake) as instance:
        partitions.sync(instance, resource.warehouse())
        if key not in instance.get_dynamic_partitions(partitions.AUDITS):
            raise MissingTable(f"the lake has no audit {audit!r}", "begin one: chunky surf RUBRIC")
        _report_audit(instance, resource.warehouse(), audit)
        built: list[Built] = []
        try:
            for first, last in _runs_of(sorted(set(seeds))):
                ends = [dg.MultiPartitionKey({"audit": key, "seed": str(seed)}) for seed in (first, last)]
                tags: dict[str, str] = dict(zip((f"{_RANGE}start", f"{_RANGE}end"), ends, strict=True))
                built += _run(instance, "surf", lake, flags, Listener(progress), tags=tags).built
            tags = {"dagster/partition": key}
            return built + _run(instance, "violations", lake, flags, Listener(progress), tags=tags).built
        finally:
            STEPS["calls"](resource.warehouse(), resource.settings(), silent)  # what was paid shows, come what may


def _report_audit(instance: dg.DagsterInstance, lake: Warehouse, audit: str) -> None:
    """Tell Dagster of the row that says what is audited: no run of its own wrote it."""
    from assets.describing import facts, materialization

    part = lake.parts("surf.audits").get((audit,))
    if part is not None:
        told = facts(lake, "surf.audits", [part])
        instance.report_runless_asset_event(materialization("surf.audits", audit, told, part.fingerprint))


def _runs_of(numbers: Sequence[int]) -> list[tuple[int, int]]:
    """First and last of each run of consecutive numbers."""
    found: list[tuple[int, int]] = []
    for number in numbers:
        if found and found[-1][1] == number - 1:
            found[-1] = found[-1][0], number
        else:
            found.append((number, number))
    return found


def trace(lake: Path, audit: str, flags: Mapping[str, str], progress: Progress) -> list[Built]:
    """Run the job `trace` for an audit that the lake holds or has a file of failures for: what each step did, in order.

    MissingTable when there is no such audit, ContractError when a table does not keep the catalog's promises; whatever
    else the pipeline raises on purpose comes out as it is.
    """
    resource = LakeResource(path=str(lake), flags=dict(flags))
    key = partitions.partition_key(audit)
    with opened(lake) as instance:
        partitions.sync(instance, resource.warehouse())
        if key not in instance.get_dynamic_partitions(partitions.AUDITS):
            raise MissingTable(f"the lake has no audit {audit!r}", "put its failures into the lake's folder failures")
        return _run(instance, "trace", lake, flags, Listener(progress), tags={"dagster/partition": key}).built


@contextmanager
def opened(lake: Path) -> Iterator[dg.DagsterInstance]:
    """Dagster's record of `lake`; runs of processes that died are marked as failed, so that none seems to go on."""
    folder = home.prepare(lake)
    with dg.DagsterInstance.from_ref(InstanceRef.from_dir(str(folder), overrides=_NO_COMPUTE_LOGS)) as instance:
        storage = instance.event_log_storage
        for pool, slots in POOLS.items():
            if pool not in storage.get_concurrency_keys():
                storage.set_concurrency_slots(pool, slots)
        _bury_dead_runs(instance)
        yield instance


def _run(
    instance: dg.DagsterInstance,
    job: str,
    lake: Path,
    flags: Mapping[str, str],
    listener: Listener,
    ops: Mapping[str, Any] | None = None,
    tags: Mapping[str, str] | None = None,
    chosen: Sequence[dg.AssetKey] | None = None,
) -> Listener:
    from dagster_project.definitions import defs

    resources = {"lake": {"config": {"path": str(lake), "flags": dict(flags)}}}
    run_id = str(uuid.uuid4())
    with listener.listening(), warnings.catch_warnings():
        for noise in (dg.BetaWarning, dg.PreviewWarning, dg.SupersessionWarning):
            warnings.simplefilter("ignore", noise)
        try:
            defs.resolve_job_def(job).execute_in_process(
                run_config={"ops": dict(ops or {}), "resources": resources, "loggers": _QUIET},
                instance=instance,
                asset_selection=chosen,
                run_id=run_id,
                tags={**_tags(), **(tags or {})},
            )
        except dg.Failure:
            if listener.errors:
                raise listener.errors[0] from None
            raise
        except DagsterAssetCheckFailedError as error:
            raise _contract_error(instance, run_id) from error
        except DagsterExecutionInterruptedError as error:
            raise KeyboardInterrupt from error
    return listener


def _tags() -> dict[str, str]:
    """Who runs this; and that a failure is for the caller to see, not for Dagster's daemon to try again."""
    return {PROCESS_TAG: f"{socket.gethostname()}:{os.getpid()}", "dagster/max_retries": "0"}


def _contract_error(instance: dg.DagsterInstance, run_id: str) -> ContractError:
    """The promise that was broken, as the check of this run recorded it."""
    events = instance.all_logs(run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION)
    failed = [
        evaluation
        for event in events
        if event.dagster_event and not (evaluation := event.dagster_event.asset_check_evaluation_data).passed
    ]
    said = "; ".join(f"{'.'.join(check.asset_key.path)}: {check.description}" for check in failed)
    tables = sorted({".".join(check.asset_key.path) for check in failed})
    return ContractError(
        f"rows break the catalog's promises ({said})",
        f"nothing was built from {', '.join(tables)}; look at its rows with chunky sql, then make it again",
    )


def _bury_dead_runs(instance: dg.DagsterInstance) -> None:
    host = socket.gethostname()
    for run in instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED])):
        owner, _, process = run.tags.get(PROCESS_TAG, "").rpartition(":")
        if owner == host and not _is_alive(int(process)):
            instance.report_run_failed(run, "the process of this run ended without a word")


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def ui(lake: Path, port: int, open_browser: bool) -> None:
    """Serve Dagster's UI over `lake` to this machine until interrupted; PrerequisiteError without its package."""
    from importlib.util import find_spec

    if find_spec("dagster_webserver") is None:
        raise PrerequisiteError("the package dagster-webserver is missing", "pip install dagster-webserver")
    folder = home.prepare(lake)
    with opened(lake):
        pass  # make the record before two processes try to
    # Dagster would rather have `dg dev`, which wants a project file of its own beside ours.
    hushed = ["-W", "ignore:Function `dev_command` is superseded"]
    where = ["-m", "dagster_project.definitions", "-h", "127.0.0.1", "-p", str(port)]
    command = [sys.executable, *hushed, "-m", "dagster", "dev", *where]
    environment = {**os.environ, "DAGSTER_HOME": str(folder), "CHUNKY_LAKE": str(lake.absolute())}
    if not open_browser:
        os.execve(sys.executable, command, environment)
    server = subprocess.Popen(command, env=environment)
    try:
        if answers(port, server):
            webbrowser.open(f"http://127.0.0.1:{port}/asset-groups")
        server.wait()
    except KeyboardInterrupt:
        server.wait()  # it got the same signal and ends its own children


def answers(port: int, server: subprocess.Popen[bytes], patience_seconds: float = 60) -> bool:
    """True as soon as something listens on `port` of this machine; False when `server` ended or patience did."""
    deadline = time.monotonic() + patience_seconds
    while time.monotonic() < deadline and server.poll() is None:
        with socket.socket() as probe:
            probe.settimeout(1)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return True
        time.sleep(0.2)
    return False
