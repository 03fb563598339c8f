"""The report in a browser: shown whole, in both schemes, on every width, from the file alone."""

import numpy as np
import pytest

from cupixgeo.pipeline.raster import read_top_view
from cupixgeo.pipeline.report_html import write_report
from tests.pages.browser import distinct_colours
from tests.pipeline.reports import merge_report

SCAN = "data/brighton_beach/reference/model.laz"


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    view = read_top_view(SCAN, max_pixels=500)
    path = tmp_path_factory.mktemp("report") / "report.html"
    return write_report(merge_report(notes=("a doubt worth knowing",)), path, cloud=view)


@pytest.mark.parametrize("size", ["wide", "narrow"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_shown_whole_and_loads_nothing(show, report, size, scheme):
    opened = show(report, size=size, scheme=scheme)
    page = opened.page
    opened.assert_quiet()
    assert page.title() == "site.laz: merge report"
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    picture = opened.picture(full_page=True)
    assert distinct_colours(picture) > 5000
    paper = picture[5:, :5].reshape(-1, 3).mean()
    assert paper > 220 if scheme == "light" else paper < 40


def test_its_pictures_are_decoded_and_drawn(show, report):
    opened = show(report)
    boxes = opened.page.locator("svg image")
    assert boxes.count() == 3
    for number in range(3):
        box = boxes.nth(number)
        box.scroll_into_view_if_needed()
        box.screenshot()
        at = box.bounding_box()
        shown = opened.picture(clip=at)
        middle = shown[shown.shape[0] // 4 : -shown.shape[0] // 4]
        assert distinct_colours(middle) > 150
        assert np.ptp(middle.astype(int)) > 100


def test_texts_in_figures_stay_legible_and_apart(show, report):
    """No label of a map is smaller than a footnote or lies on another, at either width."""
    for size in ("wide", "narrow"):
        page = show(report, size=size).page
        labels = page.evaluate(
            """() => [...document.querySelectorAll("svg")].map(svg =>
                [...svg.querySelectorAll("text")].map(text => {
                    const box = text.getBoundingClientRect();
                    const size = text.hasAttribute("transform") ? box.width : box.height;
                    return [box.left, box.top, box.right, box.bottom, size];
                }))"""
        )
        for figure in labels:
            for i, (left, top, right, bottom, size_px) in enumerate(figure):
                assert size_px >= 9
                for other in figure[i + 1 :]:
                    apart = (
                        right <= other[0] + 1
                        or other[2] <= left + 1
                        or bottom <= other[1] + 1
                        or other[3] <= top + 1
                    )
                    assert apart, f"two labels overlap at {size} width"


def test_details_open_with_the_keyboard(show, report):
    page = show(report).page
    first = page.locator("details").first
    first.locator("summary").focus()
    page.keyboard.press("Enter")
    assert first.get_attribute("open") is not None
    assert "PROJCRS" in first.inner_text()


def test_print_is_ink_on_white_paper(show, report):
    opened = show(report, scheme="dark")
    opened.page.emulate_media(media="print")
    picture = opened.picture(full_page=True)
    assert np.median(picture[:, :5]) == 255
    assert opened.page.pdf()[:5] == b"%PDF-"
