"""A map of what a survey has: cameras, clouds, photos, results, control points, an area.

Knows how selection, area and control points go between Python and the browser. How things come
onto the map is in `map_sheet`, what the browser draws in ``frontend/map.js``.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Any

import ipyleaflet
import numpy as np
import pandas as pd
import traitlets
from traitlets.utils.bunch import Bunch

from cupixgeo.cloud.schema import FloatArray
from cupixgeo.formats.extent import AreaLike
from cupixgeo.geodesy.crs import CrsLike
from cupixgeo.widgets.aoi import Aoi
from cupixgeo.widgets.map_area import AreaTool
from cupixgeo.widgets.map_code import describe, write_code
from cupixgeo.widgets.map_companion import MapCompanion, in_feet
from cupixgeo.widgets.map_figure import Marks, draw_map
from cupixgeo.widgets.map_gcps import ControlPoints
from cupixgeo.widgets.map_rows import Labels, Rows
from cupixgeo.widgets.map_sheet import MapSheet
from cupixgeo.widgets.view import choose, refuse_unknown


class Map(MapSheet):
    """Show things on a map that needs no network.

    Parameters
    ----------
    *things : object
        Tables with ``lon_deg`` and ``lat_deg`` (``account.panos()``, ``preflight.table``), clouds
        (``cx.open``), a `MergeReport`, a `Preflight`, sources of a merge, GeoTIFFs, point-cloud
        files, lists of these, or mappings of a name for the legend to one of these.
    crs : CrsLike or None
        CRS of the project: of the coordinates below the cursor, the area and the control points.
        Unless given, that of the first cloud, else the UTM zone of what is shown.
    gcps : pandas.DataFrame or None
        Control points to drag: ``x`` and ``y`` in `crs`, or ``lon_deg`` and ``lat_deg``.
    aoi : AreaLike or None
        Area of interest, in `crs`; an `Aoi` says its own.
    basemap : {"osm"} or None
        Tiles from the internet. Unless asked for, here or in the legend, the map asks for nothing.
    height_px : int
        Height of the map [pixel].

    Attributes
    ----------
    aoi : Aoi or None
        The area as drawn or set last; can be observed and set.
    selection : tuple
        Index labels of the selected rows; can be observed and set.
    gcps : pandas.DataFrame
        The control points where they are now, ``x`` and ``y`` in `crs`; can be observed.

    Raises
    ------
    ArgumentError
        A thing is nothing a map can show, or a keyword is not known. What cannot be *placed* is
        said below the map, and the rest is shown.
    """

    selection = traitlets.Tuple()
    aoi = traitlets.Any(allow_none=True, default_value=None)
    gcps = traitlets.Any()

    def __init__(
        self,
        *things: Any,
        crs: CrsLike | None = None,
        gcps: pd.DataFrame | None = None,
        aoi: AreaLike | None = None,
        basemap: str | None = None,
        height_px: int = 520,
        **unknown: Any,
    ) -> None:
        refuse_unknown(unknown, Map.__init__, "Map")
        super().__init__(crs, height_px)
        self._rows = Rows(lambda: self.tables)
        self._selected_in = self._rows.table
        self._area = AreaTool(self._stock.choose_crs, self._area_drawn, self._lock)
        self._by_hand = False
        self._area_problem = ""
        self._points = ControlPoints(self._point_moved, self._lock)
        self._point_words = ""
        self._companion.observe(self.guarded(self._picked), "picked")
        self._companion.on_msg(self.guarded(self._asked))
        self.add(*things)
        self.map.controls = (
            *self.map.controls,
            self._area.control,
            ipyleaflet.ScaleControl(position="bottomleft", imperial=in_feet(self.crs)),
            ipyleaflet.WidgetControl(
                widget=self._companion, position="topright", transparent_bg=True
            ),
        )
        if gcps is not None:
            self._points.set(gcps, self._stock.choose_crs)
            self.map.layers = (*self.map.layers, *self._points.markers)
        self.gcps = self._points.table
        self.aoi = aoi
        self.basemap = basemap
        self.zoom_to()

    # -- selection ------------------------------------------------------------------------------

    def select(self, labels: Iterable[Hashable], table: str | None = None) -> None:
        """Select rows of a table; they are highlighted.

        Parameters
        ----------
        labels : iterable
            Index labels; empty selects nothing.
        table : str or None
            Which table, a key of `tables`; the one selected in last, or the first.

        Raises
        ------
        ArgumentError
            There is no such table or row.
        """
        if table is not None:
            self._settle(table)
        with self._lock:
            if table is not None and choose(table, self.tables, "table") != self._rows.name:
                self.selection = ()
                self._rows.chosen = table
            self.selection = tuple(labels)

    @property
    def selected(self) -> pd.DataFrame:
        """The selected rows."""
        return self._rows.table.loc[list(self.selection)]

    @traitlets.validate("selection")
    def _known_labels(self, proposal: Bunch) -> Labels:
        return self._rows.known(proposal["value"])

    @traitlets.observe("selection")
    def _selection_set(self, _: Bunch) -> None:
        self._rows.chosen, self._selected_in = self._rows.name, self._rows.table
        rows = self._rows.numbers(self.selection)
        self._companion.picked = {"table": self._rows.name, "rows": rows}
        self.changed()

    def _picked(self, change: Bunch) -> None:
        with self._lock:
            if change["new"]["table"] in self.tables:
                self._rows.chosen = change["new"]["table"]
                self.selection = self._rows.labels(change["new"]["rows"])

    def _things_changed(self) -> None:
        if self.selection and self.tables.get(self._rows.name) is not self._selected_in:
            self.selection = ()  # its rows are gone

    # -- area and control points ----------------------------------------------------------------

    @traitlets.validate("aoi")
    def _as_aoi(self, proposal: Bunch) -> Aoi | None:
        area = proposal["value"]
        if area is None:
            return None
        if self._stock.crs is None and isinstance(area, Aoi):
            self._stock.crs = area.crs
        return Aoi.from_area(area, self._stock.choose_crs(np.empty((0, 2))))

    @traitlets.observe("aoi")
    def _aoi_set(self, _: Bunch) -> None:
        if not self._by_hand:
            self._area.show(self.aoi)
            self._area_problem = ""
        self._tell()

    def _area_drawn(self, aoi: Aoi | None, problem: str) -> None:
        with self._lock:
            self._by_hand, self._area_problem = True, problem
            try:
                self.aoi = aoi
            finally:
                self._by_hand = False
            self._tell()

    def _asked(self, _: MapCompanion, content: dict[str, Any], __: Any) -> None:
        if "area_of_view" in content:
            west, south, east, north = content["area_of_view"]
            corners = [(west, south), (east, south), (east, north), (west, north), (west, south)]
            self._area.take(np.array(corners))

    def move_gcp(self, label: Hashable, x: float, y: float) -> None:
        """Move a control point.

        Parameters
        ----------
        label : hashable
            Its label in the index of `gcps`.
        x, y : float
            Where to, in `crs` [CRS units].

        Raises
        ------
        ArgumentError
            There is no such point.
        """
        self._points.move(label, x, y)

    def _point_moved(self, words: str) -> None:
        self.gcps, self._point_words = self._points.table, words
        self._tell()

    def _marked(self) -> FloatArray:
        area = np.empty((0, 2)) if self.aoi is None else self.aoi.lon_lat()
        return np.concatenate([self._points.lon_lat, area])

    # -- what it says of itself -----------------------------------------------------------------

    def _tell(self) -> None:
        """Say what is wrong, or else what is worth knowing."""
        problems = [*self._stock.problems.values(), self._area_problem]
        area = "" if self.aoi is None else f"Area: {self.aoi}."
        notes = [*self._stock.notes, self._point_words, area]
        found = [text for text in problems if text]
        said = [*(found or notes), self._reading]
        self.say("\n".join(filter(None, said)), kind="problem" if found else "note")
        self.changed()

    def code(self) -> str:
        """Python that makes this map again, with what was clicked."""
        return write_code(
            self._stock,
            self._companion,
            self._points,
            rows=(self._rows.name, self.selection),
            aoi=self.aoi,
        )

    def summary(self) -> str:
        """Say what is shown, in a few lines."""
        text = describe(
            self._stock, self._companion, self._points, rows=(self._rows.name, self.selection)
        )
        return "\n".join([text, *([self.message] if self.message else [])])

    def figure(self) -> bytes | None:
        """Draw the map as PNG, without a browser."""
        layers = list(self._stock.layers.values())
        marks = Marks(
            table=self._rows.name,
            rows=frozenset(self._companion.picked["rows"]),
            area=None if self.aoi is None else self.aoi.lon_lat(),
            gcps=self._points.lon_lat,
            gcp_labels=tuple(self._points.labels),
        )
        return draw_map(layers, marks, hidden=frozenset(self._companion.hidden))
