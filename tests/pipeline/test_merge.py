"""Merging: every point arrives, where PROJ says, with everything it carried; or nothing is left."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
import threading

import laspy
import numpy as np
import pyproj
import pytest

import cupixgeo as cx
from cupixgeo.errors import (
    CancelledError,
    FormatError,
    FrameError,
    GeodesyError,
    GridOverflowError,
    MergeError,
    OutputError,
)
from cupixgeo.pipeline import inputs, stream
from tests.pipeline.clouds import UTM50, box_of_points, write_las


def everything_but_coordinates(las: laspy.LasData) -> dict[str, np.ndarray]:
    return {n: np.asarray(las[n]) for n in las.point_format.dimension_names if n not in "XYZ"}


@pytest.fixture
def two(tmp_path):
    a = write_las(tmp_path / "a.laz", box_of_points(30_000, origin=UTM50), crs=32650)
    far = (UTM50[0] + 90, UTM50[1], UTM50[2])
    b = write_las(tmp_path / "b.laz", box_of_points(12_345, origin=far, seed=2), crs=32650, seed=3)
    return a, b


@pytest.mark.parametrize("suffix", [".laz", ".las"])
def test_points_stand_where_proj_puts_them_and_keep_all_attributes(two, tmp_path, suffix):
    out = tmp_path / f"out{suffix}"
    report = cx.merge(two, out, crs=32651)
    merged = laspy.read(out)
    inputs = [laspy.read(path) for path in two]
    transformer = pyproj.Transformer.from_crs(32650, 32651, always_xy=True)
    expected = np.column_stack(
        transformer.transform(*np.concatenate([las.xyz for las in inputs]).T)
    )
    assert np.abs(merged.xyz - expected).max() <= 0.5001e-3 + 1e-7
    for name, values in everything_but_coordinates(merged).items():
        wanted = np.concatenate([np.asarray(las[name]) for las in inputs])
        np.testing.assert_array_equal(values, wanted, err_msg=name)
    assert report.points_in == report.points_kept == merged.header.point_count == 42_345
    assert merged.header.parse_crs().to_epsg() == 32651
    np.testing.assert_allclose(merged.header.mins, merged.xyz.min(axis=0), atol=1e-9)
    np.testing.assert_allclose(merged.header.maxs, merged.xyz.max(axis=0), atol=1e-9)
    returns = np.bincount(np.asarray(merged.return_number), minlength=16)[1:]
    np.testing.assert_array_equal(merged.header.number_of_points_by_return, returns)


def test_report_figures_are_measured_not_assumed(two, tmp_path):
    report = cx.merge(two, tmp_path / "out.laz", crs=32651)
    assert 0.45e-3 < report.quantisation_error_m <= 0.5001e-3
    assert 0 < report.interpolation_error_m < 1e-5
    assert report.bytes_in == sum(path.stat().st_size for path in two)
    assert report.bytes_out == (tmp_path / "out.laz").stat().st_size
    assert [s.points_kept for s in report.sources] == [30_000, 12_345]
    low, high = report.bounds
    las = laspy.read(tmp_path / "out.laz")
    np.testing.assert_allclose([low, high], [las.xyz.min(axis=0), las.xyz.max(axis=0)], atol=1e-9)


def test_exact_and_interpolated_results_agree(two, tmp_path):
    cx.merge(two, tmp_path / "fast.laz", crs=32651, scale=1e-5)
    exact = cx.merge(two, tmp_path / "exact.laz", crs=32651, scale=1e-5, exact=True)
    fast, slow = (laspy.read(tmp_path / name) for name in ("fast.laz", "exact.laz"))
    assert np.abs(fast.xyz - slow.xyz).max() <= 1.1e-5
    assert exact.interpolation_error_m == 0.0


def test_same_crs_and_grid_leaves_every_integer_alone(two, tmp_path):
    cx.merge([two[0]], tmp_path / "out.laz")
    before, after = laspy.read(two[0]), laspy.read(tmp_path / "out.laz")
    np.testing.assert_array_equal(np.rint(before.xyz * 1000), np.rint(after.xyz * 1000))
    assert after.header.scales.tolist() == [0.001] * 3


def test_placement_and_reprojection_are_one_chain(tmp_path):
    local = box_of_points(20_000, origin=(-50.0, -40.0, -2.0))
    path = write_las(tmp_path / "local.laz", local)
    angle = np.radians(30)
    matrix = np.eye(4)
    matrix[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    matrix[:3, 3] = UTM50
    placement = cx.Transform(matrix, source=cx.local_frame("scan:1"), target=32650)
    cx.merge([cx.Source(path, transform=placement)], tmp_path / "out.laz", crs=32651)
    stored = laspy.read(path).xyz
    placed = stored @ matrix[:3, :3].T + matrix[:3, 3]
    transformer = pyproj.Transformer.from_crs(32650, 32651, always_xy=True)
    expected = np.column_stack(transformer.transform(*placed.T))
    assert np.abs(laspy.read(tmp_path / "out.laz").xyz - expected).max() <= 0.5001e-3 + 1e-7


@pytest.mark.parametrize("first", range(0, 4))
@pytest.mark.parametrize("second", [6, 7, 8])
def test_mixed_point_formats_lose_no_attribute(tmp_path, first, second):
    xyz = box_of_points(500, origin=UTM50)
    a = write_las(tmp_path / "a.laz", xyz, point_format=first, crs=32650)
    b = write_las(tmp_path / "b.las", xyz + 1, point_format=second, crs=32650, seed=5)
    report = cx.merge([a, b], tmp_path / "out.laz")
    merged, inputs = laspy.read(tmp_path / "out.laz"), [laspy.read(a), laspy.read(b)]
    for las, part in zip(inputs, (slice(0, 500), slice(500, None)), strict=True):
        for name, values in everything_but_coordinates(las).items():
            if name == "scan_angle_rank":
                name, values = "scan_angle", np.rint(values / 0.006)
            np.testing.assert_array_equal(np.asarray(merged[name])[part], values, err_msg=name)
    assert not report.attributes_dropped
    assert "scan_angle_rank" in report.attributes_converted


def test_extra_bytes_of_all_inputs_are_kept_and_absent_ones_are_zero(tmp_path):
    xyz = box_of_points(300, origin=UTM50)
    height = np.linspace(0, 30, 300).astype(np.float32)
    label = np.arange(300).astype(np.uint16)
    a = write_las(tmp_path / "a.laz", xyz, crs=32650, extra={"height": height})
    b = write_las(tmp_path / "b.laz", xyz, crs=32650, extra={"label": label})
    cx.merge([a, b], tmp_path / "out.laz")
    merged = laspy.read(tmp_path / "out.laz")
    np.testing.assert_array_equal(merged["height"], np.concatenate([height, np.zeros(300)]))
    np.testing.assert_array_equal(merged["label"], np.concatenate([np.zeros(300), label]))


def test_extra_bytes_of_one_name_and_two_types_widen(tmp_path):
    xyz = box_of_points(10, origin=UTM50)
    small, large = np.arange(10, dtype=np.uint8), np.arange(10, dtype=np.uint16) + 60_000
    a = write_las(tmp_path / "a.laz", xyz, crs=32650, extra={"label": small})
    b = write_las(tmp_path / "b.laz", xyz, crs=32650, extra={"label": large})
    report = cx.merge([a, b], tmp_path / "out.laz")
    assert laspy.read(tmp_path / "out.laz")["label"].tolist() == [*small, *large]
    assert "label" in report.attributes_converted


def test_scale_is_never_coarser_than_the_finest_input(tmp_path):
    xyz = box_of_points(100, origin=UTM50)
    a = write_las(tmp_path / "a.laz", xyz, scale=0.01, crs=32650)
    b = write_las(tmp_path / "b.laz", xyz, scale=0.0005, crs=32650)
    assert cx.merge([a, b], tmp_path / "out.laz").scales == (1e-4, 1e-4, 1e-4)


def test_geographic_output_keeps_the_precision_of_the_input(two, tmp_path):
    report = cx.merge(two, tmp_path / "out.laz", crs=4979)
    merged = laspy.read(tmp_path / "out.laz")
    back = pyproj.Transformer.from_crs(4979, 32650, always_xy=True)
    xyz = np.column_stack(back.transform(*merged.xyz.T))
    original = np.concatenate([laspy.read(path).xyz for path in two])
    assert np.abs(xyz - original).max() < 1e-3
    assert report.scales[0] <= 1e-8


@pytest.mark.parametrize("recode_from", [1, 10**9])
def test_more_sources_than_files_may_be_open_are_merged(tmp_path, monkeypatch, recode_from):
    monkeypatch.setattr(stream, "FEWEST_TO_RECODE", recode_from)
    monkeypatch.setattr(inputs, "MOST_OPEN", 10)
    cloud = write_las(tmp_path / "cloud.laz", box_of_points(50, origin=(0, 0, 0)))
    placement = np.eye(4)
    placement[:3, 3] = UTM50
    sources = []
    for number in range(60):
        path = shutil.copy(cloud, tmp_path / f"{number}.laz")
        frame = cx.local_frame(f"scan:{number}")
        transform = cx.Transform(placement, source=frame, target=32650)
        sources.append(cx.Source(path, transform=transform))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    in_use = len(os.listdir("/dev/fd"))
    resource.setrlimit(resource.RLIMIT_NOFILE, (in_use + 30, hard))
    try:
        report = cx.merge(sources, tmp_path / "out.laz", crs=32651)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert report.points_kept == 3000


def test_source_ids_number_the_inputs(two, tmp_path):
    report = cx.merge(two, tmp_path / "out.laz", source_ids=True)
    merged = laspy.read(tmp_path / "out.laz")
    counts = np.bincount(np.asarray(merged.point_source_id))
    assert counts.tolist() == [0, 30_000, 12_345]
    assert "point_source_id" in report.attributes_converted


@pytest.mark.parametrize("block_points", [1, 999, 1_000_000])
def test_result_does_not_depend_on_the_block_size(tmp_path, block_points):
    a = write_las(tmp_path / "a.laz", box_of_points(1500, origin=UTM50), crs=32650)
    cx.merge([a], tmp_path / "one.laz", crs=32651, exact=True)
    cx.merge([a], tmp_path / "two.laz", crs=32651, exact=True, block_points=block_points)
    one, two = (laspy.read(tmp_path / name).points.array for name in ("one.laz", "two.laz"))
    np.testing.assert_array_equal(one, two)


def test_an_input_without_points_is_no_trouble(two, tmp_path):
    empty = write_las(tmp_path / "empty.laz", np.empty((0, 3)), crs=32650)
    report = cx.merge([empty, *two], tmp_path / "out.laz")
    assert report.points_kept == 42_345
    assert report.sources[0].bounds is None


def test_points_outside_the_header_box_are_still_placed_right(tmp_path):
    path = write_las(tmp_path / "a.las", box_of_points(10_000, origin=UTM50), crs=32650)
    with path.open("r+b") as file:
        file.seek(179)
        middle = laspy.read(path).xyz.mean(axis=0)
        for value in middle:
            file.write(np.array([value + 1, value - 1]).tobytes())
    cx.merge([path], tmp_path / "out.laz", crs=32651)
    transformer = pyproj.Transformer.from_crs(32650, 32651, always_xy=True)
    expected = np.column_stack(transformer.transform(*laspy.read(path).xyz.T))
    assert np.abs(laspy.read(tmp_path / "out.laz").xyz - expected).max() <= 0.5001e-3 + 1e-7


def nothing_but(folder, *kept):
    return sorted(p.name for p in folder.iterdir()) == sorted(kept)


def test_cancelling_leaves_the_old_output_and_no_partial_file(two, tmp_path):
    out = tmp_path / "out.laz"
    out.write_bytes(b"the old one")
    cancel = threading.Event()
    seen = []

    def watch(progress):
        seen.append(progress)
        if progress.stage == "merge":
            cancel.set()

    with pytest.raises(CancelledError):
        cx.merge(two, out, block_points=1000, progress=watch, cancel=cancel)
    assert out.read_bytes() == b"the old one"
    assert nothing_but(tmp_path, "a.laz", "b.laz", "out.laz")
    assert len([p for p in seen if p.stage == "merge"]) == 1


def test_ctrl_c_leaves_no_half_file(two, tmp_path):
    def interrupt(progress):
        if progress.stage == "merge":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cx.merge(two, tmp_path / "out.laz", block_points=1000, progress=interrupt)
    assert nothing_but(tmp_path, "a.laz", "b.laz")


def test_progress_counts_every_point(two, tmp_path):
    seen = []
    cx.merge(two, tmp_path / "out.laz", block_points=10_000, progress=seen.append)
    merging = [p.done for p in seen if p.stage == "merge"]
    assert merging == sorted(merging)
    assert merging[-1] == 42_345


def test_no_source_is_refused(tmp_path):
    with pytest.raises(MergeError, match="empty"):
        cx.merge([], tmp_path / "out.laz")


def test_an_output_that_is_an_input_is_refused(two):
    before = two[0].read_bytes()
    with pytest.raises(MergeError, match=r"a\.laz is one of the inputs"):
        cx.merge(two, two[0])
    assert two[0].read_bytes() == before


def test_a_missing_output_folder_is_refused(two, tmp_path):
    with pytest.raises(OutputError, match="does not exist"):
        cx.merge(two, tmp_path / "nowhere" / "out.laz")
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("name", ["out.txt", "out", "out.copc"])
def test_a_format_that_cannot_be_written_is_refused(two, tmp_path, name):
    with pytest.raises(FormatError, match="laz"):
        cx.merge(two, tmp_path / name)


def test_inputs_without_a_common_crs_are_refused(two, tmp_path):
    other = write_las(tmp_path / "o.laz", box_of_points(9, origin=UTM50), crs=32651)
    with pytest.raises(MergeError, match=r"o\.laz.*crs="):
        cx.merge([*two, other], tmp_path / "out.laz")


def test_a_file_without_crs_cannot_be_reprojected(two, tmp_path):
    lost = write_las(tmp_path / "lost.laz", box_of_points(9, origin=UTM50))
    with pytest.raises(GeodesyError, match=r"lost\.laz"):
        cx.merge([*two, lost], tmp_path / "out.laz", crs=32650)
    assert not (tmp_path / "out.laz").exists()


def test_a_placement_that_starts_elsewhere_is_refused(two, tmp_path):
    placement = cx.Transform(np.eye(4), source=cx.local_frame("scan:1"), target=32650)
    with pytest.raises(FrameError, match="scan:1"):
        cx.merge([cx.Source(two[0], transform=placement)], tmp_path / "out.laz")


def test_an_unknown_epsg_code_is_refused(two, tmp_path):
    with pytest.raises(cx.CupixGeoError, match="999999"):
        cx.merge(two, tmp_path / "out.laz", crs=999999)


def test_a_grid_that_would_overflow_is_refused_with_a_scale_that_fits(two, tmp_path):
    with pytest.raises(GridOverflowError, match="scale=") as refused:
        cx.merge(two, tmp_path / "out.laz", scale=1e-8)
    suggested = float(str(refused.value).split("scale=")[1].split()[0])
    report = cx.merge(two, tmp_path / "out.laz", scale=suggested)
    assert report.points_kept == 42_345


@pytest.mark.parametrize("scale", [0.0, -0.001, float("nan")])
def test_a_scale_that_is_no_step_is_refused(two, tmp_path, scale):
    with pytest.raises(MergeError, match="scale"):
        cx.merge(two, tmp_path / "out.laz", scale=scale)


DISK_FULL = """
import resource, sys
import cupixgeo as cx
from cupixgeo.errors import DiskFullError
from cupixgeo.pipeline import stream

stream.FEWEST_TO_RECODE = int(sys.argv[3])
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
try:
    cx.merge([sys.argv[1]], sys.argv[2], crs=32651, block_points=20_000)
except DiskFullError as error:
    print(error)
"""


@pytest.mark.parametrize("suffix", [".laz", ".las"])
@pytest.mark.parametrize("by_layers_from", [1, 10**9])
def test_a_full_disk_is_named_and_leaves_the_old_output(tmp_path, suffix, by_layers_from):
    source = write_las(tmp_path / "a.laz", box_of_points(100_000, origin=UTM50), crs=32650)
    out = tmp_path / f"out{suffix}"
    out.write_bytes(b"the old one")
    run = subprocess.run(
        [sys.executable, "-c", DISK_FULL, str(source), str(out), str(by_layers_from)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "no room left" in run.stdout
    assert out.name in run.stdout
    assert out.read_bytes() == b"the old one"
    assert nothing_but(tmp_path, "a.laz", out.name)
