"""Embedding throughput: chunky's default against plain sentence-transformers in single precision, side by side.

`python benchmarks/embedding.py [SENTENCES]`: the same sentences of twelve words through both, in turn, three rounds;
the peer at the best of its batch sizes. Rates are by processor seconds, which a busy machine disturbs less than the
clock.
"""

from __future__ import annotations

import random
import resource
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from sentence_transformers import SentenceTransformer

from chunky.embedders import get_embedder, sentences

WORDS = (
    *("query", "response", "code", "asks", "opens", "with", "math", "polite", "formal", "list", "table", "answer"),
    *("question", "provides", "contains", "mentions", "story", "describes", "explains", "python", "function"),
    *("simple", "short", "long", "number", "translation", "recipe", "letter", "poem", "summary", "advice"),
)
BATCHES = (32, 64, 128)
ROUNDS = 3


class Rate(NamedTuple):
    """Sentences a second, by processor time and by the clock."""

    processor: float
    clock: float


def sentences_of(count: int, seed: int = 0) -> list[str]:
    """Distinct sentences of twelve words."""
    draw = random.Random(seed)
    return [f"The {' '.join(draw.choice(WORDS) for _ in range(10))} {number}" for number in range(count)]


def rate(encode: Callable[[Sequence[str]], Any], texts: Sequence[str]) -> Rate:
    """Throughput of one call."""
    started, used = time.perf_counter(), _processor_seconds()
    encode(texts)
    return Rate(
        len(texts) / (_processor_seconds() - used),
        len(texts) / (time.perf_counter() - started),
    )


def _processor_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main() -> None:
    """Print one line a round and the ratio."""
    texts = sentences_of(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000)
    ours = get_embedder("minilm", device="cpu")
    plain = SentenceTransformer(str(sentences._minilm_folder()), device="cpu", local_files_only=True)

    def peer(batch: int) -> Callable[[Sequence[str]], Any]:
        return lambda some: plain.encode(list(some), batch_size=batch, show_progress_bar=False)

    print(f"{ours.device_reason}; {ours.identity}; plain: float32")
    ours.encode(texts[:64])
    best = max(BATCHES, key=lambda batch: rate(peer(batch), texts[: max(256, len(texts) // 4)]).processor)
    for _ in range(ROUNDS):
        mine, theirs = rate(ours.encode, texts), rate(peer(best), texts)
        print(
            f"chunky {mine.processor:.0f}/s by processor, {mine.clock:.0f}/s by the clock; plain (batch {best}) "
            f"{theirs.processor:.0f}/s, {theirs.clock:.0f}/s; ratio {mine.processor / theirs.processor:.2f}"
        )


if __name__ == "__main__":
    main()
