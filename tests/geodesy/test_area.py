"""The area that points cover, from any CRS."""

import numpy as np
import pytest
from pyproj import CRS, Transformer

from cupixgeo.geodesy.area import area_of


@pytest.mark.parametrize("crs", [4978, 4979, 25833, 31469, 5514])
def test_the_area_of_points_is_told_in_degrees(crs):
    lon_lat = np.array([[14.9, 50.0, 100.0], [15.1, 50.2, 200.0]])
    geographic = CRS(crs).geodetic_crs if crs != 4978 else CRS(4979)
    to_crs = Transformer.from_crs(geographic, crs, always_xy=True)
    points = np.transpose(to_crs.transform(*lon_lat.T))
    assert area_of(points, crs) == pytest.approx((14.9, 50.0, 15.1, 50.2), abs=1e-7)


def test_no_area_is_told_of_a_local_frame_or_of_points_out_of_range():
    assert area_of([[0.0, 0, 0]], "cupix:pointcloud/1") is None
    assert area_of([[1e30, 1e30, 0]], 32650) is None
