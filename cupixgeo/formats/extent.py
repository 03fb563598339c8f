"""Boxes: that of a cloud whose file states none that can be true, and those that users ask for.

Must not know any format.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from cupixgeo.cloud.schema import FloatArray, PointReader
from cupixgeo.errors import CloudError, EmptyCloudError

BoxLike = Sequence[float] | npt.ArrayLike
"""West, south, east, north; or the lowest and the highest corner, shape (2, 2) or (2, 3)."""


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
        given = np.asarray(bounds, np.float64)
        given = given.reshape(2, 2) if given.shape == (4,) else given
        if given.shape not in ((2, 2), (2, 3)):
            raise CloudError(
                f"bounds of shape {given.shape} are no box. Give (west, south, east, north), or "
                "the lowest and the highest corner."
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
