"""Merge speed and memory, against what a user would write otherwise. One command:

    python benchmarks/merge.py [--rounds 3] [--folder FOLDER]

Makes the scans, runs this project, a plain laspy + pyproj script and, where it is installed, PDAL
in turn on the same job (20 files of 1 M points, each placed by a 4x4, EPSG:32650 to EPSG:4547, one
LAZ), checks that all outputs agree, shows that peak memory does not grow from 5 M to 50 M points,
and writes benchmarks/RESULTS.md. Nothing is installed; whole processes are measured, start-up
included; the compiled code of the layer coder is in its cache after one run that is not counted.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import laspy
import numpy as np
from measure import in_turn, median, ratios, run
from pdal_job import write_pipeline
from scans import make_scans

HERE = Path(__file__).parent
TARGET = "EPSG:4547"
AGREE_M = 0.0011
"""Both round to 1 mm, about different offsets: neighbouring steps may be taken."""


def script(name: str, *arguments: str | Path) -> list[str]:
    return [sys.executable, str(HERE / name), *map(str, arguments)]


def agree(first: Path, second: Path) -> float:
    """Largest coordinate difference [m] over all points; everything else must be equal."""
    worst = 0.0
    with laspy.open(first) as a, laspy.open(second) as b:
        if a.header.point_count != b.header.point_count:
            sys.exit(f"{a.header.point_count} points against {b.header.point_count}")
        for p, q in zip(a.chunk_iterator(1_000_000), b.chunk_iterator(1_000_000), strict=True):
            for axis in "xyz":
                worst = max(worst, float(np.abs(np.asarray(p[axis]) - np.asarray(q[axis])).max()))
            for name in p.point_format.dimension_names:
                if name not in "XYZ" and not np.array_equal(p[name], q[name]):
                    sys.exit(f"the outputs differ in {name}")
    if worst > AGREE_M:
        sys.exit(f"the outputs differ by {worst} m")
    return worst


def pdal_version() -> str:
    """What the PDAL on the path calls itself."""
    output = subprocess.run(["pdal", "--version"], capture_output=True, text=True, check=True)
    words = output.stdout.replace("-", " ").split()
    return f"PDAL {words[words.index('pdal') + 1]}"


def repeated_job(job: Path, files: int) -> Path:
    """The first scans of a job, repeated by name until there are so many."""
    content = json.loads(job.read_text())
    clouds = content["clouds"]
    content["clouds"] = [clouds[i % len(clouds)] for i in range(files)]
    path = job.with_name(f"job_{files}.json")
    path.write_text(json.dumps(content))
    return path


def compare(job: Path, folder: Path, rounds: int) -> list[str]:
    ours, theirs, pdals = (folder / f"{name}.laz" for name in ("project", "laspy", "pdal"))
    commands = {
        "cupixgeo": script("run_project.py", job, ours, TARGET),
        "cupixgeo, exact=True": script("run_project.py", job, ours, TARGET, "--exact"),
        "laspy + pyproj, file by file": script("run_laspy.py", job, theirs, TARGET),
    }
    if shutil.which("pdal"):
        offset = (543_000.0, 4_212_000.0, 0.0)
        pipeline = write_pipeline(job, pdals, TARGET, offset=offset)
        commands["PDAL --stream"] = ["pdal", "pipeline", "--stream", str(pipeline)]
    run(commands["cupixgeo"])
    runs = in_turn(commands, rounds)
    run(commands["cupixgeo"])
    lines = ["| run | wall s | CPU s | peak MiB |", "|---|---|---|---|"]
    for name in commands:
        m = median(runs[name])
        lines.append(f"| {name} | {m.wall_s:.1f} | {m.cpu_s:.1f} | {m.peak_mib:.0f} |")
    lines.append("")
    others = {"laspy + pyproj, file by file": theirs, "PDAL --stream": pdals}
    for name, out in others.items():
        if name not in runs:
            lines.append(f"{name} is not installed here and was not run.")
            continue
        wall, cpu = ratios(runs["cupixgeo"], runs[name])
        peer = pdal_version() if out == pdals else name
        lines.append(
            f"{peer} / cupixgeo: **{wall:.2f}x** wall, **{cpu:.2f}x** CPU. Outputs agree: all "
            f"attributes equal, coordinates within {agree(ours, out) * 1e3:.3f} mm.\n"
        )
    return lines


def memory(job: Path, folder: Path) -> list[str]:
    lines = ["| points | wall s | peak MiB |", "|---|---|---|"]
    for files in (5, 50):
        several = repeated_job(job, files)
        r = run(script("run_project.py", several, folder / "memory.laz", TARGET))
        lines.append(f"| {files} M | {r.wall_s:.1f} | {r.peak_mib:.0f} |")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="where the scans are kept; a temporary one")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.folder or Path(temporary)
        job = make_scans(folder, files=20, points=1_000_000)
        text = "\n".join(
            [
                "# Merge benchmark",
                "",
                f"`python benchmarks/merge.py --rounds {given.rounds}`, {os.cpu_count()} cores, "
                f"Python {platform.python_version()}. Medians of whole processes run in turn.",
                "",
                "## 20 files of 1 M points, placed, EPSG:32650 to EPSG:4547, one LAZ (format 7)",
                "",
                *compare(job, folder, given.rounds),
                "",
                "## Memory against input size",
                "",
                *memory(job, folder),
                "",
            ]
        )
    (HERE / "RESULTS.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
