"""Scans for the benchmarks: terrain and scan order as scanners give them, the same every time.

`write_scan`: a scanner on a tripod sweeps columns of rising elevation; the ground is hilly,
buildings and noise break it up. In a local frame, with a 4x4 that places it in SITE_CRS.
`write_strip`: a drone flies a line and scans across it; trees give several returns. In SITE_CRS.
Colour and intensity vary with the surface, GPS time advances. LAZ, 1 mm; seeded by number.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import laspy
import numpy as np

SITE = np.array([280_600.0, 4_213_000.0, 82.0])  # EPSG:32650, near 38.05 N 114.5 E
SITE_CRS = "EPSG:32650"
PIECE = 1_000_000


def ground(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    hills = 1.8 * np.sin(x / 37) * np.cos(y / 51) + 0.7 * np.sin(x / 11.3 + 1) * np.sin(y / 9.1)
    return hills + 0.12 * np.sin(x / 1.7) * np.sin(y / 2.3)


def rotation(yaw: float, pitch: float, roll: float) -> np.ndarray:
    (cy, cp, cr), (sy, sp, sr) = np.cos([yaw, pitch, roll]), np.sin([yaw, pitch, roll])
    about_z = np.array([[cy, -sy, 0], [sy, cy, 0], [0, 0, 1]])
    about_y = np.array([[cp, 0, sp], [0, 1, 0], [-sp, 0, cp]])
    about_x = np.array([[1, 0, 0], [0, cr, -sr], [0, sr, cr]])
    return about_z @ about_y @ about_x


def sweep(points: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Local coordinates, shape (n, 3) [m], and surface class, in the order a scanner measures."""
    rows = min(1000, points)
    column, row = np.divmod(np.arange(points), rows)
    azimuth = 2 * np.pi * column / (points / rows)
    elevation = np.radians(-60 + 85 * row / rows)
    wall = 14 + 9 * np.sin(3 * azimuth) + 4 * np.sin(11 * azimuth)
    down = np.where(elevation < -0.02, 1.7 / np.tan(np.maximum(-elevation, 0.02)), np.inf)
    reach = np.minimum(down, wall)
    x, y = reach * np.cos(azimuth), reach * np.sin(azimuth)
    hit_wall = wall < down
    z = np.where(hit_wall, reach * np.tan(elevation), ground(x, y) - 1.7)
    xyz = np.column_stack([x, y, z]) + rng.normal(0, 0.002, (points, 3))
    return xyz, np.where(hit_wall, 6, 2).astype(np.uint8)


def strip_pieces(
    points: int, number: int, rng: np.random.Generator
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]]:
    """Coordinates in SITE_CRS, class, return number and count, in the order of flight."""
    across, metre = 200, 40  # points of a scan line, scan lines a metre
    for first in range(0, points, PIECE):
        index = np.arange(first, min(first + PIECE, points))
        line, place = np.divmod(index, across)
        swing = np.where(line % 2, across - 1 - place, place) / across - 0.5
        x = line / metre + rng.normal(0, 0.01, len(index))
        y = 60 * swing + 45 * number + rng.normal(0, 0.01, len(index))
        tree = (np.sin(x / 5.3) * np.sin(y / 4.1) > 0.55).astype(np.uint8)
        of = np.where(tree, rng.integers(1, 4, len(index)), 1).astype(np.uint8)
        number_of = np.minimum(index % 3 + 1, of).astype(np.uint8)
        z = ground(x, y) + tree * 9 * (1 - (number_of - 1) / of) * rng.uniform(0.6, 1, len(index))
        xyz = np.column_stack([x, y, z + rng.normal(0, 0.01, len(index))]) + SITE
        yield xyz, np.where(tree, 5, 2).astype(np.uint8), number_of, of


def records(
    header: laspy.LasHeader, xyz: np.ndarray, surface: np.ndarray, rng: np.random.Generator
) -> laspy.ScaleAwarePointRecord:
    """Points with coordinates, class, colour and intensity; one return each."""
    n = len(xyz)
    points = laspy.ScaleAwarePointRecord.zeros(n, header=header)
    for axis, name in enumerate("XYZ"):
        points.array[name] = np.rint((xyz[:, axis] - header.offsets[axis]) * 1000)
    hard = surface == 6
    shade = 110 + 60 * hard + 18 * np.sin(xyz[:, 0] * 2.1) * np.sin(xyz[:, 1] * 1.7)
    rgb = np.clip(shade[:, None] * [1.0, 0.93, 0.8] + rng.normal(0, 3, (n, 3)), 0, 255)
    points.red, points.green, points.blue = (rgb.astype(np.uint16) * 256).T
    points.intensity = np.clip(14_000 + 6_000 * hard + rng.normal(0, 900, n), 0, 65535)
    points.classification = surface
    points.return_number = points.number_of_returns = np.ones(n, np.uint8)
    return points


def header_of(point_format: int, offsets: np.ndarray) -> laspy.LasHeader:
    version = "1.4" if point_format >= 6 else "1.2"
    header = laspy.LasHeader(version=version, point_format=point_format)
    header.scales, header.offsets = np.full(3, 0.001), offsets
    if point_format >= 6:
        header.global_encoding.wkt = True
    return header


def write_scan(path: Path, number: int, points: int, point_format: int) -> np.ndarray:
    """Write one scan; return its 4x4 placement into SITE_CRS."""
    rng = np.random.default_rng(1000 + number)
    xyz, surface = sweep(points, rng)
    las = laspy.LasData(header_of(point_format, np.zeros(3)))
    las.points = records(las.header, xyz, surface, rng)
    las.gps_time = 3.6e8 + 600 * number + np.arange(points) * 2e-6
    las.point_source_id = np.full(points, number, np.uint16)
    if not path.exists():
        las.write(path, laz_backend=laspy.LazBackend.LazrsParallel)
    placement = np.eye(4)
    placement[:3, :3] = rotation(rng.uniform(0, 6.28), *rng.normal(0, 0.01, 2))
    placement[:3, 3] = SITE + np.array([40.0 * (number % 5), 40.0 * (number // 5), 0.0])
    return placement


def write_strip(path: Path, number: int, points: int, point_format: int) -> None:
    """Write one strip, a piece at a time."""
    if path.exists():
        return
    rng = np.random.default_rng(2000 + number)
    header = header_of(point_format, np.floor(SITE / 1000) * 1000)
    partial = path.with_suffix(".partial.laz")
    with laspy.open(
        partial, mode="w", header=header, laz_backend=laspy.LazBackend.LazrsParallel
    ) as writer:
        at = 0
        for xyz, surface, number_of, of in strip_pieces(points, number, rng):
            piece = records(writer.header, xyz, surface, rng)
            piece.return_number, piece.number_of_returns = number_of, of
            piece.gps_time = 3.7e8 + 9000 * number + np.arange(at, at + len(xyz)) * 4e-6
            piece.point_source_id = np.full(len(xyz), number, np.uint16)
            writer.write_points(piece)
            at += len(xyz)
    partial.rename(path)
