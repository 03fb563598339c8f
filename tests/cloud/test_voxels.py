"""Thinning cubes: the first point of each, exactly, whatever the blocks, the grid and the size."""

from __future__ import annotations

from fractions import Fraction
from math import floor

import numpy as np
import pytest

from cupixgeo.cloud import keytable
from cupixgeo.cloud.voxels import VoxelSet
from cupixgeo.errors import CloudError


def first_of_each(cells: np.ndarray) -> np.ndarray:
    """What numpy's sorting finds, as a mask."""
    mask = np.zeros(len(cells), bool)
    mask[np.unique(cells, axis=0, return_index=True)[1]] = True
    return mask


@pytest.mark.parametrize("edge", [0.002, 0.25, 0.3, 7.0])
@pytest.mark.parametrize("reach", [300, 40_000, 2**31 - 1])
def test_the_first_point_of_each_cube_is_found_on_stored_integers(edge, reach):
    rng = np.random.default_rng(5)
    steps = rng.integers(-reach, reach, (30_000, 3)).astype(np.int32)
    steps[1::3] = steps[::3]  # equal points, and some in one cube
    offsets = (280_600.0, 4_213_000.0, 82.0)
    cubes = VoxelSet((edge,) * 3, scales=(0.001,) * 3, offsets=offsets)
    got = np.concatenate([cubes.claim(*part.T) for part in np.array_split(steps, 7)])
    whole = [round(o * 1000) for o in offsets]
    size = round(edge * 1000)
    expected = first_of_each((steps.astype(np.int64) + whole) // size)
    np.testing.assert_array_equal(got, expected)
    assert cubes.voxels == expected.sum()


def test_the_lattice_starts_at_the_origin_of_the_crs_whatever_the_grid():
    rng = np.random.default_rng(6)
    xyz = np.round(rng.uniform(0, 3, (20_000, 3)) + [280_600, 4_213_000, 82], 3)
    masks = []
    for offset in (280_600.0, 4_213_000.0, 82.0), (-3e5, 4.3e6, 0.0):
        steps = np.rint((xyz - offset) / 0.001).astype(np.int32)
        masks.append(VoxelSet((0.3,) * 3, scales=(0.001,) * 3, offsets=offset).claim(*steps.T))
    masks.append(VoxelSet((0.3,) * 3).claim(*xyz.T))
    exact = [[floor(Fraction(str(v)) / Fraction("0.3")) for v in row] for row in xyz.tolist()]
    for mask in masks:
        np.testing.assert_array_equal(mask, first_of_each(np.array(exact)))


def test_a_point_on_a_face_belongs_to_the_cube_above_it():
    x = np.array([0.0, 0.299, 0.3, 0.6, 0.9, 1.2, 1.5, 2.1]) + 500_000
    zero = np.zeros(len(x))
    cells = np.array([0, 0, 1, 2, 3, 4, 5, 7])
    got = VoxelSet((0.3, 1.0, 1.0)).claim(x - 500_000, zero, zero)
    np.testing.assert_array_equal(got, first_of_each(cells[:, None]))


def test_points_not_wanted_take_no_cube():
    x = np.array([0.1, 0.2, 0.3])
    zero = np.zeros(3)
    got = VoxelSet((1.0,) * 3).claim(x, zero, zero, np.array([False, True, True]))
    assert got.tolist() == [False, True, False]


def test_growing_loses_no_cube(monkeypatch):
    monkeypatch.setattr(keytable, "FIRST_SLOTS", 8)
    rng = np.random.default_rng(7)
    steps = rng.integers(0, 10_000, (50_000, 3)).astype(np.int32)
    cubes = VoxelSet((1.0,) * 3, scales=(0.01,) * 3)
    np.testing.assert_array_equal(cubes.claim(*steps.T), first_of_each(steps // 100))
    assert not cubes.claim(*steps.T).any()


def test_surfaces_take_few_bytes_a_cube():
    x, y = (
        a.ravel().astype(float)
        for a in np.meshgrid(np.arange(1000), np.arange(1000), indexing="ij")
    )
    cubes = VoxelSet((1.0,) * 3)
    assert cubes.claim(x, y, np.sin(x / 50) * 5).all()
    assert cubes.size_bytes < 5 * len(x)


def test_more_cubes_than_memory_allows_is_an_error_with_a_remedy():
    cubes = VoxelSet((1.0,) * 3, limit_bytes=1 << 20)
    x = np.arange(400_000) * 7.0
    with pytest.raises(CloudError, match=r"spacing_m=.*tile_m="):
        cubes.claim(x, x, x)


@pytest.mark.parametrize("odd", [np.nan, np.inf, 1e300])
def test_points_out_of_reach_are_an_error(odd):
    x = np.array([0.0, odd])
    with pytest.raises(CloudError, match="not finite"):
        VoxelSet((1.0,) * 3).claim(x, np.zeros(2), np.zeros(2))
