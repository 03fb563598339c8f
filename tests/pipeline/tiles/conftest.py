"""A part of the real scan, in three files of which two overlap."""

from __future__ import annotations

import laspy
import numpy as np
import pytest

from tests.formats.lasfiles import REAL


@pytest.fixture(scope="session")
def scans(tmp_path_factory):
    """Paths of three files: 12,538 points of point format 3, EPSG:32615."""
    folder = tmp_path_factory.mktemp("scans")
    scan = laspy.read(REAL)
    few = scan.points[np.arange(0, len(scan.points), 75)]
    north = np.asarray(few.y) > np.median(few.y)
    east = np.asarray(few.x) > np.median(few.x)
    paths = []
    for number, mask in enumerate((~north, north & east, north & ~east)):
        paths.append(folder / f"scan_{number}{'.las' if number == 1 else '.laz'}")
        scan.points = few[mask]
        scan.write(paths[-1])
    return paths
