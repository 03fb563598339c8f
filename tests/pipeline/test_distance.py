"""Distances of clouds: metres in any unit, refused where they mean nothing."""

import numpy as np
import pytest
import xarray as xr

from cupixgeo.cloud.spatial_ref import with_crs
from cupixgeo.errors import CloudError, EmptyCloudError, FrameError
from cupixgeo.pipeline.distance import change, distances_m

UTM = 32615


def cloud(xyz, crs=UTM):
    xyz = np.asarray(xyz, float)
    coords = {axis: ("point", xyz[:, i]) for i, axis in enumerate("xyz")}
    return with_crs(xr.Dataset(coords=coords), crs)


def ground(count=2000, seed=0, shift=(576_700.0, 5_188_100.0, 200.0)):
    rng = np.random.default_rng(seed)
    return rng.uniform(0, (60, 40, 0.5), (count, 3)) + shift


def test_distances_are_exact_in_the_order_of_the_cloud():
    reference, asked = ground(), ground(700, seed=1)
    asked[:10] += (0, 0, 5)
    exact = np.sqrt(((asked[:, None] - reference) ** 2).sum(axis=2).min(axis=1))
    told = []
    found = distances_m(cloud(asked), cloud(reference), progress=told.append)
    assert found == pytest.approx(exact, abs=1e-8)
    assert (told[-1].done, told[-1].total) == (700, 700)
    near = distances_m(cloud(asked), cloud(reference), max_distance_m=2.0)
    assert np.isinf(near[:10]).all()
    assert near[10:] == pytest.approx(exact[10:], abs=1e-8)


def test_feet_are_brought_to_metres():
    """EPSG:6438 counts US survey feet: 1200/3937 m each."""
    places = ground(200, shift=(500_000.0, 300_000.0, 10.0)) * 100
    found = distances_m(cloud(places + (0, 0, 1.0), 6438), cloud(places, 6438))
    horizontal_only = np.isclose(found, 1.0) | np.isclose(found, 1200 / 3937)
    assert horizontal_only.all()
    sideways = distances_m(cloud(places + (1.0, 0, 0), 6438), cloud(places, 6438))
    assert sideways == pytest.approx(1200 / 3937, rel=1e-6)


def test_points_without_coordinates_count_on_neither_side():
    reference, asked = ground(50), ground(5)
    reference[7] = np.nan
    asked[2, 1] = np.nan
    found = distances_m(cloud(asked), cloud(reference))
    assert np.isnan(found).tolist() == [False, False, True, False, False]


def test_two_frames_degrees_and_no_points_are_refused():
    here = cloud(ground(10))
    with pytest.raises(FrameError, match=r"EPSG:32615.*EPSG:32616"):
        distances_m(here, cloud(ground(10), 32616))
    degrees = cloud([[-92.0, 46.8, 200.0]], 4979)
    with pytest.raises(CloudError, match="degrees"):
        distances_m(degrees, degrees)
    with pytest.raises(EmptyCloudError, match="no point with coordinates"):
        distances_m(here, cloud(np.full((3, 3), np.nan)))


def test_one_local_frame_is_enough():
    box = cloud([[0, 0, 0], [1, 0, 0]], "cupix:pointcloud/5310")
    assert distances_m(box, box).tolist() == [0, 0]


def test_a_change_is_summed_up_in_numbers_that_are_there():
    distances = np.array([0.0, 0.01, 0.02, 0.03, 0.04, 0.05, 0.2, 0.5, np.inf, np.inf, np.nan])
    found = change(distances, threshold_m=0.1, max_distance_m=2.0)
    assert (found.points, found.beyond) == (10, 2)
    assert found.median_m == 0.04
    assert np.isinf(found.p95_m)
    assert found.changed == pytest.approx(0.4)
    assert "over 2 m" in str(found)
    assert "40.0% of 10 points are further than 0.1 m, 2 further than 2 m" in str(found)
