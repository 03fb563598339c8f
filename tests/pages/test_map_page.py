"""The site map in a browser: it draws, answers clicks, carries 20,000 cameras, needs no network."""

import time

import numpy as np
import pytest

from cupixgeo.pipeline.lonlat import map_picture, to_lon_lat
from cupixgeo.pipeline.picture import picture
from cupixgeo.pipeline.raster import read_top_view
from cupixgeo.pipeline.sitemap import Cameras, footprints, write_map
from tests.pages.browser import distinct_colours
from tests.pipeline.reports import UTM, merge_report

SCAN = "data/brighton_beach/reference/model.laz"
CAMERA = np.array([576_715.0, 5_188_150.0])


@pytest.fixture(scope="module")
def overlay():
    view = read_top_view(SCAN, max_pixels=400)
    return map_picture(view, picture(view))


@pytest.fixture(scope="module")
def site(tmp_path_factory, overlay):
    path = tmp_path_factory.mktemp("map") / "map.html"
    lon, lat = to_lon_lat(UTM, np.stack([CAMERA, CAMERA + 30])).T
    return write_map(
        path,
        footprints=footprints(merge_report()),
        cameras=Cameras(["<b>DJI_0018</b>", "DJI_0019"], lon, lat),
        overlay=overlay,
        title="Brighton Beach",
        crs=32615,
    )


def place_of(page, xy):
    """Where a coordinate of the site is on the screen."""
    lon, lat = to_lon_lat(UTM, np.array([xy]))[0]
    at = page.evaluate("at => siteMap.latLngToContainerPoint(at)", [float(lat), float(lon)])
    return at["x"], at["y"]


@pytest.mark.parametrize("size", ["wide", "narrow"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_draws_and_loads_nothing(show, site, size, scheme):
    opened = show(site, size=size, scheme=scheme)
    opened.page.wait_for_selector(".leaflet-image-layer")
    shown = opened.picture()
    opened.assert_quiet()
    assert distinct_colours(shown) > 3000
    ground = shown[-60, shown.shape[1] // 2 :].reshape(-1, 3).mean()
    assert ground > 180 if scheme == "light" else ground < 70


def test_layers_can_be_switched_off_and_on(show, site):
    opened = show(site)
    page = opened.page
    full = opened.picture()
    for name in ("picture", "footprints", "cameras", "graticule"):
        box = page.locator(f"#layer-{name}")
        box.uncheck()
        without = opened.picture()
        assert not np.array_equal(without, full), f"{name} was not drawn"
        box.check()
    page.locator("#opacity").fill("0")
    assert page.locator(".leaflet-image-layer").evaluate("e => e.style.opacity") == "0"
    opened.assert_quiet()


def test_a_camera_tells_its_name_as_text(show, site):
    page = show(site).page
    page.mouse.click(*place_of(page, CAMERA))
    popup = page.locator(".leaflet-popup-content")
    assert popup.locator("strong").inner_text() == "<b>DJI_0018</b>"
    assert "46.842" in popup.inner_text()


def test_a_source_in_the_list_is_found_on_the_map(show, site):
    page = show(site).page
    page.get_by_role("button", name="scan 2.laz").click()
    popup = page.locator(".leaflet-popup-content")
    popup.wait_for()
    assert "scan 2.laz" in popup.inner_text()
    assert "340,393" in popup.inner_text()


def test_the_cursor_shows_where_it_is_in_both_systems(show, site):
    page = show(site).page
    point = CAMERA + np.array([8, -11])
    page.mouse.move(*place_of(page, point))
    cursor = page.locator("#cursor")
    lines = cursor.inner_text().split("\n")
    lon, lat = to_lon_lat(UTM, point[None])[0]
    west, north = (float(part.split("°")[0]) for part in lines[0].split(", "))
    assert (-west, north) == pytest.approx((lon, lat), abs=3e-6)
    assert [float(v) for v in lines[1].split(", ")] == pytest.approx(list(point), abs=0.2)
    assert lines[2].startswith("EPSG:32615 (WGS 84 / UTM zone 15N), approximated to under 1 mm")


def test_twenty_thousand_cameras_are_drawn_and_can_be_clicked(show, tmp_path, overlay):
    rng = np.random.default_rng(5)
    xy = rng.uniform((576_665, 5_188_120), (576_765, 5_188_205), (20_000, 2))
    lon, lat = to_lon_lat(UTM, xy).T
    cameras = Cameras([f"P{i}" for i in range(20_000)], lon, lat)
    path = write_map(tmp_path / "many.html", footprints=[], cameras=cameras, overlay=overlay)
    began = time.monotonic()
    opened = show(path)
    page = opened.page
    page.wait_for_selector(".leaflet-cameras-pane canvas")
    shown = opened.picture().astype(int)
    assert time.monotonic() - began < 20
    orange = (shown[..., 0] > 190) & (shown[..., 2] < 60)
    assert orange.mean() > 0.05
    page.mouse.click(*place_of(page, xy[-1]))
    assert page.locator(".leaflet-popup-content strong").inner_text().startswith("P")
    opened.assert_quiet()
