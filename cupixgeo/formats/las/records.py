"""One point-record layout for many inputs: which attributes it holds, and how they get there.

Knows: LAS point formats and extra bytes (ASPRS LAS 1.4 R15, tables 3 to 25). Must not know:
coordinates; whoever merges fills X, Y and Z.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import laspy
import numpy as np
import numpy.typing as npt
from laspy.point.dims import DimensionInfo

from cupixgeo.cloud.schema import CloudInfo, PointBlock
from cupixgeo.errors import CloudError
from cupixgeo.formats.las.reader import LasBlock

SCAN_ANGLE_STEP_DEG = 0.006
"""[deg] one unit of the 16-bit scan angle of point formats 6 to 10 (LAS 1.4 R15, table 16)."""

WAVEFORM = frozenset(
    {
        "wavepacket_index",
        "wavepacket_offset",
        "wavepacket_size",
        "return_point_wave_location",
        "x_t",
        "y_t",
        "z_t",
    }
)
"""Waveform attributes: pointers into data outside the point records, worthless without it."""

WITHOUT_WAVEFORM = {4: 1, 5: 3, 9: 6, 10: 8}
"""Point format that holds the same attributes less the waveform pointers."""

COORDINATES = frozenset({"X", "Y", "Z"})
COLOUR_8_TO_16 = 257
"""Factor that spreads 8-bit colour over the 16 bits LAS asks for: 255 becomes 65535."""


@dataclass(frozen=True)
class ExtraDimension:
    """One attribute stored as LAS extra bytes.

    Parameters
    ----------
    name, description : str
        At most 32 bytes each.
    dtype : numpy.dtype
        Scalar, or a sub-array of 2 or 3.
    scales, offsets : tuple of float or None
        Of a scaled attribute, one an element.
    """

    name: str
    dtype: np.dtype[Any]
    description: str = ""
    scales: tuple[float, ...] | None = None
    offsets: tuple[float, ...] | None = None

    @classmethod
    def from_laspy(cls, dimension: DimensionInfo) -> ExtraDimension:
        """Take over one extra dimension of a laspy point format."""
        dtype = dimension.dtype or np.dtype(("u1", (dimension.num_elements,)))
        return cls(
            dimension.name,
            np.dtype(dtype),
            dimension.description,
            None if dimension.scales is None else tuple(float(v) for v in dimension.scales),
            None if dimension.offsets is None else tuple(float(v) for v in dimension.offsets),
        )


@dataclass(frozen=True)
class RecordLayout:
    """Point format and extra bytes of a file to be written.

    Parameters
    ----------
    point_format : int
        LAS point record format, 0 to 3 or 6 to 8.
    extra : tuple of ExtraDimension
        In storage order.
    """

    point_format: int
    extra: tuple[ExtraDimension, ...] = ()

    @cached_property
    def format(self) -> laspy.PointFormat:
        """The same as laspy describes it."""
        result = laspy.PointFormat(self.point_format)
        for dimension in self.extra:
            result.add_extra_dimension(
                laspy.ExtraBytesParams(
                    dimension.name,
                    dimension.dtype,
                    dimension.description,
                    dimension.offsets,
                    dimension.scales,
                )
            )
        return result

    @cached_property
    def dtype(self) -> np.dtype[Any]:
        """Structured dtype of one point record."""
        dtype: np.dtype[Any] = np.dtype(self.format.dtype())
        return dtype


@dataclass(frozen=True)
class LayoutPlan:
    """A layout for several inputs, and what becomes of each attribute.

    Parameters
    ----------
    layout : RecordLayout
        What is written.
    kept : tuple of str
        Attributes in the output.
    converted, dropped : mapping of str to str
        Attribute to reason.
    """

    layout: RecordLayout
    kept: tuple[str, ...]
    converted: Mapping[str, str] = field(default_factory=dict)
    dropped: Mapping[str, str] = field(default_factory=dict)


def plan_layout(
    infos: Sequence[CloudInfo],
    formats: Sequence[laspy.PointFormat | None],
    *,
    least_format: int = 0,
) -> LayoutPlan:
    """Choose the layout that keeps every attribute of every input.

    Inputs of one and the same point format keep it; a mixture is promoted to format 6, 7
    (colour) or 8 (near infrared).

    Parameters
    ----------
    infos : sequence of CloudInfo
        The inputs.
    formats : sequence of laspy.PointFormat or None
        Their LAS point formats; None for files of another kind.
    least_format : int
        Lowest point format to choose: 6 where only 6, 7 and 8 will do.
    """
    dropped = {
        name: "the waveform data it points to is not in the point records"
        for info in infos
        for name in info.attribute_names
        if name in WAVEFORM
    }
    point_format = _common_format(infos, least_format)
    standard = set(laspy.PointFormat(point_format).standard_dimension_names)
    converted: dict[str, str] = {}
    extra: dict[str, ExtraDimension] = {}
    for info, las_format in zip(infos, formats, strict=True):
        for dimension in _extra_of(info, las_format, standard, converted):
            extra[dimension.name] = _joined(extra.get(dimension.name), dimension, converted)
    _note_conversions(infos, point_format, converted)
    layout = RecordLayout(point_format, tuple(extra.values()))
    present = {_standard_name(name, standard) for info in infos for name in info.attribute_names}
    kept = tuple(
        name
        for name in layout.format.dimension_names
        if name not in COORDINATES and (name in present or name in extra)
    )
    return LayoutPlan(layout, kept, converted, dropped)


def _common_format(infos: Sequence[CloudInfo], least: int) -> int:
    formats = {info.point_format for info in infos}
    if len(formats) == 1:
        (only,) = formats
        if only is not None and only >= least:
            return WITHOUT_WAVEFORM.get(only, only)
    names = {name for info in infos for name in info.attribute_names}
    if "nir" in names:
        return 8
    return 7 if {"red", "green", "blue"} & names else 6


def _standard_name(name: str, standard: Iterable[str]) -> str:
    if name == "scan_angle_rank" and "scan_angle" in standard:
        return "scan_angle"
    return name


def _extra_of(
    info: CloudInfo,
    las_format: laspy.PointFormat | None,
    standard: set[str],
    converted: dict[str, str],
) -> list[ExtraDimension]:
    if las_format is not None:
        return [ExtraDimension.from_laspy(d) for d in las_format.extra_dimensions]
    result = []
    for attribute in info.attributes:
        name = _standard_name(attribute.name, standard)
        if name in standard and not _needs_extra_bytes(name, attribute.dtype):
            continue
        if name in standard:
            name = f"{name}_{attribute.dtype.name}"
            converted[attribute.name] = (
                f"{attribute.dtype.name} does not fit the LAS field; stored as extra bytes {name!r}"
            )
        result.append(ExtraDimension(name, attribute.dtype, attribute.description[:32]))
    return result


def _needs_extra_bytes(name: str, dtype: np.dtype[Any]) -> bool:
    """Whether a column of this type cannot go into the LAS field of that name unharmed."""
    if name in {"red", "green", "blue", "nir"}:
        return dtype not in (np.dtype("u1"), np.dtype("u2"))
    if name == "gps_time":
        return not np.can_cast(dtype, np.float64)
    if name in {"intensity", "point_source_id"}:
        return not np.can_cast(dtype, np.uint16)
    if name == "scan_angle":
        return not np.can_cast(dtype, np.int16)
    if name == "scan_angle_rank":
        return not np.can_cast(dtype, np.int8)
    return dtype != np.dtype("u1")


def _joined(
    first: ExtraDimension | None, second: ExtraDimension, converted: dict[str, str]
) -> ExtraDimension:
    if first is None or (first.dtype, first.scales, first.offsets) == (
        second.dtype,
        second.scales,
        second.offsets,
    ):
        return first or second
    shape = first.dtype.shape if first.dtype.shape == second.dtype.shape else None
    if shape is None:
        wider = max(first, second, key=lambda d: d.dtype.itemsize)
        converted[first.name] = "inputs disagree on its number of elements; the wider one is kept"
        return wider
    scaled = first.scales is not None or second.scales is not None
    base = np.dtype(np.float64) if scaled else np.result_type(first.dtype.base, second.dtype.base)
    converted[first.name] = f"inputs store it differently; stored as {base.name}"
    dtype = np.dtype((base, shape)) if shape else base
    return ExtraDimension(first.name, dtype, first.description)


def _note_conversions(
    infos: Sequence[CloudInfo], point_format: int, converted: dict[str, str]
) -> None:
    for info in infos:
        types = {attribute.name: attribute.dtype for attribute in info.attributes}
        if "scan_angle_rank" in types and point_format >= 6:
            converted["scan_angle_rank"] = "whole degrees stored as scan_angle, in steps of 0.006°"
        for colour in ("red", "green", "blue", "nir"):
            if types.get(colour) == np.dtype("u1"):
                converted[colour] = "8-bit values multiplied by 257 to fill the 16 bits of LAS"
        if "return_number" not in types:
            converted["return_number"] = "an input has none: set to 1 of 1"


class RecordConverter:
    """Turn blocks of one input into records of a layout, X, Y and Z left for the caller.

    Parameters
    ----------
    layout : RecordLayout
        What is written.
    info : CloudInfo
        The input.
    las_format : laspy.PointFormat or None
        Its LAS point format, None for a file of another kind.
    """

    def __init__(
        self, layout: RecordLayout, info: CloudInfo, las_format: laspy.PointFormat | None
    ) -> None:
        self._layout, self._info, self._las_format = layout, info, las_format
        self._extra = {dimension.name: dimension for dimension in layout.extra}
        self._source_extra = (
            {}
            if las_format is None
            else {d.name: ExtraDimension.from_laspy(d) for d in las_format.extra_dimensions}
        )
        same_extra = tuple(self._source_extra.values()) == layout.extra
        own = None if las_format is None else las_format.id
        self.same_layout = same_extra and own == layout.point_format
        self.differs_in_waveform_only = same_extra and (
            own is not None and layout.point_format in (own, WITHOUT_WAVEFORM.get(own))
        )
        self._fill_returns = "return_number" not in info.attribute_names

    @cached_property
    def _pairs(self) -> list[tuple[str, str]]:
        """Attributes that have a place in the layout, with its name."""
        names = set(self._layout.format.dimension_names) - COORDINATES
        pairs = [(a.name, self._target(a.name, a.dtype)) for a in self._info.attributes]
        return [(name, target) for name, target in pairs if target in names]

    @cached_property
    def _most(self) -> dict[str, int]:
        """Largest value of dimensions of less than a byte."""
        dimensions = self._layout.format.standard_dimensions
        return {d.name: int(d.max) for d in dimensions if d.num_bits < 8}

    def _target(self, name: str, dtype: np.dtype[Any]) -> str:
        if self._las_format is not None and name in self._source_extra:
            return name
        target = _standard_name(name, set(self._layout.format.standard_dimension_names))
        typed = f"{target}_{dtype.name}"
        return typed if self._las_format is None and typed in self._extra else target

    def __call__(self, block: PointBlock) -> npt.NDArray[Any]:
        """Give records of the layout for these points, shape (n,).

        The block's own memory is handed over where the layouts are the same.
        """
        if self.same_layout and isinstance(block, LasBlock):
            return block.record
        records = np.zeros(len(block), self._layout.dtype)
        packed = laspy.PackedPointRecord(records, self._layout.format)
        for name, target in self._pairs:
            self._copy(packed, block, name, target)
        if self._fill_returns:
            packed["return_number"] = np.ones(len(block), np.uint8)
            packed["number_of_returns"] = np.ones(len(block), np.uint8)
        return records

    def _copy(
        self, packed: laspy.PackedPointRecord, block: PointBlock, name: str, target: str
    ) -> None:
        if target in self._extra:
            packed.array[target] = self._extra_values(block, name, target)
            return
        values = block.column(name)
        if name == "scan_angle_rank" and target == "scan_angle":
            values = np.rint(values / SCAN_ANGLE_STEP_DEG).astype(np.int16)
        elif target in {"red", "green", "blue", "nir"} and values.dtype == np.uint8:
            values = values.astype(np.uint16) * COLOUR_8_TO_16
        most = self._most.get(target)
        if most is not None and len(values) and values.max() > most:
            raise CloudError(
                f"{self._info.path.name}: {name} goes up to {values.max()}, but point format "
                f"{self._layout.point_format} has room for {most} at most. Correct it in the "
                "input, or give it another name to have it stored as extra bytes."
            )
        packed[target] = values

    def _extra_values(self, block: PointBlock, name: str, target: str) -> npt.NDArray[Any]:
        values = block.record[name] if isinstance(block, LasBlock) else block.column(name)
        source, wanted = self._source_extra.get(name), self._extra[target]
        if source is None or source.scales is None or source.scales == wanted.scales:
            return values
        offsets = source.offsets or (0.0,) * len(source.scales)
        scaled: npt.NDArray[Any] = values * np.array(source.scales) + np.array(offsets)
        return scaled.reshape(values.shape)
