"""What is put on a map becomes layers at the right places, or a message with the remedy."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from pyproj import Transformer

import cupixgeo as cx
from cupixgeo.cloud.source import Source
from cupixgeo.cloud.spatial_ref import with_crs
from cupixgeo.emulator.geotiff import Raster, write_geotiff
from cupixgeo.errors import ArgumentError, CloudError, FrameError
from cupixgeo.geodesy.georeference import Georeference
from cupixgeo.geodesy.transform import Transform
from cupixgeo.photos.preflight import preflight
from cupixgeo.widgets import map_clouds
from cupixgeo.widgets.map_layers import Outlines, Picture, Points, as_wire
from cupixgeo.widgets.map_things import named_things, read_thing
from tests.pipeline.reports import merge_report

SCAN = "data/brighton_beach/reference/model.laz"
PHOTOS = "data/brighton_beach/images"
UTM = 32615


def table(count=5, **columns):
    lon, lat = -91.99 + np.arange(count) * 1e-4, 46.84 + np.arange(count) * 1e-5
    frame = pd.DataFrame({"name": [f"P{i}" for i in range(count)], "lon_deg": lon, "lat_deg": lat})
    frame.attrs["table"] = "panos"
    return frame.assign(**columns)


def cloud(crs=UTM, count=2000):
    rng = np.random.default_rng(0)
    xyz = rng.uniform((576_680, 5_188_120, 200), (576_720, 5_188_150, 203), (count, 3))
    coords = {axis: ("point", xyz[:, i]) for i, axis in enumerate("xyz")}
    return with_crs(xr.Dataset(coords=coords, attrs={"source": "scan.laz"}), crs)


def lon_lat(xy, crs=UTM):
    transformer = Transformer.from_crs(crs, 4326, always_xy=True)
    return np.column_stack(transformer.transform(*np.asarray(xy, float).T))


def test_things_get_names_of_their_own():
    named = named_things((table(), {"flight 1": table()}, [cloud(), table()], "site.laz"))
    assert [name for name, _ in named] == ["panos", "flight 1", "scan.laz", "panos 2", "site.laz"]
    with pytest.raises(ArgumentError, match="cannot show a int"):
        list(named_things((42,)))


def test_rows_of_a_table_are_points_at_their_places():
    shown = read_thing("panos", table(lon_deg=[-91.99, np.nan, -91.98, -91.97, -91.96]), None)
    (layer,) = shown.layers
    assert isinstance(layer, Points)
    assert layer.labels == ["P0", "P1", "P2", "P3", "P4"]
    assert np.isnan(layer.lon_lat[1, 0])
    assert len(layer.corners) == 4
    assert "1 of 5 rows" in shown.notes[0]


def test_measured_positions_serve_where_there_are_no_others():
    renamed = table().rename(columns={"lon_deg": "gps_lon_deg", "lat_deg": "gps_lat_deg"})
    (layer,) = read_thing("panos", renamed, None).layers
    assert layer.lon_lat[2] == pytest.approx([-91.9898, 46.84002])


def test_a_table_without_places_is_told_how_to_get_them():
    with pytest.raises(CloudError, match=r"no columns lon_deg and lat_deg.*facility_id"):
        read_thing("pointclouds", pd.DataFrame({"id": [1], "facility_id": [2]}), None)
    with pytest.raises(CloudError, match=r"row 3 of panos.*576700"):
        read_thing("panos", table(lon_deg=[-92, -92, -92, 576_700.0, -92]), None)


def test_a_cloud_is_a_picture_and_the_outline_of_what_it_covers():
    shown = read_thing("scan", cloud(), None)
    picture, outline = shown.layers
    assert isinstance(picture, Picture)
    assert isinstance(outline, Outlines)
    (south_west, north_east) = lon_lat([(576_680, 5_188_120), (576_720, 5_188_150)])
    assert picture.corners == pytest.approx(np.array([south_west, north_east]), abs=1e-5)
    assert picture.ramp.unit == "m"
    ring = outline.rings[0]
    corners = lon_lat([(576_680, 5_188_120), (576_720, 5_188_120), (576_720, 5_188_150)])
    for corner in corners:
        assert np.abs(ring - corner).max(axis=1).min() < 2e-5
    assert shown.crs.to_epsg() == UTM
    assert shown.tables["scan: outline"]["points"].tolist() == [2000]


def test_the_outline_follows_the_ground_and_not_the_box():
    xyz = np.random.default_rng(1).uniform(0, 100, (20_000, 3))
    xyz = xyz[xyz[:, 0] + xyz[:, 1] < 100] + (576_600, 5_188_100, 0)
    coords = {axis: ("point", xyz[:, i]) for i, axis in enumerate("xyz")}
    ring = read_thing("half", with_crs(xr.Dataset(coords=coords), UTM), None).layers[1].rings[0]
    x, y = ring.T * np.array([[76_000], [111_000]])
    area = abs((x - x[0]) @ np.roll(y - y[0], -1) - (y - y[0]) @ np.roll(x - x[0], -1)) / 2
    assert area == pytest.approx(5000, rel=0.06)


def test_a_very_large_cloud_is_its_box_and_a_remedy(monkeypatch):
    monkeypatch.setattr(map_clouds, "SHADED_POINTS", 100)
    shown = read_thing("scan", cloud(), None)
    assert [type(layer) for layer in shown.layers] == [Outlines]
    assert "thin" in shown.notes[0]


@pytest.mark.parametrize("thing", [cloud("cupix:pointcloud/5310"), cloud(4978)])
def test_what_is_nowhere_on_a_map_says_how_to_get_there(thing):
    with pytest.raises(FrameError, match="is not on the map") as refusal:
        read_thing("scan", thing, None)
    assert "cloud.cloud." in str(refusal.value)


def test_real_photos_are_cameras_footprints_and_overlap():
    flight = preflight(PHOTOS, check_pixels=False)
    overlap, footprints, cameras = read_thing("photos", flight, None).layers
    assert (cameras.lon_lat == flight.positions[:, :2]).all()
    assert cameras.classes.names[cameras.classes.codes[0]] == "ok"
    assert len(footprints.rings) == len(flight.table) == 18
    assert footprints.table == cameras.table == "photos"
    assert not footprints.is_filled
    low, high = overlap.corners
    assert (cameras.corners > low).all()
    assert (cameras.corners < high).all()
    assert overlap.ramp.high == str(flight.overlap.counts.max())
    seen = overlap.picture.image[..., 3] > 0
    assert seen.mean() == pytest.approx((flight.overlap.counts > 0).mean(), abs=0.03)


def test_a_report_is_its_cloud_and_the_boxes_of_its_sources(tmp_path):
    report = merge_report()
    shown = read_thing("site.laz", report, None)
    assert [type(layer) for layer in shown.layers] == [Outlines]
    assert "not there any more" in shown.notes[0]
    assert shown.tables["site.laz: sources"]["name"].tolist() == [
        source.name for source in report.sources if source.bounds is not None
    ]
    merged = cx.merge([SCAN], to=tmp_path / "site.laz", crs=UTM)
    picture, boxes = read_thing("site.laz", merged, None).layers
    assert picture.corners == pytest.approx(
        np.stack([boxes.corners.min(axis=0), boxes.corners.max(axis=0)]), abs=2e-5
    )


def test_sources_that_are_not_here_stand_at_their_origin():
    origin = Georeference(46.84, -91.99, 180.0, 30.0)
    placed = Source(
        None,
        transform=Transform.from_georeference(origin, source="cupix:pointcloud/1"),
        name="5310 lobby",
        fetch=lambda progress: None,
    )
    here = Source(SCAN, name="model")
    lost = Source(None, name="lost", fetch=lambda progress: None)
    shown = read_thing("sources", [placed, here, lost], None)
    boxes, points = shown.layers
    assert points.lon_lat[0] == pytest.approx([-91.99, 46.84], abs=1e-9)
    assert len(boxes.rings[0]) == 0
    assert len(boxes.rings[1]) == 64
    assert np.isnan(points.lon_lat[2]).all()
    assert "lost has no placement" in shown.notes[0]
    assert shown.tables["sources"]["here"].tolist() == [False, True, False]


def test_rasters_and_files_are_read_by_what_they_are(tmp_path):
    rgba = np.full((50, 60, 4), 255, np.uint8)
    path = tmp_path / "result.tif"
    raster = Raster(rgba, (576_000.0, 5_188_900.0), 0.5, 32615)
    path.write_bytes(write_geotiff(raster, nodata=0, has_alpha=True))
    shown = read_thing("result.tif", path, None)
    (picture,) = shown.layers
    ring = lon_lat([(x, y) for x in (576_000, 576_030) for y in (5_188_875, 5_188_900)])
    truth = np.stack([ring.min(axis=0), ring.max(axis=0)])
    assert picture.corners == pytest.approx(truth, abs=1e-8)
    assert shown.crs.to_epsg() == 32615
    assert picture.ramp is None
    assert [type(layer) for layer in read_thing("scan", SCAN, None).layers] == [Picture, Outlines]


def test_the_browser_gets_numbers_as_bytes():
    shown = read_thing("photos", preflight(PHOTOS, check_pixels=False), None)
    wires = {layer.name: as_wire(layer, shown.layers) for layer in shown.layers}
    points = wires["photos"]
    xy = np.frombuffer(points["xy"], np.float64).reshape(-1, 2)
    assert (xy == shown.layers[2].lon_lat).all()
    assert points["text"].split("\n")[0] == "DJI_0018.JPG"
    assert points["legend"] == [{"name": "ok", "colour": "#2a9d6f", "count": 18}]
    outlines = wires["photos: footprints"]
    starts = np.frombuffer(outlines["starts"], np.uint32)
    assert starts.tolist() == list(range(0, 73, 4))
    assert len(np.frombuffer(outlines["xy"], np.float64)) == 2 * 72
    picture = wires["photos: overlap"]
    assert picture["image"][8:12] == b"WEBP"
    (south, west), (north, east) = picture["bounds"]
    assert south < xy[:, 1].min() < north
    assert west < xy[:, 0].min() < east
