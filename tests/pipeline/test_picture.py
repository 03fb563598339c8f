"""Pictures: light from the north-west, colours from the map, nothing where there is nothing."""

import io

import numpy as np
import PIL.Image
import pytest

from cupixgeo.pipeline.picture import (
    COLORMAPS,
    colours,
    data_address,
    density_picture,
    encode,
    hillshade,
    picture,
)
from cupixgeo.pipeline.raster import TopView, density, top_view
from tests.pipeline.reports import UTM, MemoryReader


def slope(east, north, side=40, pixel=0.25):
    across, down = np.meshgrid(np.arange(side) * pixel, np.arange(side) * pixel)
    return TopView(
        crs=UTM,
        west=0.0,
        north=0.0,
        pixel=(pixel, pixel),
        height=across * east - down * north,
        colour=None,
        count=np.ones((side, side), np.int64),
        metres=(1.0, 1.0, 1.0),
    )


def light(east, north):
    view = slope(east, north)
    inner = hillshade(view.height, view.seen, view)[2:-2, 2:-2]
    assert np.ptp(inner) < 1e-9
    return inner[0, 0]


def test_level_ground_has_light_one():
    assert light(0, 0) == pytest.approx(1.0)


@pytest.mark.parametrize(("east", "north"), [(0.5, -0.5), (-0.5, 0.5), (0.5, 0.5), (0.3, 0.0)])
def test_light_is_the_cosine_to_a_lamp_in_the_north_west(east, north):
    normal = np.array([-east, -north, 1.0]) / np.sqrt(1 + east**2 + north**2)
    lamp = np.array([-0.5, 0.5, np.sqrt(0.5)])
    assert light(east, north) == pytest.approx(normal @ lamp / np.sqrt(0.5), rel=1e-9)


def test_relief_does_not_depend_on_the_unit_of_the_heights():
    from pyproj import CRS

    rng = np.random.default_rng(0)
    xyz = rng.uniform(0, 50, (20_000, 3)) * (1, 1, 0.1)
    metric = top_view(MemoryReader(xyz))
    feet = "EPSG:2264+6360"
    imperial = top_view(MemoryReader(xyz / 0.3048006096012192, crs=CRS.from_user_input(feet)))
    difference = picture(metric).astype(int) - picture(imperial)
    assert np.abs(difference).max() <= 2


def test_colours_run_from_the_first_to_the_last_sample_and_are_clipped():
    for name, stops in COLORMAPS.items():
        ends = colours(np.array([-1.0, 0.0, 1.0, 2.0]), name)
        first, last = ([int(c[i : i + 2], 16) for i in (1, 3, 5)] for c in (stops[0], stops[-1]))
        assert ends.tolist() == [first, first, last, last]


def test_the_density_scale_grows_lighter_all_the_way():
    rgb = colours(np.linspace(0, 1, 60), "density").astype(float)
    luminance = rgb @ (0.2126, 0.7152, 0.0722)
    assert (np.diff(luminance) > 0).all()


def test_own_colours_are_used_where_there_are_any_and_heights_else():
    view = slope(0.0, 0.0)
    xyz = np.random.default_rng(0).uniform(0, 50, (20_000, 3)) * (1, 1, 0)
    green = np.tile(np.array([0, 180, 0], np.uint16), (len(xyz), 1))
    coloured = picture(top_view(MemoryReader(xyz, green)))
    middle = coloured[coloured[..., 3] > 0]
    assert (middle[:, 0] == 0).all()
    assert np.median(middle[:, 1]) == pytest.approx(180, abs=3)
    assert picture(view)[..., :3].max() > 0


def test_pixels_without_points_are_transparent():
    rng = np.random.default_rng(1)
    xyz = np.vstack([rng.uniform(0, 20, (8000, 3)), rng.uniform(60, 80, (8000, 3))])
    view = top_view(MemoryReader(xyz))
    for image in (picture(view), density_picture(density(view))):
        assert image.shape == (*view.shape, 4)
        assert image[:10, :10, 3].max() == 0
        assert image[..., 3][view.seen].min() == 255


@pytest.mark.parametrize("kind", ["webp", "png"])
def test_pictures_survive_their_encoding(kind):
    image = np.zeros((40, 60, 4), np.uint8)
    image[10:30, 10:50] = (200, 100, 50, 255)
    decoded = np.asarray(PIL.Image.open(io.BytesIO(encode(image, kind))).convert("RGBA"))
    assert np.array_equal(decoded[..., 3], image[..., 3])
    assert np.abs(decoded[15:25, 15:45].astype(int) - image[15:25, 15:45]).max() <= 6
    assert data_address(image, kind).startswith(f"data:image/{kind};base64,")
