"""The same job as a PDAL pipeline, for whoever has PDAL installed."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from functools import lru_cache
from pathlib import Path
from typing import Any


@lru_cache
def pdal_version() -> str:
    """What the PDAL on the path calls itself; empty where there is none."""
    if not shutil.which("pdal"):
        return ""
    text = subprocess.run(["pdal", "--version"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"pdal (\d+\.\d+\.\d+)", text)
    return f"PDAL {found[1]}" if found else "PDAL"


@lru_cache
def pdal_writes_copc() -> bool:
    text = subprocess.run(["pdal", "--drivers"], capture_output=True, text=True, check=True).stdout
    return "writers.copc" in text


def write_pipeline(job_path: Path, out: Path, *, offset: tuple[float, ...]) -> Path:
    """Write the pipeline beside the scans; return its path."""
    job = json.loads(job_path.read_text())
    stages: list[dict[str, Any]] = []
    tags = []
    for number, cloud in enumerate(job["clouds"]):
        tag = f"read{number}"
        reader = {
            "type": "readers.las",
            "filename": str(job_path.parent / cloud["file"]),
            "override_srs": job["crs"],
            "tag": tag,
        }
        stages.append(reader)
        if cloud["matrix"] is not None:
            matrix = " ".join(repr(value) for value in cloud["matrix"])
            moved = f"move{number}"
            stages.append(
                {"type": "filters.transformation", "matrix": matrix, "inputs": [tag], "tag": moved}
            )
            tag = moved
        tags.append(tag)
    stages.append({"type": "filters.merge", "inputs": tags})
    if job["target"] != job["crs"]:
        stages.append(
            {"type": "filters.reprojection", "in_srs": job["crs"], "out_srs": job["target"]}
        )
    if edge := job["options"].get("spacing_m"):
        stages.append({"type": "filters.voxeldownsize", "cell": edge, "mode": "first"})
    path = job_path.with_name(f"{job_path.stem}.pdal.json")
    path.write_text(json.dumps({"pipeline": [*stages, _writer(job, out, offset)]}))
    return path


def _writer(job: dict[str, Any], out: Path, offset: tuple[float, ...]) -> dict[str, Any]:
    grid = {
        f"{what}_{axis}": value
        for axis, place in zip("xyz", offset, strict=True)
        for what, value in (("scale", job["scale"]), ("offset", place))
    }
    if job["out"] == "copc.laz":
        return {"type": "writers.copc", "filename": str(out), **grid}
    return {
        "type": "writers.las",
        "filename": str(out),
        "minor_version": 4,
        "dataformat_id": job["format"],
        "compression": "laszip",
        **grid,
    }
