"""Gaussian splats made of a scan: one for each small cube of points, and the PLY that holds them.

Knows the arithmetic between points and Gaussians, and the layout of a 3DGS PLY. Knows no service.

References
----------
graphdeco-inria/gaussian-splatting, ``scene/gaussian_model.py`` (property order, activations) and
``utils/sh_utils.py`` (the constant of degree 0).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cupixgeo.emulator.frames import Array

SH_C0 = 0.28209479177387814
"""Value of the spherical harmonic of degree 0, 1 / (2 √π)."""

PROPERTIES = (
    "x", "y", "z", "nx", "ny", "nz", "f_dc_0", "f_dc_1", "f_dc_2", "opacity",
    "scale_0", "scale_1", "scale_2", "rot_0", "rot_1", "rot_2", "rot_3",
)  # fmt: skip
"""Properties of a vertex at degree 0, in the reference writer's order."""

RECORDED = "recorded: made of the owner's cloud of the demo photos, not of the photos uploaded"
"""What every delivered model says of itself."""


@dataclass(frozen=True)
class Splats:
    """Gaussians in one frame.

    Parameters
    ----------
    centres : ndarray, shape (n, 3), float64, in the frame's unit
        Means.
    sigmas : ndarray, shape (n, 3), float64, in the frame's unit
        Standard deviations along the axes, ascending.
    axes : ndarray, shape (n, 3, 3), float64
        Rotations; column k is the direction of ``sigmas[:, k]``.
    rgb : ndarray, shape (n, 3), float64
        Colours from 0 to 1.
    alpha : ndarray, shape (n,), float64
        Opacities, above 0 and below 1.
    """

    centres: Array
    sigmas: Array
    axes: Array
    rgb: Array
    alpha: Array

    def __len__(self) -> int:
        return len(self.centres)

    def take(self, chosen: NDArray[np.bool_]) -> Splats:
        """Return the chosen ones."""
        return Splats(*(getattr(self, name)[chosen] for name in self.__dataclass_fields__))

    def moved(self, matrix: Array) -> Splats:
        """Return them in another frame.

        Parameters
        ----------
        matrix : ndarray, shape (4, 4), float64
            A similarity: rotation times one scale, and a translation.
        """
        scale = float(np.cbrt(np.linalg.det(matrix[:3, :3])))
        turn = matrix[:3, :3] / scale
        return Splats(
            self.centres @ matrix[:3, :3].T + matrix[:3, 3],
            self.sigmas * scale,
            turn @ self.axes,
            self.rgb,
            self.alpha,
        )

    @property
    def quaternions(self) -> Array:
        """Rotations as unit quaternions (n, 4) in the order (w, x, y, z), with w not negative."""
        return _quaternions(self.axes)

    @property
    def f_dc(self) -> Array:
        """Colours (n, 3) as stored: coefficients of degree 0."""
        return (self.rgb - 0.5) / SH_C0

    @property
    def logits(self) -> Array:
        """Opacities (n,) as stored."""
        return np.asarray(np.log(self.alpha / (1 - self.alpha)))


def splats_of(xyz: Array, rgb: Array, *, cell_m: float) -> Splats:
    """Make one Gaussian of the points in each cube of a grid.

    Parameters
    ----------
    xyz : ndarray, shape (n, 3), float64 [m]
        Points.
    rgb : ndarray, shape (n, 3), float64
        Their colours from 0 to 1.
    cell_m : float
        [m] width of a cube.

    Returns
    -------
    Splats
        In the frame of the points, in the order of the cubes.
    """
    cells = np.floor((xyz - xyz.min(axis=0)) / cell_m).astype(np.int64)
    width = cells.max(axis=0) + 1
    code = (cells[:, 0] * width[1] + cells[:, 1]) * width[2] + cells[:, 2]
    _, group, count = np.unique(code, return_inverse=True, return_counts=True)

    def mean(values: Array) -> Array:
        return np.asarray(np.bincount(group, values, len(count)) / count)

    centres = np.column_stack([mean(column) for column in xyz.T])
    off = xyz - centres[group]
    spread = np.empty((len(count), 3, 3))
    for i in range(3):
        for j in range(i + 1):
            spread[:, i, j] = spread[:, j, i] = mean(off[:, i] * off[:, j])
    variances, axes = np.linalg.eigh(spread)
    axes[np.linalg.det(axes) < 0, :, 0] *= -1
    return Splats(
        centres=centres,
        sigmas=np.sqrt(np.maximum(variances, (cell_m / 40) ** 2)),
        axes=axes,
        rgb=np.column_stack([mean(column) for column in rgb.T]),
        alpha=np.clip(count / np.median(count), 0.05, 1.0) * 0.95,
    )


def write_splat_ply(splats: Splats, comments: Sequence[str] = ()) -> bytes:
    """Return a 3DGS PLY of degree 0 with the reference writer's properties.

    Parameters
    ----------
    splats : Splats
        What to write.
    comments : sequence of str
        Comment lines besides `RECORDED`.
    """
    zeros = np.zeros((len(splats), 3))
    table = np.column_stack([
        splats.centres, zeros, splats.f_dc, splats.logits, np.log(splats.sigmas),
        splats.quaternions,
    ])  # fmt: skip
    head = [
        "ply",
        "format binary_little_endian 1.0",
        *(f"comment {text}" for text in (RECORDED, *comments)),
        f"element vertex {len(splats)}",
        *(f"property float {name}" for name in PROPERTIES),
        "end_header\n",
    ]
    return "\n".join(head).encode() + table.astype("<f4").tobytes()


def _quaternions(turns: Array) -> Array:
    """Convert rotation matrices (n, 3, 3) to quaternions (n, 4), w x y z."""
    m = turns
    # squares of the four components, times four; the largest one is safe to divide by
    fours = np.stack([
        1 + m[:, 0, 0] + m[:, 1, 1] + m[:, 2, 2],
        1 + m[:, 0, 0] - m[:, 1, 1] - m[:, 2, 2],
        1 - m[:, 0, 0] + m[:, 1, 1] - m[:, 2, 2],
        1 - m[:, 0, 0] - m[:, 1, 1] + m[:, 2, 2],
    ], axis=1)  # fmt: skip
    products = np.empty((len(m), 4, 4))
    products[:, range(4), range(4)] = fours
    for (i, j), value in {
        (0, 1): m[:, 2, 1] - m[:, 1, 2], (0, 2): m[:, 0, 2] - m[:, 2, 0],
        (0, 3): m[:, 1, 0] - m[:, 0, 1], (1, 2): m[:, 0, 1] + m[:, 1, 0],
        (1, 3): m[:, 0, 2] + m[:, 2, 0], (2, 3): m[:, 1, 2] + m[:, 2, 1],
    }.items():  # fmt: skip
        products[:, i, j] = products[:, j, i] = value
    rows = products[np.arange(len(m)), fours.argmax(axis=1)]
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(np.where(unit[:, :1] < 0, -unit, unit))
