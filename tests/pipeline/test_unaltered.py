"""`.cloud.write` copies what a dataset still has as its LAZ file has it, and nothing else."""

from __future__ import annotations

import os
import shutil

import laspy
import numpy as np
import pyproj
import pytest
from numpy.testing import assert_array_equal

import cupixgeo as cx
from cupixgeo.cloud.stored import stored_file
from cupixgeo.errors import CloudError, CorruptFileError
from cupixgeo.formats.las.check import check_las
from cupixgeo.formats.las.recode import XY_LAYER, Z_LAYER, ChunkRecoder
from cupixgeo.pipeline import stream, unaltered
from tests.formats.lasfiles import las_data
from tests.pipeline.clouds import UTM50, box_of_points, write_las

POINTS = 60_000
SITE = cx.Transform.from_row_major(
    [0.8, -0.6, 0, 100, 0.6, 0.8, 0, -50, 0, 0, 1, 7, 0, 0, 0, 1], source=32650, target=32650
)


@pytest.fixture
def written(monkeypatch):
    """Ways taken by `.cloud.write`, which needs no more than one point to recode chunks."""
    ways = []
    write = unaltered.Unaltered.write

    def noted(self, *args):
        ways.append(self.way)
        write(self, *args)

    monkeypatch.setattr(unaltered, "FEWEST_TO_RECODE", 1)
    monkeypatch.setattr(unaltered.Unaltered, "write", noted)
    return ways


@pytest.fixture
def by_records(monkeypatch):
    """Write a dataset the general way."""

    def write(dataset, to, **options):
        with monkeypatch.context() as patched:
            patched.setattr(unaltered, "FEWEST_TO_RECODE", 10**9)
            return dataset.cloud.write(to, **options)

    return write


@pytest.fixture(scope="module")
def scan(tmp_path_factory):
    """A LAZ file of point format 7 with an extra dimension, in two chunks."""
    path = tmp_path_factory.mktemp("scan") / "scan.laz"
    extra = {"height": np.linspace(0, 9, POINTS, dtype=np.float32)}
    return write_las(path, box_of_points(POINTS, origin=UTM50), crs=32650, extra=extra)


def layers_of(path):
    facts = check_las(path)
    data = np.fromfile(path, np.uint8)
    recoder = ChunkRecoder(facts.point_format, facts.record_length, facts.extra_bytes)
    for start, size in zip(facts.chunks.starts, facts.chunks.sizes, strict=True):
        chunk = recoder.decode(data[start : start + size])
        yield [
            layer.tobytes()
            for number, layer in enumerate(chunk.layers)
            if number not in (XY_LAYER, Z_LAYER)
        ]


def assert_same_points(one, two):
    a, b = laspy.read(one), laspy.read(two)
    assert_array_equal(a.points.array, b.points.array)
    for name in ("scales", "offsets", "mins", "maxs", "number_of_points_by_return"):
        assert_array_equal(getattr(a.header, name), getattr(b.header, name), err_msg=name)
    assert a.header.global_encoding.gps_time_type == b.header.global_encoding.gps_time_type
    assert a.header.parse_crs() == b.header.parse_crs()


def assert_same_file(one, two):
    assert_same_points(one, two)
    a, b = laspy.read(one), laspy.read(two)
    records = [
        [(v.user_id, v.record_id, v.record_data_bytes()) for v in las.header.vlrs] for las in (a, b)
    ]
    assert records[0] == records[1]


MOVES = {
    "not at all": lambda scan: scan,
    "placed": lambda scan: scan.cloud.place(SITE),
    "reprojected": lambda scan: scan.cloud.to_crs(32651),
    "placed and reprojected": lambda scan: scan.cloud.place(SITE).cloud.to_crs(32651),
}
TWO = {name: MOVES[name] for name in ("not at all", "placed and reprojected")}


@pytest.mark.parametrize("point_format", [3, 6, 7, 8])
@pytest.mark.parametrize("move", MOVES.values(), ids=MOVES)
def test_a_moved_file_is_written_as_the_general_way_writes_it(
    tmp_path, written, by_records, point_format, move
):
    path = write_las(
        tmp_path / "a.laz",
        box_of_points(POINTS, origin=UTM50),
        point_format=point_format,
        crs=32650,
        extra={"height": np.linspace(0, 9, POINTS, dtype=np.float32)},
    )
    with cx.open(path) as opened:
        moved = move(opened)
        moved.cloud.write(tmp_path / "fast.laz")
        by_records(moved, tmp_path / "slow.laz")
    assert written == ["points" if point_format == 3 else "layers"]
    assert_same_file(tmp_path / "fast.laz", tmp_path / "slow.laz")


@pytest.mark.parametrize("move", MOVES.values(), ids=MOVES)
def test_every_layer_but_those_of_coordinates_is_copied(tmp_path, written, scan, move):
    with cx.open(scan) as opened:
        move(opened).cloud.write(tmp_path / "b.laz")
    assert written == ["layers"]
    before, after = list(layers_of(scan)), list(layers_of(tmp_path / "b.laz"))
    assert len(before) == 2
    assert before == after


@pytest.mark.parametrize("backend", ["Lazrs", "LazrsParallel", "Laszip"])
def test_coordinates_are_those_of_proj_to_half_a_step(tmp_path, written, scan, backend):
    with cx.open(scan) as opened:
        opened.cloud.to_crs(32651).cloud.write(tmp_path / "b.laz")
    assert written == ["layers"]
    original = laspy.read(scan)
    read = laspy.read(tmp_path / "b.laz", laz_backend=laspy.LazBackend[backend])
    proj = pyproj.Transformer.from_crs(32650, 32651, always_xy=True)
    x, y = proj.transform(np.array(original.x), np.array(original.y))
    step = read.header.scales
    for axis, exact in zip("xyz", (x, y, np.array(original.z)), strict=True):
        assert np.abs(read[axis] - exact).max() <= step["xyz".index(axis)] * 0.5 + 2e-9
    for name in ("intensity", "gps_time", "red", "classification", "scanner_channel", "height"):
        assert_array_equal(read[name], original[name])


@pytest.mark.parametrize("chunks", [17_000, POINTS])
@pytest.mark.parametrize("move", TWO.values(), ids=TWO)
def test_dask_chunks_need_not_be_those_of_the_file(
    tmp_path, written, by_records, scan, chunks, move
):
    with cx.open(scan) as opened:
        moved = move(opened.chunk(point=chunks))
        moved.cloud.write(tmp_path / "fast.laz")
        by_records(moved, tmp_path / "slow.laz")
    assert written == ["layers"]
    assert_same_file(tmp_path / "fast.laz", tmp_path / "slow.laz")


@pytest.mark.parametrize("move", TWO.values(), ids=TWO)
def test_a_wanted_scale_is_used_here_too(tmp_path, written, by_records, scan, move):
    with cx.open(scan) as opened:
        moved = move(opened)
        moved.cloud.write(tmp_path / "fast.laz", scale=0.01)
        by_records(moved, tmp_path / "slow.laz", scale=0.01)
    assert written == ["layers"]
    assert_same_file(tmp_path / "fast.laz", tmp_path / "slow.laz")


def test_chunks_of_varying_length_are_kept(tmp_path, written, by_records, monkeypatch):
    monkeypatch.setattr(stream, "FEWEST_TO_RECODE", 1)
    parts = [
        write_las(tmp_path / f"{n}.laz", box_of_points(n, origin=UTM50), crs=32650)
        for n in (777, 30_000, 1)
    ]
    cx.merge(parts, tmp_path / "odd.laz")
    with cx.open(tmp_path / "odd.laz") as opened:
        moved = opened.cloud.to_crs(32651)
        moved.cloud.write(tmp_path / "fast.laz")
        by_records(moved, tmp_path / "slow.laz")
    assert written == ["layers"]
    assert check_las(tmp_path / "fast.laz").chunks.points.tolist() == [777, 30_000, 1]
    assert_same_points(tmp_path / "fast.laz", tmp_path / "slow.laz")


def test_scaled_described_and_undescribed_extra_bytes_stay(tmp_path, written, by_records):
    extra = (
        laspy.ExtraBytesParams("height", "i2", "above ground", offsets=[5.0], scales=[0.01]),
        laspy.ExtraBytesParams("normal", "3f4"),
        laspy.ExtraBytesParams("raw", "5u1"),
    )
    las_data(7, extra=extra).write(tmp_path / "a.laz")
    with cx.open(tmp_path / "a.laz") as opened:
        opened.cloud.write(tmp_path / "fast.laz")
        by_records(opened, tmp_path / "slow.laz")
    assert written == ["layers"]
    assert_same_file(tmp_path / "fast.laz", tmp_path / "slow.laz")


def test_coordinates_changed_by_hand_are_the_ones_written(tmp_path, written, by_records, scan):
    with cx.open(scan) as opened:
        moved = opened.cloud.to_crs(32651)
        moved.x.values[:100] += 3
        moved = moved.assign_coords(z=moved.z * 2)
        moved.cloud.write(tmp_path / "fast.laz")
        by_records(moved, tmp_path / "slow.laz")
    assert written == ["layers"]
    assert_same_file(tmp_path / "fast.laz", tmp_path / "slow.laz")


def in_place(scan):
    scan.intensity.values[:10] = 3
    return scan


def one_value(scan):
    scan["intensity"][5] = 3
    return scan


def by_dask(scan):
    cut = scan.chunk(point=20_000)
    return cut.assign(intensity=cut.intensity // 2)


def swapped(scan):
    return scan.rename(red="green", green="red")


def described(scan):
    scan.height.attrs["long_name"] = "above the floor"
    return scan


ALTERED = {
    "another value": lambda scan: scan.assign(intensity=scan.intensity // 2),
    "in place": in_place,
    "one value": one_value,
    "by dask": by_dask,
    "another name": lambda scan: scan.rename(height="depth"),
    "names swapped": swapped,
    "another description": described,
    "one more": lambda scan: scan.assign(rank=scan.intensity.astype("u4")),
    "one less": lambda scan: scan.drop_vars("height"),
    "crop": lambda scan: scan.cloud.crop(z=(None, 60)),
    "thin": lambda scan: scan.cloud.thin(every=2),
    "part": lambda scan: scan.isel(point=slice(0, POINTS - 1)),
    "part of dask's": lambda scan: scan.chunk(point=20_000).isel(point=slice(1, None)),
    "other order": lambda scan: scan.isel(point=slice(None, None, -1)),
    "filter": lambda scan: scan.isel(point=np.flatnonzero(scan.classification.to_numpy() == 2)),
    "read as a whole": lambda scan: scan.load(),
}


@pytest.mark.parametrize("alter", ALTERED.values(), ids=ALTERED)
@pytest.mark.parametrize("is_moved", [False, True])
def test_what_was_altered_or_selected_is_written_from_the_dataset(
    tmp_path, written, scan, alter, is_moved
):
    with cx.open(scan) as opened:
        altered = alter(opened)
        altered = altered.cloud.to_crs(32651) if is_moved else altered
        altered.cloud.write(tmp_path / "b.laz")
        result = laspy.read(tmp_path / "b.laz")
        assert not written
        assert len(result.points) == altered.sizes["point"] > 0
        for name in altered.data_vars:
            assert_array_equal(result[name], altered[name], err_msg=name)
        for axis in "xyz":
            assert np.abs(result[axis] - altered[axis].to_numpy()).max() <= 0.5e-3 + 1e-8


@pytest.mark.parametrize("name", ["b.las", "b.copc.laz", "b.ply"])
def test_other_formats_go_the_general_way(tmp_path, written, scan, name):
    with cx.open(scan) as opened:
        opened.cloud.write(tmp_path / name)
    assert not written


def test_a_part_opened_as_a_part_goes_the_general_way(tmp_path, written, scan):
    x, y, _ = UTM50
    with cx.open(scan, bounds=(x, y, x + 50, y + 50)) as opened:
        opened.cloud.write(tmp_path / "b.laz")
        assert len(laspy.read(tmp_path / "b.laz").points) == opened.sizes["point"] < POINTS
    assert not written


def test_a_few_points_do_not_load_compiled_code(tmp_path, scan, monkeypatch):
    monkeypatch.setattr(unaltered.Unaltered, "write", None)
    with cx.open(scan) as opened:
        opened.cloud.write(tmp_path / "b.laz")
    assert_array_equal(laspy.read(tmp_path / "b.laz").X, laspy.read(scan).X)


def test_another_file_under_the_name_is_not_read(tmp_path, written, scan):
    path = shutil.copy(scan, tmp_path / "a.laz")
    with cx.open(path) as opened:
        shutil.copy(scan, tmp_path / "new.laz")
        os.replace(tmp_path / "new.laz", path)
        opened.cloud.write(tmp_path / "b.laz")
    assert not written
    assert_array_equal(laspy.read(tmp_path / "b.laz").points.array, laspy.read(scan).points.array)


def test_a_closed_file_is_opened_again_and_refused_if_it_changed(tmp_path, written, scan):
    path = shutil.copy(scan, tmp_path / "a.laz")
    opened, other = cx.open(path), cx.open(path)
    opened.close()
    other.close()
    other.cloud.write(tmp_path / "b.laz")
    assert written == ["layers"]
    stored_file(other).close()
    write_las(tmp_path / "a.laz", box_of_points(100, origin=UTM50), crs=32650)
    with pytest.raises(CloudError, match="has changed since this dataset was opened"):
        opened.cloud.write(tmp_path / "c.laz")
    assert not (tmp_path / "c.laz").exists()


def test_a_damaged_chunk_is_an_error_and_leaves_nothing(tmp_path, written, scan):
    path = tmp_path / "a.laz"
    data = bytearray(scan.read_bytes())
    facts = check_las(scan)
    size_at = int(facts.chunks.starts[1]) + facts.record_length + 4
    data[size_at : size_at + 4] = (10**9).to_bytes(4, "little")
    path.write_bytes(data)
    with cx.open(path) as opened, pytest.raises(CorruptFileError, match=r"a\.laz"):
        opened.cloud.write(tmp_path / "b.laz")
    assert written == ["layers"]
    assert os.listdir(tmp_path) == ["a.laz"]
