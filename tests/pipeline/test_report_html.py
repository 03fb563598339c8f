"""The report page: everything the report says, escaped, in tables a reader can follow."""

import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from pyproj import CRS

from cupixgeo.errors import CloudError, OutputError
from cupixgeo.pipeline.figures import decimals, map_figure, round_step, ticks
from cupixgeo.pipeline.quantities import accuracy, area, length, millimetres, size
from cupixgeo.pipeline.raster import top_view
from cupixgeo.pipeline.report_html import report_page, write_report
from tests.pipeline.reports import MemoryReader, merge_report, source_report

VOID = {"meta", "link", "br", "image", "rect", "path", "stop"}


class Page(HTMLParser):
    """Checks that elements nest, and collects what the tests ask for."""

    def __init__(self, text):
        super().__init__()
        self.open, self.elements, self.words = [], [], []
        self.feed(text)
        assert not self.open, f"left open: {self.open}"

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.words.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture(scope="module")
def view():
    rng = np.random.default_rng(0)
    xyz = rng.uniform((576_660, 5_188_110, 156), (576_770, 5_188_210, 169), (50_000, 3))
    return top_view(MemoryReader(xyz, rng.integers(0, 255, (50_000, 3)).astype(np.uint16)))


def test_the_figures_of_the_report_are_on_the_page(view):
    page = Page(report_page(merge_report(), view))
    for said in (
        "940,393 points from 2 sources, in EPSG:32615 (WGS 84 / UTM zone 15N)",
        "576661.975",
        "5188211.700",
        "600,000",
        "63.8%",
        "0.5 mm",
        "0.025 mm",
        "6.3 MB",
        "whole numbers of steps",
        "scan_angle_rank to scan_angle, in steps of 0.006 deg",
        "None was dropped",
        "Placement by the source's own matrix, to EPSG:4978 (WGS 84)",
        "Conversion to UTM zone 15N",
        "heights are ellipsoidal heights",
        "proj=pipeline step inv proj=cart step proj=utm zone=15",
        "pointcloud: 5311",
        "PROJ 9.5.1",
    ):
        assert said in page.text


def test_nothing_on_the_page_has_an_address_outside(view):
    text = report_page(merge_report(), view)
    page = Page(text)
    addresses = [
        value
        for _, attributes in page.elements
        for name, value in attributes.items()
        if name in {"src", "href", "action", "data", "poster"}
    ]
    assert len(addresses) == 4
    assert all(address.startswith("data:") for address in addresses)
    assert "url(" not in text.replace("url(#", "")
    assert "@import" not in text
    assert not page.all("script")
    assert "default-src 'none'" in text


def test_texts_of_files_cannot_become_markup():
    nasty = "<script>alert(1)</script>&\"'"
    report = merge_report(
        path=f"out/{nasty.replace('/', '')}.laz",
        sources=(source_report(nasty, crs=nasty, provenance={nasty: nasty}),),
        notes=(nasty,),
        assumptions=(nasty,),
        attributes_kept=(nasty,),
        attributes_dropped={nasty: nasty},
        software={nasty: nasty},
        crs=nasty,
    )
    page = Page(report_page(report, None))
    assert not page.all("script")
    assert page.text.count("alert(1)") >= 9


def test_tables_say_what_heads_what(view):
    page = Page(report_page(merge_report(), view))
    heads = page.all("th")
    assert heads
    assert all(head.get("scope") in {"col", "row"} for head in heads)
    pictures = page.all("svg")
    assert len(pictures) == 4
    assert all(picture["role"] == "img" and picture["aria-label"] for picture in pictures)


def test_doubts_stand_first_and_only_where_there_are_any(view):
    silent = Page(report_page(merge_report(), view)).text
    assert "Worth knowing" not in silent
    assert "Declared, not known" not in silent
    told = Page(
        report_page(merge_report(notes=("a doubt",), assumptions=("CGCS2000=WGS 84",)), view)
    ).text
    assert told.index("a doubt") < told.index("Views")
    assert "CGCS2000=WGS 84" in told


def test_points_that_were_not_kept_are_told():
    report = merge_report(points_kept=940_000, sources=(source_report(points_kept=599_607),))
    text = Page(report_page(report, None)).text
    assert "of 940,393" in text
    assert "of 600,000" in text


def test_an_accuracy_proj_does_not_state_is_not_made_up():
    text = Page(report_page(merge_report(accuracy_m=None), None)).text
    assert "Operation accuracy not stated by PROJ" in text
    assert "Operation accuracy 3 m" in Page(report_page(merge_report(accuracy_m=3.0), None)).text


def test_sources_with_the_same_way_are_told_once():
    many = tuple(source_report(f"scan {i}.ply", points=10) for i in range(60))
    other = source_report("odd.laz", operation={"steps": [{"name": "shift", "accuracy_m": 1.0}]})
    text = Page(report_page(merge_report(sources=(*many, other)), None)).text
    assert text.count("Conversion to UTM zone 15N") == 1
    assert "scan 0.ply, scan 1.ply" in text
    assert "and 52 more" in text
    assert "Shift" in text


def test_without_the_cloud_there_is_a_page_without_pictures(tmp_path):
    path = write_report(merge_report(path=str(tmp_path / "gone.laz")), tmp_path / "report.html")
    page = Page(path.read_text())
    assert not page.all("svg")
    assert "There are no pictures" in page.text


def test_the_cloud_is_read_from_where_the_report_says(tmp_path):
    scan = "data/brighton_beach/reference/model.laz"
    told = []
    path = write_report(merge_report(path=scan), tmp_path / "r.html", progress=told.append)
    assert len(Page(path.read_text()).all("image")) == 3
    assert told[-1].done == 940_393
    assert path.stat().st_size < 1_000_000


def test_a_cloud_that_cannot_be_read_leaves_the_old_page(tmp_path):
    page = tmp_path / "report.html"
    page.write_text("old")
    with pytest.raises(CloudError):
        write_report(merge_report(), page, cloud=tmp_path / "missing.laz")
    assert page.read_text() == "old"
    with pytest.raises(OutputError):
        write_report(merge_report(), tmp_path / "no folder" / "report.html")
    assert [p.name for p in Path(tmp_path).iterdir()] == ["report.html"]


def test_a_cloud_without_colours_is_shown_by_height():
    xyz = np.random.default_rng(0).uniform(0, 50, (20_000, 3))
    page = Page(report_page(merge_report(), top_view(MemoryReader(xyz))))
    assert len(page.all("image")) == 2
    assert "height of the highest point" in page.text


@pytest.mark.parametrize("size_m", [(0.4, 0.3), (2000.0, 30.0), (30.0, 2000.0), (90_000, 60_000)])
def test_frames_of_every_shape_have_true_coordinates(size_m):
    xyz = np.random.default_rng(0).uniform(0, 1, (20_000, 3)) * (*size_m, 1.0)
    corner = np.array([500_000.0, 5_000_000.0, 0.0])
    view = top_view(MemoryReader(xyz + corner), max_pixels=150)
    drawing = map_figure(view, "data:,", title="map")
    west, south, east, north = view.bounds
    marks = re.findall(r'<text x="([\d.]+)" y="[\d.]+" text-anchor="middle">([\d.]+)<', drawing)
    turned = re.findall(r'translate\(([\d.]+) ([\d.]+)\) rotate\(-90\)"[^>]*>([\d.]+)<', drawing)
    assert len(marks) + len(turned) >= 3
    x, y, width, height = map(
        float,
        re.search(r'sheet" x="(.*?)" y="(.*?)" width="(.*?)" height="(.*?)"', drawing).groups(),
    )
    for at, label in marks:
        place = west + (float(at) - x) / width * (east - west)
        assert float(label) == pytest.approx(place, abs=(east - west) / 500 + 1e-6)
    for _, at, label in turned:
        place = north - (float(at) - y) / height * (north - south)
        assert float(label) == pytest.approx(place, abs=(north - south) / 500 + 1e-6)


def test_the_scale_bar_is_as_long_as_it_says():
    xyz = np.random.default_rng(0).uniform(0, 100, (20_000, 3))
    view = top_view(MemoryReader(xyz, crs=CRS.from_epsg(2264)))  # in US survey feet
    drawing = map_figure(view, "data:,", title="map")
    fields = [
        float(w)
        for w in re.findall(r'class="(?:ink|paper)" x=".*?" y=".*?" width="(.*?)"', drawing)
    ]
    said = float(re.search(r">([\d.]+) m<", drawing).group(1))
    assert len(fields) == 4
    side_m = max(view.shape) * view.pixel[0] * 1200 / 3937
    assert said == pytest.approx(sum(fields) / 1000 * side_m, rel=1e-3)


def test_steps_are_round_and_cut_into_enough_parts():
    for span in (0.003, 0.7, 1.0, 106.3, 99_999.0):
        step = round_step(span, 5)
        assert span / step >= 5 - 1e-6
        assert span / step < 13
        assert float(f"{step:.0e}") == pytest.approx(step)
        values = ticks(10.0, 10.0 + span, 4)
        assert values[0] >= 10.0
        assert values[-1] <= 10.0 + span + 1e-9
    assert [decimals(step) for step in (0.001, 0.5, 1.0, 20.0)] == [3, 1, 0, 0]


def test_quantities_are_written_in_the_unit_that_suits_them():
    assert [accuracy(a) for a in (None, 0.0, 1.5)] == [
        "not stated by PROJ", "exact (a pure conversion)", "1.5 m",
    ]  # fmt: skip
    assert [millimetres(e) for e in (0.0, 3e-9, 5e-4, 0.25)] == [
        "0 mm", "under 0.001 mm", "0.5 mm", "250 mm",
    ]  # fmt: skip
    assert [length(x) for x in (0.0005, 0.148, 2.5, 12_340)] == [
        "0.5 mm", "14.8 cm", "2.5 m", "12.3 km",
    ]  # fmt: skip
    assert [area(a) for a in (0.5, 3878.4, 250_000, 4.2e7)] == [
        "0.500 m²", "3,878 m²", "25 ha", "42 km²",
    ]  # fmt: skip
    assert [size(b) for b in (12, 4_096, 6_300_000, 2.5e9)] == [
        "12 bytes", "4.1 kB", "6.3 MB", "2.5 GB",
    ]  # fmt: skip


def test_the_page_says_what_was_asked_for_and_what_was_left_out():
    sources = (
        source_report("<a>.laz", points=1_000, points_kept=600, removed={"class": 400}),
        source_report("b.laz", points=500, points_kept=0, removed={"outside": 450, "class": 50}),
    )
    report = merge_report(
        sources=sources,
        points_in=1_500,
        points_kept=600,
        removed={"outside": 450, "class": 450},
        selection={
            "bounds": {"low": [1.5, 2, None], "high": [3, 4.25, None], "polygons": 1},
            "classes": [2, 77],
            "returns": ["last", 2],
            "spacing_m": 0.05,
            "drop_duplicates": True,
        },
    )
    page = Page(report_page(report, None))
    for words in (
        "in a polygon within the box from 1.5, 2, open to 3, 4.25, open",
        "2 (ground), 77",
        "Returns: last, 2",
        "cube of 5 cm",
        "same stored coordinates",
        "In the file Outside Other class Written",
        "<a>.laz 1,000 0 400 600",
        "b.laz 500 450 50 0",
        "Together 1,500 450 450 600",
        "of 1,500",
    ):
        assert words in page.text
    assert "Selection" not in Page(report_page(merge_report(), None)).text
