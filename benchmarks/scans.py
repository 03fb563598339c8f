"""Scans for the benchmarks: terrestrial, in scan order, each in its own local frame.

Made the same way every time (seeded by the scan's number). A scanner on a tripod sweeps columns of
rising elevation; the ground is hilly, buildings and noise break it up, colour and intensity vary
with the surface, GPS time advances with the sweep. LAZ 1.4, point format 7, 1 mm.

    python benchmarks/scans.py FOLDER --files 20 --points 1000000
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import laspy
import numpy as np

SITE = np.array([280_600.0, 4_213_000.0, 82.0])  # EPSG:32650, near 38.05 N 114.5 E
SITE_CRS = "EPSG:32650"


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
    rows = 1000
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


def write_scan(path: Path, number: int, points: int, point_format: int) -> np.ndarray:
    """Write one scan; return its 4x4 placement into SITE_CRS."""
    rng = np.random.default_rng(1000 + number)
    xyz, surface = sweep(points, rng)
    header = laspy.LasHeader(version="1.4", point_format=point_format)
    header.scales, header.offsets = np.full(3, 0.001), np.zeros(3)
    header.global_encoding.wkt = point_format >= 6
    las = laspy.LasData(header)
    las.points = laspy.ScaleAwarePointRecord.zeros(points, header=header)
    for axis, name in enumerate("XYZ"):
        las.points.array[name] = np.rint(xyz[:, axis] * 1000)
    shade = 110 + 60 * (surface == 6) + 18 * np.sin(xyz[:, 0] * 2.1) * np.sin(xyz[:, 1] * 1.7)
    rgb = np.clip(shade[:, None] * [1.0, 0.93, 0.8] + rng.normal(0, 3, (points, 3)), 0, 255)
    las.red, las.green, las.blue = (rgb.astype(np.uint16) * 256).T
    las.intensity = np.clip(14_000 + 6_000 * (surface == 6) + rng.normal(0, 900, points), 0, 65535)
    las.classification = surface
    las.gps_time = 3.6e8 + 600 * number + np.arange(points) * 2e-6
    las.return_number = las.number_of_returns = np.ones(points, np.uint8)
    las.point_source_id = np.full(points, number, np.uint16)
    las.write(path, laz_backend=laspy.LazBackend.LazrsParallel)
    placement = np.eye(4)
    placement[:3, :3] = rotation(rng.uniform(0, 6.28), *rng.normal(0, 0.01, 2))
    placement[:3, 3] = SITE + np.array([40.0 * (number % 5), 40.0 * (number // 5), 0.0])
    return placement


def make_scans(folder: Path, *, files: int, points: int, point_format: int = 7) -> Path:
    """Make the scans unless they are there; return the job file that lists them."""
    job = folder / "job.json"
    if job.exists():
        return job
    folder.mkdir(parents=True, exist_ok=True)
    clouds = []
    for number in range(files):
        path = folder / f"scan_{number:03d}.laz"
        placement = write_scan(path, number, points, point_format)
        clouds.append({"file": path.name, "matrix": placement.ravel().tolist()})
    job.write_text(json.dumps({"crs": SITE_CRS, "clouds": clouds}, indent=1))
    return job


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--files", type=int, default=20)
    parser.add_argument("--points", type=int, default=1_000_000)
    parser.add_argument("--format", type=int, default=7)
    given = parser.parse_args()
    print(
        make_scans(given.folder, files=given.files, points=given.points, point_format=given.format)
    )
