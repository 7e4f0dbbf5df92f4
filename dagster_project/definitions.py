"""All that Dagster is told: `dagster dev -m dagster_project.definitions`, or `chunky ui`."""

import dagster as dg

from assets import attributes, clusters, corpus, correlations, embeddings, keywords, llm, report, surf, turf
from dagster_project.checks import CHECKS
from dagster_project.jobs import JOBS
from dagster_project.resources import LakeResource, listener
from dagster_project.sensors import SENSORS

defs = dg.Definitions(
    assets=dg.load_assets_from_modules(
        [corpus, keywords, attributes, embeddings, clusters, correlations, report, surf, turf, llm],
        include_specs=True,
    ),
    asset_checks=CHECKS,
    jobs=JOBS,
    sensors=SENSORS,
    resources={"lake": LakeResource.configure_at_launch(), "listener": listener},
    executor=dg.in_process_executor,  # steps use all cores; a process a step costs 2.3 s, a step in process 0.1 s
)
