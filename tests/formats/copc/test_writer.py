"""COPC output: valid by the specification's text, readable by three other programs, complete."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
import threading
import zlib

import laspy
import numpy as np
import pytest
from laspy.copc import Bounds
from numpy.testing import assert_array_equal
from pyproj import CRS

from cupixgeo.errors import CancelledError, DiskFullError, FormatError
from cupixgeo.formats.copc import hierarchy, spill, store
from cupixgeo.formats.copc.cube import ROOT, Cell, Cube, common_level, flips
from cupixgeo.formats.copc.hierarchy import Chunk, build_hierarchy
from cupixgeo.formats.copc.reader import CopcReader
from cupixgeo.formats.copc.writer import CopcWriter
from cupixgeo.formats.las.records import ExtraDimension, RecordLayout
from tests.formats.copc.validator import Octree, check_copc, check_tree, walk_pages
from tests.formats.lasfiles import REAL, las_data

UTM15 = CRS.from_epsg(32615)
SCALES, OFFSETS = (0.01, 0.01, 0.01), (576_700.0, 5_188_100.0, 160.0)


@pytest.fixture(scope="module")
def scan():
    """Every second point of the real scan as format 7: 470,197 records, and their layout."""
    las = laspy.convert(laspy.read(REAL), point_format_id=7, file_version="1.4")
    records = las.points.array[::2].copy()
    for axis, name in enumerate("XYZ"):
        records[name] -= round(OFFSETS[axis] / SCALES[axis])
    return RecordLayout(7), records


def plain(n: int, seed: int = 0) -> tuple[RecordLayout, np.ndarray]:
    """Records of format 6 whose coordinates are still to be chosen."""
    layout = RecordLayout(6)
    records = np.zeros(n, layout.dtype)
    rng = np.random.default_rng(seed)
    records["bit_fields"] = 0x11
    records["intensity"] = rng.integers(0, 65536, n)
    records["gps_time"] = np.arange(n) * 1e-5
    return layout, records


def write(path, layout, records, *, box=None, block=100_000, scales=SCALES, **options):
    """Write records in blocks; the expected box is theirs unless given [grid steps]."""
    columns = [records[name] for name in "XYZ"]
    if box is None:
        box = (
            [[c.min() for c in columns], [c.max() for c in columns]]
            if len(records)
            else [[0] * 3] * 2
        )
    low, high = np.array(box) * np.array(scales) + OFFSETS
    options = {"crs": UTM15, "point_count": len(records)} | options
    with CopcWriter(
        path, layout, scales=scales, offsets=OFFSETS, low=low, high=high, **options
    ) as writer:
        for start in range(0, len(records), block):
            writer.write(records[start : start + block])
    return path


def all_records(octree: Octree, layout: RecordLayout) -> np.ndarray:
    return np.concatenate(list(octree.nodes.values())).reshape(-1).view(layout.dtype)


def same_points(first: np.ndarray, second: np.ndarray) -> bool:
    """Whether two arrays hold the same records, in whatever order."""
    a, b = (np.ascontiguousarray(r).view(np.uint8).reshape(len(r), -1) for r in (first, second))
    order = [np.lexsort(rows.T) for rows in (a, b)]
    return np.array_equal(a[order[0]], b[order[1]])


@pytest.fixture
def small_cells(monkeypatch):
    """Everything goes to disk, in small cells."""
    monkeypatch.setattr(store, "MEMORY_BYTES", 1_000_000)
    monkeypatch.setattr(store, "CELL_POINTS", 30_000)
    monkeypatch.setattr(store, "LARGEST_CELL", 60_000)
    monkeypatch.setattr("cupixgeo.formats.copc.writer.MEMORY_BYTES", 1_000_000)


@pytest.fixture(scope="module", params=["in memory", "on disk"])
def written(request, scan, tmp_path_factory):
    """The scan as COPC, and its octree as the validator finds it."""
    path = tmp_path_factory.mktemp("copc") / "scan.copc.laz"
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "on disk":
            patch.setattr(store, "MEMORY_BYTES", 1_000_000)
            patch.setattr(store, "CELL_POINTS", 20_000)
            patch.setattr(store, "LARGEST_CELL", 60_000)
        write(path, *scan)
    return path, check_copc(path)


def test_a_scan_is_valid_and_holds_every_point_once(scan, written):
    layout, records = scan
    path, octree = written
    assert same_points(all_records(octree, layout), records)
    assert octree.gps == (records["gps_time"].min(), records["gps_time"].max())
    assert octree.spacing == octree.size / 128
    assert max(level for level, *_ in octree.nodes) >= 2
    assert max(map(len, octree.nodes.values())) <= 2 * store.LEAF_POINTS
    assert os.listdir(path.parent) == [path.name]


@pytest.mark.parametrize(
    "backend", [laspy.LazBackend.Lazrs, laspy.LazBackend.LazrsParallel, laspy.LazBackend.Laszip]
)
def test_plain_laz_readers_read_it_whole(scan, written, backend):
    path, _ = written
    las = laspy.read(path, laz_backend=backend)
    assert same_points(las.points.array, scan[1])
    assert las.header.parse_crs().to_epsg() == 32615


def test_laspy_finds_the_points_of_an_area_and_of_a_resolution(scan, written):
    _, records = scan
    path, octree = written
    xy = [records[name] * SCALES[axis] + OFFSETS[axis] for axis, name in enumerate("XY")]
    box = np.array([[576_700.0, 5_188_150.0], [576_715.0, 5_188_170.0]])
    inside = np.all([(c >= lo) & (c <= hi) for c, lo, hi in zip(xy, *box, strict=True)], axis=0)
    with laspy.CopcReader.open(path) as reader:
        found = reader.query(bounds=Bounds(*box)).array
        assert same_points(found, records[inside])
        for level in range(3):
            expected = sum(len(n) for key, n in octree.nodes.items() if key[0] <= level)
            assert len(reader.query(level=range(level + 1))) == expected


COPCLIB = """
import os, sys, zlib, copclib
reader = copclib.FileReader(sys.argv[1])
for node in reader.GetAllNodes():
    checksum = zlib.crc32(bytes(reader.GetPointData(node)))
    print(node.key.d, node.key.x, node.key.y, node.key.z, checksum)
sys.stdout.flush()
os._exit(0)  # copclib crashes while the interpreter ends
"""


def test_copclib_finds_the_points_of_every_node(written):
    path, octree = written
    run = subprocess.run(
        [sys.executable, "-c", COPCLIB, str(path)], capture_output=True, text=True, check=True
    )
    rows = [tuple(map(int, line.split())) for line in run.stdout.splitlines()]
    found = {key: checksum for *key, checksum in rows for key in [tuple(key)]}
    assert found == {k: zlib.crc32(n.tobytes()) for k, n in octree.nodes.items() if len(n)}


def test_this_project_reads_it_in_part(written):
    path, octree = written
    with CopcReader(path, spacing=octree.spacing / 2) as reader:
        expected = sum(len(n) for key, n in octree.nodes.items() if key[0] <= 1)
        assert reader.info.point_count == expected
        assert reader.info.format == "COPC"
        assert sum(map(len, reader.blocks())) == expected


def gaps(points: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Distance of each point to the nearest of the others that is elsewhere [CRS units]."""
    nearest = np.empty(len(points))
    for start in range(0, len(points), 200):
        part = points[start : start + 200]
        squares = ((part[:, None] - others[None]) ** 2).sum(axis=2)
        squares[squares == 0] = np.inf
        nearest[start : start + 200] = np.sqrt(squares.min(axis=1))
    return nearest


def test_points_of_the_root_are_spread_better_than_at_random_and_leave_no_holes(written):
    _, octree = written
    coarse, everything = octree.xyz[0, 0, 0, 0], np.concatenate(list(octree.xyz.values()))
    rng = np.random.default_rng(0)
    shuffled = rng.permutation(everything)
    voxels = np.floor((shuffled - octree.low) / octree.spacing).astype(int)
    _, first = np.unique(voxels, axis=0, return_index=True)
    random = shuffled[first]
    ours = gaps(coarse[::8], coarse) / octree.spacing
    theirs = gaps(random[::8], random) / octree.spacing
    assert np.median(ours) > 1.25 * np.median(theirs)
    assert np.mean(ours < 0.5) < 0.8 * np.mean(theirs < 0.5)
    holes = gaps(everything[::1000], coarse) / octree.spacing
    assert holes.max() <= np.sqrt(3)  # some point stands for every voxel that holds any


def test_one_point_stands_for_each_voxel_of_the_root(scan, written):
    _, octree = written
    voxels = [
        np.unique(np.floor((xyz - octree.low) / octree.spacing).astype(int), axis=0)
        for xyz in (octree.xyz[0, 0, 0, 0], np.concatenate(list(octree.xyz.values())))
    ]
    assert_array_equal(*voxels)
    assert len(octree.xyz[0, 0, 0, 0]) - len(voxels[0]) <= 8 * store.FEW_POINTS


@pytest.mark.usefixtures("small_cells")
def test_the_same_points_give_the_same_bytes(scan, tmp_path):
    layout, records = scan
    first = write(tmp_path / "a.copc.laz", layout, records[:150_000], block=50_000)
    second = write(tmp_path / "b.copc.laz", layout, records[:150_000], block=7_777)
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize("point_format", [6, 7, 8])
def test_every_attribute_and_extra_byte_is_kept(tmp_path, point_format):
    extra = (
        laspy.ExtraBytesParams("height", "i2", "above ground", offsets=[5.0], scales=[0.01]),
        laspy.ExtraBytesParams("normal", "3f4"),
        laspy.ExtraBytesParams("flag", "u1"),
    )
    las = las_data(point_format, 20_000, extra=extra)
    dimensions = las.point_format.extra_dimensions
    layout = RecordLayout(point_format, tuple(map(ExtraDimension.from_laspy, dimensions)))
    path = write(tmp_path / "a.copc.laz", layout, las.points.array, scales=(0.001, 0.002, 0.01))
    octree = check_copc(path)
    assert same_points(all_records(octree, layout), las.points.array)
    read = laspy.read(path)
    assert read.point_format == las.point_format
    assert_array_equal(np.sort(read["height"]), np.sort(las["height"]))


def cloud(shape: str) -> np.ndarray:
    """Integer coordinates, shape (n, 3), that an octree may stumble over."""
    rng = np.random.default_rng(3)
    match shape:
        case "one point":
            return np.array([[5, -7, 2**31 - 1]])
        case "two far corners":
            return np.array([[-(2**31)] * 3, [2**31 - 1] * 3])
        case "identical":
            return np.full((300_000, 3), -12)
        case "a few places, often":
            return rng.integers(0, 3, (200_000, 3)) * 1000
        case "a line":
            return np.outer(np.arange(200_000), [1, 0, 0])
        case "flat":
            return np.column_stack([rng.integers(0, 10**6, (200_000, 2)), np.zeros(200_000, int)])
        case "a clump in the open":
            wide = rng.integers(-(10**9), 10**9, (1000, 3))
            return np.concatenate([wide, rng.normal(0, 500, (200_000, 3)).astype(int)])
    raise AssertionError(shape)


SHAPES = [
    "one point",
    "two far corners",
    "identical",
    "a few places, often",
    "a line",
    "flat",
    "a clump in the open",
]


@pytest.mark.parametrize("keeping", ["in memory", "on disk"])
@pytest.mark.parametrize("shape", SHAPES)
def test_odd_clouds_are_valid_and_whole(tmp_path, request, shape, keeping):
    if keeping == "on disk":
        request.getfixturevalue("small_cells")
    xyz = cloud(shape)
    layout, records = plain(len(xyz))
    for axis, name in enumerate("XYZ"):
        records[name] = xyz[:, axis]
    octree = check_copc(write(tmp_path / "a.copc.laz", layout, records))
    assert same_points(all_records(octree, layout), records)
    assert os.listdir(tmp_path) == ["a.copc.laz"]


def test_no_points_make_a_valid_file_without_points(tmp_path):
    layout, records = plain(0)
    octree = check_copc(write(tmp_path / "a.copc.laz", layout, records))
    assert list(octree.nodes) == [(0, 0, 0, 0)]
    assert len(laspy.read(tmp_path / "a.copc.laz").points) == 0


@pytest.mark.usefixtures("small_cells")
@pytest.mark.parametrize(
    "box",
    [[[0, 0, 0], [10, 10, 10]], [[-(10**8)] * 3, [10**8] * 3], [[9, 9, 9], [1, 1, 1]]],
    ids=["elsewhere", "much too wide", "inside out"],
)
def test_points_outside_the_expected_box_are_not_lost(scan, tmp_path, box):
    layout, records = scan[0], scan[1][:120_000]
    as_expected = check_copc(write(tmp_path / "a.copc.laz", layout, records))
    octree = check_copc(write(tmp_path / "b.copc.laz", layout, records, box=box))
    assert same_points(all_records(octree, layout), records)
    assert octree.size <= 1.1 * as_expected.size


@pytest.mark.usefixtures("small_cells")
def test_more_points_than_expected_and_an_unknown_number_are_written(scan, tmp_path):
    layout, records = scan[0], scan[1][:120_000]
    for count in (0, 10):
        octree = check_copc(write(tmp_path / "a.copc.laz", layout, records, point_count=count))
        assert same_points(all_records(octree, layout), records)


def test_axes_may_have_different_scales(tmp_path):
    layout, records = plain(50_000)
    rng = np.random.default_rng(1)
    for name in "XY":
        records[name] = rng.integers(0, 10**7, len(records))
    records["Z"] = rng.integers(0, 20_000, len(records))
    path = write(tmp_path / "a.copc.laz", layout, records, scales=(1e-9, 1e-9, 1e-3))
    octree = check_copc(path)
    assert same_points(all_records(octree, layout), records)


def test_a_format_copc_does_not_know_is_refused(tmp_path):
    with pytest.raises(FormatError, match=r"6, 7 or 8, not 3"):
        write(tmp_path / "a.copc.laz", RecordLayout(3), np.zeros(0, RecordLayout(3).dtype))
    assert not os.listdir(tmp_path)


# ------------------------------------------------------------------------- what goes wrong


def test_a_disk_without_room_is_refused_before_any_work(scan, tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)._replace(free=10**9)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage)
    with pytest.raises(DiskFullError, match=rf"needs about 1,404,000,000 bytes in {tmp_path}"):
        write(tmp_path / "a.copc.laz", *scan, point_count=30_000_000)
    assert not os.listdir(tmp_path)


class FullDisk:
    """A temporary file on a disk with room for so many bytes."""

    def __init__(self, room: int, file) -> None:
        self.room, self.file = room, file

    def write(self, data) -> int:
        self.room -= len(data)
        if self.room < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return self.file.write(data)

    def __getattr__(self, name):
        return getattr(self.file, name)


@pytest.mark.usefixtures("small_cells")
def test_a_disk_that_runs_full_while_points_are_sorted_leaves_nothing(scan, tmp_path, monkeypatch):
    real = spill.tempfile.TemporaryFile
    monkeypatch.setattr(
        spill.tempfile, "TemporaryFile", lambda **options: FullDisk(5_000_000, real(**options))
    )
    with pytest.raises(OSError, match="No space left") as raised:
        write(tmp_path / "a.copc.laz", *scan)
    assert raised.value.errno == errno.ENOSPC
    assert os.listdir(tmp_path) == ["a.copc.laz"]  # half-written: the caller's to remove


@pytest.mark.usefixtures("small_cells")
def test_cancelling_stops_it_in_the_middle_of_the_nodes(scan, tmp_path):
    cancel, seen = threading.Event(), []

    def watch(progress):
        seen.append(progress)
        cancel.set()

    with pytest.raises(CancelledError, match="no output"):
        write(tmp_path / "a.copc.laz", *scan, cancel=cancel, progress=watch)
    assert len(seen) == 1
    assert seen[0].stage == "index"
    assert seen[0].total == len(scan[1])


# --------------------------------------------------------------------------- pages and cells


@pytest.mark.parametrize("most", [16, 100, 1024])
@pytest.mark.parametrize("seed", range(4))
def test_pages_are_bounded_and_hold_every_node_once(monkeypatch, most, seed):
    monkeypatch.setattr(hierarchy, "PAGE_ENTRIES", most)
    rng = np.random.default_rng(seed)
    chunks, tops = {ROOT: Chunk(7, 7, 7)}, [ROOT]
    while len(chunks) < 700:
        top = tops.pop(int(rng.integers(len(tops)))) if seed % 2 else tops.pop(-len(tops) // 20)
        for child in rng.choice(8, rng.integers(1, 5), replace=False).tolist():
            cell = Cell(top.level + 1, top.code << 3 | child)
            tops += [cell] if cell.level < 20 else []
            chunks[cell] = Chunk(*rng.integers(1, 10**6, 3).tolist())
    holes = [cell for number, cell in enumerate(chunks) if number % 10 == 3]
    filled = {cell: chunk for cell, chunk in chunks.items() if cell not in holes}
    built = build_hierarchy(filled, 500)
    pages: list[int] = []
    data = bytes(500) + built.data
    limits = (560, len(data))
    entries = walk_pages(data, built.root_start, built.root_bytes, limits, pages)
    check_tree(entries)
    assert max(pages) <= most
    assert sum(pages) <= len(entries) + len(pages)
    found = {key: entry for key, entry in entries.items() if entry[2]}
    assert found == {c.key: (k.start, k.size, k.points) for c, k in filled.items()}


def test_cells_are_numbered_so_that_neighbours_in_number_share_parents():
    cells = [Cell(3, code) for code in range(512)]
    assert len({cell.key for cell in cells}) == 512
    assert {cell.above(1).key for cell in cells} == {(1, *p) for p in np.ndindex(2, 2, 2)}
    assert all(tuple(k // 2 for k in cell.key[1:]) == cell.above(2).key[1:] for cell in cells)
    assert common_level(Cell(3, 0o123), Cell(2, 0o12)) == 2
    assert common_level(Cell(3, 0o123), Cell(3, 0o172)) == 1
    assert flips(4) == 0o0707


@pytest.mark.parametrize("scales", [(0.01, 0.01, 0.01), (1e-7, 1e-7, 0.01), (0.3, 0.2, 0.1)])
def test_a_cube_is_a_cube_and_holds_its_box(scales):
    rng = np.random.default_rng(5)
    for _ in range(50):
        low, high = np.sort(rng.integers(-(2**31), 2**31, (2, 3)), axis=0)
        cube = Cube.around(low, high, scales)
        assert cube.covers(low, high)
        edges = cube.edge * scales
        np.testing.assert_allclose(edges, edges[0], rtol=1e-12)
        assert edges[0] <= max(1.07 * ((high - low + 4) * scales).max(), 200 * max(scales))
