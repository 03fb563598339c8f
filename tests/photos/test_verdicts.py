"""Each reason is found where it is, and nowhere else."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from cupixgeo.photos.photo import Camera, Photo, Position
from cupixgeo.photos.quality import PixelQuality
from cupixgeo.photos.rules import Rules
from cupixgeo.photos.verdicts import REASONS, Examined, judge, verdict_of

GOOD = Photo(
    Path("good.jpg"),
    1000,
    "JPEG",
    1600,
    900,
    camera=Camera("DJI", "FC300S", focal_mm=3.6, focal_35_mm=20.0),
    position=Position(lon_deg=-91.99, lat_deg=46.84, alt_m=198.0, source="exif", alt_source="exif"),
)
SHARP = PixelQuality(2.3, 0.0, 0.0)


def examined(*photos, pixels=SHARP):
    return [Examined(photo.path, photo, pixels) for photo in photos]


def reasons(odd, *, rules=None, others=9):
    """Reasons for one photo among good ones, which must stay without any."""
    entries = [*examined(*[GOOD] * others), odd]
    *rest, found = judge(entries, rules or Rules())
    assert all(findings == () for findings in rest)
    for finding in found:
        assert finding.reason in REASONS
    return {finding.reason: finding.verdict for finding in found}


def at(**position):
    return Examined(GOOD.path, replace(GOOD, position=replace(GOOD.position, **position)), SHARP)


def test_the_docs_list_every_reason_with_its_verdict():
    page = (Path(__file__).parents[2] / "docs" / "photos.md").read_text()
    assert dict(re.findall(r"^\| `([a-z-]+)` \| (\w+) \|", page, re.MULTILINE)) == dict(REASONS)


def test_a_good_photo_is_ok():
    assert reasons(examined(GOOD)[0]) == {}
    assert verdict_of(()) == "ok"


def test_what_cannot_be_used_is_rejected():
    assert reasons(Examined(Path("a.jpg"), error="is empty")) == {"unreadable": "reject"}
    cut = Examined(GOOD.path, GOOD, error="cut off")
    assert reasons(cut) == {"damaged-pixels": "reject"}
    again = replace(examined(GOOD)[0], duplicate_of=Path("good.jpg"))
    assert reasons(again) == {"duplicate": "reject"}
    assert reasons(again, rules=Rules(keep_duplicates=True)) == {"duplicate": "warn"}


def test_a_wrong_position_is_worse_than_none():
    none = {"lon_deg": None, "lat_deg": None}
    assert reasons(at(**none, fault="zero")) == {"zero-position": "reject"}
    assert reasons(at(**none, fault="off-earth")) == {"off-earth": "reject"}
    assert reasons(at(**none)) == {"no-position": "warn"}


def test_photos_that_need_no_position_are_not_blamed_for_it():
    rules = Rules(positions=False)
    assert reasons(at(lon_deg=None, lat_deg=None, alt_m=None), rules=rules) == {}
    zero = at(lon_deg=None, lat_deg=None, fault="zero")
    assert reasons(zero, rules=rules) == {"zero-position": "warn"}


def test_a_photo_of_another_place_is_found_but_not_a_long_survey():
    assert reasons(at(lat_deg=46.94)) == {"far-away": "warn"}
    assert reasons(at(lat_deg=46.845)) == {}
    corridor = examined(
        *[replace(GOOD, position=replace(GOOD.position, lat_deg=46 + i / 50)) for i in range(20)]
    )
    assert all(findings == () for findings in judge(corridor, Rules()))


def test_missing_altitude_focal_length_and_fix_are_told():
    assert reasons(at(alt_m=None)) == {"no-altitude": "warn"}
    no_focal = replace(GOOD, camera=Camera("DJI", "FC300S"))
    assert reasons(*examined(no_focal)) == {"no-focal-length": "warn"}
    zero = replace(GOOD, camera=Camera("DJI", "FC300S", focal_mm=0.0, focal_35_mm=0.0))
    assert reasons(*examined(zero)) == {"zero-focal-length": "warn"}
    fixed = replace(GOOD, position=replace(GOOD.position, rtk_flag=50))
    *rest, lost = judge(examined(fixed, fixed, GOOD), Rules())
    assert rest == [(), ()]
    assert [finding.reason for finding in lost] == ["no-rtk-fix"]


def test_the_odd_size_and_the_odd_camera_are_found():
    assert reasons(*examined(replace(GOOD, width=800, height=450))) == {"odd-size": "warn"}
    assert reasons(*examined(replace(GOOD, width=900, height=1600))) == {}
    phone = replace(GOOD, camera=replace(GOOD.camera, make="Apple", model="iPhone"), width=4032)
    assert reasons(*examined(phone)) == {"odd-camera": "warn"}


def test_two_cameras_of_one_survey_are_not_odd():
    zoom = replace(GOOD, camera=replace(GOOD.camera, lens="ZoomCamera"), width=5184, height=3888)
    pair = examined(*[GOOD, zoom] * 10)
    assert all(findings == () for findings in judge(pair, Rules()))


def test_without_a_majority_no_size_is_odd():
    photos = [replace(GOOD, width=width) for width in (1000, 1001, 1002, 1003)]
    assert all(findings == () for findings in judge(examined(*photos), Rules()))


@pytest.mark.parametrize(
    ("pixels", "reason"),
    [
        (PixelQuality(1.4, 0.0, 0.0), "blurred"),
        (PixelQuality(None, 0.0, 0.0), "blurred"),
        (PixelQuality(2.3, 0.3, 0.0), "over-exposed"),
        (PixelQuality(2.3, 0.0, 0.6), "under-exposed"),
    ],
)
def test_bad_pixels_are_told(pixels, reason):
    assert reasons(*examined(GOOD, pixels=pixels)) == {reason: "warn"}


def test_of_few_photos_only_the_certainly_blurred_are_told():
    def alone(sharpness):
        return judge(examined(GOOD, pixels=PixelQuality(sharpness, 0.0, 0.0)), Rules())

    assert alone(0.9) == [()]
    assert [finding.reason for finding in alone(0.2)[0]] == ["blurred"]


def test_doubts_of_the_photo_are_handed_on():
    found = reasons(*examined(replace(GOOD, doubts=("its XMP is odd",))))
    assert found == {"odd-metadata": "warn"}
