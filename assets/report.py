"""Assets of the schema `report`: what the mix teaches by accident, one finding a row."""

from assets.steps import step_asset

findings = step_asset("findings", "python", "duckdb")
