"""A part of the real scan, small enough for many tests."""

import laspy
import numpy as np
import pytest

from tests.formats.lasfiles import REAL


@pytest.fixture(scope="session")
def sample(tmp_path_factory):
    """Path of every 8th point of the real scan: 117,550 points in three LAZ chunks."""
    path = tmp_path_factory.mktemp("scan") / "sample.laz"
    scan = laspy.read(REAL)
    scan.points = scan.points[np.arange(0, len(scan.points), 8)]
    scan.write(path)
    return path
