"""Every stored integer is in exactly one tile, and the one its coordinate says."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cupixgeo.pipeline.grid import OutputGrid
from cupixgeo.pipeline.tiles.lattice import TileLattice, grid_around

US_FOOT = 0.304800609601219
STEPS = st.integers(-(2**40), 2**40)


@pytest.mark.parametrize(
    ("coordinate", "tile"),
    [(0.0, 0), (249.999, 0), (250.0, 1), (-0.001, -1), (-250.0, -1), (-250.001, -2)],
)
def test_a_tile_holds_its_western_edge_and_not_its_eastern(coordinate, tile):
    lattice = TileLattice(250.0, 1.0, (0.001, 0.001), (100.0, -4000.0))
    for axis, offset in enumerate(lattice.offsets):
        step = round((coordinate - offset) / 0.001)
        assert lattice.tiles_of(axis, np.array([step])) == [tile]
        assert lattice.line_below(axis, step) == tile


@given(
    steps=st.lists(STEPS, min_size=1, max_size=30),
    tile_m=st.sampled_from([250.0, 1000.0, 99.7, 33.3]),
    unit=st.sampled_from([1.0, 0.3048, US_FOOT]),
    scale=st.sampled_from([0.001, 0.01, 0.00025, 0.003]),
    offset=st.sampled_from([0.0, 4_212_000.0, -70_100.0]),
)
def test_tiles_agree_with_exact_arithmetic(steps, tile_m, unit, scale, offset):
    lattice = TileLattice(tile_m, unit, (scale, scale), (offset, offset))
    size = Fraction(str(tile_m)) / Fraction(str(unit))
    given = np.array(steps)
    if given.max() - given.min() > 2**24:
        given = given[:1]
    wanted = [
        (step * Fraction(str(scale)) + Fraction(str(offset))) // size for step in given.tolist()
    ]
    assert lattice.tiles_of(0, given).tolist() == wanted
    for step, tile in zip(given.tolist(), wanted, strict=True):
        low, stop = lattice.span((int(tile), int(tile)))
        assert low[0] <= step < stop[0]


def test_tiles_of_feet_are_as_long_as_those_of_metres():
    lattice = TileLattice(250.0, US_FOOT, (0.001, 0.001), (0.0, 0.0))
    assert lattice.coordinate(40) * US_FOOT == pytest.approx(10_000, abs=1e-9)
    edges = [lattice.first_step(0, line) for line in range(5)]
    assert set(np.diff(edges)) == {820_208, 820_209}


def test_a_grid_is_shifted_only_where_32_bits_do_not_reach():
    grid = OutputGrid((0.001, 0.001, 0.001), (500_000.0, 4_400_000.0, 100.0), (1.0, 1.0, 1.0))
    near = np.array([-(2**31), 0, 0]), np.array([2**31 - 1, 10, 10])
    assert grid_around(grid, *near).grid == grid
    far = np.array([3_000_000_123, 0, 0]), np.array([3_000_500_456, 10, 10])
    placed = grid_around(grid, *far)
    assert placed.shift[1:] == (0, 0)
    assert placed.grid.offsets[0] == 500_000.0 + placed.shift[0] / 1000
    assert placed.grid.offsets[0] % 100 == 0
    for corner in far:
        assert abs(int(corner[0]) - placed.shift[0]) < 2**31
