"""A virtual point cloud is its files, one behind the other."""

from __future__ import annotations

import json
import pickle

import laspy
import numpy as np
import pytest

import cupixgeo as cx
from cupixgeo.errors import (
    ArgumentError,
    CloudError,
    CorruptFileError,
    FormatError,
    NotFoundError,
)
from cupixgeo.formats.registry import open_reader
from tests.formats.ranged import RangedFile, serve, serve_folder
from tests.net.conftest import Reply, Server
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


def test_of_an_area_only_its_files_are_merged(virtual, clouds, tmp_path):
    box = (UTM50[0] + 90, UTM50[1], UTM50[0] + 150, UTM50[1] + 40)
    cx.merge(clouds, tmp_path / "files.laz", bounds=box)
    clouds[2].write_bytes(b"not even a cloud")
    report = cx.merge([virtual], tmp_path / "virtual.laz", bounds=box)
    one, other = (laspy.read(tmp_path / name) for name in ("files.laz", "virtual.laz"))
    np.testing.assert_array_equal(one.points.array, other.points.array)
    assert report.removed == {"outside": 1203 - len(one)}


def test_files_without_a_box_are_merged_whatever_the_area(clouds, tmp_path):
    flat = [UTM50[0] + 200, UTM50[1], UTM50[0] + 300, UTM50[1] + 80]
    items = [item("./a.laz", 400), item("./b.las", 401), item("./c.laz", 402, flat)]
    path = write_vpc(tmp_path / "some.vpc", items)
    box = (UTM50[0] + 90, UTM50[1], UTM50[0] + 250, UTM50[1] + 40)
    cx.merge([path], tmp_path / "virtual.laz", bounds=box)
    cx.merge(clouds, tmp_path / "files.laz", bounds=box)
    one, other = (laspy.read(tmp_path / name) for name in ("files.laz", "virtual.laz"))
    np.testing.assert_array_equal(one.points.array, other.points.array)


def test_a_catalogue_of_itself_is_refused(clouds, tmp_path):
    path = write_vpc(tmp_path / "x.vpc", [item("./a.laz", 400), item("./x.vpc", 400)])
    with pytest.raises(FormatError, match=r"x\.vpc.*looks like one itself"):
        cx.open(path).x.to_numpy()
    with pytest.raises(FormatError, match=r"x\.vpc.*looks like one itself"):
        cx.open(path, spacing_m=1.0)
    write_vpc(path, [item("./x.vpc", 400)])
    with pytest.raises(FormatError, match=r"x\.vpc.*looks like one itself"):
        cx.open(path)


# -- behind an address -----------------------------------------------------------------------------


@pytest.fixture
def server():
    server = Server()
    yield server
    server.close()


@pytest.fixture
def other_server():
    server = Server()
    yield server
    server.close()


def test_a_catalogue_behind_an_address_names_files_beside_itself(server, virtual, clouds):
    folder = serve_folder(server, [virtual, *clouds])
    with cx.open(f"{server.url}/all.vpc") as there, cx.open(virtual) as here:
        assert there.equals(here)
        assert there.attrs["source"] == "all.vpc"
    served = folder.files["c.laz"].served
    box = (UTM50[0] + 90, UTM50[1], UTM50[0] + 150, UTM50[1] + 40)
    with (
        cx.open(f"{server.url}/all.vpc", bounds=box) as there,
        cx.open(virtual, bounds=box) as here,
    ):
        assert there.sizes["point"] > 10
        assert there.equals(here)
    assert folder.files["c.laz"].served == served


def test_it_is_merged_like_the_files(server, virtual, clouds, tmp_path):
    serve_folder(server, [virtual, *clouds])
    cx.merge([f"{server.url}/all.vpc"], tmp_path / "there.laz", crs=32651)
    cx.merge(clouds, tmp_path / "here.laz", crs=32651)
    one, other = (laspy.read(tmp_path / name) for name in ("here.laz", "there.laz"))
    np.testing.assert_array_equal(one.points.array, other.points.array)


def test_a_tiled_merge_can_be_published_and_opened(server, clouds, tmp_path):
    report = cx.merge(clouds, tmp_path / "tiles", tile_m=40)
    serve_folder(server, list((tmp_path / "tiles").iterdir()))
    url, box = f"{server.url}/index.vpc", (UTM50[0] + 90, UTM50[1], UTM50[0] + 150, UTM50[1] + 40)
    with cx.open(url, bounds=box) as part, cx.open(url) as whole:
        assert 10 < part.sizes["point"] < report.points_kept == whole.sizes["point"]


def test_names_are_resolved_as_addresses_are(server, clouds, tmp_path):
    plain = {path.name: RangedFile(path.read_bytes()) for path in clouds}
    page = item("../up%20here/a.laz", 400), item("/b.las?v=2", 401), item("c.laz", 402)
    catalogue = write_vpc(tmp_path / "x.vpc", list(page))
    places = {
        "/one/two/x.vpc?sig=1": RangedFile(catalogue.read_bytes()),
        "/one/up%20here/a.laz": plain["a.laz"],
        "/b.las?v=2": plain["b.las"],
        "/one/two/c.laz": plain["c.laz"],
    }
    server.answer = lambda seen: places[seen.path](seen) if seen.path in places else Reply(404)
    with cx.open(f"{server.url}/one/two/x.vpc?sig=1") as cloud:
        assert len(cloud.x.to_numpy()) == 1203
    assert not any("sig=1" in seen.path for seen in server.seen if ".vpc" not in seen.path)


def test_another_server_is_asked_only_where_it_is_named_and_gets_no_key(
    server, other_server, clouds, tmp_path
):
    serve_folder(other_server, clouds[:1])
    path = write_vpc(tmp_path / "x.vpc", [item(f"{other_server.url}/a.laz?own=1", 400)])
    serve_folder(server, [path])
    with cx.open(f"{server.url}/x.vpc?X-Signature=abcdef0123") as cloud:
        assert len(cloud.x.to_numpy()) == 400
        assert "abcdef" not in repr(cloud) + str(cloud.encoding)
    assert other_server.seen
    for seen in other_server.seen:
        assert seen.path == "/a.laz?own=1"
        assert set(seen.headers) <= ALLOWED_HEADERS


ALLOWED_HEADERS = {
    "host",
    "user-agent",
    "accept",
    "accept-encoding",
    "range",
    "if-range",
    "connection",
}


@pytest.mark.parametrize(
    ("href", "words"),
    [
        ("//{host}/a.laz?key=secret", "is on another server"),
        (" http://{host}/a.laz", "is on another server"),
        ("file:///etc/passwd", "not an http or https address"),
        ("s3://me:secret@bucket/a.laz?key=secret", "not an http or https address"),
        ("http:///a.laz", "not an http or https address"),
        ("https://me:secret@127.0.0.1/a.laz", "holds a user name"),
        ("//[::1/a.laz", "cannot be read as an address"),
    ],
)
def test_names_that_lead_elsewhere_are_refused(server, other_server, tmp_path, href, words):
    host = other_server.url.removeprefix("http://")
    path = write_vpc(tmp_path / "x.vpc", [item(href.format(host=host), 400)])
    serve_folder(server, [path])
    with pytest.raises((FormatError, ArgumentError), match=words) as caught:
        cx.open(f"{server.url}/x.vpc")
    assert "secret" not in str(caught.value)
    assert not other_server.seen


def test_a_file_it_names_that_is_not_there_is_named(server, virtual, clouds):
    serve_folder(server, [virtual, *clouds[1:]])
    with pytest.raises(NotFoundError, match=r"/a\.laz answers 404"):
        cx.open(f"{server.url}/all.vpc")


def test_a_large_catalogue_is_fetched_side_by_side(server, clouds, tmp_path):
    items = [item(f"./{number}.laz", 0, padding="x" * 1000) for number in range(3000)]
    path = write_vpc(tmp_path / "x.vpc", [item("./a.laz", 400), *items])
    folder = serve_folder(server, [path, *clouds])
    with cx.open(f"{server.url}/x.vpc") as cloud:
        assert cloud.sizes["point"] == 400
    assert len(folder.files["x.vpc"].ranges) < 6
