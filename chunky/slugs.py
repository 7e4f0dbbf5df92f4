"""Slugs: any string ↔ a name that is safe in paths, DuckDB globs and Dagster partition keys.

`[A-Za-z0-9._-]` stay, every other byte of the UTF-8 text becomes `%XX`; so do a leading dot and a dot after a dot
(Dagster forbids `...`). Names longer than 120 bytes end in `~` and 16 hexadecimal digits of their SHA-256, and then
cannot be read back (the data can: the chunk is a column).
"""

from __future__ import annotations

import hashlib
import re

_MAX = 120  # file systems stop at 255 bytes a name; Dagster shows keys in narrow columns
_UNSAFE = re.compile(rb"[^A-Za-z0-9._-]|^\.|(?<=\.)\.")


def slug(text: str) -> str:
    """Safe name of `text`; distinct texts give distinct slugs."""
    raw = text.encode("utf-8", "surrogatepass")
    safe = _UNSAFE.sub(lambda match: b"%%%02X" % match.group()[0], raw).decode("ascii")
    if not safe:
        return "%"
    if len(safe) > _MAX:
        safe = f"{safe[: _MAX - 17]}~{hashlib.sha256(raw).hexdigest()[:16]}"
    return safe


def unslug(name: str) -> str | None:
    """The text that `slug` made `name` from; None when the name was cut."""
    if "~" in name:
        return None
    if name == "%":
        return ""
    raw = re.sub(rb"%([0-9A-F]{2})", lambda match: bytes([int(match.group(1), 16)]), name.encode("ascii"))
    return raw.decode("utf-8", "surrogatepass")
