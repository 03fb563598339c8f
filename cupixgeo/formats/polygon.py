"""Polygons: read from what users have, refused where they bound nothing, asked what is inside.

A point on an edge is inside where it would be if it were moved east by less than anything, and
then north: west and south edges belong to a polygon, east and north edges do not. So two polygons
that share an edge share no point of it, and lose none. Signs are exact: where rounding could
decide, the side of an edge is found with fractions.

Must not know any format, nor what CRS the coordinates are in.

Sources: RFC 7946 (GeoJSON); Shewchuk 1997, "Adaptive Precision Floating-Point Arithmetic and Fast
Robust Geometric Predicates", for the error bound of the sign.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from cupixgeo.errors import CloudError

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
Polygon = tuple[FloatArray, ...]
"""An outer ring and its holes, each of shape (n, 2) without the closing vertex."""

SIGN_BOUND = (3.0 + 16.0 * 2.0**-53) * 2.0**-53
"""Greatest relative error of a 2 × 2 orientation determinant in float64 (Shewchuk, bound A)."""

LARGEST = 1e15
"""[CRS units] beyond which a coordinate is no place, in any unit."""

LEAST_AREA = 1e-14
"""A ring's area over that of its box below which it is a line: rounding makes as much."""

PAIRS_AT_ONCE = 2_000_000
"""Pairs of edges, or of an edge and a box, compared in one go: some 100 MB."""

EXAMPLE = '{"type": "Polygon", "coordinates": [[[x, y], [x, y], [x, y], [x, y]]]}'


def read_polygons(area: Any) -> tuple[Polygon, ...]:
    """Read the polygons of a GeoJSON-like mapping, or of one ring of vertices.

    Parameters
    ----------
    area : mapping, object with ``__geo_interface__``, or array_like, shape (n, 2)
        Polygon, MultiPolygon, Feature, FeatureCollection or GeometryCollection; or the vertices
        of a ring without holes, closed or not.

    Returns
    -------
    tuple of Polygon
        The area is all of them together.

    Raises
    ------
    CloudError
        There is no polygon in it, or one is not a polygon: fewer than 3 vertices, no area, edges
        that cross, coordinates that are no numbers.
    """
    given = getattr(area, "__geo_interface__", area)
    polygons = tuple(_polygons(given)) if isinstance(given, Mapping) else ((given,),)
    if not any(polygons):
        raise CloudError(
            "the area holds no polygon, so nothing is inside it. Leave it out to take everything."
        )
    return tuple(tuple(_ring(ring) for ring in polygon) for polygon in polygons if polygon)


def inside(polygons: Iterable[Polygon], x: FloatArray, y: FloatArray) -> BoolArray:
    """Say which points are inside any of some polygons, and not in a hole of it.

    Parameters
    ----------
    polygons : iterable of Polygon
        See `read_polygons`.
    x, y : ndarray, shape (n,), float64
        In the polygons' frame. NaN is nowhere.

    Returns
    -------
    ndarray, shape (n,), bool
    """
    result = np.zeros(len(x), np.bool_)
    for outer, *holes in polygons:
        chosen = np.flatnonzero(_in_box(outer, x, y) & ~result)
        chosen = chosen[_in_ring(outer, x[chosen], y[chosen])]
        for hole in holes:
            near = _in_box(hole, x[chosen], y[chosen])
            near[near] = _in_ring(hole, x[chosen[near]], y[chosen[near]])
            chosen = chosen[~near]
        result[chosen] = True
    return result


def crossed_boxes(polygons: Iterable[Polygon], low: FloatArray, high: FloatArray) -> BoolArray:
    """Say which boxes an edge of the polygons may run through, touching included.

    Parameters
    ----------
    polygons : iterable of Polygon
        See `read_polygons`.
    low, high : ndarray, shape (k, 2), float64
        Corners of the boxes.

    Returns
    -------
    ndarray, shape (k,), bool
        False is certain: such a box is inside as a whole, or outside.
    """
    crossed = np.zeros(len(low), np.bool_)
    for polygon in polygons:
        for ring in polygon:
            start, end = ring, np.roll(ring, -1, axis=0)
            step = max(1, PAIRS_AT_ONCE // len(ring))
            for first in range(0, len(low), step):
                part = slice(first, first + step)
                crossed[part] |= _edges_cross(start, end, low[part], high[part])
    return crossed


def _edges_cross(
    start: FloatArray, end: FloatArray, low: FloatArray, high: FloatArray
) -> BoolArray:
    near = (np.minimum(start, end)[:, None] <= high) & (np.maximum(start, end)[:, None] >= low)
    edge, box = np.nonzero(near.all(axis=2))
    left = np.zeros(len(edge), np.bool_)
    right = left.copy()
    for x in (low[box, 0], high[box, 0]):
        for y in (low[box, 1], high[box, 1]):
            turn, doubt = _turn(start[edge], end[edge], x, y)
            left |= (turn > 0) | doubt
            right |= (turn < 0) | doubt
    result = np.zeros(len(low), np.bool_)
    result[box[left & right]] = True
    return result


def _polygons(geometry: Mapping[str, Any]) -> Iterator[tuple[Any, ...]]:
    """Rings of every polygon of a GeoJSON object."""
    kind = geometry.get("type")
    match kind:
        case "Polygon":
            polygons = [geometry.get("coordinates") or ()]
        case "MultiPolygon":
            polygons = geometry.get("coordinates") or []
        case "Feature":
            inner = geometry.get("geometry")
            yield from _polygons(inner) if isinstance(inner, Mapping) else ()
            return
        case "FeatureCollection" | "GeometryCollection":
            for inner in geometry.get("features", geometry.get("geometries")) or ():
                yield from _polygons(inner)
            return
        case _:
            raise CloudError(f"an area of type {kind!r} is no polygon. Give one like {EXAMPLE}.")
    for rings in polygons:
        try:
            yield tuple(rings)
        except TypeError:
            raise CloudError(
                f"a polygon without rings bounds nothing. Give one like {EXAMPLE}."
            ) from None


def _ring(vertices: Any) -> FloatArray:
    """Check a ring and give its vertices, none twice in a row."""
    try:
        ring = np.asarray(vertices, np.float64)
    except (TypeError, ValueError) as error:
        raise CloudError(
            f"the vertices of a polygon have to be pairs of numbers ({error}). Give x and y of "
            "each, in the CRS of the cloud."
        ) from error
    if ring.ndim != 2 or ring.shape[1] not in (2, 3):
        raise CloudError(
            f"vertices of shape {ring.shape} are no polygon. Give x and y of each vertex, shape "
            "(n, 2)."
        )
    ring = ring[:, :2]
    if not (np.abs(ring) <= LARGEST).all():
        bad = int(np.flatnonzero(~(np.abs(ring) <= LARGEST).all(axis=1))[0])
        raise CloudError(f"vertex {bad} of the polygon is {ring[bad].tolist()}. Correct it.")
    different = len(np.unique(ring, axis=0))
    if different < 3:
        raise CloudError(
            f"a polygon of {different} different vertices has no inside. Give 3 or more."
        )
    ring = ring[(ring != np.roll(ring, 1, axis=0)).any(axis=1)]
    moved = ring - ring[0]
    following = np.roll(moved, -1, axis=0)
    doubled = float((moved[:, 0] * following[:, 1] - moved[:, 1] * following[:, 0]).sum())
    _refuse_crossing(ring)
    if abs(doubled) <= LEAST_AREA * float(np.prod(np.ptp(ring, axis=0))):
        raise CloudError(
            f"the polygon from {ring.min(axis=0).tolist()} to {ring.max(axis=0).tolist()} has no "
            "area: its vertices are on one line. Correct them."
        )
    return np.ascontiguousarray(ring)


def _in_box(ring: FloatArray, x: FloatArray, y: FloatArray) -> BoolArray:
    (west, south), (east, north) = ring.min(axis=0), ring.max(axis=0)
    result: BoolArray = (x >= west) & (x < east) & (y >= south) & (y < north)
    return result


def _in_ring(ring: FloatArray, x: FloatArray, y: FloatArray) -> BoolArray:
    """Count, for every point, the edges to the east of it: odd is inside.

    Points sorted by y make those that an edge is level with one slice.
    """
    order = np.argsort(y)
    x, y = x[order], y[order]
    odd = np.zeros(len(x), np.bool_)
    ends = np.roll(ring, -1, axis=0)
    upwards = (ring[:, 1] < ends[:, 1])[:, None]  # the same side, whichever way the edge is drawn
    starts, ends = np.where(upwards, ring, ends), np.where(upwards, ends, ring)
    first = np.searchsorted(y, starts[:, 1])
    last = np.searchsorted(y, ends[:, 1])
    for edge in np.flatnonzero(first < last):
        level = slice(first[edge], last[edge])
        odd[level] ^= _west_of(starts[edge], ends[edge], x[level], y[level])
    result = np.empty(len(odd), np.bool_)
    result[order] = odd
    return result


def _west_of(start: FloatArray, end: FloatArray, x: FloatArray, y: FloatArray) -> BoolArray:
    """Say which points are strictly west of an edge that goes up."""
    if start[0] == end[0]:
        upright: BoolArray = x < start[0]
        return upright
    turn, doubt = _turn(start[None], end[None], x, y)
    west: BoolArray = turn > 0
    for at in np.flatnonzero(doubt):
        west[at] = _exact_turn(start, end, (x[at], y[at])) > 0
    return west


def _turn(
    start: FloatArray, end: FloatArray, x: FloatArray, y: FloatArray
) -> tuple[FloatArray, BoolArray]:
    """Give the side of edges that points are on, left positive, and where its sign is in doubt."""
    a = (end[:, 0] - start[:, 0]) * (y - start[:, 1])
    b = (x - start[:, 0]) * (end[:, 1] - start[:, 1])
    turn = a - b
    return turn, np.abs(turn) <= SIGN_BOUND * (np.abs(a) + np.abs(b))


def _exact_turn(start: FloatArray, end: FloatArray, point: Iterable[float]) -> int:
    """Sign of `_turn`, in fractions."""
    (x1, y1), (x2, y2), (x, y) = (tuple(map(Fraction, pair)) for pair in (start, end, point))
    turn = (x2 - x1) * (y - y1) - (x - x1) * (y2 - y1)
    return (turn > 0) - (turn < 0)


def _refuse_crossing(ring: FloatArray) -> None:
    """Refuse a ring two of whose edges cross; that it touches itself does no harm."""
    starts, ends = ring, np.roll(ring, -1, axis=0)
    order = np.argsort(np.minimum(starts[:, 1], ends[:, 1]), kind="stable")
    starts, ends = starts[order], ends[order]
    low, high = np.minimum(starts, ends), np.maximum(starts, ends)
    stops = np.searchsorted(low[:, 1], high[:, 1], "right")
    for block in _blocks(stops - np.arange(len(ring)) - 1):
        lengths = np.maximum(stops[block] - block - 1, 0)
        first = np.repeat(block, lengths)
        second = (
            first + 1 + np.arange(len(first)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        )
        near = (low[first, 0] <= high[second, 0]) & (low[second, 0] <= high[first, 0])
        first, second = first[near], second[near]
        apart = _sides(starts, ends, first, second) * _sides(starts, ends, second, first) > 0
        if apart.any():
            at = int(np.flatnonzero(apart)[0])
            one, other = starts[first[at]], starts[second[at]]
            raise CloudError(
                f"the polygon crosses itself: the edges from {one.tolist()} and from "
                f"{other.tolist()} cut each other. Give its vertices in order around the area."
            )


def _sides(
    starts: FloatArray, ends: FloatArray, edge: npt.NDArray[np.int64], other: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """1 where the other edge's ends are strictly on two sides of this edge's line, else 0."""
    signs = []
    for point in (starts[other], ends[other]):
        turn, doubt = _turn(starts[edge], ends[edge], point[:, 0], point[:, 1])
        sign = np.sign(turn)
        for end in (starts[edge], ends[edge]):  # what is an end of the edge is on its line
            doubt &= (point != end).any(axis=1)
        for at in np.flatnonzero(doubt):
            sign[at] = _exact_turn(starts[edge[at]], ends[edge[at]], point[at])
        signs.append(sign)
    return (signs[0] * signs[1] < 0).astype(np.int64)


def _blocks(pairs: npt.NDArray[np.int64]) -> Iterator[npt.NDArray[np.int64]]:
    """Edges in runs that make at most `PAIRS_AT_ONCE` pairs, or one edge."""
    total = np.cumsum(np.maximum(pairs, 0))
    first = 0
    while first < len(total):
        done = total[first - 1] if first else 0
        last = max(first + 1, int(np.searchsorted(total, done + PAIRS_AT_ONCE, "right")))
        yield np.arange(first, last)
        first = last
