"""The polynomial agrees with PROJ where it is accepted, and is declined where it could not."""

from __future__ import annotations

import numpy as np
import pyproj
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cupixgeo.geodesy.interpolant import fit_interpolant, fit_polynomial

TOLERANCE = np.full(3, 1e-4)


def to(source, target):
    transformer = pyproj.Transformer.from_crs(source, target, always_xy=True)
    return lambda xyz: np.column_stack(transformer.transform(*xyz.T))


def scatter(low, high, count=20_000, seed=5):
    return low + np.random.default_rng(seed).uniform(size=(count, 3)) * (high - low)


@pytest.mark.parametrize("target", [32651, 3857, 4978, 4547])
@pytest.mark.parametrize("size_m", [1.0, 300.0, 5_000.0])
def test_agrees_with_proj_at_points_it_has_not_seen(target, size_m):
    low = np.array([500_000.0, 4_200_000.0, 20.0])
    high = low + [size_m, size_m, 100.0]
    chain = to(32650, target)
    fitted = fit_interpolant(chain, low, high, tolerance=TOLERANCE)
    assert fitted is not None
    points = scatter(low, high)
    error = np.abs(fitted.apply(points) - chain(points)).max(axis=0)
    assert (error <= TOLERANCE).all()
    assert (error <= 2 * fitted.error + 2e-9).all()


@settings(max_examples=40, deadline=None)
@given(
    lon=st.floats(115.0, 119.0),
    lat=st.floats(-75.0, 75.0),
    size=st.floats(0.01, 3_000.0),
)
def test_stated_error_bounds_the_real_one_anywhere(lon, lat, size):
    chain = to(4979, 32650)
    low = np.array([lon, lat, 0.0])
    high = low + [size / 111_000, size / 111_000, size / 10]
    fitted = fit_interpolant(chain, low, high, tolerance=TOLERANCE)
    if fitted is None:
        return
    points = scatter(low, high, count=2_000)
    assert np.abs(fitted.apply(points) - chain(points)).max() <= TOLERANCE[0]


def test_a_flat_box_is_no_trouble():
    low = np.array([500_000.0, 4_200_000.0, 20.0])
    fitted = fit_interpolant(to(32650, 32651), low, low + [50, 50, 0], tolerance=TOLERANCE)
    assert fitted is not None
    assert np.isfinite(fitted.apply(low[None])).all()


def test_a_discontinuity_is_declined():
    def wrapping(xyz):
        return np.column_stack([(xyz[:, 0] + 180) % 360 - 180, xyz[:, 1:]])

    low, high = np.array([179.9, 0.0, 0.0]), np.array([180.1, 0.1, 1.0])
    assert fit_interpolant(wrapping, low, high, tolerance=TOLERANCE) is None


def test_a_kink_is_declined():
    def kinked(xyz):
        return xyz + np.abs(xyz[:, :1] - 30.0) * 1e-4

    assert fit_interpolant(kinked, np.zeros(3), np.full(3, 100.0), tolerance=TOLERANCE) is None


def test_a_box_too_large_is_declined():
    low, high = np.array([-60.0, -70.0, 0.0]), np.array([60.0, 70.0, 100.0])
    assert fit_interpolant(to(4979, 3857), low, high, tolerance=TOLERANCE) is None


def test_a_place_the_chain_is_not_defined_in_is_declined():
    def undefined(xyz):
        return np.where(xyz > 50, np.inf, xyz)

    assert fit_interpolant(undefined, np.zeros(3), np.full(3, 100.0), tolerance=TOLERANCE) is None


def test_it_knows_its_box():
    fitted = fit_interpolant(lambda p: p * 2, np.zeros(3), np.ones(3), tolerance=TOLERANCE)
    assert fitted is not None
    assert fitted.covers(np.zeros(3), np.ones(3))
    assert not fitted.covers(np.zeros(3), np.array([1.0, 1.0, 1.001]))
    assert not fitted.covers(np.array([-0.001, 0, 0]), np.ones(3))


def test_only_the_cells_at_a_kink_are_left_to_the_chain():
    calls = []

    def kinked(xyz):
        calls.append(len(xyz))
        return xyz + np.abs(xyz[:, :1] - 30.0) * 1e-4

    fitted = fit_interpolant(kinked, np.zeros(3), np.full(3, 100.0), tolerance=TOLERANCE, trials=60)
    assert fitted is not None
    assert fitted.share > 0.5
    points = scatter(np.zeros(3), np.full(3, 100.0))
    calls.clear()
    moved = fitted.apply(points)
    assert sum(calls) < len(points) / 2
    assert np.abs(moved - kinked(points)).max() <= TOLERANCE[0]


def test_a_placement_worked_into_a_polynomial_leads_where_both_lead():
    chain = to(32650, 4547)
    site = np.array([500_000.0, 4_200_000.0, 20.0])
    polynomial = fit_polynomial(chain, site, site + [900.0, 700.0, 80.0], tolerance=TOLERANCE)
    turn = np.radians(33.0)
    placement = np.eye(4)
    placement[:2, :2] = [[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]
    placement[:3, 3] = site + [400.0, 300.0, 40.0]
    low, high = np.array([-60.0, -50.0, -9.0]), np.array([70.0, 40.0, 0.0])
    placed = polynomial.after(placement, low, high)
    points = scatter(low, high)
    found = np.empty((3, len(points)))
    placed.apply(points, found)
    there = points @ placement[:3, :3].T + placement[:3, 3]
    exact = chain(there)
    assert placed.degree == polynomial.degree == 2
    np.testing.assert_array_less(np.abs(found.T - exact).max(axis=0), 2 * placed.error + 2e-9)
    lower = placed.lowered(100 * TOLERANCE)
    lower.apply(points, found)
    assert lower.degree == 1
    np.testing.assert_array_less(np.abs(found.T - exact).max(axis=0), 2 * lower.error + 2e-9)
    assert (lower.error <= 100 * TOLERANCE / 20).all()
    assert placed.lowered(np.full(3, 1e-9)) is placed
