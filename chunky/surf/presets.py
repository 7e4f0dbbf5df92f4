"""Presets: values of the settings `surf.*` that belong together."""

from __future__ import annotations

__all__ = ["PRESETS"]

PRESETS: dict[str, dict[str, str]] = {
    # section 3: what the paper used, and what the defaults are
    "paper": {},
    # by equation 1 alone an attribute that no candidate of the buffer has is never drawn again: see docs/surf.md
    "exploring": {"surf.exploration": "0.3"},
    # the tool that its authors published differs from the paper
    "published": {
        "surf.seeds": "5",
        "surf.candidates": "120",
        "surf.buffer": "5",
        "surf.attribute_numbers": "binomial",
        "surf.row_attributes": "5",
        "surf.violation": "50",
    },
}
"""Name → dotted setting → its value as text, as flags give it."""
