"""New prompts that have wanted attributes, recombined from prompts of the mix (paper: section 3.1.4, without a model).

material     what there is to recombine: rows of each attribute, their texts, and what a text's attributes are
grafting     putting what one text has on another: its opening, its closing, its frame, its case, its marks
extracting   which of the wanted attributes new texts have
generating   which texts are tried for a wish, and which one is given
"""

from __future__ import annotations

from chunky.recombining.extracting import QueryExtractor
from chunky.recombining.generating import Generator
from chunky.recombining.material import Material

__all__ = ["Generator", "Material", "QueryExtractor"]
