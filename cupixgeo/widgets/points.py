"""Points on their way to a screen: a frame in metres, packed coordinates, and what gives them.

Coordinates of a projected CRS have seven digits before the point, more than a graphics card can
tell apart. So a scene has an *origin* in float64 that is subtracted here, and what is left is
packed: three whole numbers of 21 bits, steps within the box of a block. Eight bytes a point, and
over a box of 400 m a step of 0.2 mm. What is drawn is rounded to that step; what is *picked* is
looked up in the cloud itself.

Knows arrays. Must not know widgets, colours or files.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from pyproj import CRS

from cupixgeo.cloud.schema import FloatArray
from cupixgeo.errors import CrsError
from cupixgeo.geodesy.crs import crs_label, suggest_utm
from cupixgeo.geodesy.units import metres_per_unit

BITS = 21
"""Bits of a packed coordinate: three make 63 of the 64 that are sent."""

STEPS = 2**BITS - 1
"""Steps over the box of a block, in each direction."""

SAMPLE_POINTS = 60_000
"""Points that legends are made of, where there are as many."""

Columns = Mapping[str, npt.NDArray[Any]]
"""Values of points by name; ``x``, ``y`` and ``z`` are coordinates, CRS units."""


@dataclass(frozen=True)
class Variable:
    """What a cloud knows of each point besides where it is.

    Parameters
    ----------
    name : str
        As the cloud calls it.
    dtype : numpy.dtype
        One number a point.
    unit : str
        Empty where not known.
    """

    name: str
    dtype: np.dtype[Any]
    unit: str = ""


@dataclass(frozen=True, eq=False)
class Frame:
    """Coordinates of a scene: metres from an origin.

    Parameters
    ----------
    crs : pyproj.CRS
        CRS of all clouds of the scene.
    origin : ndarray, shape (3,), float64 [CRS units]
        What is subtracted.
    metres : ndarray, shape (3,), float64 [m]
        Length of a CRS unit on each axis.
    """

    crs: CRS
    origin: FloatArray
    metres: FloatArray

    @classmethod
    def around(cls, crs: CRS, box: FloatArray) -> Frame:
        """Make the frame of a cloud.

        Parameters
        ----------
        crs : pyproj.CRS
            A projected CRS or a local frame.
        box : ndarray, shape (2, 3), float64 [CRS units]
            Of the cloud.

        Raises
        ------
        CrsError
            Lengths and angles mean nothing in this CRS.
        """
        middle = box.mean(axis=0)
        refuse_crs(crs, middle)
        metres = np.array(metres_per_unit(crs, middle))
        return cls(crs, np.round(middle), metres)

    def to_scene(self, xyz: FloatArray) -> FloatArray:
        """Bring coordinates into the scene.

        Parameters
        ----------
        xyz : ndarray, shape (..., 3), float64 [CRS units]

        Returns
        -------
        ndarray, shape (..., 3), float64 [m], from the origin
        """
        return np.asarray((xyz - self.origin) * self.metres, np.float64)

    def to_crs(self, metres: FloatArray) -> FloatArray:
        """Bring scene coordinates back.

        Parameters
        ----------
        metres : ndarray, shape (..., 3), float64 [m], from the origin

        Returns
        -------
        ndarray, shape (..., 3), float64 [CRS units]
        """
        return np.asarray(metres / self.metres + self.origin, np.float64)


def refuse_crs(crs: CRS, middle: FloatArray) -> None:
    """Refuse a CRS in which a scene cannot be drawn to scale.

    Parameters
    ----------
    crs : pyproj.CRS
        CRS of a cloud.
    middle : ndarray, shape (3,), float64 [CRS units]
        Middle of the cloud, for the CRS that is suggested instead.

    Raises
    ------
    CrsError
        It is geographic or geocentric.
    """
    if crs.is_geographic:
        advice = "bring the cloud to a projected CRS with .cloud.to_crs(...)."
        if abs(middle[0]) <= 180 and abs(middle[1]) <= 90:
            utm = suggest_utm(float(middle[0]), float(middle[1]))
            advice = f"bring the cloud to {crs_label(utm)} with .cloud.to_crs({utm.to_epsg()})."
        raise CrsError(
            f"{crs_label(crs)} is in degrees, and degrees are not metres: nothing drawn in them "
            f"has a shape. First {advice}"
        )
    if crs.is_geocentric:
        raise CrsError(
            f"{crs_label(crs)} is geocentric: its z does not point up. First bring the cloud to a "
            "projected CRS with .cloud.to_crs(...)."
        )


class PointSource(Protocol):
    """A cloud that gives its points in nodes, the first ones a sample of all."""

    name: str
    """What the cloud is called in the scene."""

    @property
    def crs(self) -> CRS:
        """CRS of its coordinates."""
        ...

    @property
    def point_count(self) -> int:
        """Points of the cloud."""
        ...

    @property
    def box(self) -> FloatArray:
        """Smallest box known of its points, shape (2, 3), float64 [CRS units]."""
        ...

    @property
    def variables(self) -> Mapping[str, Variable]:
        """What can be asked of `columns` besides coordinates."""
        ...

    @property
    def note(self) -> str:
        """What the user should know of how the cloud is shown; empty where nothing."""
        ...

    def columns(self, node: int, names: Sequence[str]) -> Columns:
        """Values of the points of a node, shape (n,) each, in the node's own order."""
        ...

    def node_box(self, node: int) -> FloatArray:
        """Box a node is packed in, shape (2, 3), float64 [CRS units]."""
        ...

    def sample(self, names: Sequence[str], points: int = SAMPLE_POINTS) -> Columns:
        """Values of some points from everywhere, shape (n,) each; about as many as asked for."""
        ...

    def exact(self, node: int, index: int) -> dict[str, float]:
        """Coordinates and variables of one point as the cloud stores them."""
        ...

    def describe(self) -> dict[str, Any]:
        """Say what the front end must know before it asks for nodes."""
        ...

    def table(self) -> bytes | None:
        """Nodes of an octree, five int32 each: level, x, y, z, points; None where all are alike."""
        ...

    def close(self) -> None:
        """Let go of files."""
        ...


def pack(columns: Columns, box: FloatArray) -> bytes:
    """Pack coordinates into 64 bits a point: 21 bits each for x, y and z, x lowest.

    Parameters
    ----------
    columns : mapping of ``x``, ``y``, ``z`` to ndarray, shape (n,), float64 [CRS units]
        Within the box; what is outside goes to its edge.
    box : ndarray, shape (2, 3), float64 [CRS units]
        Lowest and highest corner.

    Returns
    -------
    bytes
        Little-endian uint64.
    """
    packed: npt.NDArray[np.uint64] | None = None
    for axis, name in enumerate("xyz"):
        low, high = box[:, axis]
        scale = STEPS / (high - low) if high > low else 0.0
        steps = np.clip((columns[name] - low) * scale + 0.5, 0, STEPS).astype(np.uint64)
        if axis:
            steps <<= np.uint64(BITS * axis)
        packed = steps if packed is None else packed | steps
    assert packed is not None
    return packed.astype("<u8", copy=False).tobytes()


def step_m(box: FloatArray, metres: FloatArray) -> float:
    """Coarsest step of coordinates packed in a box [m]; they are drawn to within half of it.

    Parameters
    ----------
    box : ndarray, shape (2, 3), float64 [CRS units]
    metres : ndarray, shape (3,), float64 [m]
        Length of a CRS unit on each axis.
    """
    return float(((box[1] - box[0]) * metres).max() / STEPS)
