"""The browser's half of a map: an anywidget that draws on an ipyleaflet map what that leaves open.

Knows which state travels between Python and ``frontend/map.js``, and the bundled outline of land.
Must not know where layers come from.

Source: Natural Earth 1:110m land (public domain), see ``offline/SOURCE.md``.
"""

from __future__ import annotations

import json
from functools import lru_cache
from importlib.resources import files
from typing import Any

import anywidget
import numpy as np
import traitlets
from pyproj import CRS

from cupixgeo.cloud.schema import FloatArray
from cupixgeo.pipeline.sitemap import plane_fit

BASES = {"": "none", "osm": "OpenStreetMap"}
"""Base maps by the word a user chooses them with."""

TILES = {
    "osm": {
        "url": "https://tile.openstreetmap.org/{z}/{x}/{y}.png",
        "attribution": "© OpenStreetMap contributors",
        "max_zoom": 26,
        "max_native_zoom": 19,
    }
}


_FITTED_DEG = np.array([540.0, 89.0])
"""Longitude and latitude up to which coordinates are fitted [deg]."""


def _frontend(*names: str) -> str:
    here, page = files("cupixgeo.widgets") / "frontend", files("cupixgeo.pipeline") / "assets"
    return "\n".join(
        (page if name == "mapping.js" else here).joinpath(name).read_text("utf-8") for name in names
    )


class MapCompanion(anywidget.AnyWidget):
    """What Python and the browser both know of a map; see ``frontend/map.js``."""

    _esm = _frontend("mapping.js", "features.js", "swipe.js", "map.js")
    _css = _frontend("map.css")

    map_id = traitlets.Unicode().tag(sync=True)
    layers = traitlets.List(traitlets.Dict()).tag(sync=True)
    hidden = traitlets.List(traitlets.Unicode()).tag(sync=True)
    opacity: traitlets.Dict[str, Any] = traitlets.Dict().tag(sync=True)
    picked: traitlets.Dict[str, Any] = traitlets.Dict({"table": "", "rows": []}).tag(sync=True)
    plane = traitlets.Any(default_value=None).tag(sync=True)
    fit: traitlets.Dict[str, Any] = traitlets.Dict({"bounds": None, "serial": 0}).tag(sync=True)
    base: traitlets.Dict[str, Any] = traitlets.Dict(
        {"choices": list(BASES.items()), "value": ""}
    ).tag(sync=True)
    swipe: traitlets.Dict[str, Any] = traitlets.Dict().tag(sync=True)
    land: traitlets.Dict[str, Any] = traitlets.Dict().tag(sync=True)

    _plane_box: FloatArray | None = None

    def follow(self, crs: CRS | None, low: tuple[float, float], high: tuple[float, float]) -> None:
        """Fit the coordinates below the cursor anew where the view left what they are fitted for.

        Parameters
        ----------
        crs : pyproj.CRS or None
            Of the project.
        low, high : tuple of 2 float [deg]
            South-west and north-east corner of the view, longitude first.
        """
        seen, box = np.array([low, high]), self._plane_box
        if not np.isfinite(seen).all() or (seen[0] >= seen[1]).any():
            return  # no view has said yet what it shows
        if (
            box is None
            or self.plane is None
            or (seen[0] < box[0]).any()
            or (seen[1] > box[1]).any()
        ):
            self.fit_plane(crs, *seen)

    def fit_plane(self, crs: CRS | None, low: FloatArray, high: FloatArray) -> None:
        """Fit the coordinates below the cursor for a box and half of it more on each side.

        Parameters
        ----------
        crs : pyproj.CRS or None
            Of the project.
        low, high : ndarray, shape (2,), float64 [deg]
            South-west and north-east corner, longitude first.
        """
        if crs is None:
            return
        centre, half = (low + high) / 2, np.maximum(high - low, 1e-5)
        self._plane_box = np.stack([centre - half, centre + half])
        on_earth = (np.abs(self._plane_box) <= _FITTED_DEG).all()
        self.plane = plane_fit(crs, low, high) if on_earth else None

    @traitlets.default("land")
    def _bundled_land(self) -> dict[str, Any]:
        return land()


def in_feet(crs: CRS | None) -> bool:
    """Say whether a project is measured in feet, so that the scale bar shows them too."""
    return crs is not None and any("foot" in axis.unit_name for axis in crs.axis_info)


@lru_cache(maxsize=1)
def land() -> dict[str, bytes]:
    """Outlines of land as the browser draws them.

    Returns
    -------
    dict
        ``xy``: longitude and latitude [deg], float32; ``starts``: first vertex of each ring and
        the end, uint32.
    """
    feature = json.loads((files("cupixgeo.widgets") / "offline" / "land.geojson").read_text())
    rings = [np.array(ring, np.float32) for ring, *_ in feature["geometry"]["coordinates"]]
    starts = np.cumsum([0, *map(len, rings)]).astype(np.uint32)
    return {"xy": np.concatenate(rings).tobytes(), "starts": starts.tobytes()}
