"""Which files to read: files, folders, patterns and data sets of the Hugging Face hub."""

from __future__ import annotations

import glob
import hashlib
import json
import os
import re
import stat
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from typing import Any, NamedTuple

from chunky.corpus.formats import suffixes
from chunky.corpus.options import ReadOptions, Source
from chunky.errors import FileFault, InputError, PrerequisiteError

HUB = "hf://"
_HUB_ADDRESS = re.compile(r"hf://datasets/(?P<repo>[^/@]+/[^/@]+)(?:@(?P<revision>[^/]+))?(?:/(?P<pattern>.+))?")
# Side files of data hubs: they describe data and hold none.
_SIDE_FILES = frozenset(("dataset_info.json", "dataset_infos.json", "dataset_dict.json", "state.json"))
_PATTERNS = [
    f"**/*.{name}{packing}" for name in ("jsonl", "ndjson", "json", "csv", "tsv") for packing in ("", ".gz", ".zst")
]
_SHARD = re.compile(r"-\d{5}-of-\d{5}$")


def discover(paths: Sequence[str]) -> list[Source]:
    """Input files for `paths`, each once, in the order given and sorted inside a folder or pattern.

    A path is a file (any name), a folder (searched to all depths for known suffixes; hidden files and side files such
    as dataset_info.json are left out), a glob pattern, or `hf://datasets/org/name[@revision][/pattern]`.
    Raises InputError for what does not exist or holds nothing to read, PrerequisiteError without the hub's package.
    """
    sources: dict[str, Source] = {}
    for path in paths:
        # a link to a file that is named already is the same data; on the hub equal files share one cached copy
        for source in _hub(path) if path.startswith(HUB) else _local(path):
            sources.setdefault(source.file if path.startswith(HUB) else os.path.realpath(source.path), source)
    if not sources:
        raise InputError("no input was named", "name a file, a folder, a pattern or hf://datasets/org/name")
    return list(sources.values())


def file_digest(source: Source, options: ReadOptions | None = None) -> str:
    """SHA-256 (hexadecimal) over the file's bytes and the reading options; FileFault when it cannot be read."""
    settings = json.dumps(asdict(options or ReadOptions()), sort_keys=True).encode()
    digest = hashlib.sha256(len(settings).to_bytes(8, "little") + settings)
    try:
        with open(source.path, "rb") as file:
            while piece := file.read(1 << 20):
                digest.update(piece)
    except OSError as error:
        raise FileFault(f"{source.file} cannot be read: {error.strerror}", "check its permissions") from error
    return digest.hexdigest()


# ── this machine ──────────────────────────────────────────────────────────────────────────────────────────────────


def _local(path: str) -> list[Source]:
    if os.path.isdir(path):
        found = sorted(_walk(path))
        if not found:
            raise InputError(
                f"the folder {path} holds no file that can be read",
                "it needs .parquet, .jsonl, .ndjson, .json, .csv or .tsv (the text ones also with .gz or .zst)",
            )
        return [_source(file) for file in found]
    if os.path.lexists(path):
        return [_source(path)]
    if glob.has_magic(path):
        matches = sorted(glob.glob(path, recursive=True))
        found = [file for match in matches for file in ([match] if not os.path.isdir(match) else sorted(_walk(match)))]
        if found:
            return [_source(file) for file in found]
        raise InputError(f"the pattern {path} matches no file", "quote the pattern, and use ** to search folders")
    raise InputError(f"there is no file or folder {path}", "check the spelling; relative paths start at " + os.getcwd())


def _walk(folder: str) -> Iterator[str]:
    for where, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in files:
            if not name.startswith(".") and name not in _SIDE_FILES and set(suffixes(name)) - {"gz", "zst", "zstd"}:
                yield os.path.join(where, name)


def _source(path: str, file: str | None = None) -> Source:
    try:
        found = os.stat(path)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}", "check the link or its permissions") from error
    if not stat.S_ISREG(found.st_mode):
        raise InputError(f"{path} is not a regular file", "name a file, or write the data to one first")
    return Source(path, file or _printable(os.path.abspath(path)), chunk_name(path), found.st_size)


def _printable(path: str) -> str:
    """Paths are bytes; those that are not UTF-8 are spelled out, because tables hold text."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def chunk_name(path: str) -> str:
    """Chunk of a file whose records name none: its name without suffixes and shard numbers (`-00000-of-00004`)."""
    name = _printable(os.path.basename(path))
    tail = suffixes(name)
    stem = name[: len(name) - sum(len(part) + 1 for part in tail)]
    return _SHARD.sub("", stem) or name


# ── the hub ───────────────────────────────────────────────────────────────────────────────────────────────────────


class HubAddress(NamedTuple):
    """Parts of `hf://datasets/org/name[@revision][/pattern]`."""

    repo: str
    revision: str | None
    pattern: str | None


def hub_address(path: str) -> HubAddress:
    """Take an address apart; InputError when it has another form."""
    found = _HUB_ADDRESS.fullmatch(path.rstrip("/"))
    if not found:
        raise InputError(f"{path} is no address of a data set", "write hf://datasets/org/name[@revision][/pattern]")
    return HubAddress(found["repo"], found["revision"], found["pattern"])


def _hub(path: str) -> list[Source]:
    """Files of a hub data set, downloaded into the hub's own cache; HF_ENDPOINT and HF_TOKEN are honored there."""
    address = hub_address(path)
    try:
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import HfHubHTTPError
    except ImportError as error:
        raise PrerequisiteError(f"{path} needs the package huggingface_hub", "run: pip install 'chunky[hf]'") from error
    # the bases of its error: that of its HTTP library, which changed with its major versions, and OSError
    failures: tuple[Any, ...] = (*HfHubHTTPError.__bases__, OSError, ValueError)
    try:
        folder = snapshot_download(
            address.repo, repo_type="dataset", revision=address.revision, allow_patterns=hub_patterns(address.pattern)
        )
    except failures as error:
        first_line = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise InputError(
            f"{path} cannot be fetched: {first_line}",
            "check the name, HF_ENDPOINT and, for gated data, HF_TOKEN; or download it and name the folder",
        ) from error
    return _in_snapshot(path, address, folder)


def hub_patterns(pattern: str | None) -> list[str]:
    """Patterns of the files to fetch: the one given (a folder means all below it), else every known format."""
    if pattern is None:
        return [*_PATTERNS, "**/*.parquet", *(name.removeprefix("**/") for name in [*_PATTERNS, "**/*.parquet"])]
    return [pattern] if suffixes(pattern) else [pattern, f"{pattern}/**"]


def _in_snapshot(path: str, address: HubAddress, folder: str) -> list[Source]:
    prefix = f"{HUB}datasets/{address.repo}" + (f"@{address.revision}" if address.revision else "")
    sources = [_source(file, f"{prefix}/{os.path.relpath(file, folder)}") for file in _selected(folder, address)]
    if not sources:
        raise InputError(f"{path} holds no file that can be read", "look at the data set's file list, name a pattern")
    return sources


def _selected(folder: str, address: HubAddress) -> Iterable[str]:
    """Files of a snapshot that the address means: the cache may hold others from earlier calls."""
    from fnmatch import fnmatch

    patterns = hub_patterns(address.pattern)
    files = sorted(_walk(folder))
    return [file for file in files if any(fnmatch(os.path.relpath(file, folder), pattern) for pattern in patterns)]
