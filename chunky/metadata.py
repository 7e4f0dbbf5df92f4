"""Provenance in the bytes themselves: `chunky.*` key-value metadata of Parquet files and Lance datasets."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq

META_PREFIX = "chunky."


def read_provenance(path: Path, version: int | None = None) -> dict[str, str]:
    """Provenance that travels in a Parquet file or, when `path` is a folder, a Lance dataset; without the prefix.

    `version` is Lance's own, the latest where None: a build that was killed leaves versions that no pointer names.
    """
    if path.is_dir():
        import lance

        return without_prefix(lance.dataset(str(path), version=version).schema.metadata)
    return without_prefix(pq.read_schema(path).metadata)


def without_prefix(metadata: dict[bytes, bytes] | None) -> dict[str, str]:
    """The entries of an Arrow schema's metadata that are chunky's."""
    texts = {key.decode(): value.decode() for key, value in (metadata or {}).items()}
    return {key.removeprefix(META_PREFIX): text for key, text in texts.items() if key.startswith(META_PREFIX)}


def with_prefix(facts: dict[str, str]) -> dict[str, str]:
    """Facts as an Arrow schema's metadata."""
    return {f"{META_PREFIX}{name}": text for name, text in facts.items()}
