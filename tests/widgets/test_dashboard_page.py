"""The dashboard in JupyterLab: rows and map in step, a merge that leaves the kernel free."""

from __future__ import annotations

import numpy as np
import pytest

from tests.pages.browser import distinct_colours
from tests.widgets.accounts import until
from tests.widgets.labkit import LabPage
from tests.widgets.test_launcher_page import ANSWER, PING

SETUP = """
import cupixgeo as cx
emulator = cx.Emulator(seed=7).start()
account = cx.connect("cupix", emulator=emulator)
dashboard = cx.widgets.Dashboard(account, table=account.pointclouds(record_id=602))
"""
ROW = ".cx-table tbody tr[data-index]"


@pytest.fixture
def shown(page: LabPage) -> LabPage:
    page.run(SETUP, "dashboard", PING)
    page.page.locator(ROW).first.wait_for()
    page.page.locator(".leaflet-container").first.wait_for()
    return page


def selected(page: LabPage) -> str:
    return page.execute("print(dashboard.selected['id'].tolist())").strip()


def test_rows_map_and_keyboard_stay_in_step(shown):
    page, lab = shown.page, shown
    page.locator(ROW, has_text="Shore west 2").click()
    lab.wait_for_text(".cx-table-count", "1 selected")
    assert selected(lab) == "[5311]"
    assert page.locator(ROW, has_text="Shore west 2").get_attribute("aria-selected") == "true"
    lab.execute("dashboard.map.select([8], 'pointclouds')")
    page.locator(f"{ROW}[aria-selected=true]", has_text="Shore east 3").wait_for()
    assert selected(lab) == "[5323]"

    page.locator(".cx-table-words").first.fill("shore east")
    lab.wait_for_text(".cx-table-count", "4 of 9 rows")
    page.locator(ROW).first.click()
    for key in ("ArrowDown", "ArrowDown", "Space"):
        page.keyboard.press(key)
    lab.wait_for_text(".cx-table-count", "3 selected")
    assert page.evaluate("() => document.activeElement.dataset.index") == "2"
    page.get_by_role("button", name="name", exact=True).first.click()
    page.locator("th[aria-sort=ascending] button").click()
    until(lambda: "Shore east 3" in page.locator(ROW).first.inner_text())
    heading = page.locator("th[aria-sort=descending]")
    assert "name" in heading.inner_text()
    page.locator(".cx-table-none").first.click()
    lab.wait_for_text(".cx-table-count", "0 selected")
    lab.assert_quiet()


def test_a_merge_by_clicking_leaves_the_kernel_free(shown):
    page, lab = shown.page, shown
    page.locator(".cx-table thead input").first.check()
    lab.wait_for_text(".cx-merge-words", "7 pointclouds selected, 940,393 points")
    page.locator("button.cx-merge").click()
    page.locator(".cx-merge-errand").wait_for()
    answers = []
    while page.locator(".cx-merge-errand").is_visible():
        answers.append(page.evaluate(ANSWER))
    assert len(answers) > 3
    assert np.median(answers) < 0.3
    lab.wait_for_text(".cx-result-words", "940,393 points of 940,393 from 7 sources")
    until(lambda: distinct_colours(lab.picture(".cx-dashboard .cx-scene")) > 1000)
    until(lambda: distinct_colours(lab.picture(".cx-dashboard .leaflet-container")) > 1000)
    page.locator(".cx-dashboard > .cx-footer .cx-code-button").click()
    lab.wait_for_text(".cx-code", "cx.merge(sources")
    lab.assert_quiet()


def test_shown_twice_it_stays_in_step(page):
    page.run(SETUP, "dashboard", "dashboard")
    first, second = (page.page.locator(".cx-dashboard").nth(n) for n in range(2))
    second.locator(ROW).first.wait_for()
    first.locator(ROW, has_text="Shore west 4").click()
    second.locator(f"{ROW}[aria-selected=true]", has_text="Shore west 4").wait_for()
    second.locator(".cx-output input").fill("other.laz")
    second.locator(".cx-output input").press("Enter")
    until(lambda: first.locator(".cx-output input").input_value() == "other.laz")
    page.assert_quiet()
