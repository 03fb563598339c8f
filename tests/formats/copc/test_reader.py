"""COPC files (written by copclib) read whole and in part, as laspy's own COPC reader reads them."""

import struct
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import laspy
import numpy as np
import pytest
from laspy.copc import Bounds
from numpy.testing import assert_array_equal

from cupixgeo.errors import CloudError, CorruptFileError, FormatError
from cupixgeo.formats.copc.reader import CopcNodes, CopcReader
from cupixgeo.formats.registry import open_cloud, open_reader
from tests.formats.lasfiles import REAL

COPC = Path(__file__).parents[3] / "data" / "copc" / "brighton_beach.copc.laz"
BOX = np.array([[576_700.0, 5_188_150.0], [576_715.0, 5_188_170.0]])


def in_order(records):
    return np.sort(records, order=["X", "Y", "Z"])


def records(reader):
    return np.concatenate([block.record for block in reader.blocks(1000)])


def test_a_whole_file_reads_as_laspy_reads_it():
    with open_reader(COPC) as reader:
        assert reader.info.format == "COPC"
        assert reader.info.chunk_size is None
        assert reader.info.crs.to_epsg() == 32615
        assert_array_equal(records(reader), laspy.read(COPC).points.array)


@pytest.mark.parametrize("spacing", [10.0, 8.0, 5.0, 4.0, 3.0, 0.1])
def test_a_coarser_version_holds_the_points_laspy_finds(spacing):
    with laspy.CopcReader.open(COPC) as independent:
        expected = independent.query(resolution=spacing).array
    with CopcReader(COPC, spacing=spacing) as reader:
        assert reader.info.point_count == len(expected)
        assert_array_equal(in_order(records(reader)), in_order(expected))


def test_an_area_holds_the_points_laspy_finds():
    with laspy.CopcReader.open(COPC) as independent:
        expected = independent.query(bounds=Bounds(*BOX))
    with open_cloud(COPC, bounds=BOX) as part:
        assert_array_equal(np.sort(part.x), np.sort(expected.x))
    assert len(expected.x) > 100


def test_bounds_are_those_of_the_selected_points():
    with CopcReader(COPC, bounds=BOX.ravel(), spacing=4.0) as reader:
        xyz = np.concatenate([block.xyz for block in reader.blocks()])
        assert_array_equal(reader.bounds(), [xyz.min(axis=0), xyz.max(axis=0)])


def test_an_area_without_points_is_empty():
    with open_cloud(COPC, bounds=(5e5, 5e6, 5e5 + 1, 5e6 + 1)) as part:
        assert part.sizes["point"] == 0


def test_other_laz_files_are_refused():
    with pytest.raises(FormatError, match=r"LAZ but not COPC.*cupixgeo\.open"):
        CopcReader(REAL)


@pytest.mark.parametrize("bounds", [(1, 2, 3), (5, 5, 0, 0), [[1, 2, 3, 4], [5, 6, 7, 8]]])
def test_what_is_no_box_is_refused(bounds):
    with pytest.raises(CloudError, match=r"no box|no inside"):
        CopcReader(COPC, bounds=bounds)


def test_a_spacing_of_zero_is_refused():
    with pytest.raises(CloudError, match="more than 0"):
        CopcReader(COPC, spacing=0.0)


@pytest.mark.parametrize(
    ("place", "value", "words"),
    [
        ("page start", 2**50, "has a page"),
        ("page size", 2**62, "has a page"),
        ("cell start", 17, "that is not a chunk"),
        ("cell page", None, "has a page"),
        ("half size", -1.0, "without size"),
        ("half size", 1e300, "without size"),
        ("spacing", np.nan, "without size"),
        ("cell level", 32, "a cell 32-0-0-0"),
        ("cell level", -(2**31), "a cell -2147483648-0-0-0"),
        ("cell place", 1, "a cell 0-1-0-0"),
        ("cell points", -2, "of -2 points"),
        ("cell points", 2**31 - 1, "that is not a chunk"),
        ("cell twice", None, "a cell twice"),
        ("page within a page", None, "has a page"),
    ],
)
def test_an_octree_that_lies_is_an_error(tmp_path, place, value, words):
    path = tmp_path / "lying.copc.laz"
    data = bytearray(COPC.read_bytes())
    info = 375 + 54
    page = struct.unpack_from("<Q", data, info + 40)[0]
    match place:
        case "page start":
            struct.pack_into("<Q", data, info + 40, value)
        case "page size":
            struct.pack_into("<Q", data, info + 48, value)
        case "half size":
            struct.pack_into("<d", data, info + 24, value)
        case "spacing":
            struct.pack_into("<d", data, info + 32, value)
        case "cell level":
            struct.pack_into("<i", data, page, value)
        case "cell place":
            struct.pack_into("<i", data, page + 4, value)
        case "cell points":
            struct.pack_into("<i", data, page + 28, value)
        case "cell twice":
            data[page + 32 : page + 64] = data[page : page + 32]
        case "page within a page":  # pages that overlap could be listed without end
            size = struct.unpack_from("<Q", data, info + 48)[0]
            for entry in range(1, size // 32):
                at = page + 32 * entry
                struct.pack_into("<4iQ2i", data, at, 1, 0, 0, 0, entry, len(data) - 10, -1)
        case "cell start":
            struct.pack_into("<Q", data, page + 16, value)
        case "cell page":  # a page that is its own sub-page
            struct.pack_into("<Q2i", data, page + 16, page, 32, -1)
    path.write_bytes(data)
    with pytest.raises(CorruptFileError, match=words):
        CopcReader(path)


# -- cell by cell ----------------------------------------------------------------------------------


@pytest.mark.parametrize("level", [0, 1, 2])
def test_the_cells_of_a_level_hold_the_points_laspy_finds(level):
    with laspy.CopcReader.open(COPC) as independent:
        expected = independent.query(level=level).array
    with CopcNodes(COPC) as nodes:
        rows = np.flatnonzero(nodes.nodes.key[:, 0] == level)
        blocks = [nodes.read(nodes.nodes.key[row]) for row in rows]
        assert [len(block) for block in blocks] == nodes.nodes.points[rows].tolist()
        found = np.concatenate([block.record for block in blocks])
        assert_array_equal(in_order(found), in_order(expected))
        for row, block in zip(rows, blocks, strict=True):
            assert (block.xyz >= nodes.nodes.low[row] - 0.001).all()
            assert (block.xyz <= nodes.nodes.high[row] + 0.001).all()


def test_a_cell_is_an_eighth_of_the_one_above():
    with CopcNodes(COPC) as nodes:
        octree, table = nodes.octree, nodes.nodes
        assert octree.spacing == 8.0
        assert nodes.crs.to_epsg() == 32615
        assert nodes.info.point_count == table.points.sum() == 15_674
        sides = octree.size / 2.0 ** table.key[:, 0]
        np.testing.assert_allclose(table.high - table.low, sides[:, None] * np.ones(3), atol=1e-6)
        assert_array_equal(table.low[0], octree.low)


def test_cells_are_read_by_many_threads_at_once():
    with CopcNodes(COPC) as nodes:
        keys = nodes.nodes.key.tolist() * 4
        expected = [nodes.read(key).xyz.sum() for key in keys]
        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(lambda key: nodes.read(key, ()).xyz.sum(), keys))
        assert found == expected


def test_a_cell_or_an_attribute_that_is_not_there_is_refused():
    with CopcNodes(COPC) as nodes:
        with pytest.raises(CloudError, match=r"no points in cell \(3, 9, 9, 9\)"):
            nodes.read((3, 9, 9, 9))
        with pytest.raises(CloudError, match="no attribute 'colour'"):
            nodes.read((0, 0, 0, 0), ["colour"])
