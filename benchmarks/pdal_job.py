"""The same job as a PDAL pipeline, for whoever has PDAL installed."""

from __future__ import annotations

import json
from pathlib import Path


def write_pipeline(job_path: Path, out: Path, crs: str, *, offset: tuple[float, ...]) -> Path:
    """Write the pipeline beside the scans; return its path."""
    job = json.loads(job_path.read_text())
    stages: list[dict[str, object]] = []
    tags = []
    for number, cloud in enumerate(job["clouds"]):
        reader, moved = f"read{number}", f"move{number}"
        stages.append(
            {
                "type": "readers.las",
                "filename": str(job_path.parent / cloud["file"]),
                "override_srs": job["crs"],
                "tag": reader,
            }
        )
        matrix = " ".join(repr(value) for value in cloud["matrix"])
        stages.append(
            {"type": "filters.transformation", "matrix": matrix, "inputs": [reader], "tag": moved}
        )
        tags.append(moved)
    stages.append({"type": "filters.merge", "inputs": tags})
    stages.append({"type": "filters.reprojection", "in_srs": job["crs"], "out_srs": crs})
    writer: dict[str, object] = {
        "type": "writers.las",
        "filename": str(out),
        "minor_version": 4,
        "dataformat_id": 7,
        "compression": "laszip",
    }
    for axis, value in zip("xyz", offset, strict=True):
        writer[f"scale_{axis}"] = 0.001
        writer[f"offset_{axis}"] = value
    path = job_path.with_name("pdal.json")
    path.write_text(json.dumps({"pipeline": [*stages, writer]}))
    return path
