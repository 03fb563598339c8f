"""Equal points are found again, and nothing else is."""

from __future__ import annotations

import laspy
import numpy as np
import pytest

from cupixgeo.cloud import keytable
from cupixgeo.errors import MergeError
from cupixgeo.pipeline.duplicates import PointSet

KEY = ("X", "Y", "Z", "gps_time", "return_number", "scanner_channel")


def records_of(n: int, point_format: int, *, reach: int, seed: int = 0) -> laspy.PackedPointRecord:
    rng = np.random.default_rng(seed)
    las = laspy.PackedPointRecord.zeros(n, laspy.PointFormat(point_format))
    names = set(las.point_format.dimension_names)
    for name in "XYZ":
        las[name] = rng.integers(-reach, reach, n)
    las["intensity"] = rng.integers(0, 65536, n)
    las["return_number"] = rng.integers(1, 4, n)
    las["number_of_returns"] = rng.integers(1, 8, n)
    if "gps_time" in names:
        las["gps_time"] = rng.integers(0, 2, n) * 0.5
    if "scanner_channel" in names:
        las["scanner_channel"] = rng.integers(0, 4, n)
    return las


@pytest.mark.parametrize("point_format", [0, 1, 3, 6, 7, 8])
@pytest.mark.parametrize("reach", [4, 2**31 - 1])
def test_points_are_equal_by_place_time_return_and_channel(point_format, reach):
    las = records_of(20_000, point_format, reach=reach)
    las.array[10_000:15_000] = las.array[5_000:10_000]
    las["intensity"][12_000:] = 7
    met = PointSet()
    every = np.ones(5_000, bool)
    got = np.concatenate([met.claim(part, every) for part in np.split(las.array, 4)])
    names = [n for n in KEY if n in set(las.point_format.dimension_names)]
    columns = np.stack([np.asarray(las[n], np.float64) for n in names])
    expected = np.zeros(20_000, bool)
    expected[np.unique(columns, axis=1, return_index=True)[1]] = True
    np.testing.assert_array_equal(got, expected)


def test_growing_forgets_no_point(monkeypatch):
    monkeypatch.setattr(keytable, "FIRST_SLOTS", 8)
    las = records_of(30_000, 7, reach=2**31 - 1)
    met = PointSet()
    every = np.ones(len(las), bool)
    assert met.claim(las.array, every).all()
    assert not met.claim(las.array, every).any()


def test_points_not_looked_at_are_not_remembered():
    las = records_of(2, 7, reach=1000)
    met = PointSet()
    assert met.claim(las.array, np.array([True, False])).tolist() == [True, False]
    assert met.claim(las.array, np.array([True, True])).tolist() == [False, True]


def test_minus_zero_is_the_time_zero():
    las = records_of(2, 7, reach=1000)
    las.array[1] = las.array[0]
    las["gps_time"] = [0.0, -0.0]
    assert PointSet().claim(las.array, np.ones(2, bool)).tolist() == [True, False]


def test_more_points_than_memory_allows_is_an_error_with_a_remedy():
    las = records_of(60_000, 7, reach=2**31 - 1)
    with pytest.raises(MergeError, match=r"49,152 points.*tile_m="):
        PointSet(limit_bytes=1 << 20).claim(las.array, np.ones(len(las), bool))
