"""Placements from JSON: each entry finds its file, and each mistake is named."""

import json

import numpy as np
import pytest

from cupixgeo.errors import MergeError
from cupixgeo.geodesy.crs import crs_label, frame_name
from cupixgeo.pipeline.placements import read_placements
from tests.pipeline.clouds import UTM50, box_of_points, write_las

MATRIX = [1, 0, 0, 5, 0, 1, 0, 6, 0, 0, 1, 7, 0, 0, 0, 1]
ENTRY = {"matrix": MATRIX, "source": None, "target": "EPSG:32650"}


@pytest.fixture
def files(tmp_path):
    (tmp_path / "west").mkdir()
    local = write_las(tmp_path / "west" / "a.laz", box_of_points(20, origin=(0, 0, 0)), crs=None)
    return [local, write_las(tmp_path / "b.laz", box_of_points(20, origin=UTM50), crs=32650)]


@pytest.fixture
def place(tmp_path, files):
    def read(content, inputs=files):
        path = tmp_path / "places.json"
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return read_placements(path, inputs)

    return read


def test_an_entry_is_found_by_path_and_by_name(place, files):
    for key in ("a.laz", str(files[0])):
        first, second = place({key: ENTRY})
        assert first.transform.matrix[:3, 3].tolist() == [5, 6, 7]
        assert crs_label(first.transform.target).startswith("EPSG:32650")
        assert second.transform is None
        assert second.path == files[1]


def test_sixteen_numbers_are_rows(place):
    matrix = np.array(MATRIX, float).reshape(4, 4)
    assert np.array_equal(place({"a.laz": ENTRY})[0].transform.matrix, matrix)


def test_source_null_is_the_frame_the_file_is_in(place):
    local, projected = place({"a.laz": ENTRY, "b.laz": ENTRY})
    assert frame_name(local.transform.source) == "file:a.laz"
    assert projected.transform.source.to_epsg() == 32650


def test_a_named_source_frame_is_taken(place):
    entry = ENTRY | {"source": "cupix:pointcloud/5310"}
    assert frame_name(place({"a.laz": entry})[0].transform.source) == "cupix:pointcloud/5310"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ({"c.laz": ENTRY}, r"'c\.laz', which is not among the inputs\. The nearest input is"),
        ({"a.laz": {**ENTRY, "matrx": 1}}, "'matrx' is not a key.*mean 'matrix'"),
        ({"a.laz": {"target": 32650}}, "the matrix is missing"),
        ({"a.laz": {"matrix": MATRIX}}, "the target is missing"),
        ({"a.laz": {**ENTRY, "matrix": MATRIX[:12]}}, "16 numbers, row by row; it is 12 values"),
        ({"a.laz": {**ENTRY, "matrix": ["1"] * 16}}, "16 numbers"),
        ({"a.laz": {**ENTRY, "matrix": "identity"}}, "it is 'identity'"),
        ({"a.laz": {**ENTRY, "matrix": [float("nan")] * 16}}, r"a\.laz.*nan"),
        ({"a.laz": {**ENTRY, "target": "EPSG:99999"}}, r"a\.laz.*99999"),
        ({"a.laz": [1, 2]}, "an entry is an object"),
        ([ENTRY], "hold a list"),
        ("{", "are not JSON"),
        ('{"a.laz": {}, "a.laz": {}}', "'a.laz' stands there twice"),
    ],
)
def test_mistakes_are_named(place, content, told):
    with pytest.raises(MergeError, match=told):
        place(content)


def test_a_name_two_inputs_share_needs_the_path(place, files, tmp_path):
    twin = write_las(tmp_path / "a.laz", box_of_points(20, origin=(0, 0, 0)), crs=None)
    with pytest.raises(MergeError, match=r"'a\.laz' could be .* and .*whole path"):
        place({"a.laz": ENTRY}, [files[0], twin])
    assert place({str(twin): ENTRY}, [files[0], twin])[1].transform is not None


def test_one_input_is_placed_once(place, files):
    with pytest.raises(MergeError, match="twice"):
        place({"a.laz": ENTRY, str(files[0]): ENTRY})


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(MergeError, match="cannot be read"):
        read_placements(tmp_path / "no.json", [])
