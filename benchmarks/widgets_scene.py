"""Points in the notebook's scene: from running the cell to all of them drawn, and bytes sent.

    python benchmarks/widgets_scene.py               # 1 and 10 million, and 100 million of a COPC
    python benchmarks/widgets_scene.py --points 5000000 --against-k3d

JupyterLab and Chromium of the tests (software rendering); the kernel has started, imported all and
made the data. A run ends with a screenshot that shows the cloud: ours is taken when the scene says
that every point is drawn, k3d's as soon as one shows more than a thousand colours, which is all
that can be known of it. k3d is no dependency; it is measured where it is installed.
"""

from __future__ import annotations

import argparse
import importlib.util
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.pages.browser import CHROMIUM, FLAGS, distinct_colours
from tests.widgets.bigcopc import write_town
from tests.widgets.labkit import Lab, LabPage

HAVE_K3D = importlib.util.find_spec("k3d") is not None
COLOURS = 1_000
DATA = """
import numpy as np, cupixgeo as cx
cx.widgets.Scene
from tests.widgets.surveys import survey
cloud = survey({count}, side=400.0)
"""
OURS = "cx.widgets.Scene(cloud)"
STREAM = "cx.widgets.Scene({path!r})"
FOR_K3D = """
import k3d
xyz = np.stack([cloud[a].to_numpy() for a in "xyz"], axis=1)
xyz = (xyz - xyz.mean(axis=0)).astype(np.float32)
red, green, blue = (cloud[b].to_numpy().astype(np.uint32) >> 8 for b in ("red", "green", "blue"))
rgb = red << 16 | green << 8 | blue
"""
K3D = """
plot = k3d.plot(height=560, camera_auto_fit=False, grid_visible=False)
plot += k3d.points(xyz, colors=rgb, point_size=0.4, shader="flat")
plot.camera = [-180, -300, 250, 0, 0, 0, 0, 0, 1]
plot
"""


@contextmanager
def notebook() -> Iterator[LabPage]:
    """A page of a JupyterLab that lives as long as it is used."""
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as home, sync_playwright() as playwright:
        lab = Lab(Path(home))
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=list(FLAGS))
        page = LabPage(lab, browser.new_page(viewport={"width": 1280, "height": 960}))
        page.page.set_default_timeout(300_000)
        try:
            yield page
        finally:
            page.close()
            browser.close()
            lab.close()


def measure(page: LabPage, data: str, cell: str, *, ours: bool) -> dict[str, float]:
    """Run the cell once.

    Returns
    -------
    dict
        ``shown_s`` from running the cell to the screenshot, ``megabytes`` received by the browser,
        ``points`` drawn (ours alone).
    """
    received: list[int] = []
    page.page.on(
        "websocket",
        lambda socket: socket.on("framereceived", lambda frame: received.append(len(frame))),
    )
    page.open(page.lab.write("points.ipynb", data, cell))
    page.command("notebook:run-cell-and-select-next")
    page.page.wait_for_timeout(1000)
    received.clear()
    began = time.perf_counter()
    page.page.evaluate("() => { window.jupyterapp.commands.execute('notebook:run-cell') }")
    found: dict[str, float] = {}
    if ours:
        page.page.wait_for_selector(".cx-scene-stage[data-complete=true]")
        assert distinct_colours(page.picture(".cx-scene-canvas")) > COLOURS
        found["points"] = float(
            page.page.locator(".cx-scene-stage").get_attribute("data-points") or 0
        )
    else:
        page.page.wait_for_selector(".jp-OutputArea-output canvas")
        while distinct_colours(page.picture(".jp-OutputArea-output canvas")) <= COLOURS:
            page.page.wait_for_timeout(100)
    return {
        "shown_s": time.perf_counter() - began,
        "megabytes": sum(received) / 1e6,
        **found,
    }


def scene(count: int) -> dict[str, float]:
    """Measure a dataset of `count` points."""
    with notebook() as page:
        return measure(page, DATA.format(count=count), OURS, ours=True)


def stream() -> dict[str, float]:
    """Measure a COPC file of a hundred million points."""
    with notebook() as page:
        town = write_town(page.lab.notebooks / "town.copc.laz")
        cell = STREAM.format(path=town.path.name)
        return measure(page, DATA.format(count=10), cell, ours=True)


def k3d(count: int) -> dict[str, float]:
    """Measure k3d with the same points and colours."""
    with notebook() as page:
        return measure(page, DATA.format(count=count) + FOR_K3D, K3D, ours=False)


def table(points: list[int], *, rounds: int, against_k3d: bool) -> list[str]:
    """Run all cases in turn and make the lines of a table of medians."""
    cases = {f"cx.widgets.Scene, {n / 1e6:g} M points": (lambda n=n: scene(n)) for n in points}
    cases["cx.widgets.Scene, COPC of 100 M points"] = stream
    if against_k3d and HAVE_K3D:
        cases |= {f"k3d, {n / 1e6:g} M points": (lambda n=n: k3d(n)) for n in points}
    runs: dict[str, list[dict[str, float]]] = {name: [] for name in cases}
    for _ in range(rounds):
        for name, case in cases.items():
            runs[name].append(case())
            print(name, runs[name][-1], file=sys.stderr)
    lines = ["| case | shown [s] | received [MB] |", "|---|---|---|"]
    for name, found in runs.items():
        shown, sent = (
            statistics.median(run[what] for run in found) for what in ("shown_s", "megabytes")
        )
        lines.append(f"| {name} | {shown:.1f} | {sent:.1f} |")
    if against_k3d and not HAVE_K3D:
        lines.append("\nk3d is not installed, so it was not measured.")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--points", type=int, nargs="*", default=[1_000_000, 10_000_000])
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--against-k3d", action="store_true")
    options = parser.parse_args()
    print(*table(options.points, rounds=options.rounds, against_k3d=options.against_k3d), sep="\n")


if __name__ == "__main__":
    main()
