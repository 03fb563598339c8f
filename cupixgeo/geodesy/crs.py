"""What a CRS is here: anything a user may write for one, and a named frame for what has none yet.

Knows how to read a CRS argument, how to name one in a message, and how to tell two of them apart.
A cloud that is not georeferenced yet still has a CRS: an *engineering CRS* whose datum is named
after the object (``cupix:pointcloud/5310``), Cartesian, in metres, right-handed, z up. PROJ makes
no path out of it, so nothing local can be taken for something on earth.

Must not know: matrices, coordinate operations, files, services.

Sources: OGC 18-010r7 (WKT 2:2019) §11 for engineering CRSs; the UTM and UPS zones of DMA TM 8358.2.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Protocol, SupportsIndex, TypeAlias

from pyproj import CRS
from pyproj.database import get_authorities
from pyproj.exceptions import CRSError as ProjCrsError

from cupixgeo.errors import CrsError


class HasCrs(Protocol):
    """Anything that says where it is: an `OutputDescriptor`, a dataset accessor, a reader."""

    @property
    def crs(self) -> CRS:
        """The CRS of the object."""
        ...


CrsLike: TypeAlias = CRS | int | str | Mapping[str, Any] | HasCrs
"""What a CRS argument may be; see `as_crs`."""

_WAYS = (
    "give an EPSG code (32650 or 'EPSG:32650'), a compound code ('EPSG:32650+5773'), WKT, a "
    "pyproj.CRS, an OutputDescriptor, or a local frame as 'service:kind/id' "
    "(for example 'cupix:pointcloud/5310', or 'file:scan.laz')"
)
_LOCAL_NAME = re.compile(r"(?:file:|[A-Za-z][A-Za-z0-9_.-]+:[^/\s][^/]*/)\S")
_NO_NAME = {"", "unknown", "unnamed", "unspecified", "unknown engineering datum"}


def as_crs(value: CrsLike | None) -> CRS:
    """Read a CRS argument.

    Parameters
    ----------
    value : int, str, pyproj.CRS, mapping or object with a ``crs``
        An EPSG code, ``"EPSG:32650"``, ``"EPSG:32650+5773"``, WKT, PROJJSON (text or mapping), a
        `pyproj.CRS`, an object with a ``crs`` (`OutputDescriptor`, ``dataset.cloud``), or the name
        of a local frame (``"cupix:pointcloud/5310"``, ``"file:scan.laz"``).

    Returns
    -------
    pyproj.CRS
        Whatever its own axis order says, this toolkit always gives and takes x before y
        (easting before northing, longitude before latitude).

    Raises
    ------
    CrsError
        If nothing was given, or PROJ does not know what was given.

    Examples
    --------
    >>> as_crs(32650).name
    'WGS 84 / UTM zone 50N'
    >>> frame_name(as_crs("cupix:pointcloud/5310"))
    'cupix:pointcloud/5310'
    """
    if value is None:
        raise CrsError(
            "no CRS was given (None), and a cloud without a CRS does not exist here: " + _WAYS
        )
    if isinstance(value, CRS):
        return value
    if isinstance(value, str):
        return _from_text(value.strip())
    if isinstance(value, Mapping):
        return _from_mapping(value)
    if isinstance(value, SupportsIndex) and not isinstance(value, bool):
        return _from_epsg(operator.index(value))
    if hasattr(value, "crs"):
        return as_crs(value.crs)
    if hasattr(value, "to_wkt"):
        return _from_text(value.to_wkt())
    raise CrsError(f"a {type(value).__name__} ({value!r}) is not a CRS: {_WAYS}")


@lru_cache(maxsize=1024)
def local_frame(name: str) -> CRS:
    """Make the local frame of an object that is not georeferenced (yet).

    Parameters
    ----------
    name : str
        What the frame belongs to, as ``service:kind/id`` or ``file:name``. It is the frame's
        identity: two frames are the same exactly when their names are.

    Returns
    -------
    pyproj.CRS
        An engineering CRS, Cartesian, in metres, right-handed, z up. The name survives WKT 1,
        WKT 2 and PROJJSON, so also a LAS file.

    Raises
    ------
    CrsError
        If the name is empty or holds characters that cannot be printed.

    References
    ----------
    OGC 18-010r7 §11 (engineering CRS, ``ENGCRS[...]``).

    Examples
    --------
    >>> local_frame("cupix:cluster/3416").type_name
    'Engineering CRS'
    """
    name = name.strip()
    if name.lower() in _NO_NAME or not name.isprintable():
        raise CrsError(
            f"{name!r} cannot name a local frame: use 'service:kind/id', for example "
            "'cupix:pointcloud/5310', or 'file:scan.laz'"
        )
    quoted = name.replace('"', '""')
    axes = (("X", "east"), ("Y", "north"), ("Z", "up"))
    return CRS.from_wkt(
        f'ENGCRS["{quoted}",EDATUM["{quoted}"],CS[Cartesian,3],'
        + ",".join(
            f'AXIS["({letter})",{direction},ORDER[{order}],LENGTHUNIT["metre",1]]'
            for order, (letter, direction) in enumerate(axes, start=1)
        )
        + "]"
    )


def is_local(crs: CrsLike) -> bool:
    """Say whether a CRS is a local (engineering) frame, one that is nowhere on earth yet."""
    return _engineering_part(as_crs(crs)) is not None


def frame_name(crs: CrsLike) -> str | None:
    """Name the local frame.

    Returns
    -------
    str or None
        The name of the engineering datum (of the CRS itself where the datum is nameless, as some
        programs write it), or None if `crs` is not a local frame.
    """
    local = _engineering_part(as_crs(crs))
    if local is None:
        return None
    datum = local.datum.name if local.datum is not None else ""
    return local.name if datum.lower() in _NO_NAME else datum


def same_crs(a: CrsLike, b: CrsLike) -> bool:
    """Say whether two CRSs are the same for coordinates in x/y order.

    Local frames are the same exactly when their names and units are. All others are compared by
    what they mean, not by how they are spelt: WKT 1, WKT 2 and the EPSG code of one CRS are the
    same, and axis order does not count.
    """
    a, b = as_crs(a), as_crs(b)
    if frame_name(a) != frame_name(b):  # PROJ would ignore case and punctuation
        return False
    if is_local(a):
        units = [[axis.unit_conversion_factor for axis in crs.axis_info[:2]] for crs in (a, b)]
        return units[0] == units[1] and a.is_compound == b.is_compound
    if a is b or a.equals(b, ignore_axis_order=True):
        return True
    if a.is_compound and b.is_compound:
        return all(map(same_crs, a.sub_crs_list, b.sub_crs_list))
    return _same_projection(a, b)


def crs_label(crs: CrsLike) -> str:
    """Name a CRS as a reader of a message or a report knows it.

    Examples
    --------
    >>> crs_label(32650)
    'EPSG:32650 (WGS 84 / UTM zone 50N)'
    >>> crs_label("EPSG:32650+5773")
    'EPSG:32650+5773 (WGS 84 / UTM zone 50N + EGM96 height)'
    >>> crs_label("cupix:pointcloud/5310")
    'cupix:pointcloud/5310'
    """
    crs = as_crs(crs)
    local = frame_name(crs)
    if local is not None:
        return local
    code = crs.to_epsg()
    if code is not None:
        return f"EPSG:{code} ({crs.name})"
    if crs.is_compound:
        parts = [part.to_epsg() for part in crs.sub_crs_list]
        named = None not in parts
        return f"EPSG:{'+'.join(map(str, parts))} ({crs.name})" if named else crs.name
    code = crs.to_2d().to_epsg() if len(crs.axis_info) == 3 else None
    if code is not None:
        return f"EPSG:{code} ({crs.name}, with ellipsoidal height)"
    return crs.srs[:80] if crs.name.lower() in _NO_NAME else crs.name


def suggest_utm(lon_deg: float, lat_deg: float) -> CRS:
    """Suggest the WGS 84 UTM zone of a place, with the exceptions of Norway and Svalbard.

    Parameters
    ----------
    lon_deg : float
        Longitude [deg], -180 to 180, east positive.
    lat_deg : float
        Latitude [deg], -90 to 90, north positive. From 84° N and beyond 80° S, where UTM ends,
        the answer is UPS (EPSG:5041 north, EPSG:5042 south).

    Returns
    -------
    pyproj.CRS
        EPSG:326zz north and EPSG:327zz south of the equator.

    Raises
    ------
    CrsError
        If the place is not on earth.

    References
    ----------
    DMA TM 8358.2, *The Universal Grids*, §2.
    """
    if not (math.isfinite(lon_deg) and -180 <= lon_deg <= 180):
        raise CrsError(f"longitude {lon_deg}° is not between -180° and 180°")
    if not (math.isfinite(lat_deg) and -90 <= lat_deg <= 90):
        raise CrsError(
            f"latitude {lat_deg}° is not between -90° and 90°; longitude comes before latitude"
        )
    if lat_deg >= 84:
        return as_crs(5041)
    if lat_deg < -80:
        return as_crs(5042)
    zone = min(int((lon_deg + 180) // 6) + 1, 60)
    if 56 <= lat_deg < 64 and 3 <= lon_deg < 12:
        zone = 32
    elif lat_deg >= 72 and 0 <= lon_deg < 42:
        zone = 31 if lon_deg < 9 else 33 if lon_deg < 21 else 35 if lon_deg < 33 else 37
    return as_crs((32600 if lat_deg >= 0 else 32700) + zone)


@lru_cache(maxsize=1024)
def _from_epsg(code: int) -> CRS:
    try:
        return CRS.from_epsg(code)
    except ProjCrsError as error:
        raise CrsError(
            f"EPSG:{code} is not a CRS that PROJ knows: look the code up at epsg.org, or {_WAYS}"
        ) from error


@lru_cache(maxsize=1024)
def _from_text(text: str) -> CRS:
    if text.isdecimal():
        return _from_epsg(int(text))
    if _LOCAL_NAME.match(text) and not _is_proj_name(text):
        return local_frame(text)
    try:
        return CRS.from_user_input(text)
    except ProjCrsError as error:
        shown = text if len(text) <= 80 else f"{text[:77]}..."
        raise CrsError(f"{shown!r} is not a CRS that PROJ knows: {_WAYS}") from error


def _from_mapping(value: Mapping[str, Any]) -> CRS:
    if "cs_type" in value or not value:
        raise CrsError(
            "this mapping is an output descriptor, not a CRS: "
            "read it with OutputDescriptor.from_dict(...)"
        )
    try:
        return CRS.from_user_input(dict(value))
    except (ProjCrsError, TypeError, ValueError) as error:
        raise CrsError(
            f"a mapping with the keys {sorted(map(str, value))} is not PROJJSON: {_WAYS}"
        ) from error


def _engineering_part(crs: CRS) -> CRS | None:
    if crs.is_compound and crs.sub_crs_list:
        crs = crs.sub_crs_list[0]
    return crs if crs.is_engineering else None


def _same_projection(a: CRS, b: CRS) -> bool:
    """Compare projected CRSs of which one lists northing first, which PROJ holds against it.

    WKT 1 in LAS files lists no axes, which means easting first; EPSG often has northing first.
    """
    if not (a.is_projected and b.is_projected) or {a.type_name, b.type_name} != {"Projected CRS"}:
        return False
    axes = [
        sorted((axis.direction, axis.unit_conversion_factor) for axis in crs.axis_info)
        for crs in (a, b)
    ]
    base_a, base_b = a.geodetic_crs, b.geodetic_crs
    return (
        axes[0] == axes[1]
        and a.coordinate_operation == b.coordinate_operation
        and base_a is not None
        and base_b is not None
        and same_crs(base_a, base_b)
    )


def _is_proj_name(text: str) -> bool:
    """Say whether the prefix belongs to PROJ: an authority, a URN or a URL."""
    prefix = text.partition(":")[0].upper()
    return prefix in {"URN", "HTTP", "HTTPS"} or prefix in _authorities()


@lru_cache(maxsize=1)
def _authorities() -> frozenset[str]:
    return frozenset(name.upper() for name in get_authorities())
