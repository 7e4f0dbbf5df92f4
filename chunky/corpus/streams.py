"""Bytes of an input file, unpacked and guarded: cut files, broken packings and compression bombs become FileFaults."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

from chunky.corpus.options import ReadOptions, Source
from chunky.errors import FileFault

READ_BYTES = 1 << 20
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
# A zstd block of 4 bytes may hold 128 kB, so the input is fed in small pieces: 4 kB can swell to 128 MB at most.
_ZSTD_PIECE = 4096


class Stream:
    """Unpacked bytes of one open file; `position` is how far the file itself has been read."""

    def __init__(self, file: IO[bytes], source: Source, packing: str, options: ReadOptions) -> None:
        self._file = file
        self._source = source
        self._packing = packing
        self._options = options
        self.unpacked_bytes = 0

    @property
    def position(self) -> int:
        """Bytes of the file on disk read so far."""
        return self._file.tell()

    def pieces(self) -> Iterator[bytes]:
        """The content in pieces of about a megabyte; raises FileFault when it cannot be unpacked to the end."""
        unpack = {"gz": self._gzip, "zst": self._zstd}.get(self._packing, self._plain)
        for piece in unpack():
            self.unpacked_bytes += len(piece)
            check_ratio(self.unpacked_bytes, self._source, self._options)
            yield piece

    def _plain(self) -> Iterator[bytes]:
        while piece := self._file.read(READ_BYTES):
            yield piece

    def _gzip(self) -> Iterator[bytes]:
        import gzip

        try:
            with gzip.GzipFile(fileobj=self._file, mode="rb") as unpacked:
                while piece := unpacked.read(READ_BYTES):
                    yield piece
        except EOFError as error:
            raise truncated(self._source, str(error)) from error
        except (gzip.BadGzipFile, zlib.error) as error:
            raise unreadable(self._source, str(error)) from error

    def _zstd(self) -> Iterator[bytes]:
        import zstandard

        frame: Any = zstandard.ZstdDecompressor().decompressobj()
        is_open = False
        try:
            while piece := self._file.read(_ZSTD_PIECE):
                while piece:
                    is_open = True
                    unpacked = frame.decompress(piece)
                    piece = b""
                    if frame.eof:
                        piece, is_open = frame.unused_data, False
                        frame = zstandard.ZstdDecompressor().decompressobj()
                    if unpacked:
                        yield unpacked
        except zstandard.ZstdError as error:
            raise unreadable(self._source, str(error)) from error
        if is_open:
            raise truncated(self._source, "the last zstd frame does not end")


@contextmanager
def open_stream(source: Source, packing: str, options: ReadOptions) -> Iterator[Stream]:
    """Open the file for reading; every failure of the operating system becomes a FileFault."""
    try:
        with open(source.path, "rb") as file:
            yield Stream(file, source, packing, options)
    except OSError as error:
        raise unreadable(source, error.strerror or str(error)) from error


def check_ratio(unpacked_bytes: int, source: Source, options: ReadOptions) -> None:
    """Raise FileFault when the file has unpacked to more than it may."""
    if unpacked_bytes > max(options.ratio_floor_bytes, options.max_ratio * source.bytes):
        raise FileFault(
            f"{source.file} has {source.bytes:,} bytes and unpacks to more than {unpacked_bytes:,}",
            f"if the file is honest, raise --max-ratio above {unpacked_bytes // max(source.bytes, 1) + 1:,}",
            "compression bomb",
        )


def truncated(source: Source, detail: str) -> FileFault:
    """The fault of a file that ends too early."""
    return FileFault(f"{source.file} is cut off: {detail}", "fetch the file again", "truncated file")


def unreadable(source: Source, detail: str) -> FileFault:
    """The fault of a file whose bytes make no sense or cannot be had."""
    return FileFault(f"{source.file} cannot be read: {detail}", "check its permissions, or fetch it again")


def empty(source: Source) -> FileFault:
    """The fault of a file without a single record."""
    return FileFault(f"{source.file} holds no record", "leave the file out, or fetch it again", "empty file")
