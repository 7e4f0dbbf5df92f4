"""Assets of the schema `embeddings`: one vector for each distinct attribute sentence, in Lance."""

from assets.steps import step_asset

embeddings = step_asset("embeddings", "python", "torch", pool="gpu")
