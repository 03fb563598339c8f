"""What a map has: things by name, their layers and tables, and what is to be said of them.

Knows how a thing is added, replaced and taken away. Must not know widgets.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from pyproj import CRS

from cupixgeo.cloud.schema import FloatArray
from cupixgeo.errors import CrsError, CupixGeoError
from cupixgeo.geodesy.crs import suggest_utm
from cupixgeo.progress import ProgressFn
from cupixgeo.widgets.map_clouds import check_place
from cupixgeo.widgets.map_layers import Layer, Shown
from cupixgeo.widgets.map_things import is_table, named_things, read_thing, slow_crs


class Stock:
    """Things on a map.

    Parameters
    ----------
    crs : pyproj.CRS or None
        CRS of the project; unless given, that of the first thing that has one.

    Raises
    ------
    FrameError
        `crs` has no place on a map.
    """

    def __init__(self, crs: CRS | None) -> None:
        if crs is not None:
            check_place("The project", crs)
        self.crs = crs
        self.things: dict[str, Any] = {}
        self.problems: dict[str, str] = {}
        self._shown: dict[str, Shown] = {}
        self.waiting: list[str] = []

    @property
    def layers(self) -> dict[str, Layer]:
        """By name, the lowest first."""
        return {layer.name: layer for shown in self._shown.values() for layer in shown.layers}

    @property
    def tables(self) -> dict[str, pd.DataFrame]:
        """Tables whose rows the layers show; those that users gave come first."""
        order = sorted(self._shown, key=lambda name: not is_table(self.things[name]))
        return {key: table for name in order for key, table in self._shown[name].tables.items()}

    @property
    def notes(self) -> list[str]:
        """What a user ought to know of what is shown."""
        return [note for shown in self._shown.values() for note in shown.notes]

    def hidden(self, *names: str) -> set[str]:
        """Names of the layers that are off at first: those of some things, or of all."""
        chosen = names or tuple(self._shown)
        return {
            layer for name in chosen if name in self._shown for layer in self._shown[name].hidden
        }

    @property
    def corners(self) -> FloatArray:
        """Of all layers, shape (n, 2), float64 [deg]."""
        parts = [layer.corners for layer in self.layers.values()]
        return np.concatenate([np.empty((0, 2)), *parts])

    def corners_of(self, name: str) -> FloatArray:
        """Of a layer, or of all layers of a thing, shape (n, 2), float64 [deg]."""
        if name in self.layers:
            return self.layers[name].corners
        shown = self._shown.get(name)
        parts = [] if shown is None else [layer.corners for layer in shown.layers]
        return np.concatenate([np.empty((0, 2)), *parts])

    def add(self, things: tuple[Any, ...]) -> list[str]:
        """Take in things; one whose name is there replaces it.

        Returns
        -------
        list of str
            Their names. What cannot be placed is in `problems`.

        Raises
        ------
        ArgumentError
            One of them is nothing a map can show; none is taken in.
        """
        named = list(named_things(things))
        for name, thing in named:
            self.problems.pop(name, None)
            self._shown.pop(name, None)
            self.things[name] = thing
            try:
                crs = slow_crs(name, thing)
            except CupixGeoError as error:
                self._refuse(name, error)
                continue
            if crs is None:
                self.read(name)
                continue
            self._shown[name] = Shown((), crs=crs)
            self.waiting = [*(other for other in self.waiting if other != name), name]
            self.crs = self.crs or crs
        return [name for name, _ in named]

    def read(self, name: str, progress: ProgressFn | None = None) -> bool:
        """Turn a thing into layers; what is wrong with it goes to `problems`.

        Parameters
        ----------
        name : str
            A key of `things`.
        progress : callable or None
            Told while points are read; it ends the reading by raising `CancelledError`.

        Returns
        -------
        bool
            False where the thing was taken away or replaced meanwhile.
        """
        thing = self.things.get(name)
        shown: Shown | None = None
        problem: CupixGeoError | None = None
        try:
            shown = read_thing(name, thing, self.crs, progress)
        except CupixGeoError as error:
            problem = error
        if self.things.get(name) is not thing:
            return False
        self.waiting = [other for other in self.waiting if other != name]
        if shown is not None:
            self._shown[name] = shown
            self.crs = self.crs or shown.crs
        elif problem is not None:
            self._refuse(name, problem)
        return True

    def _refuse(self, name: str, error: CupixGeoError) -> None:
        self._shown.pop(name, None)
        words = str(error)
        self.problems[name] = words if name in words else f"{name}: {words}"

    def forget(self, name: str) -> None:
        """Take a thing away."""
        for kept in (self.things, self.problems, self._shown):
            kept.pop(name, None)
        self.waiting = [other for other in self.waiting if other != name]

    def choose_crs(self, lon_lat: FloatArray) -> CRS:
        """Return the project's CRS; where there is none yet, it is the UTM zone of a place.

        Parameters
        ----------
        lon_lat : ndarray, shape (n, 2), float64 [deg]
            Places there.

        Raises
        ------
        CrsError
            There is neither a CRS nor a place.
        """
        if self.crs is None:
            if not len(lon_lat):
                raise CrsError("nothing on the map says in which CRS the project is. Give crs=.")
            lon, lat = np.median(lon_lat, axis=0).tolist()
            self.crs = suggest_utm((lon + 180) % 360 - 180, lat)
        return self.crs
