"""metadata.xml, descriptors and logs, as DJI writes them and as they can be broken."""

from __future__ import annotations

import json

import numpy as np
import pytest
from pyproj import Transformer

from cupixgeo.errors import CloudError, CorruptFileError, CrsError
from cupixgeo.formats.dji import agreed, logged_descriptor, read_descriptor, read_metadata
from cupixgeo.geodesy.crs import frame_name, is_local

SAMPLE = """<?xml version="1.0" encoding="utf-8"?>
<ModelMetadata version="1">
  <!--Spatial Reference System-->
  <SRS>EPSG:32650</SRS>
  <!--Origin in Spatial Reference System-->
  <SRSOrigin>597786.85842445458,3333597.1281958264,352.50399999973473</SRSOrigin>
  <Texture>
    <ColorSource>Visible</ColorSource>
  </Texture>
</ModelMetadata>
"""


@pytest.fixture
def write(tmp_path):
    def write(text, name="metadata.xml", folder="terra_obj"):
        place = tmp_path / folder
        place.mkdir(parents=True, exist_ok=True)
        path = place / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def xml(srs, origin="1,2,3"):
    return f"<ModelMetadata><SRS>{srs}</SRS><SRSOrigin>{origin}</SRSOrigin></ModelMetadata>"


def test_the_sample_of_terra_is_read_to_the_last_digit(write):
    metadata = read_metadata(write(SAMPLE))
    assert metadata.crs.to_epsg() == 32650
    assert metadata.origin == (597786.85842445458, 3333597.1281958264, 352.50399999973473)
    assert metadata.is_placed
    assert not metadata.doubts


def test_the_origin_is_added_in_float64(write):
    metadata = read_metadata(write(SAMPLE))
    vertices = np.array([[12.345, -67.891, 3.25]], np.float32)
    (moved,) = metadata.placement.apply(vertices.astype(np.float64))
    expected = np.add(vertices[0].astype(float), metadata.origin)
    assert np.abs(moved - expected).max() < 1e-9
    assert is_local(metadata.placement.source)
    assert metadata.placement.target.to_epsg() == 32650


@pytest.mark.parametrize(
    ("srs", "epsg"),
    [
        ("EPSG:32650", 32650),
        ("epsg:4326", 4326),
        ("+proj=utm +zone=50 +datum=WGS84 +type=crs", None),
    ],
)
def test_codes_and_proj_texts_are_crss(write, srs, epsg):
    crs = read_metadata(write(xml(srs))).crs
    assert not is_local(crs)
    assert crs.to_epsg(70) == (epsg or 32650)


def test_a_pair_of_codes_is_a_compound_crs(write):
    crs = read_metadata(write(xml("EPSG:32650+5773"))).crs
    assert crs.is_compound
    assert [part.to_epsg() for part in crs.sub_crs_list] == [32650, 5773]


def test_wkt_is_a_crs(write):
    from pyproj import CRS

    wkt = CRS(32650).to_wkt("WKT1_GDAL").replace("&", "&amp;")
    assert read_metadata(write(xml(wkt))).crs.to_epsg(70) == 32650


def test_east_north_up_is_latitude_first_and_leads_to_the_earth(write):
    metadata = read_metadata(write(xml("ENU:30.12,118.01", "0,0,352.5")))
    assert is_local(metadata.crs)
    site = metadata.georeference
    assert (site.lat_deg, site.lon_deg) == (30.12, 118.01)
    earth = site.matrix_to_geocentric() @ [*metadata.origin, 1.0]
    lon, lat, height = Transformer.from_crs(4978, 4979, always_xy=True).transform(*earth[:3])
    assert (lon, lat, height) == pytest.approx((118.01, 30.12, 352.5), abs=1e-6)


@pytest.mark.parametrize("srs", ["local", "", "LOCAL", "none"])
def test_no_srs_is_a_local_frame_named_after_the_folder(write, srs):
    metadata = read_metadata(write(xml(srs)))
    assert not metadata.is_placed
    assert frame_name(metadata.crs) == "dji:local/terra_obj"
    missing = read_metadata(write("<ModelMetadata/>"))
    assert missing.origin == (0.0, 0.0, 0.0)
    assert not missing.is_placed


@pytest.mark.parametrize(
    ("text", "origin", "doubtful"),
    [
        ("1,2,3", (1, 2, 3), False),
        (" 1.5 , 2 ,\n3 ", (1.5, 2, 3), False),
        ("1 2 3", (1, 2, 3), False),
        ("1,2", (1, 2, 0), True),
        ("1e5,-2,3", (1e5, -2, 3), False),
    ],
)
def test_an_origin_is_three_numbers_or_is_filled_up_and_said(write, text, origin, doubtful):
    metadata = read_metadata(write(xml("EPSG:32650", text)))
    assert metadata.origin == origin
    assert bool(metadata.doubts) == doubtful


def test_a_byte_order_mark_is_passed_over(write):
    assert read_metadata(write(b"\xef\xbb\xbf" + SAMPLE.encode())).srs == "EPSG:32650"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not well-formed"),
        ("<ModelMetadata>", "not well-formed"),
        (xml("EPSG:32650", "1,2,3,4"), "not three numbers"),
        (xml("EPSG:32650", "1,b,3"), "not three numbers"),
        (xml("EPSG:32650", "nan,0,0"), "not three numbers"),
        ('<!DOCTYPE x [<!ENTITY a "b">]>' + xml("&a;"), "entities"),
        ("<a>" + " " * (1 << 20) + "</a>", "more than"),
    ],
)
def test_a_broken_file_is_named(write, text, message):
    path = write(text)
    with pytest.raises(CorruptFileError, match=message) as caught:
        read_metadata(path)
    assert str(path) in str(caught.value)


def test_a_missing_file_and_an_unknown_srs_are_named(write, tmp_path):
    with pytest.raises(CloudError, match="there is no file"):
        read_metadata(tmp_path / "metadata.xml")
    with pytest.raises(CrsError, match="no CRS PROJ knows"):
        _ = read_metadata(write(xml("nothing of the kind"))).crs


def test_copies_have_to_agree(write):
    first = read_metadata(write(SAMPLE))
    same = read_metadata(write(SAMPLE, folder="terra_ply"))
    near = read_metadata(
        write(SAMPLE.replace("352.50399999973473", "352.5040001"), folder="terra_osgbs")
    )
    assert agreed([first, same, near]) == first
    assert agreed([]) is None
    for text in (SAMPLE.replace("32650", "32649"), SAMPLE.replace("352.5", "353.5")):
        other = read_metadata(write(text, folder="terra_b3dms"))
        with pytest.raises(CorruptFileError, match="do not belong together"):
            agreed([first, other])


def test_the_frame_of_the_aerotriangulation_is_a_descriptor(write):
    frame = {
        "cs_type": "LOCAL_ENU_CS",
        "offset": [0, 0, 0],
        "ref_GPS": {"altitude": 352.504, "latitude": 30.12, "longitude": 118.01},
        "rvec": [0, 0, 0],
        "scale": 1.0,
    }
    descriptor = read_descriptor(write(json.dumps(frame), "sfm_geo_desc.json", "AT"))
    assert descriptor.ref_gps == (30.12, 118.01, 352.504)
    for broken in ({**frame, "rvec": [0, 0, 1]}, {**frame, "scale": 2}, {"cs_type": "X"}, []):
        with pytest.raises(CorruptFileError):
            read_descriptor(write(json.dumps(broken), "sfm_geo_desc.json", "AT"))


def test_the_log_repeats_the_descriptor_of_the_request(write):
    line = (
        "[2024-05-13][info] Output geo descriptor: "
        '{"cs_type":"GEO_CS","geo_cs":"EPSG:32650","geo_cs_wkt":"","override_vertical_cs":""}\r\n'
    )
    found = logged_descriptor(write(b"\xff\xfe noise\n" + line.encode(), "SDK_Log.txt"))
    assert found.crs.to_epsg() == 32650
    assert logged_descriptor(write("nothing of it", "SDK_Log.txt")) is None
    with pytest.raises(CorruptFileError):
        logged_descriptor(write(line.replace("GEO_CS", "GEO"), "SDK_Log.txt"))
