"""The map's own logic, without a browser: selection, area, control points, messages, code."""

import io
import json
from importlib.resources import files
from itertools import pairwise
from threading import Event

import ipyleaflet
import numpy as np
import pandas as pd
import PIL.Image
import pytest
from pyproj import CRS, Transformer

import cupixgeo as cx
from cupixgeo.errors import ArgumentError, CloudError, CrsError, FrameError
from cupixgeo.formats.extent import read_area
from cupixgeo.progress import Progress
from cupixgeo.widgets import map_clouds, map_reading, map_things, reading
from cupixgeo.widgets.aoi import Aoi
from cupixgeo.widgets.map import Map
from cupixgeo.widgets.map_companion import land
from tests.pages.browser import distinct_colours
from tests.widgets.test_map_things import SCAN, UTM, cloud, lon_lat, table

BOX = [576_690, 5_188_130, 576_740, 5_188_180]


def feature(ring):
    ring = np.asarray(ring, float).tolist()
    geometry = {"type": "Polygon", "coordinates": [[*ring, ring[0]]]}
    return {"type": "Feature", "properties": {"style": {}}, "geometry": geometry}


def draw(shown, *rings):
    """What the browser sends when shapes were drawn."""
    shown._area.control.data = [feature(ring) for ring in rings]


def look(shown, west, south, east, north):
    """What the browser sends when the view has moved."""
    shown.map.set_state({"west": west, "south": south, "east": east, "north": north})


def points():
    return pd.DataFrame(
        {"name": ["P1", "P2"], "x": [576_700.0, 576_730.0], "y": [5_188_140.0, 5_188_170.0]},
        index=["a", "b"],
    )


def test_it_asks_for_nothing_by_default():
    shown = Map(table())
    assert shown.map.layers == ()
    assert shown.basemap is None
    shown.basemap = "osm"
    assert [layer.url for layer in shown.map.layers] == [
        "https://tile.openstreetmap.org/{z}/{x}/{y}.png"
    ]
    shown.basemap = None
    assert shown.map.layers == ()
    with pytest.raises(ArgumentError, match="'osm'"):
        shown.basemap = "osmm"


def test_unknown_keywords_and_things_are_refused():
    with pytest.raises(ArgumentError, match="Did you mean 'gcps'"):
        Map(gcp=points())
    with pytest.raises(ArgumentError, match="cannot show a float"):
        Map(1.5)
    with pytest.raises(FrameError, match="local frame"):
        Map(crs="cupix:facility/12")


def test_the_projects_crs_is_given_or_the_clouds_or_the_utm_zone():
    assert Map().crs is None
    assert Map(table(), crs="EPSG:26915").crs == CRS(26915)
    assert Map(table()).crs == CRS(UTM)
    assert Map(table(), cloud(26915)).crs == CRS(26915)


def test_what_cannot_be_placed_is_said_and_the_rest_is_shown():
    shown = Map(table(), {"sub": cloud("cupix:pointcloud/5310")})
    assert shown.layers == ["panos"]
    assert "cupix:pointcloud/5310" in shown.message
    assert 'role="alert"' in shown._message.value
    shown.add({"sub": cloud()})
    assert shown.layers == ["panos", "sub", "sub: outline"]
    assert shown.message == ""
    shown.add({"sub": pd.DataFrame({"id": [1]})})
    assert "no columns lon_deg" in shown.message
    shown.remove("sub")
    assert shown.message == ""
    assert shown.layers == ["panos"]


def test_a_cloud_without_points_or_coordinates_is_said():
    empty = cloud().isel(point=slice(0, 0))
    nowhere = cloud().assign_coords(x=("point", np.full(2000, np.nan)))
    assert Map(empty).message == "scan.laz holds no points, so there is nothing to show."
    assert "scan.laz: none of its 2,000 points has finite coordinates" in Map(nowhere).message
    holes = cloud().assign_coords(x=("point", np.where(np.arange(2000) < 7, np.nan, cloud().x)))
    shown = Map(holes)
    assert "7 of 2,000 points have no finite coordinates" in shown.message
    assert len(shown.layers) == 2


def test_what_is_no_table_of_numbers_is_said():
    assert "do not hold numbers" in Map(table(lat_deg="north")).message
    assert "has no rows" in Map(table().iloc[:0]).message
    with pytest.raises(ArgumentError, match=r"gcps= is a list.*pandas.DataFrame"):
        Map(cloud(), gcps=[(1, 2)])
    with pytest.raises(ArgumentError, match="height_px=-3"):
        Map(height_px=-3)


# -- large clouds ---------------------------------------------------------------------------------


@pytest.fixture
def halted(monkeypatch):
    """Clouds are large, and their reading stops half way until the event is set."""
    go, halfway = Event(), Event()
    whole = map_clouds.top_view

    def view(reader, *, progress):
        progress(Progress("picture", 1_500_000, 3_000_000))
        halfway.set()
        assert go.wait(20)
        progress(Progress("picture", 3_000_000, 3_000_000))
        return whole(reader, progress=progress)

    monkeypatch.setattr(map_things, "QUICK_POINTS", 100)
    monkeypatch.setattr(map_reading, "AT_ONCE_S", 0.0)
    monkeypatch.setattr(reading, "PAUSE_S", -1.0)
    monkeypatch.setattr(map_clouds, "top_view", view)
    yield go, halfway
    go.set()


def test_a_large_cloud_is_read_aside_and_the_map_says_how_far_it_is(halted):
    go, halfway = halted
    gcps = pd.DataFrame({"x": [576_700.0], "y": [5_188_130.0]})
    shown = Map(cloud(), gcps=gcps, aoi=(576_690, 5_188_125, 576_710, 5_188_140))
    assert halfway.wait(20)
    assert shown.crs.to_epsg() == UTM
    assert shown.layers == []
    assert "Reading scan.laz: 1.5 of 3.0 million points" in shown.message
    shown.zoom_to("scan.laz")
    shown.add(table())  # what is quick does not wait for it
    assert shown.layers == ["panos"]
    before = shown._companion.fit["serial"]
    go.set()
    assert shown.wait(20)
    assert shown.layers == ["scan.laz", "scan.laz: outline", "panos"]
    assert shown._companion.fit["serial"] == before + 1, "brought into view when it came"
    (south, west), _ = shown._companion.fit["bounds"]
    assert [west, south] == pytest.approx(lon_lat([(576_680, 5_188_120)])[0], abs=1e-5)
    assert "Reading" not in shown.message


def test_what_is_asked_of_a_layer_that_is_being_read_waits_for_it(halted):
    go, halfway = halted
    shown = Map({"a": cloud(), "b": cloud()})
    assert halfway.wait(20)
    go.set()
    shown.swipe("a", "b")
    shown.hide("b: outline")
    shown.select([0], "a: outline")
    assert shown.layers == ["a", "a: outline", "b", "b: outline"]
    with pytest.raises(ArgumentError, match="layer 'c' is not known"):
        shown.hide("c")


def test_a_large_cloud_that_is_taken_away_is_not_read_to_the_end(halted):
    go, halfway = halted
    shown = Map(cloud())
    assert halfway.wait(20)
    shown.remove("scan.laz")
    go.set()
    assert shown.wait(20)
    assert (shown.layers, shown.message) == ([], "")


# -- selection ------------------------------------------------------------------------------------


def test_rows_of_one_label_are_selected_together_and_once():
    shown = Map(table().set_index(pd.Index(["a", "a", "b", "b", "c"])))
    shown._companion.picked = {"table": "panos", "rows": [0, 4]}
    assert shown.selection == ("a", "c")
    assert shown._companion.picked["rows"] == [0, 1, 4]
    assert len(shown.selected) == 3


def test_rows_selected_in_python_go_to_the_browser():
    shown = Map(table().set_index("name", drop=False))
    shown.select(["P1", "P3"])
    assert shown._companion.picked == {"table": "panos", "rows": [1, 3]}
    assert shown.selected["name"].tolist() == ["P1", "P3"]
    shown.selection = ["P4"]
    assert shown._companion.picked["rows"] == [4]
    shown.select([])
    assert shown.selection == ()
    assert len(shown.selected) == 0
    with pytest.raises(ArgumentError, match="no row 'P9'"):
        shown.select(["P9"])
    with pytest.raises(ArgumentError, match="Did you mean 'panos'"):
        shown.select(["P1"], "pano")


def test_rows_picked_in_the_browser_arrive_as_labels():
    shown = Map(table().set_index("name", drop=False))
    seen = []
    shown.observe(lambda change: seen.append(change["new"]), "selection")
    shown._companion.picked = {"table": "panos", "rows": [0, 2]}
    assert shown.selection == ("P0", "P2")
    shown._companion.picked = {"table": "panos", "rows": []}
    assert seen == [("P0", "P2"), ()]


def test_each_table_has_its_own_rows():
    shown = Map(table(), {"second": table(3)}, cloud())
    assert list(shown.tables) == ["panos", "second", "scan.laz: outline"]
    shown._companion.picked = {"table": "second", "rows": [2]}
    assert shown.selection == (2,)
    assert len(shown.selected) == 1
    shown.select([4], "panos")
    assert shown._companion.picked == {"table": "panos", "rows": [4]}
    shown.add({"panos": table(2)})
    assert shown.selection == ()
    shown.select([1], "second")
    shown.add({"panos": table(3)})
    assert shown.selection == (1,), "another table's change leaves the selection"


def test_users_tables_come_before_those_made_of_clouds():
    assert next(iter(Map(cloud(), table()).tables)) == "panos"


# -- area -----------------------------------------------------------------------------------------


def test_an_area_set_in_python_is_kept_as_it_is_and_drawn_to_be_edited():
    shown = Map(table(), aoi=BOX)
    assert shown.aoi.bounds == tuple(BOX)
    (drawn,) = shown._area.control.data
    ring = np.array(drawn["geometry"]["coordinates"][0])
    assert ring[0] == pytest.approx(lon_lat([(576_690, 5_188_130)])[0], abs=1e-9)
    shown.aoi = None
    assert shown._area.control.data == []


def test_an_area_drawn_by_hand_arrives_in_the_projects_crs():
    shown, seen = Map(table(), crs=26915), []
    shown.observe(lambda change: seen.append(change["new"]), "aoi")
    ring = lon_lat([(576_690, 5_188_130), (576_740, 5_188_130), (576_715, 5_188_180)])
    draw(shown, ring)
    assert shown.aoi.crs == CRS(26915)
    to_nad83 = Transformer.from_crs(4326, 26915, always_xy=True)
    assert shown.aoi.xy == pytest.approx(np.column_stack(to_nad83.transform(*ring.T)), abs=1e-3)
    assert seen == [shown.aoi]
    assert read_area(shown.aoi).contains([576_715], [5_188_150]).all()
    assert shown._area.control.data[0]["geometry"]["coordinates"][0][:3] == ring.tolist()
    assert "Area: 3 corners" in shown.message


def test_the_last_of_two_drawn_areas_counts():
    shown = Map(table())
    first, second = (
        lon_lat([(576_690, 5_188_130), (576_740, 5_188_130), (576_715, 5_188_180)]),
        None,
    )
    second = first + 0.001
    draw(shown, first, second)
    assert len(shown._area.control.data) == 1
    assert shown.aoi.lon_lat() == pytest.approx(second, abs=1e-8)


@pytest.mark.parametrize(
    ("ring", "words"),
    [
        ([(-91.99, 46.84), (-91.98, 46.85), (-91.98, 46.84), (-91.99, 46.85)], "crosses itself"),
        ([(-91.99, 46.84), (-91.98, 46.84), (-91.97, 46.84)], "no area"),
    ],
)
def test_an_area_that_is_none_is_said_and_not_used(ring, words):
    shown = Map(table(), aoi=BOX)
    draw(shown, ring)
    assert shown.aoi is None
    assert "The area is not used" in shown.message
    assert words in shown.message
    assert len(shown._area.control.data) == 1, "it stays, to be corrected"
    draw(shown)
    assert shown.message == ""
    shown.aoi = BOX
    assert "Area: 4 corners" in shown.message
    with pytest.raises(CloudError, match="crosses itself"):
        shown.aoi = [(0, 0), (10, 10), (10, 0), (0, 10)]
    assert shown.aoi.bounds == tuple(BOX), "a mistake in Python changes nothing"


def test_an_area_on_an_empty_map_brings_its_own_crs_or_utm():
    shown = Map()
    draw(shown, [(13.3, 52.4), (13.5, 52.4), (13.4, 52.6)])
    assert shown.aoi.crs == CRS(32633)
    assert Map(aoi=Aoi.from_area(BOX, 26915)).crs == CRS(26915)
    with pytest.raises(CrsError, match="Give crs="):
        Map(aoi=BOX)


def test_the_view_can_be_taken_as_the_area():
    shown = Map(table())
    shown._companion._msg_callbacks(
        shown._companion, {"area_of_view": [-92.0, 46.8, -91.9, 46.9]}, []
    )
    assert shown.aoi.to_crs(4326).bounds == pytest.approx((-92.0, 46.8, -91.9, 46.9), abs=1e-3)


# -- control points -------------------------------------------------------------------------------


def test_a_dragged_control_point_gets_coordinates_in_the_projects_crs():
    given = points()
    shown, seen = Map(table(), gcps=given), []
    shown.observe(lambda change: seen.append(change["new"]), "gcps")
    lon, lat = lon_lat([(576_710, 5_188_150)])[0]
    shown._points.markers[0].location = [lat, lon]
    assert shown.gcps.loc["a", ["x", "y"]].tolist() == pytest.approx([576_710, 5_188_150], abs=1e-3)
    assert shown.gcps.loc["b", "x"] == 576_730
    assert given.loc["a", "x"] == 576_700, "the table that was given stays as it is"
    assert "P1 moved by 14.14 m to 576710.000, 5188150.000" in shown.message
    assert seen[-1] is shown.gcps
    shown.move_gcp("b", 576_731, 5_188_171)
    assert shown.gcps.loc["b", ["x", "y"]].tolist() == pytest.approx([576_731, 5_188_171], abs=1e-3)
    assert "m.move_gcp('b', 576731.0, 5188171.0)" in shown.code()
    with pytest.raises(ArgumentError, match="no control point 'c'"):
        shown.move_gcp("c", 0, 0)


def test_control_points_may_come_in_degrees():
    degrees = pd.DataFrame(lon_lat(points()[["x", "y"]]), columns=["lon_deg", "lat_deg"])
    shown = Map(gcps=degrees)
    assert shown.crs == CRS(UTM)
    assert shown.gcps["x"].tolist() == pytest.approx([576_700, 576_730], abs=1e-3)
    shown.move_gcp(1, 576_740, 5_188_170)
    assert shown.gcps.loc[1, "lon_deg"] == pytest.approx(lon_lat([(576_740, 5_188_170)])[0, 0])


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (pd.DataFrame({"e": [1.0], "n": [2.0]}), "need columns x and y"),
        (points().assign(x=[1.0, np.nan]), "'b' has no coordinates"),
        (points().set_index(pd.Index(["a", "a"])), "without repetitions"),
    ],
)
def test_control_points_that_are_none_are_refused(wrong, words):
    with pytest.raises(CloudError, match=words):
        Map(table(), gcps=wrong)


# -- layers, view, code, picture ------------------------------------------------------------------


def test_layers_are_switched_by_name():
    shown = Map(table(), cloud())
    shown.hide("panos")
    shown.hide("graticule")
    assert shown._companion.hidden == ["panos", "graticule"]
    shown.show("panos")
    assert shown._companion.hidden == ["graticule"]
    with pytest.raises(ArgumentError, match="Did you mean 'panos'"):
        shown.hide("pano")


def test_the_view_holds_all_that_is_shown_or_one_layer():
    shown = Map(table(), cloud(), gcps=points())
    (south, west), (north, east) = shown._companion.fit["bounds"]
    corners = np.concatenate([lon_lat(points()[["x", "y"]]), table()[["lon_deg", "lat_deg"]]])
    assert (west, south) == pytest.approx(corners.min(axis=0), abs=3e-4)
    assert (east, north) == pytest.approx(corners.max(axis=0), abs=3e-4)
    serial = shown._companion.fit["serial"]
    shown.zoom_to("panos")
    assert shown._companion.fit["serial"] == serial + 1
    assert shown._companion.fit["bounds"][0] == [46.84, -91.99]


def test_a_project_in_feet_has_feet_on_its_scale_bar():
    def feet(shown):
        (bar,) = (c for c in shown.map.controls if isinstance(c, ipyleaflet.ScaleControl))
        return bar.imperial

    assert feet(Map(table(), crs=26851))
    assert not feet(Map(table()))


def test_the_cursors_coordinates_follow_the_view():
    shown = Map(table())
    assert shown._companion.plane["label"] == "EPSG:32615 (WGS 84 / UTM zone 15N)"
    first = shown._companion.plane
    look(shown, -91.9899, 46.84001, -91.9898, 46.84002)
    assert shown._companion.plane is first, "inside what it was fitted for"
    look(shown, -92.2, 46.7, -92.1, 46.8)
    assert shown._companion.plane["centre"] == pytest.approx([-92.15, 46.75])
    look(shown, -180, -85, 180, 85)
    assert shown._companion.plane is None, "no polynomial holds for the whole earth"


def test_code_repeats_what_was_clicked():
    rows, scan = table(), cx.open(SCAN)
    shown = Map(rows, {"scan": scan}, gcps=points(), crs=UTM)
    shown._companion.hidden = ["graticule"]
    shown._companion.picked = {"table": "panos", "rows": [1, 3]}
    draw(shown, lon_lat([(576_690, 5_188_130), (576_740, 5_188_130), (576_715, 5_188_180)]))
    shown.basemap = "osm"
    shown.swipe("scan", "scan")
    shown._points.markers[0].location = lon_lat([(576_710, 5_188_150)])[0, ::-1].tolist()
    code = shown.code()
    names = {"panos": rows, "scan": scan, "gcps": points()}
    exec(code, names)
    again = names["m"]
    assert again.code() == code
    assert again.selection == shown.selection == (1, 3)
    assert again.aoi.xy == pytest.approx(shown.aoi.xy, abs=6e-4)
    assert again.gcps["x"].tolist() == pytest.approx(shown.gcps["x"].tolist(), abs=1e-6)
    assert again.basemap == "osm"
    assert again._companion.hidden == ["graticule"]
    assert again._companion.swipe == shown._companion.swipe


def test_only_pictures_can_be_swiped():
    shown = Map(table(), cloud())
    with pytest.raises(ArgumentError, match="picture 'panos' is not known"):
        shown.swipe("panos", "scan.laz")
    shown.swipe("scan.laz", "scan.laz")
    shown.swipe(None, None)
    assert shown._companion.swipe == {}


def test_a_still_picture_shows_what_the_map_shows():
    shown = Map(cx.open(SCAN), table(), gcps=points(), aoi=BOX)
    picture = np.asarray(PIL.Image.open(io.BytesIO(shown.figure())).convert("RGB"))
    assert picture.shape == (500, 860, 3)
    assert distinct_colours(picture) > 150
    shown.select([2])
    picked = np.asarray(PIL.Image.open(io.BytesIO(shown.figure())).convert("RGB"))
    assert (picked == (255, 214, 10)).all(axis=2).sum() > 20
    for name in shown.layers:
        shown.hide(name)
    assert len(shown.figure()) < 40_000
    assert Map().figure() is None
    text = shown.summary()
    assert "EPSG:32615" in text
    assert "Control points: P1, P2." in text


def test_twenty_thousand_cameras_are_half_a_megabyte():
    rng = np.random.default_rng(0)
    many = pd.DataFrame(
        {"lon_deg": rng.uniform(-92, -91, 20_000), "lat_deg": rng.uniform(46, 47, 20_000)}
    )
    shown = Map(many)
    (wire,) = shown._companion.layers
    assert len(wire["xy"]) == 320_000
    assert len(wire["text"]) < 150_000
    assert len(shown.figure()) < 150_000


def test_the_bundled_land_is_the_worlds():
    packed = land()
    xy = np.frombuffer(packed["xy"], np.float32).reshape(-1, 2)
    starts = np.frombuffer(packed["starts"], np.uint32)
    assert starts[-1] == len(xy)
    assert np.abs(xy).max(axis=0) == pytest.approx([180, 90])
    text = (files("cupixgeo.widgets") / "offline" / "land.geojson").read_text()
    assert len(text) < 100_000
    polygons = json.loads(text)["geometry"]["coordinates"]
    assert all(ring[0] == ring[-1] for polygon in polygons for ring in polygon)
    steps = [
        abs(b[0] - a[0])
        for polygon in polygons
        for ring in polygon
        for a, b in pairwise(ring)
        if a[1] > -90 or b[1] > -90
    ]
    assert max(steps) < 15, "no edge runs across the map"
    total = 0.0
    for polygon in polygons:
        for ring, sign in zip(polygon, [1, *[-1] * 9], strict=False):
            lon, sine = np.radians(np.array(ring)[:, 0]), np.sin(np.radians(np.array(ring)[:, 1]))
            total += sign * abs(((lon[1:] - lon[:-1]) * (sine[1:] + sine[:-1])).sum() / 2)
    assert total * 6371**2 == pytest.approx(149e6, rel=0.02), "km² of land on earth"
