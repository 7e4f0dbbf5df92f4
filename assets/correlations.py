"""Assets of the schema `correlations`: features, the rows that belong to each, and every pair of them."""

from assets.steps import step_asset

features = step_asset("features", "python", "polars")
pairs = step_asset("pairs", "duckdb", "sql")
