"""A model of the mix: to a prompt it answers as a training prompt near to it was answered, drawn as the data has it.

signs      what can be seen of a text: word 1- to 3-grams, how it opens and closes, its form
postings   which prompts have which sign, as sorted arrays
telling    how much a sign of a prompt tells about its answer
index      the prompts of a mix, and those nearest to a new one
drawing    which of them answers, at a temperature
"""

from __future__ import annotations

from chunky.mixture.drawing import chosen, probabilities, uniforms
from chunky.mixture.index import MixIndex, Near, build
from chunky.mixture.signs import text_hashes

__all__ = ["MixIndex", "Near", "build", "chosen", "probabilities", "text_hashes", "uniforms"]
