import numpy as np
import pyproj
import pytest

from cupixgeo.emulator.frames import Georeference, quaternion, rotation


def test_a_pure_yaw_turns_x_towards_y():
    np.testing.assert_allclose(rotation(yaw_deg=90) @ [1, 0, 0], [0, 1, 0], atol=1e-15)
    np.testing.assert_allclose(rotation(roll_deg=90) @ [0, 1, 0], [0, 0, 1], atol=1e-15)
    np.testing.assert_allclose(rotation(pitch_deg=90) @ [0, 0, 1], [1, 0, 0], atol=1e-15)


@pytest.mark.parametrize("angles", [(30, 0, 0), (-170, 40, 10), (5, -80, 150), (180, 0, 0)])
def test_the_quaternion_turns_like_the_matrix(angles):
    matrix = rotation(yaw_deg=angles[0], pitch_deg=angles[1], roll_deg=angles[2])
    x, y, z, w = quaternion(matrix)
    axis, vector = np.array([x, y, z]), np.array([0.3, -1.2, 0.7])
    turned = vector + 2 * np.cross(axis, np.cross(axis, vector) + w * vector)
    np.testing.assert_allclose(turned, matrix @ vector, atol=1e-12)
    assert w >= 0


def test_plus_y_of_the_facility_points_along_the_bearing():
    here = Georeference(46.8425, -91.9941, alt_m=151.25, bearing_deg=23.5)
    lon, lat, _ = here.gps_from_local(np.array([[0.0, 100.0, 0.0]]))[0]
    azimuth, _, distance = pyproj.Geod(ellps="WGS84").inv(-91.9941, 46.8425, lon, lat)
    assert azimuth == pytest.approx(23.5, abs=1e-4)
    assert distance == pytest.approx(100, abs=0.01)


def test_the_origin_is_the_origin_on_every_way_in():
    here = Georeference(46.8425, -91.9941, alt_m=151.25, bearing_deg=23.5)
    to_utm = pyproj.Transformer.from_crs("EPSG:4979", "EPSG:32615", always_xy=True)
    utm = np.array([to_utm.transform(-91.9941, 46.8425, 151.25)])
    np.testing.assert_allclose(here.local_from_utm(utm, zone=15), [[0, 0, 0]], atol=1e-7)
    gps = np.array([[-91.9941, 46.8425, 151.25]])
    np.testing.assert_allclose(here.local_from_gps(gps), [[0, 0, 0]], atol=1e-7)


def test_gps_and_local_metres_are_each_other_s_inverse():
    here = Georeference(75.0, 20.0, alt_m=-3.0, bearing_deg=200.0)
    xyz = np.random.default_rng(1).uniform(-1000, 1000, (50, 3))
    np.testing.assert_allclose(here.local_from_gps(here.gps_from_local(xyz)), xyz, atol=1e-6)
