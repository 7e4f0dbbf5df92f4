"""Assets of the schema `llm`: the record of model calls, from the lake's ledger."""

from assets.steps import step_asset

calls = step_asset("calls", "python", "sqlite")
