"""The job done with this project, as a process of its own: run_project.py JOB OUT [CRS] [--exact].

CRS is that of the job unless given.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import cupixgeo as cx

arguments = [argument for argument in sys.argv[1:] if not argument.startswith("--")]
job_path, out = Path(arguments[0]), arguments[1]
job = json.loads(job_path.read_text())


def source(number: int, cloud: dict[str, Any]) -> cx.Source:
    path = job_path.parent / cloud["file"]
    if cloud["matrix"] is None:
        return cx.Source(path, crs=job["crs"])
    frame = cx.local_frame(f"scan:{number}")
    placement = cx.Transform.from_row_major(cloud["matrix"], source=frame, target=job["crs"])
    return cx.Source(path, transform=placement)


report = cx.merge(
    [source(number, cloud) for number, cloud in enumerate(job["clouds"])],
    out,
    crs=arguments[2] if len(arguments) > 2 else job["target"],
    scale=0.001,
    exact="--exact" in sys.argv,
    assume=job.get("assume", ("CGCS2000=WGS 84",)),
    **job.get("options", {}),
)
print(json.dumps({"points": report.points_kept, "interpolation_m": report.interpolation_error_m}))
