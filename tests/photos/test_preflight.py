"""A preflight as a whole: real photos, and a folder of everything that can be wrong with one."""

import json
import pickle
import re
import shutil
import threading
import time
from html.parser import HTMLParser

import laspy
import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageFilter
from pyproj import CRS, Transformer

from cupixgeo.errors import ArgumentError, CancelledError
from cupixgeo.photos.preflight import preflight
from cupixgeo.photos.rules import Rules
from cupixgeo.photos.table import COLUMNS
from tests.photos.pictures import (
    IMAGES,
    PLACE,
    POSE,
    REAL,
    exif,
    flight,
    packet,
    texture,
    write_photo,
)


@pytest.fixture(scope="module")
def real():
    return preflight(IMAGES)


def test_the_real_photos_are_all_good(real):
    assert real.count == len(real.table) == 18
    assert real.verdicts == {"ok": 18, "warn": 0, "reject": 0}
    assert real.reasons == {}
    assert real.bytes == sum(path.stat().st_size for path in REAL)
    assert real.paths == REAL
    assert real.ignored == {}


def test_the_real_survey_is_what_its_source_says(real):
    """46.8427 N 91.9940 W, UTM 15N, three strips, about 40 m up, 16:31 to 16:34."""
    assert real.suggested_crs == CRS.from_epsg(32615)
    assert real.centre == (pytest.approx(-91.9940, abs=1e-4), pytest.approx(46.8427, abs=1e-4))
    assert real.table["rel_alt_m"].between(39, 41).all()
    assert real.table["gimbal_pitch_deg"].between(-90, -89.8).all()
    assert set(real.table["model"]) == {"FC300S"}
    assert real.table["captured_at"].min() == pd.Timestamp("2016-06-23 16:31:59")
    assert real.overlap.strips == 3
    assert real.gsd_m == pytest.approx(40.1 * 6.17 / 3.61 / 1600, rel=0.02)


def test_the_overlaps_of_the_real_flight_are_those_of_its_track(real):
    """Steps of 13.6 m and strips 26 m apart, by pyproj; the photo is 900 and 1600 pixels."""
    x, y = Transformer.from_crs(4326, 32615, always_xy=True).transform(*real.positions[:, :2].T)
    track = np.column_stack([x, y])
    step = np.median(np.hypot(*np.diff(track[:6], axis=0).T))
    along = (track[5] - track[0]) / np.hypot(*(track[5] - track[0]))
    apart = np.median(np.abs((track[6:12] - track[0]) @ [-along[1], along[0]]))
    wide, long = 1600 * real.gsd_m, 900 * real.gsd_m
    assert real.overlap.forward == pytest.approx(1 - step / long, abs=0.02)
    assert real.overlap.side == pytest.approx(1 - apart / wide, abs=0.02)


def test_the_footprints_cover_what_was_reconstructed_from_the_photos(real):
    cloud = laspy.read(IMAGES.parent / "reference" / "model.laz")
    to_degrees = Transformer.from_crs(32615, 4326, always_xy=True)
    lon, lat = to_degrees.transform(np.asarray(cloud.x)[::50], np.asarray(cloud.y)[::50])
    west, south, east, north = real.overlap.bounds_deg
    rows, columns = real.overlap.counts.shape
    row = ((lat - south) / (north - south) * rows).astype(int)
    column = ((lon - west) / (east - west) * columns).astype(int)
    inside = (row >= 0) & (row < rows) & (column >= 0) & (column < columns)
    views = np.zeros(len(lon), int)
    views[inside] = real.overlap.counts[row[inside], column[inside]]
    assert np.mean(views > 0) > 0.999
    assert np.mean(views >= 3) > 0.8


def test_every_column_is_declared_with_dtype_and_unit(real, tmp_path):
    for table in (real.table, preflight(tmp_path).table):
        assert list(table.columns) == [column.name for column in COLUMNS]
        for column in COLUMNS:
            assert str(table[column.name].dtype) == column.dtype
            declared = table.attrs["columns"][column.name]
            assert declared["dtype"] == column.dtype
            assert declared["meaning"]
            if column.name.endswith(("_m", "_deg", "_mm", "_px")):
                unit = column.name.rpartition("_")[2]
                assert declared["unit"] == {"px": "pixel"}.get(unit, unit)


@pytest.fixture(scope="module")
def bad(tmp_path_factory):
    """Eight good photos, and one of each kind of bad one."""
    folder = tmp_path_factory.mktemp("bad")
    flight(folder)
    sharp = texture(50)
    write_photo(folder / "no_gps.jpg", tags=exif(None), seed=51)
    write_photo(folder / "zero.jpg", tags=exif((0.0, 0.0, 0.0)), seed=52)
    write_photo(folder / "no_altitude.jpg", tags=exif(PLACE[:2]), seed=53)
    write_photo(folder / "no_focal.jpg", tags=exif(focal=None, focal_35=None), seed=54)
    write_photo(folder / "zero_focal.jpg", tags=exif(focal=0, focal_35=0), seed=55)
    write_photo(folder / "small.jpg", texture(56, (160, 120)))
    write_photo(folder / "blurred.jpg", sharp.filter(ImageFilter.GaussianBlur(2)))
    white = np.asarray(texture(57), int) + np.where(np.arange(240) < 150, 200, 0)[:, None]
    write_photo(folder / "white.jpg", Image.fromarray(white.clip(0, 255).astype(np.uint8)))
    dark = Image.fromarray((np.asarray(texture(58), int) // 16).astype(np.uint8))
    write_photo(folder / "dark.jpg", dark)
    write_photo(folder / "bomb.jpg", seed=59, xmp=b'<!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>')
    shutil.copy(folder / "DJI_0003.JPG", folder / "DJI_0003_copy.JPG")
    whole = write_photo(folder / "cut.jpg", seed=60).read_bytes()
    (folder / "cut.jpg").write_bytes(whole[: len(whole) * 2 // 3])
    (folder / "letter.jpg").write_text("Dear pilot,")
    (folder / "empty.jpg").touch()
    (folder / "notes.txt").write_text("windy")
    return preflight(folder)


EXPECTED = {
    "no_gps.jpg": ("warn", "no-position"),
    "zero.jpg": ("reject", "zero-position"),
    "no_altitude.jpg": ("warn", "no-altitude"),
    "no_focal.jpg": ("warn", "no-focal-length"),
    "zero_focal.jpg": ("warn", "zero-focal-length"),
    "small.jpg": ("warn", "odd-size"),
    "blurred.jpg": ("warn", "blurred"),
    "white.jpg": ("warn", "over-exposed"),
    "dark.jpg": ("warn", "under-exposed"),
    "bomb.jpg": ("warn", "odd-metadata"),
    "DJI_0003_copy.JPG": ("reject", "duplicate"),
    "cut.jpg": ("reject", "damaged-pixels"),
    "letter.jpg": ("reject", "unreadable"),
    "empty.jpg": ("reject", "unreadable"),
}


def test_every_bad_photo_gets_its_reason_and_no_good_one_does(bad):
    found = {
        path.rpartition("/")[2]: (verdict, *reasons)
        for path, verdict, reasons in zip(
            bad.table["path"], bad.table["verdict"], bad.table["reasons"], strict=True
        )
    }
    good = {f"DJI_{i:04d}.JPG": ("ok",) for i in range(1, 9)}
    assert found == {**good, **EXPECTED}


def test_what_would_be_sent_is_all_but_the_rejected(bad):
    rejected = {name for name, (verdict, _) in EXPECTED.items() if verdict == "reject"}
    names = {path.name for path in bad.paths}
    assert not names & rejected
    assert bad.count == len(names) == len(bad.table) - len(rejected)
    assert bad.bytes == sum(path.stat().st_size for path in bad.paths)
    assert bad.verdicts == {"ok": 8, "warn": 9, "reject": 5}
    assert bad.ignored == {".txt": 1}


def test_the_summary_counts_the_reasons(bad):
    text = bad.summary()
    assert text == str(bad)
    assert "22 photos" in text
    assert "5 photos are left out: " in text
    assert "unreadable (2)" in text
    assert "1 .txt" in text
    assert repr(bad).endswith("22 photos, 8 ok, 9 warn, 5 reject>")


def test_a_remark_says_which_file_and_why(bad):
    remarks = dict(zip(bad.table["path"].str.rpartition("/")[2], bad.table["remarks"], strict=True))
    assert "letter.jpg is not a photo that can be opened" in remarks["letter.jpg"]
    assert "DJI_0003.JPG" in remarks["DJI_0003_copy.JPG"]
    assert re.fullmatch(r"\d\d% of it is white", remarks["white.jpg"])
    assert remarks["small.jpg"] == "it is 160 x 120, the others are 320 x 240"


def test_without_looking_at_pixels_only_heads_are_judged(tmp_path):
    flight(tmp_path, 6)
    write_photo(tmp_path / "blurred.jpg", texture(9).filter(ImageFilter.GaussianBlur(3)))
    quick = preflight(tmp_path, check_pixels=False)
    assert quick.verdicts == {"ok": 7, "warn": 0, "reject": 0}
    assert quick.table["sharpness"].isna().all()
    assert not any("too large" in warning for warning in quick.warnings)


def test_footprints_and_pixel_size_have_the_closed_form(tmp_path):
    """60 m up, 320 pixels wide, 20 mm: 34.6 mm of film are 320 pixels (a 4:3 picture)."""
    (path,) = flight(tmp_path, 1)
    found = preflight(path)
    focal = 320 * 20 / (np.hypot(36, 24) * 0.8)
    assert found.gsd_m == pytest.approx(60 / focal)
    quad = found.footprints[0]
    to_metres = Transformer.from_crs(4326, 32615, always_xy=True)
    x, y = to_metres.transform(*quad.T)
    across = np.hypot(x[1] - x[0], y[1] - y[0])
    assert across == pytest.approx(320 * 60 / focal, rel=1e-3)  # UTM scale
    assert quad.mean(axis=0) == pytest.approx([PLACE[1], PLACE[0]], abs=1e-7)


def test_a_given_height_replaces_that_above_take_off(tmp_path):
    paths = flight(tmp_path, 2, xmp={k: v for k, v in POSE.items() if k != "RelativeAltitude"})
    without = preflight(paths)
    assert without.gsd_m is None
    assert without.overlap is None
    assert np.isnan(without.footprints).all()
    assert any("no photo tells height above the ground" in w for w in without.warnings)
    given = preflight(paths, rules=Rules(height_m=30.0))
    assert given.gsd_m == pytest.approx(30 / (320 * 20 / (np.hypot(36, 24) * 0.8)))
    with pytest.raises(ArgumentError, match="gives no footprint"):
        Rules(height_m=0.0)


def test_photos_of_an_object_need_no_position(tmp_path):
    for i in range(6):
        write_photo(tmp_path / f"IMG_{i}.jpg", tags=exif(None, make="Apple"), seed=i, xmp=None)
    blamed = preflight(tmp_path)
    assert blamed.verdicts["warn"] == 6
    assert any("no photo has a position" in warning for warning in blamed.warnings)
    fine = preflight(tmp_path, rules=Rules(positions=False))
    assert fine.verdicts["ok"] == 6
    assert fine.warnings == ()
    assert (fine.suggested_crs, fine.centre, fine.gsd_m) == (None, None, None)
    assert "6 photos" in fine.summary()


def test_a_table_of_exposures_beside_the_photos_is_used(tmp_path):
    flight(tmp_path, 3)
    rows = [
        f"{i + 1}\t{400000 + i}.5\t[2264]\t0,N\t0,E\t0,V\t{PLACE[0] + i * 1e-4:.8f},Lat"
        f"\t{PLACE[1]:.8f},Lon\t{155.5 + i},Ellh\t0.011, 0.012, 0.03\t50,Q"
        for i in range(4)
    ]
    (tmp_path / "flight_Timestamp.MRK").write_text("\n".join([*rows, "broken"]))
    found = preflight(tmp_path)
    assert found.table["alt_m"].tolist() == [155.5, 156.5, 157.5]
    assert set(found.table["alt_source"]) == {"mrk"}
    assert found.table["rtk_flag"].tolist() == [50, 50, 50]
    assert found.table["rtk_std_lon_m"].tolist() == [0.012] * 3
    assert (found.datum.datum, found.datum.confidence) == ("ellipsoid", "high")
    assert found.table["utc_at"].dt.second.tolist() == [22, 23, 24]
    assert any("1 lines of" in warning and "line 5" in warning for warning in found.warnings)


def test_a_table_of_another_flight_is_told(tmp_path):
    flight(tmp_path / "a", 2)
    (tmp_path / "a" / "x.MRK").write_text(
        "9\t400000.5\t[2264]\t0,N\t0,E\t0,V\t1.0,Lat\t1.0,Lon\t5.0,Ellh\t1, 1, 1\t50,Q"
    )
    found = preflight(tmp_path)
    assert any("is it of another flight?" in warning for warning in found.warnings)


def test_a_thin_flight_is_warned_about(tmp_path):
    for i in range(6):
        place = (PLACE[0] + i * 6e-4, PLACE[1], PLACE[2])
        tags = exif(place, taken=f"2026:05:01 10:00:{i:02d}")
        write_photo(tmp_path / f"{i}.jpg", tags=tags, seed=i)
    found = preflight(tmp_path)
    assert found.overlap.forward < 0.3
    assert any("along the track; below 60%" in warning for warning in found.warnings)


def test_overlap_follows_the_clock_not_the_names(tmp_path):
    paths = flight(tmp_path / "a", 8)
    ordered = preflight(tmp_path / "a").overlap
    (tmp_path / "b").mkdir()
    for name, path in zip("hcfabged", paths, strict=True):
        shutil.copy(path, tmp_path / "b" / f"{name}.jpg")
    shuffled = preflight(tmp_path / "b").overlap
    assert (ordered.forward, ordered.strips) == (shuffled.forward, shuffled.strips)
    assert ordered.strips == 1


def test_names_that_occur_twice_are_told(tmp_path):
    flight(tmp_path / "100MEDIA", 2)
    write_photo(tmp_path / "101MEDIA" / "DJI_0001.JPG", seed=70)
    found = preflight(tmp_path)
    assert any("1 file names occur in more than one folder" in w for w in found.warnings)


def test_equal_files_are_found_wherever_they_are(tmp_path):
    flight(tmp_path / "a", 2)
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "link.jpg").hardlink_to(tmp_path / "a" / "DJI_0001.JPG")
    (tmp_path / "b" / "soft.jpg").symlink_to(tmp_path / "a" / "DJI_0001.JPG")
    changed = bytearray((tmp_path / "a" / "DJI_0001.JPG").read_bytes())
    changed[-3] ^= 1  # the same size, another photo
    (tmp_path / "b" / "other.jpg").write_bytes(changed)
    found = preflight(tmp_path)
    assert found.verdicts == {"ok": 3, "warn": 0, "reject": 2}
    first = str(tmp_path / "a" / "DJI_0001.JPG")
    assert found.table["duplicate_of"].dropna().tolist() == [first, first]
    kept = preflight(tmp_path, rules=Rules(keep_duplicates=True))
    assert (kept.count, kept.verdicts["warn"]) == (5, 2)


@pytest.mark.parametrize("make", ["empty folder", "other files", "glob"])
def test_no_photos_are_an_empty_preflight_that_says_so(tmp_path, make):
    if make == "other files":
        (tmp_path / "flight.mp4").touch()
    found = preflight(f"{tmp_path}/*.jpg" if make == "glob" else tmp_path)
    assert (found.count, found.bytes, found.paths) == (0, 0, [])
    assert found.footprints.shape == (0, 4, 2)
    assert found.positions.shape == (0, 3)
    assert found.overlap is None
    assert found.suggested_crs is None
    assert "no photos in" in found.warnings[0]
    assert "0 photos" in found.summary()
    assert found.footprints_geojson() == {"type": "FeatureCollection", "features": []}
    assert found._repr_html_()


def test_files_that_vanish_or_never_were_do_not_stop_the_others(tmp_path):
    paths = flight(tmp_path, 2)
    found = preflight([*paths, tmp_path / "gone.jpg"])
    assert found.verdicts == {"ok": 2, "warn": 0, "reject": 1}
    assert "cannot be read" in found.table["remarks"].iloc[-1]


def test_progress_is_told_for_every_file(tmp_path):
    flight(tmp_path, 4)
    shutil.copy(tmp_path / "DJI_0001.JPG", tmp_path / "again.jpg")
    told = []
    preflight(tmp_path, progress=told.append, workers=2)
    looked = [step for step in told if step.stage == "preflight"]
    assert [(step.done, step.total, step.unit) for step in looked] == [
        (i, 5, "files") for i in range(1, 6)
    ]
    assert looked[0].item == "again.jpg"
    assert {step.stage for step in told} == {"preflight", "compare"}


def test_it_can_be_stopped_and_leaves_no_thread_behind(tmp_path):
    flight(tmp_path, 12)

    def stop(step):
        if step.done == 3:
            raise CancelledError("stopped by the test")

    with pytest.raises(CancelledError):
        preflight(tmp_path, progress=stop, workers=2)
    assert not [t for t in threading.enumerate() if t.name.startswith("cupixgeo-photos")]


def test_the_number_of_workers_changes_nothing_but_the_time(tmp_path):
    flight(tmp_path, 6)
    one, four = preflight(tmp_path, workers=1), preflight(tmp_path, workers=4)
    pd.testing.assert_frame_equal(one.table, four.table)
    with pytest.raises(ArgumentError, match="0 workers"):
        preflight(tmp_path, workers=0)


def test_hostile_photos_take_no_time(tmp_path):
    bomb = "".join(f'<!ENTITY l{i} "{f"&l{i - 1};" * 10}">' for i in range(1, 12))
    raw = f'<!DOCTYPE x [<!ENTITY l0 "lol">{bomb}]><x>&l11;</x>'.encode()
    for i in range(20):
        write_photo(tmp_path / f"{i}.jpg", seed=i, xmp=raw)
    started = time.perf_counter()
    found = preflight(tmp_path)
    assert time.perf_counter() - started < 3
    assert found.reasons["odd-metadata"] == 20


def test_it_survives_being_pickled(real):
    again = pickle.loads(pickle.dumps(real))
    pd.testing.assert_frame_equal(again.table, real.table)
    assert again.summary() == real.summary()


def test_footprints_are_geojson(real):
    """RFC 7946: closed rings, counter-clockwise, longitude first."""
    collection = json.loads(json.dumps(real.footprints_geojson()))
    assert collection["type"] == "FeatureCollection"
    assert len(collection["features"]) == 18
    for feature, corners in zip(collection["features"], real.footprints, strict=True):
        (ring,) = feature["geometry"]["coordinates"]
        assert ring[0] == ring[-1]
        assert len(ring) == 5
        points = np.array(ring) - ring[0]
        area = np.sum(points[:-1, 0] * points[1:, 1] - points[1:, 0] * points[:-1, 1])
        assert area > 0
        assert sorted(map(tuple, ring[:-1])) == sorted(map(tuple, corners.tolist()))
        assert feature["properties"]["verdict"] == "ok"


class Page(HTMLParser):
    """Checks that elements nest, and collects them."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags = [], []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_a_notebook_shows_a_map_the_summary_and_the_bad_photos(real, bad):
    page = Page(real._repr_html_())
    assert page.tags.count("polygon") == page.tags.count("circle") == 18
    assert "details" not in page.tags
    blamed = Page(bad._repr_html_())
    assert blamed.tags.count("tr") == 1 + len(EXPECTED)


def test_names_and_metadata_cannot_write_html(tmp_path):
    tags = exif(make="<script>alert(1)</script>")
    write_photo(tmp_path / "<img src=x onerror=alert(1)>.jpg", tags=tags, xmp=packet({"A": "<b>"}))
    text = preflight(tmp_path)._repr_html_()
    assert "<script" not in text
    assert "<img" not in text
    Page(text)


def test_a_survey_across_the_date_line_is_one_place(tmp_path):
    for i, lon in enumerate([179.9999, 180.0, -179.9999, -179.9998, 179.9998, -179.9997]):
        tags = exif((-17.0, lon, 50.0), taken=f"2026:05:01 10:00:{i:02d}")
        write_photo(tmp_path / f"{i}.jpg", tags=tags, seed=i)
    found = preflight(tmp_path)
    assert found.verdicts["ok"] == 6
    assert found.suggested_crs.to_epsg() in (32701, 32760)
    assert abs(found.centre[0]) > 179.99
    assert found.overlap.area_m2 < 20_000


def test_metadata_of_a_private_kind_is_nowhere_in_the_result(tmp_path):
    xmp = {**POSE, "NTRIPHost": "caster.example.org", "DroneSerialNumber": "1ZNBH2K00C"}
    write_photo(tmp_path / "a.jpg", xmp=xmp)
    found = preflight(tmp_path)
    everything = found.table.to_csv() + found.summary() + found._repr_html_()
    assert "caster.example.org" not in everything
    assert "1ZNBH2K00C" not in everything
