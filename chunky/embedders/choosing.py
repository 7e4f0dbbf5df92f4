"""Embedders by name. Their packages are imported when one is asked for, not before."""

from __future__ import annotations

from typing import Final

from chunky import devices
from chunky.embedders import hosted, sentences
from chunky.embedders.embedder import Embedder
from chunky.embedders.hashing import HashingEmbedder
from chunky.errors import SettingsError

DEFAULT: Final = "minilm"
FORMS: Final = ("minilm", "hashing", "sentence-transformers:NAME", "openai:NAME", "openai:NAME@http://host:port/v1")
"""The names that `get_embedder` knows."""


def get_embedder(name: str = DEFAULT, device: str = "auto") -> Embedder:
    """The embedder called `name` (see `FORMS`), on `device` (see `devices.pick`).

    SettingsError for an unknown name; PrerequisiteError when a package, model or key is missing.
    """
    family, _, rest = name.partition(":")
    if name == "hashing":
        return HashingEmbedder()
    if name == "minilm":
        return sentences.minilm(devices.pick(device))
    if family == "sentence-transformers" and rest:
        return sentences.by_name(rest, devices.pick(device))
    model, _, address = rest.partition("@")
    if family == "openai" and model:
        return hosted.HostedEmbedder(model, address or None)
    raise SettingsError(f"there is no embedder {name!r}", f"use one of: {', '.join(FORMS)}")
