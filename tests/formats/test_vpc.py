"""A virtual point cloud is its files, one behind the other."""

from __future__ import annotations

import json
import pickle

import laspy
import numpy as np
import pytest

import cupixgeo as cx
from cupixgeo.errors import CloudError, CorruptFileError, FormatError
from cupixgeo.formats.registry import open_reader
from tests.formats.ranged import serve
from tests.net.conftest import Server
from tests.pipeline.clouds import UTM50, box_of_points, write_las


def item(name, points, box=None, **properties):
    if box is not None:
        properties["proj:bbox"] = np.ravel(box).tolist()
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "properties": {"pc:count": points, **properties},
        "assets": {"data": {"href": name}},
    }


def write_vpc(path, items, indent=None):
    separators = (",", ":") if indent is None else None
    content = {"type": "FeatureCollection", "features": items}
    path.write_text(json.dumps(content, indent=indent, separators=separators))
    return path


@pytest.fixture
def clouds(tmp_path):
    """Three files side by side: LAZ, LAS and LAZ."""
    paths = []
    for number, name in enumerate(["a.laz", "b.las", "c.laz"]):
        place = (UTM50[0] + 100 * number, UTM50[1], UTM50[2])
        points = box_of_points(400 + number, origin=place, seed=number)
        paths.append(write_las(tmp_path / name, points, crs=32650, seed=number))
    return paths


@pytest.fixture
def virtual(clouds, tmp_path):
    items = []
    for path in clouds:
        las = laspy.read(path)
        box = [las.xyz.min(axis=0), las.xyz.max(axis=0)]
        items.append(item(f"./{path.name}", len(las), box))
    return write_vpc(tmp_path / "all.vpc", items)


def test_its_points_are_those_of_its_files(virtual, clouds):
    with open_reader(virtual) as reader:
        xyz = np.concatenate([block.xyz for block in reader.blocks(150)])
        intensity = np.concatenate([b.column("intensity") for b in reader.blocks(150)])
        bounds = reader.bounds()
    files = [laspy.read(path) for path in clouds]
    expected = np.concatenate([las.xyz for las in files])
    np.testing.assert_array_equal(xyz, expected)
    np.testing.assert_array_equal(intensity, np.concatenate([las.intensity for las in files]))
    np.testing.assert_array_equal(bounds, [expected.min(axis=0), expected.max(axis=0)])
    assert (reader.info.format, reader.info.point_count) == ("VPC", 1203)


@pytest.mark.parametrize(("start", "stop"), [(0, 10), (390, 410), (399, 1203), (801, 802), (5, 5)])
def test_any_range_of_points_can_be_read(virtual, clouds, start, stop):
    expected = np.concatenate([laspy.read(path).xyz for path in clouds])[start:stop]
    with open_reader(virtual) as reader:
        blocks = [block.xyz for block in reader.blocks(7, start=start, stop=stop)]
    np.testing.assert_array_equal(np.concatenate([np.empty((0, 3)), *blocks]), expected)


def test_it_opens_as_one_dataset(virtual, clouds):
    expected = np.concatenate([laspy.read(path).xyz for path in clouds])
    dataset = cx.open(virtual)
    np.testing.assert_array_equal(dataset.x, expected[:, 0])
    assert dataset.cloud.crs.to_epsg() == 32650
    again = pickle.loads(pickle.dumps(dataset))
    np.testing.assert_array_equal(again.z, expected[:, 2])


def test_of_an_area_only_its_files_are_opened(virtual, clouds):
    clouds[2].write_bytes(b"not even a cloud")
    box = (UTM50[0] + 90, UTM50[1], UTM50[0] + 150, UTM50[1] + 40)
    part = cx.open(virtual, bounds=box)
    expected = np.concatenate([laspy.read(path).xyz for path in clouds[:2]])
    inside = (expected[:, :2] >= box[:2]).all(axis=1) & (expected[:, :2] <= box[2:]).all(axis=1)
    np.testing.assert_array_equal(part.x, expected[inside, 0])
    assert cx.open(virtual, bounds=(0, 4e6, 1e5, 4.1e6)).sizes["point"] == 0


def test_tiles_are_the_cloud_they_were_made_of(clouds, tmp_path):
    cx.merge(clouds, tmp_path / "tiles", tile_m=40)
    tiles = cx.open(tmp_path / "tiles" / "index.vpc")
    expected = np.concatenate([laspy.read(path).xyz for path in clouds])
    steps = [
        np.rint(xyz * 1000).astype(np.int64)
        for xyz in (np.column_stack([tiles.x, tiles.y, tiles.z]), expected)
    ]
    ordered = [s[np.lexsort(s.T)] for s in steps]
    np.testing.assert_array_equal(*ordered)


def test_it_can_be_merged_like_a_file(virtual, clouds, tmp_path):
    cx.merge(clouds, tmp_path / "files.laz", crs=32651, exact=True)
    cx.merge([virtual], tmp_path / "virtual.laz", crs=32651, exact=True)
    one, other = (laspy.read(tmp_path / name) for name in ("files.laz", "virtual.laz"))
    np.testing.assert_array_equal(one.points.array, other.points.array)
    report = cx.merge([virtual], tmp_path / "tiles", crs=32651, tile_m=37)
    assert report.points_kept == len(one)


def test_files_written_by_others_are_read(clouds, tmp_path):
    """Indented, with another key for the data, a flat box, and a file elsewhere."""
    other = item(str(clouds[1]), 401, [UTM50[0], UTM50[1], UTM50[0] + 300, UTM50[1] + 100])
    other["assets"] = {"laz": other["assets"]["data"]}
    path = write_vpc(tmp_path / "o.vpc", [other], indent=2)
    assert cx.open(path).sizes["point"] == 401
    box = (UTM50[0] + 100, UTM50[1], UTM50[0] + 150, UTM50[1] + 40)
    assert 0 < cx.open(path, bounds=box).sizes["point"] < 401


def test_files_behind_addresses_are_read_by_ranges(clouds, tmp_path):
    server = Server()
    url, file = serve(server, clouds[0], name="a.laz")
    path = write_vpc(tmp_path / "web.vpc", [item(url, 400)])
    dataset = cx.open(path)
    np.testing.assert_array_equal(dataset.x, laspy.read(clouds[0]).x)
    assert file.ranges
    dataset.close()
    server.close()


@pytest.mark.parametrize(
    ("content", "error", "words"),
    [
        ('{"type":"FeatureCollection"', CorruptFileError, "not whole JSON"),
        ('{"type":"FeatureCollection","features":[]}', FormatError, "lists no files"),
        ('{"type":"FeatureCollection","features":[{}]}', FormatError, "pc:count"),
        (
            '{"type":"FeatureCollection","features":[{"assets":{},"properties":{}}]}',
            FormatError,
            "pc:count",
        ),
        (
            '{"type":"FeatureCollection","features":[{"type":"Feature","geometry":null,'
            '"properties":{"name":"a lake"}}]}',
            FormatError,
            "not of point clouds",
        ),
    ],
    ids=["cut", "empty", "no item", "no asset", "GeoJSON"],
)
def test_other_json_is_refused(tmp_path, content, error, words):
    path = tmp_path / "x.vpc"
    path.write_text(content)
    with pytest.raises(error, match=words):
        cx.open(path)


@pytest.mark.parametrize(
    ("points", "box", "words"),
    [(-1, None, "-1 points"), ("many", None, "'many' points"), (3, [1, 2], "box")],
)
def test_an_item_that_makes_no_sense_is_refused(clouds, tmp_path, points, box, words):
    path = write_vpc(tmp_path / "x.vpc", [item("./a.laz", points, box)])
    with pytest.raises(CorruptFileError, match=words):
        cx.open(path)


def test_a_file_that_is_missing_is_named(clouds, virtual):
    clouds[0].unlink()
    with pytest.raises(CloudError, match=r"a\.laz"):
        cx.open(virtual)


def test_a_file_with_another_count_is_refused(clouds, virtual):
    write_las(clouds[1], box_of_points(17, origin=UTM50), crs=32650)
    with pytest.raises(CorruptFileError, match=r"b\.las.*401 points"):
        cx.open(virtual).x.to_numpy()


def test_files_that_do_not_fit_together_are_refused(clouds, tmp_path):
    plain = write_las(tmp_path / "plain.laz", box_of_points(9, origin=UTM50), point_format=6)
    path = write_vpc(tmp_path / "x.vpc", [item("./a.laz", 400), item(f"./{plain.name}", 9)])
    with pytest.raises(FormatError, match=r"plain\.laz.*cupixgeo\.merge"):
        cx.open(path).x.to_numpy()
