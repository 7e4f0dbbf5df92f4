"""Settings: one model, read from defaults, `chunky.toml`, `CHUNKY_*` and flags, each value with its origin.

A later source wins: default < `chunky.toml` in the working folder < `chunky.toml` in the lake < environment < flag.
`keywords.min_rows` is `[keywords] min_rows` in the file, `CHUNKY_KEYWORDS_MIN_ROWS` in the environment and
`--set keywords.min_rows=…` on the command line; `extractor`, which stands in no section, is the first line of the file,
`CHUNKY_EXTRACTOR` and `--set extractor=…`. A stage's fingerprint covers its own section alone, so that changing one
stage's setting never rebuilds another.
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Mapping
from operator import attrgetter
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import Field, ValidationError

from chunky.errors import SettingsError
from chunky.sections import (
    Attributes,
    Clusters,
    Corpus,
    Correlations,
    Embeddings,
    Engine,
    Keywords,
    Llm,
    Report,
    Section,
    Sql,
    Surf,
    Turf,
)

ENV_PREFIX = "CHUNKY_"
FILE_NAME = "chunky.toml"


RULES = "rules"
MIX = "mix"


class Settings(Section):
    """All sections, and who plays which role."""

    extractor: str = Field(
        default=RULES, min_length=1, description="who finds attributes: rules, anthropic:NAME or openai:NAME[@URL]"
    )
    summarizer: str = Field(
        default="auto",
        min_length=1,
        description="who names clusters: rules, a model, or auto: the extractor's model, else rules",
    )
    crux_picker: str = Field(
        default="auto",
        min_length=1,
        description="who picks cruxes of a failure: rules, a model, or auto: the extractor's model, else rules",
    )
    target: str = Field(
        default="mix", min_length=1, description="the model under audit: mix, anthropic:NAME or openai:NAME[@URL]"
    )
    generator: str = Field(
        default="auto",
        min_length=1,
        description="who writes queries: rules, a model, or auto: rules for target mix, else the target's model",
    )
    judge: str = Field(
        default="auto",
        min_length=1,
        description="who scores responses: rules, a model, or auto: rules for target mix, else the target's model",
    )
    engine: Engine = Engine()  # type: ignore[call-arg]
    corpus: Corpus = Corpus()  # type: ignore[call-arg]
    keywords: Keywords = Keywords()  # type: ignore[call-arg]
    attributes: Attributes = Attributes()  # type: ignore[call-arg]
    embeddings: Embeddings = Embeddings()  # type: ignore[call-arg]
    clusters: Clusters = Clusters()  # type: ignore[call-arg]
    correlations: Correlations = Correlations()  # type: ignore[call-arg]
    report: Report = Report()  # type: ignore[call-arg]
    turf: Turf = Turf()  # type: ignore[call-arg]
    surf: Surf = Surf()  # type: ignore[call-arg]
    llm: Llm = Llm()  # type: ignore[call-arg]
    sql: Sql = Sql()  # type: ignore[call-arg]

    def model(self, role: str) -> str:
        """Who plays `role`: `rules`, `mix` (target alone) or the specification of a model."""
        chosen: str = getattr(self, role)
        if chosen != "auto":
            return chosen
        if role in ("generator", "judge"):
            return RULES if self.target == MIX else self.target
        return self.extractor

    def digest(self, section: str) -> str:
        """Hexadecimal digest of one section's values: what a stage's fingerprint knows of the settings."""
        part = getattr(self, section)
        values = part.model_dump() if isinstance(part, Section) else part
        return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]


class Origin(NamedTuple):
    """One setting: dotted name, value in force, where it came from, what it means."""

    name: str
    value: Any
    source: str
    description: str


class Loaded(NamedTuple):
    """Settings in force and the origin of each value."""

    settings: Settings
    origins: list[Origin]


def names() -> dict[str, str]:
    """Dotted name of every setting → its description."""
    found: dict[str, str] = {}
    for section, field in Settings.model_fields.items():
        model = field.annotation
        assert isinstance(model, type)
        if issubclass(model, Section):
            found |= {f"{section}.{key}": inner.description or "" for key, inner in model.model_fields.items()}
        else:
            found[section] = field.description or ""
    return found


def load(
    lake: Path | None = None,
    environ: Mapping[str, str] | None = None,
    flags: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> Loaded:
    """Settings from files, `environ` and `flags` (dotted name → text); SettingsError names source and remedy."""
    known = names()
    values: dict[str, Any] = {}
    sources: dict[str, str] = {}
    places = [folder or Path.cwd()] + ([lake] if lake is not None else [])
    for path in dict.fromkeys(place / FILE_NAME for place in places):
        for name, value in _read_file(path).items():
            values[name], sources[name] = value, str(path)
    for variable, name in _variables(environ or {}, known):
        values[name], sources[name] = (environ or {})[variable], variable
    for name, text in (flags or {}).items():
        values[name], sources[name] = text, "flag"
    settings = _validate(values, sources, known)
    origins = [
        Origin(name, attrgetter(name)(settings), sources.get(name, "default"), text) for name, text in known.items()
    ]
    return Loaded(settings, origins)


def _variables(environ: Mapping[str, str], known: Mapping[str, str]) -> list[tuple[str, str]]:
    """Environment variable and dotted name of each setting found in `environ`, misspelled ones included.

    Only `CHUNKY_<SECTION>_…` is a setting: `CHUNKY_LAKE` chooses the lake, others belong to somebody else.
    """
    by_variable = {f"{ENV_PREFIX}{name.replace('.', '_').upper()}": name for name in known}
    found = [(variable, name) for variable, name in by_variable.items() if "." not in name and variable in environ]
    for section in Settings.model_fields:
        prefix = f"{ENV_PREFIX}{section.upper()}_"
        for variable in sorted(name for name in environ if name.startswith(prefix)):
            stranger = f"{section}.{variable.removeprefix(prefix).lower()}"
            found.append((variable, by_variable.get(variable, stranger)))
    return found


def _read_file(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} is no valid TOML: {error}", "correct the file; see: chunky settings") from error
    flat: dict[str, Any] = {}
    for section, body in content.items():
        if isinstance(body, str) and section in names():
            flat[section] = body
            continue
        if not isinstance(body, dict):
            raise SettingsError(f"{path}: {section!r} stands outside a section", "put it under one, e.g. [keywords]")
        flat |= {f"{section}.{key}": value for key, value in body.items()}
    return flat


def _validate(values: Mapping[str, Any], sources: Mapping[str, str], known: Mapping[str, str]) -> Settings:
    from difflib import get_close_matches

    nested: dict[str, Any] = {}
    for name, value in values.items():
        if name not in known:
            near = get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]}? " if near else ""
            raise SettingsError(
                f"unknown setting {name!r} (from {sources[name]})", f"{hint}list them with: chunky settings"
            )
        section, _, key = name.partition(".")
        if key:
            nested.setdefault(section, {})[key] = value
        else:
            nested[section] = value
    try:
        return Settings.model_validate(nested)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        raise SettingsError(
            f"{name} = {first['input']!r} (from {sources.get(name, '?')}): {first['msg']}",
            f"{known.get(name, '')}; see: chunky settings",
        ) from error
