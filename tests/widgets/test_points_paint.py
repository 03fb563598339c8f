"""Values become colours: what is sent stands for what is stored, and legends say so."""

import colorsys
from itertools import pairwise

import numpy as np
import pytest

from cupixgeo.widgets.points import Variable
from cupixgeo.widgets.points_paint import (
    OTHER,
    SERIES,
    choices,
    cloud_paint,
    colours,
    encode,
    height_paint,
    label_of,
    rgb_paint,
    variable_paint,
)


def variable(name, values, unit=""):
    return Variable(name, values.dtype, unit)


def sent(paint, values):
    return np.frombuffer(encode(paint, {paint.name: values}), "<u2").astype(float)


@pytest.mark.parametrize(("dtype", "shift"), [(np.uint8, 0), (np.uint16, 0), (np.uint16, 8)])
def test_colours_are_sent_as_eight_bits(dtype, shift):
    stored = np.array([0, 7, 255]).astype(dtype) << shift
    columns = {"red": stored, "green": stored[::-1], "blue": stored}
    data = np.frombuffer(encode(rgb_paint(), columns, shift=shift), np.uint8).reshape(3, 3)
    np.testing.assert_array_equal(data, [[0, 255, 0], [7, 7, 7], [255, 0, 255]])


def test_whole_numbers_of_sixteen_bits_are_sent_as_they_are():
    values = np.arange(0, 65_536, 13, dtype=np.uint16)
    np.testing.assert_array_equal(
        sent(variable_paint(variable("intensity", values), values), values), values
    )


def test_other_numbers_are_sent_within_a_hundred_thousandth_of_their_range():
    values = 3e8 + np.random.default_rng(1).normal(0, 50, 10_000)
    paint = variable_paint(variable("gps_time", values, "s"), values)
    back = paint.zero + sent(paint, values) * paint.span / 65_535
    inside = (values > paint.low) & (values < paint.high)
    assert inside.mean() > 0.98
    assert np.abs(back - values)[inside].max() <= paint.span / 65_535
    assert sent(paint, np.array([np.nan, -1e12, 1e12])).tolist() == [0, 0, 65_535]


def test_the_legend_names_round_values_within_the_colours():
    heights = np.random.default_rng(1).uniform(152.3, 187.9, 5_000)
    paint = height_paint(heights, label="Height", unit="m")
    assert paint.unit == "m"
    assert paint.channel == ""
    assert len(paint.ticks) >= 4
    for value, text in paint.ticks:
        assert paint.low <= value <= paint.high
        assert float(text.replace(",", "")) == value
    assert 152.3 < paint.low < 153
    assert 187 < paint.high < 187.9


@pytest.mark.parametrize("values", [np.full(9, 4.0), np.full(9, np.nan), np.zeros(0)])
def test_a_variable_that_does_not_vary_still_has_a_legend(values):
    paint = variable_paint(Variable("quality", np.dtype(float)), values)
    assert paint.high > paint.low
    assert paint.ticks


def test_classes_are_named_as_the_las_format_names_them():
    codes = np.array([2, 6, 2, 64, 9], np.uint8)
    paint = variable_paint(variable("classification", codes), codes)
    assert paint.kind == "classes"
    words = {line.label for line in paint.classes}
    assert {"2 ground", "6 building", "9 water", "64 user class"} <= words
    indices = sent(paint, np.array([6, 64, 200], np.uint8))
    named = {line.index: line.label for line in paint.classes}
    assert [named.get(int(i)) for i in indices] == ["6 building", "64 user class", None]
    assert indices[2] == OTHER


def test_few_whole_numbers_are_classes_many_are_numbers():
    few = np.arange(100, dtype=np.int32) % 7 - 3
    many = np.arange(100, dtype=np.int32)
    assert variable_paint(variable("strip", few), few).kind == "classes"
    assert variable_paint(variable("strip", many), many).kind == "number"
    assert variable_paint(variable("intensity", few.astype(np.uint16)), few).kind == "number"


def test_numbers_on_both_sides_of_zero_have_zero_in_the_middle():
    values = np.linspace(-0.4, 0.1, 999)
    paint = variable_paint(variable("distance", values, "m"), values)
    assert paint.low == -paint.high == pytest.approx(-0.4, abs=0.01)
    middle = colours(paint, {"z": values, "distance": np.zeros(999)}, cloud=0)[0]
    assert np.ptp(middle.astype(int)) == 0
    blue, red = colours(paint, {"z": values[:2], "distance": np.array([-1.0, 1.0])}, cloud=0)
    assert blue[2] > blue[0] + 80
    assert red[0] > red[2] + 80


def test_neighbouring_colours_of_the_series_can_be_told_apart():
    hues = [colorsys.rgb_to_hls(*(int(c[i : i + 2], 16) / 255 for i in (1, 3, 5))) for c in SERIES]
    for one, two in pairwise(hues):
        apart = abs(one[0] - two[0])
        assert min(apart, 1 - apart) > 0.04 or abs(one[1] - two[1]) > 0.12


def test_what_is_asked_for_most_stands_first():
    names = ["gps_time", "red", "green", "blue", "classification", "intensity"]
    variables = {name: Variable(name, np.dtype(float)) for name in names}
    listed = choices(variables, coloured=True)
    assert listed == ["rgb", "height", "intensity", "classification", "cloud", "gps_time"]
    assert choices({}, coloured=False) == ["height", "cloud"]
    assert label_of("gps_time") == "Gps time"


def test_the_still_picture_has_the_colours_of_the_screen():
    z = np.array([0.0, 5.0, 10.0])
    ramp = height_paint(np.linspace(0, 10, 1001), label="Height", unit="m")
    shown = colours(ramp, {"z": z}, cloud=0)
    low, high = ([int(c[i : i + 2], 16) for i in (1, 3, 5)] for c in (ramp.ramp[0], ramp.ramp[-1]))
    np.testing.assert_array_equal(shown[[0, 2]], [low, high])
    two = cloud_paint(["a", "b"])
    assert tuple(colours(two, {"z": z}, cloud=1)[0]) == (0xEE, 0x88, 0x66)
    codes = np.array([6, 6, 77], np.uint8)
    paint = variable_paint(variable("classification", codes[:2]), codes[:2])
    drawn = colours(paint, {"z": z, "classification": codes}, cloud=0)
    assert tuple(drawn[0]) == (0xE0, 0x60, 0x3F)
    missing = colours(paint, {"z": z}, cloud=0)
    np.testing.assert_array_equal(missing[0], drawn[2])
