"""Assets of the schema `clusters`: groups of sentences that say nearly the same, with centers and names."""

from assets.steps import step_asset

clusters = step_asset("clusters", "python", "torch", pool="gpu")
postings = step_asset("postings", "duckdb", "sql")
names = step_asset("names", "python", "polars", pool="llm")
