"""Where on earth a Cupix facility is: the wire's georeference, and which of several holds.

Sources: CupixWorks OpenAPI file v1.9.4 (``Georeference``: epsg_code, x, y, z as text; lat, lon,
alt, bearing as numbers; any may be null) and the facility page, whose x and y are the EPSG:3857
image of its lat and lon although its epsg_code is 4326.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, TypeGuard

from cupixgeo.errors import CrsError, ResponseError
from cupixgeo.geodesy.crs import as_crs
from cupixgeo.geodesy.georeference import Georeference
from cupixgeo.services.cupix.pointcloud import Facility

WEB_MERCATOR = 3857
"""What x and y are in where epsg_code says 4326."""


def read_georeference(sent: Mapping[str, Any] | None, owner: str) -> Georeference | None:
    """Read a georeference as sent.

    Latitude and longitude come first; x and y count only without them. A missing height or bearing
    is 0, and heights are taken as ellipsoidal: the service does not say which they are.

    Parameters
    ----------
    sent : mapping or None
        The wire's object.
    owner : str
        Whose it is, for messages.

    Returns
    -------
    Georeference or None
        None where there is none, or nothing in it.

    Raises
    ------
    ResponseError
        If a value is no number, or only half of a position is there.
    CrsError
        If epsg_code is no CRS.

    References
    ----------
    CupixWorks facility page.
    """
    if not sent:
        return None
    lat, lon, x, y, z, alt, bearing = (
        _number(sent, name, owner) for name in ("lat", "lon", "x", "y", "z", "alt", "bearing")
    )
    height = next((value for value in (alt, z) if value is not None), 0.0)
    if lat is not None and lon is not None:
        return Georeference(lat, lon, height, bearing or 0.0)
    if x is not None and y is not None:
        code = str(sent.get("epsg_code") or "").strip()
        return Georeference.from_projected(
            x, y, height, crs=_crs(code, owner), bearing_deg=bearing or 0.0
        )
    if all(value is None for value in (lat, lon, x, y)):
        return None
    raise ResponseError(
        f"the georeference of {owner} has half a position: lat {lat}, lon {lon}, x {x}, y {y}. "
        "Complete it in the service, or place the cloud with a Transform of your own.",
        service="cupix",
    )


def choose_georeference(
    owners: Sequence[tuple[str, Mapping[str, Any]]], facility: Facility | None
) -> tuple[Mapping[str, Any], str] | None:
    """Choose which georeference holds.

    That of the first owner comes first, where it says that it is used, then the one frozen in its
    constants; then the same of the next owner; then the facility's.

    Parameters
    ----------
    owners : sequence of (str, mapping)
        Name and attributes: a pointcloud and its group, or a pano.
    facility : Facility or None
        The facility they are in.

    Returns
    -------
    (mapping, str) or None
        The one that holds, as sent, and whose it is.
    """
    for name, attributes in owners:
        own = attributes.get("georeference")
        if attributes.get("use_georeference") is True and _has_place(own):
            return own, name
        constants = attributes.get("constants")
        frozen = constants.get("georeference") if isinstance(constants, Mapping) else None
        if _has_place(frozen):
            return frozen, f"the constants of {name}"
    if facility is not None and _has_place(facility.georeference):
        return facility.georeference, facility.label
    return None


def _has_place(sent: Any) -> TypeGuard[Mapping[str, Any]]:
    return isinstance(sent, Mapping) and any(
        sent.get(name) not in (None, "") for name in ("lat", "lon", "x", "y")
    )


def _number(sent: Mapping[str, Any], name: str, owner: str) -> float | None:
    value = sent.get(name)
    if value is None or value == "":
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if isinstance(value, bool) or not math.isfinite(number):
        raise ResponseError(
            f"the georeference of {owner} has {value!r} as {name}, which is not a number. "
            "Correct it in the service, or place the cloud with a Transform of your own.",
            service="cupix",
        )
    return number


def _crs(code: str, owner: str) -> Any:
    if code in ("4326", "EPSG:4326"):
        return WEB_MERCATOR
    try:
        return as_crs(code)
    except CrsError as error:
        raise CrsError(f"the georeference of {owner} is in an unknown CRS: {error}") from error
