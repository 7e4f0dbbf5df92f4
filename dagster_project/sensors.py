"""Sensors, both off until a team switches them on: files dropped into the inbox, and whatever is out of date."""

import json
import time
from pathlib import Path

import dagster as dg

from chunky.corpus import discover
from chunky.errors import InputError
from chunky.fingerprints import digest_of
from dagster_project.jobs import ingest
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


automation = dg.AutomationConditionSensorDefinition(
    "automation",
    target=dg.AssetSelection.all() | dg.AssetSelection.all_asset_checks(),
    default_status=dg.DefaultSensorStatus.STOPPED,
    description="Rebuilds tables whose upstream has changed.",
)

SENSORS = [inbox, automation]
