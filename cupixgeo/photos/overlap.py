"""How often the ground is seen, and how far neighbouring photos overlap.

Knows footprints in metres on a plane, in the order they were taken. Flight strips are found from
the track: a turn or a long step begins a new one. Must not know how a footprint came about.

Forward overlap is the share of a footprint that the next one of the strip sees too; side overlap
the share that it would share with the neighbouring strip if the two were abreast: what flight
planning programs ask for under these names. Both are medians.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from cupixgeo.photos.footprints import FloatArray, LocalPlane

TURN_DEG = 30.0
"""A change of direction that begins a new strip [deg]."""

LONG_STEP = 2.5
"""A step that begins a new strip, in median steps."""

CELLS_ACROSS = 32
"""Cells of the coverage raster along the side of a square footprint."""

MAX_CELLS = 2048
"""Longest side of the coverage raster."""

_SAME_STATION = 0.02
_PARALLEL = math.cos(math.radians(20))
_STRAIGHT = 0.9


@dataclass(frozen=True, eq=False)
class Overlap:
    """How often the ground is seen.

    Parameters
    ----------
    forward, side : float or None
        Median overlaps, 0 to 1; None where there is no pair of such photos.
    strips : int
        Flight strips of at least two photos.
    counts : ndarray, shape (rows, columns), uint16
        Photos that see each cell, the first row in the south.
    cell_m : float
        Side of a cell [m].
    bounds_deg : tuple of 4 float
        West, south, east, north of the raster [deg].
    """

    forward: float | None
    side: float | None
    strips: int
    counts: npt.NDArray[np.uint16]
    cell_m: float
    bounds_deg: tuple[float, float, float, float]

    @property
    def area_m2(self) -> float:
        """Area that is seen at all [m²]."""
        return float(np.count_nonzero(self.counts)) * self.cell_m**2

    @property
    def median_views(self) -> float:
        """In how many photos the ground is seen: half of it in so many or more."""
        seen = self.counts[self.counts > 0]
        return float(np.median(seen)) if seen.size else 0.0

    def share_seen(self, times: int) -> float:
        """Return the share of the ground seen that is in at least so many photos, 0 to 1."""
        seen = np.count_nonzero(self.counts)
        return float(np.count_nonzero(self.counts >= times)) / seen if seen else 0.0

    def __repr__(self) -> str:
        return (
            f"<Overlap {_percent(self.forward)} forward, {_percent(self.side)} side, "
            f"{self.strips} strips, {self.area_m2 / 1e4:.2g} ha seen>"
        )


def _percent(share: float | None) -> str:
    return "unknown" if share is None else f"{share:.0%}"


def overlap_of(places: FloatArray, footprints: FloatArray) -> Overlap:
    """Find coverage and overlaps of a survey.

    Parameters
    ----------
    places : ndarray, shape (n, 2), float64 [deg]
        Longitude and latitude of the cameras in the order they were taken, at least one.
    footprints : ndarray, shape (n, 4, 2), float64 [deg]
        Longitude and latitude of the corners of what each sees.

    Returns
    -------
    Overlap
    """
    plane = LocalPlane.amid(places)
    track, quads = plane.to_metres(places), plane.to_metres(footprints)
    forward, side, strips = forward_and_side(track, quads)
    counts, cell, (west_m, south_m) = coverage(quads)
    rows, columns = counts.shape
    corners = np.array([[west_m, south_m], [west_m + columns * cell, south_m + rows * cell]])
    (west, south), (east, north) = plane.to_lon_lat(corners).tolist()
    return Overlap(forward, side, strips, counts, cell, (west, south, east, north))


def coverage(quads: FloatArray) -> tuple[npt.NDArray[np.uint16], float, tuple[float, float]]:
    """Count how many footprints see each cell of a raster.

    Parameters
    ----------
    quads : ndarray, shape (n, 4, 2), float64 [m]
        Convex footprints, at least one.

    Returns
    -------
    counts : ndarray, shape (rows, columns), uint16
        The first row in the south; a cell is seen where its centre is.
    cell_m : float
        Side of a cell [m].
    origin : tuple of 2 float
        West and south edge [m].
    """
    low, high = quads.min(axis=(0, 1)), quads.max(axis=(0, 1))
    areas = np.abs(signed_areas(quads))
    cell = float(
        max(math.sqrt(np.median(areas)) / CELLS_ACROSS, (high - low).max() / MAX_CELLS, 1e-6)
    )
    columns, rows = (max(1, math.ceil(extent / cell)) for extent in high - low)
    counts = np.zeros((rows, columns), np.uint16)
    for quad, area in zip((quads - low) / cell, signed_areas(quads), strict=True):
        ring = quad if area >= 0 else quad[::-1]
        (west, south), (east, north) = np.floor(ring.min(axis=0)), np.ceil(ring.max(axis=0))
        window = np.s_[int(south) : int(north), int(west) : int(east)]
        x = np.arange(int(west), min(int(east), columns)) + 0.5
        y = np.arange(int(south), min(int(north), rows))[:, None] + 0.5
        inside = np.ones((y.size, x.size), dtype=bool)
        for (x0, y0), (x1, y1) in zip(ring, np.roll(ring, -1, axis=0), strict=True):
            inside &= (x1 - x0) * (y - y0) - (y1 - y0) * (x - x0) >= 0
        counts[window] += inside
    return counts, cell, (float(low[0]), float(low[1]))


def signed_areas(quads: FloatArray) -> FloatArray:
    """Areas of polygons, counter-clockwise positive.

    Parameters
    ----------
    quads : ndarray, shape (n, k, 2), float64 [m]

    Returns
    -------
    ndarray, shape (n,), float64 [m²]
    """
    following = np.roll(quads, -1, axis=1)
    cross = quads[..., 0] * following[..., 1] - quads[..., 1] * following[..., 0]
    return np.asarray(cross.sum(axis=1) / 2, dtype=np.float64)


def shared_area(a: FloatArray, b: FloatArray) -> float:
    """Area two convex polygons have in common (Sutherland-Hodgman).

    Parameters
    ----------
    a, b : ndarray, shape (k, 2), float64 [m]

    Returns
    -------
    float
        [m²]
    """
    subject = [(float(x), float(y)) for x, y in a]
    ring = [(float(x), float(y)) for x, y in (b if signed_areas(b[None])[0] >= 0 else b[::-1])]
    for (x0, y0), (x1, y1) in zip(ring, ring[1:] + ring[:1], strict=True):
        sides = [(x1 - x0) * (y - y0) - (y1 - y0) * (x - x0) for x, y in subject]
        clipped: list[tuple[float, float]] = []
        for place, (x, y) in enumerate(subject):
            (px, py), before, now = subject[place - 1], sides[place - 1], sides[place]
            if (before >= 0) != (now >= 0):
                t = before / (before - now)
                clipped.append((px + t * (x - px), py + t * (y - py)))
            if now >= 0:
                clipped.append((x, y))
        subject = clipped
        if len(subject) < 3:
            return 0.0
    return abs(float(signed_areas(np.array([subject]))[0]))


def strips_of(track: FloatArray) -> list[npt.NDArray[np.int64]]:
    """Cut a track into strips.

    Parameters
    ----------
    track : ndarray, shape (n, 2), float64 [m]
        Camera positions in the order they were taken, all apart from each other.

    Returns
    -------
    list of ndarray, shape (k,), int64
        Indices into the track; every position is in one strip, some strips hold one only.
    """
    if len(track) < 2:
        return [np.arange(len(track))]
    steps = np.diff(track, axis=0)
    lengths = np.hypot(steps[:, 0], steps[:, 1])
    limit = LONG_STEP * float(np.median(lengths))
    starts, last = [0], -1
    for i, length in enumerate(lengths):
        straight = last < 0 or (
            float(steps[i] @ steps[last])
            >= math.cos(math.radians(TURN_DEG)) * length * lengths[last]
        )
        if straight and length <= limit:
            last = i
        else:
            starts.append(i + 1)
            last = -1
    return np.split(np.arange(len(track)), starts[1:])


def stations(track: FloatArray, quads: FloatArray) -> npt.NDArray[np.int64]:
    """Choose one photo of each place: bands and lenses of one exposure count once.

    Parameters
    ----------
    track : ndarray, shape (n, 2), float64 [m]
        Camera positions in the order they were taken.
    quads : ndarray, shape (n, 4, 2), float64 [m]
        Their footprints.

    Returns
    -------
    ndarray, shape (k,), int64
        Indices.
    """
    near = _SAME_STATION * math.sqrt(float(np.median(np.abs(signed_areas(quads)))))
    kept = [0]
    for i in range(1, len(track)):
        if math.dist(track[i], track[kept[-1]]) > near:
            kept.append(i)
    return np.array(kept, dtype=np.int64)


def forward_and_side(
    track: FloatArray, quads: FloatArray
) -> tuple[float | None, float | None, int]:
    """Find the overlaps of a flight.

    Parameters
    ----------
    track : ndarray, shape (n, 2), float64 [m]
        Camera positions in the order they were taken, at least one.
    quads : ndarray, shape (n, 4, 2), float64 [m]
        Their footprints.

    Returns
    -------
    forward, side : float or None
        Medians, 0 to 1.
    strips : int
        Strips of at least two photos.
    """
    chosen = stations(track, quads)
    track, quads = track[chosen], quads[chosen]
    strips = [strip for strip in strips_of(track) if len(strip) > 1]
    areas = np.abs(signed_areas(quads))
    forward = [
        shared_area(quads[i], quads[j]) / areas[i] for strip in strips for i, j in pairwise(strip)
    ]
    side = _side(track, quads, strips)
    return (
        float(np.median(forward)) if forward else None,
        float(np.median(side)) if side else None,
        len(strips),
    )


def _side(track: FloatArray, quads: FloatArray, strips: list[npt.NDArray[np.int64]]) -> list[float]:
    """Share of each footprint that it would share with the nearest parallel strip, abreast."""
    straight = [s for s in strips if _is_straight(track[s])]
    if len(straight) < 2:
        return []
    begin, end = (np.array([track[s[place]] for s in straight]) for place in (0, -1))
    length = np.hypot(*(end - begin).T)
    along = (end - begin) / length[:, None]
    normal = np.column_stack([-along[:, 1], along[:, 0]])
    areas = np.abs(signed_areas(quads))
    shares = []
    for own, strip in enumerate(straight):
        parallel = np.abs(along @ along[own]) > _PARALLEL
        parallel[own] = False
        for i in strip:
            to = begin - track[i]
            across = (to * normal).sum(axis=1)
            behind = -(to * along).sum(axis=1)
            margin = length / 4
            beside = parallel & (behind > -margin) & (behind < length + margin)
            beside &= np.abs(across) > _SAME_STATION * 5 * math.sqrt(areas[i])
            if beside.any():
                nearest = int(np.argmin(np.where(beside, np.abs(across), np.inf)))
                moved = quads[i] + across[nearest] * normal[nearest]
                shares.append(shared_area(quads[i], moved) / float(areas[i]))
    return shares


def _is_straight(track: FloatArray) -> bool:
    path = np.hypot(*np.diff(track, axis=0).T).sum()
    return bool(math.dist(track[0], track[-1]) >= _STRAIGHT * path)
