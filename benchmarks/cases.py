"""The cases of the merge benchmark: which data, where to, with what options.

`prepare` makes the data of a case unless it is there, and writes the job that every runner reads::

    {"crs": where matrices lead to or files are, "target": output CRS, "out": "laz" or "copc.laz",
     "format": point format, "scale": 0.001, "assume": [...], "options": {...} of cupixgeo.merge,
     "clouds": [{"file": path, "matrix": 16 numbers row-major or null}, ...]}
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyproj
from scans import SITE, SITE_CRS, write_scan, write_strip

REAL = Path(__file__).parents[1] / "data" / "brighton_beach" / "reference" / "model.laz"
NATIONAL = "EPSG:4547"
GEOCENTRIC = "EPSG:4978"
EDGE_M = 0.05


@dataclass(frozen=True)
class Case:
    """One row of the results.

    `data` is "scan" (local, placed by a 4x4), "strip" (in SITE_CRS) or "real" (the scan that comes
    with the project, under many names).
    """

    title: str
    files: int = 20
    points: int = 1_000_000
    data: str = "scan"
    crs: str = SITE_CRS
    target: str = NATIONAL
    point_format: int = 7
    out: str = "laz"
    options: dict[str, Any] = field(default_factory=dict)

    def quick(self) -> Case:
        """The same with hardly any points."""
        if self.data == "real":
            return replace(self, files=2)
        return replace(self, files=min(self.files, 6), points=max(2_000, self.points // 50))


CASES = {
    "20x1M": Case("placed, UTM to national"),
    "8x5M": Case("strips, UTM to national", files=8, points=5_000_000, data="strip"),
    "500x20k": Case("small files, placed, UTM to national", files=500, points=20_000),
    "1x50M": Case("one strip, UTM to national", files=1, points=50_000_000, data="strip"),
    "same-crs": Case("placed, no reprojection", target=SITE_CRS),
    "georeference": Case("local and georeference to UTM", crs=GEOCENTRIC, target=SITE_CRS),
    "compound": Case(
        "placed, with heights above a geoid", crs="EPSG:32650+5773", target="EPSG:4547+5773"
    ),
    "format-3": Case("point format 3, placed, UTM to national", point_format=3),
    "real": Case(
        "a real scan 20 times, UTM to the next zone",
        points=940_393,
        data="real",
        crs="EPSG:32615",
        target="EPSG:32616",
        point_format=3,
    ),
    "copc": Case("placed, UTM to national, COPC", out="copc.laz"),
    "thin": Case(
        "placed, one point in each cube of 5 cm", target=SITE_CRS, options={"spacing_m": EDGE_M}
    ),
}


def prepare(case: Case, folder: Path, name: str) -> Path:
    """Make the data of a case; return its job."""
    folder.mkdir(parents=True, exist_ok=True)
    clouds: list[dict[str, Any]] = []
    for number in range(case.files):
        if case.data == "real":
            path = folder / f"real_{number:03d}.laz"
            if not path.exists():
                shutil.copy(REAL, path)
            clouds.append({"file": path.name, "matrix": None})
            continue
        path = folder / f"{case.data}_{case.points}_{case.point_format}_{number:03d}.laz"
        if case.data == "strip":
            write_strip(path, number, case.points, case.point_format)
            clouds.append({"file": path.name, "matrix": None})
            continue
        matrix = write_scan(path, number, case.points, case.point_format)
        if case.crs == GEOCENTRIC:
            matrix = to_geocentric() @ matrix
        clouds.append({"file": path.name, "matrix": matrix.ravel().tolist()})
    job = folder / f"{name}.json"
    job.write_text(
        json.dumps({
            "crs": case.crs,
            "target": case.target,
            "out": case.out,
            "format": case.point_format,
            "scale": 0.001,
            "assume": ["CGCS2000=WGS 84"] if "4547" in case.target else [],
            "options": case.options,
            "clouds": clouds,
        })
    )  # fmt: skip
    return job


def to_geocentric() -> np.ndarray:
    """4x4 from SITE_CRS, taken as a plane through SITE, to EPSG:4978: a georeference."""
    to_lon_lat = pyproj.Transformer.from_crs(SITE_CRS, "EPSG:4979", always_xy=True)
    to_earth = pyproj.Transformer.from_crs("EPSG:4979", GEOCENTRIC, always_xy=True)
    lon, lat, height = to_lon_lat.transform(*SITE[:2], SITE[2])
    (sl, cl), (sp, cp) = ((np.sin(a), np.cos(a)) for a in np.radians([lon, lat]))
    result = np.eye(4)
    result[:3, :3] = np.array([[-sl, -sp * cl, cp * cl], [cl, -sp * sl, cp * sl], [0, cp, sp]])
    result[:3, 3] = to_earth.transform(lon, lat, height) - result[:3, :3] @ SITE
    return result


def repeated(job: Path, times: int) -> Path:
    """The same job with every cloud so many times."""
    content = json.loads(job.read_text())
    content["clouds"] *= times
    path = job.with_name(f"{job.stem}_x{times}.json")
    path.write_text(json.dumps(content))
    return path
