"""Assets of the schema `turf`: what chance finds in the mix, and the traces of audits."""

from assets.steps import step_asset

null = step_asset("null", "duckdb", "sql")
