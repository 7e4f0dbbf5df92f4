"""Findings: what the mix teaches, each statement made once, ranked, and said as a sentence.

folding    which pairs are one finding
ranking    the order in which people should read them
wording    a finding in English
"""

from __future__ import annotations

from chunky.report.folding import findings
from chunky.report.ranking import ranked
from chunky.report.wording import percent, sentence

__all__ = ["findings", "percent", "ranked", "sentence"]
