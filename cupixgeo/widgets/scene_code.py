"""A scene as Python that makes it again, and a viewpoint in the words of its CRS."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from cupixgeo.cloud.schema import FloatArray
from cupixgeo.errors import ArgumentError
from cupixgeo.formats.extent import BoxLike, read_area
from cupixgeo.geodesy.crs import crs_label
from cupixgeo.widgets.points import Frame
from cupixgeo.widgets.repeat import Name, call
from cupixgeo.widgets.scene_clouds import Cloud
from cupixgeo.widgets.scene_still import AZIMUTH_DEG, ELEVATION_DEG
from cupixgeo.widgets.view import name_of

POINT_SIZE = 2.0
"""[pixel] unless told."""

LARGEST_POINT = 100.0
"""[pixel] a point may be wide."""

USUAL = {"point_size": POINT_SIZE, "shading": True}
"""Keywords of a scene that need not be written."""


def check_size(point_size: float) -> float:
    """Refuse a diameter of points [pixel] that nobody could see, or see past.

    Raises
    ------
    ArgumentError
        It is not more than 0, or more than `LARGEST_POINT`.
    """
    if not 0 < point_size <= LARGEST_POINT:
        raise ArgumentError(
            f"point_size={point_size:g} is no diameter of a point: give pixels, more than 0 and "
            f"at most {LARGEST_POINT:g}."
        )
    return float(point_size)


def write_code(
    clouds: Mapping[str, Cloud], keywords: Mapping[str, Any], after: Mapping[str, Any]
) -> str:
    """Write the Python that makes a scene.

    Parameters
    ----------
    clouds : mapping of str to Cloud
        What was given.
    keywords : mapping
        Of the constructor; None and what is so unless told are left out.
    after : mapping
        Attributes that are set once it is there; empty ones are left out.
    """
    said = {name: _expression(cloud, name) for name, cloud in clouds.items()}
    alone = len(said) == 1
    given: list[Any] = [next(iter(said.values())) if alone else said] if said else []
    told = {k: v for k, v in keywords.items() if v is not None and v != USUAL.get(k)}
    lines = ["import cupixgeo as cx", "", f"scene = {call('cx.widgets.Scene', *given, **told)}"]
    lines += [f"scene.{name} = {value!r}" for name, value in after.items() if value]
    return "\n".join([*lines, "scene"])


def _expression(cloud: Cloud, name: str) -> Any:
    """Write a cloud as the user would: its name in the notebook, or its path."""
    if isinstance(cloud, xr.Dataset):
        return Name(name_of(cloud, name if name.isidentifier() else "cloud"))
    return str(cloud)


def tell_clip(bounds: BoxLike, frame: Frame, box: FloatArray) -> list[float]:
    """Tell the front end of a clipping box.

    Parameters
    ----------
    bounds : BoxLike
        As for `read_area`; cut to `box`.
    frame : Frame
        Of the scene.
    box : ndarray, shape (2, 3), float64 [CRS units]
        Box of all clouds.

    Returns
    -------
    list of 6 float [m], from the origin
        Lowest corner, then the highest.

    Raises
    ------
    ArgumentError
        It is no box, or nothing of the clouds is in it.
    CloudError
        It cannot be read.
    """
    area = read_area(bounds)
    if not area.is_box:
        raise ArgumentError("clip_bounds is a polygon, and the clipping box is a box.")
    low, high = np.maximum(area.low, box[0]), np.minimum(area.high, box[1])
    if (low > high).any():
        raise ArgumentError(
            f"clip_bounds lies outside of the clouds, which reach from {box[0].round(3).tolist()} "
            f"to {box[1].round(3).tolist()} in {crs_label(frame.crs)}. Give a box in that CRS that "
            "meets them."
        )
    return [float(v) for v in frame.to_scene(np.stack([low, high])).ravel()]


def say_viewpoint(told: Mapping[str, Any], frame: Frame) -> dict[str, Any]:
    """Say where the front end looks from, in CRS coordinates; see `Scene.viewpoint`."""
    return {
        "target": tuple(round(float(v), 3) for v in frame.to_crs(np.array(told["target"]))),
        "distance_m": round(float(told["distance"]), 3),
        "azimuth_deg": round(float(told["azimuth"]), 2),
        "elevation_deg": round(float(told["elevation"]), 2),
    }


def tell_viewpoint(said: Mapping[str, Any], frame: Frame) -> dict[str, Any]:
    """Tell the front end where to look from; the way back of `say_viewpoint`.

    Raises
    ------
    ArgumentError
        Something is missing or not a number.
    """
    try:
        known = {"azimuth_deg": AZIMUTH_DEG, "elevation_deg": ELEVATION_DEG, **said}
        target = np.array(known["target"], np.float64).reshape(3)
        numbers = {
            short: float(known[name])
            for short, name in (
                ("distance", "distance_m"),
                ("azimuth", "azimuth_deg"),
                ("elevation", "elevation_deg"),
            )
        }
        if not np.isfinite([*target, *numbers.values()]).all() or numbers["distance"] <= 0:
            raise ValueError
    except (KeyError, TypeError, ValueError) as error:
        raise ArgumentError(
            f"{said!r} is not a viewpoint. It has target (3 coordinates) and distance_m, and "
            "may have azimuth_deg and elevation_deg."
        ) from error
    return {"target": frame.to_scene(target).tolist(), **numbers}
