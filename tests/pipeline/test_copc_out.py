"""COPC as the output of a merge, of `.cloud.write` and of the command line."""

from __future__ import annotations

import json
import os
import threading

import laspy
import numpy as np
import pytest
from numpy.testing import assert_array_equal
from typer.testing import CliRunner

import cupixgeo as cx
from cupixgeo.cli import app
from cupixgeo.errors import CancelledError, DiskFullError
from cupixgeo.formats.copc import spill, store
from tests.formats.copc.test_writer import FullDisk, same_points
from tests.formats.copc.validator import check_copc
from tests.pipeline.clouds import UTM50, box_of_points, write_las


@pytest.fixture
def on_disk(monkeypatch):
    """Points are kept on disk however few there are."""
    monkeypatch.setattr(store, "MEMORY_BYTES", 100_000)
    monkeypatch.setattr("cupixgeo.formats.copc.writer.MEMORY_BYTES", 100_000)
    monkeypatch.setattr(store, "CELL_POINTS", 5_000)


def clouds(folder, *formats, points=20_000):
    """One file for each point format, side by side."""
    paths = []
    for number, point_format in enumerate(formats):
        origin = (UTM50[0] + 60 * number, UTM50[1], UTM50[2])
        xyz = box_of_points(points, origin=origin, seed=number)
        paths.append(folder / f"{number}.laz")
        write_las(paths[-1], xyz, point_format=point_format, crs=32650, seed=number)
    return paths


@pytest.mark.usefixtures("on_disk")
def test_a_merge_to_copc_holds_what_a_merge_to_laz_holds(tmp_path):
    inputs = clouds(tmp_path, 7, 7, 7)
    plain = cx.merge(inputs, tmp_path / "a.laz", crs=32651, source_ids=True)
    report = cx.merge(inputs, tmp_path / "a.copc.laz", crs=32651, source_ids=True)
    check_copc(tmp_path / "a.copc.laz")
    expected, merged = laspy.read(tmp_path / "a.laz"), laspy.read(tmp_path / "a.copc.laz")
    assert same_points(merged.points.array, expected.points.array)
    assert_array_equal(merged.header.scales, expected.header.scales)
    assert merged.header.parse_crs().to_epsg() == 32651
    assert report.format == "COPC"
    assert report.points_kept == plain.points_kept == 60_000
    assert report.bounds == plain.bounds
    assert report.attributes_converted == plain.attributes_converted
    assert {source.method for source in report.sources} == {"records"}


@pytest.mark.parametrize("formats", [(0,), (1, 1), (2,), (3,), (3, 6), (6,), (8, 1)])
def test_older_point_formats_become_6_7_or_8_with_every_value(tmp_path, formats):
    inputs = clouds(tmp_path, *formats, points=3000)
    report = cx.merge(inputs, tmp_path / "a.copc.laz")
    check_copc(tmp_path / "a.copc.laz")
    merged = laspy.read(tmp_path / "a.copc.laz")
    colours = {"red" in laspy.PointFormat(f).dimension_names for f in formats}
    assert merged.point_format.id == (8 if 8 in formats else 7 if True in colours else 6)
    order = np.lexsort(merged.xyz.round(3).T)
    sources = [laspy.read(path) for path in inputs]
    everything = np.concatenate([las.xyz for las in sources])
    source_order = np.lexsort(everything.round(3).T)
    for name in (
        "classification",
        "synthetic",
        "key_point",
        "withheld",
        "return_number",
        "number_of_returns",
        "edge_of_flight_line",
        "scan_direction_flag",
        "intensity",
        "user_data",
        "point_source_id",
    ):
        expected = np.concatenate([np.asarray(las[name]) for las in sources])[source_order]
        assert_array_equal(np.asarray(merged[name])[order], expected, err_msg=name)
    if 1 in formats or 3 in formats:
        assert "0.006°" in report.attributes_converted["scan_angle_rank"]
    for las, start in zip(sources, np.cumsum([0, *map(len, sources)]), strict=False):
        place = np.flatnonzero((source_order >= start) & (source_order < start + len(las)))
        mine = source_order[place] - start
        if "gps_time" in las.point_format.dimension_names:
            assert_array_equal(np.asarray(merged.gps_time)[order][place], las.gps_time[mine])
        if "red" in las.point_format.dimension_names:
            assert_array_equal(np.asarray(merged.red)[order][place], las.red[mine])


def test_a_cloud_is_written_as_copc_and_opened_in_part(tmp_path):
    (source,) = clouds(tmp_path, 3)
    with cx.open(source) as dataset:
        assert dataset.cloud.write(tmp_path / "a.copc.laz") == tmp_path / "a.copc.laz"
    octree = check_copc(tmp_path / "a.copc.laz")
    original = laspy.read(source)
    box = (UTM50[0] + 10, UTM50[1] + 20, UTM50[0] + 30, UTM50[1] + 50)
    x, y = original.x, original.y
    inside = (x >= box[0]) & (x <= box[2]) & (y >= box[1]) & (y <= box[3])
    with cx.open(tmp_path / "a.copc.laz", bounds=box) as part:
        assert part.attrs["format"] == "COPC"
        assert_array_equal(np.sort(part.intensity), np.sort(original.intensity[inside]))
    with cx.open(tmp_path / "a.copc.laz") as whole:
        assert whole.sizes["point"] == 20_000
        assert whole.attrs["point_format"] == 7
    assert octree.size < 130


def test_the_command_line_writes_copc(tmp_path):
    inputs = clouds(tmp_path, 7, 7, points=2000)
    arguments = ["merge", *map(str, inputs), "--to", str(tmp_path / "a.copc.laz"), "--json"]
    result = CliRunner().invoke(app, arguments, prog_name="cupixgeo")
    assert result.exit_code == 0
    assert json.loads(result.stdout)["format"] == "COPC"
    assert len(check_copc(tmp_path / "a.copc.laz").nodes[0, 0, 0, 0]) == 4000


@pytest.mark.usefixtures("on_disk")
def test_progress_tells_of_merging_and_then_of_indexing(tmp_path):
    seen = []
    cx.merge(clouds(tmp_path, 7, 7), tmp_path / "a.copc.laz", progress=seen.append)
    stages = list(dict.fromkeys(progress.stage for progress in seen))
    assert stages == ["open", "merge", "index"]
    last = {progress.stage: progress for progress in seen}
    assert last["merge"].done == last["index"].done == last["index"].total == 40_000


@pytest.mark.usefixtures("on_disk")
@pytest.mark.parametrize("stage", ["merge", "index"])
def test_a_cancelled_merge_leaves_nothing(tmp_path, stage):
    inputs = clouds(tmp_path, 7, 7)
    cancel = threading.Event()

    def watch(progress):
        if progress.stage == stage:
            cancel.set()

    with pytest.raises(CancelledError):
        cx.merge(inputs, tmp_path / "a.copc.laz", progress=watch, cancel=cancel, block_points=5000)
    assert sorted(os.listdir(tmp_path)) == ["0.laz", "1.laz"]


@pytest.mark.usefixtures("on_disk")
def test_a_disk_that_runs_full_while_points_are_sorted_leaves_nothing(tmp_path, monkeypatch):
    inputs = clouds(tmp_path, 7, 7)
    real = spill.tempfile.TemporaryFile
    monkeypatch.setattr(
        spill.tempfile, "TemporaryFile", lambda **options: FullDisk(900_000, real(**options))
    )
    with pytest.raises(DiskFullError, match=r"no room left while writing .*a\.copc\.laz"):
        cx.merge(inputs, tmp_path / "a.copc.laz")
    assert sorted(os.listdir(tmp_path)) == ["0.laz", "1.laz"]


@pytest.mark.usefixtures("on_disk")
def test_an_existing_file_stays_when_the_disk_has_too_little_room(tmp_path, monkeypatch):
    inputs = clouds(tmp_path, 7)
    (tmp_path / "a.copc.laz").write_bytes(b"the old one")
    usage = spill.shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(spill.shutil, "disk_usage", lambda folder: usage)
    with pytest.raises(DiskFullError, match="only 1,000 are free"):
        cx.merge(inputs, tmp_path / "a.copc.laz")
    assert (tmp_path / "a.copc.laz").read_bytes() == b"the old one"
    assert sorted(os.listdir(tmp_path)) == ["0.laz", "a.copc.laz"]
