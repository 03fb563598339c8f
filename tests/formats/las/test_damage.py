"""LAZ has no checksums, but an encoder ends where its last symbol does: a decoder that ends
elsewhere has met damage. No sound chunk is refused for that, whoever wrote it."""

from __future__ import annotations

import laspy
import numpy as np
import pytest

import cupixgeo as cx
from cupixgeo.errors import CorruptFileError
from cupixgeo.formats.las.check import check_las
from cupixgeo.formats.las.recode import ChunkRecoder
from cupixgeo.formats.las.recode_points import PointRecoder
from cupixgeo.pipeline import stream
from tests.formats.lasfiles import REAL
from tests.pipeline.clouds import UTM50, box_of_points, write_las

COPC = REAL.parents[2] / "copc" / "brighton_beach.copc.laz"

OLD, NEW = [0, 1, 2, 3], [6, 7, 8, 9, 10]


def opened(path):
    """Recoder of a file, and its chunks with their point counts."""
    facts = check_las(path)
    data = np.fromfile(path, np.uint8)
    table = facts.chunks
    layout = facts.point_format, facts.record_length, facts.extra_bytes
    recoder = ChunkRecoder(*layout) if facts.point_format >= 6 else PointRecoder(*layout)
    runs = zip(table.starts, table.sizes, table.points, strict=True)
    return recoder, [(data[a : a + n], int(points)) for a, n, points in runs]


def decoded(recoder, data, count):
    if isinstance(recoder, ChunkRecoder):
        return recoder.decode(data)
    return recoder.decode(data, count)


def coordinate_bytes(recoder, data, count):
    """First byte of a chunk's symbols, and the one behind the last of those of coordinates."""
    chunk = decoded(recoder, data, count)
    if isinstance(recoder, PointRecoder):
        return len(chunk.head), len(data)
    others = sum(map(len, chunk.layers[2:]))
    return len(data) - others - sum(map(len, chunk.layers[:2])), len(data) - others


@pytest.mark.parametrize("backend", ["Lazrs", "Laszip"])
@pytest.mark.parametrize("point_format", [*OLD, *NEW])
def test_no_sound_chunk_is_called_damaged(tmp_path, point_format, backend):
    path = tmp_path / "a.laz"
    one = box_of_points(1, origin=UTM50)
    clouds = [np.repeat(one, count, axis=0) for count in (1, 2, 50_001)]
    clouds += [box_of_points(count, origin=UTM50) for count in (2, 7_777)]
    for xyz in clouds:
        las = laspy.read(write_las(tmp_path / "plain.laz", xyz, point_format=point_format))
        las.write(path, laz_backend=laspy.LazBackend[backend])
        recoder, chunks = opened(path)
        assert all(decoded(recoder, *chunk).whole for chunk in chunks)


@pytest.mark.parametrize("path", [REAL, COPC], ids=["points", "layers"])
def test_no_chunk_of_other_programs_is_called_damaged(path):
    recoder, chunks = opened(path)
    assert all(decoded(recoder, *chunk).whole for chunk in chunks)


@pytest.mark.parametrize("path", [REAL, COPC], ids=["points", "layers"])
def test_a_byte_that_was_flipped_among_coordinates_is_noticed(path):
    recoder, chunks = opened(path)
    data, count = max(chunks, key=lambda chunk: chunk[1])
    start, stop = coordinate_bytes(recoder, data, count)
    rng = np.random.default_rng(12)
    for at in rng.integers(start, stop - (stop - start) // 50, 60):
        damaged = data.copy()
        damaged[at] ^= rng.integers(1, 256)
        assert not decoded(recoder, damaged, count).whole, at - start


@pytest.mark.parametrize("length", [4, 40, 400])
@pytest.mark.parametrize("noise", [True, False])
def test_noise_and_gaps_among_coordinates_are_noticed(length, noise):
    recoder, chunks = opened(REAL)
    data, count = chunks[0]
    start, stop = coordinate_bytes(recoder, data, count)
    rng = np.random.default_rng(13)
    for at in rng.integers(start, stop - (stop - start) // 50 - length, 10):
        damaged = data.copy()
        damaged[at : at + length] = rng.integers(0, 256, length) if noise else 0
        assert not decoded(recoder, damaged, count).whole, at - start


@pytest.mark.parametrize("point_format", [3, 7])
def test_a_merge_names_the_damaged_points_and_leaves_nothing(tmp_path, monkeypatch, point_format):
    monkeypatch.setattr(stream, "FEWEST_TO_RECODE", 1)
    xyz = box_of_points(60_000, origin=UTM50)
    path = write_las(tmp_path / "a.laz", xyz, point_format=point_format, crs=32650)
    data = bytearray(path.read_bytes())
    data[check_las(path).chunks.starts[1] + 5_000] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(CorruptFileError, match=r"a\.laz: .*50,000 to 59,999 are damaged .*again"):
        cx.merge([path], tmp_path / "out.laz", crs=32651)
    assert sorted(tmp_path.iterdir()) == [path]
