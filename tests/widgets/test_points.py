"""Points on their way to a screen: packed within half a step, and each of them exactly once."""

import laspy
import numpy as np
import pytest

import cupixgeo as cx
from cupixgeo.errors import CrsError, EmptyCloudError
from cupixgeo.geodesy.crs import as_crs
from cupixgeo.widgets.points import STEPS, Frame, pack, step_m
from cupixgeo.widgets.points_memory import BLOCK_POINTS, MemoryCloud
from cupixgeo.widgets.points_octree import OctreeCloud
from tests.widgets.surveys import survey, xyz_of

SCAN = "data/brighton_beach/reference/model.laz"
COPC = "data/copc/brighton_beach.copc.laz"
METRES = np.ones(3)


def unpacked(data, box):
    """The way back, bit by bit: x in bits 0 to 20, y in 21 to 41, z in 42 to 62."""
    words = [int(word) for word in np.frombuffer(data, "<u8")]
    steps = np.array([[word >> shift & 0x1FFFFF for shift in (0, 21, 42)] for word in words])
    return box[0] + steps * (box[1] - box[0]) / STEPS


def loaded(dataset, **options):
    cloud = MemoryCloud("a", dataset, **{"max_points": 10**7, **options})
    cloud.load(["red", "green", "blue"])
    return cloud


def all_xyz(cloud, nodes):
    parts = [cloud.columns(node, "xyz") for node in nodes]
    return np.concatenate([np.stack([part[a] for a in "xyz"], axis=1) for part in parts])


def rows(xyz):
    return np.sort(np.ascontiguousarray(xyz).view("f8,f8,f8").ravel())


def test_packed_coordinates_are_within_half_a_step():
    dataset = survey(400)
    xyz = xyz_of(dataset)
    box = np.stack([xyz.min(axis=0), xyz.max(axis=0)])
    back = unpacked(pack({a: dataset[a].to_numpy() for a in "xyz"}, box), box)
    # float64 itself resolves 1e-9 m at five million metres
    assert np.abs(back - xyz).max() <= step_m(box, METRES) / 2 + 2e-9
    assert step_m(box, METRES) == pytest.approx(100 / 2**21, rel=0.01)


def test_what_is_outside_the_box_goes_to_its_edge_and_a_flat_box_stays_flat():
    box = np.array([[0.0, 0.0, 5.0], [1.0, 1.0, 5.0]])
    columns = {"x": np.array([-1.0, 2.0]), "y": np.array([0.5, 0.5]), "z": np.array([5.0, 9.0])}
    np.testing.assert_allclose(unpacked(pack(columns, box), box)[:, [0, 2]], [[0, 5], [1, 5]])


def test_a_frame_is_in_metres_whatever_the_unit_of_the_crs():
    box = np.array([[1_000_000.0, 500_000.0, 0.0], [1_000_300.0, 500_600.0, 90.0]])
    feet = Frame.around(as_crs(2263), box)  # New York, US survey feet
    size = feet.to_scene(box[1]) - feet.to_scene(box[0])
    np.testing.assert_allclose(size[:2], np.array([300, 600]) * 1200 / 3937)
    np.testing.assert_allclose(feet.to_crs(feet.to_scene(box)), box, atol=1e-9)


def test_degrees_are_refused_with_the_utm_zone_to_use():
    with pytest.raises(CrsError, match=r"degrees are not metres.*to_crs\(32615\)"):
        Frame.around(as_crs(4326), np.array([[-92.0, 46.8, 0.0], [-91.99, 46.81, 9.0]]))
    with pytest.raises(CrsError, match="geocentric"):
        Frame.around(as_crs(4978), np.zeros((2, 3)))


def test_blocks_hold_every_point_exactly_once(monkeypatch):
    monkeypatch.setattr("cupixgeo.widgets.points_memory.BLOCK_POINTS", 700)
    dataset = survey(5_003)
    cloud = loaded(dataset)
    blocks = cloud.describe()["blocks"]
    assert blocks == 8
    np.testing.assert_array_equal(rows(all_xyz(cloud, range(blocks))), rows(xyz_of(dataset)))


def test_any_number_of_blocks_is_an_even_sample(monkeypatch):
    """Also where a scanner's pattern repeats with the number of blocks."""
    monkeypatch.setattr("cupixgeo.widgets.points_memory.BLOCK_POINTS", 1_000)
    dataset = survey(20_000)
    dataset["x"] = ("point", 576_600.0 + np.arange(20_000) % 20)
    cloud = loaded(dataset)
    first = all_xyz(cloud, range(4))
    counts = np.bincount((first[:, 0] - 576_600).astype(int), minlength=20)
    assert len(first) == 4_000
    assert counts.min() > 150
    assert counts.max() < 250
    stripes = np.histogram(first[:, 1] - 5_188_000, np.linspace(0, 100, 11))[0]
    assert np.abs(stripes - 400).max() < 60


def test_a_cloud_too_large_is_thinned_evenly_and_says_so():
    dataset = survey(10_000)
    cloud = loaded(dataset, max_points=3_000)
    xyz = all_xyz(cloud, [0])
    assert 2_000 < len(xyz) <= 3_000
    assert np.isin(rows(xyz), rows(xyz_of(dataset))).all()
    assert np.diff(np.sort(xyz[:, 1])).max() < 0.5
    assert "2,500 of 10,000 points are shown" in cloud.note


@pytest.mark.parametrize("options", [{}, {"max_points": 900}])
def test_the_point_that_is_looked_up_is_the_one_that_was_sent(options):
    dataset = survey(5_000)
    dataset["y"][::7] = np.nan
    cloud = loaded(dataset, **options)
    sent = all_xyz(cloud, [0])
    for index in (0, 11, len(sent) - 1):
        exact = cloud.exact(0, index)
        np.testing.assert_array_equal([exact[a] for a in "xyz"], sent[index])
        same = np.flatnonzero((xyz_of(dataset) == sent[index]).all(axis=1))
        assert exact["intensity"] == dataset["intensity"].to_numpy()[same[0]]


def test_points_without_coordinates_are_left_out_and_counted():
    dataset = survey(1_000)
    dataset["x"][10:30] = np.nan
    dataset["z"][500] = np.inf
    cloud = loaded(dataset)
    assert len(all_xyz(cloud, [0])) == 979
    assert "21 of 1,000 points have no finite coordinates" in cloud.note
    assert np.isfinite(cloud.box).all()
    assert len(cloud.columns(0, ["quality"])["quality"]) == 979


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda d: d.isel(point=slice(0, 0)), "no points"),
        (lambda d: d.assign_coords(x=d.x * np.nan), "none of its 50 points has finite"),
    ],
)
def test_a_cloud_without_usable_points_is_refused(spoil, words):
    with pytest.raises(EmptyCloudError, match=words):
        loaded(spoil(survey(50)))


def test_a_file_is_read_as_laspy_reads_it():
    cloud = MemoryCloud("scan", cx.open(SCAN), max_points=100_000)
    cloud.load(["red"])
    scan = laspy.read(SCAN)
    sent = all_xyz(cloud, [0])
    assert len(sent) <= BLOCK_POINTS
    assert np.isin(sent[:, 2], scan.z).all()
    where = np.flatnonzero((np.abs(scan.xyz - sent[700]) < 1e-6).all(axis=1))
    assert cloud.columns(0, ["red"])["red"][700] in scan.red[where]
    assert cloud.exact(0, 700)["green"] in scan.green[where]


def test_nodes_of_an_octree_hold_what_laspy_finds_in_them():
    cloud = OctreeCloud("copc", COPC)
    table = np.frombuffer(cloud.table(), "<i4").reshape(-1, 5)
    with laspy.CopcReader.open(COPC) as reader:
        everything = reader.query()
        coarsest = reader.query(level=0)
    assert table[:, 4].sum() == len(everything) == cloud.point_count
    root = int(np.flatnonzero(table[:, 0] == 0)[0])
    columns = cloud.columns(root, ["x", "y", "z", "intensity"])
    np.testing.assert_allclose(np.sort(columns["x"]), np.sort(coarsest.x), atol=1e-9)
    exact = cloud.exact(root, 5)
    assert (exact["x"], exact["y"]) == (columns["x"][5], columns["y"][5])
    parts = [cloud.columns(node, "xyz") for node in range(len(table))]
    for node, part in enumerate(parts):
        low, high = cloud.node_box(node)
        for axis, name in enumerate("xyz"):
            assert part[name].min() >= low[axis] - 1e-6
            assert part[name].max() <= high[axis] + 1e-6
    np.testing.assert_allclose(
        np.sort(np.concatenate([part["z"] for part in parts])), np.sort(everything.z), atol=1e-9
    )


def test_an_octree_without_points_is_refused(tmp_path):
    from tests.widgets.bigcopc import write_town

    town = write_town(tmp_path / "town.copc.laz", deepest=1)
    data = bytearray(town.path.read_bytes())
    evlr = int.from_bytes(data[235:243], "little") + 60
    for entry in range(town.nodes):
        at = evlr + 32 * entry + 28
        data[at : at + 4] = bytes(4)
    town.path.write_bytes(data)
    with pytest.raises(EmptyCloudError, match="no points"):
        OctreeCloud("town", town.path)
