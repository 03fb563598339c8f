"""The site map: one file, the right places, texts that stay texts."""

import json
import re

import numpy as np
import pytest
from pyproj import CRS, Transformer

from cupixgeo.errors import CloudError, EmptyCloudError, FrameError, OutputError
from cupixgeo.geodesy.crs import local_frame
from cupixgeo.pipeline.lonlat import MapPicture
from cupixgeo.pipeline.sitemap import Cameras, Footprint, footprints, plane_fit, write_map
from tests.pipeline.reports import UTM, merge_report, source_report

BOX = np.array([[8.0, 47.0], [8.001, 47.0], [8.001, 47.001], [8.0, 47.001], [8.0, 47.0]])


def data_of(path):
    text = path.read_text()
    return json.loads(re.search(r'id="site">(.*?)</script>', text, re.DOTALL).group(1))


def test_footprints_are_where_proj_puts_the_corners_of_each_source():
    report = merge_report()
    shown = footprints(report)
    assert [f.name for f in shown] == ["scan 1.ply", "scan 2.laz"]
    (west, south, _), (east, north, _) = report.sources[0].bounds
    corners = Transformer.from_crs(32615, 4326, always_xy=True).transform(
        [west, east, east, west], [south, south, north, north]
    )
    steps = (len(shown[0].outline) - 1) // 4
    assert shown[0].outline[:-1:steps] == pytest.approx(np.column_stack(corners), abs=1e-11)
    assert shown[0].facts["Points"] == "600,000"


def test_sources_without_points_have_no_footprint():
    empty = source_report("empty.laz", points=0)
    report = merge_report(sources=(source_report(), empty))
    object.__setattr__(empty, "bounds", None)
    assert [f.name for f in footprints(report)] == ["scan 1.ply"]


def test_a_merge_in_a_local_frame_has_no_place_on_the_map():
    frame = local_frame("cupix:facility/12").to_wkt()
    with pytest.raises(FrameError, match="local frame"):
        footprints(merge_report(crs_wkt=frame))


@pytest.mark.parametrize("epsg", [32632, 2056, 4326, 3857])
def test_cursor_coordinates_agree_with_proj_within_the_stated_error(epsg):
    crs = CRS.from_epsg(epsg)
    low, high = np.array([8.0, 47.0]), np.array([8.02, 47.01])
    fit = plane_fit(crs, low, high)
    lon, lat = np.random.default_rng(0).uniform(low, high, (50, 2)).T
    u, v = (lon - fit["centre"][0]) / fit["half"][0], (lat - fit["centre"][1]) / fit["half"][1]
    terms = np.array([u**i * v**j for i, j in fit["powers"]])
    expected = Transformer.from_crs(4326, crs, always_xy=True).transform(lon, lat)
    metres = 1.0 if crs.is_projected else 111_319.5
    for axis, letter in enumerate("xy"):
        fitted = np.array(fit[letter]) @ terms
        assert np.abs(fitted - expected[axis]).max() * metres <= fit["error_m"] * 1.05 + 1e-8
    assert fit["error_m"] < 0.01
    assert fit["decimals"] == (2 if crs.is_projected else 7)


def test_projected_coordinates_are_left_out_where_they_would_be_wrong():
    assert plane_fit(UTM, np.array([-99.0, 40.0]), np.array([-87.0, 52.0])) is None


def test_the_page_holds_every_camera_with_a_position(tmp_path):
    rng = np.random.default_rng(1)
    lon, lat = rng.uniform((8, 47), (8.001, 47.001), (20_000, 2)).T
    lon[5] = np.nan
    names = [f"P{i}" for i in range(20_000)]
    path = write_map(tmp_path / "m.html", footprints=[], cameras=Cameras(names, lon, lat))
    cameras = data_of(path)["cameras"]
    assert len(cameras["name"]) == len(cameras["lat"]) == len(cameras["lon"]) == 19_999
    assert "P5" not in cameras["name"]
    assert np.abs(np.array(cameras["lon"]) - np.delete(lon, 5)).max() < 1e-8
    assert "19,999 camera positions" in path.read_text()


def test_names_cannot_become_markup(tmp_path):
    nasty = "</script><script>alert(1)</script><!--"
    path = write_map(
        tmp_path / "m.html",
        footprints=[Footprint(nasty, BOX, {nasty: nasty})],
        cameras=Cameras([nasty], BOX[:1, 0], BOX[:1, 1]),
        title=nasty,
    )
    text = path.read_text()
    assert nasty not in text
    assert text.count("<script") == 3
    assert data_of(path)["footprints"][0]["name"] == nasty


def test_the_page_names_no_address_it_would_load(tmp_path):
    picture = MapPicture(np.full((4, 4, 4), 255, np.uint8), 47.0, 8.0, 47.001, 8.001)
    path = write_map(tmp_path / "m.html", footprints=[Footprint("a", BOX)], overlay=picture)
    text = path.read_text()
    assert "default-src 'none'" in text
    assert re.findall(r"url\((?!#default)([^)]*)\)", text.split("<script", 1)[0]) == []
    assert "sourceMappingURL" not in text
    assert "Volodymyr Agafonkin" in text, "Leaflet's licence goes where Leaflet goes"
    assert data_of(path)["overlay"]["bounds"] == [[47.0, 8.0], [47.001, 8.001]]


def test_the_datum_a_map_takes_for_granted_is_told(tmp_path):
    box = Footprint("a", BOX + np.array([106.0, -17.0]))
    text = write_map(tmp_path / "m.html", footprints=[box], crs=4547).read_text()
    assert "CGCS2000=WGS 84, which may be metres off" in text
    text = write_map(tmp_path / "m.html", footprints=[box], crs=32650).read_text()
    assert "metres off" not in text


def test_nothing_to_show_is_an_error(tmp_path):
    with pytest.raises(EmptyCloudError, match="nothing to show"):
        write_map(tmp_path / "m.html", footprints=[])
    nowhere = Cameras(["a"], np.array([np.nan]), np.array([np.nan]))
    with pytest.raises(EmptyCloudError, match="nothing to show"):
        write_map(tmp_path / "m.html", footprints=[], cameras=nowhere)
    assert not list(tmp_path.iterdir())


def test_cameras_need_one_name_and_place_each():
    with pytest.raises(CloudError, match="2 camera names, 1 longitudes"):
        Cameras(["a", "b"], np.zeros(1), np.zeros(2))


def test_a_missing_folder_is_told(tmp_path):
    with pytest.raises(OutputError, match="does not exist"):
        write_map(tmp_path / "no" / "m.html", footprints=[Footprint("a", BOX)])
