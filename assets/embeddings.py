"""Assets of the schema `embeddings`: vectors of attribute sentences, and of how responses open and end, in Lance."""

from assets.steps import step_asset

embeddings = step_asset("embeddings", "python", "torch", pool="gpu")
sentences = step_asset("sentences", "python", "numpy")
