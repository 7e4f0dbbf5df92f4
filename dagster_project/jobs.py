"""Jobs: take files, build what follows from them, or one half of that."""

from __future__ import annotations

from collections.abc import Sequence

import dagster as dg

from assets.describing import asset_key
from chunky.pipeline import STEPS
from chunky.stages import stage

CORPUS = stage("corpus").tables


def tables_of(steps: Sequence[str]) -> list[str]:
    """Tables that the pipeline steps `steps` make, in order of the build."""
    return [table for name in STEPS if name in steps for table in stage(name).tables]


def making(tables: Sequence[str]) -> dg.AssetSelection:
    """The assets of `tables` with all their checks."""
    return dg.AssetSelection.assets(*(asset_key(name) for name in tables))


def checking(tables: Sequence[str]) -> dg.AssetSelection:
    """All checks of `tables`, without making them: a table that broke since it was made blocks what follows."""
    return dg.AssetSelection.checks_for_assets(*(asset_key(name) for name in tables))


ingest = dg.define_asset_job(
    "ingest",
    making(["corpus.files", "corpus.quarantine"])
    | dg.AssetSelection.checks(dg.AssetCheckKey(asset_key("corpus.rows"), "contract")),
    description="Take input files into the lake. Nothing in the config: the files of the inbox.",
)

build = dg.define_asset_job(
    "build",
    making(tables_of(list(STEPS))) | checking(CORPUS),
    description="Check the corpus, then build everything that follows from it; what is up to date is left alone.",
)

keywords = dg.define_asset_job(
    "keywords",
    making(tables_of(["counts", "phrases"])),
    description="Count phrases by chunk and weigh them against the rest of the mix.",
)

correlations = dg.define_asset_job(
    "correlations",
    making(tables_of(["features", "pairs", "findings"])),
    description="Define features, correlate every pair of them and say what they teach.",
)

surf = dg.define_asset_job(
    "surf",
    making(stage("search").tables) | checking(stage("audit").tables),
    description="Search the target of an audit for failures, with the seeds of the partitions.",
)

violations = dg.define_asset_job(
    "violations",
    making([table for name in ("outcomes", "resamples", "rates") for table in stage(name).tables])
    | checking(stage("search").tables),
    description="Tell what the searches of an audit (the partition) found, and how often that violates the rubric.",
)

trace = dg.define_asset_job(
    "trace",
    making([table for name in ("traces", "confirmations") for table in stage(name).tables]),
    description="Trace the failures of an audit (the partition) to the rows that taught them, and to findings.",
)

JOBS = [ingest, build, keywords, correlations, surf, violations, trace]
