"""In which CRS the point clouds of a result are.

Knows what the request asked for and what the files say. Must not know requests.

A LAS of DJI states its horizontal CRS and nothing about heights, whatever heights were asked for;
a PLY states nothing. That the engine followed the request is believed where the file does not
contradict it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cupixgeo.geodesy.crs import is_local, same_crs
from cupixgeo.services.flighthub.order import descriptor_of

if TYPE_CHECKING:
    from pyproj import CRS


def crs_of(parameters: Mapping[str, Any], path: Path, folder: Path, *, kind: str) -> CRS | None:
    """Give the CRS of a point cloud; None where the file itself says all.

    Parameters
    ----------
    parameters : mapping
        What was asked for (see `cupixgeo.services.flighthub.order.read_order`).
    path : Path
        The cloud.
    folder : Path
        Root of its result set.
    kind : str
        Kind of model it belongs to; the first that was asked for if it is none.
    """
    from cupixgeo.formats.dji_results import cloud_crs
    from cupixgeo.formats.registry import open_reader

    asked_for = parameters["content"]
    asked = descriptor_of(parameters, kind if kind in asked_for else next(iter(asked_for)))
    with open_reader(path) as reader:
        stated = reader.info.crs
        middle = None if not is_local(stated) else reader.bounds().mean(axis=0)
    if middle is None:
        if asked is None or not asked.override_vertical_cs:
            return None
        horizontal = asked.crs.sub_crs_list[0]
        return asked.crs if same_crs(stated.to_2d(), horizontal) else None
    found = cloud_crs(path, folder, middle=np.asarray(middle))
    if found is None:
        return None if asked is None else asked.crs
    if asked is not None and asked.override_vertical_cs and not is_local(found):
        return asked.crs if same_crs(found.to_2d(), asked.crs.sub_crs_list[0]) else found
    return found
