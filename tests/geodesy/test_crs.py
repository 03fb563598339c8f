"""CRS arguments, local frames, labels and zones."""

import pickle

import numpy as np
import pytest
from pyproj import CRS
from pyproj.aoi import AreaOfInterest
from pyproj.database import query_utm_crs_info

from cupixgeo.errors import CrsError
from cupixgeo.geodesy.crs import (
    as_crs,
    crs_label,
    frame_name,
    is_local,
    local_frame,
    same_crs,
    suggest_utm,
)

NAMES = [
    "cupix:pointcloud/5310",
    "file:scan.laz",
    "file:with space, comma [1] (2).laz",
    'file:"quoted".laz',
    "file:скан-日本.las",
    "opendronemap:task/7f3a-11",
]


class WithCrs:
    crs = CRS(32650)


@pytest.mark.parametrize(
    "value",
    [
        32650,
        np.int64(32650),
        "32650",
        "EPSG:32650",
        " epsg:32650 ",
        CRS(32650),
        CRS(32650).to_wkt(),
        CRS(32650).to_wkt("WKT1_GDAL"),
        CRS(32650).to_wkt("WKT1_ESRI"),
        CRS(32650).to_json(),
        CRS(32650).to_json_dict(),
        "urn:ogc:def:crs:EPSG::32650",
        WithCrs(),
    ],
    ids=lambda value: type(value).__name__,
)
def test_every_spelling_of_a_crs_is_that_crs(value):
    assert as_crs(value).to_epsg() == 32650
    assert same_crs(value, 32650)


@pytest.mark.parametrize(
    ("value", "named"),
    [
        (999999, "EPSG:999999"),
        ("EPSG:999999", "EPSG:999999"),
        ("epgs:32650", "epgs:32650"),
        ("nowhere", "nowhere"),
        ("", "''"),
        ("cupix:pointcloud/", "cupix:pointcloud/"),
        ({"no": "crs"}, "no"),
        (3.5, "3.5"),
        (True, "bool"),
        (object(), "object"),
    ],
)
def test_an_unknown_crs_is_named_with_what_would_do(value, named):
    with pytest.raises(CrsError, match="give an EPSG code") as caught:
        as_crs(value)
    assert named in str(caught.value)


def test_no_crs_at_all_is_an_error_that_says_how_to_give_one():
    with pytest.raises(CrsError, match=r"None.*does not exist here.*local frame"):
        as_crs(None)


@pytest.mark.parametrize("value", [{}, {"cs_type": "GEO_CS", "geo_cs": "EPSG:32650"}])
def test_a_bare_descriptor_points_to_its_reader(value):
    with pytest.raises(CrsError, match=r"OutputDescriptor\.from_dict"):
        as_crs(value)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("version", ["WKT1_GDAL", "WKT2_2015", "WKT2_2019"])
def test_a_local_frame_survives_wkt(name, version):
    frame = local_frame(name)
    again = CRS.from_wkt(frame.to_wkt(version))
    assert frame_name(again) == name
    assert same_crs(again, frame)


@pytest.mark.parametrize("name", NAMES)
def test_a_local_frame_survives_projjson_and_pickle(name):
    frame = local_frame(name)
    assert frame_name(CRS.from_json(frame.to_json())) == name
    assert frame_name(pickle.loads(pickle.dumps(frame))) == name


def test_a_local_frame_is_cartesian_in_metres_with_z_up():
    axes = as_crs("cupix:cluster/3416").axis_info
    assert [axis.direction for axis in axes] == ["east", "north", "up"]
    assert {axis.unit_name for axis in axes} == {"metre"}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("cupix:pointcloud/1", "cupix:pointcloud/2"),
        ("cupix:pointcloud/1", "cupix:cluster/1"),
        ("file:a-b.laz", "file:ab.laz"),
        ("file:scan.laz", "file:Scan.laz"),
        ("file:scan.laz", "file:scan_laz"),
    ],
)
def test_frames_with_different_names_are_never_the_same(one, other):
    assert not same_crs(one, other)
    assert same_crs(one, one)


def test_frames_in_different_units_are_not_the_same():
    metres = local_frame("file:a.laz").to_wkt("WKT1_GDAL")
    feet = metres.replace('UNIT["metre",1]', 'UNIT["US survey foot",0.304800609601219]')
    assert frame_name(feet) == "file:a.laz"
    assert not same_crs(metres, feet)


@pytest.mark.parametrize("name", ["", "  ", "unknown", "a\nb"])
def test_a_frame_needs_a_name(name):
    with pytest.raises(CrsError, match="cannot name a local frame"):
        local_frame(name)


def test_only_engineering_crs_are_local():
    assert is_local("cupix:pointcloud/1")
    assert not is_local(32650)
    assert not is_local(4978)
    assert frame_name(32650) is None


def test_a_compound_over_a_local_frame_is_local():
    wkt = (
        'COMPD_CS["site + height",LOCAL_CS["site A",LOCAL_DATUM["site A",32767],UNIT["metre",1],'
        'AXIS["x",EAST],AXIS["y",NORTH]],VERT_CS["EGM96 height",VERT_DATUM["EGM96 geoid",2005],'
        'UNIT["metre",1],AXIS["Up",UP]]]'
    )
    assert is_local(wkt)
    assert frame_name(wkt) == "site A"
    assert not same_crs(wkt, local_frame("site A"))


def test_a_nameless_datum_leaves_the_name_to_the_crs():
    assert frame_name('LOCAL_CS["site A",UNIT["metre",1]]') == "site A"


def test_a_local_frame_is_never_the_same_as_a_place_on_earth():
    assert not same_crs("cupix:pointcloud/1", 32650)
    assert not same_crs(32650, "cupix:pointcloud/1")


@pytest.mark.parametrize("code", [32650, 4326, 4547, 2056, 27700, 3857, "EPSG:32650+5773"])
def test_wkt_and_code_of_one_crs_are_the_same(code):
    crs = CRS(code)
    for version in ("WKT1_GDAL", "WKT2_2015", "WKT2_2019"):
        assert same_crs(crs.to_wkt(version), code)


@pytest.mark.parametrize(
    ("one", "other"),
    [(32650, 32651), (32650, "EPSG:32650+5773"), (4326, 4979), (4326, 4490), (4978, 4979)],
)
def test_different_crs_are_not_the_same(one, other):
    assert not same_crs(one, other)


def test_axis_order_makes_no_other_crs():
    assert same_crs(4326, "OGC:CRS84")


@pytest.mark.parametrize(
    ("value", "label"),
    [
        (32650, "EPSG:32650 (WGS 84 / UTM zone 50N)"),
        (CRS(32650).to_wkt("WKT1_GDAL"), "EPSG:32650 (WGS 84 / UTM zone 50N)"),
        ("EPSG:32650+5773", "EPSG:32650+5773 (WGS 84 / UTM zone 50N + EGM96 height)"),
        ("cupix:pointcloud/5310", "cupix:pointcloud/5310"),
        (
            CRS(32650).to_3d(),
            "EPSG:32650 (WGS 84 / UTM zone 50N, with ellipsoidal height)",
        ),
        ("+proj=utm +zone=32 +ellps=bessel +type=crs", "+proj=utm +zone=32 +ellps=bessel"),
    ],
)
def test_labels_are_what_a_reader_knows(value, label):
    assert crs_label(value).startswith(label)


@pytest.mark.parametrize("lon", range(-177, 180, 24))
@pytest.mark.parametrize("lat", [-79.0, 0.5])
def test_zones_agree_with_the_epsg_database(lon, lat):
    area = AreaOfInterest(lon - 1, lat - 0.25, lon + 1, lat + 0.25)
    codes = {
        int(info.code)
        for info in query_utm_crs_info(datum_name="WGS 84", area_of_interest=area, contains=True)
    }
    assert suggest_utm(lon, lat).to_epsg() in codes


@pytest.mark.parametrize(
    ("lon", "lat", "code"),
    [
        (5.3, 60.4, 32632),  # Bergen
        (2.9, 60.4, 32631),
        (15.6, 78.2, 32633),  # Longyearbyen
        (8.9, 78.0, 32631),
        (9.0, 78.0, 32633),
        (21.0, 78.0, 32635),
        (33.0, 78.0, 32637),
        (180.0, 10.0, 32660),
        (-180.0, 10.0, 32601),
        (0.0, 84.0, 5041),
        (0.0, 89.9, 5041),
        (0.0, -80.0, 32731),
        (0.0, -80.1, 5042),
        (117.0, 0.0, 32650),
    ],
)
def test_exceptions_and_poles(lon, lat, code):
    assert suggest_utm(lon, lat).to_epsg() == code


@pytest.mark.parametrize(("lon", "lat"), [(181, 0), (0, 91), (float("nan"), 0), (0, float("inf"))])
def test_a_zone_needs_a_place_on_earth(lon, lat):
    with pytest.raises(CrsError, match="is not between"):
        suggest_utm(lon, lat)
