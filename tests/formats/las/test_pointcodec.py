"""Whole chunks, against lazrs: its chunks give the same records, records the same chunks."""

from __future__ import annotations

import io
import struct

import laspy
import lazrs
import numpy as np
import pytest
from numpy.testing import assert_array_equal

from cupixgeo.errors import CorruptFileError
from cupixgeo.formats.las.pointcodec import PointCodec
from cupixgeo.formats.las.reader import LasReader
from cupixgeo.formats.las.recode import Workspace
from cupixgeo.formats.las.wholechunks import chunk_blocks, has_whole_chunks
from cupixgeo.formats.slabs import Slabs
from tests.formats.lasfiles import REAL, las_data

EXTRA = (laspy.ExtraBytesParams("height", "i2"), laspy.ExtraBytesParams("flag", "u1"))
WORK = Workspace()


def by_lazrs(records: np.ndarray, point_format: int, extra_bytes: int) -> bytes:
    """The chunk lazrs makes of records."""
    vlr = lazrs.LazVlr.new_for_compression(point_format, extra_bytes, True)
    stream = io.BytesIO()
    compressor = lazrs.LasZipCompressor(stream, vlr)
    compressor.compress_many(np.ascontiguousarray(records).view(np.uint8))
    compressor.done()
    (end,) = struct.unpack_from("<q", stream.getbuffer())
    return stream.getvalue()[8:end]


def check(records: np.ndarray, point_format: int, extra_bytes: int = 0) -> bytes:
    """Assert that both directions agree with lazrs; give the chunk."""
    length = records.dtype.itemsize
    codec = PointCodec(point_format, length, extra_bytes)
    raw = np.ascontiguousarray(records).view(np.uint8).reshape(-1, length)
    chunk = by_lazrs(records, point_format, extra_bytes)
    assert codec.encode(raw, WORK) == chunk
    decoded = np.empty_like(raw)
    assert codec.decode(np.frombuffer(chunk, np.uint8), decoded, WORK)
    assert_array_equal(decoded, raw)
    return chunk


def random_records(point_format: int, n: int, *, seed: int = 0, extra=()) -> np.ndarray:
    """Every attribute random over its range, but for one scanner channel."""
    las = las_data(point_format, n, extra=extra, seed=seed)
    las.scanner_channel = np.full(n, seed % 4)
    return las.points.array


def gentle(point_format: int, n: int, seed: int = 0) -> np.ndarray:
    """Records like those of a scan: most attributes are much like those of the point before."""
    rng = np.random.default_rng(seed)
    records = random_records(point_format, n, seed=seed)
    for name, spread in [("X", 300), ("Y", 300), ("Z", 30), ("intensity", 60)]:
        walk = np.cumsum(rng.integers(-spread, spread + 1, n))
        records[name] = walk.astype(records[name].dtype)
    count = rng.integers(1, 4, n)
    number = np.minimum(rng.integers(1, 4, n), count)
    records["bit_fields"] = number | count << 4
    records["classification"] = np.repeat(rng.integers(0, 20, n // 50 + 1), 50)[:n]
    records["classification_flags"] = (rng.random(n) < 0.01) | 0x10
    records["user_data"] = np.cumsum(rng.random(n) < 0.05).astype(np.uint8)
    records["scan_angle"] = np.cumsum(rng.integers(-1, 2, n) * (rng.random(n) < 0.1))
    records["point_source_id"] = np.repeat([7, 65535, 8], n // 3 + 1)[:n]
    records["gps_time"] = 3.6e8 + np.cumsum((rng.random(n) < 0.6) * 2e-6)
    for colour in {"red", "green", "blue", "nir"} & set(records.dtype.names):
        records[colour] = np.cumsum(rng.integers(-3, 4, n)).astype(np.uint16) * 256 + 9
    return records


@pytest.mark.parametrize("point_format", [6, 7, 8])
@pytest.mark.parametrize("seed", range(4))
def test_random_points_are_coded_as_lazrs_codes_them(point_format, seed):
    check(random_records(point_format, 3000, seed=seed), point_format)
    check(gentle(point_format, 20_000, seed), point_format)


@pytest.mark.parametrize("point_format", [6, 7, 8])
def test_extra_bytes_are_coded_as_lazrs_codes_them(point_format):
    check(random_records(point_format, 2000, extra=EXTRA), point_format, 3)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_chunks_of_few_points_are_coded_as_lazrs_codes_them(n):
    check(random_records(7, n), 7)


def test_layers_in_which_nothing_changes_are_empty():
    records = np.repeat(random_records(8, 1), 5000)
    sizes = np.frombuffer(check(records, 8), "<u4", 11, 38 + 4)
    assert_array_equal(sizes[2:], 0)


def times(kind: str, n: int = 4000) -> np.ndarray:
    rng = np.random.default_rng(4)
    match kind:
        case "regular":
            return 1e9 + np.arange(n) * 1e-5
        case "pulses of several returns":
            return 1e9 + np.repeat(np.arange(n), 3)[:n] * 1e-5
        case "gaps":
            return 1e9 + np.cumsum(rng.choice([1, 2, 9, 10, 40, 499, 500, 3000], n)) * 1e-6
        case "backwards":
            return 1e9 - np.cumsum(rng.choice([1, 1, 1, 5, 9, 10, 11, 3000], n)) * 1e-6
        case "to and fro":
            return 1e9 + np.cumsum(rng.choice([-20, -10, -9, -1, 0, 1, 1, 20], n)) * 1e-6
        case "several scans mixed":
            return rng.choice([0.0, 3e5, -7e8, 5e-300, 1e18], n) + np.arange(n) * 1e-6
        case "many scans mixed":
            return rng.choice(np.arange(9) * 1e7, n) + np.arange(n) * 1e-6
        case "noise":
            return rng.normal(0, 1e9, n)
        case "no numbers":
            return rng.choice([np.nan, np.inf, -np.inf, 0.0, 1.0], n)
    raise AssertionError(kind)


@pytest.mark.parametrize(
    "kind",
    [
        "regular",
        "pulses of several returns",
        "gaps",
        "backwards",
        "to and fro",
        "several scans mixed",
        "many scans mixed",
        "noise",
    ],
)
def test_gps_times_are_coded_as_lazrs_codes_them(kind):
    records = gentle(6, 4000)
    records["gps_time"] = times(kind)
    check(records, 6)


def test_times_that_compare_strangely_are_kept_to_the_bit():
    records = gentle(6, 4000)
    records["gps_time"] = times("no numbers")
    records["gps_time"][::7] = -0.0
    raw = records.view(np.uint8).reshape(len(records), -1)
    codec = PointCodec(6, 30, 0)
    chunk, decoded = codec.encode(raw, WORK), np.empty_like(raw)
    assert codec.decode(np.frombuffer(chunk, np.uint8), decoded, WORK)
    assert_array_equal(decoded, raw)
    out = np.zeros(raw.size, np.uint8)
    vlr = lazrs.LazVlr.new_for_compression(6, 0, True).record_data()
    lazrs.decompress_points_with_chunk_table(chunk, vlr, out, [(len(raw), len(chunk))])
    assert_array_equal(out.reshape(raw.shape), raw)


@pytest.mark.parametrize("colours", ["grey", "8 bits", "16 bits", "one changes", "extremes"])
def test_colours_are_coded_as_lazrs_codes_them(colours):
    records, rng = gentle(8, 5000), np.random.default_rng(6)
    n = len(records)
    values = {
        "grey": np.repeat(rng.integers(0, 65536, (n, 1)), 3, axis=1),
        "8 bits": rng.integers(100, 110, (n, 3)) * 257,
        "16 bits": rng.integers(0, 65536, (n, 3)),
        "one changes": np.column_stack([np.arange(n), np.full((n, 2), 77)]),
        "extremes": rng.choice([0, 255, 256, 65280, 65535], (n, 3)),
    }[colours]
    for axis, name in enumerate(("red", "green", "blue")):
        records[name] = values[:, axis]
    records["nir"] = values[::-1, 0]
    check(records, 8)


def test_points_of_several_scanner_channels_are_left_to_lazrs():
    las = las_data(7, 500)
    raw = las.points.array.view(np.uint8).reshape(500, -1)
    codec = PointCodec(7, 36, 0)
    assert codec.encode(raw, WORK) is None
    chunk = by_lazrs(las.points.array, 7, 0)
    assert not codec.decode(np.frombuffer(chunk, np.uint8), raw.copy(), WORK)


def converted(path, point_format=7):
    """The real scan as a layered format, every fourth point, in several chunks."""
    las = laspy.convert(laspy.read(REAL), point_format_id=point_format, file_version="1.4")
    las.points = las.points[np.arange(0, len(las.points), 4)]
    las.write(path, laz_backend=laspy.LazBackend.LazrsParallel)
    return las


@pytest.mark.parametrize("point_format", [6, 7, 8])
def test_a_scan_reads_as_laspy_reads_it(tmp_path, point_format):
    las = converted(tmp_path / "a.laz", point_format)
    with LasReader(tmp_path / "a.laz") as reader:
        assert has_whole_chunks(reader)
        blocks = list(chunk_blocks(reader, Slabs()))
        assert [len(block) for block in blocks] == [150_000, 85_099]
        assert_array_equal(np.concatenate([b.record for b in blocks]), las.points.array)
        xyz = np.concatenate([block.xyz for block in blocks])
    np.testing.assert_allclose(xyz, las.xyz, rtol=0, atol=1e-9)


def test_chunks_with_several_channels_are_read_among_others(tmp_path):
    las = las_data(7, 3000)
    channels = np.zeros(3000, np.uint8)
    channels[1200:1300] = 2
    las.scanner_channel = channels
    with laspy.open(tmp_path / "a.laz", "w", header=las.header) as writer:
        writer.write_points(las.points)
    with LasReader(tmp_path / "a.laz") as reader:
        read = np.concatenate([block.record for block in chunk_blocks(reader, Slabs())])
    assert_array_equal(read, las.points.array)


def test_older_and_uncompressed_files_are_not_read_this_way(tmp_path):
    las_data(7, 10).write(tmp_path / "a.las")
    las_data(3, 10).write(tmp_path / "b.laz")
    for name in ("a.las", "b.laz"):
        with LasReader(tmp_path / name) as reader:
            assert not has_whole_chunks(reader)
    assert not has_whole_chunks(None)


def test_a_chunk_cut_short_is_an_error_that_names_its_points(tmp_path):
    converted(tmp_path / "a.laz")
    with LasReader(tmp_path / "a.laz") as reader:
        table, facts = reader.facts.chunks, reader.facts
        start = int(table.starts[1])
    data = bytearray((tmp_path / "a.laz").read_bytes())
    at = start + facts.record_length + 4 + 4 * 9  # the size of the colour layer
    (size,) = struct.unpack_from("<I", data, at)
    struct.pack_into("<I", data, at, size // 2)
    (tmp_path / "b.laz").write_bytes(data)
    named = r"points 50,000 to 99,999 are damaged"
    with LasReader(tmp_path / "b.laz") as reader, pytest.raises(CorruptFileError, match=named):
        list(chunk_blocks(reader, Slabs()))


def test_damaged_chunks_end_in_some_points_and_not_in_a_crash():
    chunk = by_lazrs(gentle(8, 5000), 8, 0)
    codec, rng = PointCodec(8, 38, 0), np.random.default_rng(8)
    for _ in range(200):
        damaged = np.frombuffer(chunk, np.uint8).copy()
        at = rng.integers(38 + 4 + 4 * 11, len(chunk), 30)
        damaged[at] = rng.integers(0, 256, 30)
        assert codec.decode(damaged, np.empty((5000, 38), np.uint8), WORK) in {True, False}
