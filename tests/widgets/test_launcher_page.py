"""The launcher in JupyterLab: a reconstruction launched by clicking, through to map and scene."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import numpy as np
import pytest
from pyproj import Transformer

from cupixgeo.emulator import Emulator
from tests.pages.browser import distinct_colours
from tests.widgets.accounts import PHOTOS, until
from tests.widgets.labkit import LabPage

SETUP = """
import os, time
os.environ["CUPIXGEO_STATE"] = {state!r}
import cupixgeo as cx
from cupixgeo.net.settings import NetSettings
settings = NetSettings(sleep=lambda s: time.sleep(min(s, 0.05)))
account = cx.connect({service!r}, {token!r}, base_url={base_url!r}, settings=settings)
"""
SHOW = f"launcher = cx.widgets.Launcher(account, photos={str(PHOTOS)!r}, name='Pier 4'); launcher"
PING = """
import ipywidgets
ping, pong = ipywidgets.Button(description="ping"), ipywidgets.Label("0")
ping.add_class("ping"); pong.add_class("pong")
ping.on_click(lambda b: setattr(pong, "value", str(int(pong.value) + 1)))
ipywidgets.HBox([ping, pong])
"""
ANSWER = """async () => {
    const pong = document.querySelector(".pong"), before = pong.textContent;
    const start = performance.now();
    document.querySelector(".ping").click();
    while (pong.textContent === before) await new Promise(next => setTimeout(next, 5));
    return (performance.now() - start) / 1000;
}"""


LOST = """() => {
    const all = [...document.querySelectorAll(".cx-launcher, .cx-launcher *")];
    return ["::before", "::after"].every(end => all.map(part => getComputedStyle(part, end).content)
        .filter(text => text.includes("kernel behind this widget is gone")).length === 1);
}"""
"""A lost kernel is said above and below the launcher, and not once for each of its parts."""


class Heard(Emulator):
    """An emulator that keeps the bodies it receives."""

    def __init__(self) -> None:
        super().__init__(seed=7)
        self.bodies: list[tuple[str, bytes]] = []

    def _answer_api(self, request):
        self.bodies.append((request.path, request.body))
        return super()._answer_api(request)


@pytest.fixture
def emu() -> Iterator[Heard]:
    with Heard() as emulator:
        emulator.service("flighthub").rules.every_nth_point = 8
        yield emulator


@pytest.fixture
def notebook(page: LabPage, emu: Heard, tmp_path):
    """Open a launcher at a service; gives the page."""

    def notebook(service: str, *cells: str, **options: str) -> LabPage:
        base_url, token = emu.endpoint(service)
        state = str(tmp_path / "state")
        setup = SETUP.format(state=state, service=service, token=token, base_url=base_url)
        page.run(setup, SHOW, *cells, **options)
        return page

    return notebook


def look(page: LabPage) -> None:
    page.page.locator("button.cx-look").click()
    page.page.locator(".leaflet-container").wait_for()
    page.wait_for_text(".cx-limits", "18 photos")


def finish(page: LabPage, emu: Heard) -> None:
    """Let time go by at the service until the job is done, and fetch its results."""
    page.page.locator(".cx-chip-queued, .cx-chip-running").first.wait_for()
    done = page.page.locator(".cx-job .cx-chip-done")
    for _ in range(100):
        emu.clock.advance(600.0)
        page.page.wait_for_timeout(100)
        if done.count():
            break
    done.wait_for()
    page.page.locator("button.cx-get-results").click()
    page.page.locator(".cx-result canvas").first.wait_for()


def draw_polygon(page: LabPage, corners: list[tuple[float, float]]) -> None:
    """Draw on the map; corners as shares of its width and height."""
    page.page.locator(".leaflet-draw-draw-polygon").first.click()
    box = page.page.locator(".leaflet-container").first.bounding_box()
    for across, down in [*corners, corners[0]]:  # a click on the first corner closes it
        x, y = box["x"] + across * box["width"], box["y"] + down * box["height"]
        page.page.mouse.move(x, y)
        page.page.mouse.click(x, y)
        page.page.wait_for_timeout(60)  # Leaflet takes two fast clicks for a double click


def test_dji_from_a_folder_to_the_result_by_clicking(notebook, emu, tmp_path):
    page = notebook("flighthub", PING)
    look(page)
    assert page.page.locator(".cx-crs-box input").input_value() == "EPSG:32615"
    page.page.locator(".leaflet-container").first.scroll_into_view_if_needed()
    draw_polygon(page, [(0.4, 0.35), (0.6, 0.3), (0.65, 0.7), (0.42, 0.65)])
    page.wait_for_text(".cx-field", "4 corners")
    drawn = json.loads(page.execute("import json; print(json.dumps(launcher.photos.area))"))

    page.page.locator("button.cx-dry-run").click()
    page.wait_for_text(".cx-requests", "reconstruction/start")
    assert "predefine_AOI" in page.page.locator(".cx-requests").inner_text() or (
        "predefine_AOI" in page.page.locator(".cx-requests").text_content()
    )
    assert not emu.journal.where(origin="storage")

    page.page.locator("button.cx-launch").click()
    answers = [page.page.evaluate(ANSWER) for _ in range(5)]  # while photos are sent
    assert np.median(answers) < 0.3
    finish(page, emu)

    (start,) = [body for path, body in emu.bodies if path.endswith("/reconstruction/start")]
    sent = json.loads(json.loads(start)["parameter_3d"])["predefine_AOI"]
    to_map = Transformer.from_crs("EPSG:4326", sent["geo_desc"]["geo_cs"], always_xy=True)
    ring = drawn["coordinates"][0]
    corners = {(round(x, 1), round(y, 1)) for x, y in (to_map.transform(*c[:2]) for c in ring)}
    received = {(round(x, 1), round(y, 1)) for x, y, _ in sent["polygon_points"]}
    assert received == corners
    assert len(received) == 4

    page.wait_for_text(".cx-result", "points in EPSG:32615")
    until(lambda: distinct_colours(page.picture(".cx-result .cx-scene")) > 1000)
    assert distinct_colours(page.picture(".cx-result .leaflet-container")) > 1000
    assert page.page.evaluate(
        "() => { const e = document.querySelector('.cx'); return e.scrollWidth <= e.clientWidth }"
    )
    page.assert_quiet()


def test_altizure_from_a_folder_to_the_result_by_clicking(notebook, emu):
    page = notebook("altizure", theme="dark")
    look(page)
    page.page.locator(".cx-ticks input").last.focus()
    page.page.keyboard.press("Tab")  # parameters are reached without a mouse
    page.page.keyboard.press("Enter")
    visibility = page.page.get_by_label("visibility")
    visibility.select_option(label="unlisted")
    wrong = page.page.get_by_label("photo url")
    wrong.fill("nowhere")
    wrong.press("Tab")
    page.wait_for_text(".cx-field-photo_url .cx-wrong", "belong together")
    wrong.fill("")
    wrong.press("Tab")
    page.page.locator(".cx-field-photo_url .cx-wrong").wait_for(state="detached")
    page.page.locator("button.cx-launch").click()
    page.page.locator(".cx-job").wait_for()

    def started() -> bool:
        emu.clock.advance(10.0)  # the service looks at each photo
        return bool(emu.journal.where(operation="startReconstructionWithError"))

    until(started, 60)
    finish(page, emu)
    assert page.execute("print(launcher.order.parameters)") == "{('', 'visibility'): 'unlisted'}\n"
    page.wait_for_text(".cx-result", "points on the mesh")
    until(lambda: distinct_colours(page.picture(".cx-result .cx-scene")) > 1000)
    assert distinct_colours(page.picture(".cx-result .leaflet-container")) > 20
    page.assert_quiet()


def test_a_job_is_found_again_after_the_kernel_was_lost(notebook, emu):
    page = notebook("openscan")
    look(page)
    page.page.locator("button.cx-launch").click()
    page.page.locator(".cx-chip-queued, .cx-chip-running").first.wait_for()
    page.restart_kernel()
    page.page.wait_for_function(LOST)
    page.command("notebook:run-all-cells")
    page.wait_for_text(".cx-job-words", "goes on at the service; Resume follows it")
    page.page.locator("button.cx-resume").click()
    finish(page, emu)
    starts = [path for path, _ in emu.bodies if path.endswith("/startProject")]
    assert len(starts) == 1
    assert re.search(r"\d+ points on the mesh", page.page.locator(".cx-result").inner_text())
    page.assert_quiet()
