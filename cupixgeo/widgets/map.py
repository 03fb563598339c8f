"""A map of what a survey has: cameras, clouds, photos, results, control points, an area.

Knows how layers, selection, area and control points go between Python and the browser. Where
things are on earth is found by `map_stock`, what the browser draws is in ``frontend/map.js``.
"""

from __future__ import annotations

import threading
from collections.abc import Hashable, Iterable, Mapping
from typing import Any

import ipyleaflet
import ipywidgets
import numpy as np
import pandas as pd
import traitlets
from pyproj import CRS
from traitlets.utils.bunch import Bunch

from cupixgeo.errors import ArgumentError
from cupixgeo.formats.extent import AreaLike
from cupixgeo.geodesy.crs import CrsLike, as_crs, crs_label
from cupixgeo.widgets.aoi import Aoi
from cupixgeo.widgets.map_area import AreaTool
from cupixgeo.widgets.map_code import crs_word, made
from cupixgeo.widgets.map_companion import BASES, TILES, MapCompanion
from cupixgeo.widgets.map_figure import Marks, draw_map
from cupixgeo.widgets.map_gcps import ControlPoints
from cupixgeo.widgets.map_layers import Picture, as_wire
from cupixgeo.widgets.map_stock import Stock
from cupixgeo.widgets.repeat import Name, call
from cupixgeo.widgets.view import View, choose, name_of, refuse_unknown

GRATICULE = "graticule"
WORLD = (20.0, 0.0)


class Map(View):
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
        self._lock = threading.RLock()
        self._stock = Stock(None if crs is None else as_crs(crs))
        self._area = AreaTool(self._stock.choose_crs, self._area_drawn, self._lock)
        self._by_hand = False
        self._area_problem = ""
        self._points = ControlPoints(self._point_moved, self._lock)
        self._point_words = ""
        self._active = ""
        self._tiles: ipyleaflet.TileLayer | None = None
        self.map = ipyleaflet.Map(
            basemap={},
            layers=(),
            center=WORLD,
            zoom=2,
            min_zoom=1,
            max_zoom=26,
            zoom_snap=0.25,
            zoom_delta=0.5,
            scroll_wheel_zoom=True,
            layout=ipywidgets.Layout(height=f"{height_px}px", width="100%"),
        )
        self._companion = MapCompanion(map_id=self.map.model_id)
        self.map.controls = (
            *self.map.controls,
            self._area.control,
            ipyleaflet.ScaleControl(position="bottomleft", imperial=False),
            ipyleaflet.WidgetControl(
                widget=self._companion, position="topright", transparent_bg=True
            ),
        )
        super().__init__([self.map], name="map")
        self._listen()
        self.add(*things)
        if gcps is not None:
            self._points.set(gcps, self._stock.choose_crs)
            self.map.layers = (*self.map.layers, *self._points.markers)
        self.gcps = self._points.table
        self.aoi = aoi
        self.basemap = basemap
        self.zoom_to()

    def _listen(self) -> None:
        self._companion.observe(self.guarded(self._picked), "picked")
        self._companion.observe(self.guarded(self._base_chosen), "base")
        self._companion.observe(lambda _: self.changed(), ["hidden", "opacity"])
        self._companion.on_msg(self.guarded(self._asked))
        self.map.observe(self.guarded(self._moved), ["south", "west", "north", "east"])

    def _moved(self, _: Bunch) -> None:
        seen = self.map
        self._companion.follow(self.crs, (seen.west, seen.south), (seen.east, seen.north))

    # -- what is shown --------------------------------------------------------------------------

    @property
    def crs(self) -> CRS | None:
        """CRS of the project; None as long as nothing is shown and none was given."""
        return self._stock.crs

    @property
    def layers(self) -> list[str]:
        """Names of the layers, from the lowest to the topmost."""
        return list(self._stock.layers)

    @property
    def tables(self) -> Mapping[str, pd.DataFrame]:
        """The tables whose rows can be selected, by name."""
        return self._stock.tables

    def add(self, *things: Any) -> None:
        """Show further things; one whose name is there replaces it.

        Raises
        ------
        ArgumentError
            A thing is nothing a map can show.
        """
        with self._lock:
            before = self.tables.get(self._table_name())
            added = self._stock.add(things)
            if self.tables.get(self._table_name()) is not before:
                self.selection = ()  # its rows are gone
            off = {*self._companion.hidden, *self._stock.hidden(*added)} if added else set()
            self._companion.hidden = sorted(off & {*self.layers, GRATICULE})
            self._send_layers()

    def remove(self, name: str) -> None:
        """Take a thing off the map.

        Raises
        ------
        ArgumentError
            There is none of that name.
        """
        with self._lock:
            gone = choose(name, self._stock.things, "thing on the map")
            before = self._table_name()
            self._stock.forget(gone)
            if self._table_name() != before:
                self.selection = ()
            self._send_layers()

    def hide(self, name: str) -> None:
        """Switch a layer, or ``"graticule"``, off.

        Raises
        ------
        ArgumentError
            There is no such layer.
        """
        name = choose(name, [*self.layers, GRATICULE], "layer")
        self._companion.hidden = [*(n for n in self._companion.hidden if n != name), name]

    def show(self, name: str) -> None:
        """Switch a layer, or ``"graticule"``, on.

        Raises
        ------
        ArgumentError
            There is no such layer.
        """
        name = choose(name, [*self.layers, GRATICULE], "layer")
        self._companion.hidden = [n for n in self._companion.hidden if n != name]

    def swipe(self, left: str | None, right: str | None) -> None:
        """Put a divider on the map that is dragged between two pictures.

        Parameters
        ----------
        left, right : str or None
            Layers that are pictures; None takes the divider away.

        Raises
        ------
        ArgumentError
            There is no such picture.
        """
        if left is None or right is None:
            self._companion.swipe = {}
            return
        pictures = [
            name for name, layer in self._stock.layers.items() if isinstance(layer, Picture)
        ]
        for name in (left, right):
            choose(name, pictures, "picture")
        self._companion.swipe = {"left": left, "right": right, "at": 0.5}

    @property
    def basemap(self) -> str | None:
        """``"osm"`` while tiles are asked for from the internet, None otherwise; can be set."""
        return self._companion.base["value"] or None

    @basemap.setter
    def basemap(self, name: str | None) -> None:
        value = "" if name is None else choose(name, [n for n in BASES if n], "basemap")
        self._companion.base = {**self._companion.base, "value": value}

    def zoom_to(self, name: str | None = None) -> None:
        """Bring a layer, or all that is shown, into view.

        Raises
        ------
        ArgumentError
            There is no such layer.
        """
        if name is not None:
            corners = self._stock.layers[choose(name, self.layers, "layer")].corners
        else:
            area = np.empty((0, 2)) if self.aoi is None else self.aoi.lon_lat()
            corners = np.concatenate([self._stock.corners, self._points.lon_lat, area])
        if len(corners):
            low, high = corners.min(axis=0), corners.max(axis=0)
            (west, south), (east, north) = low.tolist(), high.tolist()
            self._companion.fit_plane(self.crs, low, high)
            self._companion.fit = {
                "bounds": [[south, west], [north, east]],
                "serial": self._companion.fit["serial"] + 1,
            }

    def _send_layers(self) -> None:
        layers = list(self._stock.layers.values())
        self._companion.layers = [as_wire(layer, layers) for layer in layers]
        if len(self._stock.corners):
            self._stock.choose_crs(self._stock.corners)
        self._tell()

    def _base_chosen(self, _: Bunch) -> None:
        with self._lock:
            others = tuple(layer for layer in self.map.layers if layer is not self._tiles)
            self._tiles = ipyleaflet.TileLayer(**TILES[self.basemap]) if self.basemap else None
            self.map.layers = others if self._tiles is None else (self._tiles, *others)
            self.changed()

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
        with self._lock:
            if table is not None and choose(table, self.tables, "table") != self._table_name():
                self.selection = ()
                self._active = table
            self.selection = tuple(labels)

    @property
    def selected(self) -> pd.DataFrame:
        """The selected rows."""
        table = self.tables.get(self._table_name(), pd.DataFrame())
        return table.loc[list(self.selection)]

    def _table_name(self) -> str:
        """Return the table rows are selected in: the one used last, or the first; may be empty."""
        return self._active if self._active in self.tables else next(iter(self.tables), "")

    @traitlets.validate("selection")
    def _known_labels(self, proposal: Bunch) -> tuple[Hashable, ...]:
        labels = tuple(proposal["value"])
        table = self.tables.get(self._table_name(), pd.DataFrame())
        places = table.index.get_indexer_for(pd.Index(labels))
        if (places < 0).any():
            wrong = labels[int(np.flatnonzero(places < 0)[0])]
            there = ", ".join(map(repr, table.index[:3].tolist()))
            raise ArgumentError(
                f"there is no row {wrong!r} in {self._table_name() or 'an empty map'}. Give labels "
                f"of its index: {there or 'it has none'}, ..."
            )
        return labels

    @traitlets.observe("selection")
    def _selection_set(self, _: Bunch) -> None:
        table = self._table_name()
        index = self.tables[table].index if table else pd.Index([])
        rows = index.get_indexer_for(pd.Index(self.selection)).tolist()
        self._companion.picked = {"table": table, "rows": rows}
        self.changed()

    def _picked(self, change: Bunch) -> None:
        with self._lock:
            table, rows = change["new"]["table"], change["new"]["rows"]
            if table in self.tables:
                self._active = table
                index = self.tables[
                    table
                ].index  # perhaps of a new table, while the click was on its way
                self.selection = tuple(index[[row for row in rows if row < len(index)]])

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

    # -- what it says of itself -----------------------------------------------------------------

    def _tell(self) -> None:
        """Say what is wrong, or else what is worth knowing."""
        problems = [*self._stock.problems.values(), self._area_problem]
        area = "" if self.aoi is None else f"Area: {self.aoi}."
        notes = [*self._stock.notes, self._point_words, area]
        found = [text for text in problems if text]
        self.say(
            "\n".join(found or [text for text in notes if text]),
            kind="problem" if found else "note",
        )
        self.changed()

    def code(self) -> str:
        """Python that makes this map again, with what was clicked."""
        options: dict[str, Any] = {}
        if self.crs is not None:
            options["crs"] = Name(crs_word(self.crs))
        if self._points.given is not None:
            options["gcps"] = Name(name_of(self._points.given, "gcps"))
        if self.basemap:
            options["basemap"] = self.basemap
        lines = [*made(self._stock.things, options)]
        off, off_at_first = set(self._companion.hidden), self._stock.hidden()
        lines += [call("m.hide", name) for name in sorted(off - off_at_first)]
        lines += [call("m.show", name) for name in sorted(off_at_first - off)]
        if self._companion.swipe:
            lines.append(call("m.swipe", *(self._companion.swipe[k] for k in ("left", "right"))))
        if self.selection:
            lines.append(call("m.select", Name(repr(list(self.selection))), self._table_name()))
        if self.aoi is not None:
            lines.append(f"m.aoi = {self.aoi.code()}")
        moved = self._points.moved.items()
        lines += [
            call("m.move_gcp", Name(repr(label)), round(x, 4), round(y, 4))
            for label, (x, y) in moved
        ]
        return "\n".join([*lines, "m"])

    def summary(self) -> str:
        """Say what is shown, in a few lines."""
        shown = [name for name in self.layers if name not in self._companion.hidden]
        lines = [f"Map of {', '.join(shown) or 'nothing yet'}."]
        if self.crs is not None:
            lines.append(f"Project in {crs_label(self.crs)}.")
        if self.selection:
            lines.append(f"{len(self.selection):,} of {self._table_name()} selected.")
        if self._points.labels:
            lines.append(f"Control points: {', '.join(self._points.labels)}.")
        return "\n".join([*lines, *([self.message] if self.message else [])])

    def figure(self) -> bytes | None:
        """Draw the map as PNG, without a browser."""
        layers = list(self._stock.layers.values())
        marks = Marks(
            table=self._table_name(),
            rows=frozenset(self._companion.picked["rows"]),
            area=None if self.aoi is None else self.aoi.lon_lat(),
            gcps=self._points.lon_lat,
            gcp_labels=tuple(self._points.labels),
        )
        return draw_map(layers, marks, hidden=frozenset(self._companion.hidden))
