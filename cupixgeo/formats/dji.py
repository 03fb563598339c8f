"""DJI's small texts that say where a model is: metadata.xml, geo descriptors, logs.

Knows ``<SRS>`` and ``<SRSOrigin>``, ``sfm_geo_desc.json`` and the log line that repeats the
descriptor of the request. Must not know how results are arranged; that is
`cupixgeo.formats.dji_results`.

Sources: project folders of DJI Terra as several public readers describe them; the descriptor as in
`cupixgeo.geodesy.descriptor`. Inferred: meshes have the axes of the SRS (not true east and north);
heights are ellipsoidal; an origin with fewer than three numbers lacks the last ones.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
from pyproj import CRS

from cupixgeo.errors import CorruptFileError, CrsError, DescriptorError
from cupixgeo.formats.refusals import corrupt, unreadable
from cupixgeo.geodesy.crs import as_crs, crs_label, frame_name, is_local, local_frame
from cupixgeo.geodesy.descriptor import OutputDescriptor
from cupixgeo.geodesy.georeference import Georeference
from cupixgeo.geodesy.transform import Transform

LARGEST_TEXT = 1 << 20
"""[byte] a metadata.xml or descriptor may have; they have a few hundred."""

LARGEST_LOG = 64 << 20
"""[byte] of a log that are searched."""

_EPSG = re.compile(r"EPSG:(\d+)(?:\+(\d+))?", re.IGNORECASE)
_ENU = re.compile(r"ENU:\s*([-+.\d]+)\s*,\s*([-+.\d]+)", re.IGNORECASE)
_NONE = frozenset({"", "local", "none", "null", "unknown"})
_LOG_LINE = re.compile(r"Output geo descriptor:\s*(\{.*\})")


@dataclass(frozen=True)
class DjiMetadata:
    """Where the vertices of a model are: ``vertex + origin``, in the SRS.

    Parameters
    ----------
    srs : str
        Text of ``<SRS>``, empty where there is none.
    origin : tuple of 3 float
        ``<SRSOrigin>``: easting, northing and height, in units of the SRS.
    path : Path
        The file it was read from.
    doubts : tuple of str
        What had to be assumed to read it.
    """

    srs: str
    origin: tuple[float, float, float]
    path: Path
    doubts: tuple[str, ...] = ()

    @property
    def is_placed(self) -> bool:
        """Whether the model has a place on the earth."""
        return self.srs.lower() not in _NONE

    @cached_property
    def crs(self) -> CRS:
        """CRS of the SRS; the local frame ``dji:enu/…`` or ``dji:local/…`` where it is local.

        Raises
        ------
        CrsError
            If the text is no CRS that PROJ knows.
        """
        if not self.is_placed:
            return local_frame(f"dji:local/{self.path.parent.name or 'model'}")
        if match := _ENU.fullmatch(self.srs):
            lat, lon = float(match[1]), float(match[2])
            return OutputDescriptor.local_enu(lat, lon).crs
        if match := _EPSG.fullmatch(self.srs):
            return as_crs("EPSG:" + "+".join(code for code in match.groups() if code))
        try:
            return as_crs(self.srs)
        except CrsError as error:
            raise CrsError(
                f"{self.path} states the SRS {self.srs[:80]!r}, which is no CRS PROJ knows. Give "
                "the CRS of the model as crs=."
            ) from error

    @property
    def frame(self) -> CRS:
        """The local frame of the vertices themselves, before the origin is added."""
        origin = ",".join(f"{number:.17g}" for number in self.origin)
        base = frame_name(self.crs) if is_local(self.crs) else self.srs
        return local_frame(f"dji:origin/{base}@{origin}")

    @property
    def placement(self) -> Transform:
        """The way from the vertices to the SRS: a translation.

        The origin stays float64; adding it to float32 vertices first would lose centimetres.
        """
        matrix = np.eye(4)
        matrix[:3, 3] = self.origin
        return Transform(matrix, source=self.frame, target=self.crs)

    @property
    def georeference(self) -> Georeference | None:
        """Place of an ``ENU:`` SRS on the earth; None for other SRSs."""
        match = _ENU.fullmatch(self.srs)
        return None if match is None else Georeference(float(match[1]), float(match[2]))

    def __str__(self) -> str:
        return f"{crs_label(self.crs)} from {self.path.name}, origin {self.origin}"


def read_metadata(path: Path) -> DjiMetadata:
    """Read a metadata.xml.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    DjiMetadata

    Raises
    ------
    CloudError
        If it cannot be read.
    CorruptFileError
        If it is not such a file, or its origin is no three numbers.
    """
    data = _read(path).removeprefix(b"\xef\xbb\xbf")
    if b"<!DOCTYPE" in data or b"<!ENTITY" in data:
        raise corrupt(path, "it declares entities, which no metadata.xml does")
    try:
        root = ElementTree.fromstring(data.strip())
    except ElementTree.ParseError as error:
        raise corrupt(path, f"it is not well-formed XML ({error})") from error
    srs = (root.findtext(".//SRS") or "").strip()
    text = (root.findtext(".//SRSOrigin") or "").strip()
    numbers = re.split(r"[\s,;]+", text) if text else []
    try:
        values = [float(number) for number in numbers]
    except ValueError:
        values = [float("nan")]
    if len(values) > 3 or not np.isfinite(values).all():
        raise corrupt(path, f"its SRSOrigin {text[:60]!r} is not three numbers")
    doubts = () if len(values) == 3 else (f"SRSOrigin has {len(values)} of 3 numbers, the rest 0",)
    x, y, z = [*values, 0.0, 0.0, 0.0][:3]
    return DjiMetadata(srs, (x, y, z), path, doubts)


def read_descriptor(path: Path) -> OutputDescriptor:
    """Read ``sfm_geo_desc.json`` or ``geo_desc.json``: the frame of the aerotriangulation.

    Its ``rvec`` and ``scale`` are the identity in all files seen; others are refused.

    Raises
    ------
    CloudError
        If it cannot be read.
    CorruptFileError
        If it is no descriptor, or turns or scales.
    """
    raw = _json(path, _read(path))
    turn, scale = raw.pop("rvec", [0, 0, 0]), raw.pop("scale", 1.0)
    if any(turn) or scale != 1:
        raise corrupt(path, f"it turns by {turn} and scales by {scale}, which nobody documented")
    try:
        return OutputDescriptor.from_dict(raw, frame=f"dji:local/{path.parent.name}")
    except DescriptorError as error:
        raise corrupt(path, str(error)) from error


def logged_descriptor(path: Path) -> OutputDescriptor | None:
    """Find the descriptor of the request in an ``SDK_Log.txt``.

    Returns
    -------
    OutputDescriptor or None
        The last one; None where the log has no such line.
    """
    found = None
    try:
        with path.open("rb") as log:
            for line in log.read(LARGEST_LOG).splitlines():
                if match := _LOG_LINE.search(line.decode("utf-8", "replace")):
                    found = match[1]
    except OSError as error:
        raise unreadable(path, error) from error
    if found is None:
        return None
    try:
        return OutputDescriptor.from_dict(found)
    except DescriptorError as error:
        raise corrupt(path, str(error)) from error


def agreed(metadata: list[DjiMetadata]) -> DjiMetadata | None:
    """Give what all copies of metadata.xml say; None for no copies.

    Raises
    ------
    CorruptFileError
        If they contradict each other: other SRS, or an origin more than 1e-6 off.
    """
    for other in metadata[1:]:
        first = metadata[0]
        off = np.abs(np.subtract(first.origin, other.origin)).max()
        if other.srs != first.srs or off > 1e-6:
            raise CorruptFileError(
                f"{first.path} says {first.srs} from {first.origin}, {other.path} says "
                f"{other.srs} from {other.origin}: these results do not belong together. Collect "
                "them again, each job into a folder of its own."
            )
    return metadata[0] if metadata else None


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST_TEXT + 1)
    except OSError as error:
        raise unreadable(path, error) from error
    if len(data) > LARGEST_TEXT:
        raise corrupt(path, f"it has more than {LARGEST_TEXT} bytes, which is no {path.name}")
    return data


def _json(path: Path, data: bytes) -> dict[str, Any]:
    try:
        value = json.loads(data)
    except ValueError as error:
        raise corrupt(path, f"it is not JSON ({error})") from error
    if not isinstance(value, dict):
        raise corrupt(path, "it is no JSON object")
    return value
