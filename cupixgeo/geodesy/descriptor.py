"""DJI's output coordinate-system descriptor (``output_geo_desc``), both ways.

Knows the descriptor's shapes and how each is a CRS. Must not know the service calls it travels in.

Sources: DJI FlightHub 2 / TerraAPI open modeling, "geo-desc-object", as seen in public client code:
``cs_type`` is GEO_CS, LOCAL_CS or LOCAL_ENU_CS; GEO_CS has exactly one of ``geo_cs`` (an EPSG code)
and ``geo_cs_wkt``; ``override_vertical_cs`` is a vertical EPSG code or "" (heights stay
ellipsoidal); ``offset`` and ``ref_GPS`` are optional; ``{}`` lets the engine decide.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import partial
from types import MappingProxyType
from typing import Any

from pyproj import CRS
from pyproj.crs import CompoundCRS
from pyproj.exceptions import CRSError as ProjCrsError

from cupixgeo.errors import CrsError, DescriptorError
from cupixgeo.geodesy.crs import (
    CrsLike,
    as_crs,
    crs_label,
    frame_name,
    is_local,
    local_frame,
    same_crs,
)
from cupixgeo.geodesy.georeference import Georeference
from cupixgeo.geodesy.transform import Transform

_SEED_KEYS = ("cs_type", "geo_cs", "geo_cs_wkt", "override_vertical_cs")
_TYPES = ("GEO_CS", "LOCAL_CS", "LOCAL_ENU_CS")
_EPSG = re.compile(r"EPSG:(\d+)", re.IGNORECASE)
_GPS_KEYS = ("latitude", "longitude", "altitude")


@dataclass(frozen=True)
class OutputDescriptor:
    """In which coordinate system a reconstruction is delivered.

    Make one with `from_crs`, `from_dict` or `local_enu`.

    Parameters
    ----------
    cs_type : str
        "GEO_CS", "LOCAL_CS", "LOCAL_ENU_CS", or "" where the engine decides.
    geo_cs, geo_cs_wkt, override_vertical_cs : str
        As on the wire.
    offset : tuple of 3 float or None
        Origin shift, as on the wire.
    ref_gps : tuple of 3 float or None
        Latitude [deg], longitude [deg] and altitude [m] of the origin of a LOCAL_ENU_CS.
    extra : mapping
        Keys this class does not know; they are written back.
    frame : str
        Name of the local frame that a local descriptor stands for.

    Raises
    ------
    DescriptorError
        If the shape is not one of the vendor's.

    Examples
    --------
    >>> OutputDescriptor.from_crs(32650).to_dict()["geo_cs"]
    'EPSG:32650'
    >>> OutputDescriptor.from_crs("EPSG:32650+5773").override_vertical_cs
    'EPSG:5773'
    """

    cs_type: str = ""
    geo_cs: str = ""
    geo_cs_wkt: str = ""
    override_vertical_cs: str = ""
    offset: tuple[float, float, float] | None = None
    ref_gps: tuple[float, float, float] | None = None
    extra: Mapping[str, Any] = field(default_factory=dict, hash=False)
    frame: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "extra", MappingProxyType(dict(self.extra)))
        _check_shape(self)

    @classmethod
    def from_crs(
        cls, crs: CrsLike, *, offset: tuple[float, float, float] | None = None
    ) -> OutputDescriptor:
        """Describe a CRS.

        Parameters
        ----------
        crs : CRS argument
            Projected, geographic or compound; or a local frame, which becomes LOCAL_CS. EPSG codes
            are used where they exist, WKT otherwise.
        offset : tuple of 3 float, optional
            Origin shift, passed on as it is.

        Returns
        -------
        OutputDescriptor

        Raises
        ------
        DescriptorError
            If the CRS is geocentric or a height system alone: nothing is delivered in these.
        """
        if isinstance(crs, OutputDescriptor):
            return crs
        crs = as_crs(crs)
        if is_local(crs):
            return cls("LOCAL_CS", offset=offset, frame=frame_name(crs) or "")
        if crs.is_geocentric or (crs.is_vertical and not crs.is_compound):
            raise DescriptorError(
                f"{crs_label(crs)} is no CRS to deliver in: choose a projected or geographic one, "
                "with a vertical CRS if heights above sea level are wanted ('EPSG:32650+5773')"
            )
        horizontal = crs.sub_crs_list[0] if crs.is_compound else crs
        vertical = crs.sub_crs_list[1].to_epsg() if crs.is_compound else None
        code = horizontal.to_2d().to_epsg()
        if code is None or (crs.is_compound and vertical is None):
            return cls("GEO_CS", geo_cs_wkt=_to_wkt(crs), offset=offset)
        return cls(
            "GEO_CS",
            geo_cs=f"EPSG:{code}",
            override_vertical_cs="" if vertical is None else f"EPSG:{vertical}",
            offset=offset,
        )

    @classmethod
    def local_enu(cls, lat_deg: float, lon_deg: float, alt_m: float = 0.0) -> OutputDescriptor:
        """Describe east-north-up metres around a point (latitude and longitude [deg])."""
        return cls("LOCAL_ENU_CS", ref_gps=(lat_deg, lon_deg, alt_m))

    @classmethod
    def from_dict(cls, value: Mapping[str, Any] | str, *, frame: str = "") -> OutputDescriptor:
        """Read a descriptor as it is on the wire.

        Parameters
        ----------
        value : mapping or str
            The object, or its JSON text. An empty one lets the engine decide.
        frame : str
            Name for the local frame of a LOCAL_CS or LOCAL_ENU_CS, for example
            ``"flighthub:model/77"``. Without it two LOCAL_CS cannot be told apart.

        Returns
        -------
        OutputDescriptor

        Raises
        ------
        DescriptorError
            If it is not JSON, or its shape is not one of the vendor's.
        """
        raw = _read_json(value) if isinstance(value, str) else dict(value)
        texts = {key: raw.pop(key, None) or "" for key in _SEED_KEYS}
        for key, text in texts.items():
            if not isinstance(text, str):
                raise DescriptorError(f"the descriptor's {key} is {text!r}: it has to be a text")
        return cls(
            **{key: text.strip() for key, text in texts.items()},
            offset=_three_numbers(raw.pop("offset", None), "offset"),
            ref_gps=_ref_gps(raw.pop("ref_GPS", None)),
            extra=raw,
            frame=frame,
        )

    def to_dict(self) -> dict[str, Any]:
        """Write the descriptor as it goes on the wire.

        Returns
        -------
        dict
            Always the four keys of the documented example; ``offset`` and ``ref_GPS`` where they
            are set. Where the engine decides, only what was read (usually ``{}``).
        """
        wire: dict[str, Any] = {}
        if self.cs_type:
            wire = {key: getattr(self, key) for key in _SEED_KEYS}
        if self.offset is not None:
            wire["offset"] = list(self.offset)
        if self.ref_gps is not None:
            wire["ref_GPS"] = dict(zip(_GPS_KEYS, self.ref_gps, strict=True))
        return {**wire, **self.extra}

    @property
    def crs(self) -> CRS:
        """The CRS that is delivered: compound if a vertical CRS is set, a local frame if local.

        Raises
        ------
        CrsError
            If the engine decides, or PROJ does not know a code.
        """
        if not self.cs_type:
            raise CrsError(
                "an empty descriptor leaves the CRS to the engine (usually the UTM zone of the "
                "photos): read it from the result, or ask for one with OutputDescriptor.from_crs"
            )
        if self.cs_type != "GEO_CS":
            return local_frame(self.frame or self._default_frame())
        horizontal = as_crs(self.geo_cs or self.geo_cs_wkt)
        if not self.override_vertical_cs:
            return horizontal
        vertical = as_crs(self.override_vertical_cs)
        if not vertical.is_vertical or vertical.is_compound:
            raise CrsError(
                f"override_vertical_cs is {crs_label(vertical)}, which is not a vertical CRS: "
                "use one like 'EPSG:5773'"
            )
        base = horizontal.sub_crs_list[0] if horizontal.is_compound else horizontal.to_2d()
        return CompoundCRS(f"{base.name} + {vertical.name}", [base, vertical])

    @property
    def georeference(self) -> Georeference | None:
        """The origin of a LOCAL_ENU_CS on the earth (y axis to north), None for other types."""
        if self.ref_gps is None:
            return None
        return Georeference(*self.ref_gps)

    @property
    def transform(self) -> Transform | None:
        """The way from a LOCAL_ENU_CS to EPSG:4978, None for other types.

        A stated ``offset`` is not part of it: what it is added to is not documented.
        """
        site = self.georeference
        return None if site is None else Transform.from_georeference(site, source=self.crs)

    def __reduce__(self) -> tuple[Any, ...]:
        values = {entry.name: getattr(self, entry.name) for entry in fields(self)}
        return partial(OutputDescriptor, **{**values, "extra": dict(self.extra)}), ()

    def _default_frame(self) -> str:
        if self.ref_gps is None:
            return "dji:local/output"
        return "dji:enu/" + ",".join(f"{number:.17g}" for number in self.ref_gps)


def _check_shape(descriptor: OutputDescriptor) -> None:
    kind = descriptor.cs_type
    stated = [key for key in _SEED_KEYS[1:] if getattr(descriptor, key)]
    if not kind and (stated or descriptor.ref_gps is not None):
        raise DescriptorError(
            f"the descriptor has {stated or ['ref_GPS']} but no cs_type: add one of {_TYPES}"
        )
    if kind not in ("", *_TYPES):
        raise DescriptorError(f"cs_type {kind!r} is not known: use one of {_TYPES}")
    if kind in ("LOCAL_CS", "LOCAL_ENU_CS") and stated:
        raise DescriptorError(f"a {kind} has no {stated}: leave it empty, or use GEO_CS")
    if kind == "LOCAL_ENU_CS" and descriptor.ref_gps is None:
        raise DescriptorError("a LOCAL_ENU_CS needs ref_GPS {latitude, longitude, altitude}")
    if kind != "LOCAL_ENU_CS" and descriptor.ref_gps is not None:
        raise DescriptorError(f"ref_GPS belongs to LOCAL_ENU_CS, not to {kind}")
    if kind != "GEO_CS":
        return
    if bool(descriptor.geo_cs) == bool(descriptor.geo_cs_wkt):
        raise DescriptorError(
            "a GEO_CS needs exactly one of geo_cs and geo_cs_wkt, "
            f"this has {'both' if descriptor.geo_cs else 'neither'}"
        )
    for key in ("geo_cs", "override_vertical_cs"):
        text = getattr(descriptor, key)
        if text and not _EPSG.fullmatch(text):
            raise DescriptorError(
                f"{key} is {text!r}: it has to be an EPSG code like 'EPSG:32650'; "
                "WKT goes into geo_cs_wkt, a vertical CRS into override_vertical_cs"
            )


def _read_json(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise DescriptorError(f"the descriptor is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise DescriptorError(f"the descriptor is a JSON {type(value).__name__}, not an object")
    return value


def _three_numbers(value: Any, what: str) -> tuple[float, float, float] | None:
    if value is None:
        return None
    try:
        x, y, z = (float(number) for number in value)
    except (TypeError, ValueError) as error:
        raise DescriptorError(f"{what} is {value!r}: it has to be three numbers") from error
    return x, y, z


def _ref_gps(value: Any) -> tuple[float, float, float] | None:
    if value is None:
        return None
    if not isinstance(value, Mapping) or set(value) - set(_GPS_KEYS):
        raise DescriptorError(f"ref_GPS is {value!r}: it has to be {{{', '.join(_GPS_KEYS)}}}")
    return _three_numbers(
        [value.get("latitude"), value.get("longitude"), value.get("altitude", 0.0)], "ref_GPS"
    )


def _to_wkt(crs: CRS) -> str:
    """Write WKT 1, which the vendor's engine reads most surely, or WKT 2 where it must be."""
    try:
        text = crs.to_wkt("WKT1_GDAL")
    except ProjCrsError:
        return crs.to_wkt()
    return text if same_crs(text, crs) else crs.to_wkt()
