"""The job done with this project, as a process of its own: run_project.py JOB OUT CRS [--exact]."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import cupixgeo as cx

job_path, out, crs = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
job = json.loads(job_path.read_text())
sources = [
    cx.Source(
        job_path.parent / cloud["file"],
        transform=cx.Transform.from_row_major(
            cloud["matrix"], source=cx.local_frame(f"scan:{number}"), target=job["crs"]
        ),
    )
    for number, cloud in enumerate(job["clouds"])
]
assume = ("CGCS2000=WGS 84",) if crs == "EPSG:4547" else ()
report = cx.merge(sources, out, crs=crs, scale=0.001, exact="--exact" in sys.argv, assume=assume)
print(json.dumps({"points": report.points_kept, "interpolation_m": report.interpolation_error_m}))
