"""`.cloud.write`: files read back, by laspy too, as what was written; nothing half-written."""

import laspy
import numpy as np
import pytest
from laspy import ExtraBytesParams
from numpy.testing import assert_allclose, assert_array_equal

import cupixgeo as cx
from cupixgeo.errors import (
    CloudError,
    CupixGeoWarning,
    EmptyCloudError,
    FormatError,
    GridOverflowError,
    OutputError,
)
from tests.formats.lasfiles import las_data
from tests.pipeline.test_accessor import small_cloud

EXTRA = (
    ExtraBytesParams("height", "i2", "above ground", offsets=[5.0], scales=[0.01]),
    ExtraBytesParams("normal", "3f4"),
    ExtraBytesParams("flag", "u1"),
)


def assert_same(a, b, *, names=None):
    for name in names or [*"xyz", *a.data_vars]:
        assert_array_equal(a[name], b[name], err_msg=name)
        assert a[name].dtype == b[name].dtype, name


@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize("suffix", [".laz", ".las"])
@pytest.mark.parametrize("point_format", [0, 1, 2, 3, 6, 7, 8])
def test_a_las_round_trip_keeps_every_bit(tmp_path, point_format, suffix, lazy):
    source, copy = tmp_path / "a.las", tmp_path / f"b{suffix}"
    las_data(point_format, extra=EXTRA).write(source)
    with cx.open(source) as dataset:
        cloud = dataset.chunk(point=300) if lazy else dataset
        assert cloud.cloud.write(copy) == copy
    original, written = laspy.read(source), laspy.read(copy)
    assert_array_equal(written.header.scales, original.header.scales)
    assert_array_equal(written.header.offsets, original.header.offsets)
    assert written.point_format.id == point_format
    assert_array_equal(written.points.array, original.points.array)
    assert_array_equal(written["height"], original["height"])


def test_a_ply_round_trip_keeps_every_value(tmp_path):
    source, copy = tmp_path / "a.las", tmp_path / "b.ply"
    las_data(8, extra=EXTRA).write(source)
    with cx.open(source, crs=32650) as dataset:
        dataset.cloud.write(copy)
        with cx.open(copy) as written:
            assert_same(dataset, written, names=["x", "y", "z", "red", "gps_time", "height"])
            for element in range(3):
                assert_array_equal(written[f"normal_{element}"], dataset.normal[:, element])
            assert written.cloud.crs.to_epsg() == 32650


def test_ply_says_a_local_frame_in_a_comment(tmp_path):
    path = tmp_path / "b.ply"
    small_cloud().cloud.write(path)
    with cx.open(path) as written:
        assert "cupix:pointcloud/1" in repr(written.cloud)


def test_a_cloud_of_floats_is_written_to_a_tenth_of_a_millimetre(tmp_path):
    cloud = small_cloud(crs=32650)
    cloud.cloud.write(tmp_path / "a.laz")
    written = laspy.read(tmp_path / "a.laz")
    assert_array_equal(written.header.scales, [1e-4] * 3)
    for axis in "xyz":
        assert_allclose(written[axis], cloud[axis], rtol=0, atol=0.51e-4)
    assert_array_equal(written.intensity, cloud.intensity)
    assert written.header.parse_crs().to_epsg() == 32650


def test_a_moved_cloud_is_never_written_coarser_than_it_was(tmp_path, sample):
    with cx.open(sample) as scan:
        moved = scan.cloud.thin(every=50).cloud.to_crs(4326)
        moved.cloud.write(tmp_path / "lonlat.laz")
        written = laspy.read(tmp_path / "lonlat.laz")
        # 0.01 m is 9.0e-8 degrees of latitude
        assert (written.header.scales <= [1.4e-7, 9.0e-8, 0.01]).all()
        assert_allclose(written.x, moved.x, rtol=0, atol=0.51e-7)
        assert_array_equal(written.red, moved.red)


def test_a_wanted_scale_is_used(tmp_path):
    small_cloud().cloud.write(tmp_path / "a.laz", scale=0.01)
    with laspy.open(tmp_path / "a.laz") as file:
        assert_array_equal(file.header.scales, [0.01] * 3)


def test_a_scale_that_cannot_hold_the_cloud_is_refused_and_leaves_nothing(tmp_path, sample):
    with cx.open(sample) as scan, pytest.raises(GridOverflowError, match="scale"):
        scan.cloud.thin(every=100).cloud.write(tmp_path / "a.laz", scale=1e-9)
    assert not list(tmp_path.iterdir())


def test_8_bit_colours_fill_the_16_bits_of_las(tmp_path):
    cloud = small_cloud()
    values = np.arange(1000).astype("u1")
    cloud = cloud.assign(dict.fromkeys(("red", "green", "blue"), ("point", values)))
    cloud.cloud.write(tmp_path / "a.laz")
    assert_array_equal(laspy.read(tmp_path / "a.laz").red, values.astype("u2") * 257)


def test_waveform_pointers_are_left_out_with_a_warning(tmp_path):
    las_data(4).write(tmp_path / "a.las")
    with (
        cx.open(tmp_path / "a.las") as dataset,
        pytest.warns(CupixGeoWarning, match="not written: wavepacket_index, ") as caught,
    ):
        dataset.cloud.write(tmp_path / "b.las")
    assert caught[0].filename == __file__
    written = laspy.read(tmp_path / "b.las")
    assert written.point_format.id == 1
    assert_array_equal(written.gps_time, laspy.read(tmp_path / "a.las").gps_time)


def test_other_variables_become_extra_bytes(tmp_path):
    cloud = small_cloud()
    cloud["confidence"] = ("point", np.linspace(0, 1, 1000).astype("f4"))
    cloud.confidence.attrs["long_name"] = "0 to 1"
    cloud["site_name"] = ((), np.float64(1))
    cloud.cloud.write(tmp_path / "a.laz")
    written = laspy.read(tmp_path / "a.laz")
    assert_array_equal(written["confidence"], cloud.confidence)
    assert list(written.point_format.extra_dimension_names) == ["confidence"]


@pytest.mark.parametrize("suffix", [".laz", ".ply"])
@pytest.mark.parametrize(
    "values", [np.array(["a"] * 10), np.zeros(10, "complex")], ids=["str", "c"]
)
def test_types_no_format_holds_are_refused_by_name(tmp_path, suffix, values):
    cloud = small_cloud(10)
    cloud["odd"] = ("point", values)
    with pytest.raises(CloudError, match=r"'odd'.*drop_vars"):
        cloud.cloud.write(tmp_path / f"a{suffix}")
    assert not list(tmp_path.iterdir())


def test_integers_too_large_for_ply_are_refused(tmp_path):
    cloud = small_cloud(10)
    cloud["serial"] = ("point", np.full(10, 2**60))
    with pytest.raises(CloudError, match=r"'serial'.*2\^53"):
        cloud.cloud.write(tmp_path / "a.ply")
    cloud["serial"] = ("point", np.full(10, 2**50))
    cloud.cloud.write(tmp_path / "a.ply")
    with cx.open(tmp_path / "a.ply") as written:
        assert_array_equal(written.serial, cloud.serial)


@pytest.mark.parametrize("name", ["a.txt", "a", "a.e57"])
def test_other_formats_are_refused(tmp_path, name):
    with pytest.raises(FormatError, match=r"\.laz, \.las, \.copc\.laz or \.ply"):
        small_cloud().cloud.write(tmp_path / name)


def test_a_missing_folder_is_told(tmp_path):
    with pytest.raises(OutputError, match="does not exist"):
        small_cloud().cloud.write(tmp_path / "nowhere" / "a.laz")


def test_a_cloud_is_never_written_over_the_file_it_is_read_from(tmp_path):
    path = tmp_path / "a.laz"
    las_data(3).write(path)
    before = path.read_bytes()
    with cx.open(path) as dataset, pytest.raises(OutputError, match="are read from it"):
        dataset.cloud.write(path)
    assert path.read_bytes() == before


def test_a_failure_in_the_middle_leaves_an_older_file_as_it_was(tmp_path):
    path = tmp_path / "a.laz"
    path.write_bytes(b"older")
    cloud = small_cloud()
    x = cloud.x.to_numpy().copy()
    x[500] = np.inf
    with pytest.raises(GridOverflowError, match="finite"):
        cloud.assign_coords(x=("point", x)).cloud.write(path)
    assert path.read_bytes() == b"older"
    assert list(tmp_path.iterdir()) == [path]


def test_an_empty_cloud_is_refused(tmp_path):
    with pytest.raises(EmptyCloudError):
        small_cloud(0).cloud.write(tmp_path / "a.laz")
    assert not list(tmp_path.iterdir())
