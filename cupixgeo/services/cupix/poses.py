"""Camera poses of Cupix panos as columns: in the facility's metres and on the earth.

Knows how ``geo_coordinate`` is read and how many poses at once become longitudes and latitudes.
Must not know how panos are fetched.

Sources: CupixWorks pano page (``geo_coordinate: {pos, quat}``, metres relative to the facility's
origin). The order of ``quat`` is not stated; both published samples have a positive last number,
which is usual where the real part comes last, so that is the default.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from cupixgeo.errors import ArgumentError, ResponseError
from cupixgeo.geodesy.operation import plan_operation
from cupixgeo.geodesy.transform import Transform
from cupixgeo.services.cupix.georeference import choose_georeference, read_georeference
from cupixgeo.services.cupix.pointcloud import Facility
from cupixgeo.services.cupix.schema import POSES
from cupixgeo.services.cupix.wire import Attributes

FloatArray = npt.NDArray[np.float64]

QUAT_ORDERS = {"xyzw": (0, 1, 2, 3), "wxyz": (1, 2, 3, 0)}
"""Order on the wire → where x, y, z and the real part stand in it."""

FacilityOf = Callable[[Attributes], Facility | None]


def pose_columns(
    panos: Sequence[Attributes], facility_of: FacilityOf, *, quat_order: str = "xyzw"
) -> pd.DataFrame:
    """Compute the columns `cupixgeo.services.cupix.schema.POSES`.

    Parameters
    ----------
    panos : sequence of dict
        Attributes of panos.
    facility_of : callable
        Finds the facility of a pano.
    quat_order : {"xyzw", "wxyz"}
        Order of the four numbers of a quaternion.

    Returns
    -------
    pandas.DataFrame
        Same order and number of rows; NaN for panos that are not aligned, and in the geographic
        columns for those that are not georeferenced.

    Raises
    ------
    ArgumentError
        If there is no such order.
    ResponseError
        If a pose is not made of numbers.
    """
    if quat_order not in QUAT_ORDERS:
        raise ArgumentError(f"quat_order={quat_order!r} is neither 'xyzw' nor 'wxyz'.")
    positions, quaternions = np.full((len(panos), 3), np.nan), np.full((len(panos), 4), np.nan)
    for row, pano in enumerate(panos):
        pose = pano.get("geo_coordinate")
        if isinstance(pose, Mapping):
            positions[row] = _numbers(pose.get("pos"), 3, "pos", pano)
            quaternions[row] = _numbers(pose.get("quat"), 4, "quat", pano)
    earth = _on_earth(panos, facility_of, positions)
    quaternions = quaternions[:, QUAT_ORDERS[quat_order]]
    values = np.column_stack([positions, quaternions, earth])
    return pd.DataFrame(values, columns=[column.name for column in POSES.columns])


def _numbers(values: Any, count: int, name: str, pano: Attributes) -> FloatArray:
    if values is None:
        return np.full(count, np.nan)
    try:
        numbers = np.array(values, dtype=np.float64)
    except (TypeError, ValueError):
        numbers = np.empty(0)
    if numbers.shape != (count,) or not np.isfinite(numbers).all():
        raise ResponseError(
            f"cupix sent {values!r} as {name} of pano {pano.get('id')}, which is not {count} "
            "numbers. Report it: the service may have changed.",
            service="cupix",
        )
    return numbers


def _on_earth(
    panos: Sequence[Attributes], facility_of: FacilityOf, positions: FloatArray
) -> FloatArray:
    """Give longitude [deg], latitude [deg] and height [m], all of one georeference at a time."""
    together: dict[str, list[int]] = {}
    sent: dict[str, tuple[Mapping[str, Any], str]] = {}
    for row in np.flatnonzero(np.isfinite(positions).all(axis=1)).tolist():
        pano = panos[row]
        chosen = choose_georeference([(f"pano {pano.get('id')}", pano)], facility_of(pano))
        if chosen is not None:
            key = json.dumps(chosen[0], sort_keys=True)
            sent.setdefault(key, chosen)
            together.setdefault(key, []).append(row)
    result = np.full((len(panos), 3), np.nan)
    for key, rows in together.items():
        georeference = read_georeference(*sent[key])
        if georeference is not None:
            # Panos of any facility go through here, so the frame is only a name for the sum.
            to_earth = Transform.from_georeference(georeference, source="cupix:facility/any")
            geocentric = to_earth.apply(positions[rows])
            result[rows] = plan_operation(4978, 4979).apply(geocentric)
    return result
