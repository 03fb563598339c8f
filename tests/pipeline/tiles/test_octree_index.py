"""The octree of a COPC source says which tiles its cells are in; only the others are decoded."""

from __future__ import annotations

import struct

import numpy as np
import pytest

import cupixgeo as cx
from cupixgeo.errors import MergeError
from cupixgeo.pipeline.tiles import index
from tests.pipeline.tiles.tiled import contents

TILE_M = 72
"""[m] so that a line passes just beside the middle of the octree."""

CENTRE_AT = 375 + 54
"""Where a COPC file says where the middle of its octree is [byte]."""


@pytest.fixture(scope="module")
def copc(sample, tmp_path_factory):
    """A part of the real scan as COPC, of several nodes."""
    path = tmp_path_factory.mktemp("copc") / "scan.copc.laz"
    cx.merge([sample], path)
    return path


@pytest.fixture
def decoded(monkeypatch):
    """Points of the pieces that were looked at."""
    counts = []
    read = index.read_pieces

    def watch(reader, wanted, *rest, **more):
        for piece, block in read(reader, wanted, *rest, **more):
            counts.append(len(block))
            yield piece, block

    monkeypatch.setattr(index, "read_pieces", watch)
    return counts


@pytest.mark.parametrize(
    ("options", "least"),
    [
        ({}, 20_000),
        ({"crs": 32616}, 0),
        ({"bounds": (576_600, 5_188_000, 576_730, 5_188_170)}, 5_000),
    ],
    ids=["all", "zone", "part"],
)
def test_tiles_are_those_of_an_index_of_all_points(
    copc, tmp_path, decoded, monkeypatch, options, least
):
    report = cx.merge([copc], tmp_path / "tiles", tile_m=TILE_M, **options)
    looked_at = sum(decoded)
    monkeypatch.setattr(index, "known_cells", lambda job, source: None)
    plain = cx.merge([copc], tmp_path / "plain", tile_m=TILE_M, **options)
    assert contents(tmp_path / "tiles") == contents(tmp_path / "plain")
    assert sum(decoded) - looked_at == report.points_in
    assert looked_at <= report.points_in - least
    assert report.removed == plain.removed
    assert [t.points_read for t in report.tiles] == [t.points_read for t in plain.tiles]


def test_nothing_is_decoded_where_one_tile_holds_all(copc, tmp_path, decoded):
    report = cx.merge([copc], tmp_path / "tiles", tile_m=3000)
    assert not decoded
    assert len(report.tiles) == 1
    assert report.points_kept == report.points_read == report.points_in


def test_an_octree_that_lies_is_found_out(copc, tmp_path):
    data = bytearray(copc.read_bytes())
    (x,) = struct.unpack_from("<d", data, CENTRE_AT)
    struct.pack_into("<d", data, CENTRE_AT, x + 20)
    lying = tmp_path / "lying.copc.laz"
    lying.write_bytes(data)
    with pytest.raises(MergeError, match=r"lying\.copc\.laz.*octree"):
        cx.merge([lying], tmp_path / "tiles", tile_m=TILE_M)


def test_boxes_of_cells_hold_their_points_after_a_strong_bend(copc, tmp_path, decoded):
    """The Lambert projection of another continent turns cells by 60 degrees, and stretches them."""
    report = cx.merge([copc], tmp_path / "tiles", tile_m=400, crs=3034, assume=("ETRS89=WGS 84",))
    assert report.points_kept == report.points_in
    assert len(decoded) == 0
    assert np.isfinite(report.bounds).all()
