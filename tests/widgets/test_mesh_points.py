"""Meshes as points: on their triangles, evenly, in the colours of their pictures."""

from __future__ import annotations

import numpy as np
import PIL.Image
import pytest

from cupixgeo.cloud.spatial_ref import dataset_crs
from cupixgeo.errors import CorruptFileError, EmptyCloudError
from cupixgeo.geodesy.crs import frame_name
from cupixgeo.widgets.mesh_points import finest, mesh_points, read_obj

SQUARE = """mtllib square.mtl
v 0 0 1
v 4 0 1
v 4 2 1
v 0 2 1
vt 0 0
vt 1 0
vt 1 1
vt 0 1
usemtl paint
f 1/1 2/2 3/3 4/4
"""


@pytest.fixture
def square(tmp_path):
    """A square of 4 x 2: red on the left, blue on the right, the upper half darker."""
    pixels = np.zeros((2, 2, 3), np.uint8)
    pixels[:, 0, 0], pixels[:, 1, 2] = (100, 200), (100, 200)
    PIL.Image.fromarray(pixels).save(tmp_path / "square.png")
    (tmp_path / "square.mtl").write_text("newmtl paint\nmap_Kd square.png\n")
    path = tmp_path / "square.obj"
    path.write_text(SQUARE)
    return path


def test_points_lie_evenly_on_the_triangles(square):
    cloud = mesh_points([square], "file:square.obj", samples=20_000)
    x, y, z = (cloud[axis].to_numpy() for axis in "xyz")
    assert abs(len(x) - 20_000) < 1000
    assert np.all(z == 1)
    counts, _, _ = np.histogram2d(x, y, bins=[8, 4], range=[[0, 4], [0, 2]])
    assert np.all(np.abs(counts - len(x) / 32) < 6 * np.sqrt(len(x) / 32))


def test_colours_are_those_of_the_picture_seen_from_its_lower_left(square):
    cloud = mesh_points([square], "file:square.obj", samples=4000)
    left, upper = cloud["x"] < 1.99, cloud["y"] > 1.01
    lower = cloud["y"] < 0.99
    assert np.all(cloud["red"].values[left & upper] == 100)
    assert np.all(cloud["red"].values[left & lower] == 200)
    assert np.all(cloud["blue"].values[~left & (cloud["x"] > 2.01) & lower] == 200)
    assert np.all(cloud["green"].values == 0)


def test_the_same_mesh_gives_the_same_points(square):
    first, second = (mesh_points([square], "file:square.obj", samples=500) for _ in range(2))
    assert first.identical(second)
    assert frame_name(dataset_crs(first)) == "file:square.obj"


def test_faces_may_be_counted_from_the_end_and_have_no_picture(tmp_path):
    path = tmp_path / "plain.obj"
    path.write_text("v 0 0 0\nv 1 0 0\nv 0 1 0\nf -3//1 -2//1 -1//1\n")
    (faces,) = read_obj(path)
    np.testing.assert_array_equal(faces.corners[0], [[0, 0, 0], [1, 0, 0], [0, 1, 0]])
    cloud = mesh_points([path], "file:plain.obj", samples=100)
    assert set(cloud["red"].values.tolist()) == {160}


def test_a_picture_outside_the_mesh_s_folder_is_not_read(square, tmp_path):
    inner = tmp_path / "inner"
    inner.mkdir()
    (inner / "square.obj").write_text(SQUARE)
    (inner / "square.mtl").write_text("newmtl paint\nmap_Kd ../square.png\n")
    (faces,) = read_obj(inner / "square.obj")
    assert faces.picture is None


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 9\n", CorruptFileError),
        ("v 0 0\nv 1 0 0\n", CorruptFileError),
        ("v a b c\n", CorruptFileError),
        ("v 0 0 0\n", EmptyCloudError),
        ("v 0 0 0\nv 0 0 0\nv 0 0 0\nf 1 2 3\n", EmptyCloudError),
    ],
)
def test_what_is_no_mesh_is_refused(tmp_path, text, error):
    path = tmp_path / "bad.obj"
    path.write_text(text)
    with pytest.raises(error):
        mesh_points([path], "file:bad.obj")


def test_the_finest_level_of_tiles_is_the_whole_mesh(tmp_path):
    names = ["tile_0_0_0.obj", "tile_1_0_0.obj", "tile_1_1_0.obj", "tile_1_1_0.jpg"]
    paths = [tmp_path / name for name in names]
    for path in paths:
        path.touch()
    assert finest(paths) == paths[1:3]
    (tmp_path / "large.obj").write_text("v 0 0 0\n")
    (tmp_path / "small.obj").touch()
    assert finest([tmp_path / "small.obj", tmp_path / "large.obj"]) == [tmp_path / "large.obj"]
    assert finest([]) == []
