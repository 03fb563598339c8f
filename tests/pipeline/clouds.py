"""Small clouds the pipeline tests are made of, written by laspy alone."""

from __future__ import annotations

from pathlib import Path

import laspy
import numpy as np
import pyproj


def write_las(
    path: Path,
    xyz: np.ndarray,
    *,
    point_format: int = 7,
    scale: float = 0.001,
    crs: int | None = None,
    extra: dict[str, np.ndarray] | None = None,
    seed: int = 0,
) -> Path:
    """Write points with every standard attribute filled with something that varies."""
    rng = np.random.default_rng(seed)
    n = len(xyz)
    header = laspy.LasHeader(
        version="1.4" if point_format >= 6 else "1.2", point_format=point_format
    )
    header.scales = np.full(3, scale)
    header.offsets = np.floor(xyz.min(axis=0)) if n else np.zeros(3)
    for name, values in (extra or {}).items():
        header.add_extra_dim(laspy.ExtraBytesParams(name, values.dtype))
    if crs is not None:
        header.add_crs(pyproj.CRS.from_epsg(crs))
    las = laspy.LasData(header)
    las.points = laspy.ScaleAwarePointRecord.zeros(n, header=header)
    las.x, las.y, las.z = xyz.T
    las.intensity = rng.integers(0, 65536, n)
    las.number_of_returns = rng.integers(1, 5, n)
    las.return_number = rng.integers(1, 5, n).clip(max=np.asarray(las.number_of_returns))
    las.classification = rng.integers(0, 20, n)
    las.user_data = rng.integers(0, 256, n)
    las.point_source_id = rng.integers(0, 65536, n)
    las.withheld = rng.integers(0, 2, n)
    las.edge_of_flight_line = rng.integers(0, 2, n)
    names = set(header.point_format.dimension_names)
    if "scan_angle_rank" in names:
        las.scan_angle_rank = rng.integers(-90, 91, n)
    else:
        las.scan_angle = rng.integers(-15000, 15001, n)
        las.scanner_channel = rng.integers(0, 4, n)
    if "gps_time" in names:
        las.gps_time = rng.uniform(0, 1e9, n)
    for colour in {"red", "green", "blue", "nir"} & names:
        las[colour] = rng.integers(0, 65536, n)
    for name, values in (extra or {}).items():
        las[name] = values
    las.write(path)
    return path


def box_of_points(n: int, *, origin: tuple[float, float, float], seed: int = 1) -> np.ndarray:
    """Points spread over 100 x 80 x 20 m from an origin."""
    rng = np.random.default_rng(seed)
    return np.array(origin) + rng.uniform(0, 1, (n, 3)) * [100.0, 80.0, 20.0]


UTM50 = (500_000.0, 4_400_000.0, 50.0)
"""A place in EPSG:32650."""
