"""Assets of the schema `keywords`: phrases by chunk, and how they stand against the rest of the mix."""

from assets.steps import step_asset

counts = step_asset("counts", "python", "polars")
phrases = step_asset("phrases", "duckdb", "sql")
