import pytest
from PIL import ExifTags, Image

from cupixgeo.emulator.photos import read_photos
from cupixgeo.emulator.world import data_folder


@pytest.fixture(scope="module")
def photos():
    return read_photos(data_folder() / "images")


def test_all_photos_are_read_in_order(photos):
    assert [p.path.name for p in photos] == [f"DJI_{n:04d}.JPG" for n in range(18, 36)]


def test_positions_and_directions_are_those_of_the_first_file(photos):
    first = photos[0]
    # 46°50'33.3855" N, 91°59'40.4156" W, gimbal yaw +45.00, pitch −89.90 (ExifTool's reading)
    assert first.lat_deg == pytest.approx(46.8426070833, abs=1e-9)
    assert first.lon_deg == pytest.approx(-91.9945598889, abs=1e-9)
    assert first.alt_m == pytest.approx(198.309, abs=1e-4)
    assert (first.yaw_deg, first.pitch_deg, first.roll_deg) == (45.0, -89.9, 0.0)
    assert first.taken_at == 1466699519  # 2016-06-23 16:31:59 UTC


def test_every_photo_agrees_with_pillow_s_own_exif(photos):
    for photo in photos:
        with Image.open(photo.path) as image:
            gps = image.getexif().get_ifd(ExifTags.IFD.GPSInfo)
        degrees, minutes, seconds = map(float, gps[ExifTags.GPS.GPSLatitude])
        assert photo.lat_deg == pytest.approx(degrees + minutes / 60 + seconds / 3600)
        assert gps[ExifTags.GPS.GPSLongitudeRef] == "W"
        assert photo.lon_deg < 0
        assert photo.alt_m == float(gps[ExifTags.GPS.GPSAltitude])


def test_the_photos_follow_one_another_in_time(photos):
    times = [photo.taken_at for photo in photos]
    assert times == sorted(times)
    assert times[-1] - times[0] < 600
