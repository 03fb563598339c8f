"""DJI's table of exposures: every way a line is written, and which photo it belongs to."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pyproj import Geod

from cupixgeo.errors import PhotoError
from cupixgeo.photos.mrk import (
    add_exposure,
    distance_m,
    exposure_of,
    find_mrk,
    read_mrk,
    sequence_of,
)
from cupixgeo.photos.photo import Photo, Position

LINE = (
    "1\t400373.488877\t[2264]\t-40,N\t0,E\t86,V\t44.42824637,Lat\t1.26196331,Lon"
    "\t359.494,Ellh\t0.028, 0.031, 0.055\t16,Q"
)


def table(path, *lines, newline="\n"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(newline.join(lines).encode())
    return read_mrk(path)


def photo(path, **position):
    return Photo(Path(path), 1, "JPEG", 4, 3, position=Position(**position))


def test_the_documented_line_is_read(tmp_path):
    exposure = table(tmp_path / "a.MRK", LINE).exposures[1]
    assert (exposure.lat_deg, exposure.lon_deg) == (44.42824637, 1.26196331)
    assert (exposure.height_m, exposure.flag) == (359.494, 16)
    # standard deviations are north, east, up
    assert (exposure.std_lat_m, exposure.std_lon_m, exposure.std_alt_m) == (0.028, 0.031, 0.055)
    # GPS week 2264 began on Sunday 2023-05-28; 400373 s later it was Thursday 15:12:53 GPS time
    assert exposure.utc_at == datetime(2023, 6, 1, 15, 12, 35, 488877, tzinfo=UTC)


@pytest.mark.parametrize(
    "other",
    [
        LINE.replace("44.42824637,Lat\t1.26196331,Lon", "1.26196331,Lon\t44.42824637,Lat"),
        LINE.replace("Lat", "La").replace("Lon", "Lo"),
        LINE.replace("-40,N", "   -40,N").replace("86,V", " 86, V ").replace("16,Q", " 16,Q  "),
        LINE.replace("Lat", "LAT"),
    ],
    ids=["lon first", "short labels", "padded", "capitals"],
)
def test_a_line_is_read_by_its_labels(tmp_path, other):
    assert table(tmp_path / "a.MRK", other).exposures == table(tmp_path / "b.mrk", LINE).exposures


@pytest.mark.parametrize(
    "damaged",
    [
        "1",
        "one" + LINE[1:],
        LINE.replace(",Lat", ""),
        LINE.replace("359.494,Ellh", ""),
        LINE.replace("[2264]", "[]"),
        LINE.replace("400373.488877", "xx"),
        LINE.replace("44.42824637", "144.4"),
        LINE.replace("44.42824637", "4.4.4"),
        LINE.replace("44.42824637", "0").replace("1.26196331", "0"),
        LINE.replace("\t", " "),
        "\x00\xff\x00",
    ],
)
def test_damaged_lines_are_named_and_the_others_read(tmp_path, damaged):
    found = table(tmp_path / "a.MRK", damaged, "", "2" + LINE[1:], newline="\r\n")
    assert list(found.exposures) == [2]
    assert found.damaged == (1,)


def test_a_table_that_cannot_be_one_is_refused(tmp_path):
    with pytest.raises(PhotoError, match="cannot be read"):
        read_mrk(tmp_path / "none.MRK")
    huge = tmp_path / "huge.MRK"
    with huge.open("wb") as file:
        file.truncate((64 << 20) + 1)
    with pytest.raises(PhotoError, match="no table of exposures"):
        read_mrk(huge)


def test_tables_are_found_whatever_their_case(tmp_path):
    for name in ("b_Timestamp.MRK", "a.mrk", "._a.mrk", "a.obs"):
        (tmp_path / name).touch()
    found = find_mrk([tmp_path, tmp_path, tmp_path / "missing"])
    assert [path.name for path in found] == ["a.mrk", "b_Timestamp.MRK"]


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("DJI_20250520101254_0007_D.JPG", 7),
        ("DJI_20250520101254_0012_MS_NIR.TIF", 12),
        ("DJI_20260803132556_0001.JPG", 1),
        ("100_0004_0031.JPG", 31),
        ("DJI_0018.JPG", 18),
        ("DJI_20250520101254_12345_V.JPG", 12345),
        ("DJI_20250520101254.JPG", None),
        ("IMG.JPG", None),
    ],
)
def test_the_number_in_a_name_counts_the_exposures(name, number):
    assert sequence_of(Path(name)) == number


def test_a_line_belongs_to_the_photo_of_its_folder_and_number(tmp_path):
    here = table(tmp_path / "one" / "x_Timestamp.MRK", LINE)
    there = table(tmp_path / "two" / "x_Timestamp.MRK", LINE)
    taken = photo(tmp_path / "one" / "DJI_20230601151235_0001_D.JPG")
    assert exposure_of(taken, [there, here]) is here.exposures[1]
    assert exposure_of(replace(taken, path=taken.path.with_name("DJI_0002.JPG")), [here]) is None
    assert exposure_of(replace(taken, path=taken.path.with_name("IMG.JPG")), [here]) is None


def test_of_two_tables_the_name_decides_then_the_time(tmp_path):
    first = table(tmp_path / "DJI_202306011512_001_A_Timestamp.MRK", LINE)
    later = LINE.replace("400373", "490000")
    second = table(tmp_path / "DJI_202306021512_002_B_Timestamp.MRK", later)
    taken = photo(tmp_path / "DJI_20230602151235_0001_D.JPG")
    assert exposure_of(taken, [first, second]) is second.exposures[1]
    plain = photo(tmp_path / "100_0001.JPG")
    assert exposure_of(plain, [first, second]) is None
    timed = replace(plain, utc_at=datetime(2023, 6, 1, 15, 12, 36, tzinfo=UTC))
    assert exposure_of(timed, [second, first]) is first.exposures[1]


def test_the_table_adds_what_the_photo_does_not_say(tmp_path):
    exposure = table(tmp_path / "a.MRK", LINE).exposures[1]
    bare = add_exposure(photo("a_0001.jpg", fault="zero"), exposure).position
    assert (bare.lat_deg, bare.lon_deg, bare.alt_m) == (44.42824637, 1.26196331, 359.494)
    assert (bare.source, bare.alt_source, bare.fault) == ("mrk", "mrk", None)
    assert (bare.rtk_flag, bare.std_alt_m) == (16, 0.055)


def test_what_the_photo_says_itself_stays(tmp_path):
    exposure = table(tmp_path / "a.MRK", LINE).exposures[1]
    own = {
        "lat_deg": 44.428247,
        "lon_deg": 1.261964,
        "alt_m": 359.5,
        "source": "xmp",
        "alt_source": "xmp",
        "rtk_flag": 50,
        "std_alt_m": 0.01,
    }
    assert add_exposure(photo("a_0001.jpg", **own), exposure).position == Position(**own)
    by_exif = {**own, "source": "exif", "alt_source": "exif", "alt_m": 310.0}
    better = add_exposure(photo("a_0001.jpg", **by_exif), exposure).position
    assert (better.alt_m, better.alt_source, better.source) == (359.494, "mrk", "exif")


def test_a_table_of_another_flight_is_not_believed(tmp_path):
    exposure = table(tmp_path / "a.MRK", LINE).exposures[1]
    lon, lat, _ = Geod(ellps="WGS84").fwd(1.26196331, 44.42824637, 60, 25.0)
    own = photo("a_0001.jpg", lat_deg=lat, lon_deg=lon, alt_m=3.0, alt_source="exif")
    assert distance_m(own.position, exposure) == pytest.approx(25.0, rel=0.005)
    result = add_exposure(own, exposure)
    assert result.position == own.position
    assert "25.0 m apart" in result.doubts[0] or "24.9 m apart" in result.doubts[0]
