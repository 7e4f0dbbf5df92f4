"""Assets of the schema `report`: what the mix teaches by accident, and which of it traced failures confirm."""

from assets.steps import audit_asset, step_asset

findings = step_asset("findings", "python", "duckdb")
confirmations = audit_asset("confirmations", "duckdb", "sql")
