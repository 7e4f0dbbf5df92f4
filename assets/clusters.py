"""Assets of the schema `clusters`: groups of sentences that say nearly the same, their centers in Lance."""

from assets.steps import step_asset

clusters = step_asset("clusters", "python", "torch", pool="gpu")
