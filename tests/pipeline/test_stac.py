"""The catalogue of tiles says what the files say, in the words of STAC and of virtual point clouds.

Expected values are read from the tiles by laspy; what a field must be like is what the published
JSON schemas say (STAC item 1.0.0, pointcloud 1.0.0, projection 2.0.0).
"""

from __future__ import annotations

import datetime as dt
import json
import re

import laspy
import numpy as np
import pyproj
import pytest

import cupixgeo as cx
from tests.pipeline.clouds import UTM50, box_of_points, write_las

SCHEMA_TYPES = {"floating", "unsigned", "signed"}
RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


def catalogue_of(folder):
    return json.loads((folder / "index.vpc").read_text())


@pytest.fixture(scope="module")
def tiled(tmp_path_factory):
    """Two clouds in tiles: folder, report and catalogue."""
    folder = tmp_path_factory.mktemp("tiled")
    extra = {"height above ground": np.linspace(0, 30, 4000).astype(np.float32)}
    cloud = write_las(
        folder / "a.laz",
        box_of_points(4000, origin=UTM50),
        crs=32650,
        point_format=8,
        extra=extra,
    )
    report = cx.merge([cloud], folder / "tiles", tile_m=40)
    return folder / "tiles", report, catalogue_of(folder / "tiles")


def test_it_is_an_item_collection_of_all_tiles(tiled):
    folder, report, catalogue = tiled
    assert catalogue["type"] == "FeatureCollection"
    assert [item["id"] for item in catalogue["features"]] == [
        tile.name.removesuffix(".copc.laz") for tile in report.tiles
    ]
    assert len({item["id"] for item in catalogue["features"]}) == len(report.tiles) > 4
    assert report.path == str(folder / "index.vpc")


def test_every_item_has_what_stac_asks_for(tiled):
    folder, _, catalogue = tiled
    for item in catalogue["features"]:
        assert item["type"] == "Feature"
        assert item["stac_version"] == "1.0.0"
        assert item["stac_extensions"] == [
            "https://stac-extensions.github.io/pointcloud/v1.0.0/schema.json",
            "https://stac-extensions.github.io/projection/v2.0.0/schema.json",
        ]
        assert item["links"] == []
        (asset,) = item["assets"].values()
        assert asset["href"].startswith("./")
        assert (folder / asset["href"]).is_file()
        assert asset["roles"] == ["data"]
        assert len(item["bbox"]) == len(item["properties"]["proj:bbox"]) == 6
        for geometry in (item["geometry"], item["properties"]["proj:geometry"]):
            (ring,) = geometry["coordinates"]
            assert geometry["type"] == "Polygon"
            assert ring[0] == ring[-1]
            x, y = np.array(ring).T
            assert np.sum(x[:-1] * y[1:] - x[1:] * y[:-1]) > 0, "outer rings turn left"


def test_counts_boxes_and_statistics_are_those_of_the_files(tiled):
    folder, _, catalogue = tiled
    for item in catalogue["features"]:
        las = laspy.read(folder / item["assets"]["data"]["href"])
        properties = item["properties"]
        assert properties["pc:count"] == las.header.point_count
        box = [*las.xyz.min(axis=0), *las.xyz.max(axis=0)]
        np.testing.assert_allclose(properties["proj:bbox"], box, atol=1e-9)
        columns = {"X": las.x, "Y": las.y, "Z": las.z, "Intensity": las.intensity}
        assert [row["name"] for row in properties["pc:statistics"]] == list(columns)
        for row in properties["pc:statistics"]:
            values = np.asarray(columns[row["name"]], np.float64)
            assert properties["pc:schemas"][row["position"]]["name"] == row["name"]
            assert row["count"] == len(values)
            found = [row[name] for name in ("minimum", "maximum", "average", "stddev", "variance")]
            wanted = [values.min(), values.max(), values.mean(), values.std(), values.var()]
            np.testing.assert_allclose(found, wanted, rtol=1e-7, atol=1e-6)


def test_outlines_are_where_proj_puts_them(tiled):
    _, _, catalogue = tiled
    to_lon_lat = pyproj.Transformer.from_crs(32650, 4326, always_xy=True)
    for item in catalogue["features"]:
        plane = np.array(item["properties"]["proj:geometry"]["coordinates"][0])
        globe = np.array(item["geometry"]["coordinates"][0])
        np.testing.assert_allclose(globe, np.column_stack(to_lon_lat.transform(*plane.T)))
        box = np.array(item["bbox"]).reshape(2, 3)
        np.testing.assert_array_equal(box[:, :2], [globe.min(axis=0), globe.max(axis=0)])
        np.testing.assert_array_equal(box[:, 2], np.array(item["properties"]["proj:bbox"])[[2, 5]])


def test_the_crs_is_given_as_code_and_as_text(tiled):
    _, _, catalogue = tiled
    for item in catalogue["features"]:
        assert item["properties"]["proj:code"] == "EPSG:32650"
        assert pyproj.CRS.from_wkt(item["properties"]["proj:wkt2"]).to_epsg() == 32650
        assert not [name for name in item["properties"] if name == "proj:epsg"]


def test_dimensions_are_those_of_the_points(tiled):
    folder, _, catalogue = tiled
    item = catalogue["features"][0]
    las = laspy.read(folder / item["assets"]["data"]["href"])
    schemas = item["properties"]["pc:schemas"]
    assert len(schemas) == len(list(las.point_format.dimension_names))
    by_name = {s["name"]: (s["type"], s["size"]) for s in schemas}
    assert {s["type"] for s in schemas} <= SCHEMA_TYPES
    assert all(isinstance(s["size"], int) for s in schemas)
    assert by_name["X"] == ("floating", 8)
    assert by_name["Intensity"] == ("unsigned", 2)
    assert by_name["ReturnNumber"] == ("unsigned", 1)
    assert by_name["ScanAngleRank"] == ("floating", 4)
    assert by_name["GpsTime"] == ("floating", 8)
    assert by_name["Infrared"] == ("unsigned", 2)
    assert by_name["ScanChannel"] == ("unsigned", 1)
    assert by_name["height above ground"] == ("floating", 4)
    assert item["properties"]["pc:type"]
    assert item["properties"]["pc:encoding"] == "LASzip"


def with_times(path, times, *, standard=True):
    las = laspy.read(write_las(path, box_of_points(len(times), origin=UTM50), crs=32650))
    las.gps_time = times
    las.header.global_encoding.gps_time_type = laspy.header.GpsTimeType(int(standard))
    las.write(path)
    return path


def when(path, tmp_path):
    cx.merge([path], tmp_path / "tiles", tile_m=500)
    (item,) = catalogue_of(tmp_path / "tiles")["features"]
    properties = item["properties"]
    assert all(RFC3339.fullmatch(v) for k, v in properties.items() if k.endswith("datetime"))
    return [properties.get(k) for k in ("datetime", "start_datetime", "end_datetime")]


@pytest.mark.parametrize(
    ("gps_s", "utc"),
    [
        (1_400_000_018.0, "2024-05-17T16:53:20Z"),
        (1_025_136_014.0, "2012-06-30T23:59:59Z"),
        (1_025_136_017.0, "2012-07-01T00:00:01Z"),
        (914_803_215.0, "2009-01-01T00:00:00Z"),
    ],
)
def test_gps_time_becomes_the_time_of_measurement(tmp_path, gps_s, utc):
    """Leap seconds as in IERS Bulletin C: 15 from 2009, 16 from July 2012, 18 from 2017."""
    path = with_times(tmp_path / "a.laz", np.array([gps_s, gps_s + 60]) - 1e9)
    first, start, end = when(path, tmp_path)
    assert first == start == utc
    later = dt.datetime.fromisoformat(utc) + dt.timedelta(seconds=60)
    assert abs((dt.datetime.fromisoformat(end) - later).total_seconds()) <= 1


@pytest.mark.parametrize(
    ("times", "standard"),
    [
        ([0.0, 0.0], True),
        ([300_000.0, 300_100.0], False),
        ([np.nan, np.nan], True),
        ([1e300, 1e301], True),
        ([4e8, 9e9], True),
        ([-9.9e8, -9.8e8], True),
    ],
    ids=["zero", "week", "nan", "huge", "future", "1980"],
)
def test_without_a_true_time_it_is_when_the_tiles_were_made(tmp_path, times, standard):
    path = with_times(tmp_path / "a.laz", np.array(times), standard=standard)
    first, start, end = when(path, tmp_path)
    made = dt.datetime.fromisoformat(first)
    assert abs((dt.datetime.now(dt.UTC) - made).total_seconds()) < 60
    assert start is None
    assert end is None


def test_a_local_frame_has_no_place_on_the_globe(tmp_path):
    path = write_las(tmp_path / "a.laz", box_of_points(50, origin=(-20.0, -30.0, 0.0)))
    cx.merge([path], tmp_path / "tiles", tile_m=500, crs=None)
    for item in catalogue_of(tmp_path / "tiles")["features"]:
        assert item["geometry"] is None
        assert "bbox" not in item
        assert item["properties"]["proj:code"] is None
        assert "file:a.laz" in item["properties"]["proj:wkt2"]
        assert len(item["properties"]["proj:bbox"]) == 6


def test_heights_in_feet_are_metres_on_the_globe(tmp_path):
    path = write_las(tmp_path / "a.laz", box_of_points(50, origin=(6.4e6, 2.1e6, 30.0)))
    cloud = cx.Source(path, crs="EPSG:2227+6360")
    cx.merge([cloud], tmp_path / "tiles", tile_m=500)
    (item,) = catalogue_of(tmp_path / "tiles")["features"]
    feet = np.array(item["properties"]["proj:bbox"])[[2, 5]]
    np.testing.assert_allclose(np.array(item["bbox"])[[2, 5]], feet * 0.304800609601219)
