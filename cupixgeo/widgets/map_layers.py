"""What a map shows: points, outlines and pictures in longitude and latitude, and their legend.

Knows how a layer is packed for the browser, as typed arrays and compressed pictures, and what it
looks like. Must not know where layers come from, nor widgets.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd
from pyproj import CRS

from cupixgeo.cloud.schema import FloatArray
from cupixgeo.pipeline.lonlat import MapPicture
from cupixgeo.pipeline.picture import COLORMAPS, encode

POINT_COLOURS = ("#d9480f", "#7b3ff2", "#00897b", "#c2185b", "#5d6d1e")
OUTLINE_COLOURS = ("#0072b2", "#cc79a7", "#009e73", "#b26a00", "#5f6b76")

VERDICT_COLOURS = {"ok": "#2a9d6f", "warn": "#e08a00", "reject": "#d03030"}

OUTLINE_FILL = 0.06
"""Opacity of the inside of an outline."""


@dataclass(frozen=True, eq=False)
class Classes:
    """Kinds of rows that have colours of their own.

    Parameters
    ----------
    codes : ndarray, shape (n,), uint8
        Kind of each row.
    names, colours : tuple of str
        Of each kind.
    """

    codes: npt.NDArray[np.uint8]
    names: tuple[str, ...]
    colours: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Points:
    """Places of the rows of a table.

    Parameters
    ----------
    name : str
        In the legend.
    table : str
        Name of the table whose rows they are, a key of `Map.tables`.
    lon_lat : ndarray, shape (n, 2), float64 [deg]
        WGS 84, longitude first, one for each row; NaN where it has no place.
    labels : sequence of str
        One for each row.
    classes : Classes or None
        Kinds of rows.
    """

    name: str
    table: str
    lon_lat: FloatArray
    labels: Sequence[str]
    classes: Classes | None = None

    @property
    def corners(self) -> FloatArray:
        """Known places, shape (m, 2), float64 [deg]."""
        return self.lon_lat[np.isfinite(self.lon_lat).all(axis=1)]


@dataclass(frozen=True, eq=False)
class Outlines:
    """Outlines of the rows of a table.

    Parameters
    ----------
    name, table : str
        As of `Points`.
    rings : sequence of ndarray, shape (k, 2), float64 [deg]
        One for each row, WGS 84, longitude first; empty where the outline is not known.
    labels : sequence of str
        One for each row.
    classes : Classes or None
        Kinds of rows.
    is_filled : bool
        False for outlines that overlap, so that what is below is not covered.
    """

    name: str
    table: str
    rings: Sequence[FloatArray]
    labels: Sequence[str]
    classes: Classes | None = None
    is_filled: bool = True

    @property
    def corners(self) -> FloatArray:
        """All vertices, shape (m, 2), float64 [deg]."""
        return np.concatenate([np.empty((0, 2)), *self.rings])


@dataclass(frozen=True)
class Ramp:
    """Meaning of a picture's colours.

    Parameters
    ----------
    colormap : str
        Key of `COLORMAPS`.
    low, high, unit : str
        Written below its ends and its middle.
    """

    colormap: str
    low: str
    high: str
    unit: str


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture on the map.

    Parameters
    ----------
    name : str
        In the legend.
    picture : MapPicture
        In web Mercator.
    ramp : Ramp or None
        What its colours mean.
    """

    name: str
    picture: MapPicture
    ramp: Ramp | None = None

    @property
    def corners(self) -> FloatArray:
        """South-west and north-east corner, shape (2, 2), float64 [deg]."""
        at = self.picture
        return np.array([[at.west, at.south], [at.east, at.north]])


Layer: TypeAlias = Points | Outlines | Picture


@dataclass(frozen=True, eq=False)
class Shown:
    """What one thing becomes on a map.

    Parameters
    ----------
    layers : tuple of Layer
        From the lowest to the topmost.
    tables : mapping of str to pandas.DataFrame
        The tables whose rows the layers show.
    hidden : tuple of str
        Names of layers that are off at first.
    notes : tuple of str
        What the user ought to know.
    crs : pyproj.CRS or None
        What its own coordinates are in.
    """

    layers: tuple[Layer, ...]
    tables: dict[str, pd.DataFrame] = field(default_factory=dict)
    hidden: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    crs: CRS | None = None


def colour_of(layer: Layer, layers: Sequence[Layer]) -> str:
    """Colour of a layer among others: each kind goes through its own colours."""
    if isinstance(layer, Picture):
        return ""
    alike = [other for other in layers if type(other) is type(layer)]
    colours = POINT_COLOURS if isinstance(layer, Points) else OUTLINE_COLOURS
    return colours[next(i for i, other in enumerate(alike) if other is layer) % len(colours)]


def as_wire(layer: Layer, layers: Sequence[Layer]) -> dict[str, Any]:
    """Pack a layer for the browser, as ``frontend/map.js`` reads it.

    Parameters
    ----------
    layer : Layer
    layers : sequence of Layer
        All that are shown; they decide on the colour.

    Returns
    -------
    dict
        Numbers as bytes: coordinates float64, starts of rings uint32, classes uint8.
    """
    packed: dict[str, Any] = {"key": layer.name, "name": layer.name}
    if isinstance(layer, Picture):
        at = layer.picture
        packed |= {
            "kind": "picture",
            "image": encode(at.image),
            "bounds": [[at.south, at.west], [at.north, at.east]],
        }
        if layer.ramp is not None:
            packed["ramp"] = {
                "colours": list(COLORMAPS[layer.ramp.colormap]),
                "low": layer.ramp.low,
                "high": layer.ramp.high,
                "unit": layer.ramp.unit,
            }
        return packed
    packed |= {
        "table": layer.table,
        "colour": colour_of(layer, layers),
        "text": "\n".join(label.replace("\n", " ") for label in layer.labels),
    }
    if isinstance(layer, Points):
        packed |= {"kind": "points", "xy": layer.lon_lat.tobytes()}
    else:
        starts = np.cumsum([0, *map(len, layer.rings)]).astype(np.uint32)
        packed |= {
            "kind": "outlines",
            "xy": layer.corners.tobytes(),
            "starts": starts.tobytes(),
            "fill": OUTLINE_FILL if layer.is_filled else 0.0,
        }
    if layer.classes is not None:
        packed |= {
            "classes": layer.classes.codes.tobytes(),
            "palette": list(layer.classes.colours),
        }
        if isinstance(layer, Points):
            packed["legend"] = class_legend(layer.classes)
    return packed


def class_legend(classes: Classes) -> list[dict[str, Any]]:
    """Name, colour and number of rows of each kind that there is."""
    counts = np.bincount(classes.codes, minlength=len(classes.names)).tolist()
    kinds = zip(classes.names, classes.colours, counts, strict=True)
    return [
        {"name": name, "colour": colour, "count": count} for name, colour, count in kinds if count
    ]
