"""PNG: read and write RGB pictures of 8 bits, not interlaced, and scale them down.

Invariant: `decode(encode(picture)) == picture`.

It uses the standard library only, because a compiled imaging library would have to be built for
every platform of the server (arm64 and x86-64 on AWS, and every laptop). Source of the format: the
PNG specification, third edition (W3C).
"""

import struct
import zlib
from dataclasses import dataclass

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_RGB8 = (8, 2, 0, 0, 0)
"""Bit depth, colour type, compression, filter and interlace methods of the supported kind."""

_CHANNELS = 3


@dataclass(frozen=True, slots=True)
class Picture:
    """`rows[y]` holds the red, green and blue bytes of each pixel from left to right."""

    width: int
    height: int
    rows: tuple[bytes, ...]


def decode(data: bytes) -> Picture:
    """Read a picture. Raises ValueError if `data` is not a PNG of the supported kind."""
    if not data.startswith(_SIGNATURE):
        raise ValueError("not a PNG file")
    chunks = _chunks(data)
    width, height, *kind = struct.unpack(">IIBBBBB", chunks[b"IHDR"])
    if tuple(kind) != _RGB8:
        raise ValueError("only 8-bit RGB without interlacing is read")
    return Picture(width, height, _unfiltered(zlib.decompress(chunks[b"IDAT"]), width, height))


def encode(picture: Picture) -> bytes:
    """Return the bytes of the file; every row is unfiltered, then compressed."""
    header = struct.pack(">IIBBBBB", picture.width, picture.height, *_RGB8)
    pixels = b"".join(b"\x00" + row for row in picture.rows)
    return (
        _SIGNATURE
        + _chunk(b"IHDR", header)
        + _chunk(b"IDAT", zlib.compress(pixels, 9))
        + _chunk(b"IEND", b"")
    )


def thumbnail(picture: Picture, width: int) -> Picture:
    """Scale a picture down to `width`; each new pixel is the mean of those that it covers."""
    if not 1 <= width <= picture.width:
        raise ValueError(
            f"a thumbnail of this picture is 1 to {picture.width} pixels wide, not {width}"
        )
    height = max(1, round(picture.height * width / picture.width))
    columns = [_span(x, width, picture.width) for x in range(width)]
    return Picture(
        width,
        height,
        tuple(
            _mean_row(picture.rows[slice(*_span(y, height, picture.height))], columns)
            for y in range(height)
        ),
    )


def _span(index: int, count: int, length: int) -> tuple[int, int]:
    """Return the part of `length` that the index-th of `count` equal parts covers; never empty."""
    start = index * length // count
    return start, max(start + 1, (index + 1) * length // count)


def _mean_row(rows: tuple[bytes, ...], columns: list[tuple[int, int]]) -> bytes:
    means = bytearray()
    for left, right in columns:
        for channel in range(_CHANNELS):
            covered = [
                row[left * _CHANNELS + channel : right * _CHANNELS : _CHANNELS] for row in rows
            ]
            means.append(sum(map(sum, covered)) // (len(rows) * (right - left)))
    return bytes(means)


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _chunks(data: bytes) -> dict[bytes, bytes]:
    """Return the chunks by kind; those of one kind (IDAT) are joined."""
    chunks: dict[bytes, bytes] = {}
    at = len(_SIGNATURE)
    while at < len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        chunks[kind] = chunks.get(kind, b"") + data[at + 8 : at + 8 + length]
        at += length + 12
    return chunks


def _unfiltered(data: bytes, width: int, height: int) -> tuple[bytes, ...]:
    stride = width * _CHANNELS
    above = bytes(stride)
    rows: list[bytes] = []
    for y in range(height):
        start = y * (stride + 1)
        above = _unfilter(data[start], data[start + 1 : start + 1 + stride], above)
        rows.append(above)
    return tuple(rows)


def _unfilter(method: int, row: bytes, above: bytes) -> bytes:
    """Return a row from its filtered form and the row above ("Filtering" in the specification)."""
    if method == 0:
        return row
    if method == 2:
        return bytes((stored + up) & 255 for stored, up in zip(row, above, strict=True))
    predict = {
        1: lambda left, up, corner: left,
        3: lambda left, up, corner: (left + up) // 2,
        4: _paeth,
    }[method]
    out = bytearray(_CHANNELS) + bytearray(len(row))
    corners = bytes(_CHANNELS) + above
    for i, stored in enumerate(row):
        out[i + _CHANNELS] = (stored + predict(out[i], above[i], corners[i])) & 255
    return bytes(out[_CHANNELS:])


def _paeth(left: int, up: int, corner: int) -> int:
    """Return the neighbour nearest to left + up - corner; in a tie, the first in this order."""
    to_left, to_up, to_corner = abs(up - corner), abs(left - corner), abs(left + up - 2 * corner)
    if to_left <= to_up and to_left <= to_corner:
        return left
    return up if to_up <= to_corner else corner
