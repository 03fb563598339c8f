"""Sharpness and exposure, on pictures whose answer is known."""

import numpy as np
import pytest
from PIL import Image, ImageFilter

from cupixgeo.errors import PhotoError
from cupixgeo.photos import quality
from cupixgeo.photos.quality import measure_pixels, sharpness
from tests.photos.pictures import REAL, texture


def smeared(image, pixels, *, down):
    """Motion blur: the mean of the picture moved along one direction."""
    values = np.asarray(image, np.float32)
    moved = [np.roll(values, k, axis=0 if down else 1) for k in range(pixels)]
    return Image.fromarray(np.mean(moved, axis=0).astype(np.uint8))


def test_white_noise_has_the_sharpness_of_theory():
    """Second differences of white noise have six times its variance, first ones twice."""
    noise = np.random.default_rng(1).normal(0, 10, (600, 800)).astype(np.float32)
    assert sharpness(noise) == pytest.approx(3.0, rel=0.02)


def test_a_wave_has_the_sharpness_of_theory():
    """A wave of n pixels: bend over slope is (2 sin(pi/n))², whatever its height."""
    x, y = np.meshgrid(np.arange(800), np.arange(600))
    for n in (5, 10, 40):
        wave = np.cos(2 * np.pi * x / n) + np.cos(2 * np.pi * y / n)
        for height in (1, 100):
            grey = (height * wave).astype(np.float32)
            assert sharpness(grey) == pytest.approx((2 * np.sin(np.pi / n)) ** 2, rel=0.02)


def test_what_a_photo_shows_hardly_matters():
    values = [measure_pixels(path).sharpness for path in REAL]
    assert max(values) / min(values) < 1.2


@pytest.mark.parametrize("down", [False, True])
def test_a_smear_in_one_direction_is_found(tmp_path, down):
    sharp = Image.open(REAL[4]).convert("L")
    smeared(sharp, 6, down=down).save(tmp_path / "s.jpg", quality=88)
    sharp.save(tmp_path / "ok.jpg", quality=88)
    ratio = (
        measure_pixels(tmp_path / "s.jpg").sharpness / measure_pixels(tmp_path / "ok.jpg").sharpness
    )
    assert ratio < 0.65


def test_more_blur_is_less_sharp(tmp_path):
    sharp = Image.open(REAL[4]).convert("L")
    found = []
    for radius in (0, 1, 2, 4):
        sharp.filter(ImageFilter.GaussianBlur(radius)).save(tmp_path / "b.jpg", quality=88)
        found.append(measure_pixels(tmp_path / "b.jpg").sharpness)
    assert found == sorted(found, reverse=True)
    assert found[2] < 0.5 * found[0]


def test_white_and_black_are_shares(tmp_path):
    half = Image.new("L", (400, 300), 255)
    half.paste(0, (0, 0, 100, 300))
    half.save(tmp_path / "h.png")
    found = measure_pixels(tmp_path / "h.png")
    assert (found.white, found.black) == (0.75, 0.25)


def test_a_photo_without_detail_has_no_sharpness(tmp_path):
    Image.new("RGB", (640, 480), (255, 255, 255)).save(tmp_path / "w.jpg")
    found = measure_pixels(tmp_path / "w.jpg")
    assert (found.sharpness, found.white, found.black) == (None, 1.0, 0.0)
    assert sharpness(np.ones((2, 9), np.float32)) is None


def test_sixteen_bits_are_measured_but_not_called_white(tmp_path):
    values = (np.asarray(texture(3), np.uint16) * 250).astype(np.uint16)
    Image.fromarray(values).save(tmp_path / "band.tif")
    texture(3).save(tmp_path / "bytes.png")
    band, plain = measure_pixels(tmp_path / "band.tif"), measure_pixels(tmp_path / "bytes.png")
    assert band.sharpness == pytest.approx(plain.sharpness, rel=1e-4)
    assert (band.white, band.black) == (None, None)


@pytest.mark.parametrize("mode", ["RGBA", "P", "1", "LA", "CMYK"])
def test_every_kind_of_pixel_is_measured(tmp_path, mode):
    path = tmp_path / ("a.tif" if mode == "CMYK" else "a.png")
    texture(5).convert("RGB").convert(mode).save(path)
    assert measure_pixels(path).sharpness > 0.5


def test_large_photos_are_decoded_small(tmp_path, monkeypatch):
    texture(2, (3200, 2400)).save(tmp_path / "big.jpg")
    texture(2, (3200, 2400)).save(tmp_path / "big.png")
    seen = []
    real = quality.sharpness
    monkeypatch.setattr(quality, "sharpness", lambda grey: seen.append(grey.shape) or real(grey))
    measure_pixels(tmp_path / "big.jpg")
    measure_pixels(tmp_path / "big.png")
    assert seen == [(600, 800), (600, 800)]


def test_what_cannot_be_decoded_small_is_left_alone_when_it_is_huge(tmp_path, monkeypatch):
    monkeypatch.setattr(quality, "MAX_DECODE", 1_000)
    texture().save(tmp_path / "a.png")
    texture().save(tmp_path / "a.jpg")
    texture().save(tmp_path / "p.jpg", progressive=True)
    assert measure_pixels(tmp_path / "a.png") is None
    assert measure_pixels(tmp_path / "p.jpg") is None
    assert measure_pixels(tmp_path / "a.jpg") is not None


@pytest.mark.parametrize("share", [0.3, 0.9])
def test_a_photo_that_is_cut_off_is_an_error(tmp_path, share):
    content = REAL[0].read_bytes()
    (tmp_path / "cut.jpg").write_bytes(content[: int(share * len(content))])
    with pytest.raises(PhotoError, match=r"cut\.jpg is cut off or damaged"):
        measure_pixels(tmp_path / "cut.jpg")
