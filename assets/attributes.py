"""Assets of the schema `attributes`: sentences about queries and responses, and which rows they hold for."""

from assets.steps import step_asset

attributes = step_asset("attributes", "python", "polars", pool="llm")
