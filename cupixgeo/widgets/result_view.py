"""The results of a job to look at: their files, the cloud in a scene and on a map.

Knows which kinds of files can be shown, and that what lies nowhere on earth is on no map. Must not
know any service.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

import ipywidgets as w
import numpy as np

from cupixgeo.cloud.spatial_ref import POINT, dataset_crs
from cupixgeo.errors import CupixGeoError, EmptyCloudError
from cupixgeo.formats.registry import open_cloud
from cupixgeo.geodesy.crs import crs_label, frame_name
from cupixgeo.photos.preflight import Preflight
from cupixgeo.services.job import Job
from cupixgeo.services.products import KINDS
from cupixgeo.services.results import Results
from cupixgeo.widgets.map import Map
from cupixgeo.widgets.mesh_points import finest, mesh_points
from cupixgeo.widgets.repeat import call
from cupixgeo.widgets.scene import Scene
from cupixgeo.widgets.view import View

if TYPE_CHECKING:
    import xarray as xr

SH_0 = 0.28209479177387814
"""Spherical harmonic of degree 0: what a splat's first colour coefficients are multiplied with."""

MOST_FILES = 60
HEIGHT_PX = 460


class ResultView(w.VBox):
    """Shows what a job made; empty until there is something.

    Parameters
    ----------
    view : View
        Says what goes wrong.
    """

    def __init__(self, view: View) -> None:
        self._view = view
        self._code = ""
        self.job_id = ""
        self.scene: Scene | None = None
        self.map: Map | None = None
        self.words = w.HTML()
        self.words.add_class("cx-result-words")
        self._shown = w.HBox()
        self._shown.add_class("cx-columns")
        heading = w.HTML("<h3>Result</h3>")
        super().__init__([heading, self.words, self._shown])
        self.add_class("cx-step")
        self.add_class("cx-result")
        self.layout.display = "none"

    def show(self, job: Job, results: Results, photos: Preflight | None) -> None:
        """Show the results of a job, beside the photos they were made of."""
        cloud, what = viewable(results)
        notes = [what] if what else []
        self._code, self.job_id = _code(job, results), job.id
        self.scene = self.map = None
        things: dict[str, Any] = {}
        if cloud is not None:
            try:
                self.scene = Scene(cloud, height_px=HEIGHT_PX)
            except CupixGeoError as error:
                notes.append(f"It is not in the scene: {error}")
            local = frame_name(dataset_crs(cloud))
            if local is None:
                things[job.name] = cloud
            else:
                notes.append(
                    f"It is in the frame {local}: where that lies on earth the service does not "
                    "tell. The map shows where its photos were taken."
                )
        things |= {path.name: path for path in results.of("orthophoto")[:1]}
        if photos is not None and photos.centre is not None:
            things["photos"] = photos
        self.map = self._draw(things, notes)
        self.words.value = _told(job, results, notes)
        self._shown.children = tuple(one for one in (self.map, self.scene) if one is not None)
        self.layout.display = None

    def _draw(self, things: dict[str, Any], notes: list[str]) -> Map | None:
        """Put what has a place on a map; what has none is said."""
        if not things:
            return None
        try:
            return Map(things, height_px=HEIGHT_PX)
        except CupixGeoError as error:
            notes.append(f"The map cannot show all of it: {error}")
        photos = {name: thing for name, thing in things.items() if isinstance(thing, Preflight)}
        return Map(photos, height_px=HEIGHT_PX) if photos else None

    def code(self) -> str:
        """Python that fetches what is shown; empty where nothing is."""
        return self._code

    def figure(self) -> bytes | None:
        """Draw the scene, or the map; None without either."""
        shown = self.scene or self.map
        return None if shown is None else shown.figure()


def viewable(results: Results) -> tuple[xr.Dataset | None, str]:
    """Find what of some results can be shown as points.

    Parameters
    ----------
    results : Results
        Of a job.

    Returns
    -------
    xarray.Dataset or None
        The point cloud; else points on the mesh, or the middles of the splats; None without any.
    str
        What is shown, in words.
    """
    try:
        cloud = results.open_pointcloud()
    except EmptyCloudError:
        cloud = None
    if cloud is not None:
        crs = crs_label(dataset_crs(cloud))
        return cloud, f"The point cloud has {cloud.sizes[POINT]:,} points in {crs}."
    splats = [path for path in results.of("splats") if path.suffix.lower() == ".ply"]
    if splats:
        cloud = _in_colour(open_cloud(splats[0], crs=results.crs_of(splats[0])))
        return cloud, f"The scene shows the middles of {cloud.sizes[POINT]:,} splats."
    mesh = finest(results.of("mesh"))
    if mesh:
        frame = results.crs_of(mesh[0]) or f"file:{mesh[0].name}"
        cloud = mesh_points(mesh, frame)
        return cloud, f"The scene shows {cloud.sizes[POINT]:,} points on the mesh."
    return None, "None of it can be shown here; the files are there."


def _in_colour(splats: xr.Dataset) -> xr.Dataset:
    """Give the middles of splats the colours they have from all sides.

    References
    ----------
    Kerbl et al. 2023, *3D Gaussian Splatting*, reference implementation: colour = 0.5 + C0 f_dc.
    """
    names = [f"f_dc_{i}" for i in range(3)]
    if not set(names) <= set(splats.data_vars):
        return splats
    colours = {
        name: (POINT, np.clip(255 * (0.5 + SH_0 * splats[source].values), 0, 255).astype(np.uint8))
        for name, source in zip(("red", "green", "blue"), names, strict=True)
    }
    return splats.drop_vars(list(splats.data_vars)).assign(colours)


def _told(job: Job, results: Results, notes: list[str]) -> str:
    kinds = ", ".join(f"{len(results.of(k))} {k}" for k in KINDS if results.of(k))
    rows = "".join(
        f"<tr><td>{escape(file.name)}</td><td>{escape(file.kind)}</td>"
        f"<td class='cx-right'>{file.bytes / 1e6:,.2f} MB</td></tr>"
        for file in results.files[:MOST_FILES]
    )
    more = len(results.files) - MOST_FILES
    rows += f"<tr><td colspan='3'>and {more} more</td></tr>" if more > 0 else ""
    said = "".join(f"<p>{escape(note)}</p>" for note in notes)
    return (
        f"<p><b>{escape(job.name)}</b>: {escape(kinds)} in <code>{escape(str(results.folder))}"
        f"</code></p>{said}<details><summary>{len(results.files)} files</summary>"
        f"<table>{rows}</table></details>"
    )


def _code(job: Job, results: Results) -> str:
    lines = [f"results = {call('job.results', str(results.folder))}"]
    if any(file.kind == "pointcloud" for file in results.files):
        lines += ["scan = results.open_pointcloud()", "cx.widgets.Scene(scan)"]
    return "\n".join(lines) + "\n"
