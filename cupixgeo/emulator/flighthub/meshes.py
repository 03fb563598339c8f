"""The 3D mesh products: 3D Tiles, OBJ, PLY, and a stand-in for OSGB.

Knows the folders below ``models/pc/0``. OBJ and PLY have the grid axes of the target, from
SRSOrigin; 3D Tiles have east, north and up there.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace

import numpy as np

from cupixgeo.emulator.flighthub import reports
from cupixgeo.emulator.flighthub.scene import Scene
from cupixgeo.emulator.tiles3d import Mesh, tileset, write_b3dm

BLOCK = "BlockR"
_OSGB_BYTES = 4096


def members(scene: Scene, home: str, asked: Collection[str]) -> Iterator[tuple[str, bytes]]:
    """Yield the mesh files that were asked for."""
    mesh, metadata = scene.mesh, reports.metadata_xml(scene)
    if "generate_b3dm" in asked and scene.is_placed:
        yield from _tiles(scene, f"{home}/terra_b3dms")
    if "generate_obj" in asked:
        folder = f"{home}/terra_obj"
        yield f"{folder}/metadata.xml", metadata
        yield f"{folder}/{BLOCK}/{BLOCK}.obj", _obj(mesh)
        yield f"{folder}/{BLOCK}/{BLOCK}.mtl", _mtl()
        yield f"{folder}/{BLOCK}/{BLOCK}_0.jpg", mesh.texture
    if "generate_ply" in asked:
        folder = f"{home}/terra_ply"
        yield f"{folder}/metadata.xml", metadata
        yield f"{folder}/{BLOCK}/{BLOCK}.ply", _ply(mesh)
    if "generate_osgb" in asked:
        folder = f"{home}/terra_osgbs"
        yield f"{folder}/metadata.xml", metadata
        stand_in = np.random.default_rng(len(mesh.triangles)).bytes(_OSGB_BYTES)
        yield f"{folder}/Data/BlockRX/BlockRX.osgb", stand_in


def _tiles(scene: Scene, folder: str) -> Iterator[tuple[str, bytes]]:
    vertices = scene.enu(scene.mesh.vertices + scene.origin)
    low, high = vertices.min(axis=0), vertices.max(axis=0)
    child = tileset(f"{BLOCK}.b3dm", low, high, transform=scene.earth)
    middle = scene.earth[:3, 3]
    reach = np.full(3, float(np.abs(vertices).max()) * 2)
    yield (
        f"{folder}/tileset.json",
        tileset(f"{BLOCK}/tileset.json", middle - reach, middle + reach, error_m=50.0),
    )
    yield f"{folder}/{BLOCK}/tileset.json", child
    yield f"{folder}/{BLOCK}/{BLOCK}.b3dm", write_b3dm(replace(scene.mesh, vertices=vertices))


def _obj(mesh: Mesh) -> bytes:
    lines = [f"mtllib {BLOCK}.mtl", "usemtl material_0"]
    lines += [f"v {x:.4f} {y:.4f} {z:.4f}" for x, y, z in mesh.vertices.tolist()]
    lines += [f"vt {u:.6f} {v:.6f}" for u, v in mesh.uv.tolist()]
    lines += [f"f {a}/{a} {b}/{b} {c}/{c}" for a, b, c in (mesh.triangles.astype(int) + 1).tolist()]
    return ("\n".join(lines) + "\n").encode()


def _mtl() -> bytes:
    return f"newmtl material_0\nKd 1 1 1\nmap_Kd {BLOCK}_0.jpg\n".encode()


def _ply(mesh: Mesh) -> bytes:
    head = [
        "ply",
        "format binary_little_endian 1.0",
        f"comment TextureFile {BLOCK}_0.jpg",
        f"element vertex {len(mesh.vertices)}",
        *(f"property float {name}" for name in "xyz"),
        f"element face {len(mesh.triangles)}",
        "property list uchar int vertex_indices",
        "end_header\n",
    ]
    faces = np.empty(len(mesh.triangles), [("n", "u1"), ("v", "<i4", 3)])
    faces["n"], faces["v"] = 3, mesh.triangles
    return "\n".join(head).encode() + mesh.vertices.astype("<f4").tobytes() + faces.tobytes()
