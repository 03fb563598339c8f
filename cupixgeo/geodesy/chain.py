"""The whole way of a cloud's points: its placement, then the coordinate operation.

Knows how to join one `Transform` and one `Operation` and what may not be joined. Must not know what
the points are taken from or written to.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pyproj import CRS

from cupixgeo.errors import FrameError
from cupixgeo.geodesy.area import area_of
from cupixgeo.geodesy.crs import CrsLike, as_crs, crs_label, is_local, same_crs
from cupixgeo.geodesy.operation import Operation, plan_operation
from cupixgeo.geodesy.transform import Transform


@dataclass(frozen=True, repr=False)
class Chain:
    """A checked way from one CRS to another; may be pickled and used by many threads.

    Parameters
    ----------
    source, target : pyproj.CRS
        Where the points come from and where they go.
    transform : Transform or None
        The placement, applied first.
    operation : Operation
        The coordinate operation, applied after it.
    """

    source: CRS
    target: CRS
    transform: Transform | None
    operation: Operation

    @property
    def is_identity(self) -> bool:
        """Whether points come out as they went in."""
        unmoved = self.transform is None or np.array_equal(self.transform.matrix, np.eye(4))
        return bool(unmoved and self.operation.is_identity)

    @property
    def is_smooth(self) -> bool:
        """Whether a polynomial can follow it: no grid is interpolated on the way."""
        return self.operation.is_smooth

    @property
    def accuracy_m(self) -> float | None:
        """Accuracy of the coordinate operation [m]: 0 if exact, None if PROJ states none."""
        return self.operation.accuracy_m

    @property
    def assumptions(self) -> tuple[str, ...]:
        """The declarations the way rests on."""
        return self.operation.assumptions

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of the result ought to know."""
        return self.operation.notes

    def apply(self, xyz: ArrayLike) -> NDArray[np.float64]:
        """Take points all the way.

        Parameters
        ----------
        xyz : array_like, shape (n, 3) or (3,), float64, in the units of `source`, x before y

        Returns
        -------
        ndarray, same shape, float64, in the units of `target`, x before y
            A new array.

        Raises
        ------
        TransformError, OperationError
            If the shape is wrong, or points lie where the operation is not defined.
        """
        points = xyz if self.transform is None else self.transform.apply(xyz)
        return self.operation.apply(points)

    def to_dict(self) -> dict[str, Any]:
        """Tell all of it in plain values, for a report."""
        steps: list[dict[str, Any]] = []
        if self.transform is not None:
            steps.append(
                {
                    "kind": "transform",
                    "name": "placement",
                    "source": crs_label(self.transform.source),
                    "target": crs_label(self.transform.target),
                    "matrix": self.transform.matrix.tolist(),
                    "accuracy_m": None,
                    "grids": [],
                    "assumptions": [],
                    "notes": [],
                }
            )
        if not self.operation.is_identity or not steps:
            steps.append({"kind": "operation", **self.operation.to_dict()})
        return {
            "source": crs_label(self.source),
            "target": crs_label(self.target),
            "accuracy_m": self.accuracy_m,
            "assumptions": list(self.assumptions),
            "notes": list(self.notes),
            "steps": steps,
        }

    def __str__(self) -> str:
        names = [crs_label(self.source)]
        if self.transform is not None:
            names.append(crs_label(self.transform.target))
        if not self.operation.is_identity:
            names.append(crs_label(self.target))
        return " → ".join(names)

    def __repr__(self) -> str:
        return f"<Chain {self}>"


def plan_chain(
    source: CrsLike,
    target: CrsLike,
    *,
    transform: Transform | None = None,
    assume: str | Iterable[str] = (),
    box: ArrayLike | None = None,
) -> Chain:
    """Plan the way of a cloud's points, or say why there is none.

    Parameters
    ----------
    source, target : CRS arguments
        What the points are in and what they are wanted in; see `cupixgeo.geodesy.crs.as_crs`.
    transform : Transform, optional
        The cloud's placement; it has to start where the points are.
    assume : str or iterable of str
        Declared assumptions; see `cupixgeo.geodesy.assumptions`.
    box : array_like, shape (2, 3), float64, in the units of `source`, optional
        Lowest and highest coordinates of the points. It matters where PROJ knows different
        operations for different regions.

    Returns
    -------
    Chain

    Raises
    ------
    FrameError
        If the placement does not start at `source`, or a local frame is left unplaced.
    OperationError, MissingGridError
        If no coordinate operation to `target` can be trusted.
    CrsError
        If a side is not a CRS.

    Examples
    --------
    >>> site = Transform.from_georeference(lat_deg=46, lon_deg=7, source="cupix:facility/12")
    >>> print(plan_chain("cupix:facility/12", 32632, transform=site))
    cupix:facility/12 → EPSG:4978 (WGS 84) → EPSG:32632 (WGS 84 / UTM zone 32N)
    """
    source, target = as_crs(source), as_crs(target)
    start = source
    if transform is not None:
        if not same_crs(source, transform.source):
            raise FrameError(_not_meeting(source, transform))
        start = transform.target
    area = None
    if box is not None:
        corners = np.array(list(itertools.product(*np.asarray(box, dtype=np.float64).T)))
        area = area_of(corners if transform is None else transform.apply(corners), start)
    operation = plan_operation(start, target, assume=assume, area=area)
    return Chain(source, target, transform, operation)


def _not_meeting(source: CRS, transform: Transform) -> str:
    what = (
        f"the points are in {crs_label(source)}, but their placement starts in "
        f"{crs_label(transform.source)}: "
    )
    if is_local(transform.source) and not is_local(source):
        return what + (
            "if the CRS stated by the file is wrong, open the file with "
            f"crs={crs_label(transform.source)!r}; if it is right, leave the placement away"
        )
    return what + "use the placement that belongs to these points, or name its source accordingly"
