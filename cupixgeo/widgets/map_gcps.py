"""Ground control points on a map, each to be dragged where it belongs.

Knows how markers and a table of coordinates in the project's CRS follow each other. One marker is
one widget: right for the dozen points of a survey, not for cameras.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from functools import partial
from html import escape

import ipyleaflet
import numpy as np
import pandas as pd
from pyproj import CRS
from traitlets.utils.bunch import Bunch

from cupixgeo.cloud.schema import FloatArray
from cupixgeo.errors import ArgumentError, CloudError
from cupixgeo.geodesy.crs import crs_label
from cupixgeo.geodesy.units import metres_per_unit
from cupixgeo.pipeline.lonlat import from_lon_lat, horizontal, to_lon_lat
from cupixgeo.widgets.map_area import Lock
from cupixgeo.widgets.map_things import row_labels

_ICON = (
    '<div class="cx-gcp"><svg viewBox="-14 -14 28 28" width="28" height="28" aria-hidden="true">'
    '<circle r="8"/><path d="M-13 0H-4M4 0H13M0 -13V-4M0 4V13"/><circle r="1" class="dot"/></svg>'
    "<b>{label}</b></div>"
)


class ControlPoints:
    """Markers and the table of where they are.

    Parameters
    ----------
    told : callable
        Called with words for the user after a point was moved; perhaps in another thread.
    lock : threading.RLock
        Held while something changes; messages of the browser come in threads of their own.
    """

    def __init__(self, told: Callable[[str], None], lock: Lock) -> None:
        self._told = told
        self._lock = lock
        self.given: pd.DataFrame | None = None
        self.table = pd.DataFrame({"x": [], "y": []})
        self.lon_lat: FloatArray = np.empty((0, 2))
        self.labels: list[str] = []
        self.markers: tuple[ipyleaflet.Marker, ...] = ()
        self.moved: dict[Hashable, tuple[float, float]] = {}

    def set(self, table: pd.DataFrame, choose_crs: Callable[[FloatArray], CRS]) -> None:
        """Show the points of a table.

        Parameters
        ----------
        table : pandas.DataFrame
            ``x`` and ``y`` in the project's CRS, or ``lon_deg`` and ``lat_deg``.
        choose_crs : callable
            Answers the project's CRS for places of shape (n, 2) [deg].

        Raises
        ------
        ArgumentError
            It is no table.
        CloudError
            The columns are not there, or a point has no coordinates.
        """
        if not isinstance(table, pd.DataFrame):
            raise ArgumentError(
                f"gcps= is a {type(table).__name__}. Give a pandas.DataFrame with columns x and y "
                "in the project's CRS, or lon_deg and lat_deg, a row for each control point."
            )
        degrees = {"lon_deg", "lat_deg"} <= set(table.columns)
        if not degrees and not {"x", "y"} <= set(table.columns):
            raise CloudError(
                "control points need columns x and y in the project's CRS, or lon_deg and "
                f"lat_deg; there are {', '.join(map(str, table.columns)) or 'none'}."
            )
        columns = ["x", "y"] if {"x", "y"} <= set(table.columns) else ["lon_deg", "lat_deg"]
        places = table[columns].to_numpy(np.float64, na_value=np.nan)
        if not np.isfinite(places).all():
            row = table.index[int(np.flatnonzero(~np.isfinite(places).all(axis=1))[0])]
            raise CloudError(f"control point {row!r} has no coordinates. Give x and y, or drop it.")
        if not table.index.is_unique:
            raise CloudError("control points need an index without repetitions: reset_index().")
        if columns == ["x", "y"]:
            self._crs = choose_crs(np.empty((0, 2)))
            self.lon_lat = to_lon_lat(self._crs, places)
        else:
            self._crs = choose_crs(places)
            self.lon_lat = places.copy()
            places = from_lon_lat(self._crs, places)
        self.given, self.labels, self.moved = table, row_labels(table), {}
        self.table = table.assign(x=places[:, 0], y=places[:, 1])
        self.markers = tuple(map(self._marker, range(len(table))))

    def move(self, label: Hashable, x: float, y: float) -> None:
        """Move a point in the project's CRS.

        Raises
        ------
        ArgumentError
            There is no such point.
        """
        if label not in self.table.index:
            there = ", ".join(map(repr, self.table.index[:5])) or "none"
            raise ArgumentError(f"there is no control point {label!r}. There is: {there}.")
        row = self.table.index.tolist().index(label)
        lon, lat = to_lon_lat(self._crs, np.array([[x, y]]))[0].tolist()
        self.markers[row].location = [lat, lon]

    def _marker(self, row: int) -> ipyleaflet.Marker:
        lon, lat = self.lon_lat[row].tolist()
        label = self.labels[row]
        icon = ipyleaflet.DivIcon(
            html=_ICON.format(label=escape(label)), icon_size=[28, 28], icon_anchor=[14, 14]
        )
        marker = ipyleaflet.Marker(
            location=(lat, lon),
            icon=icon,
            draggable=True,
            title=f"{label}: drag it where it belongs",
            alt=f"control point {label}",
        )
        marker.observe(partial(self._moved, row), "location")
        return marker

    def _moved(self, row: int, change: Bunch) -> None:
        with self._lock:
            lat, lon = change["new"]
            before = self.table[["x", "y"]].iloc[row].to_numpy(np.float64)
            at = from_lon_lat(self._crs, np.array([[lon, lat]]))[0]
            self.lon_lat[row] = lon, lat
            label = self.table.index[row]
            changed = {"x": at[0], "y": at[1]}
            if {"lon_deg", "lat_deg"} <= set(self.table.columns):
                changed |= {"lon_deg": lon, "lat_deg": lat}
            table = self.table.copy()
            for column, value in changed.items():
                table.loc[label, column] = value
            self.table = table
            self.moved[label] = (float(at[0]), float(at[1]))
            metres = np.array(metres_per_unit(horizontal(self._crs), np.append(at, 0.0))[:2])
            far = float(np.hypot(*((at - before) * metres)))
            self._told(
                f"{self.labels[row]} moved by {far:,.2f} m to {at[0]:.3f}, {at[1]:.3f} "
                f"({crs_label(horizontal(self._crs))})."
            )
