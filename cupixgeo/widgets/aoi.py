"""An area of interest: a polygon that says in which CRS it is.

Knows how to carry the edges of a polygon from one CRS to another so that they stay what they were,
and how to show the polygon to services and maps. Must not know widgets.

An edge that is straight in one CRS is curved in another. So vertices are put in between before a
polygon is carried over, as many as it takes to stay within a tolerance and no more: a building
site keeps its four corners, a district gets a few more.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from pyproj import CRS

from cupixgeo.cloud.schema import FloatArray
from cupixgeo.errors import CloudError
from cupixgeo.formats.extent import AreaLike, read_area
from cupixgeo.geodesy.crs import CrsLike, as_crs, crs_label, same_crs
from cupixgeo.geodesy.units import metres_per_unit
from cupixgeo.pipeline.lonlat import from_lon_lat, horizontal, mercator_y, to_lon_lat

TOLERANCE_M = 0.01
"""[m] an edge may be off its true course after a change of CRS."""

MOST_VERTICES = 20_000
"""Where putting in vertices ends: an edge that crosses a pole or 180° would need ever more."""

EARTH_M = 6_378_137.0
"""[m] radius of the sphere of web Mercator."""


@dataclass(frozen=True)
class Aoi:
    """A polygon without holes, and its CRS.

    Wherever an area is asked for in the same CRS, it can be given as it is: it has a
    ``__geo_interface__``.

    Parameters
    ----------
    vertices : tuple of (float, float) [CRS units]
        In order, x before y, counter-clockwise, the first not repeated at the end.
    crs : pyproj.CRS
        What they are in.
    """

    vertices: tuple[tuple[float, float], ...]
    crs: CRS

    @classmethod
    def from_area(cls, area: AreaLike, crs: CrsLike) -> Aoi:
        """Read an area as users write it.

        Parameters
        ----------
        area : Aoi, 4 numbers, array_like of shape (n, 2), mapping or ``__geo_interface__``
            As for `cupixgeo.formats.extent.read_area`, one polygon without holes.
        crs : CrsLike
            What its numbers are in; an `Aoi` is brought there.

        Raises
        ------
        CloudError
            It is no area, has holes, or is several polygons.
        """
        if isinstance(area, Aoi):
            return area.to_crs(crs)
        read = read_area(area)
        if read.is_box:
            sides = [*read.low[:2].tolist(), *np.nextafter(read.high[:2], -np.inf).tolist()]
            if not np.isfinite(sides).all() or sides[0] >= sides[2] or sides[1] >= sides[3]:
                raise CloudError(f"the box {sides} has no inside to draw. Give all four sides.")
            west, south, east, north = sides
            ring = np.array([[west, south], [east, south], [east, north], [west, north]])
        elif len(read.polygons) == 1 and len(read.polygons[0]) == 1:
            ring = read.polygons[0][0]
        else:
            raise CloudError(
                "the area has holes or is more than one polygon, and the map edits a single ring. "
                "Give its outline, or use the area itself where it is asked for."
            )
        return cls(_as_pairs(_counter_clockwise(ring)), as_crs(crs))

    @property
    def xy(self) -> FloatArray:
        """Vertices as an array, shape (n, 2), float64 [CRS units]."""
        return np.array(self.vertices, np.float64)

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """West, south, east, north [CRS units]."""
        (west, south), (east, north) = self.xy.min(axis=0), self.xy.max(axis=0)
        return float(west), float(south), float(east), float(north)

    @property
    def area_m2(self) -> float:
        """Area in the plane of its CRS [m²]; of a geographic CRS approximately."""
        along = np.array(metres_per_unit(horizontal(self.crs), np.append(self.xy.mean(0), 0.0))[:2])
        return float(abs(_twice_the_area(self.xy * along))) / 2

    @property
    def __geo_interface__(self) -> dict[str, Any]:
        """A GeoJSON-like polygon, in its own CRS."""
        ring = [*self.vertices, self.vertices[0]]
        return {"type": "Polygon", "coordinates": [[list(pair) for pair in ring]]}

    def to_crs(self, crs: CrsLike, *, tolerance_m: float = TOLERANCE_M) -> Aoi:
        """Bring the polygon to another CRS, its edges kept where they are.

        Parameters
        ----------
        crs : CrsLike
            Wanted.
        tolerance_m : float
            How far from its true course an edge may be [m].

        Raises
        ------
        GeodesyError
            There is no operation between the two that can be trusted on a map.
        """
        wanted = as_crs(crs)
        if same_crs(self.crs, wanted):
            return self

        def carry(xy: FloatArray) -> FloatArray:
            return from_lon_lat(wanted, to_lon_lat(self.crs, xy))

        metres = metres_per_unit(horizontal(wanted), np.append(carry(self.xy[:1])[0], 0.0))[:2]
        ring = carry_ring(self.xy, carry, np.array(metres), tolerance_m)
        return Aoi(_as_pairs(_counter_clockwise(ring)), wanted)

    def lon_lat(self, *, tolerance_m: float = TOLERANCE_M) -> FloatArray:
        """Vertices for a web map, where edges are straight in web Mercator.

        Parameters
        ----------
        tolerance_m : float
            How far from its true course an edge may be [m].

        Returns
        -------
        ndarray, shape (n, 2), float64 [deg]
            WGS 84, longitude first, counter-clockwise, the first vertex not repeated.
        """

        def carry(xy: FloatArray) -> FloatArray:
            return _to_mercator(to_lon_lat(self.crs, xy))

        latitude = np.radians(to_lon_lat(self.crs, self.xy[:1])[0, 1])
        ring = carry_ring(self.xy, carry, np.full(2, np.cos(latitude)), tolerance_m)
        return _from_mercator(ring)

    def geojson(self) -> dict[str, Any]:
        """Make a GeoJSON feature of it (RFC 7946): longitude and latitude, WGS 84."""
        ring = self.lon_lat().tolist()
        geometry = {"type": "Polygon", "coordinates": [[*ring, ring[0]]]}
        return {"type": "Feature", "properties": {}, "geometry": geometry}

    def code(self) -> str:
        """Write the vertices as Python, to the millimetre."""
        places = 8 if horizontal(self.crs).is_geographic else 3
        return f"[{', '.join(f'({x:.{places}f}, {y:.{places}f})' for x, y in self.vertices)}]"

    def __str__(self) -> str:
        corners = f"{len(self.vertices)} corners"
        return f"{corners}, {self.area_m2:,.0f} m², {crs_label(horizontal(self.crs))}"


def drawn(lon_lat: FloatArray, crs: CrsLike) -> Aoi:
    """Read what was drawn on a web map.

    Parameters
    ----------
    lon_lat : ndarray, shape (n, 2), float64 [deg], WGS 84, longitude first
        Vertices, the first perhaps repeated; edges are straight in web Mercator, as on a screen.
    crs : CrsLike
        What the result shall be in.

    Raises
    ------
    CloudError
        It crosses itself, or has no inside.
    GeodesyError
        The CRS has no place on a map.
    """
    wanted = as_crs(crs)
    if len(lon_lat) > 1 and (lon_lat[0] == lon_lat[-1]).all():
        lon_lat = lon_lat[:-1]
    (ring,) = read_area(lon_lat).polygons[0]  # refuses what is no polygon

    def carry(xy: FloatArray) -> FloatArray:
        return from_lon_lat(wanted, _from_mercator(xy))

    start = carry(_to_mercator(ring[:1]))
    metres = np.array(metres_per_unit(horizontal(wanted), np.append(start[0], 0.0))[:2])
    there = carry_ring(_to_mercator(ring), carry, metres, TOLERANCE_M)
    return Aoi(_as_pairs(_counter_clockwise(there)), wanted)


def carry_ring(
    ring: FloatArray,
    carry: Callable[[FloatArray], FloatArray],
    metres: FloatArray,
    tolerance_m: float,
) -> FloatArray:
    """Carry a ring over, with vertices put in until its edges are true.

    Parameters
    ----------
    ring : ndarray, shape (n, 2), float64
        Where the edges are straight.
    carry : callable
        Brings an array of shape (n, 2) to where the edges shall be drawn straight.
    metres : ndarray, shape (2,), float64
        Length of a unit there [m].
    tolerance_m : float
        How far from its course an edge may be [m].

    Returns
    -------
    ndarray, shape (m, 2), float64
        m ≥ n, carried over.
    """
    there = carry(ring)
    while len(ring) < MOST_VERTICES:
        after, there_after = np.roll(ring, -1, axis=0), np.roll(there, -1, axis=0)
        off = np.zeros(len(ring))
        for part in (0.25, 0.75, 0.5):
            course = carry(ring + part * (after - ring))
            apart = (course - there - part * (there_after - there)) * metres
            off = np.maximum(off, np.hypot(*apart.T))
        bent = np.flatnonzero(off > tolerance_m)
        if not len(bent):
            break
        ring = np.insert(ring, bent + 1, (ring[bent] + after[bent]) / 2, axis=0)
        there = np.insert(there, bent + 1, course[bent], axis=0)
    return there


def _to_mercator(lon_lat: FloatArray) -> FloatArray:
    """Web Mercator [m] of longitudes and latitudes [deg]."""
    return EARTH_M * np.column_stack([np.radians(lon_lat[:, 0]), mercator_y(lon_lat[:, 1])])


def _from_mercator(xy: FloatArray) -> FloatArray:
    latitude = np.arctan(np.sinh(xy[:, 1] / EARTH_M))
    return np.asarray(np.degrees(np.column_stack([xy[:, 0] / EARTH_M, latitude])), np.float64)


def _twice_the_area(ring: FloatArray) -> float:
    x, y = (ring - ring[0]).T
    return float(x @ np.roll(y, -1) - y @ np.roll(x, -1))


def _counter_clockwise(ring: FloatArray) -> FloatArray:
    return ring if _twice_the_area(ring) > 0 else ring[::-1]


def _as_pairs(ring: FloatArray) -> tuple[tuple[float, float], ...]:
    return tuple((x, y) for x, y in ring.tolist())
