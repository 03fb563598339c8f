"""Writes PLY point clouds and meshes, as the services offer them.

Knows the PLY format. Source: Greg Turk, "The PLY Polygon File Format" (1994).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

_TYPES = {"f8": "double", "f4": "float", "u2": "ushort", "u1": "uchar", "i4": "int"}


def write_ply(columns: Mapping[str, NDArray[np.generic]], *, ascii_text: bool = False) -> bytes:
    """Return a PLY file with one vertex element.

    Parameters
    ----------
    columns : Mapping of str to ndarray, shape (n,)
        Properties in file order; float64, float32, uint16, uint8 or int32.
    ascii_text : bool
        Write text instead of little-endian binary.

    Returns
    -------
    bytes
        The whole file.
    """
    count = len(next(iter(columns.values())))
    layout = [(name, values.dtype.newbyteorder("<")) for name, values in columns.items()]
    head = [
        "ply",
        f"format {'ascii' if ascii_text else 'binary_little_endian'} 1.0",
        "comment made by the cupixgeo emulator",
        f"element vertex {count}",
        *(f"property {_TYPES[kind.str[1:]]} {name}" for name, kind in layout),
        "end_header\n",
    ]
    if ascii_text:
        rows = zip(*(values.tolist() for values in columns.values()), strict=True)
        body = "".join(" ".join(map(repr, row)) + "\n" for row in rows).encode()
    else:
        table = np.empty(count, dtype=layout)
        for name, values in columns.items():
            table[name] = values
        body = table.tobytes()
    return "\n".join(head).encode() + body


def write_triangle() -> bytes:
    """Return a PLY mesh of a single triangle, 1 m wide."""
    return (
        b"ply\nformat ascii 1.0\ncomment made by the cupixgeo emulator\n"
        b"element vertex 3\nproperty double x\nproperty double y\nproperty double z\n"
        b"element face 1\nproperty list uchar int vertex_indices\nend_header\n"
        b"0 0 0\n1 0 0\n0 1 0\n3 0 1 2\n"
    )
