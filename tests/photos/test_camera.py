"""Focal lengths in pixels, against sensors whose size is known."""

import pytest

from cupixgeo.photos.camera import focal_length
from cupixgeo.photos.photo import Camera


@pytest.mark.parametrize(
    ("focal_35", "size", "focal_mm", "sensor_mm"),
    [
        (20, (1600, 900), 3.61, 6.17),  # Phantom 3, 16:9 cut of a 1/2.3 inch sensor
        (20, (4000, 3000), 3.61, 6.17),  # the same camera, whole
        (24, (5472, 3648), 8.8, 13.2),  # Phantom 4 Pro, 1 inch
        (24, (5280, 3956), 12.29, 17.4),  # Mavic 3 Enterprise, 4/3 inch
        (35, (8192, 5460), 35.0, 35.9),  # Zenmuse P1, full frame
        (28, (7952, 5304), 28.0, 35.9),  # any full frame
    ],
)
def test_the_35_mm_equivalent_gives_the_focal_length_within_3_percent(
    focal_35, size, focal_mm, sensor_mm
):
    found = focal_length(Camera(focal_35_mm=focal_35), *size)
    assert found.source == "35 mm equivalent"
    assert found.px == pytest.approx(size[0] * focal_mm / sensor_mm, rel=0.03)


def test_held_upright_the_focal_length_is_the_same():
    camera = Camera(focal_35_mm=24)
    assert focal_length(camera, 3648, 5472).px == focal_length(camera, 5472, 3648).px == 3648


def test_the_calibrated_value_comes_first():
    camera = Camera(focal_35_mm=24, calibrated_px=3725.151611, full_width_px=5280)
    assert focal_length(camera, 5280, 3956).px == 3725.151611
    assert focal_length(camera, 5280, 3956).source == "calibrated"


def test_of_a_scaled_photo_the_calibrated_value_is_scaled():
    camera = Camera(calibrated_px=3700.0, full_width_px=5280)
    assert focal_length(camera, 1320, 989).px == pytest.approx(925)


@pytest.mark.parametrize("calibrated", [3.6, 0.0, 1e9, -3700.0])
def test_a_calibrated_value_that_cannot_be_pixels_is_not_used(calibrated):
    camera = Camera(calibrated_px=calibrated, focal_35_mm=24)
    assert focal_length(camera, 5472, 3648).source == "35 mm equivalent"


@pytest.mark.parametrize("camera", [Camera(), Camera(focal_mm=3.6), Camera(focal_35_mm=0)])
def test_without_a_usable_statement_there_is_none(camera):
    assert focal_length(camera, 4000, 3000) is None
