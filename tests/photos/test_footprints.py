"""Footprints and pixel sizes against closed forms, the ellipsoid of pyproj, and the real scan."""

import math

import laspy
import numpy as np
import pytest
from PIL import Image
from pyproj import Geod, Transformer

from cupixgeo.photos.camera import focal_length
from cupixgeo.photos.exif import read_photo
from cupixgeo.photos.footprints import (
    LocalPlane,
    around,
    ground_corners,
    ground_sample_m,
    metres_per_degree,
    rotation,
)
from cupixgeo.photos.photo import Attitude
from tests.photos.pictures import IMAGES

DOWN = Attitude(0.0, -90.0, 0.0)
SIZE, FOCAL, HEIGHT = (1600, 900), 800.0, 40.0
WIDE, LONG = HEIGHT * 1600 / 800, HEIGHT * 900 / 800


def corners(attitude=DOWN, height=HEIGHT):
    return ground_corners(attitude, height, FOCAL, SIZE)


def test_straight_down_the_top_of_the_photo_is_north():
    expected = [[-40, 22.5], [40, 22.5], [40, -22.5], [-40, -22.5]]
    assert corners() == pytest.approx(np.array(expected), abs=1e-9)


@pytest.mark.parametrize("yaw", [30.0, 90.0, -132.0, 179.9])
def test_yaw_turns_the_footprint_clockwise(yaw):
    """The middle of the upper edge lies in the direction of yaw, at half the length."""
    found = corners(Attitude(yaw, -90.0, 0.0))
    east, north = found[:2].mean(axis=0)
    assert math.degrees(math.atan2(east, north)) == pytest.approx(yaw, abs=1e-9)
    assert math.hypot(east, north) == pytest.approx(LONG / 2)
    assert math.dist(found[0], found[1]) == pytest.approx(WIDE)


def test_tilted_forward_the_edges_are_where_trigonometry_puts_them():
    """Pitch -60: 30° off straight down; the edges are half the angle of view further."""
    half = math.degrees(math.atan(450 / FOCAL))
    found = corners(Attitude(0.0, -60.0, 0.0))
    assert found[:2, 1] == pytest.approx(HEIGHT * math.tan(math.radians(30 + half)))
    assert found[2:, 1] == pytest.approx(HEIGHT * math.tan(math.radians(30 - half)))
    across = HEIGHT / math.cos(math.radians(30 + half)) * math.cos(math.radians(half))
    assert found[1, 0] - found[0, 0] == pytest.approx(across * 1600 / 800)


def test_roll_leans_the_photo_to_the_right():
    """Rolled clockwise by 10° and straight down: the photo turns about its own centre."""
    assert corners(Attitude(0.0, -90.0, 10.0)) == pytest.approx(corners(Attitude(10.0, -90.0, 0.0)))
    # looking north and 45° down, rolled clockwise, the right side sinks and comes nearer
    found = corners(Attitude(0.0, -45.0, 10.0))
    near = math.hypot(*found[2])
    assert near < math.hypot(*found[3])


def test_a_corner_above_the_horizon_ends_where_a_footprint_ends():
    found = corners(Attitude(0.0, -20.0, 0.0))
    assert found is not None
    reach = np.hypot(found[:2, 0], found[:2, 1])
    assert reach == pytest.approx(HEIGHT * math.tan(math.radians(80)))
    assert (found[:2, 1] > found[2:, 1]).all()


@pytest.mark.parametrize("pitch", [-14.0, 0.0, 30.0, 90.0])
def test_a_photo_along_the_ground_has_no_footprint(pitch):
    assert corners(Attitude(0.0, pitch, 0.0)) is None
    assert ground_sample_m(Attitude(0.0, pitch, 0.0), HEIGHT, FOCAL) is None


def test_pixels_on_the_ground_have_the_size_of_the_closed_form():
    assert ground_sample_m(DOWN, HEIGHT, FOCAL) == pytest.approx(0.05)
    tilted = ground_sample_m(Attitude(77.0, -60.0, 0.0), HEIGHT, FOCAL)
    assert tilted == pytest.approx(0.05 / math.cos(math.radians(30)))


def test_the_first_real_photo_has_the_pixel_size_of_its_sensor():
    """Phantom 3: 3.61 mm before a sensor 6.17 mm wide; 39.8 m up, 1600 pixels wide."""
    photo = read_photo(IMAGES / "DJI_0018.JPG")
    focal = focal_length(photo.camera, photo.width, photo.height)
    gsd = ground_sample_m(photo.attitude, photo.position.rel_alt_m, focal.px)
    assert gsd == pytest.approx(39.8 * 6.17 / 3.61 / 1600, rel=0.02)


@pytest.mark.parametrize("lat", [0.0, 46.84, -33.0, 69.5])
def test_metres_become_degrees_as_on_the_ellipsoid(lat):
    geod = Geod(ellps="WGS84")
    for east, north in ((300.0, 0.0), (0.0, 300.0), (-250.0, 120.0)):
        (found,) = around(10.0, lat, np.array([[east, north]]))
        azimuth, distance = math.degrees(math.atan2(east, north)), math.hypot(east, north)
        lon, latitude, _ = geod.fwd(10.0, lat, azimuth, distance)
        _, _, apart = geod.inv(*found, lon, latitude)
        assert apart < 0.03


def test_a_degree_is_as_long_as_pyproj_says():
    geod = Geod(ellps="WGS84")
    for lat in (0.0, 45.0, 80.0):
        east, north = metres_per_degree(lat)
        small = 1e-4
        assert east * small == pytest.approx(geod.inv(0, lat, small, lat)[2], rel=1e-6)
        assert north * small == pytest.approx(
            geod.inv(0, lat - small / 2, 0, lat + small / 2)[2], rel=1e-6
        )


def test_a_plane_leads_there_and_back_also_across_the_date_line():
    places = np.array([[179.999, -17.0], [-179.999, -17.002], [-179.9995, -17.001]])
    plane = LocalPlane.amid(places)
    assert plane.lat_deg == -17.001
    assert plane.lon_deg == pytest.approx(-179.9995)
    metres = plane.to_metres(places)
    assert np.abs(metres).max() < 300
    back = plane.to_lon_lat(metres)
    assert (back - places + 180) % 360 - 180 == pytest.approx(0, abs=1e-12)


@pytest.fixture(scope="module")
def scan():
    """Points of the owner's cloud of these photos: longitude, latitude, height, grey."""
    cloud = laspy.read(IMAGES.parent / "reference" / "model.laz")
    chosen = np.random.default_rng(1).choice(len(cloud), 15_000, replace=False)
    lon, lat = Transformer.from_crs(32615, 4326, always_xy=True).transform(
        np.asarray(cloud.x)[chosen], np.asarray(cloud.y)[chosen]
    )
    grey = (np.asarray(cloud.red, float) + cloud.green + cloud.blue)[chosen]
    return np.column_stack([lon, lat]), np.asarray(cloud.z)[chosen], grey


def likeness(photo, attitude, scan):
    """Correlation of the photo with the colours of the scan seen from its pose.

    The best over a few metres of the photo's GPS error; height above the ground as in the scan.
    """
    places, z, grey = scan
    focal = focal_length(photo.camera, photo.width, photo.height).px
    with Image.open(photo.path) as image:
        pixels = np.asarray(image.convert("L").reduce(8), float)
    plane = LocalPlane(photo.position.lon_deg, photo.position.lat_deg)
    east, north = plane.to_metres(places).T
    best = -1.0
    for shift_east in range(-4, 5, 2):
        for shift_north in range(-4, 5, 2):
            down = 35.6 - (z - 162.9)
            ned = np.column_stack([north - shift_north, east - shift_east, down])
            forward, right, below = (ned @ rotation(attitude)).T
            u = (focal * right / forward + photo.width / 2) / 8
            v = (focal * below / forward + photo.height / 2) / 8
            inside = (u >= 0) & (v >= 0) & (u < pixels.shape[1]) & (v < pixels.shape[0])
            if inside.sum() > 300:
                seen = pixels[v[inside].astype(int), u[inside].astype(int)]
                best = max(best, float(np.corrcoef(seen, grey[inside])[0, 1]))
    return best


@pytest.mark.parametrize(
    ("name", "stored"), [("DJI_0018", 0), ("DJI_0023", 0), ("DJI_0035", 0), ("DJI_0025", 180)]
)
def test_the_real_photos_show_the_scan_where_the_pose_says(name, stored, scan):
    """Seen through yaw, pitch and roll as read here, the scan looks like the photo.

    The photos of the way back (DJI_0024 to DJI_0029) are stored turned by 180° against their
    gimbal yaw; nothing in their metadata tells it. A footprint straight down is the same.
    """
    photo = read_photo(IMAGES / f"{name}.JPG")
    own = photo.attitude
    turned = {
        turn: likeness(photo, Attitude(own.yaw_deg + turn, own.pitch_deg, own.roll_deg), scan)
        for turn in (0, 90, 180, 270)
    }
    turned["mirrored"] = likeness(photo, Attitude(-own.yaw_deg, own.pitch_deg, 0.0), scan)
    assert max(turned, key=turned.get) == stored
    assert turned[stored] > 0.5
