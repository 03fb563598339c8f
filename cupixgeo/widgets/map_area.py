"""The area of interest on a map: drawn or edited by hand, or set from Python.

Knows how Leaflet's drawing tools and an `Aoi` follow each other. Must not know what it is for.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, TypeAlias

import ipyleaflet
import numpy as np
from pyproj import CRS
from traitlets.utils.bunch import Bunch

from cupixgeo.cloud.schema import FloatArray
from cupixgeo.errors import CupixGeoError
from cupixgeo.widgets.aoi import Aoi, drawn

STYLE = {"color": "#c2185b", "weight": 2.5, "fillColor": "#c2185b", "fillOpacity": 0.08}

Lock: TypeAlias = AbstractContextManager[Any]
"""A lock that one thread may take again: `threading.RLock`."""

Told = Callable[[Aoi | None, str], None]
"""Called with the area that was drawn (None where there is none of use) and what is wrong."""


class AreaTool:
    """Drawing tools for one polygon.

    Parameters
    ----------
    crs : callable
        Answers the CRS of the project for places of shape (n, 2) [deg].
    told : Told
        Called when the user has drawn, edited or deleted the area; perhaps in another thread.
    lock : threading.RLock
        Held while something changes; messages of the browser come in threads of their own.
    """

    def __init__(self, crs: Callable[[FloatArray], CRS], told: Told, lock: Lock) -> None:
        self._crs, self._told = crs, told
        self._lock = lock
        self._quiet = False
        self.control = ipyleaflet.DrawControl(
            polygon={"shapeOptions": STYLE},
            rectangle={"shapeOptions": STYLE},
            polyline={},
            circlemarker={},
        )
        self.control.observe(self._drawn, "data")

    def show(self, aoi: Aoi | None) -> None:
        """Show an area to be edited, instead of what was drawn."""
        with self._lock:
            self._set([] if aoi is None else [aoi.geojson()])

    def _set(self, shapes: list[dict[str, Any]]) -> None:
        self._quiet = True
        try:
            styled = [{**shape, "properties": {"style": STYLE}} for shape in shapes]
            self.control.data = styled
        finally:
            self._quiet = False

    def take(self, ring: FloatArray) -> None:
        """Take vertices as if they had been drawn.

        Parameters
        ----------
        ring : ndarray, shape (n, 2), float64 [deg]
            Longitude first, closed.
        """
        geometry = {"type": "Polygon", "coordinates": [ring.tolist()]}
        self.control.data = [
            {"type": "Feature", "properties": {"style": STYLE}, "geometry": geometry}
        ]

    def _drawn(self, change: Bunch) -> None:
        with self._lock:
            if self._quiet:
                return
            shapes = change["new"]
            if len(shapes) > 1:  # the last one counts
                self._set(shapes[-1:])
            if not shapes:
                self._told(None, "")
                return
            ring = np.array(shapes[-1]["geometry"]["coordinates"][0], np.float64)[:, :2]
            try:
                aoi = drawn(ring, self._crs(ring))
            except CupixGeoError as error:
                self._told(None, f"The area is not used: {error}")
            else:
                self._told(aoi, "")
