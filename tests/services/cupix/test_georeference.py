"""A georeference is read as the service sends it: text, nulls, and EPSG:3857 called 4326."""

from __future__ import annotations

import pytest
from pyproj import Transformer

from cupixgeo.errors import CrsError, ResponseError, TransformError
from cupixgeo.services.cupix.georeference import choose_georeference, read_georeference
from cupixgeo.services.cupix.pointcloud import Facility

PRINTED = {
    "epsg_code": "4326", "alt": None, "bearing": 0, "lat": 37.401877, "lon": 127.10695,
    "x": "14149480.950286085", "y": "4495272.281606537", "z": None,
}  # fmt: skip
"""The facility example of the CupixWorks documentation."""


def test_latitude_and_longitude_come_first():
    site = read_georeference({**PRINTED, "x": "0", "y": "0", "bearing": 30, "alt": 12.5}, "site")
    assert (site.lat_deg, site.lon_deg) == (37.401877, 127.10695)
    assert (site.alt_m, site.bearing_deg) == (12.5, 30.0)


def test_x_and_y_beside_code_4326_are_web_mercator():
    site = read_georeference({**PRINTED, "lat": None, "lon": None}, "site")
    assert site.lat_deg == pytest.approx(37.401877, abs=1e-12)
    assert site.lon_deg == pytest.approx(127.10695, abs=1e-12)


def test_x_and_y_beside_another_code_are_its_easting_and_northing():
    sent = {"epsg_code": "32650", "x": "447000.5", "y": "4420000.25", "z": "31.5", "bearing": -4}
    site = read_georeference(sent, "site")
    lon, lat = Transformer.from_crs(32650, 4326, always_xy=True).transform(447000.5, 4420000.25)
    assert (site.lon_deg, site.lat_deg) == pytest.approx((lon, lat), abs=1e-12)
    assert (site.alt_m, site.bearing_deg) == (pytest.approx(31.5), -4.0)


@pytest.mark.parametrize("sent", [None, {}, {"lat": None, "lon": None, "x": "", "y": None}])
def test_nothing_in_it_is_no_georeference(sent):
    assert read_georeference(sent, "site") is None


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"lat": "north"}, ResponseError),
        ({"lat": float("nan")}, ResponseError),
        ({"bearing": True}, ResponseError),
        ({"lon": None, "y": None}, ResponseError),
        ({"lat": 127.0, "lon": 37.0}, TransformError),
        ({"lat": None, "epsg_code": "999999"}, CrsError),
        ({"lat": None, "epsg_code": None}, CrsError),
    ],
)
def test_what_makes_no_sense_names_its_owner_or_value(change, error):
    with pytest.raises(error, match=r"facility 12|latitude is 127"):
        read_georeference({**PRINTED, **change}, "facility 12")


def test_the_order_is_own_frozen_group_facility():
    own, frozen, shared = ({"lat": lat, "lon": 0.0} for lat in (1, 2, 3))
    facility = Facility(12, "k", "", {"lat": 4, "lon": 0.0})
    sub = {"use_georeference": True, "georeference": own, "constants": {"georeference": frozen}}
    group = {"use_georeference": True, "georeference": shared}

    def chosen(sub, group, facility=facility):
        found = choose_georeference([("sub", sub), ("group", group)], facility)
        return found and found[0]["lat"]

    assert chosen(sub, group) == 1
    assert chosen({**sub, "use_georeference": False}, group) == 2
    assert chosen({**sub, "georeference": None}, group) == 2
    assert chosen({**sub, "georeference": {"lat": None}}, group) == 2
    assert chosen({}, group) == 3
    assert chosen({}, {"constants": None}) == 4
    assert chosen({}, {}, None) is None
    assert choose_georeference([], facility) == (facility.georeference, "facility 12")
