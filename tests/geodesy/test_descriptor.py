"""DJI's output descriptor, both ways, in every shape."""

import json
import pickle

import numpy as np
import pytest
from pyproj import CRS, Transformer

from cupixgeo.errors import CrsError, DescriptorError
from cupixgeo.geodesy.crs import as_crs, frame_name, local_frame, same_crs
from cupixgeo.geodesy.descriptor import OutputDescriptor

SEED = {"cs_type": "GEO_CS", "geo_cs": "EPSG:32650", "geo_cs_wkt": "", "override_vertical_cs": ""}
EGM96 = {**SEED, "override_vertical_cs": "EPSG:5773"}
LOCAL = {"cs_type": "LOCAL_CS", "geo_cs": "", "geo_cs_wkt": "", "override_vertical_cs": ""}
ENU = {
    **LOCAL,
    "cs_type": "LOCAL_ENU_CS",
    "ref_GPS": {"latitude": 37.4, "longitude": 127.1, "altitude": 55.5},
}
NO_EPSG = CRS("+proj=tmerc +lat_0=37 +lon_0=127.1 +x_0=1000 +y_0=2000 +datum=WGS84 +type=crs")


def test_a_code_is_described_as_the_vendor_shows_it():
    assert OutputDescriptor.from_crs(32650).to_dict() == SEED
    assert list(OutputDescriptor.from_crs(32650).to_dict()) == list(SEED)


@pytest.mark.parametrize("crs", ["EPSG:32650", CRS(32650), CRS(32650).to_wkt("WKT1_GDAL")])
def test_every_spelling_of_a_crs_gets_its_code(crs):
    assert OutputDescriptor.from_crs(crs).to_dict() == SEED


def test_a_compound_is_split_into_two_codes():
    assert OutputDescriptor.from_crs("EPSG:32650+5773").to_dict() == EGM96
    from_wkt = OutputDescriptor.from_crs(CRS("EPSG:32650+5773").to_wkt("WKT1_GDAL"))
    assert from_wkt.to_dict() == EGM96


def test_a_compound_with_a_code_of_its_own_is_split_too():
    assert as_crs(9707).is_compound
    told = OutputDescriptor.from_crs(9707).to_dict()
    assert (told["geo_cs"], told["override_vertical_cs"]) == ("EPSG:4326", "EPSG:5773")


@pytest.mark.parametrize("crs", [4979, CRS(32650).to_3d()])
def test_ellipsoidal_heights_are_no_override(crs):
    told = OutputDescriptor.from_crs(crs).to_dict()
    assert told["geo_cs"] in ("EPSG:4326", "EPSG:32650")
    assert told["override_vertical_cs"] == ""


def test_a_crs_without_code_is_described_by_wkt_and_read_back():
    descriptor = OutputDescriptor.from_crs(NO_EPSG)
    told = descriptor.to_dict()
    assert (told["cs_type"], told["geo_cs"]) == ("GEO_CS", "")
    assert same_crs(OutputDescriptor.from_dict(told).crs, NO_EPSG)


def test_reading_a_vertical_override_gives_a_compound():
    crs = OutputDescriptor.from_dict(EGM96).crs
    assert crs.is_compound
    assert same_crs(crs, "EPSG:32650+5773")


def test_a_vertical_override_goes_with_wkt_too():
    told = {**EGM96, "geo_cs": "", "geo_cs_wkt": CRS(32650).to_wkt("WKT1_GDAL")}
    assert same_crs(OutputDescriptor.from_dict(told).crs, "EPSG:32650+5773")


@pytest.mark.parametrize(
    "wire",
    [
        SEED,
        EGM96,
        LOCAL,
        ENU,
        {**SEED, "offset": [1.0, 2.0, 3.0]},
        {**ENU, "offset": [1.0, 2.0, 3.0]},
        {**SEED, "geo_cs": "", "geo_cs_wkt": NO_EPSG.to_wkt("WKT1_GDAL")},
        {**SEED, "use_gcj02": False, "nested": {"kept": [1, 2]}},
        {},
        {"later": "key"},
    ],
)
def test_what_is_read_is_written_back(wire):
    assert OutputDescriptor.from_dict(wire).to_dict() == wire
    assert OutputDescriptor.from_dict(json.dumps(wire)).to_dict() == wire


def test_left_out_seed_keys_are_written_all_the_same():
    assert OutputDescriptor.from_dict({"cs_type": "GEO_CS", "geo_cs": "EPSG:32650"}).to_dict() == (
        SEED
    )
    nulls = {**SEED, "geo_cs_wkt": None, "override_vertical_cs": None}
    assert OutputDescriptor.from_dict(nulls).to_dict() == SEED


def test_an_empty_descriptor_leaves_the_crs_to_the_engine():
    with pytest.raises(CrsError, match="engine"):
        _ = OutputDescriptor.from_dict({}).crs


def test_a_local_descriptor_is_a_local_frame():
    assert frame_name(OutputDescriptor.from_dict(LOCAL).crs) == "dji:local/output"
    named = OutputDescriptor.from_dict(LOCAL, frame="flighthub:model/77")
    assert frame_name(named.crs) == "flighthub:model/77"
    assert named.georeference is None
    assert named.transform is None


def test_a_local_frame_is_described_as_local_and_keeps_its_name():
    descriptor = OutputDescriptor.from_crs("flighthub:model/77")
    assert descriptor.to_dict() == LOCAL
    assert same_crs(descriptor.crs, local_frame("flighthub:model/77"))


def test_local_enu_is_placed_by_its_reference_point():
    descriptor = OutputDescriptor.from_dict(ENU)
    there = descriptor.transform
    assert same_crs(there.source, descriptor.crs)
    east_north_up = np.array([[30.0, 40.0, 5.0]])
    proj = Transformer.from_pipeline(
        "+proj=pipeline +step +inv +proj=topocentric +ellps=WGS84 "
        "+lat_0=37.4 +lon_0=127.1 +h_0=55.5"
    )
    expected = proj.transform(*east_north_up[0])
    np.testing.assert_allclose(there.apply(east_north_up)[0], expected, rtol=0, atol=1e-6)
    assert OutputDescriptor.local_enu(37.4, 127.1, 55.5).to_dict() == ENU


def test_two_enu_origins_are_two_frames():
    one, other = (OutputDescriptor.local_enu(37.4, lon) for lon in (127.1, 127.1000001))
    assert not same_crs(one, other)


def test_it_stands_where_a_crs_is_asked_for():
    descriptor = OutputDescriptor.from_dict(EGM96)
    assert same_crs(as_crs(descriptor), "EPSG:32650+5773")
    assert OutputDescriptor.from_crs(descriptor) is descriptor


@pytest.mark.parametrize(
    ("wire", "said"),
    [
        ({"cs_type": "GEO_CS"}, "exactly one.*neither"),
        ({**SEED, "geo_cs_wkt": "PROJCS[]"}, "exactly one.*both"),
        ({**SEED, "cs_type": "MOON_CS"}, "MOON_CS.*not known"),
        ({"geo_cs": "EPSG:32650"}, "no cs_type"),
        ({**SEED, "geo_cs": "32650"}, "geo_cs is '32650'"),
        ({**SEED, "geo_cs": "EPSG:32650+5773"}, "override_vertical_cs"),
        ({**SEED, "override_vertical_cs": "EGM96"}, "override_vertical_cs is 'EGM96'"),
        ({**SEED, "geo_cs": 32650}, "geo_cs is 32650"),
        ({**LOCAL, "geo_cs": "EPSG:32650"}, "LOCAL_CS has no"),
        ({**LOCAL, "cs_type": "LOCAL_ENU_CS"}, "needs ref_GPS"),
        ({**SEED, "ref_GPS": ENU["ref_GPS"]}, "belongs to LOCAL_ENU_CS"),
        ({**ENU, "ref_GPS": {"lat": 1}}, "ref_GPS is"),
        ({**ENU, "ref_GPS": {"latitude": 1}}, "ref_GPS is .* three numbers"),
        ({**SEED, "offset": [1, 2]}, "offset is .* three numbers"),
        ("not json", "not JSON"),
        ("[]", "JSON list"),
    ],
)
def test_a_shape_the_vendor_does_not_define_is_refused(wire, said):
    with pytest.raises(DescriptorError, match=said):
        OutputDescriptor.from_dict(wire)


@pytest.mark.parametrize("crs", [4978, 5773])
def test_nothing_is_delivered_in_geocentric_or_heights_alone(crs):
    with pytest.raises(DescriptorError, match="no CRS to deliver in"):
        OutputDescriptor.from_crs(crs)


def test_unknown_codes_are_named():
    with pytest.raises(CrsError, match="999999"):
        _ = OutputDescriptor.from_dict({**SEED, "geo_cs": "EPSG:999999"}).crs
    with pytest.raises(CrsError, match="not a vertical CRS"):
        _ = OutputDescriptor.from_dict({**SEED, "override_vertical_cs": "EPSG:32650"}).crs


def test_it_is_a_value():
    one, other = OutputDescriptor.from_dict(EGM96), OutputDescriptor.from_crs("EPSG:32650+5773")
    assert one == other
    assert hash(one) == hash(other)
    assert pickle.loads(pickle.dumps(one)) == one
    with pytest.raises(AttributeError):
        one.geo_cs = "EPSG:32651"
    with pytest.raises(TypeError):
        one.extra["new"] = 1
