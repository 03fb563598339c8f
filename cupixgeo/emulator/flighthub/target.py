"""In which coordinates results are delivered: the descriptor, and the scan brought into it.

Knows ``output_geo_desc`` and pyproj. Written apart from the toolkit's own descriptor class, so that
the two cannot share a mistake. Heights of the scan are ellipsoidal.

Source: reference page of the start call and TerraAPI client types ("geo-desc-object"). Decided
here: an absent or empty descriptor means the UTM zone of the photos; a vertical CRS is honoured
only where PROJ has the grid for it on this computer, and refused otherwise.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from pyproj import CRS, Transformer
from pyproj.crs import CompoundCRS
from pyproj.exceptions import CRSError, ProjError
from pyproj.transformer import TransformerGroup

from cupixgeo.emulator.flighthub.rules import CRS_NOT_HERE, PARAMETER
from cupixgeo.emulator.frames import Array, Georeference

SCAN_EPSG = 32615
_KEYS = ("cs_type", "geo_cs", "geo_cs_wkt", "override_vertical_cs")


class UnusableCrsError(Exception):
    """A descriptor that cannot be followed; `code` is the refusal's number."""

    def __init__(self, message: str, *, code: int = PARAMETER) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Target:
    """Where results go.

    Parameters
    ----------
    descriptor : dict
        As it is written back into logs and reports.
    crs : pyproj.CRS or None
        Horizontal CRS; None for a local frame.
    vertical_epsg : int or None
        Vertical CRS.
    enu : tuple of float or None
        Latitude [deg], longitude [deg] and height [m] of the origin of a local frame.
    offset : tuple of float
        Taken off every coordinate, as asked for in the descriptor.
    """

    descriptor: dict[str, Any]
    crs: CRS | None
    vertical_epsg: int | None = None
    enu: tuple[float, float, float] | None = None
    offset: tuple[float, float, float] = (0.0, 0.0, 0.0)

    @property
    def srs(self) -> str:
        """Text of ``<SRS>`` in metadata.xml."""
        if self.enu is not None:
            return f"ENU:{self.enu[0]!r},{self.enu[1]!r}"
        if self.crs is None:
            return "local"
        code = self.crs.to_epsg()
        return f"EPSG:{code}" if code else self.crs.to_wkt()

    @property
    def is_geographic(self) -> bool:
        """Whether x and y are degrees."""
        return self.crs is not None and self.crs.is_geographic

    def from_scan(self, xyz: Array) -> Array:
        """Convert points.

        Parameters
        ----------
        xyz : ndarray, shape (n, 3), float64 [m], in EPSG:32615 with ellipsoidal heights
            Points of the scan.

        Returns
        -------
        ndarray, shape (n, 3), float64, in the target's x, y (or longitude, latitude) and height
        """
        if self.crs is None:
            if self.enu is None:
                return np.asarray(xyz - np.floor(xyz.min(axis=0)))
            site = Georeference(*self.enu)
            return np.asarray(site.local_from_utm(xyz, zone=15))
        moved = np.stack(self._transformer.transform(*xyz.T), axis=-1)
        return np.asarray(moved - np.array(self.offset))

    def to_wgs84(self, xyz: Array) -> Array:
        """Convert points of the target to longitude, latitude [deg] and ellipsoidal height [m]."""
        if self.crs is None:
            if self.enu is None:
                raise UnusableCrsError("a local frame has no place on the earth")
            return np.asarray(Georeference(*self.enu).gps_from_local(xyz))
        whole = xyz + np.array(self.offset)
        x, y, z = whole.T
        scan = np.stack(self._transformer.transform(x, y, z, direction="INVERSE"), axis=-1)
        geographic = Transformer.from_crs(SCAN_EPSG, 4979, always_xy=True)
        return np.stack(geographic.transform(*scan.T), axis=-1)

    @cached_property
    def _transformer(self) -> Transformer:
        assert self.crs is not None
        if self.vertical_epsg is None:
            return Transformer.from_crs(SCAN_EPSG, self.crs, always_xy=True)
        target = _compound(self.crs, self.vertical_epsg)
        group = TransformerGroup(CRS(SCAN_EPSG).to_3d(), target, always_xy=True)
        return group.transformers[0]


def target_of(value: Any) -> Target:
    """Read a descriptor.

    Raises
    ------
    UnusableCrsError
        If its shape is not documented, a code is unknown, or a grid is missing.
    """
    if not isinstance(value, Mapping):
        raise UnusableCrsError("output_geo_desc must be an object")
    if not value:
        return Target(_descriptor("GEO_CS", geo_cs=f"EPSG:{SCAN_EPSG}"), CRS(SCAN_EPSG))
    kind = value.get("cs_type")
    offset = _three(value["offset"]) if value.get("offset") is not None else (0.0, 0.0, 0.0)
    texts = {key: value.get(key) or "" for key in _KEYS}
    if kind == "LOCAL_CS":
        return Target(texts, None)
    if kind == "LOCAL_ENU_CS":
        origin = value.get("ref_GPS")
        if not isinstance(origin, Mapping):
            raise UnusableCrsError("LOCAL_ENU_CS needs ref_GPS")
        enu = _three([origin.get("latitude"), origin.get("longitude"), origin.get("altitude")])
        return Target({**texts, "ref_GPS": dict(origin)}, None, enu=enu)
    if kind != "GEO_CS":
        raise UnusableCrsError(f"cs_type {kind!r} is not known")
    if bool(texts["geo_cs"]) == bool(texts["geo_cs_wkt"]):
        raise UnusableCrsError("GEO_CS needs exactly one of geo_cs and geo_cs_wkt")
    crs = _crs(texts["geo_cs"], texts["geo_cs_wkt"])
    vertical = texts["override_vertical_cs"]
    code = None if not vertical else _epsg(vertical)
    if code is not None:
        _check_grid(crs, code)
    return Target(texts, crs, vertical_epsg=code, offset=offset)


def _crs(code: str, wkt: str) -> CRS:
    try:
        crs = CRS(_epsg(code)) if code else CRS.from_wkt(wkt)
    except CRSError as error:
        raise UnusableCrsError(f"the CRS {code or 'of geo_cs_wkt'} is not known") from error
    if not (crs.is_projected or crs.is_geographic):
        raise UnusableCrsError("the CRS is neither projected nor geographic")
    return crs


def _epsg(text: str) -> int:
    match = re.fullmatch(r"EPSG:(\d{4,6})", text)
    if match is None:
        raise UnusableCrsError(f"{text!r} is not of the form EPSG:<code>")
    return int(match[1])


def _check_grid(crs: CRS, vertical: int) -> None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it warns of the very grid that is asked about
            group = TransformerGroup(
                CRS(SCAN_EPSG).to_3d(), _compound(crs, vertical), always_xy=True
            )
    except (CRSError, ProjError) as error:
        raise UnusableCrsError(f"EPSG:{vertical} is no vertical CRS") from error
    if not group.transformers or not group.best_available:
        raise UnusableCrsError(
            f"the emulator has no geoid grid for EPSG:{vertical} on this computer",
            code=CRS_NOT_HERE,
        )


def _compound(crs: CRS, vertical: int) -> CRS:
    return CompoundCRS(f"{crs.name} + {vertical}", [crs.to_2d(), CRS(vertical)])


def _three(value: Any) -> tuple[float, float, float]:
    try:
        x, y, z = (float(number) for number in value)
    except (TypeError, ValueError) as error:
        raise UnusableCrsError("three numbers are needed") from error
    return x, y, z


def _descriptor(kind: str, **texts: str) -> dict[str, Any]:
    return {**dict.fromkeys(_KEYS, ""), "cs_type": kind, **texts}
