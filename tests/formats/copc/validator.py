"""What the COPC and LAS specifications ask of a file, checked on its bytes.

Written from the specifications, against nothing of the package: `struct` for the octree, lazrs for
the points of each chunk alone.
"""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import lazrs
import numpy as np

HEADER = 375
LENGTHS = {6: 30, 7: 36, 8: 38}


@dataclass
class Octree:
    """What the file says, and the raw records of every node."""

    low: np.ndarray
    size: float
    spacing: float
    gps: tuple[float, float]
    pages: list[int] = field(default_factory=list)
    nodes: dict[tuple[int, int, int, int], np.ndarray] = field(default_factory=dict)
    """Key to records, shape (points, record length), uint8; no rows where a node is empty."""
    xyz: dict[tuple[int, int, int, int], np.ndarray] = field(default_factory=dict)


def check_copc(path: Path) -> Octree:
    """Assert that a file is COPC 1.0 and holds together; give its octree."""
    data = path.read_bytes()
    assert data[:4] == b"LASF"
    assert data[24:26] == b"\x01\x04"
    header_size, points_at, vlr_count = struct.unpack_from("<HII", data, 94)
    assert header_size == HEADER
    point_format, length = struct.unpack_from("<BH", data, 104)
    assert point_format & 0xC0 == 0x80
    assert point_format & 0x3F in LENGTHS
    extra = length - LENGTHS[point_format & 0x3F]
    assert extra >= 0
    assert struct.unpack_from("<6I", data, 107) == (0,) * 6
    scales, offsets = np.array(struct.unpack_from("<6d", data, 131)).reshape(2, 3)
    box = np.array(struct.unpack_from("<6d", data, 179)).reshape(3, 2)
    evlr_at, evlr_count, points = struct.unpack_from("<QIQ", data, 235)
    by_return = np.array(struct.unpack_from("<15Q", data, 255))
    assert by_return.sum() <= points

    vlrs = _records(data, HEADER, vlr_count, "<2x16sHH32x", 54)
    assert vlrs[-1][3] == points_at
    user, record, info, _ = vlrs[0]
    assert (user, record, len(info)) == (b"copc", 1, 160)
    assert info[72:] == bytes(88)
    kinds = [(user, record) for user, record, _, _ in vlrs]
    for wanted in [(b"laszip encoded", 22204), (b"LASF_Projection", 2112)]:
        assert kinds.count(wanted) == 1
    assert kinds.count((b"LASF_Spec", 4)) == (1 if extra else 0)
    laszip = next(d for u, r, d, _ in vlrs if (u, r) == (b"laszip encoded", 22204))
    assert struct.unpack_from("<I", laszip, 12) == (0xFFFFFFFF,)

    evlrs = _records(data, evlr_at, evlr_count, "<2x16sHQ32x", 60)
    assert [(user, record) for user, record, _, _ in evlrs] == [(b"copc", 1000)]
    assert evlrs[0][3] == len(data)
    pages = evlr_at + 60, len(data)

    *centre, half, spacing, page, page_size, gps_low, gps_high = struct.unpack_from("<5d2Q2d", info)
    assert half > 0
    assert spacing > 0
    octree = Octree(np.array(centre) - half, 2 * half, spacing, (gps_low, gps_high))
    entries = walk_pages(data, page, page_size, pages, octree.pages)
    check_tree(entries)
    _check_chunks(data, entries, points_at, evlr_at, laszip)
    for key, (start, size, count) in entries.items():
        octree.nodes[key] = _decode(data[start : start + size], laszip, count, length)
    _check_points(octree, scales, offsets, box, by_return, points)
    return octree


def _records(data: bytes, at: int, count: int, layout: str, size: int) -> list[tuple]:
    found = []
    for _ in range(count):
        user, record, length = struct.unpack_from(layout, data, at)
        at += size
        found.append((user.rstrip(b"\0"), record, data[at : at + length], at + length))
        at += length
    return found


def walk_pages(data, start, size, limits, lengths) -> dict[tuple, tuple[int, int, int]]:
    """Follow all pages; each entry once, each page once, no byte between them unused.

    `limits` are the first and last byte the pages must fill; their entry counts go to `lengths`.
    """
    entries: dict[tuple, tuple[int, int, int]] = {}
    waiting, spans = [(start, size, (0, 0, 0, 0))], []
    while waiting:
        start, size, top = waiting.pop()
        assert size > 0
        assert size % 32 == 0
        assert limits[0] <= start
        assert start + size <= limits[1]
        spans.append((start, start + size))
        lengths.append(size // 32)
        keys = set()
        for level, x, y, z, at, length, points in struct.iter_unpack("<4iQ2i", data[start:][:size]):
            key = level, x, y, z
            assert key not in keys
            keys.add(key)
            if points == -1:
                assert key != top
                waiting.append((at, length, key))
                continue
            assert points >= 0
            assert key not in entries
            entries[key] = at, length, points
            assert (at, length) != (0, 0) or points == 0
            assert points or (at, length) == (0, 0)
        assert top in keys
    spans.sort()
    assert spans[0][0] == limits[0]
    assert spans[-1][1] == limits[1]
    assert all(a[1] == b[0] for a, b in pairwise(spans))
    return entries


def check_tree(entries) -> None:
    """Every node has its parent, and every empty node leads somewhere."""
    parents = {(level - 1, x // 2, y // 2, z // 2) for level, x, y, z in entries if level}
    assert (0, 0, 0, 0) in entries
    for level, *place in entries:
        assert all(0 <= p < 2**level for p in place)
    assert parents <= set(entries)
    if len(entries) > 1:
        assert all(key in parents for key, (_, _, points) in entries.items() if points == 0)


def _check_chunks(data, entries, points_at, evlr_at, laszip) -> None:
    """Nodes are the chunks of the chunk table, in a row from the first byte of points to it."""
    (table_at,) = struct.unpack_from("<q", data, points_at)
    _, count = struct.unpack_from("<2I", data, table_at)
    chunks = sorted(entry for entry in entries.values() if entry[2])
    assert count == len(chunks)
    at = points_at + 8
    for start, size, _ in chunks:
        assert start == at
        at += size
    assert at == table_at
    assert table_at < evlr_at
    if chunks:
        stream = io.BytesIO(data)
        stream.seek(points_at)
        table = lazrs.read_chunk_table(stream, lazrs.LazVlr(laszip))
        assert table == [(points, size) for _, size, points in chunks]


def _decode(chunk: bytes, laszip: bytes, count: int, length: int) -> np.ndarray:
    out = np.zeros(count * length, np.uint8)
    if count:
        lazrs.decompress_points_with_chunk_table(
            chunk, lazrs.LazVlr(laszip).record_data(), out, [(count, len(chunk))]
        )
    return out.reshape(count, length)


def _check_points(octree, scales, offsets, box, by_return, points) -> None:
    """Points lie in their nodes; the header's figures are theirs."""
    low, high, times = np.full(3, np.inf), np.full(3, -np.inf), []
    returns = np.zeros(16, np.int64)
    for key, records in octree.nodes.items():
        steps = np.ascontiguousarray(records[:, :12]).view("<i4").reshape(-1, 3)
        xyz = octree.xyz[key] = steps * scales + offsets
        if not len(xyz):
            continue
        edge = octree.size / 2 ** key[0]
        corner = octree.low + np.array(key[1:]) * edge
        assert (xyz >= corner).all()
        assert (xyz <= corner + edge).all()
        low, high = np.minimum(low, xyz.min(axis=0)), np.maximum(high, xyz.max(axis=0))
        returns += np.bincount(records[:, 14] & 15, minlength=16)
        times.append(np.ascontiguousarray(records[:, 22:30]).view("<f8").ravel())
    assert sum(map(len, octree.nodes.values())) == points
    assert (returns[1:] == by_return).all()
    if points:
        np.testing.assert_allclose(box, np.stack([high, low], axis=1), rtol=0, atol=1e-9)
        every = np.concatenate(times)
        every = every[~np.isnan(every)]
        if len(every):
            assert octree.gps == (every.min(), every.max())
