"""A dataset shows by itself whether it still holds what its file holds."""

import pickle

import numpy as np
import pytest
import xarray as xr

import cupixgeo as cx
from cupixgeo.cloud.stored import file_of_coordinates, stored_file
from tests.formats.lasfiles import las_data


@pytest.fixture
def scan(tmp_path):
    las_data(7, 1000).write(tmp_path / "scan.laz")
    with cx.open(tmp_path / "scan.laz") as dataset:
        yield dataset


KEPT = {
    "chunked": lambda scan: scan.chunk(point=300),
    "copied": lambda scan: scan.copy(),
    "with a note": lambda scan: scan.assign_attrs(note="seen"),
    "all of it": lambda scan: scan.isel(point=slice(0, None)),
}


@pytest.mark.parametrize("keep", KEPT.values(), ids=KEPT)
def test_what_changes_no_value_is_seen_through(scan, keep):
    store = stored_file(scan)
    assert store is not None
    assert stored_file(keep(scan)) is store
    assert file_of_coordinates(keep(scan)) is store


def test_a_pickled_dataset_still_is_its_file(scan):
    with pickle.loads(pickle.dumps(scan)) as arrived:
        assert stored_file(arrived) is file_of_coordinates(arrived) is not None


def test_coordinates_and_attributes_are_judged_apart(scan):
    moved = scan.assign_coords(x=scan.x + 1)
    assert stored_file(moved) is not None
    assert file_of_coordinates(moved) is None
    less = scan.drop_vars("red")
    assert stored_file(less) is None


CHANGED = {
    "selected": lambda scan: scan.isel(point=slice(1, None)),
    "picked": lambda scan: scan.isel(point=np.arange(1000)),
    "turned round": lambda scan: scan.isel(point=slice(None, None, -1)),
    "twice": lambda scan: xr.concat([scan, scan], "point"),
    "computed": lambda scan: scan.assign(red=scan.red + 0),
    "computed by dask": lambda scan: scan.chunk(point=300).map(lambda column: column + 0),
    "loaded": lambda scan: scan.load(),
}


@pytest.mark.parametrize("change", CHANGED.values(), ids=CHANGED)
def test_anything_else_is_not(scan, change):
    assert stored_file(change(scan)) is None


def test_columns_of_two_files_are_those_of_none(scan, tmp_path):
    las_data(7, 1000).write(tmp_path / "other.laz")
    with cx.open(tmp_path / "other.laz") as other:
        assert stored_file(scan.assign(red=other.red)) is None
