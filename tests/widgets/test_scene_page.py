"""The scene in JupyterLab: a million points, a hundred million streamed, picked, shown twice."""

import numpy as np
import pytest

from tests.pages.browser import distinct_colours
from tests.widgets.bigcopc import height, write_town
from tests.widgets.labkit import LabPage
from tests.widgets.surveys import on_screen, survey, xyz_of

SETUP = "import cupixgeo as cx\nfrom tests.widgets.surveys import survey\n"
MILLION = 1_000_000


def wait_until_drawn(page: LabPage, points=1, *, of=None):
    """Wait until every view has drawn all that it wants."""
    page.page.wait_for_function(
        """([least, count]) => {
            const stages = [...document.querySelectorAll(".cx-scene-stage")];
            return stages.length >= count && stages.every(stage =>
                stage.dataset.complete === "true" && Number(stage.dataset.points) >= least);
        }""",
        arg=[points, of or 1],
    )


def middle_of(page: LabPage):
    box = page.page.locator(".cx-scene-canvas").first.bounding_box()
    return box["x"], box["y"], box["width"], box["height"]


def test_a_million_points_are_drawn_picked_and_measured(page: LabPage):
    viewpoint = {
        "target": (576_670.0, 5_188_060.0, 165.0),
        "distance_m": 90.0,
        "azimuth_deg": 300.0,
        "elevation_deg": 40.0,
    }
    page.run(SETUP + f"scene = cx.widgets.Scene(survey({MILLION}))\nscene")
    wait_until_drawn(page, MILLION)
    assert distinct_colours(page.picture(".cx-scene-canvas")) > 5_000
    page.execute(f"scene.viewpoint = {viewpoint!r}")
    left, top, width, tall = middle_of(page)
    places = [(0.5, 0.45), (0.3, 0.6)]
    page.page.get_by_role("button", name="Measure").click()
    stored = xyz_of(survey(MILLION))
    seen, depth = on_screen(stored, viewpoint, width, tall)
    for u, v in places:
        wait_until_drawn(page, MILLION)
        before = page.execute("print(scene.picked)")
        said = page.page.locator(".cx-scene-readout").inner_text()
        page.page.mouse.click(left + u * width, top + v * tall)
        page.page.wait_for_function(
            "old => document.querySelector('.cx-scene-readout').innerText !== old",
            arg=said,
        )
        page.until(f"str(scene.picked) != {before.strip()!r}", "True")
        picked = np.array(eval(page.execute("print(scene.picked.xyz)")))
        row = np.flatnonzero((stored == picked).all(axis=1))
        assert len(row) == 1, "a point that is not in the cloud"
        off = np.abs(seen - (u * width, v * tall)).max(axis=1)
        assert off[row[0]] < 9.5
        # nothing right under the cursor is nearer to the eye
        assert depth[row[0]] <= depth[(off < 1) & (depth > 0)].min() * 1.05
    total = float(page.execute("print(scene.measured.total_m)"))
    page.wait_for_text(".cx-scene-length", f"{total:,.3f} m")
    page.wait_for_text(".cx-scene-readout", "Horizontal")
    page.assert_quiet()


def test_a_hundred_million_points_are_streamed(page: LabPage):
    town = write_town(page.lab.notebooks / "town.copc.laz")
    assert town.points > 100_000_000
    page.run(SETUP + "scene = cx.widgets.Scene('town.copc.laz')\nscene")
    wait_until_drawn(page, 300_000)
    page.wait_for_text(".cx-scene-state", "of 100,263,960 points")
    drawn = int(page.page.locator(".cx-scene-stage").get_attribute("data-points"))
    assert drawn < 5_000_000
    assert distinct_colours(page.picture(".cx-scene-canvas")) > 500
    # close to a house in the far corner: other nodes come, the finest ones
    house = {"target": (577_935, 5_188_937, 158), "distance_m": 40, "azimuth_deg": 0}
    page.execute(f"scene.viewpoint = {house!r}")
    page.page.wait_for_selector(".cx-scene-stage[data-complete=false]")
    wait_until_drawn(page, 100_000)
    left, top, width, tall = middle_of(page)
    page.page.mouse.click(left + width / 2, top + tall / 2)
    page.wait_for_text(".cx-scene-readout", "Easting")
    x, y, z = eval(page.execute("print(scene.picked.xyz)"))
    assert abs(x - 577_935) < 2
    assert abs(y - 5_188_937) < 2
    assert z == pytest.approx(150 + height(x - 576_000, y - 5_187_000), abs=0.006)
    page.assert_quiet()
    town.path.unlink()


def test_shown_twice_it_stays_in_step_and_a_lost_kernel_is_said(page: LabPage):
    page.page.set_viewport_size({"width": 1280, "height": 1800})  # both views in sight
    code = SETUP + "scene = cx.widgets.Scene({'a': survey(20_000), 'b': survey(9_000, seed=2)})"
    page.run(code, "scene", "scene")
    wait_until_drawn(page, 29_000, of=2)
    first, second = page.page.locator(".cx-scene").all()
    before = page.picture(".cx-scene-stage >> nth=1")
    first.locator(".cx-scene-colour").select_option("classification")
    page.wait_for_text(".cx-scene-legend >> nth=1", "6 building")
    assert second.locator(".cx-scene-colour").input_value() == "classification"
    wait_until_drawn(page, 29_000, of=2)
    assert np.abs(page.picture(".cx-scene-stage >> nth=1").astype(int) - before).mean() > 1
    second.locator(".cx-scene-clouds summary").click()
    second.get_by_label("b 9,000").uncheck()
    wait_until_drawn(page, 20_000, of=2)
    page.wait_for_text(".cx-scene-state >> nth=0", "20,000 points")
    first.get_by_role("button", name="Clip").click()
    first.locator(".cx-scene-x-to").fill("500")
    page.until("scene.clip_bounds is not None", "True")
    low, high = eval(page.execute("print(scene.clip_bounds.tolist())"))
    assert high[0] - low[0] == pytest.approx(50, abs=1)
    assert page.execute("print(scene.color, scene.shown)") == "classification ('a',)\n"
    # the keyboard reaches the canvas, and both views turn
    first.locator("canvas").focus()
    page.page.keyboard.press("ArrowRight")
    page.page.wait_for_function(
        """() => [...document.querySelectorAll(".cx-scene-north g")]
            .every(needle => needle.getAttribute("transform") === "rotate(-24)")"""
    )
    page.until("scene.viewpoint.get('azimuth_deg')", "24.0")
    assert "'azimuth_deg': 24.0" in page.execute("print(scene.code())")
    page.assert_quiet()
    page.restart_kernel()
    page.page.wait_for_function(
        """() => getComputedStyle(document.querySelector(".cx-scene"), "::after").content
            .includes("kernel behind this widget is gone")"""
    )
    page.wait_for_text(".cx-scene-state", "The kernel is gone: run the cell again")
