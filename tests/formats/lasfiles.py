"""LAS files for the format tests, written by laspy alone, and ways to spoil them."""

from __future__ import annotations

import struct
from pathlib import Path

import laspy
import numpy as np
from laspy.point.dims import DimensionKind

REAL = Path(__file__).parents[2] / "data" / "brighton_beach" / "reference" / "model.laz"

VERSION_OF = {
    **dict.fromkeys(range(4), "1.2"),
    4: "1.3",
    5: "1.3",
    **dict.fromkeys(range(6, 11), "1.4"),
}


def las_data(
    point_format: int,
    n: int = 1000,
    *,
    version: str | None = None,
    extra: tuple[laspy.ExtraBytesParams, ...] = (),
    seed: int = 0,
) -> laspy.LasData:
    """A cloud whose every attribute, coordinates included, is random over its whole range."""
    rng = np.random.default_rng(seed)
    header = laspy.LasHeader(version=version or VERSION_OF[point_format], point_format=point_format)
    header.scales, header.offsets = np.array([0.001, 0.002, 0.01]), np.array([5e5, 4.4e6, -10.0])
    if extra:
        header.add_extra_dims(list(extra))
    las = laspy.LasData(header)
    las.points = laspy.ScaleAwarePointRecord.zeros(n, header=header)
    for dimension in header.point_format.dimensions:
        name = dimension.name
        if dimension.kind == DimensionKind.BitField:
            las[name] = rng.integers(0, dimension.max + 1, n)
        else:
            field = las.points.array[name]
            las.points.array[name] = _random(rng, field.shape, field.dtype)
    for name in "XYZ":
        las.points.array[name] = rng.integers(-(10**6), 10**6, n)
    return las


def _random(rng: np.random.Generator, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    if dtype.kind == "f":
        return rng.normal(0, 1e6, shape).astype(dtype)
    info = np.iinfo(dtype)
    return rng.integers(info.min, info.max, shape, dtype=dtype, endpoint=True)


def with_record(
    las: laspy.LasData,
    record_id: int,
    data: bytes,
    *,
    extended: bool = False,
    user_id: str = "LASF_Projection",
) -> laspy.LasData:
    """Add one VLR or EVLR."""
    record = laspy.VLR(user_id, record_id, "", data)
    if extended:
        las.header.evlrs = las.header.evlrs or laspy.vlrs.vlrlist.VLRList()
        las.header.evlrs.append(record)
    else:
        las.header.vlrs.append(record)
    return las


def geokeys(**keys: int) -> bytes:
    """A GeoTIFF key directory of short values, by key id as ``k3072=32650``."""
    entries = [(int(name[1:]), 0, 1, value) for name, value in keys.items()]
    return struct.pack("<4H", 1, 1, 0, len(entries)) + b"".join(
        struct.pack("<4H", *entry) for entry in entries
    )


def patch(path: Path, offset: int, layout: str, *values: object) -> Path:
    """Overwrite a few bytes of a file."""
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(struct.pack(layout, *values))
    return path


def cut(path: Path, size: int) -> Path:
    """Keep the first bytes of a file only; all but the last ones where `size` is negative."""
    data = path.read_bytes()
    path.write_bytes(data[:size])
    return path
