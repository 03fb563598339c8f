"""The attributes of a LAS point: names, types, units, and where in the record they are.

Knows point formats 0 to 10 (through laspy's tables) and the extra-bytes record. Must not know
files. Sub-byte fields are attributes of their own, named as laspy names them; an extra dimension
of two or three elements stays one attribute, with a sub-array dtype.

Source: ASPRS LAS 1.4 R15, tables 3 to 25.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import laspy
import numpy as np
from laspy.point.dims import DimensionInfo, DimensionKind
from laspy.vlrs.known import ExtraBytesStruct

from cupixgeo.cloud.schema import Attribute
from cupixgeo.formats.refusals import corrupt

EXTRA_BYTES_ENTRY = 192
"""Bytes that describe one extra dimension."""

HIGHEST_EXTRA_TYPE = 30
UNDOCUMENTED = "ExtraBytes"
"""Name given to bytes of a record nobody describes (laspy's name for them)."""

COORDINATES = ("X", "Y", "Z")

_MEANING: dict[str, tuple[str, str]] = {
    "intensity": ("", "pulse return magnitude"),
    "return_number": ("", "number of this return within its pulse"),
    "number_of_returns": ("", "returns of the pulse"),
    "scan_direction_flag": ("", "1 where the mirror moved left to right"),
    "edge_of_flight_line": ("", "1 for the last point of a scan line"),
    "classification": ("", "ASPRS class"),
    "synthetic": ("", "1 where made by other means than scanning"),
    "key_point": ("", "1 for a model key-point"),
    "withheld": ("", "1 where the point should not be used"),
    "overlap": ("", "1 inside the overlap of swaths"),
    "scanner_channel": ("", "channel of a multi-channel scanner"),
    "scan_angle_rank": ("degree", "scan angle, left negative"),
    "scan_angle": ("0.006 degree", "scan angle, left negative"),
    "user_data": ("", "at the producer's discretion"),
    "point_source_id": ("", "swath or file the point came from"),
    "gps_time": ("s", "GPS time; see the file's global encoding for its start"),
    "red": ("", "red, 16 bit"),
    "green": ("", "green, 16 bit"),
    "blue": ("", "blue, 16 bit"),
    "nir": ("", "near infrared, 16 bit"),
}


def build_format(
    path: Path, point_format: int, extra_size: int, descriptions: bytes
) -> laspy.PointFormat:
    """Build the point format of a file, its extra dimensions included.

    Parameters
    ----------
    path : Path
        The file, for messages.
    point_format : int
        0 to 10.
    extra_size : int
        Extra bytes a record has [byte].
    descriptions : bytes
        Data of the extra-bytes record, empty where there is none.

    Returns
    -------
    laspy.PointFormat
        Names that are empty, taken twice or a LAS field's own are made unique; bytes that are not
        described become one attribute ``ExtraBytes``.

    Raises
    ------
    CorruptFileError
        The descriptions do not fit the record.
    """
    result = laspy.PointFormat(point_format)
    taken = {*result.dimension_names, *(result.dtype().names or ()), "x", "y", "z"}
    left = extra_size
    for at in range(0, len(descriptions) - EXTRA_BYTES_ENTRY + 1, EXTRA_BYTES_ENTRY):
        entry = ExtraBytesStruct.from_buffer_copy(descriptions[at : at + EXTRA_BYTES_ENTRY])
        if entry.data_type > HIGHEST_EXTRA_TYPE:
            raise corrupt(path, f"an extra dimension has type {entry.data_type}; LAS has 0 to 30")
        if extra_size == 0 or (entry.data_type == 0 and entry.options == 0):
            continue
        left -= entry.dtype().itemsize
        if left < 0:
            raise corrupt(
                path,
                f"its extra dimensions need more than the {extra_size} bytes a point has for them",
            )
        result.dimensions.append(_dimension(entry, taken))
    if left:
        result.dimensions.append(
            _bytes_dimension(_unique(UNDOCUMENTED, taken), left, "undocumented")
        )
    return result


def attributes_of(point_format: laspy.PointFormat) -> tuple[Attribute, ...]:
    """List the attributes of a point format, everything but X, Y and Z, in file order."""
    result = []
    for dimension in point_format.dimensions:
        if dimension.name in COORDINATES:
            continue
        unit, meaning = (
            _MEANING.get(dimension.name, ("", "")) if dimension.is_standard else ("", "")
        )
        dtype = np.dtype(dimension.dtype or np.uint8)  # bit fields have none of their own
        result.append(Attribute(dimension.name, dtype, unit, dimension.description or meaning))
    return tuple(result)


def scalings_of(point_format: laspy.PointFormat) -> dict[str, dict[str, Any]]:
    """Scale and offset of scaled extra dimensions, by name, under their CF names.

    Returns
    -------
    dict
        ``{name: {"scale_factor": ..., "add_offset": ...}}``, lists where a dimension has several
        elements. The attribute itself keeps its stored values.
    """
    result: dict[str, dict[str, Any]] = {}
    for dimension in point_format.extra_dimensions:
        if dimension.scales is None and dimension.offsets is None:
            continue
        count = dimension.num_elements
        result[dimension.name] = {
            "scale_factor": _plain(dimension.scales, count, 1.0),
            "add_offset": _plain(dimension.offsets, count, 0.0),
        }
    return result


def _dimension(entry: ExtraBytesStruct, taken: set[str]) -> DimensionInfo:
    name = _unique(_text(entry.name) or "extra", taken)
    description = _text(entry.description)
    if entry.data_type == 0:
        return _bytes_dimension(name, int(entry.options), description)
    scales, offsets = entry.scale, entry.offset
    if scales is not None or offsets is not None:
        scales = scales or [1.0] * entry.num_elements()
        offsets = offsets or [0.0] * entry.num_elements()
    dimension: DimensionInfo = DimensionInfo.from_extra_bytes_param(
        laspy.ExtraBytesParams(
            name, entry.dtype(), description, offsets, scales, no_data=entry.no_data
        )
    )
    return dimension


def _bytes_dimension(name: str, count: int, description: str) -> DimensionInfo:
    kind = DimensionKind.UnsignedInteger
    return DimensionInfo(name, kind, 8 * count, count, False, description)


def _unique(name: str, taken: set[str]) -> str:
    wanted, number = name, 1
    while name in taken:
        number += 1
        name = f"{wanted}_{number}"
    taken.add(name)
    return name


def _text(raw: bytes) -> str:
    head = raw.split(b"\0", 1)[0]
    try:
        return head.decode("utf-8").strip()
    except UnicodeDecodeError:
        return head.decode("latin-1").strip()


def _plain(values: Iterable[float] | None, count: int, default: float) -> float | list[float]:
    numbers = [default] * count if values is None else [float(value) for value in values]
    return numbers[0] if count == 1 else numbers
