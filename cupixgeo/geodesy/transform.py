"""A 4x4 that knows where it starts and where it ends.

Knows affine matrices between two CRSs: what makes one a placement, how two are chained, and how
one is applied to points. Must not know: how a service writes a matrix (`wire`), and coordinate
operations between CRSs on earth (`operation`).

Column vectors throughout: ``p_target = matrix @ p_source``, so ``b @ a`` applies ``a`` first.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pyproj import CRS

from cupixgeo.errors import FrameError, TransformError
from cupixgeo.geodesy.crs import CrsLike, as_crs, crs_label, same_crs
from cupixgeo.geodesy.georeference import Georeference

SHEAR_TOLERANCE = 1e-5
"""Largest |cosine| between two columns of a placement.

A matrix written in float32 or with six decimals is off by up to about 1e-6; 1e-5 is 1 cm per km.
"""
RIGID_TOLERANCE = 1e-6
"""Largest departure of a scale from 1 in a rigid transform."""
_AFFINE_TOLERANCE = 1e-9
_SINGULAR_TOLERANCE = 1e-9

Matrix = NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)
class Transform:
    """Move points from one CRS to another by one matrix.

    Parameters
    ----------
    matrix : array_like, shape (4, 4), float64
        Affine, for column vectors. It may turn, shift and scale (also differently along the
        source's x, y and z), but not mirror, shear or flatten.
    source, target : CRS arguments
        Where the points come from and where they go; see `cupixgeo.geodesy.crs.as_crs`.

    Raises
    ------
    TransformError
        If the matrix is not a placement; the message holds the offending numbers.
    CrsError
        If `source` or `target` is not a CRS.

    Examples
    --------
    >>> a = Transform.identity("cupix:pointcloud/5310", "cupix:cluster/3416")
    >>> b = Transform.from_georeference(lat_deg=46, lon_deg=7, source="cupix:cluster/3416")
    >>> (b @ a).target.to_epsg()
    4978
    """

    matrix: Matrix
    source: CRS
    target: CRS

    __array_ufunc__ = None  # ndarray @ Transform is a mistake, not an object array

    def __init__(self, matrix: ArrayLike, *, source: CrsLike, target: CrsLike) -> None:
        source, target = as_crs(source), as_crs(target)
        what = f"the matrix from {crs_label(source)} to {crs_label(target)}"
        self._set(_checked_placement(matrix, what), source, target)

    @classmethod
    def identity(cls, source: CrsLike, target: CrsLike | None = None) -> Transform:
        """Make the transform that moves nothing, from `source` to `target` (default: itself)."""
        return cls(np.eye(4), source=source, target=source if target is None else target)

    @classmethod
    def from_row_major(
        cls, values: Sequence[float], *, source: CrsLike, target: CrsLike
    ) -> Transform:
        """Make a transform from 16 numbers written row after row.

        Parameters
        ----------
        values : sequence of 16 float
            The translation is in the 4th, 8th and 12th number.
        source, target : CRS arguments
            Where the points come from and where they go.

        Returns
        -------
        Transform

        Raises
        ------
        TransformError
            If there are not 16 numbers, or they are not a placement.
        """
        return cls(_sixteen(values), source=source, target=target)

    @classmethod
    def from_column_major(
        cls, values: Sequence[float], *, source: CrsLike, target: CrsLike
    ) -> Transform:
        """Make a transform from 16 numbers written column after column (three.js, OpenGL).

        Parameters
        ----------
        values : sequence of 16 float
            The translation is in the 13th, 14th and 15th number.
        source, target : CRS arguments
            Where the points come from and where they go.

        Returns
        -------
        Transform

        Raises
        ------
        TransformError
            If there are not 16 numbers, or they are not a placement.
        """
        return cls(_sixteen(values).T, source=source, target=target)

    @classmethod
    def from_georeference(
        cls, georeference: Georeference | None = None, *, source: CrsLike, **origin: float
    ) -> Transform:
        """Make the transform from a site's local frame to EPSG:4978 (geocentric).

        Parameters
        ----------
        georeference : Georeference, optional
            The site's origin and bearing.
        source : CRS argument
            The site's local frame.
        **origin : float
            Instead of `georeference`: ``lat_deg``, ``lon_deg``, ``alt_m``, ``bearing_deg``.

        Returns
        -------
        Transform

        Raises
        ------
        TransformError
            If the origin is not a place on earth.
        """
        if (georeference is None) == (not origin):
            raise TransformError(
                "give either a Georeference, or lat_deg= and lon_deg= (and alt_m=, bearing_deg=)"
            )
        if georeference is None:
            georeference = Georeference(**origin)
        return cls(georeference.matrix_to_geocentric(), source=source, target=4978)

    @property
    def inverse(self) -> Transform:
        """The way back, from `target` to `source`."""
        linear = np.linalg.inv(self.matrix[:3, :3])
        matrix = np.eye(4)
        matrix[:3, :3] = linear
        matrix[:3, 3] = -linear @ self.matrix[:3, 3]
        return Transform._trusted(matrix, self.target, self.source)

    @property
    def scale(self) -> Matrix:
        """Scale along the source's x, y and z: shape (3,), float64, without unit."""
        return np.asarray(np.linalg.norm(self.matrix[:3, :3], axis=0), dtype=np.float64)

    @property
    def translation(self) -> Matrix:
        """Where the source's origin lies: shape (3,), float64, in the target's units."""
        return self.matrix[:3, 3].copy()

    @property
    def rotation_deg(self) -> float:
        """Angle [deg] by which the whole is turned, about whatever axis."""
        linear = self.matrix[:3, :3] / self.scale
        skew = np.array(
            [
                linear[2, 1] - linear[1, 2],
                linear[0, 2] - linear[2, 0],
                linear[1, 0] - linear[0, 1],
            ]
        )
        return math.degrees(math.atan2(float(np.linalg.norm(skew)), float(np.trace(linear)) - 1))

    @property
    def yaw_deg(self) -> float:
        """Angle [deg] from the target's x axis to the source's, seen from above, anticlockwise."""
        return math.degrees(math.atan2(self.matrix[1, 0], self.matrix[0, 0]))

    @property
    def tilt_deg(self) -> float:
        """Angle [deg] between the source's z axis and the target's."""
        return math.degrees(
            math.atan2(math.hypot(self.matrix[0, 2], self.matrix[1, 2]), self.matrix[2, 2])
        )

    @property
    def is_rigid(self) -> bool:
        """Whether lengths and angles are kept (within `RIGID_TOLERANCE`)."""
        linear = self.matrix[:3, :3]
        return bool(np.abs(linear.T @ linear - np.eye(3)).max() <= 2 * RIGID_TOLERANCE)

    def apply(self, xyz: ArrayLike) -> Matrix:
        """Move points.

        Parameters
        ----------
        xyz : array_like, shape (n, 3) or (3,), float64, in the units of `source`

        Returns
        -------
        ndarray, same shape, float64, in the units of `target`
            A new array.

        Raises
        ------
        TransformError
            If the shape is neither (n, 3) nor (3,).
        """
        points = np.asarray(xyz, dtype=np.float64)
        if points.ndim not in (1, 2) or points.shape[-1] != 3:
            raise TransformError(
                f"points have the shape {points.shape}: give (n, 3), one row a point"
            )
        return np.asarray(points @ self.matrix[:3, :3].T + self.matrix[:3, 3], dtype=np.float64)

    def __matmul__(self, first: Transform) -> Transform:
        if not isinstance(first, Transform):
            return NotImplemented
        if not same_crs(first.target, self.source):
            hint = (
                "they meet the other way round: b @ a applies a first"
                if same_crs(self.target, first.source)
                else "put the transform that leads from one to the other between them"
            )
            raise FrameError(
                f"the transforms do not meet: the first ends in {crs_label(first.target)}, "
                f"the second starts in {crs_label(self.source)}; {hint}"
            )
        matrix = self.matrix @ first.matrix
        matrix[3] = (0, 0, 0, 1)
        return Transform._trusted(matrix, first.source, self.target)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Transform):
            return NotImplemented
        return (
            np.array_equal(self.matrix, other.matrix)
            and same_crs(self.source, other.source)
            and same_crs(self.target, other.target)
        )

    def __hash__(self) -> int:
        return hash(self.matrix.tobytes())

    def __reduce__(self) -> tuple[Any, ...]:
        return Transform._trusted, (np.array(self.matrix), self.source, self.target)

    def __repr__(self) -> str:
        facts = ", ".join(f"{name} {value}" for name, value in self._facts())
        return f"<Transform {crs_label(self.source)} → {crs_label(self.target)}: {facts}>"

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><th style='text-align:left'>{escape(name)}</th><td>{escape(value)}</td></tr>"
            for name, value in (
                ("from", crs_label(self.source)),
                ("to", crs_label(self.target)),
                *self._facts(),
            )
        )
        body = "".join(
            "<tr>" + "".join(f"<td>{number:.9g}</td>" for number in row) + "</tr>"
            for row in self.matrix
        )
        return (
            f"<table><caption>Transform</caption>{rows}</table>"
            f"<details><summary>matrix</summary><table>{body}</table></details>"
        )

    def _facts(self) -> list[tuple[str, str]]:
        scale = self.scale
        uniform = float(np.ptp(scale)) <= RIGID_TOLERANCE * float(scale.max())
        shown = f"{scale[0]:.9g}" if uniform else " × ".join(f"{s:.9g}" for s in scale)
        return [
            ("rotation", f"{self.rotation_deg:.4f}°"),
            ("scale", "1" if self.is_rigid else shown),
            ("translation", "(" + ", ".join(f"{t:.4f}" for t in self.translation) + ")"),
        ]

    @classmethod
    def _trusted(cls, matrix: Matrix, source: CRS, target: CRS) -> Transform:
        """Make a transform whose matrix follows from checked ones and need not be a placement.

        A turn between two unequal scalings shears; that is no mistake in the data.
        """
        transform = cls.__new__(cls)
        transform._set(matrix, source, target)
        return transform

    def _set(self, matrix: Matrix, source: CRS, target: CRS) -> None:
        matrix = np.ascontiguousarray(matrix, dtype=np.float64) + 0.0  # a copy without -0.0
        matrix.flags.writeable = False
        object.__setattr__(self, "matrix", matrix)
        object.__setattr__(self, "source", source)
        object.__setattr__(self, "target", target)


def _sixteen(values: Sequence[float]) -> Matrix:
    numbers = _as_numbers(values, "the matrix")
    if numbers.shape != (16,):
        hint = "" if numbers.size else "; an empty list means that the object is not placed yet"
        raise TransformError(
            f"a matrix is written as 16 numbers, this has the shape {numbers.shape}{hint}"
        )
    return numbers.reshape(4, 4)


def _as_numbers(values: ArrayLike, what: str) -> Matrix:
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise TransformError(f"{what} is not made of numbers: {values!r}") from error


def _checked_placement(values: ArrayLike, what: str) -> Matrix:
    """Return `values` as a matrix, or say with numbers why it is not a placement."""
    matrix = _as_numbers(values, what).copy()
    if matrix.shape != (4, 4):
        raise TransformError(
            f"{what} has the shape {matrix.shape}, not (4, 4); for 16 numbers in a row use "
            "Transform.from_row_major or Transform.from_column_major"
        )
    if not np.isfinite(matrix).all():
        places = [f"[{i}, {j}] = {matrix[i, j]}" for i, j in np.argwhere(~np.isfinite(matrix))]
        raise TransformError(f"{what} is not finite: {', '.join(places)}")
    if np.abs(matrix[3] - (0, 0, 0, 1)).max() > _AFFINE_TOLERANCE:
        raise TransformError(
            f"{what} is not affine: its last row is {matrix[3].tolist()}, not [0, 0, 0, 1]; "
            "a translation in the last row means column-major: use Transform.from_column_major"
        )
    matrix[3] = (0, 0, 0, 1)
    lengths = np.linalg.norm(matrix[:3, :3], axis=0)
    if lengths.min() <= _SINGULAR_TOLERANCE * lengths.max():
        raise TransformError(
            f"{what} is singular: it scales x, y and z by {lengths.tolist()} and flattens the cloud"
        )
    unit = matrix[:3, :3] / lengths
    determinant = float(np.linalg.det(unit))
    if abs(determinant) <= _SINGULAR_TOLERANCE:
        raise TransformError(
            f"{what} is singular: its three axes lie in one plane (determinant "
            f"{determinant:.3g} for axes of length 1) and the cloud would be flattened"
        )
    cosines = {
        "x and y": float(unit[:, 0] @ unit[:, 1]),
        "y and z": float(unit[:, 1] @ unit[:, 2]),
        "z and x": float(unit[:, 2] @ unit[:, 0]),
    }
    if determinant < 0:
        raise TransformError(
            f"{what} mirrors: its determinant is {np.linalg.det(matrix[:3, :3]):.9g}, and a "
            "placement keeps left and right; one axis is probably flipped or two are swapped"
        )
    pair = max(cosines, key=lambda name: abs(cosines[name]))
    if abs(cosines[pair]) > SHEAR_TOLERANCE:
        angle = math.degrees(math.acos(min(1.0, max(-1.0, cosines[pair]))))
        raise TransformError(
            f"{what} shears: its {pair} axes meet at {angle:.6g}° (cosine {cosines[pair]:.3g}, "
            f"allowed ±{SHEAR_TOLERANCE:g}); a placement keeps right angles"
        )
    return matrix
