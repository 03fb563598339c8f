"""Rasters as another library reads them."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from cupixgeo.emulator.geotiff import TILE, Raster, write_geotiff


def read(content):
    image = Image.open(io.BytesIO(content))
    image.load()
    return image


@pytest.mark.parametrize("shape", [(1, 1), (TILE, TILE), (TILE + 1, 3), (300, 700)])
@pytest.mark.parametrize("big", [False, True])
def test_values_survive_in_every_size_and_both_formats(shape, big):
    values = np.arange(shape[0] * shape[1], dtype=np.float32).reshape(*shape, 1) - 7
    raster = Raster(values, corner=(500.0, 900.0), pixel=0.5, epsg=32615)
    content = write_geotiff(raster, nodata=-9999, big=big)
    assert content[2] == (43 if big else 42)
    image = read(content)
    assert image.mode == "F"
    assert (np.asarray(image) == values[..., 0]).all()


def test_colours_and_alpha_survive():
    values = np.random.default_rng(7).integers(0, 256, (270, 30, 4), dtype=np.uint8)
    raster = Raster(values, corner=(0.0, 0.0), pixel=1.0, epsg=32615)
    image = read(write_geotiff(raster, nodata=0, has_alpha=True))
    assert image.mode == "RGBA"
    assert (np.asarray(image) == values).all()


def test_place_crs_and_nodata_are_in_the_tags():
    values = np.zeros((2, 3, 1), np.float32)
    where = {"corner": (-92.5, 46.75), "pixel": 0.25}
    tags = read(
        write_geotiff(Raster(values, epsg=4326, is_geographic=True, **where), nodata=-1)
    ).tag_v2
    assert tags[33550] == (0.25, 0.25, 0.0)
    assert tags[33922] == (0.0, 0.0, 0.0, -92.5, 46.75, 0.0)
    assert tags[34735][4:8] == (1024, 0, 1, 2)
    assert tags[34735][-4:] == (2048, 0, 1, 4326)
    assert tags[42113] == "-1"
    local = read(write_geotiff(Raster(values, epsg=None, **where), nodata=-1)).tag_v2
    assert local[34735][-4:] == (3072, 0, 1, 32767)


def test_the_world_file_counts_from_the_middle_of_the_first_pixel():
    raster = Raster(np.zeros((1, 1, 1), np.uint8), corner=(100.0, 200.0), pixel=2.0, epsg=32615)
    lines = [float(line) for line in raster.world_file.splitlines()]
    assert lines == [2.0, 0.0, 0.0, -2.0, 101.0, 199.0]
