"""The job done with a plain laspy + pyproj script that appends file by file: JOB OUT CRS."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import laspy
import numpy as np
import pyproj

job_path, out, crs = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
job = json.loads(job_path.read_text())
to_crs = pyproj.Transformer.from_crs(job["crs"], crs, always_xy=True)
writer = None
for cloud in job["clouds"]:
    las = laspy.read(job_path.parent / cloud["file"])
    matrix = np.array(cloud["matrix"]).reshape(4, 4)
    placed = las.xyz @ matrix[:3, :3].T + matrix[:3, 3]
    x, y, z = to_crs.transform(*placed.T)
    if writer is None:
        header = laspy.LasHeader(version="1.4", point_format=las.header.point_format.id)
        header.scales = np.full(3, 0.001)
        header.offsets = np.floor([x.min(), y.min(), z.min()])
        header.add_crs(pyproj.CRS(crs))
        writer = laspy.open(out, mode="w", header=header)
    record = laspy.ScaleAwarePointRecord(
        las.points.array, writer.header.point_format, writer.header.scales, writer.header.offsets
    )
    record.x, record.y, record.z = x, y, z
    writer.write_points(record)
if writer is not None:
    writer.close()
