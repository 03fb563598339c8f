"""One polynomial for all inputs of a site, where that is as good as one for each."""

from __future__ import annotations

import laspy
import numpy as np
import pyproj
import pytest

import cupixgeo as cx
from cupixgeo.pipeline import fitting
from tests.pipeline.clouds import UTM50, box_of_points, write_las

POINTS = 6_000
FAR_M = 150_000.0


@pytest.fixture
def calls(monkeypatch):
    """Boxes of the inputs that got a fit of their own."""
    made = []

    def counted(chain, *box, **options):
        made.append(box)
        return fit(chain, *box, **options)

    fit = fitting.fit_interpolant
    monkeypatch.setattr(fitting, "fit_interpolant", counted)
    return made


def scans(folder, origins):
    """Scans in frames of their own, placed at their origins and turned."""
    sources = []
    for number, origin in enumerate(origins):
        path = write_las(
            folder / f"{number}.laz",
            box_of_points(POINTS, origin=(-50.0, -40.0, 0.0), seed=number),
        )
        turn = np.radians(20.0 * number)
        matrix = np.eye(4)
        matrix[:2, :2] = [[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]
        matrix[:3, 3] = origin
        placement = cx.Transform(matrix, source=cx.local_frame(f"scan:{number}"), target=32650)
        sources.append(cx.Source(path, transform=placement))
    return sources


def worst_step(out, sources):
    """Largest distance of a merged coordinate from that of PROJ itself [output steps]."""
    to_national = pyproj.Transformer.from_crs(32650, 4547, always_xy=True)
    exact = []
    for source in sources:
        local = laspy.read(source.path).xyz
        matrix = source.transform.matrix
        there = local @ matrix[:3, :3].T + matrix[:3, 3]
        exact.append(np.column_stack(to_national.transform(*there.T)))
    merged = laspy.read(out)
    return np.abs((np.concatenate(exact) - merged.xyz) / merged.header.scales).max()


def merge(folder, sources):
    out = folder / "out.laz"
    report = cx.merge(sources, out, crs=4547, scale=0.001, assume="CGCS2000=WGS 84")
    return out, report


def test_scans_of_one_site_share_one_fit_and_stay_within_half_a_step(tmp_path, calls):
    sources = scans(tmp_path, [np.add(UTM50, [60.0 * n, 45.0 * n, n]) for n in range(6)])
    out, report = merge(tmp_path, sources)
    assert calls == []
    assert all(source.interpolation_error_m < 1e-5 for source in report.sources)
    assert worst_step(out, sources) <= 0.5 + 1e-3


def test_scans_far_apart_are_fitted_one_by_one(tmp_path, calls):
    sources = scans(tmp_path, [UTM50, np.add(UTM50, [FAR_M, 0.0, 0.0]), UTM50])
    out, _ = merge(tmp_path, sources)
    assert len(calls) == 3
    assert worst_step(out, sources) <= 0.5 + 1e-3


def test_a_lone_scan_is_fitted_over_its_own_box(tmp_path, calls):
    sources = scans(tmp_path, [UTM50])
    out, _ = merge(tmp_path, sources)
    assert len(calls) == 1
    assert worst_step(out, sources) <= 0.5 + 1e-3
