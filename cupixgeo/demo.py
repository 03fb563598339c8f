"""The whole way on real data, with nothing but this package: what ``cupixgeo demo`` does.

An emulated Cupix service holds a drone survey of Brighton Beach, cut into pieces and each piece
moved into a frame of its own. The demo lists them, lets the service's transforms put them back,
merges them into one file, and compares the result with the survey that was cut, point by point.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from cupixgeo.atomic import atomic_output
from cupixgeo.errors import CupixGeoError, OutputError
from cupixgeo.pipeline.lonlat import map_picture
from cupixgeo.pipeline.merge import merge
from cupixgeo.pipeline.picture import picture
from cupixgeo.pipeline.quantities import size
from cupixgeo.pipeline.raster import read_top_view
from cupixgeo.pipeline.report import MergeReport
from cupixgeo.pipeline.report_html import write_report
from cupixgeo.pipeline.sitemap import Cameras, footprints, write_map
from cupixgeo.progress import Progress, ProgressFn

if TYPE_CHECKING:
    from cupixgeo.services.cupix.account import CupixAccount

SEED = 7
RECORD_ID = 602
CRS = "EPSG:32615"
SCALE_M = 0.001

WORST_ALLOWED_M = 0.0006
"""[m] difference to the survey: half the stored step, and a tenth for the pieces' own rounding."""


@dataclass(frozen=True)
class DemoResult:
    """What the demo made, and how good it is.

    Parameters
    ----------
    folder : Path
        Where it was made.
    report : MergeReport
        Of the merge.
    pointclouds : int
        Rows of the list.
    cameras : int
        Camera positions on the map.
    worst_m : float
        Largest difference of a coordinate to the original survey [m]; 0 where all come out on
        the very step they were surveyed on.
    attributes_checked : int
        Attributes found equal at every point.
    seconds : float
        Wall time [s].
    """

    folder: Path
    report: MergeReport
    pointclouds: int
    cameras: int
    worst_m: float
    attributes_checked: int
    seconds: float

    def __str__(self) -> str:
        made = {
            "pointclouds.csv": f"{self.pointclouds} pointclouds the service lists",
            "site.laz": f"{self.report.points_kept:,} points, {size(self.report.bytes_out)}",
            "report.json": "what was merged, how, and how well",
            "report.html": "the same for people, with pictures; open it in a browser",
            "map.html": f"{len(self.report.sources)} footprints, {self.cameras} cameras; "
            "opens with no network",
        }
        lines = [f"  {self.folder / name!s:<34} {what}" for name, what in made.items()]
        return "\n".join(
            [
                f"{len(self.report.sources)} pieces of a site, placed and merged into one file in "
                f"{self.report.crs}: {self.seconds:.1f} s",
                f"Compared with the survey before it was cut: {self.report.points_kept:,} of "
                f"{self.report.points_in:,} points, worst difference {self._worst()}, all "
                f"{self.attributes_checked} attributes equal",
                "",
                *lines,
                "",
                "Next, with files of your own:",
                f"  cupixgeo merge a.laz b.laz --to site.laz --crs {CRS} --report-html site.html",
                "or look at the emulated service:",
                "  cupixgeo emulator",
            ]
        )

    def _worst(self) -> str:
        return "under 0.01 mm" if self.worst_m < 1e-5 else f"{self.worst_m * 1e3:.2f} mm"


def run_demo(out: str | os.PathLike[str], *, progress: ProgressFn | None = None) -> DemoResult:
    """Run the demo into a folder.

    Parameters
    ----------
    out : path
        Folder for the five files; made where it is missing. Files of those names are replaced,
        each only when the new one is whole.
    progress : callable or None
        Told of every stage.

    Returns
    -------
    DemoResult

    Raises
    ------
    OutputError
        The folder cannot be made or written to.
    CupixGeoError
        The result is not the survey that was cut: the installation is broken.
    """
    from cupixgeo.emulator import Emulator
    from cupixgeo.services.registry import connect

    started = time.perf_counter()
    watch = progress or _nobody
    folder = _folder(out)
    with Emulator(seed=SEED) as emulator, connect("cupix", emulator=emulator) as account:
        watch(Progress("list", 0, 0, "rows", "pointclouds"))
        table = account.pointclouds()
        _save_csv(table, folder / "pointclouds.csv")
        sources = account.sources(record_id=RECORD_ID)
        watch(Progress("list", len(table), len(table), "rows", "pointclouds"))
        report = merge(sources, folder / "site.laz", crs=CRS, scale=SCALE_M, progress=watch)
        cameras = _cameras(account)
        survey = emulator.world.brighton
    report.save(folder / "report.json")
    view = read_top_view(folder / "site.laz", progress=watch)
    write_report(report, folder / "report.html", cloud=view)
    write_map(
        folder / "map.html",
        footprints=footprints(report),
        cameras=cameras,
        overlay=map_picture(view, picture(view)),
        title="Brighton Beach",
        crs=CRS,
    )
    worst_m, checked = _compare(report, survey, watch)
    return DemoResult(
        folder,
        report,
        pointclouds=len(table),
        cameras=len(cameras.names),
        worst_m=worst_m,
        attributes_checked=checked,
        seconds=time.perf_counter() - started,
    )


def _nobody(progress: Progress) -> None:
    """Watch nothing."""


def _folder(out: str | os.PathLike[str]) -> Path:
    folder = Path(out)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"cannot make the folder {folder}: {error.strerror}. Choose another one with --out."
        ) from error
    return folder


def _save_csv(table: pd.DataFrame, to: Path) -> None:
    with atomic_output(to) as partial:
        table.to_csv(partial, index=False)


def _cameras(account: CupixAccount) -> Cameras:
    captures = account.captures(record_id=RECORD_ID)
    panos = pd.concat([account.panos(capture_id=int(number)) for number in captures["id"]])
    placed = panos[panos["lon_deg"].notna()]
    return Cameras(
        placed["name"].astype(str).tolist(),
        placed["lon_deg"].to_numpy(np.float64),
        placed["lat_deg"].to_numpy(np.float64),
    )


def _compare(report: MergeReport, survey: Any, watch: ProgressFn) -> tuple[float, int]:
    """Compare the merged file with the survey, point by point; give the worst difference [m]."""
    from cupixgeo.formats.registry import open_reader

    rows = np.concatenate(
        [
            survey.subs[source.provenance["pointcloud_id"]].original_indices
            for source in report.sources
        ]
    )
    if report.points_kept != len(survey.original_xyz) or len(rows) != report.points_kept:
        raise _broken(f"it has {report.points_kept:,} points, not {len(survey.original_xyz):,}")
    with open_reader(survey.original_path) as original:
        known = original.info.attribute_names
    worst, done = 0.0, 0
    with open_reader(report.path) as merged:
        names = [name for name in merged.info.attribute_names if name in known]
        for block in merged.blocks():
            part = rows[done : done + len(block)]
            worst = max(worst, float(np.abs(block.xyz - survey.original_xyz[part]).max()))
            for name in names:
                if not np.array_equal(block.column(name), survey.attribute(name)[part]):
                    raise _broken(f"its {name} differs")
            done += len(block)
            watch(Progress("check", done, len(rows)))
    if worst > WORST_ALLOWED_M:
        raise _broken(f"a point is {worst * 1e3:.2f} mm off")
    return worst, len(names)


def _broken(what: str) -> CupixGeoError:
    return CupixGeoError(
        f"the demo's output is not the survey it was made from: {what}. Something in this "
        "installation computes wrongly; reinstall with the pinned versions (constraints.txt), "
        "and report it if that does not help."
    )
