"""Reading LAS and LAZ agrees with laspy in every point format, byte for byte."""

import laspy
import numpy as np
import pytest
from laspy import ExtraBytesParams
from laspy.compression import LazBackend
from numpy.testing import assert_array_equal

from cupixgeo.cloud.schema import PointBlock
from cupixgeo.errors import CloudError, CorruptFileError, CrsError, EmptyCloudError
from cupixgeo.formats.las import reader as reader_module
from cupixgeo.formats.las.reader import LasReader
from tests.formats.lasfiles import REAL, cut, las_data, patch

EXTRA = (
    ExtraBytesParams("height", "i2", "height above ground", offsets=[5.0], scales=[0.01]),
    ExtraBytesParams("normal", "3f4"),
    ExtraBytesParams("flag", "u1"),
    ExtraBytesParams("big", "u8"),
    ExtraBytesParams("precise", "f8"),
)


def records(reader, size=300, **options):
    blocks = [block.record for block in reader.blocks(size, **options)]
    return np.concatenate(blocks) if blocks else np.empty(0)


@pytest.mark.parametrize("suffix", [".las", ".laz"])
@pytest.mark.parametrize("point_format", range(11))
def test_every_point_format_reads_as_laspy_reads_it(tmp_path, point_format, suffix):
    path = tmp_path / f"cloud{suffix}"
    las = las_data(point_format, extra=EXTRA)
    las.write(path)
    expected = laspy.read(path)
    with LasReader(path) as reader:
        assert_array_equal(records(reader), expected.points.array)
        block = next(reader.blocks(2000))
        assert_array_equal(block.xyz, expected.xyz)
        names = reader.info.attribute_names
        stored = set(expected.point_format.dimension_names) - {"X", "Y", "Z"}
        assert set(names) == stored
        for name, attribute in zip(names, reader.info.attributes, strict=True):
            column = block.column(name)
            raw = name in dict.fromkeys(e.name for e in EXTRA)
            wanted = expected.points.array[name] if raw else np.asarray(expected[name])
            assert_array_equal(column, wanted, err_msg=name)
            assert column.dtype == attribute.dtype.base
            assert column.shape == (1000, *attribute.dtype.shape)


@pytest.mark.parametrize("backend", [LazBackend.Lazrs, LazBackend.Laszip])
@pytest.mark.parametrize("point_format", [1, 3, 6, 7, 8])
def test_files_of_both_compressors_are_read(tmp_path, backend, point_format):
    path = tmp_path / "cloud.laz"
    las = las_data(point_format, 120_000)
    las.write(path, laz_backend=backend)
    with LasReader(path) as reader:
        assert_array_equal(records(reader, 70_000), las.points.array)


def test_info_states_the_header(tmp_path):
    path = tmp_path / "cloud.laz"
    las_data(7, extra=EXTRA).write(path)
    with LasReader(path) as reader:
        info = reader.info
    assert (info.format, info.version, info.point_format, info.point_count) == (
        "LAZ", "1.4", 7, 1000,
    )  # fmt: skip
    assert (info.scales, info.offsets) == ((0.001, 0.002, 0.01), (5e5, 4.4e6, -10.0))
    assert info.extra_bytes == ("height", "normal", "flag", "big", "precise")
    assert info.chunk_size == 50_000
    assert info.size_bytes == path.stat().st_size
    assert info.metadata["scalings"] == {"height": {"scale_factor": 0.01, "add_offset": 5.0}}
    assert "height above ground" in {a.description for a in info.attributes}


@pytest.mark.parametrize(("start", "stop"), [(0, 1), (49_999, 50_001), (123_456, 345_678), (9, 9)])
@pytest.mark.parametrize("size", [1000, 70_001, 10**6])
def test_any_range_of_points_can_be_read(start, stop, size):
    expected = laspy.read(REAL).points.array[start:stop]
    with LasReader(REAL) as reader:
        got = records(reader, size, start=start, stop=stop)
    assert_array_equal(got, expected if len(expected) else np.empty(0))


def test_the_real_scan_reads_as_laspy_reads_it():
    expected = laspy.read(REAL)
    with LasReader(REAL) as reader:
        assert_array_equal(records(reader, 250_000), expected.points.array)
        assert_array_equal(reader.bounds(), [expected.header.mins, expected.header.maxs])
        assert reader.info.crs.to_epsg() == 32615


def test_selected_columns_are_decoded_and_the_others_left_out(tmp_path):
    path = tmp_path / "cloud.laz"
    las = las_data(8, extra=EXTRA)
    las.write(path)
    with LasReader(path) as reader:
        block = next(reader.blocks(columns=("gps_time", "height", "classification")))
    assert_array_equal(block.xyz, laspy.read(path).xyz)
    for name in ("gps_time", "height", "classification"):
        assert_array_equal(block.column(name), las.points.array[name])
    assert (block.column("red") != las.points.array["red"]).any()


@pytest.mark.parametrize("point_format", [6, 7, 8, 9, 10])
def test_each_column_can_be_selected_alone(tmp_path, point_format):
    path = tmp_path / "cloud.laz"
    las_data(point_format, 50, extra=EXTRA).write(path)
    expected = laspy.read(path)
    with LasReader(path) as reader:
        for name in reader.info.attribute_names:
            column = next(reader.blocks(columns=(name,))).column(name)
            raw = name in {e.name for e in EXTRA}
            wanted = expected.points.array[name] if raw else np.asarray(expected[name])
            assert_array_equal(column, wanted, err_msg=name)


@pytest.mark.parametrize("suffix", [".las", ".laz"])
def test_an_unknown_column_is_refused_by_name(tmp_path, suffix):
    path = tmp_path / f"cloud{suffix}"
    las_data(0).write(path)
    with (
        LasReader(path) as reader,
        pytest.raises(CloudError, match=r"no attribute 'red'.*intensity"),
    ):
        list(reader.blocks(columns=("red",)))


def test_huge_chunks_are_decoded_in_bounded_memory(monkeypatch):
    expected = laspy.read(REAL).points.array[60_000:200_000]
    monkeypatch.setattr(reader_module, "LARGEST_CHUNK", 10_000)
    with LasReader(REAL) as reader:
        assert_array_equal(records(reader, 30_000, start=60_000, stop=200_000), expected)


def test_a_wrong_header_box_is_replaced_by_the_points_own(tmp_path):
    path = tmp_path / "cloud.las"
    las = las_data(3)
    las.write(path)
    patch(path, 179, "<2d", float("nan"), 0.0)  # max x, min x
    with LasReader(path) as reader:
        assert_array_equal(reader.bounds(), [las.xyz.min(axis=0), las.xyz.max(axis=0)])


@pytest.mark.parametrize("suffix", [".las", ".laz"])
def test_an_empty_cloud_is_no_error_but_has_no_bounds(tmp_path, suffix):
    path = tmp_path / f"cloud{suffix}"
    las_data(7, 0).write(path)
    with LasReader(path) as reader:
        assert reader.info.point_count == 0
        assert not list(reader.blocks())
        with pytest.raises(EmptyCloudError, match=r"cloud.*holds no points"):
            reader.bounds()


def test_the_oldest_version_reads_alike(tmp_path):
    path = tmp_path / "cloud.las"
    las = las_data(1, version="1.1")
    las.write(path)
    patch(path, 25, "<B", 0)
    with LasReader(path) as reader:
        assert reader.info.version == "1.0"
        assert_array_equal(records(reader), las.points.array)


def test_the_signature_before_the_points_of_las_1_0_is_skipped(tmp_path):
    path = tmp_path / "cloud.las"
    las = las_data(1, version="1.1")
    las.write(path)
    data = path.read_bytes()
    at = int.from_bytes(data[96:100], "little")
    path.write_bytes(data[:at] + b"\xdd\xcc" + data[at:])
    patch(path, 25, "<B", 0)
    with LasReader(path) as reader:
        assert_array_equal(records(reader), las.points.array)


def test_counts_only_in_the_legacy_fields_of_las_1_4_are_used(tmp_path):
    path = tmp_path / "cloud.las"
    las = las_data(3, version="1.4")
    las.write(path)
    patch(path, 107, "<I", 1000)
    patch(path, 247, "<Q", 0)
    with LasReader(path) as reader:
        assert reader.info.point_count == 1000
        assert_array_equal(records(reader), las.points.array)


def test_undocumented_extra_bytes_are_kept(tmp_path):
    path = tmp_path / "cloud.las"
    las = las_data(3, extra=(ExtraBytesParams("a", "u2"), ExtraBytesParams("b", "u1")))
    las.write(path)
    data = path.read_bytes()
    path.write_bytes(data.replace(b"LASF_Spec", b"LASF_None", 1))
    with LasReader(path) as reader:
        assert reader.info.extra_bytes == ("ExtraBytes",)
        column = next(reader.blocks()).column("ExtraBytes")
    assert column.shape == (1000, 3)
    assert_array_equal(column[:, :2].copy().view("<u2").ravel(), las.points.array["a"])
    assert_array_equal(column[:, 2], las.points.array["b"])


@pytest.mark.parametrize("standard", [False, True])
def test_the_kind_of_gps_time_is_told_where_there_is_gps_time(tmp_path, standard):
    path = tmp_path / "cloud.las"
    las_data(1).write(path)
    patch(path, 6, "<H", int(standard))
    with LasReader(path) as reader:
        assert reader.info.metadata["gps_time"] == ("standard" if standard else "week")
    las_data(2).write(path)
    with LasReader(path) as reader:
        assert "gps_time" not in reader.info.metadata


def test_extra_dimensions_named_like_las_fields_are_renamed_not_lost(tmp_path):
    path = tmp_path / "cloud.las"
    las = las_data(3, extra=(ExtraBytesParams("intensitx", "u2"), ExtraBytesParams("q", "u1")))
    las.write(path)
    data = path.read_bytes()
    path.write_bytes(data.replace(b"intensitx", b"intensity", 1).replace(b"q\0", b"\0\0", 1))
    with LasReader(path) as reader:
        assert reader.info.extra_bytes == ("intensity_2", "extra")
        block = next(reader.blocks())
    assert_array_equal(block.column("intensity_2"), las.points.array["intensitx"])
    assert_array_equal(block.column("intensity"), las.points.array["intensity"])
    assert_array_equal(block.column("extra"), las.points.array["q"])


def test_a_block_is_a_point_block(tmp_path):
    path = tmp_path / "cloud.las"
    las_data(0).write(path)
    with LasReader(path) as reader:
        assert isinstance(next(reader.blocks()), PointBlock)


def test_the_callers_crs_wins_and_the_files_is_still_told():
    with LasReader(REAL, crs=32616) as reader:
        assert reader.info.crs.to_epsg() == 32616
        assert "32615" in reader.info.crs_source
    with pytest.raises(CrsError):
        LasReader(REAL, crs="EPSG:999999")


@pytest.mark.parametrize("point_format", [3, 7])
def test_damaged_points_are_an_error_that_names_them(tmp_path, point_format):
    path = tmp_path / "cloud.laz"
    scan = laspy.read(REAL)
    scan.points = scan.points[:120_000]
    version = "1.4" if point_format == 7 else "1.2"
    laspy.convert(scan, point_format_id=point_format, file_version=version).write(path)
    with LasReader(path) as reader:
        second = int(reader.facts.chunks.starts[1])
    data = bytearray(path.read_bytes())
    data[second + 40 : second + 60_000] = np.random.default_rng(3).bytes(59_960)
    path.write_bytes(data)
    with LasReader(path) as reader:
        blocks = reader.blocks(50_000)
        next(blocks)
        with pytest.raises(CorruptFileError, match=r"cloud\.laz.*50,000 to 99,999"):
            next(blocks)


def test_a_file_that_shrinks_while_it_is_read_is_an_error(tmp_path):
    path = tmp_path / "cloud.las"
    las_data(3).write(path)
    with LasReader(path) as reader:
        cut(path, -500)
        with pytest.raises(CorruptFileError, match="ended at point"):
            list(reader.blocks())
