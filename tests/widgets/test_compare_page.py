"""Two captures in JupyterLab: swiped by mouse and keyboard, and coloured by change."""

import numpy as np

from tests.pages.browser import distinct_colours
from tests.widgets.labkit import ROOT, LabPage

CELL = f"""
import numpy as np, cupixgeo as cx
before = cx.open({str(ROOT / "data/brighton_beach/reference/model.laz")!r}).load()
after = before.isel(point=slice(None, None, 4)).copy(deep=True)
lifted = (abs(after.x.values - 576_712) < 8) & (abs(after.y.values - 5_188_160) < 6)
after = after.assign_coords(z=("point", after.z.values + 1.5 * lifted, after.z.attrs))
grey = ("point", np.full(after.sizes["point"], 40_000, "u2"))
after = after.assign(red=grey, green=grey, blue=grey)
c = cx.widgets.Compare(before, after)
"""


def green(picture):
    """Share of the pixels that are lawn."""
    red, grn, blue = np.moveaxis(picture.astype(int), -1, 0)
    return float(((grn > red + 12) & (grn > blue + 20)).mean())


def test_the_divider_uncovers_the_one_or_the_other_capture(page: LabPage):
    page.run(CELL, "c", name="compare.ipynb")
    page.page.locator(".leaflet-container[data-layers='before after']").wait_for()
    page.wait_for_text(".cx-figures", "New in after")
    bar = page.page.locator(".cx-swipe")
    bar.scroll_into_view_if_needed()
    page.page.locator(".leaflet-control-scale").click()
    half = green(page.picture(".leaflet-container"))
    at = bar.bounding_box()
    x, y = at["x"] + at["width"] / 2, at["y"] + at["height"] / 2
    page.page.mouse.move(x, y)
    page.page.mouse.down()
    page.page.mouse.move(x + 400, y, steps=6)
    page.page.mouse.up()
    assert int(bar.get_attribute("aria-valuenow")) > 75
    all_before = green(page.picture(".leaflet-container"))
    bar.focus()
    for _ in range(40):
        page.page.keyboard.press("ArrowLeft")
    assert int(bar.get_attribute("aria-valuenow")) < 15
    all_after = green(page.picture(".leaflet-container"))
    assert all_before > 0.02
    assert all_after < all_before / 20, "the later capture is grey"
    assert all_after < half < all_before

    page.page.locator(".cx-compare-switch button", has_text="Scene").click()
    page.page.locator(".cx-scene canvas").first.wait_for()
    page.wait_for_text(".cx-scene", "Distance")
    page.page.wait_for_function(
        "() => document.querySelector('.cx-scene')?.innerText.includes('points')"
    )
    picture = page.picture(".cx-scene canvas")
    assert distinct_colours(picture) > 100
    page.assert_quiet()
