"""Cameras on the notebook's map: from running the cell to shown, bytes sent, frames of a drag.

    python benchmarks/widgets_map.py                  # 20,000 cameras, cx.widgets.Map
    python benchmarks/widgets_map.py --geojson        # the same in one GeoJSON layer of ipyleaflet

JupyterLab and Chromium of the tests (software rendering); the kernel has started and imported all.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.pages.browser import FLAGS
from tests.widgets.labkit import Lab, LabPage

CHROMIUM = "/usr/bin/chromium"
DATA = """
import numpy as np, pandas as pd, ipyleaflet, cupixgeo as cx
from cupixgeo.widgets.map import Map
rng = np.random.default_rng(0)
cameras = pd.DataFrame({{
    "name": [f"DJI_{{i:05d}}.JPG" for i in range({count})],
    "lon_deg": rng.uniform(-91.990, -91.980, {count}),
    "lat_deg": rng.uniform(46.840, 46.848, {count}),
}})
"""
OURS = "cx.widgets.Map({'cameras': cameras})"
GEOJSON = """
m = ipyleaflet.Map(basemap={}, layers=(), prefer_canvas=True, center=(46.844, -91.985), zoom=15)
m.add(ipyleaflet.GeoJSON(
    data={"type": "FeatureCollection", "features": [
        {"type": "Feature", "properties": {"name": n},
         "geometry": {"type": "Point", "coordinates": [x, y]}}
        for n, x, y in cameras.itertuples(index=False)]},
    point_style={"radius": 3, "weight": 1, "fillOpacity": 0.9}, hover_style={"fillColor": "#f00"}))
m
"""
DRAG = """() => {
    window.frames = []; window.watching = true;
    let last = performance.now();
    const next = () => {
        const now = performance.now();
        window.frames.push(now - last); last = now;
        if (window.watching) requestAnimationFrame(next);
    };
    requestAnimationFrame(next);
}"""


def shown(page: LabPage) -> None:
    """Wait until the cameras are on the screen: the picture has their colour."""
    page.page.locator(".leaflet-container canvas").first.wait_for()
    while True:
        picture = page.picture(".leaflet-container").astype(int)
        middle = picture[200:300, 400:700]
        if (abs(middle - middle[0, 0]).sum(axis=2) > 60).mean() > 0.2:
            return


def cameras(page: LabPage, count: int, *, geojson: bool = False) -> dict[str, float]:
    """Run the cell once and measure.

    Returns
    -------
    dict
        ``shown_s`` from running the cell to cameras on a screenshot, ``megabytes`` received by
        the browser, ``drag_s`` for 40 moves of the mouse, ``frame_ms`` and ``worst_frame_ms``.
    """
    received = []
    page.page.on(
        "websocket",
        lambda socket: socket.on("framereceived", lambda data: received.append(len(data))),
    )
    cell = GEOJSON if geojson else OURS
    page.open(page.lab.write("cameras.ipynb", DATA.format(count=count), cell))
    page.page.wait_for_timeout(1000)
    page.command("notebook:run-cell-and-select-next")
    received.clear()
    began = time.perf_counter()
    page.command("notebook:run-cell")
    shown(page)
    found = {"shown_s": time.perf_counter() - began, "megabytes": sum(received) / 1e6}
    page.page.wait_for_timeout(500)
    box = page.page.locator(".leaflet-container").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.page.evaluate(DRAG)
    began = time.perf_counter()
    page.page.mouse.move(x, y)
    page.page.mouse.down()
    for step in range(40):
        page.page.mouse.move(x + 4 * step, y + 2 * step)
    page.page.mouse.up()
    found["drag_s"] = time.perf_counter() - began
    page.page.wait_for_timeout(500)
    frames = page.page.evaluate("() => { window.watching = false; return window.frames; }")
    found["frame_ms"] = statistics.median(frames)
    found["worst_frame_ms"] = max(frames)
    return found


def main() -> None:
    from playwright.sync_api import sync_playwright

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--geojson", action="store_true")
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as home, sync_playwright() as playwright:
        lab = Lab(Path(home))
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        try:
            for _ in range(options.runs):
                page = LabPage(lab, browser.new_page(viewport={"width": 1280, "height": 960}))
                found = cameras(page, options.count, geojson=options.geojson)
                print(", ".join(f"{name} {value:.2f}" for name, value in found.items()))
                page.close()
        finally:
            browser.close()
            lab.close()


if __name__ == "__main__":
    main()
