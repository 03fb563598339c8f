"""COPC files (written by copclib) read whole and in part, as laspy's own COPC reader reads them."""

import struct
from pathlib import Path

import laspy
import numpy as np
import pytest
from laspy.copc import Bounds
from numpy.testing import assert_array_equal

from cupixgeo.errors import CloudError, CorruptFileError, FormatError
from cupixgeo.formats.copc.reader import CopcReader, open_copc
from cupixgeo.formats.registry import open_reader
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


def test_an_area_cropped_holds_the_points_laspy_finds():
    with laspy.CopcReader.open(COPC) as independent:
        expected = independent.query(bounds=Bounds(*BOX))
    with open_copc(COPC, bounds=BOX) as part:
        assert part.sizes["point"] < 15_674
        exact = part.cloud.crop(BOX).compute()
    assert_array_equal(np.sort(exact.x), np.sort(expected.x))
    assert len(exact.x) > 100


def test_bounds_are_those_of_the_selected_points():
    with CopcReader(COPC, bounds=BOX.ravel(), spacing=4.0) as reader:
        xyz = np.concatenate([block.xyz for block in reader.blocks()])
        assert_array_equal(reader.bounds(), [xyz.min(axis=0), xyz.max(axis=0)])


def test_an_area_without_points_is_empty():
    with open_copc(COPC, bounds=(0, 0, 1, 1)) as part:
        assert part.sizes["point"] == 0


def test_other_laz_files_are_refused():
    with pytest.raises(FormatError, match=r"LAZ but not COPC.*crop"):
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
        case "cell start":
            struct.pack_into("<Q", data, page + 16, value)
        case "cell page":  # a page that is its own sub-page
            struct.pack_into("<Q2i", data, page + 16, page, 32, -1)
    path.write_bytes(data)
    with pytest.raises(CorruptFileError, match=words):
        CopcReader(path)
