"""Cameras as pyramids: they stand where the photos say, and look where the photos say."""

import numpy as np
import pandas as pd
import pyproj
import pytest

from cupixgeo.errors import ArgumentError
from cupixgeo.geodesy.crs import as_crs, local_frame
from cupixgeo.widgets.points import Frame
from cupixgeo.widgets.scene_cameras import read_cameras

BOX = np.array([[576_600.0, 5_188_000.0, 150.0], [576_700.0, 5_188_100.0, 190.0]])
UTM = Frame.around(as_crs(32615), BOX)
PLACE = {"lon_deg": -91.994, "lat_deg": 46.8427, "alt_m": 198.0}


def table(**columns):
    return pd.DataFrame([{**PLACE, **columns}])


def posed(yaw, pitch, roll=0.0, **more):
    angles = {"gimbal_yaw_deg": yaw, "gimbal_pitch_deg": pitch, "gimbal_roll_deg": roll}
    return read_cameras(table(**angles, **more), UTM)


def view_of(cameras):
    """Directions the picture's middle and top look to, in the axes of the CRS."""
    corners = cameras.corners[0]
    return corners.mean(axis=0), corners[:2].mean(axis=0) - corners.mean(axis=0)


def grid_north():
    """Direction of true north in the grid at the place, from PROJ's own meridian convergence."""
    factors = pyproj.Proj(32615).get_factors(PLACE["lon_deg"], PLACE["lat_deg"])
    turn = np.radians(-factors.meridian_convergence)
    return np.array([np.sin(turn), np.cos(turn), 0.0])


def test_cameras_stand_where_the_photos_say():
    x, y = pyproj.Transformer.from_crs(4326, 32615, always_xy=True).transform(-91.994, 46.8427)
    np.testing.assert_allclose(posed(0, -90).eyes[0], [x, y, 198.0], atol=1e-6)


def test_a_photo_straight_down_has_its_top_to_true_north():
    middle, top = view_of(posed(0.0, -90.0))
    np.testing.assert_allclose(middle, [0, 0, -1], atol=1e-9)
    np.testing.assert_allclose(top / np.linalg.norm(top), grid_north(), atol=2e-5)


def test_a_level_photo_to_the_east_has_its_top_up():
    middle, top = view_of(posed(90.0, 0.0))
    north = grid_north()
    np.testing.assert_allclose(middle, [north[1], -north[0], 0], atol=2e-5)
    np.testing.assert_allclose(top / np.linalg.norm(top), [0, 0, 1], atol=1e-9)


def test_a_roll_to_the_right_turns_the_top_of_the_picture_to_the_right():
    _, top = view_of(posed(0.0, 0.0, 90.0))
    north = grid_north()
    east = np.array([north[1], -north[0], 0.0])
    np.testing.assert_allclose(top / np.linalg.norm(top), east, atol=2e-5)


def test_the_pyramid_is_as_wide_as_the_photo_sees():
    corners = posed(0.0, -90.0, focal_px=800.0, width=1600, height=900).corners[0]
    across = np.linalg.norm(corners[1] - corners[0])
    along = np.linalg.norm(corners[2] - corners[1])
    assert (across, along) == pytest.approx((2.0, 1.125))


def test_cameras_without_a_direction_are_a_line_down_and_that_is_said():
    cameras = read_cameras(table(), UTM)
    np.testing.assert_array_equal(cameras.corners[0], [[0, 0, -1]] * 4)
    assert "1 cameras do not say where they look" in cameras.note


def test_photos_without_a_position_are_counted():
    rows = pd.concat([table(), table(lon_deg=np.nan)], ignore_index=True)
    cameras = read_cameras(rows, UTM)
    assert len(cameras.eyes) == 1
    assert "1 of 2 photos have no position" in cameras.note


def test_poses_are_taken_as_they_are():
    pose = np.array([[1.0, 0, 0, 10], [0, -1, 0, 20], [0, 0, -1, 30], [0, 0, 0, 1]])  # nadir
    cameras = read_cameras([pose], UTM)
    np.testing.assert_array_equal(cameras.eyes, [[10, 20, 30]])
    middle, top = view_of(cameras)
    np.testing.assert_allclose(middle, [0, 0, -1])
    np.testing.assert_allclose(top / np.linalg.norm(top), [0, 1, 0])
    frusta = np.frombuffer(cameras.frusta(UTM, 4.0), "<f4").reshape(5, 3)
    np.testing.assert_allclose(frusta[0], (np.array([10, 20, 30]) - UTM.origin), rtol=1e-6)
    np.testing.assert_allclose(frusta[1:, 2], frusta[0, 2] - 4.0, rtol=1e-6)


@pytest.mark.parametrize("wrong", [np.zeros((3, 3)), "photos", [[1, 2]], np.full((4, 4), np.nan)])
def test_what_is_no_camera_is_refused(wrong):
    with pytest.raises(ArgumentError, match="neither a table of photos nor matrices"):
        read_cameras(wrong, UTM)


def test_a_table_without_positions_names_what_is_missing():
    with pytest.raises(ArgumentError, match="no column alt_m"):
        read_cameras(table().drop(columns="alt_m"), UTM)


def test_longitudes_have_no_place_in_a_local_frame():
    frame = Frame.around(local_frame("cupix:cluster/1"), BOX)
    with pytest.raises(ArgumentError, match="Place the cloud first"):
        read_cameras(table(), frame)
