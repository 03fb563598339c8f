"""A dataset says where it is the CF way, and coordinates say what they are."""

import numpy as np
import pyproj
import pytest
import xarray as xr

from cupixgeo.cloud.spatial_ref import axis_attrs, dataset_crs, with_crs
from cupixgeo.errors import CloudError, CrsError
from cupixgeo.geodesy.crs import as_crs, frame_name, local_frame, same_crs


@pytest.fixture
def cloud():
    values = np.arange(5.0)
    return xr.Dataset(coords=dict.fromkeys("xyz", ("point", values)))


@pytest.mark.parametrize("crs", [32650, 4326, 4979, 4978, "EPSG:32650+5773", 2193, 2263])
def test_any_crs_comes_back_from_the_coordinate(cloud, crs):
    assert same_crs(dataset_crs(with_crs(cloud, crs)), as_crs(crs))


def test_a_local_frame_keeps_its_name(cloud):
    placed = with_crs(cloud, local_frame("cupix:pointcloud/5310"))
    assert frame_name(dataset_crs(placed)) == "cupix:pointcloud/5310"
    assert placed.spatial_ref.attrs["frame"] == "cupix:pointcloud/5310"


def test_cf_readers_find_the_crs(cloud):
    attrs = with_crs(cloud, 32650).spatial_ref.attrs
    assert attrs["grid_mapping_name"] == "transverse_mercator"
    assert pyproj.CRS.from_cf(attrs).to_epsg() == 32650


def test_stating_a_crs_changes_neither_coordinates_nor_the_original(cloud):
    placed = with_crs(cloud, 32650)
    np.testing.assert_array_equal(placed.x, cloud.x)
    assert "spatial_ref" not in cloud.coords
    assert not cloud.x.attrs


@pytest.mark.parametrize(
    ("crs", "x", "z"),
    [
        (32650, ("projection_x_coordinate", "m"), (None, "m")),
        (2263, ("projection_x_coordinate", "US_survey_foot"), (None, None)),
        (4326, ("longitude", "degrees_east"), (None, "m")),
        (4979, ("longitude", "degrees_east"), ("height_above_reference_ellipsoid", "m")),
        ("EPSG:32650+5773", ("projection_x_coordinate", "m"),
         ("height_above_geopotential_datum", "m")),
        (4978, (None, "m"), (None, "m")),
        ("cupix:cluster/1", (None, "m"), (None, "m")),
    ],
)  # fmt: skip
def test_coordinates_name_themselves_in_x_y_order(crs, x, z):
    attrs = axis_attrs(as_crs(crs))
    assert (attrs["x"].get("standard_name"), attrs["x"]["units"]) == x
    assert (attrs["z"].get("standard_name"), attrs["z"].get("units")) == z
    assert [attrs[axis]["axis"] for axis in "xyz"] == ["X", "Y", "Z"]


def test_a_dataset_without_a_crs_is_told_how_to_get_one(cloud):
    with pytest.raises(CrsError, match="with_crs"):
        dataset_crs(cloud)
    with pytest.raises(CrsError, match="crs_wkt"):
        dataset_crs(cloud.assign_coords(spatial_ref=0))


def test_a_dataset_that_is_no_cloud_is_refused(cloud):
    with pytest.raises(CloudError, match=r"z must be coordinates"):
        with_crs(cloud.drop_vars("z"), 32650)
