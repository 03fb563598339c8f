"""Writing binary PLY point clouds.

Coordinates are written as double, attributes with their own type under their LAS names; what PLY
has no type for (64-bit integers) becomes double where that is exact. The CRS goes into a comment
that `PlyReader` understands.

Source: G. Turk, *The PLY Polygon File Format* (1994).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from cupixgeo.cloud.schema import CloudInfo, PointReader
from cupixgeo.errors import CloudError

TYPE_NAMES = {
    "i1": "char", "u1": "uchar", "i2": "short", "u2": "ushort", "i4": "int", "u4": "uint",
    "f4": "float", "f8": "double",
}  # fmt: skip


def write_ply(path: Path, reader: PointReader) -> None:
    """Write all points of a cloud as binary little-endian PLY.

    Parameters
    ----------
    path : Path
        File to create; overwritten.
    reader : PointReader
        The cloud.

    Raises
    ------
    CloudError
        An attribute is of a type PLY cannot hold.
    """
    info = reader.info
    fields = _fields(info)
    dtype = np.dtype([(name, code) for name, code, _, _ in fields])
    with path.open("wb") as file:
        file.write(_header(info, fields).encode("utf-8"))
        for block in reader.blocks():
            records = np.empty(len(block), dtype)
            for axis, name in enumerate("xyz"):
                records[name] = block.xyz[:, axis]
            for name, _, source, element in fields[3:]:
                values = block.column(source)
                records[name] = _exact(info, source, values if element < 0 else values[:, element])
            file.write(records.tobytes())


_Field = tuple[str, str, str, int]


def _fields(info: CloudInfo) -> list[_Field]:
    """Property name, type code, attribute, and element (-1 for a single one)."""
    fields: list[_Field] = [(axis, "<f8", axis, -1) for axis in "xyz"]
    for attribute in info.attributes:
        base = attribute.dtype.base
        code = "f8" if base.kind in "iu" and base.itemsize == 8 else base.str[1:]
        code = "u1" if base.kind == "b" else code
        if code not in TYPE_NAMES:
            raise CloudError(
                f"PLY has no type for {attribute.name!r} ({base.name}). Convert it to a number, "
                "or leave it out with .drop_vars."
            )
        count = int(np.prod(attribute.dtype.shape))
        stem = "_".join(attribute.name.split())
        for element in range(count):
            name = f"{stem}_{element}" if attribute.dtype.shape else stem
            fields.append(
                (name, "<" + code, attribute.name, element if attribute.dtype.shape else -1)
            )
    return fields


def _header(info: CloudInfo, fields: list[_Field]) -> str:
    code = info.crs.to_epsg()
    crs = f"EPSG:{code}" if code else " ".join(info.crs.to_wkt().split())
    lines = [
        "ply",
        "format binary_little_endian 1.0",
        "comment written by cupixgeo",
        f"comment crs {crs}",
        f"element vertex {info.point_count}",
        *(f"property {TYPE_NAMES[code.strip('<')]} {name}" for name, code, _, _ in fields),
        "end_header",
    ]
    return "\n".join(lines) + "\n"


def _exact(info: CloudInfo, name: str, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    if values.dtype.kind in "iu" and values.dtype.itemsize == 8 and len(values):
        as_float = values.astype(np.float64)
        if np.abs(as_float).max() >= 2.0**53:
            raise CloudError(
                f"PLY cannot hold the 64-bit integers of {name!r}: some are 2^53 or more. "
                "Write LAS instead, or leave it out with .drop_vars."
            )
        return as_float
    return values
