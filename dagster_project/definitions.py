"""All that Dagster is told: `dagster dev -m dagster_project.definitions`, or `chunky ui`."""

import logging

import dagster as dg

from assets import corpus, correlations, keywords, report
from dagster_project.checks import CHECKS
from dagster_project.jobs import JOBS
from dagster_project.resources import LakeResource, listener
from dagster_project.sensors import SENSORS


@dg.logger(
    config_schema={
        "log_level": dg.Field(str, default_value="WARNING", description="least level that is printed"),
        "name": dg.Field(str, default_value="dagster", description="name of the Python logger"),
    },
    description="What a run prints where it was started; the UI has all of it in any case.",
)
def console(context: dg.InitLoggerContext) -> logging.Logger:
    """Dagster's own console logger, but silent while all is well: a build would print two hundred lines."""
    return dg.colored_console_logger.logger_fn(context)


defs = dg.Definitions(
    assets=dg.load_assets_from_modules([corpus, keywords, correlations, report]),
    asset_checks=CHECKS,
    jobs=JOBS,
    sensors=SENSORS,
    resources={"lake": LakeResource.configure_at_launch(), "listener": listener},
    loggers={"console": console},
    executor=dg.in_process_executor,  # steps use all cores; a process a step costs 2.3 s, a step in process 0.1 s
)
