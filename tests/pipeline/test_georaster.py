"""Rasters that others made: where they are, what they hold, and how little of them is read."""

import numpy as np
import PIL.Image
import pytest
from pyproj import CRS

from cupixgeo.emulator.geotiff import Raster, write_geotiff
from cupixgeo.errors import CloudError, CrsError, EmptyCloudError, FormatError
from cupixgeo.pipeline import georaster
from cupixgeo.pipeline.georaster import read_raster
from cupixgeo.pipeline.picture import picture

CORNER = (576_000.0, 5_188_900.0)
PLACE = {33550: (0.5, 0.5, 0.0), 33922: (0.0, 0.0, 0.0, *CORNER, 0.0)}


def orthophoto(rows=300, columns=400):
    rgba = np.random.default_rng(0).integers(0, 255, (rows, columns, 4), dtype=np.uint8)
    rgba[..., 3] = 255
    rgba[:50, :60, 3] = 0
    return rgba


@pytest.mark.parametrize("big", [False, True], ids=["TIFF", "BigTIFF"])
def test_an_orthophoto_is_where_it_says_with_its_colours(tmp_path, big):
    """Written by the emulator, which shares no line with the reader."""
    rgba, path = orthophoto(), tmp_path / "result.tif"
    path.write_bytes(
        write_geotiff(Raster(rgba, CORNER, 0.5, 32615), nodata=0, has_alpha=True, big=big)
    )
    view = read_raster(path)
    assert view.crs == CRS(32615)
    assert view.bounds == (576_000, 5_188_750, 576_200, 5_188_900)
    assert (view.colour[200, 300] == rgba[200, 300, :3]).all()
    assert view.seen.sum() == 300 * 400 - 50 * 60
    shown = picture(view)
    assert (shown[200, 300] == rgba[200, 300]).all(), "level ground is not shaded"


def test_heights_keep_their_values_and_holes(tmp_path):
    heights = np.random.default_rng(1).normal(200, 5, (120, 90, 1)).astype(np.float32)
    heights[:20] = -9999
    path = tmp_path / "dsm.tif"
    path.write_bytes(write_geotiff(Raster(heights, (-92.0, 46.9), 1e-5, 4326, True), nodata=-9999))
    view = read_raster(path)
    assert view.crs == CRS(4326)
    assert view.bounds == pytest.approx((-92.0, 46.8988, -91.9991, 46.9))
    assert view.height[50, 40] == heights[50, 40, 0]
    assert np.isnan(view.height[:20]).all()
    assert view.colour is None


def test_a_large_picture_is_thinned_to_the_size_asked_for(tmp_path):
    path = tmp_path / "large.tif"
    path.write_bytes(
        write_geotiff(Raster(orthophoto(1000, 1300), CORNER, 0.1, 32615), nodata=0, has_alpha=True)
    )
    view = read_raster(path, max_pixels=400)
    assert max(view.shape) <= 400
    assert view.pixel == pytest.approx((0.4, 0.4))
    west, south, east, north = view.bounds
    assert (west, north) == CORNER
    assert (east - west, north - south) == pytest.approx((130, 100), abs=0.4)


def test_an_overview_is_read_instead_of_all(tmp_path):
    path = tmp_path / "overviews.tif"
    full = PIL.Image.new("RGB", (1200, 800), (255, 0, 0))
    small = PIL.Image.new("RGB", (600, 400), (0, 255, 0))
    full.save(path, save_all=True, append_images=[small], tiffinfo={**PLACE, 254: 1})
    view = read_raster(path, crs=32615, max_pixels=500)
    assert view.colour[10, 10].tolist() == [0, 255, 0]
    assert view.pixel == pytest.approx((2.0, 2.0))
    assert view.bounds == pytest.approx((576_000, 5_188_500, 576_600, 5_188_900))
    whole = read_raster(path, crs=32615, max_pixels=2000)
    assert whole.colour[10, 10].tolist() == [255, 0, 0]


def test_a_world_file_and_a_prj_are_enough(tmp_path):
    path = tmp_path / "photo.png"
    PIL.Image.new("RGB", (40, 30), (10, 20, 30)).save(path)
    path.with_suffix(".pgw").write_text("0.5\n0\n0\n-0.5\n576000.25\n5188899.75\n")
    with pytest.raises(CrsError, match=r"photo.png.*crs=32650"):
        read_raster(path)
    assert read_raster(path, crs=32615).bounds == (576_000, 5_188_885, 576_020, 5_188_900)
    path.with_suffix(".prj").write_text(CRS(32616).to_wkt("WKT1_ESRI"))
    assert read_raster(path, crs=32615).crs.to_epsg() == 32616


def test_what_cannot_be_shown_is_refused_with_the_remedy(tmp_path, monkeypatch):
    path = tmp_path / "photo.png"
    PIL.Image.new("RGB", (40, 30)).save(path)
    with pytest.raises(CloudError, match="no GeoTIFF tags and no world file"):
        read_raster(path, crs=32615)
    path.with_suffix(".pgw").write_text("0.4\n0.3\n0.3\n-0.4\n576000.25\n5188899.75\n")
    with pytest.raises(CloudError, match="north up"):
        read_raster(path, crs=32615)
    (tmp_path / "words.png").write_text("not a picture at all")
    with pytest.raises(FormatError, match=r"words.png"):
        read_raster(tmp_path / "words.png")
    with pytest.raises(CloudError, match="Check the path"):
        read_raster(tmp_path / "nothing.png")
    empty = tmp_path / "empty.tif"
    hole = np.full((30, 30, 1), -9999, np.float32)
    empty.write_bytes(write_geotiff(Raster(hole, CORNER, 1.0, 32615), nodata=-9999))
    with pytest.raises(EmptyCloudError, match=r"empty.tif"):
        read_raster(empty)
    monkeypatch.setattr(georaster, "MOST_DECODED", 100)
    with pytest.raises(FormatError, match="gdaladdo"):
        read_raster(empty)
