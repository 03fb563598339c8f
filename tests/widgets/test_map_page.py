"""The map in JupyterLab: 20,000 cameras, clicks, drawing, dragging, and no network."""

import time

import numpy as np
import pytest
from pyproj import Transformer

from tests.pages.browser import distinct_colours
from tests.widgets.labkit import ROOT, LabPage

UTM = 32615
SCAN = ROOT / "data/brighton_beach/reference/model.laz"

CAMERAS = """
import numpy as np, pandas as pd, cupixgeo as cx
rng = np.random.default_rng(0)
xy = rng.uniform((576_300, 5_188_000), (577_100, 5_188_600), (20_000, 2))
apart = xy - (576_700, 5_188_300)
xy += apart * (15 / np.maximum(np.hypot(*apart.T), 1))[:, None]  # room around the first
xy[0] = 576_700, 5_188_300
from pyproj import Transformer
lon, lat = Transformer.from_crs(32615, 4326, always_xy=True).transform(*xy.T)
names = [f"DJI_{i:05d}" for i in range(20_000)]
cameras = pd.DataFrame({"name": names, "lon_deg": lon, "lat_deg": lat}, index=names)
cameras.attrs["table"] = "cameras"
"""
SITE = f"""
import pandas as pd, cupixgeo as cx
gcps = pd.DataFrame({{"name": ["P1"], "x": [576_700.0], "y": [5_188_150.0]}})
m = cx.widgets.Map(cx.open({str(SCAN)!r}), gcps=gcps)
"""


def asked(page, code, wanted):
    """What the kernel prints, asked until ``wanted(last, the one before)``."""
    before, end = "", time.monotonic() + 30
    while not wanted(answer := page.execute(code), before):
        assert time.monotonic() < end, answer
        before = answer
        page.page.wait_for_timeout(50)
    return answer


@pytest.fixture
def places(page: LabPage):
    """Where coordinates of the site are on the screen: ``places((x, y), ...)``."""
    to_mercator = Transformer.from_crs(UTM, 3857, always_xy=True)
    from_degrees = Transformer.from_crs(4326, 3857, always_xy=True)

    def places(*xy, number=0):
        page.page.wait_for_function("() => document.querySelector('[data-layers]')")
        told = asked(page, "print(m.map.zoom, *m.map.center)", lambda a, b: a == b and a[:2] > "10")
        zoom, lat, lon = map(float, told.split())
        # JupyterLab scrolls a cell into view when it is clicked for the first time
        page.page.locator(".leaflet-control-scale").nth(number).click()
        box = page.page.locator(".leaflet-container").nth(number).bounding_box()
        pixel = 2 * np.pi * 6_378_137 / (256 * 2**zoom)
        middle = np.array(from_degrees.transform(lon, lat))
        at = (np.column_stack(to_mercator.transform(*np.array(xy).T)) - middle) / pixel * (1, -1)
        corner = np.array([box["x"] + 1 + (box["width"] - 2) / 2, box["y"] + box["height"] / 2])
        return (at + corner).tolist()

    return places


def drag(page, start, *, steps=40):
    """Drag the map: frames [ms], how often dots were drawn, and by how many calls."""
    page.evaluate(
        """() => {
            window.frames = []; window.watching = true; window.drawn = window.calls = 0;
            const paper = CanvasRenderingContext2D.prototype, { putImageData, drawImage } = paper;
            paper.putImageData = function (...about) {
                window.drawn++;
                putImageData.apply(this, about);
            };
            paper.drawImage = function (...about) {
                window.calls++;
                drawImage.apply(this, about);
            };
            let last = performance.now();
            const next = () => {
                const now = performance.now();
                window.frames.push(now - last);
                last = now;
                if (window.watching) requestAnimationFrame(next);
            };
            requestAnimationFrame(next);
        }"""
    )
    x, y = start
    page.mouse.move(x, y)
    page.mouse.down()
    for step in range(steps):
        page.mouse.move(x + 4 * step, y + 2 * step)
        page.wait_for_timeout(10)
    page.mouse.up()
    page.wait_for_timeout(300)
    return page.evaluate("""() => {
            window.watching = false;
            return [window.frames, window.drawn, window.calls];
        }""")


def test_twenty_thousand_cameras_are_shown_dragged_and_picked(page: LabPage, places):
    page.run(CAMERAS, "m = cx.widgets.Map(cameras)\nheard = []", "m")
    page.execute("m.map.on_interaction(lambda **event: heard.append(event['type']))")
    shown = page.page.locator(".leaflet-container[data-layers='cameras']")
    shown.wait_for()
    (here,) = places((576_700, 5_188_300))
    picture = page.picture(".leaflet-container").astype(int)
    orange = (picture[..., 0] > 190) & (picture[..., 1] < 110) & (picture[..., 2] < 60)
    assert orange.mean() > 0.05

    page.page.mouse.click(*here)
    page.page.locator(".leaflet-container[data-picked='1']").wait_for()
    page.until("m.selection, m.selected.index.tolist()", "('DJI_00000',) ['DJI_00000']")
    before = page.picture(".leaflet-container")
    yellow = (before == (255, 214, 10)).all(axis=2)
    assert yellow.sum() > 30, "what is picked is highlighted"
    page.execute("m.select(['DJI_00007', 'DJI_00008', 'DJI_00009'])")
    page.page.locator(".leaflet-container[data-picked='3']").wait_for()
    page.page.keyboard.down("Control")
    page.page.mouse.click(*here)
    page.page.keyboard.up("Control")
    page.page.locator(".leaflet-container[data-picked='4']").wait_for()
    field = page.page.locator(".cx-legend input[type=search]")
    field.fill("dji_1234")
    field.press("Enter")
    page.page.locator(".leaflet-container[data-picked='10']").wait_for()
    page.until("m.selection[:1] + m.selection[-1:]", "('DJI_12340', 'DJI_12349')")

    frames, drawn, calls = drag(page.page, here)
    # the dots, and over them those that are picked
    assert 2 <= drawn <= 6, "not drawn anew for every move of the mouse, but at its end"
    assert calls <= 6, "not a call of the canvas for each dot"
    assert max(frames) < 500, "some 100 ms where nothing else runs"
    (moved,) = places((576_700, 5_188_300))
    assert np.subtract(moved, here) == pytest.approx([156, 78], abs=40)
    assert "mousemove" not in page.execute("print(heard)")
    page.assert_quiet()


def test_an_area_is_drawn_a_point_dragged_and_a_second_view_follows(page: LabPage, places):
    page.run(SITE, "m", "m", name="site.ipynb")
    first = page.page.locator(".leaflet-container").nth(0)
    corners = [(576_690, 5_188_130), (576_740, 5_188_135), (576_735, 5_188_180)]
    at = places(*corners)
    first.locator(".leaflet-draw-draw-polygon").click()
    for x, y in [*at, at[0]]:
        page.page.mouse.move(x, y)
        page.page.mouse.click(x, y)
        page.page.wait_for_timeout(80)
    page.wait_for_text(".cx-message", "Area: 3 corners")
    drawn = np.array(eval(page.execute("print(m.aoi.vertices)")))
    assert drawn == pytest.approx(np.array(corners), abs=0.5), "to a pixel or two"
    assert page.execute("print(m.aoi.crs.to_epsg())") == f"{UTM}\n"
    paths = page.page.locator(".leaflet-overlay-pane path")
    assert paths.count() == 2, "one in each view"

    point, goal = places((576_700, 5_188_150), (576_712, 5_188_160))
    page.page.mouse.move(*point)
    page.page.mouse.down()
    page.page.mouse.move(*goal, steps=5)
    page.page.mouse.up()
    page.wait_for_text(".cx-message", "P1 moved by 15.")
    moved = page.execute("print(*m.gcps.loc[0, ['x', 'y']])").split()
    assert [float(v) for v in moved] == pytest.approx([576_712, 5_188_160], abs=0.5)
    page.page.locator(".leaflet-marker-icon.leaflet-interactive").first.focus()
    page.page.keyboard.press("Shift+ArrowRight")
    asked(page, "print(m.gcps.loc[0, 'x'])", lambda x, _: float(x) > float(moved[0]) + 0.5)

    first.locator(".leaflet-draw-edit-remove").click()
    inside = places((576_722, 5_188_150))[0]
    page.page.mouse.click(*inside)
    first.locator(".leaflet-draw-actions a", has_text="Save").click()
    asked(page, "print(m.aoi)", lambda aoi, _: aoi == "None\n")
    assert paths.count() == 0

    boxes = page.page.locator(".cx-legend input[value='model.laz']")
    boxes.nth(0).uncheck()
    page.page.wait_for_function(
        """() => [...document.querySelectorAll('[data-layers]')]
            .every(e => e.dataset.layers === 'model.laz: outline')"""
    )
    assert not boxes.nth(1).is_checked()
    page.assert_quiet()


def test_an_area_that_crosses_itself_is_said_beside_the_map(page: LabPage, places):
    page.run(SITE, "m", name="bow.ipynb")
    at = places(
        (576_690, 5_188_130), (576_740, 5_188_180), (576_740, 5_188_130), (576_690, 5_188_180)
    )
    page.page.locator(".leaflet-draw-draw-polygon").click()
    for x, y in [*at, at[0]]:
        page.page.mouse.move(x, y)
        page.page.mouse.click(x, y)
        page.page.wait_for_timeout(80)
    page.wait_for_text(".cx-problem[role=alert]", "crosses itself")
    assert page.execute("print(m.aoi)") == "None\n"
    assert distinct_colours(page.picture(".leaflet-container")) > 1000
    page.page.locator(".cx-area-of-view").focus()
    page.page.keyboard.press("Enter")
    page.wait_for_text(".cx-note", "Area: 4 corners")

    page.page.mouse.move(*places((576_700, 5_188_150))[0])
    cursor = page.wait_for_text(".cx-cursor", "EPSG:32615").inner_text().split("\n")
    x, y = (float(part) for part in cursor[1].split(", "))
    assert (x, y) == pytest.approx((576_700, 5_188_150), abs=0.3)
    page.assert_quiet()

    page.page.locator(".cx-base select").select_option("osm")
    page.page.locator(".cx-no-tiles").wait_for()
    assert page.refused
    assert all(url.startswith("https://tile.openstreetmap.org/") for url in page.refused)
    assert distinct_colours(page.picture(".leaflet-container")) > 1000

    page.restart_kernel()
    page.page.locator(".cx-map.jupyter-widgets-disconnected").wait_for()
    page.command("notebook:run-all-cells")
    page.page.locator(".cx-map:not(.jupyter-widgets-disconnected) [data-layers]").wait_for()
