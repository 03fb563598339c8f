"""Where on the globe a cloud is, for maps: longitude and latitude, and pictures in web Mercator.

Knows how to bring boxes, outlines and pictures from a cloud's CRS to what a web map draws. A map
is for looking: heights are left out, and nothing is measured in what this module returns.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from pyproj import CRS

from cupixgeo.cloud.schema import FloatArray
from cupixgeo.geodesy.assumptions import (
    HEIGHTS_IN_CRS_UNIT,
    WITHOUT_GRIDS,
    same_datum_assumption,
)
from cupixgeo.geodesy.crs import as_crs
from cupixgeo.geodesy.operation import plan_operation
from cupixgeo.pipeline.raster import Image, TopView

LON_LAT = "EPSG:4326"

EDGE_STEPS = 16
"""Parts an edge is cut into before it is projected: a straight edge may be curved on the map."""

MAX_OVERLAY = 2048
"""Longest side of a map picture [pixel]; larger ones are slow to drag."""

_NODES = 33
_MERCATOR_RADIUS = 6_378_137.0
_MAX_LATITUDE = 85.0


@dataclass(frozen=True, eq=False)
class MapPicture:
    """A picture in web Mercator with the box a web map stretches it over.

    Parameters
    ----------
    image : ndarray, shape (rows, columns, 4), uint8
        RGBA, north up.
    south, west, north, east : float
        Edges of the outer pixels [deg], WGS 84.
    """

    image: Image
    south: float
    west: float
    north: float
    east: float


def horizontal(crs: CRS) -> CRS:
    """Return the part of a CRS that says where on the map: of a compound CRS the first."""
    return crs.sub_crs_list[0] if crs.is_compound else crs


def map_doubts(crs: CRS) -> tuple[str, ...]:
    """List what a map of this CRS takes for granted, as declared to `plan_operation`."""
    plane = horizontal(crs)
    used = plan_operation(plane, LON_LAT, assume=_good_enough(plane)).assumptions
    return tuple(text for text in used if text != HEIGHTS_IN_CRS_UNIT)


def _good_enough(plane: CRS) -> tuple[str, ...]:
    """Declare what hardly shows on a map: it is drawn without heights and without a base map."""
    if plane.is_engineering:
        return ()
    return (HEIGHTS_IN_CRS_UNIT, WITHOUT_GRIDS, same_datum_assumption(plane, as_crs(LON_LAT)))


def to_lon_lat(crs: CRS, xy: FloatArray) -> FloatArray:
    """Longitude and latitude of plane coordinates.

    Parameters
    ----------
    crs : pyproj.CRS
        A projected, geographic or compound CRS; heights play no part.
    xy : ndarray, shape (n, 2), float64, in `crs`, x before y

    Returns
    -------
    ndarray, shape (n, 2), float64 [deg], WGS 84, longitude first

    Raises
    ------
    GeodesyError
        The CRS is a local frame, or PROJ has no operation for it that can be trusted.
    """
    plane = horizontal(crs)
    operation = plan_operation(plane, LON_LAT, assume=_good_enough(plane))
    return operation.apply(np.column_stack([xy, np.zeros(len(xy))]))[:, :2]


def from_lon_lat(crs: CRS, lon_lat: FloatArray) -> FloatArray:
    """Plane coordinates of longitudes and latitudes: the inverse of `to_lon_lat`.

    Parameters
    ----------
    crs : pyproj.CRS
        A projected, geographic or compound CRS; heights play no part.
    lon_lat : ndarray, shape (n, 2), float64 [deg], WGS 84, longitude first

    Returns
    -------
    ndarray, shape (n, 2), float64, in `crs`, x before y
    """
    plane = horizontal(crs)
    operation = plan_operation(LON_LAT, plane, assume=_good_enough(plane))
    return operation.apply(np.column_stack([lon_lat, np.zeros(len(lon_lat))]))[:, :2]


def box_corners(west: float, south: float, east: float, north: float) -> FloatArray:
    """Corners of a box: shape (5, 2), float64, in the units of the arguments.

    Counter-clockwise from the south-west corner, the first again at the end.
    """
    return np.array([[west, south], [east, south], [east, north], [west, north], [west, south]])


def box_outline(west: float, south: float, east: float, north: float) -> FloatArray:
    """Corners of a box with `EDGE_STEPS` parts to an edge.

    Returns
    -------
    ndarray, shape (4 * EDGE_STEPS + 1, 2), float64
        Counter-clockwise from the south-west corner, the first point again at the end; in the
        units of the arguments.
    """
    corners = box_corners(west, south, east, north)
    place = np.linspace(0, 4, 4 * EDGE_STEPS + 1)
    return np.column_stack([np.interp(place, np.arange(5), corners[:, i]) for i in (0, 1)])


def mercator_y(latitude_deg: FloatArray) -> FloatArray:
    """Northing of web Mercator (EPSG:3857) on the unit sphere, any shape, for latitudes [deg]."""
    return np.arcsinh(np.tan(np.radians(np.clip(latitude_deg, -_MAX_LATITUDE, _MAX_LATITUDE))))


def map_picture(view: TopView, image: Image) -> MapPicture:
    """Bring a picture of a top view into web Mercator.

    Each pixel of the map takes the nearest pixel of the picture. Its place is found by PROJ at
    the nodes of a grid and interpolated between them, which is closer than a pixel by far.

    Parameters
    ----------
    view : TopView
        Says where the picture is.
    image : Image
        Shape (rows, columns, 4), uint8 RGBA, of the same size as `view`.

    Returns
    -------
    MapPicture
        Transparent outside the picture.

    Raises
    ------
    GeodesyError
        The view's CRS is a local frame, or PROJ has no operation for it that can be trusted.
    """
    outline = to_lon_lat(view.crs, box_outline(*view.bounds))
    (west, south), (east, north) = outline.min(axis=0), outline.max(axis=0)
    x0, x1 = math.radians(west), math.radians(east)
    y0, y1 = mercator_y(np.array([south, north]))
    pixel = view.pixel[0] * view.metres[0] / _MERCATOR_RADIUS
    pixel /= max(0.05, math.cos(math.radians((south + north) / 2)))
    pixel = max(pixel, max(x1 - x0, float(y1 - y0)) / MAX_OVERLAY)
    columns, rows = max(1, math.ceil((x1 - x0) / pixel)), max(1, math.ceil((y1 - y0) / pixel))

    node_x, node_y = np.linspace(x0, x1, _NODES), np.linspace(y1, y0, _NODES)
    lon, lat = np.meshgrid(np.degrees(node_x), np.degrees(np.arctan(np.sinh(node_y))))
    nodes = from_lon_lat(view.crs, np.column_stack([lon.ravel(), lat.ravel()]))
    x, y = (_stretch(nodes[:, i].reshape(_NODES, _NODES), rows, columns) for i in (0, 1))
    column = np.floor((x - view.west) / view.pixel[0]).astype(np.int64)
    row = np.floor((view.north - y) / view.pixel[1]).astype(np.int64)
    inside = (column >= 0) & (column < image.shape[1]) & (row >= 0) & (row < image.shape[0])
    out = np.zeros((rows, columns, 4), np.uint8)
    out[inside] = image[row[inside], column[inside]]
    return MapPicture(out, float(south), float(west), float(north), float(east))


def _stretch(nodes: FloatArray, rows: int, columns: int) -> FloatArray:
    """Bilinear values at pixel centres, from nodes that lie on the picture's outer edges."""

    def weights(count: int) -> tuple[FloatArray, npt.NDArray[np.int64]]:
        place = (np.arange(count) + 0.5) / count * (_NODES - 1)
        cell = np.minimum(place.astype(np.int64), _NODES - 2)
        return place - cell, cell

    v, i = weights(rows)
    u, j = weights(columns)
    along = nodes[:, j] * (1 - u) + nodes[:, j + 1] * u
    return along[i] * (1 - v)[:, None] + along[i + 1] * v[:, None]
