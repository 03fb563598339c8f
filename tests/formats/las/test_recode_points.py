"""Recoding a chunk of an older point format changes its coordinates, and nothing a reader can see
besides; the bytes are those other encoders write."""

from __future__ import annotations

import io

import laspy
import numpy as np
import pytest

from cupixgeo.formats.las.check import check_las
from cupixgeo.formats.las.recode_points import PointRecoder
from tests.pipeline.clouds import UTM50, box_of_points, write_las

FORMATS = [0, 1, 2, 3]


def chunks_of(path):
    facts = check_las(path)
    data = np.fromfile(path, np.uint8)
    table = facts.chunks
    assert table is not None
    runs = zip(table.starts, table.sizes, table.points, strict=True)
    chunks = [(data[a : a + n], int(points)) for a, n, points in runs]
    return PointRecoder(facts.point_format, facts.record_length, facts.extra_bytes), chunks


def sample(path, point_format, count, **options):
    return write_las(path, box_of_points(count, origin=UTM50), point_format=point_format, **options)


def wandering_times(count):
    """GPS times that keep their pace, change it, jump by a little and by a lot, and come back."""
    rng = np.random.default_rng(8)
    pace = rng.choice([0, 1e-6, 2e-6, 7e-6, 0.001, 3.0], count, p=[0.2, 0.3, 0.2, 0.1, 0.1, 0.1])
    pace *= rng.choice([1, -1, 12, 600, -30], count, p=[0.8, 0.05, 0.05, 0.05, 0.05])
    times = 3e8 + np.cumsum(pace)
    for series, offset in enumerate((0.0, -2e8, 5e8, 1e10, -3e9)):
        times[series::5] += np.where(np.arange(len(times[series::5])) % 40 < 20, offset, 0.0)
    return times


def drifting(count, high):
    """Values that mostly stay, and now and then go anywhere."""
    rng = np.random.default_rng(9)
    values = np.where(rng.random(count) < 0.02, rng.integers(0, high, count), -1)
    last = np.maximum.accumulate(np.where(values >= 0, np.arange(count), 0))
    return np.maximum(values[last], 0)


def realistic(path, point_format, count):
    las = laspy.read(sample(path, point_format, count))
    las.intensity = drifting(count, 65536)
    las.classification = drifting(count, 32)
    las.user_data = drifting(count, 256)
    las.point_source_id = drifting(count, 65536)
    las.scan_angle_rank = drifting(count, 180) - 90
    las.scan_direction_flag = drifting(count, 2)
    if point_format in {1, 3}:
        las.gps_time = wandering_times(count)
    if point_format in {2, 3}:
        grey = drifting(count, 65536)
        las.red = grey
        las.green = np.where(np.arange(count) % 1000 < 500, grey, np.minimum(grey + 700, 65535))
        las.blue = np.where(np.arange(count) % 700 < 500, grey, drifting(count, 256))
    return las


@pytest.mark.parametrize("backend", ["LazrsParallel", "Laszip"])
@pytest.mark.parametrize("point_format", FORMATS)
def test_decoded_coordinates_and_returns_are_those_laspy_reads(tmp_path, point_format, backend):
    path = tmp_path / "a.laz"
    las = realistic(tmp_path / "plain.laz", point_format, 60_000)
    las.write(path, laz_backend=laspy.LazBackend[backend])
    recoder, chunks = chunks_of(path)
    decoded = [recoder.decode(*chunk) for chunk in chunks]
    for axis, name in enumerate("XYZ"):
        found = np.concatenate([chunk.steps[:, axis] for chunk in decoded])
        np.testing.assert_array_equal(found, las[name])
    returns = np.concatenate([chunk.returns for chunk in decoded])
    np.testing.assert_array_equal(returns, las.return_number)


@pytest.mark.parametrize("like", ["scattered", "realistic", "extra"])
@pytest.mark.parametrize("point_format", FORMATS)
def test_the_same_coordinates_give_the_same_bytes(tmp_path, point_format, like):
    path = tmp_path / "a.laz"
    if like == "realistic":
        realistic(tmp_path / "plain.laz", point_format, 60_000).write(path)
    else:
        values = np.linspace(0, 9, 60_000, dtype=np.float32)
        sample(path, point_format, 60_000, extra={"height": values} if like == "extra" else None)
    recoder, chunks = chunks_of(path)
    for data, count in chunks:
        assert recoder.encode(recoder.decode(data, count)) == data.tobytes()


@pytest.mark.parametrize("seed", range(6))
def test_jumps_of_half_the_range_are_read_as_others_read_them(tmp_path, seed):
    path = tmp_path / "a.laz"
    las = realistic(tmp_path / "plain.laz", 3, 2_000)
    extremes = np.array([-(2**31), 0, 0, 0, 1, -1, 2**31 - 1, 2**30, -(2**30)])
    wild = np.random.default_rng(seed).choice(extremes, (2_000, 3)).astype(np.int32)
    las.X, las.Y, las.Z = wild.T
    las.write(path, laz_backend=laspy.LazBackend.Laszip)
    recoder, ((data, count),) = chunks_of(path)
    decoded = recoder.decode(data, count)
    np.testing.assert_array_equal(decoded.steps, wild)
    assert recoder.encode(decoded) == data.tobytes()


@pytest.mark.parametrize("source_id", [None, 7])
@pytest.mark.parametrize("point_format", FORMATS)
def test_moved_points_are_read_by_others_with_everything_else_as_it_was(
    tmp_path, point_format, source_id
):
    path, count = tmp_path / "a.laz", 20_000
    las = realistic(tmp_path / "plain.laz", point_format, count)
    las.write(path)
    recoder, ((data, _),) = chunks_of(path)
    chunk = recoder.decode(data, count)
    moved = np.random.default_rng(4).integers(-(2**31), 2**31, (count, 3)).astype(np.int32)
    moved[::2] = np.cumsum(moved[::2] % 50 - 25, axis=0)
    chunk.steps[...] = moved
    encoded = recoder.encode(chunk, source_id=source_id)
    expected = las.points.array.copy()
    for axis, name in enumerate("XYZ"):
        expected[name] = moved[:, axis]
    if source_id is not None:
        expected["point_source_id"] = source_id
    las.points.array[:] = expected
    stream = io.BytesIO()
    las.write(stream, do_compress=True, laz_backend=laspy.LazBackend.LazrsParallel)
    (tmp_path / "expected.laz").write_bytes(stream.getvalue())
    _, ((bytes_of_lazrs, _),) = chunks_of(tmp_path / "expected.laz")
    assert encoded == bytes_of_lazrs.tobytes()


@pytest.mark.parametrize("points", [1, 2, 50_000, 50_001])
def test_chunks_of_any_length_come_back(tmp_path, points):
    recoder, chunks = chunks_of(sample(tmp_path / "a.laz", 3, points))
    for data, count in chunks:
        assert recoder.encode(recoder.decode(data, count)) == data.tobytes()


def test_damaged_chunks_end_in_some_points_not_in_a_crash(tmp_path):
    recoder, ((data, count),) = chunks_of(sample(tmp_path / "a.laz", 3, 5_000))
    rng = np.random.default_rng(11)
    for _ in range(50):
        damaged = data.copy()
        at = rng.integers(34, len(data), 40)
        damaged[at] = rng.integers(0, 256, 40)
        decoded = recoder.decode(damaged[: rng.integers(34, len(data))], count)
        assert decoded.steps.shape == (count, 3)
        recoder.encode(decoded)
