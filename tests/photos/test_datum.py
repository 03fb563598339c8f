"""What altitudes are measured from: a guess only where the photos support one."""

from pathlib import Path

import pytest

from cupixgeo.photos.datum import guess_datum
from cupixgeo.photos.exif import read_photo
from cupixgeo.photos.photo import Photo, Position
from tests.photos.pictures import REAL


def photos(*positions):
    return [
        Photo(Path(f"{i}.jpg"), 1, "JPEG", 4, 3, position=Position(**position))
        for i, position in enumerate(positions)
    ]


def xmp(**more):
    return {"alt_m": 198.0, "rel_alt_m": 40.0, "alt_source": "xmp", "alt_ref": 0, **more}


def test_the_real_photos_do_not_tell_and_it_is_said_how_to_find_out():
    guess = guess_datum([read_photo(path) for path in REAL])
    assert (guess.datum, guess.confidence) == ("unknown", "none")
    words = str(guess)
    assert "no photo has an RTK flag" in words
    assert "'sea level', which is only its default" in words
    assert "take-off point is at 158.5 m" in words


@pytest.mark.parametrize("flag", [32, 34, 50, 52])
def test_an_rtk_solution_is_ellipsoidal(flag):
    guess = guess_datum(photos(*[xmp(rtk_flag=flag, altitude_type="RtkAlt", gps_status="RTK")] * 3))
    assert (guess.datum, guess.confidence) == ("ellipsoid", "high")
    assert "AltitudeType is RtkAlt" in str(guess)


def test_a_table_of_exposures_and_exif_3_are_ellipsoidal_too():
    assert guess_datum(photos({"alt_m": 9.0, "alt_source": "mrk"})).confidence == "high"
    stated = guess_datum(photos({"alt_m": 9.0, "alt_source": "exif", "alt_ref": 2}))
    assert (stated.datum, stated.confidence) == ("ellipsoid", "high")
    assert "EXIF states an ellipsoidal height" in str(stated)


def test_an_rtk_word_without_a_flag_is_less_sure():
    guess = guess_datum(photos(xmp(altitude_type="RtkAlt"), xmp(gps_status="RTK")))
    assert (guess.datum, guess.confidence) == ("ellipsoid", "medium")


@pytest.mark.parametrize("flag", [0, 16])
def test_rtk_without_a_solution_tells_nothing(flag):
    guess = guess_datum(photos(xmp(rtk_flag=flag, altitude_type="RtkAlt")))
    assert (guess.datum, guess.confidence) == ("unknown", "none")
    assert "RTK had no solution in 1 of 1" in str(guess)


def test_photos_that_differ_are_mixed():
    guess = guess_datum(photos(xmp(rtk_flag=50), xmp(rtk_flag=50), xmp(rtk_flag=0)))
    assert (guess.datum, guess.confidence) == ("mixed", "low")
    assert "fixed in 2 of 3" in str(guess)
    assert "tens of metres off" in str(guess)


def test_an_altitude_that_repeats_the_height_above_take_off_is_one():
    guess = guess_datum(photos(xmp(alt_m=40.1), xmp(alt_m=39.8)))
    assert (guess.datum, guess.confidence) == ("take-off", "medium")
    on_the_beach = guess_datum(photos(xmp(alt_m=40.1, rtk_flag=50)))
    assert (on_the_beach.datum, on_the_beach.confidence) == ("ellipsoid", "high")


def test_without_altitudes_there_is_nothing_to_guess():
    for none in ([], photos({}, {"lat_deg": 3.0})):
        assert guess_datum(none).evidence == ("no photo tells an altitude",)
