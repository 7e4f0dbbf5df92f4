"""The lake's tables as Dagster assets, one module a schema: partition in, one pipeline call, result out."""
