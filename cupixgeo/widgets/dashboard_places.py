"""Where on earth the pointclouds of an account are, as far as it can be told without their files.

Knows that a facility has a place, and that a placement puts the origin of a cloud's frame
somewhere. Opens no cloud. Must not know widgets.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from cupixgeo.cloud.source import Source
from cupixgeo.errors import CupixGeoError
from cupixgeo.geodesy.crs import as_crs, frame_name
from cupixgeo.geodesy.operation import plan_operation

LON, LAT = "lon_deg", "lat_deg"
WGS84_3D = 4979
MOST_RECORDS = 40
"""Records whose pointclouds are placed one by one: each is some requests."""


def has_places(table: pd.DataFrame) -> bool:
    """Whether rows say themselves where they are."""
    return {LON, LAT} <= set(table.columns)


def by_facility(account: Any, table: pd.DataFrame) -> pd.DataFrame:
    """Add the place of each row's facility, with one request.

    Parameters
    ----------
    account : Account
        One that lists facilities; the rows of any other are placed nowhere.
    table : pandas.DataFrame
        With ``facility_id``.

    Returns
    -------
    pandas.DataFrame
        The same rows with ``lon_deg`` and ``lat_deg`` [deg]; NaN where nothing is known.
    """
    placed = table.assign(**{LON: np.nan, LAT: np.nan})
    placed.attrs = {
        **table.attrs,
        "columns": {
            **table.attrs.get("columns", {}),
            LON: {"unit": "deg", "meaning": "longitude, of the cloud or its facility"},
            LAT: {"unit": "deg", "meaning": "latitude, of the cloud or its facility"},
        },
    }
    if not len(table) or "facility_id" not in table or not hasattr(account, "facilities"):
        return placed
    facilities = account.facilities().set_index("id")
    for name in (LON, LAT):
        known = table["facility_id"].map(facilities[name])
        placed[name] = known.to_numpy(dtype=np.float64, na_value=np.nan)
    return placed


def by_record(account: Any, table: pd.DataFrame) -> dict[int, tuple[float, float]]:
    """Place the pointclouds of all records of a table, if these are few.

    Parameters
    ----------
    account : Account
        One that gives placed sources.
    table : pandas.DataFrame
        With ``record_id``.

    Returns
    -------
    dict
        Id → longitude and latitude [deg] of the origin of the cloud's frame. A record that cannot
        be placed as a whole is left out: its rows stay at their facility.
    """
    if "record_id" not in table or not hasattr(account, "sources"):
        return {}
    records = table["record_id"].dropna().unique().tolist()
    found: dict[int, tuple[float, float]] = {}
    for record in records[:MOST_RECORDS]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                found |= places_of(account.sources(record_id=int(record)))
            except CupixGeoError:
                continue
    return found


def places_of(sources: Iterable[Source]) -> dict[int, tuple[float, float]]:
    """Give longitude and latitude [deg] of the frames' origins, where they are on earth.

    Parameters
    ----------
    sources : iterable of Source
        With ``provenance["pointcloud_id"]``.
    """
    found = {}
    for source in sources:
        transform = source.transform
        if transform is None or frame_name(as_crs(transform.target)) is not None:
            continue
        try:
            place = plan_operation(transform.target, WGS84_3D).apply(
                transform.apply(np.zeros((1, 3)))
            )[0]
        except CupixGeoError:
            continue
        if np.isfinite(place).all():
            found[int(source.provenance["pointcloud_id"])] = (float(place[0]), float(place[1]))
    return found


def with_places(table: pd.DataFrame, places: Mapping[int, tuple[float, float]]) -> pd.DataFrame:
    """Put rows where their clouds are, and groups amid their subs."""
    if "parent_id" in table:
        known = table.assign(place=table["id"].map(places)).dropna(subset=["place", "parent_id"])
        amid = {
            int(str(group)): tuple(np.mean(subs["place"].tolist(), axis=0))
            for group, subs in known.groupby("parent_id")
        }
        places = {**amid, **places}
    moved = table.copy()
    moved.attrs = table.attrs
    rows = moved["id"].isin(list(places))
    for number, name in enumerate((LON, LAT)):
        moved.loc[rows, name] = [places[int(id)][number] for id in moved.loc[rows, "id"]]
    return moved


def subs_of(table: pd.DataFrame, ids: Iterable[int]) -> list[int]:
    """Give the pointclouds with a file among some: a group stands for its subs."""
    chosen = list(dict.fromkeys(ids))
    if "kind" not in table or "parent_id" not in table:
        return chosen
    groups = set(table.loc[table["kind"] == "group", "id"].tolist())
    subs: dict[int, list[int]] = {}
    for parent, id in table.loc[table["parent_id"].isin(groups), ["parent_id", "id"]].to_numpy():
        subs.setdefault(int(parent), []).append(int(id))
    wanted: list[int] = []
    for id in chosen:
        wanted += subs.get(id, []) if id in groups else [id]
    return [int(id) for id in dict.fromkeys(wanted)]
