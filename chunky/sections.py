"""The sections of the settings: every knob with its default, its bounds and what it is for (see `chunky.settings`)."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, field_validator

__all__ = [
    "Attributes",
    "Clusters",
    "Corpus",
    "Correlations",
    "Embeddings",
    "Engine",
    "Keywords",
    "Llm",
    "Report",
    "Section",
    "Sql",
    "Surf",
    "Turf",
]


class Section(BaseModel):
    """A section: what it does not know is an error, and nothing changes it."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Engine(Section):
    """DuckDB session. Not part of any fingerprint: it changes speed, never results."""

    memory_limit: str = Field("2GB", pattern=r"^\d+(\.\d+)?\s?[KMGT]i?B$", description="DuckDB memory limit")
    threads: int = Field(0, ge=0, description="threads; 0 = all cores")
    lock_seconds: float = Field(30.0, ge=0, description="how long a writer waits for another one")


class Corpus(Section):
    """Ingest and duplicates."""

    max_record_chars: int = Field(1_000_000, ge=1_000, description="longer records are quarantined")


class Keywords(Section):
    """Phrases."""

    min_rows: int = Field(5, ge=1, description="phrases in fewer rows of the mix are not kept")
    max_tokens: int = Field(5, ge=1, le=5, description="longest phrase in words")


class Attributes(Section):
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


class Embeddings(Section):
    """Vectors of attribute sentences."""

    embedder: str = Field(
        "minilm", min_length=1, description="minilm, hashing, sentence-transformers:NAME or openai:NAME[@URL]"
    )
    device: str = Field("auto", pattern=r"^(auto|cpu|cuda(:\d+)?)$", description="auto, cpu or cuda[:N]")


class Clusters(Section):
    """K-means over the vectors of each side."""

    k: int = Field(0, ge=0, description="clusters of each side; 0 = by the number of sentences, at most 25,000")
    iterations: int = Field(20, ge=1, description="iterations at most")
    seed: int = Field(0, ge=0, description="seed of the first centers")
    engine: str = Field("auto", pattern="^(auto|torch|faiss|numpy)$", description="auto, torch, faiss or numpy")
    device: str = Field("auto", pattern=r"^(auto|cpu|cuda(:\d+)?)$", description="auto, cpu or cuda[:N]")
    memory_gib: float = Field(4.0, gt=0, description="vectors that take more are read again at every iteration")


class Correlations(Section):
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


class Report(Section):
    """Findings."""

    fold_similarity: float = Field(0.5, gt=0, le=1, description="pairs whose rows overlap so much are one finding")
    min_contents: int = Field(15, ge=1, description="distinct contents with trigger and behavior that make a finding")
    max_findings: int = Field(2_000, ge=1, description="findings kept")


class Turf(Section):
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
    sentence_similarity: float = Field(
        0.6,
        gt=0,
        description="rows that open or end less alike are no neighbors; over 1: no crux is a sentence of the response",
    )
    min_hits: int = Field(10, ge=1, description="fewer hits are no trigger")
    min_lift: float = Field(4.0, ge=0, description="a trigger occurs so many times as often as expected")
    max_cluster_share: float = Field(0.25, gt=0, le=1, description="a cluster in more of the mix is no trigger")
    max_crux_share: float = Field(0.10, gt=0, le=1, description="a crux in more of the mix is no cue of its own")
    min_score: float = Field(0.03, ge=0, description="triggers of a lower trace_score are none")
    max_null_share: float = Field(0.05, gt=0, le=1, description="share of random neighborhoods that may do as well")
    fold_share: float = Field(
        0.5, gt=0, description="triggers with such a share of their hits in a better one's are told by it; over 1: none"
    )
    null_neighborhoods: int = Field(500, ge=400, description="random response attributes that the null is made of")
    seed: int = Field(0, ge=0, description="which ones are drawn")


class Surf(Section):
    """Searches. Defaults are the paper's where it names a value; `chunky surf --preset published` takes other ones."""

    seeds: int = Field(15, ge=1, description="searches run side by side (paper, section 3.1.6: 15)")
    iterations: int = Field(20, ge=1, description="iterations at most, T (paper, section 3.1.6: 20)")
    candidates: int = Field(360, ge=1, description="new candidates of an iteration, N (paper, section 3.1.4: 360)")
    attributes: int = Field(5, ge=1, description="attributes of a candidate at most (paper, section 3.1.4: k ≤ 5)")
    attribute_numbers: str = Field(
        "uniform",
        pattern="^(uniform|binomial)$",
        description="how k is drawn: uniform (1 to most; the paper does not say) or binomial (published: half of most)",
    )
    row_attributes: int = Field(0, ge=0, description="attributes of one random row beside them (paper: none)")
    row_drop: tuple[float, ...] = Field(
        (0.0, 0.0, 0.2, 0.4, 0.6, 0.8), description="by k, how probably the row's are left out (published)"
    )
    exploration: float = Field(
        0.0,
        ge=0,
        le=1,
        description="share of draws after t = 0 that are uniform over the pool (paper, 3.1.3: 0)",
    )
    buffer: int = Field(20, ge=1, description="slots of the replay buffer, n (the paper does not say; published: 5)")
    per_group: int = Field(0, ge=0, description="slots that like queries may take; 0 = any (paper, equation 2)")
    group_similarity: float = Field(
        0.7, ge=-1, le=1, description="queries are alike when the cosine of their vectors is at least this (own)"
    )
    patience: int = Field(3, ge=0, description="a search ends when so many iterations gain too little; 0 = never (own)")
    least_gain: float = Field(1.0, ge=0, description="points that the buffer's mean score must gain in them (own)")
    samples: int = Field(1, ge=1, description="responses to one query; the score is their mean (paper: 1)")
    violation: float = Field(70.0, ge=0, le=100, description="scores above it are violations (paper, 3.1.5: 70)")
    loose_violation: float = Field(50.0, ge=0, le=100, description="a second threshold, told beside it (published: 50)")
    failures: int = Field(5, ge=1, description="failures kept of each search (paper, table 1: 75 of 15)")
    fresh_samples: int = Field(10, ge=0, description="new responses to each failing query (paper, figure 5: 100)")
    temperature: float = Field(1.0, ge=0, le=2, description="of the target (own)")
    max_tokens: int = Field(2_000, ge=1, description="of a response (own)")
    target_system: str = Field("", description="system prompt under which the target answers; empty = none (paper)")
    retries: int = Field(2, ge=0, description="how often calls that gave no usable answer are asked again (own)")
    pool: str = Field(
        "clusters",
        min_length=1,
        description="clusters (one sentence each), attributes (all of queries) or a file (JSONL, CSV, Parquet)",
    )

    @field_validator("row_drop", mode="before")
    @classmethod
    def _of_text(cls, value: object) -> object:
        """Numbers with commas between them, as a flag or the environment gives them."""
        return [part for part in value.split(",") if part.strip()] if isinstance(value, str) else value

    @field_validator("row_drop")
    @classmethod
    def _are_probabilities(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        if not all(0 <= each <= 1 for each in value):
            raise ValueError("probabilities lie between 0 and 1")
        return value


class Llm(Section):
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
    timeout_seconds: float = Field(300.0, gt=0, description="an attempt is given up after this time")
    max_failed_share: float = Field(
        0.05, ge=0, le=1, description="a step ends without a result when more of its calls fail"
    )
    prices: str = Field("", description="price file; empty = `prices.toml` in the lake. The package knows no prices")
    run: str = Field("", description="name under which spending counts; equal names share a budget; empty = each run")


class Sql(Section):
    """`chunky sql`. Not part of any fingerprint."""

    memory_limit: str = Field("2GB", pattern=r"^\d+(\.\d+)?\s?[KMGT]i?B$", description="memory limit of a question")
    timeout_seconds: float = Field(120.0, gt=0, description="a question is stopped after this time")
    row_cap: int = Field(100, ge=0, description="rows shown; 0 = all")
