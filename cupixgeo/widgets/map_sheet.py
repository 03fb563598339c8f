"""What is on a map, and what of it is in view: layers, base map, swipe, the clouds being read.

Knows how things become layers of an ipyleaflet map. Where they are on earth is found by
`map_stock`, what the browser draws is in ``frontend/map.js``. Must not know what is selected,
drawn or dragged there: that is `map.Map`.
"""

from __future__ import annotations

import threading
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

import ipyleaflet
import ipywidgets
import numpy as np
import pandas as pd
from pyproj import CRS
from traitlets.utils.bunch import Bunch

from cupixgeo.cloud.schema import FloatArray
from cupixgeo.geodesy.crs import CrsLike, as_crs
from cupixgeo.widgets.map_companion import BASES, TILES, MapCompanion
from cupixgeo.widgets.map_layers import Picture, as_wire
from cupixgeo.widgets.map_reading import Reading
from cupixgeo.widgets.map_stock import Stock
from cupixgeo.widgets.view import View, choose, size_px

GRATICULE = "graticule"
WORLD = (20.0, 0.0)


class MapSheet(View):
    """A map that shows things, and needs no network.

    Parameters
    ----------
    crs : CrsLike or None
        CRS of the project.
    height_px : int
        Height of the map [pixel].
    """

    def __init__(self, crs: CrsLike | None, height_px: int) -> None:
        self._lock = threading.RLock()
        self._stock = Stock(None if crs is None else as_crs(crs))
        self._read = Reading(self._stock, self._lock, told=self._told, arrived=self._arrived)
        self._reading = ""
        self._unseen: str | None = None
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
            layout=ipywidgets.Layout(height=f"{size_px(height_px)}px", width="100%"),
        )
        self._companion = MapCompanion(map_id=self.map.model_id)
        super().__init__([self.map], name="map")
        self._companion.observe(self.guarded(self._base_chosen), "base")
        self._companion.observe(lambda _: self.changed(), ["hidden", "opacity"])
        self.map.observe(self.guarded(self._moved), ["south", "west", "north", "east"])

    # -- what a subclass answers ------------------------------------------------------------------

    def _things_changed(self) -> None:
        """Follow, with the lock held, when things came, went or were replaced."""

    def _marked(self) -> FloatArray:
        """Places besides the layers that belong into view, shape (n, 2) [deg]."""
        return np.empty((0, 2))

    @abstractmethod
    def _tell(self) -> None:
        """Say what is wrong, or worth knowing."""

    # -- what is shown ----------------------------------------------------------------------------

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
            added = self._stock.add(things)
            off = {*self._companion.hidden, *self._stock.hidden(*added)} if added else set()
            self._companion.hidden = sorted(off & {*self.layers, GRATICULE})
            self._send_layers()
        self._read.begin(self.guarded)

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait until large clouds are drawn; until then the map says how far it is.

        Parameters
        ----------
        timeout_s : float or None
            How long at most [s].

        Returns
        -------
        bool
            Whether there is nothing left to wait for.
        """
        return self._read.wait(timeout_s)

    def _settle(self, layer: str) -> None:
        """Wait for clouds that are being read where one of them may bring a layer."""
        if self._stock.waiting and layer not in (*self.layers, GRATICULE):
            self.wait()

    def _told(self, words: str) -> None:
        with self._lock:
            self._reading = words
            self._tell()

    def _arrived(self, name: str) -> None:
        self._send_layers()
        if self._unseen in ("", name):
            self.zoom_to(self._unseen or None)

    def remove(self, name: str) -> None:
        """Take a thing off the map.

        Raises
        ------
        ArgumentError
            There is none of that name.
        """
        with self._lock:
            gone = choose(name, self._stock.things, "thing on the map")
            self._stock.forget(gone)
            self._send_layers()

    def hide(self, name: str) -> None:
        """Switch a layer, or ``"graticule"``, off.

        Raises
        ------
        ArgumentError
            There is no such layer.
        """
        self._settle(name)
        name = choose(name, [*self.layers, GRATICULE], "layer")
        self._companion.hidden = [*(n for n in self._companion.hidden if n != name), name]

    def show(self, name: str) -> None:
        """Switch a layer, or ``"graticule"``, on.

        Raises
        ------
        ArgumentError
            There is no such layer.
        """
        self._settle(name)
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
        self._settle(left)
        self._settle(right)
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
        """Bring a layer, all layers of a thing, or all that is shown, into view.

        A cloud that is still being read is brought into view when it is there.

        Raises
        ------
        ArgumentError
            There is no such layer or thing.
        """
        waiting = self._stock.waiting
        self._unseen = (name or "") if waiting and name in (None, *waiting) else None
        if name is not None:
            known = dict.fromkeys([*self.layers, *self._stock.things])
            corners = self._stock.corners_of(choose(name, known, "layer"))
        else:
            corners = np.concatenate([self._stock.corners, self._marked()])
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
        self._things_changed()
        self._tell()

    def _base_chosen(self, _: Bunch) -> None:
        with self._lock:
            others = tuple(layer for layer in self.map.layers if layer is not self._tiles)
            self._tiles = ipyleaflet.TileLayer(**TILES[self.basemap]) if self.basemap else None
            self.map.layers = others if self._tiles is None else (self._tiles, *others)
            self.changed()

    def _moved(self, _: Bunch) -> None:
        seen = self.map
        self._companion.follow(self.crs, (seen.west, seen.south), (seen.east, seen.north))
