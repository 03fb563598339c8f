"""The job done with a plain laspy + pyproj script that appends file by file: JOB OUT."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import laspy
import numpy as np
import pyproj

job_path, out = Path(sys.argv[1]), sys.argv[2]
job = json.loads(job_path.read_text())
moves = job["target"] != job["crs"]
to_crs = pyproj.Transformer.from_crs(job["crs"], job["target"], always_xy=True)
edge = job["options"].get("spacing_m")
taken: np.ndarray = np.empty(0, "V12")
writer = None
for cloud in job["clouds"]:
    las = laspy.read(job_path.parent / cloud["file"])
    x, y, z = las.xyz.T
    if cloud["matrix"] is not None:
        matrix = np.array(cloud["matrix"]).reshape(4, 4)
        x, y, z = (las.xyz @ matrix[:3, :3].T + matrix[:3, 3]).T
    if moves:
        x, y, z = to_crs.transform(x, y, z)
    if writer is None:
        header = laspy.LasHeader(version="1.4", point_format=las.header.point_format.id)
        header.scales = np.full(3, job["scale"])
        header.offsets = np.floor([x.min(), y.min(), z.min()])
        header.add_crs(pyproj.CRS(job["target"]))
        writer = laspy.open(out, mode="w", header=header)
    record = laspy.ScaleAwarePointRecord(
        las.points.array, writer.header.point_format, writer.header.scales, writer.header.offsets
    )
    record.x, record.y, record.z = x, y, z
    if edge:
        stored = np.column_stack([record.x, record.y, record.z])
        cells = np.floor(stored / edge + 1e-6).astype(np.int32).view("V12").ravel()
        new, first = np.unique(cells, return_index=True)
        fresh = ~np.isin(new, taken)
        taken = np.concatenate([taken, new[fresh]])
        record = record[np.sort(first[fresh])]
    writer.write_points(record)
if writer is not None:
    writer.close()
