"""How far one cloud is from another: from each point to the nearest point of the other.

Knows clouds and units: both in one CRS, distances in metres. What is nearest is found by
`neighbours`. The distance tells that something is new, not what is gone: for that it is asked the
other way round.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr

from cupixgeo.cloud.schema import FloatArray
from cupixgeo.cloud.spatial_ref import dataset_crs
from cupixgeo.errors import CloudError, EmptyCloudError, FrameError
from cupixgeo.geodesy.crs import crs_label, same_crs
from cupixgeo.geodesy.units import metres_per_unit
from cupixgeo.pipeline.dataset_reader import DatasetReader
from cupixgeo.progress import Progress, ProgressFn

MOST_POINTS = 40_000_000
"""Points of the cloud that is searched: some 60 bytes each while the search tree is made."""


@dataclass(frozen=True)
class Change:
    """Distances of a cloud in a few numbers.

    Parameters
    ----------
    points : int
        Points with coordinates.
    beyond : int
        How many of them have nothing within `max_distance_m`.
    median_m, p95_m : float
        Half and 95 % of the points are nearer than this [m]; infinite where they are not
        within `max_distance_m`.
    threshold_m : float
        Distance from which on a point counts as changed [m].
    changed : float
        Share of the points that are changed, 0 to 1.
    max_distance_m : float
        Distance up to which was looked [m].
    """

    points: int
    beyond: int
    median_m: float
    p95_m: float
    threshold_m: float
    changed: float
    max_distance_m: float

    def __str__(self) -> str:
        def said(value: float) -> str:
            if np.isfinite(value):
                return f"{value:.3f} m"
            return f"over {self.max_distance_m:g} m"

        return (
            f"median {said(self.median_m)}, 95 % within {said(self.p95_m)}; {self.changed:.1%} of "
            f"{self.points:,} points are further than {self.threshold_m:g} m"
            + (f", {self.beyond:,} further than {self.max_distance_m:g} m" if self.beyond else "")
        )


def distances_m(
    cloud: xr.Dataset,
    reference: xr.Dataset,
    *,
    max_distance_m: float = np.inf,
    progress: ProgressFn | None = None,
) -> FloatArray:
    """Distance of each point to the nearest point of another cloud.

    Parameters
    ----------
    cloud, reference : xarray.Dataset
        Point clouds in one CRS, projected or a local frame.
    max_distance_m : float
        How far to look [m]; less is faster.
    progress : callable or None
        Told after each block.

    Returns
    -------
    ndarray, shape (n,), float64 [m]
        In the order of `cloud`. Infinite where nothing is within `max_distance_m`, NaN where the
        point has no finite coordinates.

    Raises
    ------
    FrameError
        The two are not in one CRS.
    CloudError
        The CRS is in degrees, or `reference` has too many points.
    EmptyCloudError
        `reference` has no point with coordinates.
    """
    from cupixgeo.pipeline.neighbours import neighbours_of

    crs = dataset_crs(cloud)
    if not same_crs(crs, dataset_crs(reference)):
        raise FrameError(
            f"distances need one CRS: the one cloud is in {crs_label(crs)}, the other in "
            f"{crs_label(dataset_crs(reference))}. Bring them together with cloud.cloud.to_crs."
        )
    if crs.is_geographic:
        raise CloudError(
            f"distances are not measured in degrees ({crs_label(crs)}). Bring both clouds to a "
            "projected CRS first: cloud.cloud.to_crs(32650)."
        )
    known = DatasetReader(reference)
    if known.info.point_count > MOST_POINTS:
        raise CloudError(
            f"{known.info.path.name} has {known.info.point_count:,} points, too many to be "
            f"searched at once ({MOST_POINTS:,}). Thin it first: cloud.cloud.thin(0.05)."
        )
    parts = [block.xyz for block in known.blocks(columns=())]
    xyz = np.concatenate([np.empty((0, 3)), *parts])
    xyz = xyz[np.isfinite(xyz).all(axis=1)]
    if not len(xyz):
        raise EmptyCloudError(
            f"{known.info.path.name} holds no point with coordinates, so nothing can be compared "
            "with it."
        )
    origin = xyz[0].copy()
    metres = np.array(metres_per_unit(crs, origin))
    tree = neighbours_of((xyz - origin) * metres)
    asked = DatasetReader(cloud)
    out = np.empty(asked.info.point_count)
    done = 0
    for block in asked.blocks(columns=()):
        places = (block.xyz - origin) * metres
        out[done : done + len(block)] = tree.distances(places, farthest=max_distance_m)
        done += len(block)
        if progress is not None:
            progress(Progress("compare", done, len(out), "points", asked.info.path.name))
    return out


def change(distances: FloatArray, *, threshold_m: float, max_distance_m: float) -> Change:
    """Sum distances up.

    Parameters
    ----------
    distances : ndarray, shape (n,), float64 [m]
        As of `distances_m`, at least one that is not NaN.
    threshold_m : float
        Distance from which on a point counts as changed [m].
    max_distance_m : float
        Distance up to which was looked [m].
    """
    known = np.sort(distances[~np.isnan(distances)])
    median, p95 = (float(known[int(np.ceil(share * len(known))) - 1]) for share in (0.5, 0.95))
    return Change(
        points=len(known),
        beyond=int(np.isinf(known).sum()),
        median_m=median,
        p95_m=p95,
        threshold_m=threshold_m,
        changed=float((known > threshold_m).mean()),
        max_distance_m=max_distance_m,
    )
