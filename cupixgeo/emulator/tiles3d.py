"""Writes small 3D Tiles sets: point clouds (pnts) and textured meshes (b3dm).

Knows the formats, and the matrix from local east-north-up metres to the earth. Knows no service.

Sources: OGC 22-025r4 (3D Tiles 1.1, with the 1.0 formats pnts and b3dm); Khronos glTF 2.0.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cupixgeo.emulator.frames import Array

_GLB, _JSON, _BIN = 0x46546C67, 0x4E4F534A, 0x004E4942


@dataclass(frozen=True)
class Mesh:
    """Triangles with a picture on them.

    Parameters
    ----------
    vertices : ndarray, shape (n, 3), float64 [m], in the frame of its user
        Corners.
    uv : ndarray, shape (n, 2), float64
        Place in the picture: right from the left edge, up from the bottom edge, 0 to 1.
    triangles : ndarray, shape (m, 3), int32
        Rows of `vertices`, counter-clockwise seen from outside.
    texture : bytes
        JPEG.
    """

    vertices: Array
    uv: Array
    triangles: NDArray[np.int32]
    texture: bytes


def write_pnts(xyz: Array, rgb: NDArray[np.uint8]) -> bytes:
    """Return a pnts tile.

    Parameters
    ----------
    xyz : ndarray, shape (n, 3), float64 [m], in the tile's local frame
        Points, z up.
    rgb : ndarray, shape (n, 3), uint8
        Colours.
    """
    positions = xyz.astype("<f4").tobytes()
    binary = _padded(positions + rgb.tobytes(), b"\0")
    table = {
        "POINTS_LENGTH": len(xyz),
        "POSITION": {"byteOffset": 0},
        "RGB": {"byteOffset": len(positions)},
    }
    text = _json(table, before=28)
    size = 28 + len(text) + len(binary)
    head = struct.pack("<4sIIIIII", b"pnts", 1, size, len(text), len(binary), 0, 0)
    return head + text + binary


def write_b3dm(mesh: Mesh) -> bytes:
    """Return a b3dm tile of a mesh in local east-north-up metres (glTF inside is y up)."""
    text = _json({"BATCH_LENGTH": 0}, before=28)
    glb = write_glb(mesh)
    size = 28 + len(text) + len(glb)
    return struct.pack("<4sIIIIII", b"b3dm", 1, size, len(text), 0, 0, 0) + text + glb


def write_glb(mesh: Mesh) -> bytes:
    """Return a mesh (z up) as binary glTF (y up)."""
    x, y, z = mesh.vertices.T
    positions = np.column_stack([x, z, -y]).astype("<f4")
    uv = np.column_stack([mesh.uv[:, 0], 1 - mesh.uv[:, 1]]).astype("<f4")
    pieces = [
        positions.tobytes(), uv.tobytes(), mesh.triangles.astype("<u4").tobytes(), mesh.texture
    ]  # fmt: skip
    views, binary = [], b""
    for piece in pieces:
        views.append({"buffer": 0, "byteOffset": len(binary), "byteLength": len(piece)})
        binary = _padded(binary + piece, b"\0", to=4)
    accessors = [
        {"bufferView": 0, "componentType": 5126, "count": len(positions), "type": "VEC3",
         "min": positions.min(axis=0).tolist(), "max": positions.max(axis=0).tolist()},
        {"bufferView": 1, "componentType": 5126, "count": len(uv), "type": "VEC2"},
        {"bufferView": 2, "componentType": 5125, "count": mesh.triangles.size, "type": "SCALAR"},
    ]  # fmt: skip
    primitive = {"attributes": {"POSITION": 0, "TEXCOORD_0": 1}, "indices": 2, "material": 0}
    content = {
        "asset": {"version": "2.0", "generator": "cupixgeo emulator"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0}],
        "meshes": [{"primitives": [primitive]}],
        "materials": [{"pbrMetallicRoughness": {"baseColorTexture": {"index": 0}}}],
        "textures": [{"source": 0}],
        "images": [{"bufferView": 3, "mimeType": "image/jpeg"}],
        "accessors": accessors,
        "bufferViews": views,
        "buffers": [{"byteLength": len(binary) + -len(binary) % 8}],
    }
    text = _json(content, before=28)  # so that the whole is a multiple of 8 bytes
    binary = _padded(binary, b"\0")
    size = 12 + 8 + len(text) + 8 + len(binary)
    return b"".join(
        (
            struct.pack("<III", _GLB, 2, size),
            struct.pack("<II", len(text), _JSON),
            text,
            struct.pack("<II", len(binary), _BIN),
            binary,
        )
    )


def tileset(
    content: str, low: Array, high: Array, *, transform: Array | None = None, error_m: float = 0.0
) -> bytes:
    """Return a tileset.json with one tile.

    Parameters
    ----------
    content : str
        URI of the tile's content.
    low, high : ndarray, shape (3,), float64 [m], in the tile's frame
        Its bounds.
    transform : ndarray, shape (4, 4), float64, optional
        From the tile's frame to geocentric coordinates; written column by column.
    error_m : float
        [m] geometric error of the tileset.
    """
    middle, half = (low + high) / 2, np.maximum((high - low) / 2, 0.01)
    root: dict[str, Any] = {
        "boundingVolume": {"box": [*middle, half[0], 0, 0, 0, half[1], 0, 0, 0, half[2]]},
        "geometricError": 0.0,
        "refine": "REPLACE",
        "content": {"uri": content},
    }
    if transform is not None:
        root["transform"] = transform.T.reshape(-1).tolist()
    text = {"asset": {"version": "1.0"}, "geometricError": error_m, "root": root}
    return json.dumps(text, indent=1).encode()


def enu_to_earth(lon_deg: float, lat_deg: float, height_m: float) -> Array:
    """Return the matrix (4, 4) from east-north-up metres at a point to geocentric WGS 84.

    Closed form; a = 6378137 m, 1/f = 298.257223563.
    """
    lon, lat = np.radians([lon_deg, lat_deg])
    a, f = 6378137.0, 1 / 298.257223563
    e2 = f * (2 - f)
    n = a / np.sqrt(1 - e2 * np.sin(lat) ** 2)
    matrix = np.eye(4)
    matrix[:3, 0] = (-np.sin(lon), np.cos(lon), 0)
    matrix[:3, 1] = (-np.sin(lat) * np.cos(lon), -np.sin(lat) * np.sin(lon), np.cos(lat))
    matrix[:3, 2] = (np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat))
    matrix[:3, 3] = (
        (n + height_m) * np.cos(lat) * np.cos(lon),
        (n + height_m) * np.cos(lat) * np.sin(lon),
        (n * (1 - e2) + height_m) * np.sin(lat),
    )
    return matrix


def _json(content: Mapping[str, Any], *, before: int) -> bytes:
    """Write JSON that ends on a multiple of 8 bytes, `before` [byte] counted in."""
    text = json.dumps(content).encode()
    return text + b" " * (-(before + len(text)) % 8)


def _padded(data: bytes, filler: bytes, *, to: int = 8) -> bytes:
    return data + filler * (-len(data) % to)
