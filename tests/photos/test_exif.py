"""What a photo says about itself, against the bytes of the real photos and ExifTool's reading."""

import os
import re
import struct
import threading
from datetime import UTC, datetime

import numpy as np
import pytest
from PIL import Image
from PIL.ExifTags import IFD

from cupixgeo.errors import PhotoError
from cupixgeo.photos.exif import read_photo
from cupixgeo.photos.photo import Attitude
from tests.photos.pictures import POSE, REAL, exif, packet, texture, write_photo


def gps_by_hand(content):
    """Read the GPS directory of a JPEG byte by byte, without any library."""
    start = content.index(b"Exif\0\0") + 6
    order = {b"II": "<", b"MM": ">"}[content[start : start + 2]]

    def directory(offset):
        (count,) = struct.unpack_from(order + "H", content, start + offset)
        for i in range(count):
            yield struct.unpack_from(order + "HHI4s", content, start + offset + 2 + 12 * i)

    def rational(offset, number):
        values = struct.unpack_from(f"{order}{2 * number}I", content, start + offset)
        return [a / b for a, b in zip(values[::2], values[1::2], strict=True)]

    (first,) = struct.unpack_from(order + "I", content, start + 4)
    (gps,) = (struct.unpack(order + "I", v)[0] for tag, _, _, v in directory(first) if tag == 34853)
    found = {}
    for tag, _, count, value in directory(gps):
        (offset,) = struct.unpack(order + "I", value)
        found[tag] = rational(offset, count) if tag in (2, 4, 6) else value
    lat, lon = (v[0] + v[1] / 60 + v[2] / 3600 for v in (found[2], found[4]))
    return (
        -lat if found[1][:1] == b"S" else lat,
        -lon if found[3][:1] == b"W" else lon,
        found[6][0],
    )


@pytest.mark.parametrize("path", REAL, ids=lambda path: path.name)
def test_the_real_photos_are_read_as_their_bytes_say(path):
    content = path.read_bytes()
    photo = read_photo(path)
    lat, lon, alt = gps_by_hand(content)
    assert photo.position.lat_deg == pytest.approx(lat, abs=1e-12)
    assert photo.position.lon_deg == pytest.approx(lon, abs=1e-12)
    xmp = dict(re.findall(rb"<drone-dji:(\w+)>([-+0-9.]+)<", content))
    assert photo.position.alt_m == float(xmp[b"AbsoluteAltitude"])
    assert photo.position.alt_m == pytest.approx(alt, abs=0.006)
    assert photo.position.rel_alt_m == float(xmp[b"RelativeAltitude"])
    angles = [float(xmp[f"Gimbal{name}Degree".encode()]) for name in ("Yaw", "Pitch", "Roll")]
    assert photo.attitude == Attitude(*angles)
    assert photo.bytes == len(content)
    assert (photo.width, photo.height, photo.format) == (1600, 900, "JPEG")
    assert photo.doubts == ()


def test_the_first_real_photo_is_what_exiftool_says():
    photo = read_photo(REAL[0])
    assert photo.position.lat_deg == pytest.approx(46.8426070833, abs=1e-9)
    assert photo.position.lon_deg == pytest.approx(-91.9945598889, abs=1e-9)
    assert (photo.position.alt_m, photo.position.rel_alt_m) == (198.31, 39.8)
    assert photo.attitude == Attitude(45.0, -89.9, 0.0)
    assert (photo.camera.make, photo.camera.model) == ("DJI", "FC300S")
    assert (photo.camera.focal_mm, photo.camera.focal_35_mm) == (3.6, 20.0)
    assert photo.captured_at == datetime(2016, 6, 23, 16, 31, 59)
    assert photo.utc_at is None
    assert (photo.position.source, photo.position.alt_source) == ("exif", "xmp")


def test_only_the_head_is_read(tmp_path):
    """A photo whose pixels are missing says the same as the whole one."""
    content = REAL[0].read_bytes()
    cut = tmp_path / "cut.jpg"
    cut.write_bytes(content[: content.index(b"\xff\xda") + 200])
    whole, part = read_photo(REAL[0]), read_photo(cut)
    assert (part.position, part.attitude, part.camera) == (
        whole.position,
        whole.attitude,
        whole.camera,
    )


@pytest.mark.parametrize(
    ("lat_name", "lon_name"),
    [
        ("GpsLatitude", "GpsLongitude"),
        ("GpsLatitude", "GpsLongtitude"),
        ("Latitude", "Longitude"),
    ],
)
def test_xmp_positions_come_before_exif_under_all_their_names(tmp_path, lat_name, lon_name):
    xmp = {**POSE, lat_name: "-33.12345678", lon_name: "+151.5", "AbsoluteAltitude": "-7.5"}
    position = read_photo(write_photo(tmp_path / "a.jpg", xmp=xmp)).position
    assert (position.lat_deg, position.lon_deg, position.alt_m) == (-33.12345678, 151.5, -7.5)
    assert (position.source, position.alt_source) == ("xmp", "xmp")


def test_a_position_is_never_mixed_from_two_sources(tmp_path):
    half = write_photo(tmp_path / "half.jpg", xmp={**POSE, "GpsLatitude": "10.0"})
    assert read_photo(half).position.lat_deg == pytest.approx(46.8427)
    zero = write_photo(tmp_path / "z.jpg", xmp={"GpsLatitude": "0.0", "GpsLongitude": "0.0"})
    assert read_photo(zero).position.source == "exif"
    assert read_photo(zero).position.fault is None


@pytest.mark.parametrize(
    ("place", "fault"), [((0.0, 0.0, 5.0), "zero"), ((95.0, 10.0), "off-earth"), (None, None)]
)
def test_positions_that_are_none_are_not_used(tmp_path, place, fault):
    position = read_photo(write_photo(tmp_path / "a.jpg", tags=exif(place), xmp=None)).position
    assert (position.lat_deg, position.lon_deg, position.source) == (None, None, None)
    assert position.fault == fault


@pytest.mark.parametrize("place", [(51.4779, 0.0, 46.0), (0.0, 9.45, 12.0)])
def test_the_equator_and_greenwich_are_places(tmp_path, place):
    position = read_photo(write_photo(tmp_path / "a.jpg", tags=exif(place), xmp=None)).position
    assert (position.lat_deg, position.lon_deg) == pytest.approx(place[:2])


def test_altitudes_below_the_reference_are_negative(tmp_path):
    below = write_photo(tmp_path / "a.jpg", tags=exif((52.0, 5.0, -4.5)), xmp=None)
    assert read_photo(below).position.alt_m == -4.5
    ellipsoid = exif((52.0, 5.0, 40.0), gps={5: b"\x03"})
    position = read_photo(write_photo(tmp_path / "b.jpg", tags=ellipsoid, xmp=None)).position
    assert position.alt_m == -40.0
    assert position.states_ellipsoid


def test_rtk_fields_and_camera_fields_are_read(tmp_path):
    xmp = {
        **POSE,
        "RtkFlag": "50",
        "RtkStdLon": "0.00266",
        "RtkStdLat": "0.00269",
        "RtkStdHgt": "0.00722",
        "AltitudeType": "RtkAlt",
        "GpsStatus": "RTK",
        "CalibratedFocalLength": "3725.151611",
        "CalibratedOpticalCenterX": "2640.000000",
        "ImageSource": "WideCamera",
        "UTCAtExposure": "2025:05:20 02:12:54.019996",
    }
    photo = read_photo(write_photo(tmp_path / "a.jpg", xmp=xmp))
    position = photo.position
    assert (position.rtk_flag, position.altitude_type, position.gps_status) == (50, "RtkAlt", "RTK")
    assert (position.std_lat_m, position.std_lon_m, position.std_alt_m) == (
        0.00269,
        0.00266,
        0.00722,
    )
    assert (photo.camera.calibrated_px, photo.camera.full_width_px) == (3725.151611, 5280.0)
    assert photo.camera.name == "DJI TEST1 WideCamera"
    assert photo.utc_at == datetime(2025, 5, 20, 2, 12, 54, 19996, tzinfo=UTC)


def test_times_with_a_zone_are_turned_into_utc(tmp_path):
    offset = exif(shot={0x9011: "+08:00", 0x9291: "500"})
    photo = read_photo(write_photo(tmp_path / "a.jpg", tags=offset))
    assert photo.captured_at == datetime(2026, 5, 1, 10, 0, 0, 500_000)
    assert photo.utc_at == datetime(2026, 5, 1, 2, 0, 0, 500_000, tzinfo=UTC)
    by_gps = exif(gps={29: "2026:05:01", 7: (3.0, 4.0, 5.0)})
    photo = read_photo(write_photo(tmp_path / "b.jpg", tags=by_gps))
    assert photo.utc_at == datetime(2026, 5, 1, 3, 4, 5, tzinfo=UTC)


def test_bands_are_tiff_with_the_same_metadata(tmp_path):
    path = tmp_path / "DJI_20250520101254_0001_MS_NIR.TIF"
    tags = exif()
    tags[700] = packet({**POSE, "BandName": "NIR"})
    tags[IFD.GPSInfo] = dict(tags.get_ifd(IFD.GPSInfo))  # Pillow's TIFF writer wants it so
    Image.fromarray(np.arange(12_000, dtype=np.uint16).reshape(100, 120)).save(path, exif=tags)
    photo = read_photo(path)
    assert (photo.format, photo.width, photo.height) == ("TIFF", 120, 100)
    assert photo.camera.lens == "NIR"
    assert photo.position.lat_deg == pytest.approx(46.8427)
    assert photo.attitude == Attitude(10.0, -90.0, 0.0)


def test_a_photo_without_metadata_is_still_a_photo(tmp_path):
    texture().save(tmp_path / "plain.png")
    photo = read_photo(tmp_path / "plain.png")
    assert (photo.width, photo.format, photo.camera.name) == (320, "PNG", "")
    assert photo.captured_at is None


def test_a_hostile_packet_costs_the_photo_its_xmp_only(tmp_path):
    bomb = b'<!DOCTYPE x [<!ENTITY a "lol">]><x>&a;</x>'
    photo = read_photo(write_photo(tmp_path / "a.jpg", xmp=bomb))
    assert photo.attitude is None
    assert photo.position.lat_deg == pytest.approx(46.8427)
    assert "document type or entities" in photo.doubts[0]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"not a photo, a letter", "no known image format"),
        (b"\xff\xd8\xff", "not a photo"),
    ],
)
def test_what_is_no_photo_is_named(tmp_path, content, words):
    path = tmp_path / "letter.jpg"
    path.write_bytes(content)
    with pytest.raises(PhotoError, match=words) as caught:
        read_photo(path)
    assert "letter.jpg" in str(caught.value)


def test_missing_files_folders_and_pipes_are_refused_without_waiting(tmp_path):
    with pytest.raises(PhotoError, match="cannot be read"):
        read_photo(tmp_path / "none.jpg")
    (tmp_path / "folder.jpg").mkdir()
    os.mkfifo(tmp_path / "pipe.jpg")
    for name in ("folder.jpg", "pipe.jpg"):
        with pytest.raises(PhotoError, match="not a regular file"):
            read_photo(tmp_path / name)


def test_a_photo_larger_than_pillow_allows_is_refused(tmp_path, monkeypatch):
    path = write_photo(tmp_path / "a.jpg")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1_000)
    with pytest.raises(PhotoError, match="decompression bomb"):
        read_photo(path)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 70_000)  # warns only, which is silenced
    assert read_photo(path).width == 320


def test_damaged_heads_give_a_photo_or_our_error(tmp_path):
    """Bytes are changed at random in the head of a real photo; nothing else may come out."""
    rng = np.random.default_rng(7)
    head = np.frombuffer(REAL[0].read_bytes()[:8_000], np.uint8)
    threads = threading.active_count()
    opened = 0
    for _ in range(400):
        damaged = head.copy()
        places = rng.integers(0, 5_600, rng.integers(1, 40))
        damaged[places] = rng.integers(0, 256, len(places))
        path = tmp_path / "damaged.jpg"
        path.write_bytes(damaged.tobytes()[: rng.integers(3_000, 8_000)])
        try:
            photo = read_photo(path)
        except PhotoError:
            continue
        opened += 1
        for value in (photo.position.lat_deg, photo.position.alt_m, photo.camera.focal_mm):
            assert value is None or np.isfinite(value)
    assert opened > 100
    assert threading.active_count() <= threads
