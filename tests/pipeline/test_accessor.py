"""`.cloud`: moving, cutting and thinning, checked against pyproj and numpy; lazy stays lazy."""

import dask.array
import numpy as np
import pyproj
import pytest
import xarray as xr
from numpy.testing import assert_allclose, assert_array_equal

import cupixgeo as cx
from cupixgeo.cloud.spatial_ref import with_crs
from cupixgeo.errors import CloudError, CrsError, EmptyCloudError, FrameError
from cupixgeo.geodesy.crs import same_crs
from cupixgeo.geodesy.transform import Transform

MATRIX = np.array(
    [[0.0, -2.0, 0.0, 10.0], [2.0, 0.0, 0.0, 20.0], [0.0, 0.0, 2.0, 30.0], [0, 0, 0, 1]]
)


@pytest.fixture(params=["lazy", "eager", "dask"])
def scan(request, sample):
    with cx.open(sample) as dataset:
        match request.param:
            case "lazy":
                yield dataset
            case "eager":
                yield dataset.load()
            case "dask":
                yield dataset.chunk(point=40_000)


def small_cloud(n=1000, crs="cupix:pointcloud/1", seed=0):
    rng = np.random.default_rng(seed)
    columns = rng.uniform(-50, 50, (3, n))
    cloud = xr.Dataset(
        {"intensity": ("point", rng.integers(0, 9999, n).astype("u2"))},
        coords={axis: ("point", column) for axis, column in zip("xyz", columns, strict=True)},
    )
    return with_crs(cloud, crs)


def xyz_of(dataset):
    return np.stack([dataset[axis].to_numpy() for axis in "xyz"], axis=1)


def test_the_accessor_knows_crs_and_bounds(scan):
    assert scan.cloud.crs.to_epsg() == 32615
    xyz = xyz_of(scan)
    assert_array_equal(scan.cloud.bounds, [xyz.min(axis=0), xyz.max(axis=0)])


def test_to_crs_gives_what_pyproj_gives(scan):
    moved = scan.cloud.to_crs(4326)
    proj = pyproj.Transformer.from_crs(32615, 4326, always_xy=True)
    lon, lat = proj.transform(scan.x.to_numpy(), scan.y.to_numpy())
    assert_allclose(moved.x, lon, rtol=0, atol=1e-12)
    assert_allclose(moved.y, lat, rtol=0, atol=1e-12)
    assert_array_equal(moved.z, scan.z)
    assert_array_equal(moved.red, scan.red)
    assert moved.cloud.crs.to_epsg() == 4326
    assert moved.x.attrs["units"] == "degrees_east"
    assert "Inverse of UTM zone 15N" in moved.attrs["history"]


def test_dask_stays_dask_and_others_are_computed(scan):
    lazy = isinstance(scan.x.data, dask.array.Array)
    moved = scan.cloud.to_crs(32616)
    assert isinstance(moved.x.data, dask.array.Array) == lazy
    if lazy:
        assert moved.chunksizes["point"] == scan.chunksizes["point"]


def test_place_applies_the_matrix_and_changes_the_frame():
    cloud = small_cloud()
    transform = Transform(MATRIX, source="cupix:pointcloud/1", target="cupix:cluster/2")
    placed = cloud.cloud.place(transform)
    expected = np.c_[xyz_of(cloud), np.ones(1000)] @ MATRIX.T
    assert_allclose(xyz_of(placed), expected[:, :3], rtol=0, atol=1e-12)
    assert same_crs(placed.cloud.crs, transform.target)
    assert_array_equal(placed.intensity, cloud.intensity)
    lazy = cloud.chunk(point=300).cloud.place(transform)
    assert isinstance(lazy.x.data, dask.array.Array)
    assert_array_equal(xyz_of(lazy), xyz_of(placed))


def test_a_placed_and_georeferenced_cloud_is_where_pyproj_puts_it():
    cloud = small_cloud(crs="cupix:facility/1")
    site = Transform.from_georeference(
        lat_deg=46.0, lon_deg=7.0, alt_m=500.0, source="cupix:facility/1"
    )
    utm = cloud.cloud.place(site).cloud.to_crs(32632)
    pipeline = pyproj.Transformer.from_pipeline(
        "+proj=pipeline +step +inv +proj=topocentric +ellps=WGS84 +lon_0=7 +lat_0=46 +h_0=500 "
        "+step +inv +proj=cart +ellps=WGS84 +step +proj=utm +zone=32 +ellps=WGS84"
    )
    expected = np.stack(pipeline.transform(*xyz_of(cloud).T), axis=1)
    assert_allclose(xyz_of(utm), expected, rtol=0, atol=1e-6)


def test_frames_that_do_not_meet_are_refused_with_both_names():
    transform = Transform(MATRIX, source="cupix:pointcloud/9", target="cupix:cluster/2")
    with pytest.raises(FrameError, match=r"cupix:pointcloud/1.*cupix:pointcloud/9"):
        small_cloud().cloud.place(transform)


def test_a_local_cloud_cannot_be_reprojected_before_it_is_placed():
    with pytest.raises(FrameError, match="cupix:pointcloud/1"):
        small_cloud().cloud.to_crs(32650)


def test_crop_keeps_exactly_the_points_inside(scan):
    xyz = xyz_of(scan)
    box = np.array([[576_700.0, 5_188_140.0, 161.0], [576_730.0, 5_188_170.0, 162.5]])
    inside = ((xyz >= box[0]) & (xyz <= box[1])).all(axis=1)
    cropped = scan.cloud.crop(box)
    assert_array_equal(xyz_of(cropped), xyz[inside])
    assert_array_equal(cropped.red, scan.red.to_numpy()[inside])
    flat = scan.cloud.crop((576_700.0, 5_188_140.0, 576_730.0, 5_188_170.0), z=(161.0, 162.5))
    assert_array_equal(flat.x, cropped.x)
    assert same_crs(cropped.cloud.crs, scan.cloud.crs)


def test_crop_may_limit_one_side_only():
    cloud = small_cloud()
    high = cloud.cloud.crop(z=(0.0, None))
    assert_array_equal(high.z, cloud.z[cloud.z >= 0])


@pytest.mark.parametrize("bounds", [(1, 2, 3), (5, 5, 0, 0), [[0, 0, 0, 0]]])
def test_what_is_no_box_is_refused(bounds):
    with pytest.raises(CloudError, match=r"no box|no inside"):
        small_cloud().cloud.crop(bounds)


def test_thinning_keeps_the_first_point_of_each_cube(scan):
    thinned = scan.cloud.thin(0.8)
    cells = np.floor(xyz_of(scan) / 0.8 + 1e-6)
    first = {}
    for index, cell in enumerate(map(tuple, cells)):
        first.setdefault(cell, index)
    assert_array_equal(xyz_of(thinned), xyz_of(scan)[sorted(first.values())])


def test_thinning_a_crop_keeps_the_same_points(sample):
    with cx.open(sample) as scan:
        box = (576_700.8, 5_188_140.0, 576_730.4, 5_188_170.4)  # whole cubes of 0.8 m
        a = scan.cloud.thin(0.8).cloud.crop(box)
        b = scan.cloud.crop(box).cloud.thin(0.8)
        assert len(set(map(tuple, xyz_of(a))) & set(map(tuple, xyz_of(b)))) > 0.95 * len(a.x)


def test_thinning_spreads_over_more_cubes_than_one_integer_can_number():
    cloud = small_cloud()
    cloud = cloud.assign_coords(x=cloud.x * 1e4, y=cloud.y * 1e4, z=cloud.z * 1e4)
    assert cloud.cloud.thin(0.001).sizes["point"] == 1000


def test_points_further_apart_than_the_earth_s_size_are_refused():
    cloud = small_cloud()
    cloud = cloud.assign_coords(x=cloud.x * 1e9)
    with pytest.raises(CloudError, match="too far apart"):
        cloud.cloud.thin(0.001)


def test_thinning_in_feet_means_metres():
    cloud = with_crs(small_cloud(), 2263)
    feet = 1200 / 3937
    metres = small_cloud()
    metres = metres.assign_coords(x=metres.x * feet, y=metres.y * feet)
    assert_array_equal(cloud.cloud.thin(5.0).intensity, metres.cloud.thin(5.0).intensity)


def test_every_nth_point():
    cloud = small_cloud()
    assert_array_equal(cloud.cloud.thin(every=7).x, cloud.x[::7])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "either"),
        ({"spacing_m": 1.0, "every": 2}, "either"),
        ({"spacing_m": -1.0}, "more than 0"),
        ({"every": 0}, "1 or more"),
    ],
)
def test_thinning_that_means_nothing_is_refused(options, words):
    with pytest.raises(CloudError, match=words):
        small_cloud().cloud.thin(**options)


def test_thinning_in_degrees_is_refused_with_the_remedy():
    with pytest.raises(CloudError, match="to_crs"):
        with_crs(small_cloud(), 4326).cloud.thin(1.0)


def test_points_that_are_no_numbers_do_not_survive_thinning():
    cloud = small_cloud()
    x = cloud.x.to_numpy().copy()
    x[10] = np.nan
    thinned = cloud.assign_coords(x=("point", x)).cloud.thin(0.001)
    assert thinned.sizes["point"] == 999


def test_an_empty_cloud_can_be_cropped_and_thinned_but_has_no_bounds():
    empty = small_cloud(0)
    assert empty.cloud.crop((0, 0, 1, 1)).sizes["point"] == 0
    assert empty.cloud.thin(1.0).sizes["point"] == 0
    with pytest.raises(EmptyCloudError):
        _ = empty.cloud.bounds


def test_datasets_that_are_no_clouds_are_refused():
    with pytest.raises(CloudError, match="not a point cloud"):
        _ = xr.Dataset().cloud.bounds
    with pytest.raises(CrsError, match="spatial_ref"):
        _ = xr.Dataset().cloud.crs


def test_registering_twice_changes_nothing():
    from cupixgeo.pipeline.accessor import CloudAccessor, register

    register()
    assert xr.Dataset.cloud is CloudAccessor
