"""Whether two outputs hold the same points, and how far apart their coordinates are."""

from __future__ import annotations

import sys
from pathlib import Path

import laspy
import numpy as np

AGREE_M = 0.0011
"""Both round to 1 mm, about different offsets: neighbouring steps may be taken."""

BLOCK = 1_000_000
MULTIPLIERS = np.random.default_rng(1).integers(1, 2**63, 16, np.uint64) | np.uint64(1)


def in_order(first: Path, second: Path) -> float:
    """Largest coordinate difference [m] over all points; everything else must be equal."""
    worst = 0.0
    with laspy.open(first) as a, laspy.open(second) as b:
        if a.header.point_count != b.header.point_count:
            sys.exit(f"{a.header.point_count} points against {b.header.point_count}")
        for p, q in zip(a.chunk_iterator(BLOCK), b.chunk_iterator(BLOCK), strict=True):
            for axis in "xyz":
                worst = max(worst, float(np.abs(np.asarray(p[axis]) - np.asarray(q[axis])).max()))
            for name in p.point_format.dimension_names:
                if name not in "XYZ" and not np.array_equal(p[name], q[name]):
                    sys.exit(f"the outputs differ in {name}")
    if worst > AGREE_M:
        sys.exit(f"the outputs differ by {worst} m")
    return worst


def in_any_order(first: Path, second: Path) -> None:
    """Stop unless both hold the same records, on the same grid, in whatever order."""
    if _fingerprint(first) != _fingerprint(second):
        sys.exit(f"{first.name} and {second.name} do not hold the same points")


def one_a_cube(path: Path, edge: float) -> int:
    """Count the points; stop if two of them are in one cube."""
    cells = []
    with laspy.open(path) as reader:
        for points in reader.chunk_iterator(BLOCK):
            xyz = np.column_stack([points.x, points.y, points.z])
            cells.append(np.floor(xyz / edge + 1e-6).astype(np.int32).view("V12").ravel())
    every = np.concatenate(cells)
    if len(np.unique(every)) != len(every):
        sys.exit(f"{path.name} has cubes with more than one point")
    return len(every)


def _fingerprint(path: Path) -> tuple[int, int, int]:
    """Point count, and two sums of hashes of the records, which do not depend on their order."""
    total = mixed = np.uint64(0)
    with laspy.open(path) as reader:
        count, grid = reader.header.point_count, (reader.header.scales, reader.header.offsets)
        for points in reader.chunk_iterator(BLOCK):
            record = points.array
            width = -(-record.dtype.itemsize // 8)
            words = np.zeros((len(record), width * 8), np.uint8)
            words[:, : record.dtype.itemsize] = record.view(np.uint8).reshape(len(record), -1)
            columns = words.view(np.uint64)
            hashed = np.zeros(len(record), np.uint64)
            for column in range(width):
                hashed ^= columns[:, column] * MULTIPLIERS[column]
                hashed ^= hashed >> np.uint64(29)
                hashed *= MULTIPLIERS[-1]
            total += hashed.sum()
            mixed += (hashed ^ (hashed >> np.uint64(31))).sum()
    return count, hash((int(total), int(mixed))), hash(tuple(np.concatenate(grid).tolist()))
