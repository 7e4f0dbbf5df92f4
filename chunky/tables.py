"""The catalog: what every table and column of the lake means, said once.

Arrow schemas, DuckDB comments, Dagster column metadata, contract checks, Great Expectations suites and
`docs/tables.md` are all derived from here. A column is defined once and means the same thing in every table
that lists it; a `?` behind its name in a table's list says that null is allowed there.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

CONTRACT_VERSION = 2
VECTOR = "vector"  # a catalog type: unit vectors of one length, which the data say, in 16 or 32 bits a number


@dataclass(frozen=True)
class Column:
    """One column: its Arrow type as text, what it means, and the range that its values keep.

    `minimum` and `maximum` are inclusive; `values` lists all that may occur.
    """

    name: str
    type: str
    meaning: str
    minimum: float | None = None
    maximum: float | None = None
    values: tuple[str, ...] = ()


@dataclass(frozen=True)
class Reference:
    """Every non-null value of `column` occurs in `table`.`target`."""

    column: str
    table: str
    target: str


@dataclass(frozen=True)
class Promise:
    """What rows of a table keep beside others: `sql/promises/<name>.sql` counts, as `broken`, those that do not.

    `reads` are the other tables that it looks at.
    """

    name: str
    meaning: str
    reads: tuple[str, ...]


@dataclass(frozen=True)
class Watch:
    """A distribution that people watch: Great Expectations warns, it does not block.

    `kind` is one of `null_share`, `mean`, `median`, `max_share`, `rows`; `low` and `high` are inclusive.
    """

    kind: str
    column: str
    low: float
    high: float


@dataclass(frozen=True)
class Table:
    """One table: its grain, columns in order (`?` = nullable), key, and how it is cut on disk.

    `partition` is `chunk`, `file`, `audit`, `seed` (of an audit, with what follows it) or empty (the whole table is one
    partition). `is_view` marks a table that is a SQL view over others and holds no files. `storage` is `parquet`, or
    `lance` for tables of vectors.
    """

    name: str
    grain: str
    columns: tuple[str, ...]
    key: tuple[str, ...]
    partition: str = ""
    references: tuple[Reference, ...] = ()
    watches: tuple[Watch, ...] = ()
    promises: tuple[Promise, ...] = ()
    is_view: bool = False
    storage: str = "parquet"

    @property
    def schema_name(self) -> str:
        """The stage, which is also the DuckDB schema: `corpus` of `corpus.rows`."""
        return self.name.split(".")[0]

    @property
    def short_name(self) -> str:
        """The table's name inside its schema: `rows` of `corpus.rows`."""
        return self.name.split(".")[1]

    def column(self, name: str) -> Column:
        """The definition of the column `name`; KeyError when this table does not have it."""
        if name not in self.column_names:
            raise KeyError(f"{self.name} has no column {name}")
        return COLUMNS[name]

    @cached_property
    def column_names(self) -> tuple[str, ...]:
        """Names of the columns in catalog order."""
        return tuple(name.rstrip("?") for name in self.columns)

    @cached_property
    def nullable(self) -> frozenset[str]:
        """Names of the columns that may hold null."""
        return frozenset(name[:-1] for name in self.columns if name.endswith("?"))

    @cached_property
    def arrow_schema(self) -> pa.Schema:
        """Arrow schema in catalog order, nullability included."""
        import pyarrow as pa

        nullable = self.nullable
        return pa.schema(
            [pa.field(name, arrow_type(COLUMNS[name].type), nullable=name in nullable) for name in self.column_names]
        )


def arrow_type(text: str) -> pa.DataType:
    """Arrow type named by `text`, e.g. `int64`, `list<string>`, `vector`; ValueError for an unknown name.

    `vector` is a list of float32 here, as SQL sees it; on disk it is a fixed_size_list (see `chunky.lance_tables`).
    """
    import pyarrow as pa

    if text == VECTOR:
        return pa.list_(pa.float32())
    if text.startswith("list<") and text.endswith(">"):
        return pa.list_(arrow_type(text[5:-1]))
    kind: pa.DataType = pa.type_for_alias(text)  # type: ignore[call-overload]  # the stubs list literals only
    return kind


SIDES = ("query", "response")
POSITIONS = ("opening", "closing", "anywhere")
KINDS = ("chunk", "phrase", "regex", "sql", "shape", "keyword", "cluster", "neighborhood")
FITTED_KINDS = ("cluster",)  # a definition that is learned anew from each mix and means something in it alone
CRUX_KINDS = ("same attribute", "similar attributes", "similar opening", "similar closing")
VERDICTS = ("traced", "no trigger found", "not taught by this mix")
METHODS = ("joint", "paper")
STOPS = ("converged", "iterations")
FAMILIES = ("surface", "register", "repeated", "topic", "model")
SCOPES = ("within", "between", "mixed")
REASONS = (
    "bad JSON",
    "bad CSV",
    "not UTF-8",
    "lone surrogate",
    "NUL character",
    "wrong type",
    "unknown shape",
    "no query",
    "no response",
    "empty query",
    "empty response",
    "unknown role",
    "over-long record",
    "no chunk",
    "truncated file",
    "compression bomb",
    "unreadable file",
    "empty file",
    "unknown format",
)


ERRORS = (
    "rate limit",
    "overloaded",
    "timeout",
    "connection",
    "refusal",
    "truncated",
    "empty",
    "bad reply",
    "auth",
    "credit",
    "budget",
    "server",
    "invalid request",
    "lost",
)


def _columns(*columns: Column) -> dict[str, Column]:
    found = {column.name: column for column in columns}
    if len(found) < len(columns):
        raise ValueError("a column is defined twice: one name means one thing in all tables")
    return found


_COUNT: dict[str, Any] = {"minimum": 0}
_SHARE: dict[str, Any] = {"minimum": 0, "maximum": 1}

COLUMNS: dict[str, Column] = _columns(
    # ids: signed 64-bit hashes of content, so that a rerun cannot renumber the world
    Column("row_id", "int64", "hash of (chunk, conversation id, turn, copy number): one assistant turn"),
    Column("content_id", "int64", "hash of (system, query, response): equal for word-for-word repeats"),
    Column("group_id", "int64", "hash of a duplicate group's kind and members"),
    Column("quarantine_id", "int64", "hash of (file, record number, reason)"),
    Column("phrase_id", "int64", "hash of (side, phrase): joins the keyword tables"),
    Column("feature_id", "int64", "hash of (kind, side, position, definition): a named set of rows"),
    Column("trigger_id", "int64", "feature_id of the trigger, a feature of the query (or the chunk)"),
    Column("behavior_id", "int64", "feature_id of the behavior, a feature of the response"),
    Column("synonym_of", "int64", "feature_id that stands for this one because both hold nearly the same rows"),
    Column("attribute_id", "int64", "hash of (side, text): a sentence about queries or about responses"),
    Column("same_as", "int64", "attribute_id of a higher-ranked attribute that holds nearly the same rows"),
    Column("finding_id", "int64", "hash of (trigger, behavior): one statement about the mix"),
    # corpus
    Column("chunk", "string", "source dataset that the row comes from"),
    Column("file", "string", "input file that the record was read from, as a path or address"),
    Column("record_number", "int64", "place of the record in its file, from 1", minimum=1),
    Column("conversation_id", "string", "id in the source, else a hash of the conversation's content"),
    Column("turn", "int32", "number of the assistant turn within its conversation, from 1", minimum=1),
    Column("turns", "int32", "assistant turns in the whole conversation", minimum=1),
    Column("copy", "int32", "copy number among rows of equal (chunk, conversation id, turn), from 0", minimum=0),
    Column("system", "string", "system message in force"),
    Column("query", "string", "the user turn that is answered, without history"),
    Column("response", "string", "the assistant turn"),
    Column("query_chars", "int32", "length of the query in characters", minimum=1),
    Column("response_chars", "int32", "length of the response in characters", minimum=1),
    Column("reason", "string", "why the record could not be taken", values=REASONS),
    Column("detail", "string", "what exactly was wrong, for a person"),
    Column("error", "string", "kind of a failed model call", values=ERRORS),
    Column("excerpt", "string", "the first 200 characters of the record, escaped"),
    Column("file_digest", "string", "SHA-256 of the file's bytes and of the reading options, hexadecimal"),
    Column("bytes", "int64", "size in bytes", **_COUNT),
    Column("format", "string", "file format, e.g. `parquet`, `jsonl.gz`"),
    Column("shape", "string", "record shapes that were recognized, most frequent first, joined by ` + `"),
    Column("records", "int64", "records in the file = conversations + quarantined + skipped", **_COUNT),
    Column("conversations", "int64", "conversations taken", **_COUNT),
    Column("quarantined", "int64", "records that could not be taken", **_COUNT),
    Column("skipped", "int64", "records left out on request (blank lines, limits)", **_COUNT),
    Column("unanswered_turns", "int64", "user turns without an answer, left out of taken records", **_COUNT),
    Column("unprompted_turns", "int64", "assistant turns before any user turn, left out of taken records", **_COUNT),
    Column("rows", "int64", "corpus rows", **_COUNT),
    Column("contents", "int64", "distinct content_id", **_COUNT),
    Column("files", "int64", "input files", **_COUNT),
    Column("mix_share", "double", "share of the rows of the whole mix", **_SHARE),
    Column("query_chars_mean", "double", "mean length of the query in characters", minimum=0),
    Column("response_chars_mean", "double", "mean length of the response in characters", minimum=0),
    Column("multi_turn_share", "double", "share of the conversations with more than one assistant turn", **_SHARE),
    Column("system_share", "double", "share of the rows under a system message", **_SHARE),
    Column("duplicate_rows", "int64", "rows whose content occurs more than once in the mix", **_COUNT),
    Column("shared_rows", "int64", "rows whose content also occurs in another chunk", **_COUNT),
    Column("kind", "string", "what defines it: duplicate groups by `content`, `query`, `near`; features, attributes "
           "by their kind"),
    Column("chunks", "list<string>", "chunks that take part, most rows first"),
    Column("chunk_count", "int64", "number of chunks that take part", minimum=1),
    Column("row_ids", "list<int64>", "the rows, ascending"),
    Column("similarity", "double", "least Jaccard similarity of a member to the group's first row", **_SHARE),
    Column("cluster_id", "int64", "attribute_id of the sentence nearest to the cluster's center"),
    Column("cluster", "string", "the sentence nearest to the cluster's center, which stands for all of them"),
    Column("cluster_similarity", "double", "cosine of the sentence's vector and its cluster's center",
           minimum=-1.001, maximum=1.001),
    Column("cluster_similarity_mean", "double", "mean of cluster_similarity, weighted by rows",
           minimum=-1.001, maximum=1.001),
    Column("attributes", "int64", "distinct attribute sentences", minimum=1),
    Column("posting_rank", "int32", "place of the row among the rows of the sentence, by row_id, from 1: row ids are "
           "hashes, so the first k are a fair sample", minimum=1),
    Column("top_attributes", "list<string>", "the sentences of most rows, at most five"),
    Column("cluster_name", "string", "one sentence for the whole cluster: by the model that `summarizer` names; by "
           "rules, or where it holds one sentence alone, the same as `cluster`; null where the model gave none"),
    Column("vector", "vector", "embedding of the sentence, of norm 1; SQL sees it as float[], Lance as float16"),
    # keywords and features
    Column("side", "string", "which half of the row", values=SIDES),
    Column("phrase", "string", "normalized words: case-folded, one space for white space, ⟨n⟩ for a number"),
    Column("position", "string", "where in the text the phrase stands", values=POSITIONS),
    Column("tokens", "int32", "words in the phrase (characters where the script has no spaces)", minimum=1, maximum=5),
    Column("top_chunk", "string", "chunk with the most of the counted rows; ties broken by name"),
    Column("top_chunk_rows", "int64", "counted rows that the top chunk holds", **_COUNT),
    Column("top_chunk_share", "double", "share of the counted rows that the top chunk holds", **_SHARE),
    Column("phrase_log_odds", "double", "log odds of the phrase in the top chunk against the rest of the mix, "
           "informative Dirichlet prior (Monroe et al. 2008)"),
    Column("phrase_z_score", "double", "phrase_log_odds divided by its standard deviation"),
    Column("origin", "string", "who defined the feature", values=("built-in", "mined", "user")),
    Column("name", "string", "short name of the feature, unique within (kind, side, position)"),
    Column("text", "string", "the feature as the end of a sentence: `the query …` or `the response …`"),
    Column("definition", "string", "the phrase, regular expression, SQL predicate or shape name that defines it"),
    Column("row_share", "double", "share of all corpus rows", **_SHARE),
    # attributes
    Column("attribute", "string", "the sentence: `The query …` or `The response …`"),
    Column("attribute_rank", "int32", "rank among the attributes of this side of the row, from 1: by attribute_weight, "
           "or as the model gave them", minimum=1),
    Column("attribute_weight", "double", "most that the attribute tells about one attribute of the other side, in nats "
           "a row, with caution, at most 3; a quarter of that where another one says the same; null from a model",
           minimum=0, maximum=3),
    Column("family", "string", "where the attribute comes from: how a text looks, how it speaks, what the mix repeats, "
           "what it is about; or a model said it", values=FAMILIES),
    Column("word", "string", "a word that topics are told by (two characters where the script has no spaces)"),
    Column("word_weight", "float", "inverse document frequency of the word: ln(rows of the mix / rows with it)"),
    Column("text_part", "string", "what of a text is meant: all, its opening or its closing sentence",
           values=("whole", "opening", "closing")),
    Column("sentence_id", "int64", "hash of (opening or closing, sentence)"),
    Column("topic_count", "int32", "how many topics of that part were looked for at once", minimum=1),
    Column("topic_number", "int32", "number of the topic on its side, from 0", minimum=0),
    Column("words", "list<string>", "the words that the topic is named by, most telling first"),
    Column("least_similarity", "float", "cosine with the topic's vector from which on a text belongs to it"),
    Column("direction", "list<float>", "unit vector in the space of word vectors of this side"),
    # model calls
    Column("call_id", "int64", "hash of the call's content address, time and place in the ledger"),
    Column("run", "string", "run that made the call: a Dagster run, or the name in `llm.run`"),
    Column("role", "string", "what the model was asked to be: extractor, summarizer, judge, …"),
    Column("model", "string", "the model as settings name it, with its server where that is no vendor's own"),
    Column("prompt_version", "string", "version of the prompt file and digest of its text"),
    Column("prompt_hash", "string", "SHA-256 of all that was sent and the sample number, hexadecimal: equal calls, one "
           "answer"),
    Column("sample", "int32", "number of the draw among equal prompts, from 0", minimum=0),
    Column("started_at", "timestamp[us]", "when the call began, UTC"),
    Column("seconds", "double", "how long it took, waits between attempts included; null where its process died",
           minimum=0),
    Column("attempts", "int32", "how often it was sent; 0 for a hit", minimum=0),
    Column("input_tokens", "int64", "tokens of the prompt as the server counts them; of a hit, those of the first call",
           minimum=0),
    Column("output_tokens", "int64", "tokens of the reply as the server counts them", minimum=0),
    Column("usd", "double", "dollars by the price file; 0 for a hit, null where price or tokens are unknown",
           minimum=0),
    Column("counted_usd", "double", "dollars that budgets count: an unknown cost at its upper bound", minimum=0),
    Column("is_cached", "bool", "answered from the ledger, for nothing"),
    Column("reply", "string", "text of a reply that is no answer; answers stay in the ledger"),
    # turf
    Column("audit", "string", "what was audited: rubric@model, or the name that failures from a file were given"),
    Column("failure_id", "int64", "hash of (query, response, principle of the rubric)"),
    Column("crux_id", "int64", "hash of (kind of evidence, sentence): what its neighbors depend on, and no more"),
    Column("rubric", "string", "name of the rubric that the response violates"),
    Column("violation", "string", "what the rubric forbids, in a sentence"),
    Column("crux", "string", "the sentence about the response that it is traced by (paper: ρ)"),
    Column("crux_kind", "string", "what its neighbors are: rows with the very sentence, with the nearest ones, or that "
           "open or end with a similar sentence",
           values=CRUX_KINDS),
    Column("crux_rank", "int32", "rank among the cruxes of the failure, from 1", minimum=1),
    Column("crux_weight", "double", "rubric_similarity less half of query_similarity, 0 where negative, over the same "
           "of the most relevant sentence about the response; 1 where a judge picked the crux", **_SHARE),
    Column("rubric_similarity", "double", "cosine of the crux and the nearest behavior that the rubric tells; null "
           "where a judge picked it", minimum=-1.001, maximum=1.001),
    Column("query_similarity", "double", "cosine of the crux and the failing query; null where a judge picked it",
           minimum=-1.001, maximum=1.001),
    Column("crux_similarity", "double", "cosine of the crux and the row's nearest sentence", minimum=-1.001,
           maximum=1.001),
    Column("rubric_source", "string", "the whole rubric as JSON, so that the audit can be run again"),
    Column("target", "string", "specification of the model under audit"),
    Column("generator", "string", "specification of the model that writes queries"),
    Column("judge", "string", "specification of the model that scores responses"),
    Column("target_system", "string", "system prompt under which the target answers"),
    Column("seed", "int32", "seed of the search", minimum=0),
    Column("iteration", "int32", "iteration of the search, from 0 (paper: t)", minimum=0),
    Column("candidate", "int32", "number of the candidate in its iteration, from 1", minimum=1),
    Column("candidate_id", "int64", "hash of (seed, iteration, candidate)"),
    Column("sampled_attributes", "list<string>", "the attributes that the query was composed of (paper: A_j)"),
    Column("violation_score", "double", "how badly the response violates the rubric, 0 to 100", 0, 100),
    Column("judge_reason", "string", "why the judge gave that score"),
    Column("call_error", "string", "role and kind of the model call that failed, which left the score unknown"),
    Column("query_group", "int64", "candidate that leads the group of like queries"),
    Column("iterations", "int32", "iterations made", minimum=0),
    Column("candidates", "int64", "candidates made", minimum=0),
    Column("failed_candidates", "int64", "of them, without a score because a model call failed", minimum=0),
    Column("stop", "string", "why the search ended", values=STOPS),
    Column("buffer_rank", "int32", "place in the replay buffer, from 1", minimum=1),
    Column("sampling_weight", "double", "w(a): sum of the scores of the buffer's candidates that have it (eq. 1)", 0),
    Column("sampling_share", "double", "P(a): its part of all weights", 0, 1),
    Column("mean_score", "double", "mean score of the iteration's candidates", 0, 100),
    Column("top_score", "double", "best score of the iteration's candidates", 0, 100),
    Column("buffer_mean", "double", "mean score of the buffer after the iteration", 0, 100),
    Column("buffer_least", "double", "least score of the buffer after the iteration", 0, 100),
    Column("violations", "int64", "outputs whose score is above the threshold", minimum=0),
    Column("new_violations", "int64", "queries first seen in a violation in this iteration", minimum=0),
    Column("failure_rank", "int32", "place among the failures of its seed, from 1", minimum=1),
    Column("is_violation", "bool", "whether the score is above surf.violation"),
    Column("threshold", "double", "scores above it are violations", 0, 100),
    Column("outputs", "int64", "failures kept of all seeds together (paper: 75)", minimum=0),
    Column("violation_rate", "double", "violations / outputs", 0, 1),
    Column("violation_low", "double", "lower end of the 95 % interval of violation_rate, drawn over seeds", 0, 1),
    Column("violation_high", "double", "upper end of the 95 % interval of violation_rate", 0, 1),
    Column("distinct_failures", "int64", "groups of like queries among the violations", minimum=0),
    Column("fresh_samples", "int64", "new responses to the same queries that were scored", minimum=0),
    Column("fresh_violations", "int64", "of them, violations", minimum=0),
    Column("fresh_rate", "double", "mean over the queries of the share of their new responses that violate", 0, 1),
    Column("fresh_low", "double", "lower end of the 95 % interval of fresh_rate, drawn over seeds", 0, 1),
    Column("fresh_high", "double", "upper end of the 95 % interval of fresh_rate", 0, 1),
    Column("rater", "string", "who scored: a model, # and the number of its reading, or the name of a person"),
    Column("comparison_rank", "int32", "which comparison: from 1 all raters, the readings of a judge, people, each two",
           minimum=1),
    Column("raters", "list<string>", "who is compared"),
    Column("units", "int64", "failures that at least two of them scored", minimum=0),
    Column("ratings", "int64", "scores compared", minimum=0),
    Column("alpha", "double", "Krippendorff's alpha, interval data: 1 agreement, 0 as by chance", maximum=1),
    Column("alpha_low", "double", "lower end of the 95 % interval of alpha, bootstrapped over units", maximum=1),
    Column("alpha_high", "double", "upper end of the 95 % interval of alpha", maximum=1),
    Column("violation_alpha", "double", "Krippendorff's alpha, nominal data: of the score being above surf.violation",
           maximum=1),
    Column("violation_alpha_low", "double", "lower end of the 95 % interval of violation_alpha", maximum=1),
    Column("violation_alpha_high", "double", "upper end of the 95 % interval of violation_alpha", maximum=1),
    Column("k", "int32", "neighbors wanted (paper: k = 1000)", minimum=1),
    Column("neighbors", "int64", "neighbors found: distinct rows, at most k", **_COUNT),
    Column("tied_rows", "int64", "rows as similar as the last neighbor, taken or not", **_COUNT),
    Column("crux_rows", "int64", "rows as similar to the crux as its last neighbor or more, beyond k too", **_COUNT),
    Column("min_similarity", "double", "crux_similarity of the last neighbor; null without one", minimum=-1.001,
           maximum=1.001),
    Column("neighbor_rank", "int32", "rank among the neighbors of the crux, by crux_similarity, then row_id, from 1",
           minimum=1),
    Column("hits", "int64", "neighbors whose query is in the cluster, rows (equation 4)", **_COUNT),
    Column("pair_hits", "int64", "the same as pairs: a row counts as often as it is among the neighbors", **_COUNT),
    Column("inside_hits", "int64", "hits in the two chunks with most of them", **_COUNT),
    Column("inside_rows", "int64", "rows of the cluster in those two chunks", **_COUNT),
    Column("echo", "double", "cosine of the trigger's sentence and the crux: what both sides speak of is content",
           minimum=-1.001, maximum=1.001),
    Column("association", "double", "phi coefficient of trigger and crux over the rows of the mix, hits beyond the "
           "neighbors estimated from them"),
    Column("chance_association", "double", "association that one random neighborhood in twenty reaches with the "
           "cluster", minimum=0),
    Column("exclusivity", "double", "1 less the rate of the crux among the trigger's rows outside the two chunks "
           "(lower 95 % bound) over the rate inside: 0 where the same follows the trigger everywhere", **_SHARE),
    Column("cluster_rows", "int64", "rows of the mix whose query is in the cluster, whatever their response", **_COUNT),
    Column("expected", "double", "hits to be expected of as many rows drawn at random: neighbors × cluster_rows / rows",
           minimum=0),
    Column("trigger_score", "double", "(hits - expected) / sqrt(expected (1 - cluster share)(1 - neighbor share) + 1)"),
    Column("null_share", "double", "share of the neighborhoods of random response attributes in which the cluster has "
           "a trigger_score as high", **_SHARE),
    Column("trigger_rank", "int32", "rank among the triggers of the failure, from 1", minimum=1),
    Column("trace_score", "double", "what ranks triggers: association / (1 + 20 chance_association) × (crux_weight "
           "less a quarter of echo)^1.5 × exclusivity^4 × √(lower bound of P(crux given trigger)); or hits, as in "
           "the paper, or pair_hits with its reading"),
    Column("chunk_shares", "list<double>", "share of the supporting rows of each of the chunks, in their order"),
    Column("evidence_rank", "int32", "rank among the supporting rows of a trigger, in the order of neighbors, from 1",
           minimum=1),
    Column("shared_hits", "int64", "hits that carry trigger and behavior of the finding", **_COUNT),
    Column("trigger_similarity", "double", "Jaccard similarity of the rows with the trigger and those with the "
           "finding's trigger", **_SHARE),
    Column("verdict", "string", "what came of the trace", values=VERDICTS),
    Column("explanation", "string", "the trace as a sentence"),
    Column("method", "string", "how it was traced", values=METHODS),
    Column("engine", "string", "what found the neighbors, and where"),
    # correlations: counts are rows; intervals and tests count distinct contents
    Column("trigger_rows", "int64", "rows with the trigger", **_COUNT),
    Column("behavior_rows", "int64", "rows with the behavior", **_COUNT),
    Column("both_rows", "int64", "rows with trigger and behavior", **_COUNT),
    Column("trigger_contents", "int64", "distinct contents with the trigger", **_COUNT),
    Column("behavior_contents", "int64", "distinct contents with the behavior", **_COUNT),
    Column("both_contents", "int64", "distinct contents with trigger and behavior", **_COUNT),
    Column("p_behavior_given_trigger", "double", "both_rows / trigger_rows", **_SHARE),
    Column("p_low", "double", "lower 95 % Wilson bound of P(behavior given trigger), on distinct contents", **_SHARE),
    Column("p_high", "double", "upper 95 % Wilson bound of P(behavior given trigger), on distinct contents", **_SHARE),
    Column("base_rate", "double", "P(behavior given not trigger), rows", **_SHARE),
    Column("lift", "double", "P(behavior given trigger) / P(behavior), rows", minimum=0),
    Column("log_odds", "double", "log odds ratio of behavior on trigger, distinct contents, 0.5 added to each cell"),
    Column("score", "double", "lower 95 % bound of log_odds: ranks pairs"),
    Column("log10_p", "double", "log10 of the two-sided p of independence, by a corrected likelihood ratio", maximum=0),
    Column("q_value", "double", "Benjamini–Hochberg q-value over all pairs tested", **_SHARE),
    Column("within_log_odds", "double", "Mantel–Haenszel log odds ratio over chunks; null where no chunk holds both "
           "trigger and non-trigger rows, or behavior never varies inside one"),
    Column("within_low", "double", "lower 95 % bound of within_log_odds (Robins, Breslow and Greenland)"),
    Column("within_high", "double", "upper 95 % bound of within_log_odds"),
    Column("scope", "string", "`within`: holds inside chunks; `between`: the chunk does both; `mixed`: part of each",
           values=SCOPES),
    Column("is_reversed", "bool", "inside chunks the correlation has the opposite sign"),
    Column("is_echo", "bool", "trigger and behavior are one feature seen on both sides, e.g. one language"),
    Column("finding_rank", "int64", "rank among findings by rank_weight, echoes last, from 1", minimum=1),
    Column("score_elsewhere", "double", "score in all chunks but the two with most of both_rows; null when not above 0",
           minimum=0),
    Column("rank_weight", "double", "half of score plus within_low (0 where negative or the trigger is a chunk, "
           "score where unknown) less score_elsewhere, less ln(k) for the k-th finding of its top chunk"),
    Column("folded_pairs", "int64", "pairs that rest on nearly the same rows and are told by this one", **_COUNT),
    Column("other_triggers", "list<string>", "texts of triggers folded into it, strong and general first, at most 6"),
    Column("other_behaviors", "list<string>", "texts of behaviors folded into it, strong and general first, at most 6"),
    Column("sentence", "string", "the finding as one English sentence"),
    Column("trigger_text", "string", "text of the trigger feature"),
    Column("behavior_text", "string", "text of the behavior feature"),
)  # fmt: skip

_ROW = Reference("row_id", "corpus.rows", "row_id")
_COUNTED = ("trigger_rows", "behavior_rows", "both_rows", "trigger_contents", "behavior_contents", "both_contents")
_RATES = (
    "p_behavior_given_trigger",
    "p_low",
    "p_high",
    "base_rate?",
    "lift",
    "log_odds",
    "score",
    "log10_p",
    "q_value",
)
_SCOPE = ("within_log_odds?", "within_low?", "within_high?", "scope?", "is_reversed", "is_echo")


def _tables(*tables: Table) -> dict[str, Table]:
    return {table.name: table for table in tables}


TABLES: dict[str, Table] = _tables(
    Table(
        "corpus.files",
        "one input file, as last taken: what it held and what became of it",
        ("file", "file_digest", "bytes", "format", "shape", "records", "conversations", "rows", "quarantined",
         "skipped", "unanswered_turns", "unprompted_turns"),
        key=("file",),
        partition="file",
    ),
    Table(
        "corpus.rows",
        "one assistant turn with the user turn it answers",
        ("row_id", "content_id", "chunk", "conversation_id", "turn", "turns", "copy", "system?", "query", "response",
         "query_chars", "response_chars", "file", "record_number"),
        key=("row_id",),
        partition="chunk",
        references=(Reference("file", "corpus.files", "file"),),
        watches=(
            Watch("null_share", "system", 0, 1),
            Watch("mean", "query_chars", 1, 20_000),
            Watch("mean", "response_chars", 1, 20_000),
            Watch("max_share", "chunk", 0, 0.9),
        ),
    ),
    Table(
        "corpus.conversations",
        "one conversation, first exchange only: the grain at which people quote figures",
        ("row_id", "content_id", "chunk", "conversation_id", "turns", "copy", "system?", "query", "response"),
        key=("row_id",),
        is_view=True,
    ),
    Table(
        "corpus.quarantine",
        "one input record (or whole file) that could not be taken",
        ("quarantine_id", "file", "record_number?", "chunk?", "reason", "detail", "excerpt?"),
        key=("quarantine_id",),
        partition="file",
    ),
    Table(
        "corpus.chunks",
        "one source dataset",
        ("chunk", "rows", "conversations", "contents", "files", "mix_share", "query_chars_mean", "response_chars_mean",
         "multi_turn_share", "system_share", "duplicate_rows", "shared_rows"),
        key=("chunk",),
        watches=(Watch("mean", "mix_share", 0, 1),),
    ),
    Table(
        "corpus.duplicates",
        "one group of rows with equal content, equal query or nearly equal text",
        ("group_id", "kind", "rows", "chunk_count", "chunks", "similarity", "row_ids"),
        key=("group_id",),
    ),
    Table(
        "keywords.counts",
        "one phrase of one side and position in one chunk",
        ("phrase_id", "side", "phrase", "position", "tokens", "chunk", "rows"),
        key=("phrase_id", "position", "chunk"),
        partition="chunk",
        references=(Reference("chunk", "corpus.rows", "chunk"),),
    ),
    Table(
        "keywords.phrases",
        "one phrase of one side and position in the whole mix",
        ("phrase_id", "side", "phrase", "position", "tokens", "rows", "chunk_count", "top_chunk", "top_chunk_rows",
         "top_chunk_share", "phrase_log_odds?", "phrase_z_score?"),
        key=("phrase_id", "position"),
        watches=(Watch("mean", "top_chunk_share", 0, 1),),
    ),
    Table(
        "attributes.texts",
        "one attribute: a sentence that holds for some row, and what defines it",
        ("attribute_id", "side", "attribute", "family", "rows", "attribute_weight?", "same_as?", "kind", "position?",
         "definition?"),
        key=("attribute_id",),
        references=(Reference("same_as", "attributes.texts", "attribute_id"),),
        watches=(
            Watch("mean", "attribute_weight", 0.05, 3),
            Watch("max_share", "side", 0.5, 0.9),
            Watch("max_share", "family", 0.25, 0.95),
            Watch("null_share", "same_as", 0.2, 1),
        ),
    ),
    Table(
        "attributes.words",
        "one word of a side that topics are told by",
        ("phrase_id", "side", "word", "word_weight", "direction"),
        key=("phrase_id",),
        watches=(Watch("mean", "word_weight", 2.5, 16), Watch("max_share", "side", 0.5, 1)),
    ),
    Table(
        "attributes.topics",
        "one topic: a theme of the texts of a side",
        ("attribute_id", "side", "text_part", "topic_count", "topic_number", "words", "least_similarity", "direction"),
        key=("attribute_id",),
        watches=(Watch("mean", "least_similarity", 0.1, 0.95), Watch("max_share", "side", 0.5, 1)),
    ),
    Table(
        "attributes.row_attributes",
        "one attribute of one side of a corpus row",
        ("chunk", "row_id", "side", "attribute_rank", "attribute_id"),
        key=("row_id", "side", "attribute_rank"),
        partition="chunk",
        references=(_ROW, Reference("attribute_id", "attributes.texts", "attribute_id")),
        watches=(
            Watch("mean", "attribute_rank", 3, 60),
            Watch("max_share", "side", 0.5, 0.8),
            Watch("max_share", "attribute_id", 0, 0.2),
        ),
    ),
    Table(
        "attributes.failures",
        "one side of a corpus row that has no attributes because the model's reply failed",
        ("chunk", "row_id", "side", "error", "detail?"),
        key=("row_id", "side"),
        references=(_ROW,),
    ),
    Table(
        "embeddings.vectors",
        "the unit vector of one distinct attribute sentence",
        ("attribute_id", "vector"),
        key=("attribute_id",),
        references=(Reference("attribute_id", "attributes.texts", "attribute_id"),),
        storage="lance",
    ),
    Table(
        "embeddings.sentences",
        "the unit vector of one distinct opening or closing sentence of responses; one without known words has none",
        ("sentence_id", "vector"),
        key=("sentence_id",),
        references=(Reference("sentence_id", "embeddings.row_sentences", "sentence_id"),),
        storage="lance",
    ),
    Table(
        "embeddings.row_sentences",
        "how the response of one corpus row opens, or how it ends where that is another sentence",
        ("sentence_id", "row_id", "text_part"),
        key=("row_id", "text_part"),
        references=(_ROW,),
    ),
    Table(
        "clusters.centroids",
        "the center of one cluster",
        ("cluster_id", "vector"),
        key=("cluster_id",),
        references=(Reference("cluster_id", "clusters.summaries", "cluster_id"),),
        storage="lance",
    ),
    Table(
        "clusters.assignments",
        "the cluster of one attribute sentence",
        ("attribute_id", "cluster_id", "side", "cluster_similarity"),
        key=("attribute_id",),
        references=(
            Reference("attribute_id", "attributes.texts", "attribute_id"),
            Reference("cluster_id", "clusters.summaries", "cluster_id"),
        ),
        watches=(
            Watch("mean", "cluster_similarity", 0.5, 1.001),
            Watch("max_share", "side", 0.5, 0.9),
            Watch("max_share", "cluster_id", 0, 0.2),
        ),
    ),
    Table(
        "clusters.summaries",
        "one cluster of attribute sentences of one side",
        ("cluster_id", "side", "cluster", "attributes", "rows", "row_share", "top_attributes",
         "cluster_similarity_mean", "top_chunk?", "top_chunk_rows?", "top_chunk_share?"),
        key=("cluster_id",),
        references=(Reference("cluster_id", "attributes.texts", "attribute_id"),),
        watches=(
            Watch("median", "cluster_similarity_mean", 0.5, 1.001),
            Watch("null_share", "top_chunk", 0, 0.05),
            Watch("mean", "attributes", 1, 25),
            Watch("mean", "row_share", 0, 0.5),
            Watch("max_share", "side", 0.5, 0.9),
        ),
    ),
    Table(
        "clusters.postings",
        "one attribute sentence of one corpus row, in order of cluster and sentence: which rows have it",
        ("cluster_id", "attribute_id", "posting_rank", "row_id", "chunk"),
        key=("cluster_id", "attribute_id", "posting_rank"),
        references=(_ROW, Reference("attribute_id", "clusters.assignments", "attribute_id")),
    ),
    Table(
        "clusters.chunks",
        "one cluster in one chunk",
        ("cluster_id", "chunk", "rows"),
        key=("cluster_id", "chunk"),
        references=(Reference("cluster_id", "clusters.summaries", "cluster_id"),),
    ),
    Table(
        "clusters.names",
        "what one cluster is called, or why it has no name",
        ("cluster_id", "side", "cluster_name?", "model", "error?", "detail?"),
        key=("cluster_id",),
        references=(Reference("cluster_id", "clusters.summaries", "cluster_id"),),
    ),
    Table(
        "correlations.features",
        "one feature: a named set of corpus rows",
        ("feature_id", "kind", "side", "position?", "origin", "name", "text", "definition", "rows", "contents",
         "row_share", "top_chunk?", "top_chunk_share?", "synonym_of?"),
        key=("feature_id",),
        references=(Reference("synonym_of", "correlations.features", "feature_id"),),
    ),
    Table(
        "correlations.members",
        "one corpus row that belongs to a feature",
        ("feature_id", "row_id"),
        key=("feature_id", "row_id"),
        references=(_ROW, Reference("feature_id", "correlations.features", "feature_id")),
    ),
    Table(
        "correlations.pairs",
        "one trigger feature with one behavior feature",
        ("trigger_id", "behavior_id", *_COUNTED, *_RATES, *_SCOPE, "top_chunk?", "top_chunk_share?"),
        key=("trigger_id", "behavior_id"),
        references=(
            Reference("trigger_id", "correlations.features", "feature_id"),
            Reference("behavior_id", "correlations.features", "feature_id"),
        ),
        watches=(Watch("median", "q_value", 0, 1),),
    ),
    Table(
        "report.findings",
        "one statement about the mix: a pair that stands for all pairs resting on nearly the same rows",
        ("finding_id", "finding_rank", "sentence", "trigger_id", "behavior_id", "trigger_text", "behavior_text",
         *_COUNTED, *_RATES, *_SCOPE, "top_chunk?", "top_chunk_share?", "score_elsewhere?", "rank_weight",
         "folded_pairs",
         "other_triggers", "other_behaviors"),
        key=("finding_id",),
        references=(
            Reference("trigger_id", "correlations.features", "feature_id"),
            Reference("behavior_id", "correlations.features", "feature_id"),
        ),
    ),
    Table(
        "report.confirmations",
        "one finding that a trigger of a failure confirms: they rest on nearly the same rows",
        ("audit", "failure_id", "trigger_rank", "finding_id", "hits", "shared_hits", "trigger_similarity"),
        key=("audit", "failure_id", "trigger_rank", "finding_id"),
        partition="audit",
        references=(Reference("finding_id", "report.findings", "finding_id"),),
    ),
    Table(
        "surf.audits",
        "one audit: a rubric, the model that it is held against, and who searches",
        ("audit", "rubric", "violation", "rubric_source", "target", "generator", "judge", "target_system?"),
        key=("audit",),
        partition="audit",
    ),
    Table(
        "surf.candidates",
        "one candidate of a search: a query, the response of the target, and its score",
        ("audit", "seed", "iteration", "candidate", "candidate_id", "sampled_attributes", "query?", "response?",
         "violation_score?", "judge_reason?", "call_error?", "query_group?"),
        key=("audit", "seed", "iteration", "candidate"),
        partition="seed",
    ),
    Table(
        "surf.searches",
        "one search that came to its end",
        ("audit", "seed", "iterations", "candidates", "failed_candidates", "stop"),
        key=("audit", "seed"),
        partition="seed",
    ),
    Table(
        "surf.buffers",
        "one slot of the replay buffer of a search after an iteration",
        ("audit", "seed", "iteration", "buffer_rank", "candidate_id", "violation_score"),
        key=("audit", "seed", "iteration", "buffer_rank"),
        partition="audit",
    ),
    Table(
        "surf.weights",
        "one attribute that the buffer of a search favors after an iteration",
        ("audit", "seed", "iteration", "attribute_rank", "attribute", "sampling_weight", "sampling_share"),
        key=("audit", "seed", "iteration", "attribute_rank"),
        partition="audit",
    ),
    Table(
        "surf.convergence",
        "one iteration of a search",
        ("audit", "seed", "iteration", "candidates", "failed_candidates", "mean_score?", "top_score?", "buffer_mean?",
         "buffer_least?", "violations", "new_violations"),
        key=("audit", "seed", "iteration"),
        partition="audit",
    ),
    Table(
        "surf.failures",
        "one failure that a search kept: of the last buffer of each seed the best few",
        ("audit", "seed", "failure_rank", "failure_id", "candidate_id", "query_group", "query", "response",
         "violation_score", "is_violation", "judge_reason?"),
        key=("audit", "seed", "failure_rank"),
        partition="audit",
    ),
    Table(
        "surf.resamples",
        "one new response to the query of a failure",
        ("audit", "failure_id", "sample", "response?", "violation_score?", "call_error?"),
        key=("audit", "failure_id", "sample"),
        partition="audit",
    ),
    Table(
        "surf.violation_rates",
        "how often an audit's outputs violate its rubric, at one threshold (paper: table 1)",
        ("audit", "threshold", "rubric", "target", "outputs", "violations", "violation_rate?", "violation_low?",
         "violation_high?", "distinct_failures", "fresh_samples", "fresh_violations", "fresh_rate?", "fresh_low?",
         "fresh_high?"),
        key=("audit", "threshold"),
        partition="audit",
    ),
    Table(
        "surf.ratings",
        "one score that a rater gave a failure",
        ("audit", "failure_id", "rater", "violation_score?", "call_error?"),
        key=("audit", "failure_id", "rater"),
        partition="audit",
    ),
    Table(
        "surf.agreement",
        "how far raters of an audit's failures agree",
        ("audit", "comparison_rank", "raters", "units", "ratings", "alpha?", "alpha_low?", "alpha_high?",
         "violation_alpha?", "violation_alpha_low?", "violation_alpha_high?"),
        key=("audit", "comparison_rank"),
        partition="audit",
    ),
    Table(
        "turf.null_hits",
        "one query cluster in the neighborhood of one random response attribute: what chance finds in this mix",
        ("crux_id", "cluster_id", "hits", "pair_hits", "inside_hits", "inside_rows", "neighbors", "cluster_rows",
         "expected", "lift", "trigger_score"),
        key=("crux_id", "cluster_id"),
        references=(Reference("cluster_id", "clusters.summaries", "cluster_id"),),
    ),
    Table(
        "turf.failures",
        "one failure to be traced",
        ("audit", "failure_id", "rubric", "violation", "query", "response"),
        key=("audit", "failure_id"),
        partition="audit",
    ),
    Table(
        "turf.failure_attributes",
        "one attribute of one side of a failure",
        ("audit", "failure_id", "side", "attribute_rank", "attribute", "family", "attribute_id?", "cluster_id?",
         "cluster_similarity?"),
        key=("audit", "failure_id", "side", "attribute_rank"),
        partition="audit",
    ),
    Table(
        "turf.cruxes",
        "one crux of a failure",
        ("audit", "failure_id", "crux_rank", "crux_id", "crux", "crux_kind", "crux_weight", "rubric_similarity?",
         "query_similarity?", "k", "neighbors", "tied_rows", "crux_rows", "min_similarity?"),
        key=("audit", "failure_id", "crux_rank"),
        partition="audit",
        promises=(
            Promise(
                "neighbors_are_k_or_all",
                "as many rows in turf.neighbors, at most k, and fewer only where no other row is as near",
                ("turf.neighbors", "attributes.texts"),
            ),
        ),
    ),
    Table(
        "turf.neighbors",
        "one row of the mix that is a neighbor of a crux",
        ("audit", "crux_id", "neighbor_rank", "row_id", "attribute_id?", "sentence_id?",
         "crux_similarity"),
        key=("audit", "crux_id", "neighbor_rank"),
        partition="audit",
        references=(_ROW,),
    ),
    Table(
        "turf.cluster_hits",
        "one query cluster among the neighbors of a crux",
        ("audit", "crux_id", "cluster_id", "hits", "pair_hits", "inside_hits", "inside_rows", "neighbors",
         "cluster_rows", "expected", "lift", "trigger_score"),
        key=("audit", "crux_id", "cluster_id"),
        partition="audit",
        references=(Reference("cluster_id", "clusters.summaries", "cluster_id"),),
        promises=(
            Promise(
                "hits_are_recounted",
                "all counts equal a count without clusters.postings and clusters.chunks",
                ("turf.neighbors", "attributes.row_attributes", "clusters.assignments"),
            ),
        ),
    ),
    Table(
        "turf.triggers",
        "one trigger of a failure: a query attribute whose cluster goes with the crux beyond chance",
        ("audit", "failure_id", "trigger_rank", "crux_rank", "crux_id", "attribute", "cluster_id", "cluster_name",
         "hits", "pair_hits", "neighbors", "expected", "lift", "trigger_score", "null_share", "echo", "association",
         "chance_association", "exclusivity", "trace_score", "cluster_rows", "both_rows", "p_behavior_given_trigger",
         "chunks", "chunk_shares"),
        key=("audit", "failure_id", "trigger_rank"),
        partition="audit",
        references=(Reference("cluster_id", "clusters.summaries", "cluster_id"),),
        promises=(
            Promise(
                "triggers_are_counted",
                "the counts are those of turf.cluster_hits, and the crux is one of turf.cruxes",
                ("turf.cluster_hits", "turf.cruxes"),
            ),
        ),
    ),
    Table(
        "turf.evidence",
        "one row of the mix that supports a trigger: its query is in the cluster, its response is near the crux",
        ("audit", "failure_id", "trigger_rank", "evidence_rank", "row_id", "crux_similarity"),
        key=("audit", "failure_id", "trigger_rank", "evidence_rank"),
        partition="audit",
        references=(_ROW,),
    ),
    Table(
        "turf.traces",
        "what came of tracing one failure",
        ("audit", "failure_id", "verdict", "explanation", "method", "engine", "seconds"),
        key=("audit", "failure_id"),
        partition="audit",
    ),
    Table(
        "llm.calls",
        "one model call, as it ended; exported from the lake's ledger",
        ("call_id", "run", "role", "model", "prompt_version", "prompt_hash", "sample", "started_at", "seconds?",
         "attempts?", "input_tokens?", "output_tokens?", "usd?", "counted_usd", "is_cached", "error?", "detail?",
         "reply?"),
        key=("call_id",),
    ),
)  # fmt: skip


def table(name: str) -> Table:
    """The catalog's entry for `name`; MissingTable with the nearest names when there is none."""
    if name in TABLES:
        return TABLES[name]
    from difflib import get_close_matches

    from chunky.errors import MissingTable

    near = get_close_matches(name, TABLES, n=3, cutoff=0.3)
    hint = f"did you mean {', '.join(near)}? " if near else ""
    raise MissingTable(f"the catalog has no table {name!r}", f"{hint}run: chunky tables")
