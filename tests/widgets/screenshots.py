"""Pictures of the widgets for README and docs: ``python -m tests.widgets.screenshots``.

Runs them in JupyterLab on the emulator and real data, as the browser tests do, and writes small
PNGs into ``docs/images``. No network.
"""

from __future__ import annotations

import io
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import PIL.Image

from tests.pages.browser import CHROMIUM, FLAGS
from tests.widgets.labkit import ROOT, Lab, LabPage

IMAGES = ROOT / "docs" / "images"
LARGEST_BYTES = 200_000
DATA = ROOT / "data"

SETUP = f"""
import os, tempfile, time
os.environ["CUPIXGEO_STATE"] = tempfile.mkdtemp()
import numpy as np
import cupixgeo as cx
from cupixgeo.net.settings import NetSettings
from cupixgeo.photos.preflight import preflight
photos = "photos"
site = cx.open({str(DATA / "brighton_beach" / "reference" / "model.laz")!r})
emulator = cx.Emulator(seed=7).start()
def wait(seconds):
    time.sleep(0.05)
    emulator.clock.advance(seconds)
settings = NetSettings(now=emulator.clock.now, sleep=wait)
"""

HEAP = """
heap = np.maximum(0, 1.5 - np.hypot(site["x"] - 576700, site["y"] - 5188150) / 4)
later = site.assign_coords(z=("point", (site["z"] + heap).values, site["z"].attrs))
"""
DRONE = "account = cx.connect('flighthub', emulator=emulator, settings=settings)\n"
SCANS = "account = cx.connect('cupix', emulator=emulator)\n"

CELLS = {
    "map": "cx.widgets.Map({'survey': site, 'photos': preflight(photos)})",
    "scene": "cx.widgets.Scene(site, cameras=preflight(photos))",
    "compare": HEAP + "cx.widgets.Compare(site, later)",
    "launcher": DRONE + "cx.widgets.Launcher(account, photos='photos', name='Brighton Beach')",
    "dashboard": SCANS + "cx.widgets.Dashboard(account, table=account.pointclouds(record_id=602))",
}
ALL_THERE = """() => ![...document.querySelectorAll(".cx-scene")].some(
    scene => / of [\\d,]+ points/.test(scene.innerText))"""
TIDY = """home => {
    const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walk.nextNode())
        if (walk.currentNode.data.includes(home))
            walk.currentNode.data = walk.currentNode.data.replaceAll(home, "~");
}"""
"""Nobody wants to read where this machine keeps its temporary files."""


def main() -> int:
    """Make all pictures, or those named on the command line."""
    from playwright.sync_api import sync_playwright

    wanted = sys.argv[1:] or list(CELLS)
    IMAGES.mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix="screenshots-") as home,
        sync_playwright() as playwright,
    ):
        lab = Lab(Path(home))
        shutil.copytree(DATA / "brighton_beach" / "images", lab.notebooks / "photos")
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=list(FLAGS))
        try:
            for name in wanted:
                page = LabPage(lab, browser.new_page(viewport={"width": 1180, "height": 2600}))
                page.run(SETUP, CELLS[name])
                ACTIONS[name](page.page)
                page.page.evaluate(TIDY, str(lab.notebooks))
                png = page.page.locator(".cx").first.screenshot()
                size = save(png, IMAGES / f"{name}.png")
                sys.stdout.write(f"docs/images/{name}.png {size / 1000:.0f} kB\n")
                page.assert_quiet()
                page.close()
        finally:
            browser.close()
            lab.close()
    return 0


def save(png: bytes, to: Path) -> int:
    """Write a picture with as many colours as fit into the size; returns its bytes."""
    image = PIL.Image.open(io.BytesIO(png)).convert("RGB")
    image = image.resize((round(image.width * 0.8), round(image.height * 0.8)), PIL.Image.LANCZOS)
    for colours in (256, 128, 64, 32):
        packed = io.BytesIO()
        few = image.quantize(colours, kmeans=1, dither=PIL.Image.Dither.NONE)
        few.save(packed, "PNG", optimize=True)
        if packed.tell() <= LARGEST_BYTES:
            break
    to.write_bytes(packed.getvalue())
    return packed.tell()


def _still(page: Any) -> None:
    """Wait until scenes have all their points and maps are drawn."""
    page.wait_for_timeout(3000)
    page.wait_for_function(ALL_THERE)
    page.wait_for_timeout(1000)


def _launched(page: Any) -> None:
    page.locator("button.cx-look").click()
    page.locator(".leaflet-container").wait_for()
    page.locator(".cx-limits").wait_for()
    page.locator("button.cx-launch").click()
    page.locator(".cx-job .cx-chip-done").wait_for()
    page.locator("button.cx-get-results").click()
    page.locator(".cx-result canvas").first.wait_for()
    _still(page)


def _merged(page: Any) -> None:
    page.locator(".leaflet-container").first.wait_for()
    page.locator(".cx-table thead input").first.check()
    page.locator(".cx-merge-words", has_text="7 pointclouds").wait_for()
    page.locator("button.cx-merge").click()
    page.locator(".cx-dashboard .cx-scene canvas").first.wait_for()
    _still(page)


def _changed(page: Any) -> None:
    page.locator(".leaflet-container").wait_for()
    page.locator(".cx-compare-switch button", has_text="Scene").click()
    page.locator(".cx-scene canvas").first.wait_for()
    _still(page)


ACTIONS = {
    "map": _still,
    "scene": _still,
    "compare": _changed,
    "launcher": _launched,
    "dashboard": _merged,
}

if __name__ == "__main__":
    sys.exit(main())
