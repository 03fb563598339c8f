"""A site on the earth, against PROJ's topocentric operation and an 80-bit closed form."""

import math

import numpy as np
import pytest
from pyproj import CRS, Geod, Transformer

from cupixgeo.errors import CrsError, OperationError, TransformError
from cupixgeo.geodesy.crs import same_crs
from cupixgeo.geodesy.georeference import Georeference
from cupixgeo.geodesy.transform import Transform

SITE = "cupix:facility/12"
MICROMETRE = 1e-6
PLACES = [(0.0, 0.0, 0.0), (46.0, 7.5, 1523.25), (75.0, -120.0, -30.0), (-33.9, 151.2, 58.0)]
BEARINGS = [0.0, 30.0, -77.25, 181.5]


def site_points():
    """A 2 km site: a grid around the origin, some metres below and above it."""
    steps = np.linspace(-1000, 1000, 9)
    grid = np.meshgrid(steps, steps, [-20.0, 0.0, 150.0], indexing="ij")
    return np.stack([axis.ravel() for axis in grid], axis=1)


def east_north_up(xyz, bearing_deg):
    """Turn by azimuths, as the service documents it: azimuth = bearing + atan2(x, y)."""
    distance = np.hypot(xyz[:, 0], xyz[:, 1])
    azimuth = math.radians(bearing_deg) + np.arctan2(xyz[:, 0], xyz[:, 1])
    return distance * np.sin(azimuth), distance * np.cos(azimuth), xyz[:, 2]


def closed_form(xyz, lat_deg, lon_deg, alt_m, bearing_deg):
    """IOGP 373-7-2 in 80-bit arithmetic, by the prime vertical radius and plain sums."""
    long = np.longdouble
    pi = 4 * np.arctan(long(1))
    lat, lon, beta = (long(value) * pi / 180 for value in (lat_deg, lon_deg, bearing_deg))
    x, y, z = (xyz[:, i].astype(long) for i in range(3))
    east = x * np.cos(beta) + y * np.sin(beta)
    north = y * np.cos(beta) - x * np.sin(beta)
    f = 1 / long("298.257223563")
    e2 = 2 * f - f * f
    radius = long(6378137) / np.sqrt(1 - e2 * np.sin(lat) ** 2)
    # outwards from the axis and along it, then around it
    outwards = (radius + long(alt_m)) * np.cos(lat) - north * np.sin(lat) + z * np.cos(lat)
    along = (radius * (1 - e2) + long(alt_m)) * np.sin(lat) + north * np.cos(lat) + z * np.sin(lat)
    return np.stack(
        [
            outwards * np.cos(lon) - east * np.sin(lon),
            outwards * np.sin(lon) + east * np.cos(lon),
            along,
        ],
        axis=1,
    )


@pytest.mark.parametrize("bearing_deg", BEARINGS)
@pytest.mark.parametrize("place", PLACES)
def test_placement_agrees_with_proj_topocentric(place, bearing_deg):
    lat, lon, alt = place
    xyz = site_points()
    topocentric = Transformer.from_pipeline(
        "+proj=pipeline +step +inv +proj=topocentric +ellps=WGS84 "
        f"+lat_0={lat} +lon_0={lon} +h_0={alt}"
    )
    expected = np.stack(topocentric.transform(*east_north_up(xyz, bearing_deg)), axis=1)
    placed = Transform.from_georeference(
        lat_deg=lat, lon_deg=lon, alt_m=alt, bearing_deg=bearing_deg, source=SITE
    ).apply(xyz)
    np.testing.assert_allclose(placed, expected, rtol=0, atol=MICROMETRE)


@pytest.mark.parametrize("bearing_deg", BEARINGS)
@pytest.mark.parametrize("place", PLACES)
def test_placement_agrees_with_the_closed_form_in_longdouble(place, bearing_deg):
    xyz = site_points()
    expected = closed_form(xyz, *place, bearing_deg)
    placed = Transform.from_georeference(
        Georeference(*place, bearing_deg=bearing_deg), source=SITE
    ).apply(xyz)
    assert float(np.abs(placed - expected).max()) < MICROMETRE


@pytest.mark.parametrize("bearing_deg", BEARINGS)
def test_the_y_axis_points_along_the_bearing(bearing_deg):
    site = Georeference(46.0, 7.5, bearing_deg=bearing_deg)
    xyz = np.array([[0.0, 10.0, 0.0]])
    geocentric = Transform.from_georeference(site, source=SITE).apply(xyz)
    to_lon_lat = Transformer.from_crs(4978, 4979, always_xy=True)
    lon, lat, _ = to_lon_lat.transform(*geocentric[0])
    azimuth, _, distance = Geod(ellps="WGS84").inv(7.5, 46.0, lon, lat)
    assert (azimuth - bearing_deg + 180) % 360 - 180 == pytest.approx(0, abs=1e-4)
    assert distance == pytest.approx(10, abs=1e-6)


@pytest.mark.parametrize(
    ("bearing_deg", "lat_deg", "lon_deg"),
    [
        (0, 37.40188992107162, 127.1069793712063),
        (30, 37.40187652381105, 127.10698356886046),
    ],
)
def test_placement_agrees_with_the_documented_method_as_far_as_a_sphere_goes(
    bearing_deg, lat_deg, lon_deg
):
    """The vendor's sphere is wrong by up to 0.25 m in 100 m; the sense of turning is not."""
    pano = np.array([[2.59444, 1.43676, 1.85181]])
    site = Georeference(37.401877, 127.10695, bearing_deg=bearing_deg)
    geocentric = Transform.from_georeference(site, source=SITE).apply(pano)
    to_lon_lat = Transformer.from_crs(4978, 4979, always_xy=True)
    lon, lat, alt = to_lon_lat.transform(*geocentric[0])
    _, _, apart = Geod(ellps="WGS84").inv(lon, lat, lon_deg, lat_deg)
    assert apart < 0.0025 * math.hypot(*pano[0, :2])
    assert alt == pytest.approx(1.85181, abs=1e-5)


def test_the_origin_lies_where_it_is_said():
    site = Georeference(46.0, 7.5, 1523.25, 33)
    expected = Transformer.from_crs(4979, 4978, always_xy=True).transform(7.5, 46.0, 1523.25)
    matrix = site.matrix_to_geocentric()
    np.testing.assert_allclose(matrix[:3, 3], expected, rtol=0, atol=1e-8)


def test_the_target_is_geocentric_and_the_way_rigid():
    there = Transform.from_georeference(Georeference(46, 7.5, bearing_deg=12), source=SITE)
    assert same_crs(there.target, 4978)
    assert there.is_rigid


def test_a_projected_origin_is_the_same_place():
    easting, northing = 333600.25, 4141000.5
    lon, lat = Transformer.from_crs(32652, 4326, always_xy=True).transform(easting, northing)
    site = Georeference.from_projected(easting, northing, 40.0, crs=32652, bearing_deg=15)
    assert site.lon_deg == pytest.approx(lon, abs=1e-12)
    assert site.lat_deg == pytest.approx(lat, abs=1e-12)
    assert (site.alt_m, site.bearing_deg) == (pytest.approx(40, abs=1e-9), 15)


@pytest.mark.parametrize("crs", [32652, 2193, 3857, "EPSG:4326"])
def test_grid_north_is_where_the_grid_goes_up(crs):
    inside = {32652: (333600.0, 4141000.0), 2193: (1800000.0, 5500000.0)}
    x, y = inside.get(crs, (8.0, 47.0) if crs == "EPSG:4326" else (900000.0, 6000000.0))
    step = 1e-4 if crs == "EPSG:4326" else 10.0
    site = Georeference.from_projected(x, y, crs=crs, bearing_deg=20, bearing_from="grid")
    geographic = CRS(crs).geodetic_crs
    to_lon_lat = Transformer.from_crs(crs, geographic, always_xy=True)
    start, end = to_lon_lat.transform(x, y), to_lon_lat.transform(x, y + step)
    azimuth, _, _ = Geod(ellps="GRS80").inv(*start, *end)
    assert site.bearing_deg == pytest.approx(20 + azimuth, abs=2e-4)


def test_a_projected_origin_needs_a_crs_on_earth():
    with pytest.raises(CrsError, match="local frame"):
        Georeference.from_projected(1, 2, crs=SITE)


def test_a_projected_origin_on_a_datum_proj_cannot_join_needs_a_declaration():
    with pytest.raises(OperationError, match="assume="):
        Georeference.from_projected(500000, 3320113.3978, crs=4547)
    site = Georeference.from_projected(500000, 3320113.3978, crs=4547, assume="CGCS2000=WGS 84")
    assert (site.lat_deg, site.lon_deg) == (pytest.approx(30, abs=1e-9), pytest.approx(114))


def test_a_projected_origin_outside_its_crs_is_refused():
    with pytest.raises(OperationError, match="outside the domain"):
        Georeference.from_projected(1e30, 1e30, crs=32652)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"lat_deg": 127.1, "lon_deg": 37.4}, "latitude is 127.1.*swapped"),
        ({"lat_deg": -90.1, "lon_deg": 0}, "latitude"),
        ({"lat_deg": 0, "lon_deg": 361}, "longitude is 361"),
        ({"lat_deg": math.nan, "lon_deg": 0}, "lat_deg is nan"),
        ({"lat_deg": 0, "lon_deg": 0, "alt_m": math.inf}, "alt_m is inf"),
        ({"lat_deg": 0, "lon_deg": 0, "bearing_deg": math.nan}, "bearing_deg is nan"),
        ({"lat_deg": None, "lon_deg": 0}, "lat_deg is None, not a number"),
        ({"lat_deg": 0, "lon_deg": "east"}, "lon_deg is 'east', not a number"),
    ],
)
def test_what_is_no_place_on_earth_is_refused(fields, said):
    with pytest.raises(TransformError, match=said):
        Georeference(**fields)
