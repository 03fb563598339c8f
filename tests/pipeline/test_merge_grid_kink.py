"""A grid has kinks at the edges of its cells: no polynomial may be laid across one."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys

import laspy
import numpy as np
import pyproj
import pytest

from tests.pipeline.clouds import UTM50, box_of_points

CELL = 0.001
"""[deg] 86 m on the ground in the west-east direction."""

EDGE_AT = (UTM50[0] + 30.0, UTM50[1] + 40.0)
"""A place on the edge, inside the cloud and in none of the lines that halve its box."""

SLOPE_M = 0.02
"""[m] a cell: on the one side of the edge the geoid falls, on the other it rises."""

POINTS = 200_000

CHAIN = {
    4978: "+step +proj=cart +ellps=WGS84",
    4979: "+step +proj=unitconvert +xy_in=rad +xy_out=deg",
}

MERGE = """
import json, sys
import cupixgeo as cx
from cupixgeo.pipeline import stream

stream.FEWEST_TO_RECODE = int(sys.argv[4])
report = cx.merge([sys.argv[1]], sys.argv[2], crs=int(sys.argv[3]))
print(json.dumps(report.to_dict()))
"""


@pytest.fixture(scope="module")
def kinked(tmp_path_factory):
    """Folder of a geoid with a kink along a meridian, and of a cloud across it."""
    folder = tmp_path_factory.mktemp("kink")
    to_degrees = pyproj.Transformer.from_crs(32650, 4326, always_xy=True)
    west, south = np.array(to_degrees.transform(*EDGE_AT)) - 10 * CELL
    columns = 30 + SLOPE_M * np.abs(np.arange(21) - 10)
    header = struct.pack(">4d2i", south, west, CELL, CELL, 21, 21)
    grid = np.tile(columns, (21, 1)).astype(">f4")
    (folder / "egm96_15.gtx").write_bytes(header + grid.tobytes())

    header = laspy.LasHeader(version="1.4", point_format=6)
    header.scales, header.offsets = np.full(3, 0.001), np.floor(UTM50)
    header.add_crs(pyproj.CRS("EPSG:32650+5773"))
    las = laspy.LasData(header)
    las.points = laspy.ScaleAwarePointRecord.zeros(POINTS, header=header)
    las.x, las.y, las.z = box_of_points(POINTS, origin=UTM50).T
    las.write(folder / "a.laz")
    return folder


@pytest.mark.parametrize(("crs", "compiled_from"), [(4978, 1), (4979, 10**9)])
def test_points_on_both_sides_of_a_kink_are_where_proj_puts_them(
    kinked, tmp_path, crs, compiled_from
):
    out = tmp_path / "out.laz"
    result = subprocess.run(
        [sys.executable, "-c", MERGE, *map(str, (kinked / "a.laz", out, crs, compiled_from))],
        env=os.environ | {"PROJ_USER_WRITABLE_DIRECTORY": str(kinked)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    report = json.loads(result.stdout)
    (source,) = report["sources"]
    assert source["method"] == ("layers" if compiled_from == 1 else "records")
    assert 0 < source["interpolation_error_m"] <= 1e-4
    (note,) = (note for note in report["notes"] if "PROJ was called" in note)
    share = float(note.split()[1].rstrip("%")) / 100
    assert 0 < share < 0.5
    assert "a.laz" in note

    exact = pyproj.Transformer.from_pipeline(
        "+proj=pipeline +step +inv +proj=utm +zone=50 +ellps=WGS84 "
        f"+step +proj=vgridshift +grids={kinked / 'egm96_15.gtx'} +multiplier=1 {CHAIN[crs]}"
    )
    merged = laspy.read(out)
    wanted = np.column_stack(exact.transform(*laspy.read(kinked / "a.laz").xyz.T))
    off = np.abs(merged.xyz - wanted) / merged.header.scales
    assert off.max() <= 0.5 + 1e-4  # steps
