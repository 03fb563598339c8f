"""Small pointclouds as the wire describes them, for tests without a service."""

from __future__ import annotations

from typing import Any

import numpy as np

from cupixgeo.services.cupix.pointcloud import Pointcloud


def matrix(*, yaw_deg: float = 0.0, shift: tuple[float, float, float] = (0, 0, 0)) -> Any:
    """A turn about z and a shift, (4, 4), for column vectors."""
    c, s = np.cos(np.radians(yaw_deg)), np.sin(np.radians(yaw_deg))
    made = np.array([[c, -s, 0, 0], [s, c, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]])
    made[:3, 3] = shift
    return made


def flat(values: Any) -> list[float]:
    """The 16 numbers of a matrix, row after row."""
    return np.asarray(values).ravel().tolist()


def cloud_of(attributes: dict[str, Any], **prop: Any) -> Pointcloud:
    return Pointcloud.from_attributes({**attributes, "meta": {"prop": prop}})


def sub_of(*, record: Any = None, **prop: Any) -> Pointcloud:
    return cloud_of({"id": 2, "kind": "sub", "parent": {"id": 1}, "record": record}, **prop)


def group_of(**prop: Any) -> Pointcloud:
    return cloud_of({"id": 1, "kind": "group", "cluster": {"id": 7}}, **prop)
