"""The nearest point is the nearest one: against every distance there is."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cupixgeo.pipeline.neighbours import LEAF, neighbours_of


def brute(points, queries):
    return np.sqrt(((queries[:, None] - points) ** 2).sum(axis=2).min(axis=1))


def scattered(kind, count, rng):
    xyz = rng.normal(size=(count, 3)) * (50, 20, 1)
    if kind == "on a plane":
        xyz[:, 2] = 7.25
    elif kind == "many at one place":
        xyz[count // 3 :] = xyz[0]
    elif kind == "on a grid":
        xyz = np.round(xyz)
    return xyz


@pytest.mark.parametrize("kind", ["anywhere", "on a plane", "many at one place", "on a grid"])
@pytest.mark.parametrize("count", [1, 2, LEAF, LEAF + 1, 4 * LEAF + 3, 3000])
def test_distances_are_those_of_comparing_with_every_point(kind, count):
    rng = np.random.default_rng(count)
    points, queries = scattered(kind, count, rng), scattered("anywhere", 400, rng)
    queries[:50] = points[rng.integers(0, count, 50)]
    found = neighbours_of(points).distances(queries)
    assert found == pytest.approx(brute(points, queries), rel=1e-14, abs=0)
    assert (found[:50] == 0).all()


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 80),
    st.integers(0, 2**32 - 1),
    st.floats(0.0, 3.0),
    st.sampled_from([1, 1e-6, 1e6]),
)
def test_a_limit_leaves_out_what_is_further_and_nothing_else(count, seed, farthest, unit):
    rng = np.random.default_rng(seed)
    points, queries = rng.normal(size=(count, 3)) * unit, rng.normal(size=(30, 3)) * unit
    exact = brute(points, queries)
    found = neighbours_of(points).distances(queries, farthest=farthest * unit)
    near = exact <= farthest * unit * (1 - 1e-12)
    far = exact > farthest * unit * (1 + 1e-12)
    assert found[near] == pytest.approx(exact[near], rel=1e-14, abs=0)
    assert np.isinf(found[far]).all()


def test_no_points_are_infinitely_far_and_no_place_has_no_distance():
    assert np.isinf(neighbours_of(np.empty((0, 3))).distances(np.zeros((2, 3)))).all()
    found = neighbours_of(np.zeros((1, 3))).distances(np.array([[np.nan, 0, 0], [3.0, 4.0, 0.0]]))
    assert np.isnan(found[0])
    assert found[1] == 5.0


def test_the_points_given_are_not_changed():
    points = np.random.default_rng(1).normal(size=(500, 3))
    before = points.copy()
    neighbours_of(points)
    assert (points == before).all()
