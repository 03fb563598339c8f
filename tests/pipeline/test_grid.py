"""The output grid holds every coordinate to half a step, or refuses in words."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyproj import CRS

from cupixgeo.errors import GridOverflowError
from cupixgeo.pipeline.grid import OutputGrid, plan_grid

UTM = CRS.from_epsg(32650)
LON_LAT = CRS.from_epsg(4979)
FEET = CRS.from_epsg(2225)
coordinate = st.floats(-9e6, 9e6)


@given(
    corner=st.tuples(coordinate, coordinate, st.floats(-500, 9000)),
    size=st.floats(0, 5e4),
    step_m=st.sampled_from([1e-4, 2.5e-4, 1e-3, 0.01]),
)
def test_every_point_of_the_box_fits_within_half_a_step(corner, size, step_m):
    low = np.array(corner)
    grid = plan_grid(UTM, low, low + size, steps_m=[step_m, 1.0])
    assert max(grid.scales) <= step_m
    points = low + np.random.default_rng(0).uniform(size=(50, 3)) * size
    placed = grid.quantise(points, name="test")
    stored = placed.steps * np.array(grid.scales) + np.array(grid.offsets)
    half = np.array(grid.scales) / 2 * 1.001 + 1e-8
    assert (np.abs(stored - points) <= half).all()
    assert placed.error_m == pytest.approx(np.abs(stored - points).max(), abs=1e-9)
    np.testing.assert_allclose(placed.low, stored.min(axis=0), atol=1e-9)
    np.testing.assert_allclose(placed.high, stored.max(axis=0), atol=1e-9)


def test_degrees_get_a_scale_as_fine_as_the_metres_of_the_input():
    low = np.array([116.0, 46.0, 0.0])
    grid = plan_grid(LON_LAT, low, low + [0.01, 0.01, 50.0], steps_m=[1e-3])
    assert grid.scales[1] * 111_320 <= 1e-3
    assert grid.scales[2] == 1e-3


def test_feet_get_a_scale_as_fine_as_the_metres_of_the_input():
    low = np.array([6e6, 2e6, 0.0])
    grid = plan_grid(FEET, low, low + 100, steps_m=[1e-3])
    assert grid.scales[0] * 0.3048006 <= 1e-3
    assert grid.metres[0] == pytest.approx(0.3048006, rel=1e-6)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e9])
def test_a_coordinate_that_does_not_fit_names_the_input(bad):
    grid = OutputGrid((1e-3,) * 3, (0.0,) * 3, (1.0,) * 3)
    xyz = np.zeros((40_000, 3))
    xyz[33_333, 1] = bad
    with pytest.raises(GridOverflowError, match=r"cloud\.laz.* y "):
        grid.quantise(xyz, name="cloud.laz")


def test_integers_at_the_very_end_of_the_range_still_fit():
    grid = OutputGrid((1.0,) * 3, (0.0,) * 3, (1.0,) * 3)
    extremes = np.array([[2.0**31 - 1] * 3, [-(2.0**31)] * 3])
    assert (grid.quantise(extremes, name="test").steps == extremes).all()
    with pytest.raises(GridOverflowError):
        grid.quantise(extremes + 1, name="test")
