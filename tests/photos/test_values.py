"""Single values as cameras write them, and as they should not."""

from datetime import UTC, datetime

import pytest

from cupixgeo.photos.values import (
    degrees,
    dji_time,
    exif_time,
    gps_time,
    number,
    text,
    time_with_offset,
    whole,
)


@pytest.mark.parametrize(
    ("value", "expected"),
    [("+592.502", 592.502), ("-90.00", -90.0), (3, 3.0), ("nan", None), ("inf", None), (None, None)]
    + [("", None), ("1e999", None), ((1, 2), None), (b"\x01", None)],
)
def test_numbers_are_finite_or_none(value, expected):
    assert number(value) == expected


def test_whole_numbers_come_from_a_byte_too():
    assert (whole(b"\x02"), whole("50"), whole(16.0), whole(b"\x00\x00")) == (2, 50, 16, None)


def test_texts_lose_padding_and_what_cannot_be_printed():
    assert text("DJI\0\0 ") == "DJI"
    assert text(b"FC300S\x00") == "FC300S"
    assert text("\x1b[31mred") == "[31mred"
    assert text("   ") is None
    assert text(7) is None


@pytest.mark.parametrize(
    ("parts", "reference", "expected"),
    [
        ((46.0, 50.0, 33.3855), "N", 46.84260708333333),
        ((91.0, 59.0, 40.4156), "W", -91.99455988888889),
        ((33.0, 30.0, 0.0), b"S", -33.5),
        ((33.5,), "s", -33.5),
        ((33.0, float("nan"), 0.0), "N", None),
        ("33", "N", None),
        ((1, 2, 3, 4), "N", None),
        (None, None, None),
    ],
)
def test_degrees_minutes_and_seconds_add_up(parts, reference, expected):
    assert degrees(parts, reference) == (expected and pytest.approx(expected, abs=1e-12))


def test_times_are_read_as_they_are_written():
    assert exif_time("2016:06:23 16:31:59", None) == datetime(2016, 6, 23, 16, 31, 59)
    assert exif_time("2016:06:23 16:31:59", "25").microsecond == 250_000
    assert dji_time("2025:05:20 02:12:54.019996") == datetime(
        2025, 5, 20, 2, 12, 54, 19996, tzinfo=UTC
    )
    east = time_with_offset(datetime(2026, 5, 1, 10), "+08:00")
    assert east == datetime(2026, 5, 1, 2, tzinfo=UTC)
    west = time_with_offset(datetime(2026, 5, 1, 10), "-05:30")
    assert west == datetime(2026, 5, 1, 15, 30, tzinfo=UTC)
    assert gps_time("2016:06:23", (21.0, 31.0, 59.5)) == datetime(
        2016, 6, 23, 21, 31, 59, 500_000, tzinfo=UTC
    )


def test_times_that_make_no_sense_are_none():
    assert exif_time("0000:00:00 00:00:00", None) is None
    assert exif_time("yesterday", "5") is None
    assert dji_time(None) is None
    assert time_with_offset(datetime(1, 1, 1), "+08:00") is None
    assert time_with_offset(datetime(2026, 5, 1), "Z") is None
    assert gps_time("2016:06:23", (1e300, 0.0, 0.0)) is None
    assert gps_time("2016:13:23", (1.0, 0.0, 0.0)) is None
    assert gps_time("2016:06:23", (float("nan"), 0.0, 0.0)) is None
    assert gps_time(None, None) is None
