"""A scene as Python that makes it again, and a viewpoint in the words of its CRS."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from cupixgeo.errors import ArgumentError
from cupixgeo.widgets.points import Frame
from cupixgeo.widgets.repeat import Name, call
from cupixgeo.widgets.scene_clouds import Cloud
from cupixgeo.widgets.scene_still import AZIMUTH_DEG, ELEVATION_DEG
from cupixgeo.widgets.view import name_of


def write_code(
    clouds: Mapping[str, Cloud], keywords: Mapping[str, Any], after: Mapping[str, Any]
) -> str:
    """Write the Python that makes a scene.

    Parameters
    ----------
    clouds : mapping of str to Cloud
        What was given.
    keywords : mapping
        Of the constructor; None is left out.
    after : mapping
        Attributes that are set once it is there.
    """
    said = {name: _expression(cloud, name) for name, cloud in clouds.items()}
    alone = len(said) == 1
    given: list[Any] = [next(iter(said.values())) if alone else said] if said else []
    told = {name: value for name, value in keywords.items() if value is not None}
    lines = ["import cupixgeo as cx", "", f"scene = {call('cx.widgets.Scene', *given, **told)}"]
    lines += [f"scene.{name} = {value!r}" for name, value in after.items()]
    return "\n".join([*lines, "scene"])


def _expression(cloud: Cloud, name: str) -> Any:
    """Write a cloud as the user would: its name in the notebook, or its path."""
    if isinstance(cloud, xr.Dataset):
        return Name(name_of(cloud, name if name.isidentifier() else "cloud"))
    return str(cloud)


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
    known = {"azimuth_deg": AZIMUTH_DEG, "elevation_deg": ELEVATION_DEG, **said}
    try:
        target = np.array(known["target"], np.float64).reshape(3)
        numbers = {
            short: float(known[name])
            for short, name in (
                ("distance", "distance_m"),
                ("azimuth", "azimuth_deg"),
                ("elevation", "elevation_deg"),
            )
        }
    except (KeyError, TypeError, ValueError) as error:
        raise ArgumentError(
            f"{dict(said)} is not a viewpoint. It has target (3 coordinates) and distance_m, and "
            "may have azimuth_deg and elevation_deg."
        ) from error
    return {"target": frame.to_scene(target).tolist(), **numbers}
