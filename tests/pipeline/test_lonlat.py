"""Onto the globe: PROJ's own figures for the corners, and pictures that land where they belong."""

import numpy as np
import pytest
from pyproj import CRS, Transformer

from cupixgeo.errors import FrameError
from cupixgeo.geodesy.crs import local_frame
from cupixgeo.pipeline.lonlat import (
    box_outline,
    from_lon_lat,
    map_doubts,
    map_picture,
    mercator_y,
    to_lon_lat,
)
from cupixgeo.pipeline.picture import picture
from cupixgeo.pipeline.raster import top_view
from tests.pipeline.reports import UTM, MemoryReader

SITE = np.array([[576_700.0, 5_188_160.0]])


def test_longitudes_and_latitudes_are_those_of_pyproj():
    expected = Transformer.from_crs(32615, 4326, always_xy=True).transform(*SITE[0])
    assert to_lon_lat(UTM, SITE)[0] == pytest.approx(expected, abs=1e-12)
    assert from_lon_lat(UTM, to_lon_lat(UTM, SITE)) == pytest.approx(SITE, abs=1e-6)


def test_heights_play_no_part():
    compound = CRS.from_user_input("EPSG:32615+5773")
    assert np.array_equal(to_lon_lat(compound, SITE), to_lon_lat(UTM, SITE))


def test_a_datum_taken_for_wgs_84_is_told():
    assert map_doubts(UTM) == ()
    assert any("CGCS2000" in text for text in map_doubts(CRS.from_epsg(4547)))


def test_a_local_frame_has_no_place_on_a_map():
    with pytest.raises(FrameError, match="local frame"):
        to_lon_lat(local_frame("cupix:cluster/3416"), SITE)


def test_outlines_follow_the_box_and_close():
    outline = box_outline(0.0, 0.0, 8.0, 4.0)
    assert np.array_equal(outline[0], outline[-1])
    assert outline.min() == 0
    assert outline.max(axis=0).tolist() == [8.0, 4.0]
    edges = (outline[:, 0] % 8 == 0) | (outline[:, 1] % 4 == 0)
    assert edges.all()


@pytest.mark.parametrize("epsg", [32615, 32614, 3857, 4326])
def test_a_mark_in_the_picture_lands_on_its_longitude_and_latitude(epsg):
    """A red dot is drawn at known coordinates; the map must show it where PROJ puts it."""
    crs = CRS.from_epsg(epsg)
    centre = from_lon_lat(crs, np.array([[-91.9937, 46.8426]]))[0]
    size = 100.0 if crs.is_projected else 0.001
    around = np.random.default_rng(4).uniform(-size / 2, size / 2, (60_000, 3))
    xyz = around + np.append(centre, 0.0)
    rgb = np.full((len(xyz), 3), 120, np.uint16)
    mark = centre + np.array([0.3, -0.2]) * size
    near = np.hypot(*(xyz[:, :2] - mark).T) < size / 40
    rgb[near] = (255, 0, 0)
    view = top_view(MemoryReader(xyz, rgb, crs=crs))
    shown = map_picture(view, picture(view))
    image = shown.image.astype(int)
    red = (image[..., 0] > 200) & (image[..., 1] < 60) & (image[..., 3] > 0)
    rows, columns = np.nonzero(red)
    lon = shown.west + (columns.mean() + 0.5) / image.shape[1] * (shown.east - shown.west)
    north, south = mercator_y(np.array([shown.north, shown.south]))
    y = north - (rows.mean() + 0.5) / image.shape[0] * (north - south)
    lat = np.degrees(np.arctan(np.sinh(y)))
    truth = Transformer.from_crs(crs, 4326, always_xy=True).transform(*mark)
    pixel = (shown.east - shown.west) / image.shape[1]
    assert lon == pytest.approx(truth[0], abs=pixel)
    assert lat == pytest.approx(truth[1], abs=pixel)


def test_a_picture_turned_by_the_meridian_convergence_has_transparent_corners():
    around = np.random.default_rng(4).uniform(-200, 200, (60_000, 3))
    xyz = around + np.array([300_000, 7_500_000, 0])
    view = top_view(MemoryReader(xyz))
    shown = map_picture(view, picture(view)).image
    assert shown[0, 0, 3] == shown[-1, -1, 3] == 0
    assert shown[shown.shape[0] // 2, shown.shape[1] // 2, 3] == 255
