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
    area = area_of(points, crs)
    assert area is not None
    west, south, east, north = area
    assert west <= 14.9 <= 15.1 <= east
    assert south <= 50.0 + 1e-9
    assert north >= 50.2 - 1e-9
    assert np.allclose(area, (14.9, 50.0, 15.1, 50.2), atol=0.126)


def test_clouds_of_one_site_have_one_area():
    site = np.array([503_000.0, 5_605_000.0, 0.0])
    areas = {area_of(site + [[dx, 0, 0], [dx + 40, 60, 10]], 32633) for dx in range(0, 400, 40)}
    assert len(areas) == 1


def test_no_area_is_told_of_a_local_frame_or_of_points_out_of_range():
    assert area_of([[0.0, 0, 0]], "cupix:pointcloud/1") is None
    assert area_of([[1e30, 1e30, 0]], 32650) is None
