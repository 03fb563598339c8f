"""A COPC file of a hundred million points in seconds: a town of equal blocks, stamped all over it.

Every node is a real LAZ chunk with points of its own. They are cheap to make because the town
repeats: in layered LAZ only a chunk's first point is stored as it is, and all others as steps from
it, so that a chunk moves as a whole when its first twelve bytes do. Each level is encoded once and
stamped into all of its nodes. Written with laspy, lazrs and struct alone, so that nothing that is
tested is used to make it.

Sources: COPC specification 1.0 (copc.io); ASPRS LAS 1.4 R15, tables 3 and 4; the layout of layered
chunks in LASzip's `LASreadItemCompressed_POINT14`.
"""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from pathlib import Path

import laspy
import lazrs
import numpy as np
from pyproj import CRS

SCALE = 0.01
EDGE = 2048.0
BLOCK = 32.0
DEEPEST = 6
SIDE = (136, 135)
"""Points of a node, across and along."""

LOW = (576_000.0, 5_187_000.0, 150.0)
HEADER_BYTES = 375

COLOURS = {"red": (44, 20, 28), "green": (20, 34, 28), "blue": (16, 14, 31)}
"""Of roofs, lawns and streets, of 63."""


@dataclass(frozen=True)
class Town:
    """What was written.

    Parameters
    ----------
    path : Path
    points, nodes : int
    """

    path: Path
    points: int
    nodes: int


def height(x, y):
    """Height of the town [m] at a place [m] from its corner: streets, lawns and a house a block."""
    u, v = np.mod(x, BLOCK), np.mod(y, BLOCK)
    house = (u > 8) & (u < 22) & (v > 10) & (v < 24)
    roof = 9.0 - 0.35 * np.abs(v - 17)
    return np.where(house, roof, 1.0 + 0.4 * np.sin(u * np.pi / 16) ** 2)


def _records(level):
    """Points of one node of a level, from its own corner, in boustrophedon order."""
    edge = EDGE / 2**level
    across, along = (edge * (np.arange(n) + 0.5) / n for n in SIDE)
    x = np.tile(across, (SIDE[1], 1))
    x[1::2] = x[1::2, ::-1]
    x, y = x.ravel(), np.repeat(along, SIDE[0])
    spread = np.random.default_rng(level).integers(-2, 3, (2, len(x))) * (edge / SIDE[0] / 8)
    x, y = x + spread[0], y + spread[1]
    points = laspy.ScaleAwarePointRecord.zeros(
        len(x), point_format=laspy.PointFormat(7), scales=[SCALE] * 3, offsets=LOW
    )
    points["X"], points["Y"] = np.rint(x / SCALE), np.rint(y / SCALE)
    z = height(points["X"] * SCALE, points["Y"] * SCALE)
    points["Z"] = np.rint(z / SCALE)
    street = (np.mod(x, BLOCK) < 4) | (np.mod(y, BLOCK) < 4)
    roof = z > 3
    shades = np.random.default_rng(level).integers(0, 4, len(x)) * 1024
    for band, (on_roof, on_lawn, on_street) in COLOURS.items():
        tone = np.where(roof, on_roof, np.where(street, on_street, on_lawn))
        points[band] = (tone * 1024 + shades).astype(np.uint16)
    points["classification"] = np.where(roof, 6, np.where(street, 11, 2))
    points["intensity"] = np.where(roof, 900, 300)
    points["return_number"] = points["number_of_returns"] = np.ones(len(x), np.uint8)
    return points.array


def _encoded(records, laszip):
    stream = io.BytesIO()
    compressor = lazrs.LasZipCompressor(stream, laszip)
    compressor.compress_many(records.view(np.uint8))
    compressor.finish_current_chunk()
    compressor.done()
    table_at = struct.unpack_from("<q", stream.getbuffer())[0]
    return bytearray(stream.getbuffer()[8:table_at])


def write_town(path, *, deepest=DEEPEST):
    """Write a town with nodes on all levels down to `deepest`, 4**level on each."""
    laszip = lazrs.LazVlr.new_for_compression(7, 0, use_variable_size_chunks=True)
    count = SIDE[0] * SIDE[1]
    nodes = sum(4**level for level in range(deepest + 1))
    records = [
        ("copc", 1, bytes(160)),
        ("laszip encoded", 22204, laszip.record_data()),
        ("LASF_Projection", 2112, CRS.from_epsg(32615).to_wkt("WKT1_GDAL").encode() + b"\0"),
    ]
    head = bytearray(HEADER_BYTES)
    for user, number, data in records:
        head += struct.pack("<H16sHH32s", 0, user.encode(), number, len(data), b"") + data
    entries, table = [], []
    with Path(path).open("wb") as file:
        file.write(head)
        file.write(bytes(8))
        for level in range(deepest + 1):
            points = _records(level)
            chunk = _encoded(points, laszip)
            first = struct.unpack_from("<3i", chunk)
            step = round(EDGE / 2**level / SCALE)
            for y in range(2**level):
                for x in range(2**level):
                    at = (first[0] + x * step, first[1] + y * step)
                    struct.pack_into("<2i", chunk, 0, *at)
                    entries.append((level, x, y, 0, file.tell(), len(chunk), count))
                    table.append((count, len(chunk)))
                    file.write(chunk)
        table_at = file.tell()
        lazrs.write_chunk_table(file, table, laszip)
        evlr = file.tell()
        pages = b"".join(struct.pack("<4iQ2i", *entry) for entry in entries)
        file.write(struct.pack("<H16sHQ32s", 0, b"copc", 1000, len(pages), b"") + pages)
        _finish(file, head, nodes * count, evlr, len(pages), len(records), table_at)
    return Town(Path(path), nodes * count, nodes)


def _finish(file, head, points, evlr, pages, records, table_at):
    """Write the header now that all is known."""
    high = (LOW[0] + EDGE, LOW[1] + EDGE, LOW[2] + 9.1)
    middle = [low + EDGE / 2 for low in LOW]
    info = struct.pack("<5d2Q2d", *middle, EDGE / 2, EDGE / 128, evlr + 60, pages, 0.0, 0.0)
    head[HEADER_BYTES + 54 : HEADER_BYTES + 54 + len(info)] = info
    public = struct.pack(
        "<4sHH16sBB32s32sHHHIIBHI5I12dQQIQ15Q",
        b"LASF", 0, 17, bytes(16), 1, 4, b"OTHER", b"town", 1, 2026, HEADER_BYTES, len(head),
        records, 7 | 128, 36, 0, 0, 0, 0, 0, 0, *[SCALE] * 3, *LOW,
        high[0], LOW[0], high[1], LOW[1], high[2], LOW[2], 0, evlr, 1, points, points, *[0] * 14,
    )  # fmt: skip
    head[:HEADER_BYTES] = public
    file.seek(0)
    file.write(head)
    file.write(struct.pack("<q", table_at))
