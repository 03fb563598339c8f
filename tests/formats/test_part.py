"""Part of a file: the points an independent reader finds there, in the file's order."""

import pickle

import laspy
import numpy as np
import pytest
import xarray as xr
from laspy.copc import Bounds
from matplotlib.path import Path as MatplotlibPath
from numpy.testing import assert_array_equal

import cupixgeo as cx
from cupixgeo.errors import CloudError, CorruptFileError
from cupixgeo.formats.copc.reader import CopcReader
from cupixgeo.formats.part import find_kept
from cupixgeo.formats.registry import open_cloud, open_reader
from cupixgeo.formats.xarray_engine import CupixGeoBackend
from tests.formats.copc.test_reader import COPC
from tests.formats.lasfiles import REAL

BOX = (576_700.0, 5_188_150.0, 576_715.0, 5_188_170.0)
RING = np.array(
    [
        (576_690.0, 5_188_140.0),
        (576_730.0, 5_188_145.0),
        (576_712.5, 5_188_160.5),
        (576_700, 5_188_190),
    ]
)


@pytest.fixture(scope="module")
def whole() -> laspy.LasData:
    return laspy.read(REAL)


@pytest.fixture(scope="module")
def files(whole, tmp_path_factory):
    """The real scan's every tenth point as LAS, LAZ of formats 2 and 7, and PLY."""
    folder = tmp_path_factory.mktemp("parts")
    whole.points = whole.points[::10]
    formats = {"old.las": 2, "old.laz": 2, "new.laz": 7, "new.las": 7}
    for name, point_format in formats.items():
        laspy.convert(whole, point_format_id=point_format).write(folder / name)
    with open_cloud(folder / "old.las") as cloud:
        cloud.cloud.write(folder / "cloud.ply")
    return folder


def columns(las):
    return np.asarray(las.x), np.asarray(las.y), np.asarray(las.z)


def in_box(las, box=BOX):
    x, y, _ = columns(las)
    return (x >= box[0]) & (x <= box[2]) & (y >= box[1]) & (y <= box[3])


def in_ring(las):
    x, y, _ = columns(las)
    return MatplotlibPath(RING).contains_points(np.stack([x, y], axis=1))


NAMES = ["old.las", "old.laz", "new.laz", "new.las", "cloud.ply"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("area", [BOX, RING], ids=["box", "polygon"])
def test_an_area_holds_the_points_of_the_whole_file_that_are_in_it(files, whole, name, area):
    expected = whole.points.array[in_box(whole) if area is BOX else in_ring(whole)]
    assert 1000 < len(expected) < len(whole.points) / 2
    with open_cloud(files / name, bounds=area, crs=32615) as part:
        assert part.sizes["point"] == len(expected)
        for axis, stored in zip("xyz", "XYZ", strict=True):
            steps = (part[axis] - whole.header.offsets["xyz".index(axis)]) / 0.001
            if whole.header.scales[0] == 0.001:
                assert_array_equal(np.rint(steps), expected[stored])
        red = part.red.to_numpy()
        assert_array_equal(red, expected["red"])
        assert_array_equal(part.red[100:900:7].to_numpy(), red[100:900:7])
        assert part.cloud.bounds[0, 0] >= 576_690.0


@pytest.mark.parametrize("name", NAMES)
def test_a_part_is_what_cropping_the_whole_gives(files, name):
    with open_cloud(files / name, crs=32615) as cloud:
        for area in (BOX, RING):
            with open_cloud(files / name, crs=32615, bounds=area) as part:
                assert part.drop_attrs().equals(cloud.cloud.crop(area).drop_attrs())


@pytest.mark.parametrize("name", NAMES)
def test_a_spacing_keeps_the_points_thinning_keeps(files, name):
    with (
        open_cloud(files / name, crs=32615) as cloud,
        open_cloud(files / name, crs=32615, spacing_m=0.5) as part,
    ):
        thinned = cloud.cloud.thin(0.5)
        assert 1000 < part.sizes["point"] < cloud.sizes["point"] / 2
        for axis in "xyz":
            assert_array_equal(part[axis], thinned[axis])


@pytest.mark.parametrize("spacing", [None, 8.0, 4.0, 1.0])
def test_a_copc_file_gives_the_points_laspy_finds(spacing):
    corners = np.reshape(BOX, (2, 2))
    with laspy.CopcReader.open(COPC) as independent:
        expected = independent.query(bounds=Bounds(*corners), resolution=spacing)
    with open_cloud(COPC, bounds=BOX, spacing_m=spacing) as part:
        found = np.stack([part[axis].to_numpy() for axis in "xyz"])
        order, known = np.lexsort(found), np.lexsort(np.stack([expected.x, expected.y, expected.z]))
        assert len(order) > 5
        assert_array_equal(found[0, order], np.asarray(expected.x)[known])
        assert_array_equal(part.red.to_numpy()[order], np.asarray(expected.red)[known])


def test_cells_inside_the_area_are_not_looked_at(monkeypatch):
    low, high = [576_665.0, 5_188_111.0, -9.0], [576_720.0, 5_188_220.0, 999.0]
    with CopcReader(COPC, bounds=[low, high]) as reader:
        looked_at = []
        plain = CopcReader.blocks
        monkeypatch.setattr(
            CopcReader,
            "blocks",
            lambda self, *args, start=0, stop=None, columns=None: (
                looked_at.append(stop - start)
                or plain(self, *args, start=start, stop=stop, columns=columns)
            ),
        )
        from cupixgeo.formats.extent import read_area

        area = read_area([low, high])
        covered = area.covers(reader.cells.low, reader.cells.high)
        kept = find_kept(reader, area, covered=covered)
        assert covered.any()
        assert sum(looked_at) == reader.info.point_count - reader.cells.points[covered].sum()
        every = find_kept(reader, area)
        assert_array_equal(kept.counts, every.counts)


def test_a_cell_with_points_outside_it_is_an_error(tmp_path):
    data = bytearray(COPC.read_bytes())
    true, false = (np.array(key, "<i4").tobytes() for key in ((2, 3, 3, 1), (2, 2, 2, 0)))
    at = data.rfind(true)
    data[at : at + 16] = false
    path = tmp_path / "lying.copc.laz"
    path.write_bytes(data)
    with CopcReader(path) as reader:
        row = reader.cells.key.tolist().index([2, 2, 2, 0])
        area = np.stack([reader.cells.low[row] - 1, reader.cells.high[row] + 1])
    with open_cloud(path, bounds=area) as part, pytest.raises(CorruptFileError, match="outside"):
        part.x.to_numpy()


def test_a_part_is_chosen_once_and_travels(files, monkeypatch):
    with open_cloud(files / "new.laz", bounds=RING, spacing_m=0.3) as part:
        expected = part.z.to_numpy()
        copy = pickle.dumps(part)
    monkeypatch.setattr("cupixgeo.formats.parting.find_kept", None)
    assert_array_equal(pickle.loads(copy).z, expected)
    again = part.z[5:50].to_numpy()  # opened again after it was closed
    assert_array_equal(again, expected[5:50])


def test_a_file_replaced_since_its_part_was_chosen_is_refused(files, tmp_path):
    path = tmp_path / "scan.laz"
    path.write_bytes((files / "new.laz").read_bytes())
    part = open_cloud(path, bounds=BOX)
    part.close()
    path.write_bytes((files / "old.laz").read_bytes())
    with pytest.raises(CloudError, match="has changed since"):
        part.x.to_numpy()


def test_the_engine_takes_the_same_options(files):
    path = files / "new.laz"
    with open_cloud(path, bounds=BOX, spacing_m=0.5) as part:
        with xr.open_dataset(
            path, engine=CupixGeoBackend, bounds=BOX, spacing_m=0.5, chunks={}
        ) as lazy:
            assert lazy.chunks
            assert lazy.chunk(point=500).compute().equals(part)
            assert lazy.compute().equals(part)
        assert part.attrs["history"] == (
            "opened in part: points within (576700, 5188150) to (576715, 5188170), 0.5 m apart"
        )
        moved = part.cloud.to_crs(32616)
        assert moved.attrs["history"].startswith("opened in part")


def test_the_root_function_takes_them_too(files):
    with cx.open(files / "new.laz", bounds=BOX) as part:
        assert part.attrs["point_format"] == 7
        assert part.cloud.bounds.shape == (2, 3)


def test_an_area_beside_the_file_is_empty(files):
    for name in NAMES:
        with open_cloud(files / name, crs=32615, bounds=(5e5, 5e6, 5e5 + 1, 5e6 + 1)) as part:
            assert part.sizes["point"] == 0
            assert part.red.to_numpy().shape == (0,)


@pytest.mark.parametrize("name", NAMES)
def test_degrees_are_refused_for_a_file_in_metres(files, name):
    with pytest.raises(CloudError, match="longitude and latitude"):
        open_cloud(files / name, crs=32615, bounds=(-92.1, 46.8, -91.9, 46.9))


@pytest.mark.parametrize("spacing", [0, -1, np.nan, np.inf])
def test_what_is_no_spacing_is_refused(spacing):
    with pytest.raises(CloudError, match="more than 0"):
        open_cloud(COPC, spacing_m=spacing)


def test_a_spacing_in_metres_is_refused_in_degrees():
    with pytest.raises(CloudError, match="in degrees"):
        open_cloud(COPC, spacing_m=1.0, crs=4326)


def test_a_spacing_is_in_metres_whatever_the_unit_of_the_crs():
    feet = "EPSG:26847"  # NAD83 / Minnesota North, US survey foot
    with (
        open_cloud(COPC, spacing_m=8.0 * 1200 / 3937, crs=feet) as part,
        CopcReader(COPC, spacing=8.0) as reader,
    ):
        assert part.sizes["point"] == reader.info.point_count
    with open_reader(COPC) as reader:
        assert reader.info.point_count > part.sizes["point"]
