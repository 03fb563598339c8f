"""Choosing a CRS: by code, by words of its name, near the photos first."""

from __future__ import annotations

import pytest
from pyproj import CRS

from cupixgeo.widgets.crs_picker import CrsPicker, entries, search

DULUTH = (-91.994, 46.843)


@pytest.fixture
def picker():
    changes = []
    made = CrsPicker("Output CRS", none="the service decides", on_change=lambda: changes.append(1))
    made.changes = changes
    return made


def type_in(picker, text):
    picker._box.value = text


def test_the_list_is_that_of_proj():
    known = {entry.code: entry for entry in entries()}
    assert len(known) > 5000
    assert known[32615].name == CRS.from_epsg(32615).name
    assert known[32615].covers(*DULUTH)
    assert not known[32632].covers(*DULUTH)


@pytest.mark.parametrize(
    ("words", "first"),
    [("32615", 32615), ("utm 15", 32615), ("EPSG:26915", 26915), ("wgs 84", 32615), ("fiji", None)],
)
def test_words_find_what_is_used_at_the_place_first(words, first):
    found = search(words, place=DULUTH)
    assert found
    if first is not None:
        assert found[0].code == first


def test_an_area_over_the_180th_meridian_is_one_area():
    fiji = next(entry for entry in entries() if entry.code == 3460)
    assert fiji.covers(178.0, -17.0)
    assert fiji.covers(-179.5, -17.0)
    assert not fiji.covers(0.0, -17.0)


def test_a_place_preselects_its_utm_zone_until_somebody_chooses(picker):
    picker.suggest(*DULUTH)
    assert (picker.value, picker.changes) == ("EPSG:32615", [1])
    picker.suggest(9.0, 48.0)
    assert picker.value == "EPSG:32632"
    picker.value = 26915
    picker.suggest(*DULUTH)
    assert picker.value == "EPSG:26915"


def test_a_suggestion_is_chosen_by_a_click(picker):
    picker.suggest(*DULUTH)
    type_in(picker, "utm zone 15n")
    assert picker.value is None
    assert "Choose one" in picker.fault
    assert picker.suggestions[0] == "EPSG:32615"
    picker._list.value = "EPSG:32615"
    assert (picker.value, picker.fault) == ("EPSG:32615", "")
    assert "UTM zone 15N" in picker.help
    second = picker.suggestions[1]
    picker._list.value = second  # the arrow key goes on to the next
    assert picker.value == second


def test_a_code_needs_no_suggestions_and_a_whole_name_is_its_code(picker):
    type_in(picker, "EPSG:4326")
    assert picker._list.layout.display == "none"
    type_in(picker, "WGS 84 / UTM zone 15N")
    assert picker.value == "EPSG:32615"


@pytest.mark.parametrize("text", ["EPSG:32615+5773", "32615+5773"])
def test_a_compound_code_is_taken(picker, text):
    type_in(picker, text)
    assert (picker.value, picker.fault) == ("EPSG:32615+5773", "")


@pytest.mark.parametrize("text", ["no such thing", "EPSG:99999", "32615+x"])
def test_what_is_no_crs_is_said_beside_the_field(picker, text):
    type_in(picker, text)
    assert picker.value is None
    assert "No CRS is called" in picker.fault


def test_nothing_leaves_it_to_whoever_decides(picker):
    type_in(picker, "32615")
    type_in(picker, "")
    assert (picker.value, picker.fault) == (None, "")
    assert "the service decides" in picker.help
