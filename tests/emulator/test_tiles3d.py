"""Tile sets against PROJ, and the alignment the formats ask for."""

from __future__ import annotations

import json
import struct

import numpy as np
import pytest
from pyproj import Transformer

from cupixgeo.emulator.tiles3d import Mesh, enu_to_earth, tileset, write_b3dm, write_glb, write_pnts


@pytest.mark.parametrize("place", [(-92.0, 46.8, 151.0), (118.01, -30.12, -20.0), (0.0, 89.9, 0.0)])
def test_local_axes_lead_to_the_earth_as_proj_says(place):
    lon, lat, height = place
    points = np.array([[0, 0, 0], [100, 0, 0], [0, 100, 0], [-30, 40, 55.0]])
    proj = Transformer.from_pipeline(
        "+proj=pipeline +step +inv +proj=topocentric +ellps=WGS84 "
        f"+lat_0={lat} +lon_0={lon} +h_0={height}"
    )
    matrix = enu_to_earth(lon, lat, height)
    mine = points @ matrix[:3, :3].T + matrix[:3, 3]
    assert np.abs(mine - np.column_stack(proj.transform(*points.T))).max() < 1e-8


def test_a_transform_is_written_column_by_column():
    matrix = np.arange(16.0).reshape(4, 4)
    written = tileset("a.pnts", np.zeros(3), np.ones(3), transform=matrix)
    root = json.loads(written)["root"]
    assert root["transform"] == matrix.T.reshape(-1).tolist()
    assert root["boundingVolume"]["box"] == [0.5] * 3 + [0.5, 0, 0, 0, 0.5, 0, 0, 0, 0.5]


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_points_are_aligned_whatever_their_number(count):
    xyz = np.arange(3.0 * count).reshape(-1, 3)
    rgb = np.full((count, 3), 7, np.uint8)
    tile = write_pnts(xyz, rgb)
    _, _, size, text, binary = struct.unpack("<4sIIII", tile[:20])
    table = json.loads(tile[28 : 28 + text])
    body = tile[28 + text :]
    assert size == len(tile) == 28 + text + binary
    assert size % 8 == (28 + text) % 8 == 0
    assert (np.frombuffer(body, "<f4", 3 * count) == xyz.reshape(-1)).all()
    assert set(body[table["RGB"]["byteOffset"] :][: 3 * count]) == {7}


def test_a_mesh_is_whole_and_aligned():
    mesh = Mesh(
        np.array([[0, 0, 0], [1, 0, 0], [0, 1, 2.0]]),
        np.zeros((3, 2)),
        np.array([[0, 1, 2]], np.int32),
        b"\xff\xd8picture\xff\xd9",
    )
    glb = write_glb(mesh)
    assert len(glb) % 8 == len(write_b3dm(mesh)) % 8 == 0
    length = struct.unpack("<I", glb[12:16])[0]
    content = json.loads(glb[20 : 20 + length])
    size = struct.unpack("<I", glb[20 + length : 24 + length])[0]
    data = glb[28 + length :]
    assert len(data) == size == content["buffers"][0]["byteLength"]
    ends = [view["byteOffset"] + view["byteLength"] for view in content["bufferViews"]]
    assert max(ends) <= size
    positions = np.frombuffer(data, "<f4", 9).reshape(3, 3)
    assert positions.tolist() == [[0, 0, 0], [1, 0, 0], [0, 2, -1]]  # glTF is y up
    assert content["accessors"][0]["max"] == [1, 2, 0]
