"""Operations are planned; what cannot be trusted stops, naming the grid or the declaration."""

import json
import os
import pickle
import re
import struct
import subprocess
import sys

import numpy as np
import pytest
from pyproj import CRS, Transformer, network

from cupixgeo.errors import CrsError, FrameError, MissingGridError, OperationError
from cupixgeo.geodesy.operation import plan_operation

EQUAL = "CGCS2000=WGS 84"
FOOT = 1200 / 3937
HEIGHTS = "heights-unchanged"
US_FEET = "EPSG:2263+6360"  # New York Long Island, NAVD88, both in US survey feet


@pytest.mark.parametrize(
    ("source", "target", "point"),
    [
        (32615, 4978, (500000.0, 4100000.0, 250.0)),
        (4978, 32615, (-311000.0, -5078000.0, 3837000.0)),
        (4978, 4979, (-311000.0, -5078000.0, 3837000.0)),
        (4978, 4326, (-311000.0, -5078000.0, 3837000.0)),
        (4979, 4978, (7.5, 46.0, 1500.0)),
        (32650, 32651, (700000.0, 4100000.0, 30.0)),
        (3857, 4326, (14149480.95, 4495272.28, 30.0)),
    ],
)
def test_one_datum_is_exact_and_agrees_with_proj(source, target, point):
    operation = plan_operation(source, target)
    expected = Transformer.from_crs(source, target, always_xy=True).transform(*point)
    np.testing.assert_allclose(operation.apply([point])[0], expected, rtol=1e-14, atol=1e-9)
    assert operation.accuracy_m == 0
    assert not operation.is_ballpark
    assert operation.assumptions == operation.grids == operation.missing_grids == ()


@pytest.mark.parametrize(
    ("source", "target", "point", "accuracy_m"),
    [
        (25832, 32632, (500000.0, 5500000.0, 100.0), 1),
        (2056, 32632, (2600000.0, 1200000.0, 550.0), 1),
        (26915, 32615, (500000.0, 4100000.0, 250.0), 4),
        (2193, 4326, (1800000.0, 5500000.0, 10.0), 1),
    ],
)
def test_two_datums_agree_with_proj_and_tell_the_accuracy(source, target, point, accuracy_m):
    operation = plan_operation(source, target)
    expected = Transformer.from_crs(source, target, always_xy=True).transform(*point)
    np.testing.assert_allclose(operation.apply([point])[0], expected, rtol=1e-14, atol=1e-8)
    assert operation.accuracy_m == accuracy_m


def test_longitude_comes_before_latitude():
    lon, lat, _ = plan_operation(32650, 4326).apply([[500000.0, 4000000.0, 0.0]])[0]
    assert (lon, lat) == (pytest.approx(117), pytest.approx(36.1447, abs=1e-4))
    easting, northing, _ = plan_operation(4490, 4547).apply([[114.0, 30.0, 0.0]])[0]
    assert easting == pytest.approx(500000)
    assert northing > 3e6


def test_a_crs_to_itself_changes_nothing():
    operation = plan_operation(32650, CRS(32650).to_wkt("WKT1_GDAL"))
    assert operation.is_identity
    assert operation.accuracy_m == 0
    xyz = np.array([[1.0, 2, 3]])
    np.testing.assert_array_equal(operation.apply(xyz), xyz)


@pytest.mark.parametrize("target", [32615, 4326])
def test_heights_out_of_a_placement_are_said_to_be_ellipsoidal(target):
    (note,) = plan_operation(4978, target).notes
    assert f"EPSG:{target}" in note
    assert "heights of the result are ellipsoidal" in note


def test_heights_without_any_system_are_handed_on_and_it_is_said():
    operation = plan_operation(2056, 32632)
    assert operation.apply([[2600000.0, 1200000.0, 550.0]])[0, 2] == 550
    assert "handed on" in operation.notes[0]


@pytest.mark.parametrize(
    ("source", "target", "grid"),
    [
        (4979, "EPSG:4326+5773", "us_nga_egm96_15.tif"),
        ("EPSG:32650+5773", 4979, "us_nga_egm96_15.tif"),
        (4978, "EPSG:32650+5773", "us_nga_egm96_15.tif"),
        (32650, "EPSG:32650+5773", "us_nga_egm96_15.tif"),
        ("EPSG:4326+3855", 4979, "us_nga_egm08_25.tif"),
        (4979, "EPSG:6318+5703", "us_noaa_g2018u0.tif"),
        (4326, "EPSG:6318+5703", "us_noaa_g2018u0.tif"),
        (4978, "EPSG:32615+5703", "us_noaa_g2018u0.tif"),
        ("EPSG:32650+5773", "EPSG:32650+3855", "us_nga_egm96_15.tif"),
    ],
)
def test_heights_that_proj_would_hand_on_in_silence_stop_naming_the_grid(source, target, grid):
    with pytest.raises(MissingGridError, match=re.escape(grid)) as caught:
        plan_operation(source, target)
    message = str(caught.value)
    assert "unchanged" in message
    assert f"pyproj sync --file {grid}" in message or "us_nga_egm08_25.tif" in message
    assert f"assume=('{HEIGHTS}',)" in message


def test_a_missing_horizontal_grid_offers_the_next_best_with_its_accuracy():
    with pytest.raises(MissingGridError, match=r"uk_os_OSTN15.*without-grids.*accuracy 2 m"):
        plan_operation(27700, 32630)
    operation = plan_operation(27700, 32630, assume="without-grids")
    assert operation.accuracy_m == 2
    assert operation.missing_grids == ("uk_os_OSTN15_NTv2_OSGBtoETRS.tif",)
    assert operation.assumptions == ("without-grids",)


def test_the_network_is_not_used_even_where_it_is_switched_on():
    before = network.is_network_enabled()
    network.set_network_enabled(active=True)
    try:
        with pytest.raises(MissingGridError, match="us_nga_egm96_15"):
            plan_operation(4979, "EPSG:4326+5773")
        assert network.is_network_enabled()
    finally:
        network.set_network_enabled(active=before)


def geoid_file(folder):
    """Write a geoid that is 30 m + 0.1 m per degree of longitude, as PROJ's GTX format."""
    lon = np.arange(-180, 181)
    grid = np.tile(30 + 0.1 * lon, (181, 1)).astype(">f4")
    header = struct.pack(">4d2i", -90, -180, 1, 1, 181, 361)
    (folder / "egm96_15.gtx").write_bytes(header + grid.tobytes())


def test_an_installed_grid_is_used_and_named(tmp_path):
    geoid_file(tmp_path)
    script = """
import json
from cupixgeo.geodesy.operation import plan_operation
down = plan_operation(4979, "EPSG:4326+5773")
up = plan_operation("EPSG:32650+5773", 4979)
equal = plan_operation("EPSG:32650+5773", 4479, assume="CGCS2000=WGS 84")
print(json.dumps([down.apply([[10.0, 50.0, 100.0]])[0, 2], up.apply([[5e5, 4e6, 100.0]])[0, 2],
                  down.grids, down.is_smooth, down.accuracy_m, equal.grids, equal.assumptions]))
"""
    environment = dict(os.environ, PROJ_USER_WRITABLE_DIRECTORY=str(tmp_path))
    run = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    down, up, grids, smooth, accuracy_m, equal_grids, assumed = json.loads(run.stdout)
    assert down == pytest.approx(100 - 31.0, abs=1e-5)
    assert up == pytest.approx(100 + 41.7, abs=1e-5)
    assert (grids, smooth, accuracy_m) == (["us_nga_egm96_15.tif"], False, 1)
    assert (equal_grids, assumed) == (["us_nga_egm96_15.tif"], [EQUAL])


def test_a_broken_grid_file_is_an_error_not_a_silence(tmp_path):
    (tmp_path / "us_nga_egm96_15.tif").write_bytes(b"<html>not found</html>")
    script = """
from cupixgeo.errors import OperationError
from cupixgeo.geodesy.operation import plan_operation
try:
    plan_operation(4979, "EPSG:4326+5773")
except OperationError as error:
    print(error)
"""
    environment = dict(os.environ, PROJ_USER_WRITABLE_DIRECTORY=str(tmp_path))
    run = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False
    )
    assert "grid" in run.stdout, run.stderr


@pytest.mark.parametrize(
    ("source", "target"),
    [(4490, 4326), (4549, 32650), (4547, 32649), (32650, 4547), (4978, 4547), (4978, 4479)],
)
def test_datums_proj_cannot_tell_apart_stop_and_spell_the_declaration(source, target):
    with pytest.raises(OperationError, match="ballpark") as caught:
        plan_operation(source, target)
    assert not isinstance(caught.value, MissingGridError)
    (declaration,) = re.findall(r"assume=\('([^']+)',\)", str(caught.value))
    operation = plan_operation(source, target, assume=(declaration,))
    assert operation.assumptions == (declaration,)
    assert operation.is_ballpark
    assert operation.accuracy_m is None


@pytest.mark.parametrize(
    "declaration",
    [
        "CGCS2000=WGS 84",
        "WGS84 = CGCS2000",
        "EPSG:4490=EPSG:4326",
        "China 2000=World Geodetic System 1984",
        "China Geodetic Coordinate System 2000=WGS 84",
    ],
)
def test_a_datum_may_be_declared_by_any_of_its_names(declaration):
    operation = plan_operation(32650, 4547, assume=declaration)
    assert operation.assumptions == (declaration,)
    point = (500000.0, 4000000.0, 7.0)
    expected = Transformer.from_crs(32650, 4547, always_xy=True).transform(*point)
    np.testing.assert_allclose(operation.apply([point])[0], expected, rtol=1e-14)


def test_a_declaration_about_other_datums_does_not_help():
    with pytest.raises(OperationError, match="WGS 84=CGCS2000"):
        plan_operation(32650, 4547, assume="ETRS89=WGS 84")


def test_a_declaration_that_is_not_needed_is_not_recorded():
    assert plan_operation(4258, 4326, assume=("ETRS89=WGS 84", HEIGHTS)).assumptions == ()


@pytest.mark.parametrize("text", ["anything", "=", "A=", "=B", "", "ballpark"])
def test_a_declaration_outside_the_grammar_is_refused(text):
    with pytest.raises(OperationError, match="is not understood"):
        plan_operation(32650, 4326, assume=(text,))


def test_contradicting_declarations_are_refused():
    with pytest.raises(OperationError, match="declare one"):
        plan_operation(32650, 4326, assume=("heights-in-metres", "heights-in-crs-unit"))


@pytest.mark.parametrize(
    ("source", "target", "point", "height"),
    [
        (4979, "EPSG:4326+5773", (7.5, 46.0, 100.0), 100.0),
        ("EPSG:32650+5773", 4979, (5e5, 4e6, 100.0), 100.0),
        ("EPSG:32650+5773", 32650, (5e5, 4e6, 100.0), 100.0),
        ("EPSG:32650+5773", 32651, (5e5, 4e6, 100.0), 100.0),
        ("EPSG:32650+5773", "EPSG:32650+3855", (5e5, 4e6, 100.0), 100.0),
        ("EPSG:32618+5703", US_FEET, (6e5, 4.5e6, 100.0), 100.0 / FOOT),
        (32618, US_FEET, (6e5, 4.5e6, 100.0), 100.0 / FOOT),
        (US_FEET, 32618, (1e6, 2e5, 100.0), 100.0 * FOOT),
    ],
)
def test_declared_heights_keep_their_value_but_not_their_unit(source, target, point, height):
    operation = plan_operation(source, target, assume=(HEIGHTS, "without-grids"))
    assert operation.apply([point])[0, 2] == pytest.approx(height, abs=1e-9)


def test_declared_heights_are_recorded_and_void_the_accuracy():
    operation = plan_operation("EPSG:32650+5773", 32651, assume=HEIGHTS)
    assert operation.assumptions == (HEIGHTS,)
    assert operation.accuracy_m is None
    assert operation.is_ballpark
    assert "EGM96" in operation.notes[0]


def test_stated_heights_are_not_dropped_without_a_word():
    with pytest.raises(OperationError, match=r"EPSG:32651\+5773.*heights-unchanged"):
        plan_operation("EPSG:32650+5773", 32651)
    kept = plan_operation("EPSG:32650+5773", "EPSG:32651+5773")
    assert (kept.accuracy_m, kept.assumptions) == (0, ())


def test_height_systems_proj_cannot_join_stop():
    with pytest.raises(OperationError, match=r"transformation of the heights.*heights-unchanged"):
        plan_operation("EPSG:32632+7837", "EPSG:32632+5730")


@pytest.mark.parametrize(("source", "target"), [(2263, 26918), (2263, 4978), (4978, 2263)])
def test_the_unit_of_unstated_heights_is_asked_where_it_is_open(source, target):
    with pytest.raises(OperationError, match=r"US survey foot.*heights-in-metres"):
        plan_operation(source, target)


@pytest.mark.parametrize(
    ("assume", "factor"), [("heights-in-metres", 1.0), ("heights-in-crs-unit", FOOT)]
)
def test_the_declared_unit_of_heights_is_used(assume, factor):
    point = (1000000.0, 200000.0, 100.0)
    operation = plan_operation(2263, 26918, assume=assume)
    assert operation.apply([point])[0, 2] == pytest.approx(100 * factor, abs=1e-12)
    assert operation.assumptions == (assume,)
    assert operation.accuracy_m == 0
    back = plan_operation(26918, 2263, assume=assume)
    np.testing.assert_allclose(back.apply(operation.apply([point]))[0], point, atol=1e-6)


def test_feet_to_feet_leave_nothing_open():
    assert plan_operation(2263, 2272).apply([[1e6, 2e5, 100.0]])[0, 2] == 100


def test_a_vertical_unit_is_proj_s_own_business():
    operation = plan_operation("EPSG:26915+5703", "EPSG:26915+6360")
    assert operation.apply([[5e5, 4e6, 100.0]])[0, 2] == pytest.approx(100 / FOOT)
    assert operation.assumptions == ()


@pytest.mark.parametrize(
    ("source", "target"),
    [("cupix:pointcloud/1", 32650), (32650, "cupix:pointcloud/1"), ("a1:b/1", "a1:b/2")],
)
def test_local_frames_have_no_operation(source, target):
    with pytest.raises(FrameError, match="place the cloud first"):
        plan_operation(source, target)


def test_a_height_system_alone_is_no_crs_for_points():
    with pytest.raises(CrsError, match=r"EPSG:5773.*height system only.*EPSG:32650\+5773"):
        plan_operation(5773, 4979)


def test_other_worlds_are_out_of_reach():
    with pytest.raises(OperationError, match="no operation from Moon"):
        plan_operation("IAU_2015:30100", 4326)


def test_a_region_chooses_among_operations():
    everywhere = plan_operation(31467, 25832, assume="without-grids")
    south = plan_operation(31467, 25832, assume="without-grids", area=(8.9, 48.5, 9.5, 49.0))
    assert "area=" in everywhere.notes[-1]
    assert south.accuracy_m < everywhere.accuracy_m
    assert not any("area=" in note for note in south.notes)
    west, _, east, _ = south.area_of_use
    assert west <= 8.9 < 9.5 <= east


def test_a_better_grid_for_a_region_is_noted_but_does_not_stop():
    minnesota = (-94.0, 45.0, -93.9, 45.1)
    operation = plan_operation(26915, 32615, area=minnesota)
    assert operation.accuracy_m == 4
    assert "us_noaa_mnhpgn.tif" in operation.missing_grids
    assert any("us_noaa_mnhpgn.tif" in note for note in operation.notes)


def test_a_region_does_not_excuse_a_missing_geoid():
    with pytest.raises(MissingGridError, match="us_noaa_g2018u0"):
        plan_operation(4979, "EPSG:6318+5703", area=(-94.0, 45.0, -93.9, 45.1))


@pytest.mark.parametrize("target", [28992, 2056, 31370, 25832])
def test_ellipsoidal_heights_stay_what_they_are_without_a_height_system(target):
    geocentric = Transformer.from_crs(4979, 4978, always_xy=True).transform(5.4, 50.9, 100.0)
    operation = plan_operation(4978, target)
    assert operation.apply([geocentric])[0, 2] == pytest.approx(100, abs=1e-6)
    assert "on World Geodetic System 1984" in operation.notes[0]


def test_time_dependent_operations_are_said_to_be():
    assert any("reference epoch" in note for note in plan_operation(9989, 9755).notes)


def test_points_outside_the_domain_are_counted():
    xyz = [[5e5, 4e6, 0], [1e30, 1e30, 0], [np.nan, 4e6, 0]]
    with pytest.raises(OperationError, match=r"2 of 3 points lie outside.*EPSG:32650"):
        plan_operation(32650, 4326).apply(xyz)


@pytest.mark.parametrize("shape", [(2, 2), (3,), (0, 3)])
def test_points_keep_their_shape_or_are_refused(shape):
    operation = plan_operation(32650, 4326)
    xyz = np.full(shape, 5e5)
    if shape[-1] == 3:
        assert operation.apply(xyz).shape == shape
    else:
        with pytest.raises(OperationError, match=r"give \(n, 3\)"):
            operation.apply(xyz)


def test_given_points_are_left_alone():
    xyz = np.full((4, 3), 5e5)
    plan_operation(32650, 4326).apply(xyz)
    assert (xyz == 5e5).all()


def test_it_survives_pickle_and_tells_all_in_plain_values():
    operation = plan_operation(32650, 4547, assume=EQUAL)
    again = pickle.loads(pickle.dumps(operation))
    assert again == operation
    np.testing.assert_array_equal(again.apply([[5e5, 4e6, 1]]), operation.apply([[5e5, 4e6, 1]]))
    told = operation.to_dict()
    assert json.loads(json.dumps(told)) == told
    assert told["assumptions"] == [EQUAL]
    assert told["accuracy_m"] is None
    assert "accuracy unknown" in repr(operation)
