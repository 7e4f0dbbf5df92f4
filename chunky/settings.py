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

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from chunky.errors import SettingsError

ENV_PREFIX = "CHUNKY_"
FILE_NAME = "chunky.toml"


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Engine(_Section):
    """DuckDB session. Not part of any fingerprint: it changes speed, never results."""

    memory_limit: str = Field("2GB", pattern=r"^\d+(\.\d+)?\s?[KMGT]i?B$", description="DuckDB memory limit")
    threads: int = Field(0, ge=0, description="threads; 0 = all cores")
    lock_seconds: float = Field(30, ge=0, description="how long a writer waits for another one")


class Corpus(_Section):
    """Ingest and duplicates."""

    max_record_chars: int = Field(1_000_000, ge=1_000, description="longer records are quarantined")


class Keywords(_Section):
    """Phrases."""

    min_rows: int = Field(5, ge=1, description="phrases in fewer rows of the mix are not kept")
    max_tokens: int = Field(5, ge=1, le=5, description="longest phrase in words")


class Attributes(_Section):
    """Attributes by rules."""

    mined_min_rows: int = Field(20, ge=2, description="a repeated phrase must occur in so many rows to be an attribute")
    mined_per_chunk: int = Field(
        10, ge=1, description="repeated phrases for each chunk, side, position and doubling of rows"
    )
    mined_min_share: float = Field(0.25, ge=0, le=1, description="the top chunk holds so much of a phrase's rows")
    word_min_rows: int = Field(8, ge=1, description="words in fewer rows of the mix tell no topic")
    topics: int = Field(500, ge=2, description="finest number of topics looked for; coarser ones halve it")
    sample_rows: int = Field(30_000, ge=100, description="rows that topics are learned from; all rows are assigned")
    word_vectors: str = Field(
        "auto",
        pattern="^(auto|minilm|mix)$",
        description="vectors of words: `minilm` (a package), `mix` (learned from it), `auto`: minilm if installed",
    )


class Embeddings(_Section):
    """Vectors of attribute sentences."""

    embedder: str = Field(
        "minilm", min_length=1, description="minilm, hashing, sentence-transformers:NAME or openai:NAME[@URL]"
    )
    device: str = Field("auto", pattern=r"^(auto|cpu|cuda(:\d+)?)$", description="auto, cpu or cuda[:N]")


class Clusters(_Section):
    """K-means over the vectors of each side."""

    k: int = Field(0, ge=0, description="clusters of each side; 0 = by the number of sentences, at most 25,000")
    iterations: int = Field(20, ge=1, description="iterations at most")
    seed: int = Field(0, ge=0, description="seed of the first centers")
    engine: str = Field("auto", pattern="^(auto|torch|faiss|numpy)$", description="auto, torch, faiss or numpy")
    device: str = Field("auto", pattern=r"^(auto|cpu|cuda(:\d+)?)$", description="auto, cpu or cuda[:N]")
    memory_gib: float = Field(4, gt=0, description="vectors that take more are read again at every iteration")


class Correlations(_Section):
    """Features and pairs."""

    mined_min_rows: int = Field(20, ge=2, description="a mined phrase must occur in so many rows of the mix")
    mined_per_chunk: int = Field(
        10, ge=1, description="mined phrases for each chunk, side, position and doubling of rows, synonyms included"
    )
    mined_min_share: float = Field(0.25, ge=0, le=1, description="the top chunk holds so much of a mined phrase's rows")
    synonym_similarity: float = Field(0.85, gt=0, le=1, description="features with this Jaccard similarity are one")
    min_trigger_contents: int = Field(20, ge=1, description="pairs with fewer distinct triggered contents get no rank")
    min_both_rows: int = Field(5, ge=1, description="pairs with fewer rows carrying both are not stored")
    clusters: bool = Field(False, description="clusters of attributes are features too (`diff` leaves them out)")
    neighborhood_rows: int = Field(1_000, ge=1, description="rows in the neighborhood of a sentence (paper: k)")
    neighborhood_similarity: float = Field(
        0.5, ge=-1, le=1, description="rows whose nearest attribute is less similar are no neighbors"
    )


class Report(_Section):
    """Findings."""

    fold_similarity: float = Field(0.5, gt=0, le=1, description="pairs whose rows overlap so much are one finding")
    min_contents: int = Field(15, ge=1, description="distinct contents with trigger and behavior that make a finding")
    max_findings: int = Field(2_000, ge=1, description="findings kept")


class Turf(_Section):
    """Traces."""

    method: str = Field("joint", pattern="^(joint|paper)$", description="how failures are traced: joint or paper")
    k: int = Field(1_000, ge=1, description="neighbors of a crux, rows (paper: 1000)")
    reading: str = Field(
        "rows", pattern="^(rows|pairs)$", description="what method paper counts: rows, or pairs of row and sentence"
    )
    cruxes: int = Field(3, ge=1, description="cruxes shown at least (paper: 3)")
    triggers: int = Field(5, ge=1, description="triggers shown at most")
    evidence_rows: int = Field(50, ge=1, description="supporting rows kept of each trigger")
    min_similarity: float = Field(
        0.5, ge=-1, le=1, description="rows whose nearest sentence is less similar are no neighbors"
    )
    min_hits: int = Field(10, ge=1, description="fewer hits are no trigger")
    min_lift: float = Field(4, ge=0, description="a trigger occurs so many times as often as expected")
    max_cluster_share: float = Field(0.25, gt=0, le=1, description="a cluster in more of the mix is no trigger")
    max_crux_share: float = Field(0.10, gt=0, le=1, description="a crux in more of the mix is no cue of its own")
    min_score: float = Field(0.03, ge=0, description="triggers of a lower trace_score are none")
    max_null_share: float = Field(0.05, gt=0, le=1, description="share of random neighborhoods that may do as well")
    null_neighborhoods: int = Field(500, ge=400, description="random response attributes that the null is made of")
    seed: int = Field(0, ge=0, description="which ones are drawn")


class Llm(_Section):
    """Calls of models: what they may cost, and how they are made. Not part of any fingerprint."""

    max_cost: float | None = Field(None, ge=0, description="dollars that the models of one build may cost; unset = any")
    max_cost_extractor: float | None = Field(None, ge=0, description="dollars of it for attributes")
    max_cost_summarizer: float | None = Field(None, ge=0, description="dollars of it for the names of clusters")
    max_cost_judge: float | None = Field(None, ge=0, description="dollars of it for judging")
    max_cost_crux_picker: float | None = Field(None, ge=0, description="dollars of it for picking cruxes")
    max_cost_generator: float | None = Field(None, ge=0, description="dollars of it for writing prompts")
    max_cost_perturber: float | None = Field(None, ge=0, description="dollars of it for rewording prompts")
    max_cost_target: float | None = Field(None, ge=0, description="dollars of it for the model under audit")
    batch: bool = Field(False, description="send calls through the vendor's batch API: cheaper, and hours later")
    max_in_flight: int = Field(32, ge=1, description="calls in flight at most; fewer when the server says so")
    max_attempts: int = Field(8, ge=1, description="how often a call that may pass is made")
    timeout_seconds: float = Field(300, gt=0, description="an attempt is given up after this time")
    max_failed_share: float = Field(
        0.05, ge=0, le=1, description="a step ends without a result when more of its calls fail"
    )
    prices: str = Field("", description="price file; empty = `prices.toml` in the lake. The package knows no prices")
    run: str = Field("", description="name under which spending counts; equal names share a budget; empty = each run")


class Sql(_Section):
    """`chunky sql`. Not part of any fingerprint."""

    memory_limit: str = Field("2GB", pattern=r"^\d+(\.\d+)?\s?[KMGT]i?B$", description="memory limit of a question")
    timeout_seconds: float = Field(120, gt=0, description="a question is stopped after this time")
    row_cap: int = Field(100, ge=0, description="rows shown; 0 = all")


RULES = "rules"


class Settings(_Section):
    """All sections, and who plays the roles of a build and of traces."""

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
    engine: Engine = Engine()  # type: ignore[call-arg]
    corpus: Corpus = Corpus()  # type: ignore[call-arg]
    keywords: Keywords = Keywords()  # type: ignore[call-arg]
    attributes: Attributes = Attributes()  # type: ignore[call-arg]
    embeddings: Embeddings = Embeddings()  # type: ignore[call-arg]
    clusters: Clusters = Clusters()  # type: ignore[call-arg]
    correlations: Correlations = Correlations()  # type: ignore[call-arg]
    report: Report = Report()  # type: ignore[call-arg]
    turf: Turf = Turf()  # type: ignore[call-arg]
    llm: Llm = Llm()  # type: ignore[call-arg]
    sql: Sql = Sql()  # type: ignore[call-arg]

    def model(self, role: str) -> str:
        """Who plays `role` in a build or a trace: `rules` or the specification of a model."""
        named = {"extractor": self.extractor, "summarizer": self.summarizer, "crux_picker": self.crux_picker}
        chosen: str = named[role]
        return self.extractor if chosen == "auto" else chosen

    def digest(self, section: str) -> str:
        """Hexadecimal digest of one section's values: what a stage's fingerprint knows of the settings."""
        part = getattr(self, section)
        values = part.model_dump() if isinstance(part, _Section) else part
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
        if issubclass(model, _Section):
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
