"""Areas: the box of a cloud whose file states none that can be true, and those users ask for.

An `Area` holds the points on its west and south edges (and at its lowest z), not those on its east
and north edges (nor at its highest z), so that areas side by side share no point and lose none.
A box that a user writes is closed, as in laspy and PDAL, so that a cloud is whole inside its own
bounds: `read_area` moves its far edges out by one step of float64. A polygon is read as it is.

Must not know any format.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from pyproj import CRS

from cupixgeo.cloud.schema import FloatArray, PointReader
from cupixgeo.errors import CloudError, EmptyCloudError
from cupixgeo.formats.polygon import (
    BoolArray,
    Polygon,
    crossed_boxes,
    inside,
    read_polygons,
)
from cupixgeo.geodesy.crs import crs_label

BoxLike = Sequence[float] | npt.ArrayLike
"""West, south, east, north; or the lowest and the highest corner, shape (2, 2) or (2, 3)."""

AreaLike = Any
"""A `BoxLike`; the vertices of a polygon, shape (n, 2), n ≥ 3; a GeoJSON-like mapping or an object
with ``__geo_interface__`` that is or holds polygons; or an `Area`."""

DEGREES = np.array([180.0, 90.0])
"""Greatest longitude and latitude [deg]."""


@dataclass(frozen=True, eq=False)
class Area:
    """Where points are wanted: a box, or polygons within a box.

    Parameters
    ----------
    low, high : ndarray, shape (3,), float64 [CRS units]
        Its box, `low` inside, `high` outside; infinite where there is no limit.
    polygons : tuple of Polygon
        Empty where the box is all there is.
    """

    low: FloatArray
    high: FloatArray
    polygons: tuple[Polygon, ...] = field(default=(), repr=False)

    @property
    def is_box(self) -> bool:
        """Whether it is bounded by its box alone."""
        return not self.polygons

    @property
    def is_everywhere(self) -> bool:
        """Whether it has no limit at all."""
        return self.is_box and bool(np.isinf([self.low, self.high]).all())

    def __str__(self) -> str:
        count = len(self.polygons)
        shape = f" in {count} polygon{'s' * (count > 1)}" if count else ""
        return f"{_shown(self.low)} to {_shown(self.high)}{shape}"

    def contains(
        self, x: npt.ArrayLike, y: npt.ArrayLike, z: npt.ArrayLike | None = None
    ) -> BoolArray:
        """Say which points are in the area.

        Parameters
        ----------
        x, y, z : array_like, shape (n,) [CRS units]
            Coordinates in the CRS of the area; without `z` every height will do.

        Returns
        -------
        ndarray, shape (n,), bool
            `low` and west and south edges are in, `high` and east and north edges are out. A
            coordinate that is not finite is nowhere.
        """
        x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
        held = np.ones(x.shape, np.bool_)
        held &= (x >= self.low[0]) & (x < self.high[0])
        held &= (y >= self.low[1]) & (y < self.high[1])
        if z is not None:
            height = np.asarray(z, np.float64)
            held &= (height >= self.low[2]) & (height < self.high[2])
        if self.polygons:
            held[held] = inside(self.polygons, x[held], y[held])
        return held

    def touches(self, low: FloatArray, high: FloatArray) -> BoolArray:
        """Say which boxes may hold points of the area.

        Parameters
        ----------
        low, high : ndarray, shape (k, 3), float64 [CRS units]
            Corners of the boxes, all edges included.

        Returns
        -------
        ndarray, shape (k,), bool
            False is certain.
        """
        near: BoolArray = np.logical_and.reduce((low <= self.high) & (high >= self.low), axis=1)
        if self.polygons:
            low, high = low[near, :2], high[near, :2]
            middle = (low + high) / 2
            held = inside(self.polygons, middle[:, 0], middle[:, 1])
            near[near] = held | crossed_boxes(self.polygons, low, high)
        return near

    def covers(self, low: FloatArray, high: FloatArray) -> BoolArray:
        """Say which boxes hold nothing but points of the area.

        Parameters
        ----------
        low, high : ndarray, shape (k, 3), float64 [CRS units]
            Corners of the boxes, all edges included.

        Returns
        -------
        ndarray, shape (k,), bool
            True is certain.
        """
        within: BoolArray = np.logical_and.reduce((low >= self.low) & (high < self.high), axis=1)
        if self.polygons:
            low, high = low[within, :2], high[within, :2]
            middle = (low + high) / 2
            held = inside(self.polygons, middle[:, 0], middle[:, 1])
            within[within] = held & ~crossed_boxes(self.polygons, low, high)
        return within

    def check_units(self, box: FloatArray, crs: CRS, name: object) -> None:
        """Refuse degrees for a cloud in metres, and metres for one in degrees.

        Parameters
        ----------
        box : ndarray, shape (2, 3), float64 [CRS units]
            Where the cloud is, roughly.
        crs : CRS
            Of the cloud.
        name : object
            The cloud, for the message.

        Raises
        ------
        CloudError
            The area cannot be meant as it stands: it is far from the cloud, and would be
            near the earth's surface in the other unit.
        """
        corners = np.abs(np.stack([self.low[:2], self.high[:2]]))
        if not np.isfinite([corners, box[:, :2]]).all():
            return
        looks_degrees = bool((corners <= DEGREES).all())
        is_degrees = bool((np.abs(box[:, :2]) <= 2 * DEGREES).all())
        if crs.is_projected and looks_degrees and not is_degrees:
            told = "looks like longitude and latitude"
        elif crs.is_geographic and is_degrees and not (corners <= 2 * DEGREES).all():
            told = "cannot be longitude and latitude"
        else:
            return
        raise CloudError(
            f"the area from {_shown(self.low)} to {_shown(self.high)} {told}, but {name} is in "
            f"{crs_label(crs)}, around {_shown(box[0])}. Give the area in the CRS of the cloud, "
            "x (east, longitude) before y (north, latitude)."
        )


def box_of_points(reader: PointReader) -> FloatArray:
    """Read all points once for their smallest box.

    Returns
    -------
    ndarray, shape (2, 3), float64 [CRS units]
        Coordinates that are not finite do not count.

    Raises
    ------
    EmptyCloudError
        No point has coordinates.
    """
    low, high = np.full(3, np.inf), np.full(3, -np.inf)
    for block in reader.blocks(columns=()):
        xyz = block.xyz
        if not np.isfinite(xyz).all():
            xyz = np.where(np.isfinite(xyz), xyz, np.nan)
        low = np.fmin(low, np.fmin.reduce(xyz))
        high = np.fmax(high, np.fmax.reduce(xyz))
    if not (low <= high).all():
        raise EmptyCloudError(
            f"{reader.info.path} holds no points, so it has no bounds. Leave it out."
        )
    return np.stack([low, high])


def read_box(
    bounds: BoxLike | None, z: tuple[float | None, float | None] | None = None
) -> FloatArray:
    """Read a box as users write it.

    Parameters
    ----------
    bounds : 4 numbers or array_like, shape (2, 2) or (2, 3) [CRS units], or None
        West, south, east, north; or the lowest and the highest corner; None is everywhere.
    z : tuple of 2 (float or None) or None
        Lowest and highest z [CRS units], over those of `bounds`.

    Returns
    -------
    ndarray, shape (2, 3), float64 [CRS units]
        Infinite where there is no limit.

    Raises
    ------
    CloudError
        It is not a box.
    """
    box = np.array([[-np.inf] * 3, [np.inf] * 3])
    if bounds is not None:
        try:
            given = np.asarray(bounds, np.float64)
        except (TypeError, ValueError):
            raise CloudError(
                f"bounds={bounds!r:.80} are no numbers. Give (west, south, east, north), two "
                "corners, the vertices of a polygon, or GeoJSON."
            ) from None
        given = given.reshape(2, 2) if given.shape == (4,) else given
        if given.shape not in ((2, 2), (2, 3)):
            raise CloudError(
                f"bounds of shape {given.shape} are no box, and no polygon either. Give (west, "
                "south, east, north), two corners, 3 or more vertices (x, y), or GeoJSON."
            )
        box[:, : given.shape[1]] = given
    for row, limit in enumerate(z or ()):
        if limit is not None:
            box[row, 2] = limit
    if not (box[0] <= box[1]).all():
        raise CloudError(
            f"the box from {box[0].tolist()} to {box[1].tolist()} has no inside. Give the lowest "
            "corner first."
        )
    return box


def read_area(area: AreaLike, *, z: tuple[float | None, float | None] | None = None) -> Area:
    """Read an area as users write it.

    Parameters
    ----------
    area : 4 numbers; array_like, shape (2, 2), (2, 3) or (n, 2); mapping; Area; or None
        West, south, east, north, or the lowest and the highest corner, edges included; 3 or
        more vertices of a polygon; GeoJSON, or an object with ``__geo_interface__``, of polygons
        with or without holes. In the CRS of the cloud [CRS units], also where GeoJSON would have
        degrees. None is everywhere.
    z : tuple of 2 (float or None) or None
        Lowest and highest z, both included [CRS units]; further limits than those of `area`.

    Returns
    -------
    Area

    Raises
    ------
    CloudError
        It is not an area: not a shape, no inside, edges that cross, not numbers.
    """
    if isinstance(area, Area):
        return Area(*_limited(area.low, area.high, z), area.polygons)
    if not _is_polygon(area):
        low, high = read_box(area, z)
        return Area(low, np.nextafter(high, np.inf))
    polygons = read_polygons(area)
    outer = np.concatenate([polygon[0] for polygon in polygons])
    sides = ((outer.min(axis=0), -np.inf), (outer.max(axis=0), np.inf))
    low, high = (np.append(xy, height) for xy, height in sides)
    return Area(*_limited(low, high, z), polygons)


def _limited(
    low: FloatArray, high: FloatArray, z: tuple[float | None, float | None] | None
) -> tuple[FloatArray, FloatArray]:
    """Limit the z of an area as a user writes it, both ends included."""
    box = read_box(None, z)
    box[1, 2] = np.nextafter(box[1, 2], np.inf)
    return np.maximum(low, box[0]), np.minimum(high, box[1])


def _shown(corner: FloatArray) -> str:
    return f"({corner[0]:.12g}, {corner[1]:.12g})"


def _is_polygon(area: AreaLike) -> bool:
    if isinstance(area, Mapping) or hasattr(area, "__geo_interface__"):
        return True
    try:
        return area is not None and np.ndim(area) == 2 and np.shape(area)[0] > 2
    except ValueError:  # rows of different lengths: no box either
        return False
