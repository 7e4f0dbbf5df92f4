"""Sensors, off until a team switches them on: files in the inbox, files of failures, and whatever is out of date."""

import json
import time
from pathlib import Path

import dagster as dg

from chunky.corpus import discover
from chunky.errors import InputError
from chunky.fingerprints import digest_of
from chunky.pipeline import AUDIT_FOLDER, audit_files
from chunky.warehouse import Warehouse
from dagster_project.jobs import ingest, trace
from dagster_project.partitions import AUDIT, partition_key
from dagster_project.resources import LakeResource

SETTLE_SECONDS = 5  # a file that still grows is left for the next look


def stamps(folder: Path, now: float) -> dict[str, str]:
    """Path → `size-mtime` of each input file under `folder` that has not changed for SETTLE_SECONDS."""
    try:
        sources = discover([str(folder)])
    except InputError:  # no folder yet, or nothing in it that can be read
        return {}
    found = {}
    for source in sources:
        status = Path(source.path).stat()
        if now - status.st_mtime >= SETTLE_SECONDS:
            found[source.path] = f"{status.st_size}-{status.st_mtime_ns}"
    return found


@dg.sensor(
    name="inbox",
    job=ingest,
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.STOPPED,
    description="Takes files that are new in the inbox, or have changed there, in one run.",
)
def inbox(context: dg.SensorEvaluationContext, lake: LakeResource) -> dg.SensorResult | dg.SkipReason:
    """One run for all files that are new or changed since the last look; the cursor remembers path, size and time."""
    seen: dict[str, str] = json.loads(context.cursor) if context.cursor else {}
    there = stamps(lake.inbox_folder, time.time())
    fresh = {path: stamp for path, stamp in there.items() if seen.get(path) != stamp}
    if not fresh:
        return dg.SkipReason(f"nothing new in {lake.inbox_folder}")
    config = {
        "ops": {"take": {"config": {"paths": list(fresh)}}},
        "resources": {"lake": {"config": {"path": str(lake.root), "flags": lake.flags}}},
    }
    request = dg.RunRequest(run_key=digest_of(fresh), run_config=config, tags={"chunky/files": str(len(fresh))})
    return dg.SensorResult(run_requests=[request], cursor=json.dumps(there))


@dg.sensor(
    name="failures",
    job=trace,
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.STOPPED,
    description="Traces an audit when its file in the lake's folder failures is new or has changed; a run an audit.",
)
def failures(context: dg.SensorEvaluationContext, lake: LakeResource) -> dg.SensorResult | dg.SkipReason:
    """A run for each audit whose file is new or changed since the last look; the cursor remembers size and time."""
    seen: dict[str, str] = json.loads(context.cursor) if context.cursor else {}
    there = _stamps_of_audits(lake.warehouse(), time.time())
    fresh = {audit: stamp for audit, stamp in there.items() if seen.get(audit) != stamp}
    if not fresh:
        return dg.SkipReason(f"nothing new in {lake.root / AUDIT_FOLDER}")
    config = {"resources": {"lake": {"config": {"path": str(lake.root), "flags": lake.flags}}}}
    keys = [partition_key(audit) for audit in fresh]
    requests = [
        dg.RunRequest(run_key=digest_of([audit, stamp]), run_config=config, partition_key=key)
        for key, (audit, stamp) in zip(keys, fresh.items(), strict=True)
    ]
    return dg.SensorResult(
        run_requests=requests, dynamic_partitions_requests=[AUDIT.build_add_request(keys)], cursor=json.dumps(there)
    )


def _stamps_of_audits(lake: Warehouse, now: float) -> dict[str, str]:
    found = {}
    for audit, path in audit_files(lake).items():
        status = path.stat()
        if now - status.st_mtime >= SETTLE_SECONDS:
            found[audit] = f"{status.st_size}-{status.st_mtime_ns}"
    return found


automation = dg.AutomationConditionSensorDefinition(
    "automation",
    target=dg.AssetSelection.all() | dg.AssetSelection.all_asset_checks(),
    default_status=dg.DefaultSensorStatus.STOPPED,
    description="Rebuilds tables whose upstream has changed.",
)

SENSORS = [inbox, failures, automation]
