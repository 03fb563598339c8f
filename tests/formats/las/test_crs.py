"""The CRS of a LAS file: every record is read, the best one wins, and the losers are named."""

import laspy
import numpy as np
import pyproj
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cupixgeo.formats.las.reader import LasReader
from cupixgeo.geodesy.crs import frame_name, local_frame
from tests.formats.lasfiles import geokeys, las_data, patch, with_record

WKT, MATH, KEYS, DOUBLES, ASCII = 2112, 2111, 34735, 34736, 34737
MODEL, GEODETIC, PROJECTED, CITATION, VERTICAL, UNIT = 1024, 2048, 3072, 3073, 4096, 3076
UTM50 = pyproj.CRS.from_epsg(32650).to_wkt("WKT1_GDAL").encode() + b"\0"
UTM51 = pyproj.CRS.from_epsg(32651).to_wkt("WKT1_GDAL").encode() + b"\0"
GEOGRAPHIC = pyproj.CRS.from_epsg(4326).to_wkt("WKT1_GDAL").encode() + b"\0"


def resolved(path, *records, version="1.4", bit=None, crs=None):
    """Info of a file with these (id, data, extended) records."""
    las = las_data(7 if version == "1.4" else 3, 10, version=version)
    for record_id, data, extended in records:
        with_record(las, record_id, data, extended=extended)
    las.write(path)
    if bit is not None:
        patch(path, 6, "<H", 16 if bit else 0)
    with LasReader(path, crs=crs) as reader:
        return reader.info


@pytest.fixture
def path(tmp_path):
    return tmp_path / "scan.las"


@pytest.mark.parametrize("extended", [False, True], ids=["VLR", "EVLR"])
def test_wkt_is_read_from_both_places(path, extended):
    info = resolved(path, (WKT, UTM50, extended), bit=True)
    assert info.crs.to_epsg() == 32650
    place = "EVLR" if extended else "VLR"
    assert info.crs_source == (
        f"EPSG:32650 (WGS 84 / UTM zone 50N) from the WKT record ({place} 2112)"
    )


@pytest.mark.parametrize("extended", [False, True], ids=["VLR", "EVLR"])
def test_geotiff_keys_are_read_from_both_places(path, extended):
    keys = geokeys(k1024=1, k3072=32650)
    info = resolved(path, (KEYS, keys, extended))
    assert info.crs.to_epsg() == 32650
    assert "GeoTIFF keys" in info.crs_source


def test_wkt_ranks_above_geotiff_and_the_disagreement_is_told(path):
    keys = geokeys(k1024=1, k3072=32651)
    info = resolved(path, (KEYS, keys, False), (WKT, UTM50, True), bit=True)
    assert info.crs.to_epsg() == 32650
    assert "32651" in info.crs_source
    assert "DISAGREES" in info.crs_source


def test_agreeing_records_are_told_apart_from_disagreeing_ones(path):
    info = resolved(path, (WKT, UTM50, False), (KEYS, geokeys(k3072=32650), False), bit=True)
    assert info.crs.to_epsg() == 32650
    assert "says the same" in info.crs_source


def test_projected_ranks_above_the_geographic_base_stored_beside_it(path):
    keys = geokeys(k1024=1, k2048=4326, k3072=32650)
    assert resolved(path, (KEYS, keys, False)).crs.to_epsg() == 32650


def test_an_empty_geotiff_record_does_not_hide_a_good_wkt(path):
    info = resolved(path, (KEYS, b"", False), (WKT, UTM50, True), bit=True)
    assert info.crs.to_epsg() == 32650
    assert "they are empty" in info.crs_source


def test_an_empty_wkt_record_does_not_hide_good_keys(path):
    info = resolved(path, (WKT, b"\0", False), (KEYS, geokeys(k3072=32650), False))
    assert info.crs.to_epsg() == 32650
    assert "it is empty" in info.crs_source


def test_a_math_transform_is_never_taken_for_a_crs(path):
    info = resolved(path, (MATH, UTM51, False), (WKT, UTM50, False), bit=True)
    assert info.crs.to_epsg() == 32650
    assert "math transform" in info.crs_source
    alone = resolved(path, (MATH, UTM51, False))
    assert frame_name(alone.crs) == "file:scan.las"


def test_the_vertical_crs_is_kept_as_a_compound(path):
    keys = geokeys(k1024=1, k3072=32650, k4096=5773)
    crs = resolved(path, (KEYS, keys, False)).crs
    assert crs.is_compound
    assert [part.to_epsg() for part in crs.sub_crs_list] == [32650, 5773]


@pytest.mark.parametrize("vertical", [5030, 5103, 32767])
def test_a_vertical_code_that_is_none_is_told_and_the_rest_kept(path, vertical):
    keys = geokeys(k1024=1, k3072=32650, k4096=vertical)
    info = resolved(path, (KEYS, keys, False))
    assert info.crs.to_epsg() == 32650
    assert str(vertical) in info.crs_source
    assert "heights have none" in info.crs_source


def test_a_user_defined_projection_is_never_replaced_by_its_geographic_base(path):
    keys = geokeys(k1024=1, k2048=4326, k3072=32767)
    info = resolved(path, (KEYS, keys, False))
    assert frame_name(info.crs) == "file:scan.las"
    assert "user-defined" in info.crs_source
    assert "crs=" in info.crs_source


def test_wkt_in_the_citation_describes_a_user_defined_projection(path):
    text = b"ESRI PE String = " + UTM50.rstrip(b"\0") + b"|\0"
    directory = bytearray(geokeys(k1024=1, k3072=32767, k3073=0))
    directory[-6:] = ASCII.to_bytes(2, "little") + len(text).to_bytes(2, "little") + b"\0\0"
    info = resolved(path, (KEYS, bytes(directory), False), (ASCII, text, False))
    assert info.crs.to_epsg() == 32650


def test_geographic_codes_do_not_win_over_coordinates_that_are_no_degrees(path):
    info = resolved(path, (KEYS, geokeys(k1024=2, k2048=4326), False))
    assert frame_name(info.crs) == "file:scan.las"
    assert "not degrees" in info.crs_source
    assert "not degrees" in resolved(path, (WKT, GEOGRAPHIC, False)).crs_source


def test_geographic_coordinates_are_geographic(tmp_path):
    path = tmp_path / "lonlat.las"
    las = laspy.create(point_format=6, file_version="1.4")
    las.header.scales, las.header.offsets = [1e-7] * 3, [116.0, 40.0, 0.0]
    las.x, las.y, las.z = np.array([[116.1, 40.1, 5.0]] * 10).T
    with_record(las, KEYS, geokeys(k1024=2, k2048=4326)).write(path)
    with LasReader(path) as reader:
        assert reader.info.crs.to_epsg() == 4326


def test_the_wkt_bit_may_be_wrong_both_ways(path):
    unset = resolved(path, (WKT, UTM50, False), bit=False)
    assert unset.crs.to_epsg() == 32650
    assert "WKT bit is not set" in unset.crs_source
    promised = resolved(path, (KEYS, geokeys(k3072=32650), False), bit=True)
    assert promised.crs.to_epsg() == 32650
    assert "promises a WKT record" in promised.crs_source


def test_a_unit_key_that_contradicts_the_crs_is_told(path):
    info = resolved(path, (KEYS, geokeys(k1024=1, k3072=32650, k3076=9003), False))
    assert info.crs.to_epsg() == 32650
    assert "US survey foot" in info.crs_source


def test_broken_wkt_falls_back_to_the_keys(path):
    keys = geokeys(k3072=32650)
    info = resolved(path, (WKT, b"PROJCS[broken", False), (KEYS, keys, False))
    assert info.crs.to_epsg() == 32650
    assert "does not understand 'PROJCS[broken'" in info.crs_source


def test_a_file_without_any_statement_is_in_its_own_local_frame(path):
    info = resolved(path, version="1.2")
    assert frame_name(info.crs) == "file:scan.las"
    assert "states no usable CRS" in info.crs_source


@pytest.mark.parametrize("version", ["WKT1_GDAL", "WKT2_2019"])
def test_a_local_frame_keeps_its_name(path, version):
    wkt = local_frame("cupix:cluster/3416").to_wkt(version).encode()
    assert frame_name(resolved(path, (WKT, wkt, False), bit=True).crs) == "cupix:cluster/3416"


def test_a_compound_crs_written_by_laspy_is_read(path):
    las = las_data(7, 10)
    las.header.add_crs(pyproj.CRS("EPSG:32650+5773"))
    las.write(path)
    with LasReader(path) as reader:
        assert reader.info.crs.is_compound


def test_geographic_keys_written_by_laspy_are_read(path):
    las = las_data(3, 10)
    las.header.add_crs(pyproj.CRS.from_epsg(32650))
    las.write(path)
    with LasReader(path) as reader, laspy.open(path) as independent:
        assert reader.info.crs == independent.header.parse_crs()


@settings(max_examples=60, suppress_health_check=list(HealthCheck), deadline=None)
@given(
    wkt=st.binary(max_size=80),
    keys=st.binary(max_size=80),
    doubles=st.binary(max_size=40),
    text=st.binary(max_size=40),
)
def test_any_bytes_in_the_records_give_a_crs_and_a_reason(path, wkt, keys, doubles, text):
    records = ((WKT, wkt, False), (KEYS, keys, True), (DOUBLES, doubles, True), (ASCII, text, True))
    info = resolved(path, *records)
    assert info.crs is not None
    assert info.crs_source
