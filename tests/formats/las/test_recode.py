"""Recoding a chunk changes its coordinates and not one byte besides."""

from __future__ import annotations

import laspy
import numpy as np
import pytest

from cupixgeo.formats.las.check import check_las
from cupixgeo.formats.las.contexts import RETURN_LEVEL, RETURN_MAP
from cupixgeo.formats.las.recode import XY_LAYER, Z_LAYER, ChunkRecoder
from tests.pipeline.clouds import UTM50, box_of_points, write_las

COORDINATE_LAYERS = {XY_LAYER, Z_LAYER}


def chunks_of(path):
    facts = check_las(path)
    data = np.fromfile(path, np.uint8)
    assert facts.chunks is not None
    chunks = [data[a : a + n] for a, n in zip(facts.chunks.starts, facts.chunks.sizes, strict=True)]
    return ChunkRecoder(facts.point_format, facts.record_length, facts.extra_bytes), chunks


def sample(path, point_format, count, **options):
    return write_las(path, box_of_points(count, origin=UTM50), point_format=point_format, **options)


@pytest.mark.parametrize("backend", ["LazrsParallel", "Laszip"])
@pytest.mark.parametrize("point_format", [6, 7, 8])
def test_decoded_coordinates_and_returns_are_those_laspy_reads(tmp_path, point_format, backend):
    path = tmp_path / "a.laz"
    las = laspy.read(sample(tmp_path / "plain.laz", point_format, 60_000))
    las.write(path, laz_backend=laspy.LazBackend[backend])
    recoder, chunks = chunks_of(path)
    decoded = [recoder.decode(chunk) for chunk in chunks]
    for axis, name in enumerate("XYZ"):
        found = np.concatenate([chunk.steps[:, axis] for chunk in decoded])
        np.testing.assert_array_equal(found, las[name])
    returns = np.concatenate([chunk.returns for chunk in decoded])
    np.testing.assert_array_equal(returns & 15, las.return_number)
    np.testing.assert_array_equal(returns >> 4, las.number_of_returns)
    channels = np.concatenate([chunk.changes for chunk in decoded]) >> 7
    np.testing.assert_array_equal(channels, las.scanner_channel)


@pytest.mark.parametrize("point_format", [6, 7, 8])
def test_the_same_coordinates_give_the_same_bytes(tmp_path, point_format):
    extra = {"height": np.linspace(0, 9, 60_000, dtype=np.float32)}
    recoder, chunks = chunks_of(sample(tmp_path / "a.laz", point_format, 60_000, extra=extra))
    for chunk in chunks:
        decoded = recoder.decode(chunk)
        assert recoder.encode(decoded) == chunk.tobytes()


def test_all_other_layers_are_copied(tmp_path):
    recoder, chunks = chunks_of(sample(tmp_path / "a.laz", 7, 20_000))
    before = recoder.decode(chunks[0])
    moved = before.steps[:, ::-1] + np.int32(12_345)
    before.steps[...] = moved
    after = recoder.decode(np.frombuffer(recoder.encode(before), np.uint8))
    np.testing.assert_array_equal(after.steps, moved)
    np.testing.assert_array_equal(after.changes, before.changes)
    np.testing.assert_array_equal(after.head[12:], before.head[12:])
    for number, (old, new) in enumerate(zip(before.layers, after.layers, strict=True)):
        if number not in COORDINATE_LAYERS:
            np.testing.assert_array_equal(old, new)


@pytest.mark.parametrize("points", [1, 2, 50_000, 50_001])
def test_chunks_of_any_length_come_back(tmp_path, points):
    recoder, chunks = chunks_of(sample(tmp_path / "a.laz", 7, points))
    for chunk in chunks:
        decoded = recoder.decode(chunk)
        again = recoder.decode(np.frombuffer(recoder.encode(decoded), np.uint8))
        np.testing.assert_array_equal(again.steps, decoded.steps)


def test_coordinates_over_the_whole_range_come_back(tmp_path):
    recoder, chunks = chunks_of(sample(tmp_path / "a.laz", 6, 5_000))
    decoded = recoder.decode(chunks[0])
    wild = np.random.default_rng(3).integers(-(2**31), 2**31, (5_000, 3)).astype(np.int32)
    decoded.steps[...] = wild
    again = recoder.decode(np.frombuffer(recoder.encode(decoded), np.uint8))
    np.testing.assert_array_equal(again.steps, wild)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("point_format", [6, 7])
def test_jumps_of_half_the_range_are_read_as_others_read_them(tmp_path, point_format, seed):
    path = tmp_path / "a.laz"
    las = laspy.read(sample(tmp_path / "plain.laz", point_format, 2_000))
    extremes = np.array([-(2**31), 0, 0, 0, 1, -1, 2**31 - 1, 2**30, -(2**30)])
    wild = np.random.default_rng(seed).choice(extremes, (2_000, 3)).astype(np.int32)
    las.X, las.Y, las.Z = wild.T
    las.write(path, laz_backend=laspy.LazBackend.Laszip)
    recoder, (chunk,) = chunks_of(path)
    decoded = recoder.decode(chunk)
    np.testing.assert_array_equal(decoded.steps, wild)
    assert recoder.encode(decoded) == chunk.tobytes()


def test_heights_that_never_change_have_no_layer_and_may_be_given_one(tmp_path):
    xyz = box_of_points(3_000, origin=UTM50)
    xyz[:, 2] = 50.0
    recoder, chunks = chunks_of(write_las(tmp_path / "a.laz", xyz))
    full = recoder.decode(chunks[0])
    sizes = [0 if n == Z_LAYER else len(layer) for n, layer in enumerate(full.layers)]
    rest = [layer for n, layer in enumerate(full.layers) if n != Z_LAYER]
    table = np.array([3_000, *sizes], "<u4").view(np.uint8)
    decoded = recoder.decode(np.concatenate([full.head, table, *rest]))
    np.testing.assert_array_equal(decoded.steps, full.steps)
    decoded.steps[:, 2] = np.arange(3_000)
    again = recoder.decode(np.frombuffer(recoder.encode(decoded), np.uint8))
    np.testing.assert_array_equal(again.steps, decoded.steps)


def test_damaged_layers_end_in_some_points_not_in_a_crash(tmp_path):
    recoder, chunks = chunks_of(sample(tmp_path / "a.laz", 7, 5_000))
    chunk = chunks[0].copy()
    start = len(chunk) - 60_000
    rng = np.random.default_rng(11)
    for _ in range(50):
        damaged = chunk.copy()
        at = rng.integers(max(start, 100), len(chunk), 40)
        damaged[at] = rng.integers(0, 256, 40)
        assert recoder.decode(damaged).steps.shape == (5_000, 3)


def test_return_tables_are_symmetric_where_the_format_says_so():
    assert (RETURN_LEVEL == RETURN_LEVEL.T).all()
    assert RETURN_MAP.shape == (16, 16)
    assert RETURN_MAP.max() == 5


@pytest.mark.parametrize(("point_format", "becomes"), [(9, 6), (10, 8)])
def test_waveform_pointers_are_left_out_and_all_else_is_copied(tmp_path, point_format, becomes):
    extra = {"height": np.linspace(0, 9, 3_000, dtype=np.float32)}
    path = sample(tmp_path / "a.laz", point_format, 3_000, extra=extra)
    recoder, (chunk,) = chunks_of(path)
    encoded = recoder.encode(recoder.decode(chunk))
    las = laspy.read(path)
    plain = laspy.LasHeader(version="1.4", point_format=becomes)
    plain.scales, plain.offsets = las.header.scales, las.header.offsets
    plain.add_extra_dim(laspy.ExtraBytesParams("height", np.float32))
    without = laspy.LasData(plain)
    without.points = laspy.ScaleAwarePointRecord.zeros(3_000, header=plain)
    for name in plain.point_format.dimension_names:
        without[name] = las[name]
    without.write(tmp_path / "b.laz")
    _, (expected,) = chunks_of(tmp_path / "b.laz")
    assert encoded == expected.tobytes()
