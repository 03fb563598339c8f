"""Matrices as a service writes them: 16 numbers of unstated order, and a scale beside them.

Knows how to tell row-major from column-major, what a separate scale can mean, and how to compare
two matrices that should be one. Must not know: frames (`transform`), and any service's field names
beyond those its documentation shows.

Sources: Cupix API documentation of ``tm``, ``wtm``, ``scale`` and ``wscale`` (order and meaning not
stated; its samples are identities); the Cupix camera sample passes ``tm`` to three.js
``Matrix4.set``, whose arguments are row-major. So row-major is the default, and is checked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cupixgeo.errors import TransformError

ORDER_TOLERANCE = 1e-9
"""Largest number taken for a zero of the last row, relative to the matrix's largest scale."""
SCALE_TOLERANCE = 1e-5
"""Largest relative difference between a stated scale and a matrix's own."""


@dataclass(frozen=True, eq=False)
class WireMatrix:
    """A matrix whose order has been found out.

    Parameters
    ----------
    matrix : ndarray, shape (4, 4), float64
        For column vectors: translation in the last column.
    order : {"row", "column"}
        How the 16 numbers were read.
    ambiguous : bool
        Whether they could as well be read the other way (there is no translation).
    """

    matrix: NDArray[np.float64]
    order: Literal["row", "column"]
    ambiguous: bool = False

    @property
    def order_matters(self) -> bool:
        """Whether the other reading, if it is possible, would be a different matrix."""
        return self.ambiguous and not np.array_equal(self.matrix, self.matrix.T)


def read_matrix(
    values: Sequence[float] | None, *, order: Literal["auto", "row", "column"] = "auto"
) -> WireMatrix:
    """Read 16 numbers as an affine matrix, finding out their order.

    Parameters
    ----------
    values : sequence of 16 float
        As the service sent them.
    order : {"auto", "row", "column"}
        "auto" looks where the row (0, 0, 0, 1) is.

    Returns
    -------
    WireMatrix

    Raises
    ------
    TransformError
        If there are not 16 finite numbers, or they are not an affine matrix in that order.

    References
    ----------
    Cupix API documentation, ``meta.prop.tm`` ("array of float", order not stated).

    Examples
    --------
    >>> read_matrix([1, 0, 0, 5, 0, 1, 0, 6, 0, 0, 1, 7, 0, 0, 0, 1]).order
    'row'
    """
    matrix = _read_sixteen(values)
    tolerance = ORDER_TOLERANCE * float(np.linalg.norm(matrix[:3, :3], axis=0).max())
    corner = abs(matrix[3, 3] - 1) <= ORDER_TOLERANCE
    row_like = corner and float(np.abs(matrix[3, :3]).sum()) <= tolerance
    column_like = corner and float(np.abs(matrix[:3, 3]).sum()) <= tolerance
    if not (column_like if order == "column" else row_like):
        if order == "auto" and column_like:
            return WireMatrix(_affine(matrix.T), "column")
        other = {"row": column_like, "column": row_like}.get(order, False)
        hint = " (read the other way round it would be one)" if other else ""
        raise TransformError(
            f"the 16 numbers are not an affine matrix in {order} order{hint}: numbers 4, 8, 12 are "
            f"{matrix[:3, 3].tolist()}, numbers 13 to 16 are {matrix[3].tolist()}; one of the two "
            "groups has to be 0, 0, 0 with 1 as the 16th number"
        )
    ambiguous = row_like and column_like and order == "auto"
    if order == "column":
        return WireMatrix(_affine(matrix.T), "column")
    return WireMatrix(_affine(matrix), "row", ambiguous)


def apply_scale(wtm: ArrayLike, wscale: Sequence[float] | None) -> tuple[NDArray[np.float64], str]:
    """Bring a separately stated scale into its matrix, where it is not in it already.

    Parameters
    ----------
    wtm : array_like, shape (4, 4), float64
        For column vectors.
    wscale : sequence of 3 float, or None
        Scale along x, y and z as stated beside the matrix; None or empty if none is.

    Returns
    -------
    matrix : ndarray, shape (4, 4), float64
        ``wtm``, or ``wtm @ diag(wscale)``.
    note : str
        What was found, empty where there was nothing to decide.

    Raises
    ------
    TransformError
        If the stated scale is not three positive numbers, or contradicts the matrix.

    References
    ----------
    Cupix API documentation, ``meta.prop.scale`` and ``wscale``: whether the matrix contains them is
    not stated. Column lengths equal to the scale mean that it does; lengths of 1 that it does not.
    """
    matrix = np.array(wtm, dtype=np.float64)
    if wscale is None or not len(wscale):
        return matrix, ""
    try:
        scale = np.asarray(wscale, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise TransformError(f"the scale is not made of numbers: {wscale!r}") from error
    if scale.shape != (3,) or not np.isfinite(scale).all() or scale.min() <= 0:
        raise TransformError(f"the scale is {scale.tolist()}: it has to be three positive numbers")
    lengths = np.linalg.norm(matrix[:3, :3], axis=0)
    is_one = bool(np.allclose(scale, 1, rtol=SCALE_TOLERANCE, atol=0))
    if np.allclose(lengths, scale, rtol=SCALE_TOLERANCE, atol=0):
        return matrix, "" if is_one else f"the scale {scale.tolist()} is already in the matrix"
    if np.allclose(lengths, 1, rtol=SCALE_TOLERANCE, atol=0):
        return matrix @ np.diag([*scale, 1.0]), f"the scale {scale.tolist()} was applied first"
    raise TransformError(
        f"the matrix scales by {lengths.tolist()} and the scale beside it says {scale.tolist()}: "
        "they contradict each other, so decide which holds and make the Transform from it"
    )


def disagreement(stated: ArrayLike, computed: ArrayLike) -> float:
    """Say how far two matrices that should be one are apart.

    Parameters
    ----------
    stated, computed : array_like, shape (4, 4), float64

    Returns
    -------
    float
        The largest difference, relative: of the linear part to its scale, of the translation to
        its length (or to 1, if that is more).
    """
    a, b = (np.asarray(matrix, dtype=np.float64) for matrix in (stated, computed))
    scale = float(np.linalg.norm(b[:3, :3], axis=0).max())
    length = max(1.0, float(np.linalg.norm(b[:3, 3])))
    return max(
        float(np.abs(a[:3, :3] - b[:3, :3]).max()) / scale,
        float(np.abs(a[:3, 3] - b[:3, 3]).max()) / length,
    )


def _read_sixteen(values: Sequence[float] | None) -> NDArray[np.float64]:
    if values is None or not len(values):
        raise TransformError(
            f"the matrix is {values!r}: the object is not placed (yet), align it first"
        )
    try:
        numbers = np.array(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise TransformError(f"the matrix is not made of 16 numbers: {values!r}") from error
    if numbers.shape != (16,):
        raise TransformError(f"the matrix has the shape {numbers.shape}, not 16 numbers in a row")
    if not np.isfinite(numbers).all():
        bad = [f"number {i + 1} is {numbers[i]}" for i in np.flatnonzero(~np.isfinite(numbers))]
        raise TransformError(f"the matrix is not finite: {', '.join(bad)}")
    return numbers.reshape(4, 4)


def _affine(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Make the last row exactly (0, 0, 0, 1)."""
    affine = np.array(matrix)
    affine[3] = (0, 0, 0, 1)
    return affine
