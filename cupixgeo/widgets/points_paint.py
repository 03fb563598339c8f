"""What colour a point gets: its own, or that of a height, a number, a class or its cloud.

A `Paint` says how a value becomes a colour; the value itself goes to the screen as it is (8-bit
colours), as 16 bits between two stated numbers, or as the number of a class. Heights and clouds
need no value: the screen knows them.

Knows names of variables, colours and legends. Must not know how points are kept or sent.

Source: ASPRS LAS 1.4 R15, table 17 for the names of classes; P. Tol, Colour Schemes (2021),
"muted" and "light", for colours that stay apart for colour-blind readers; C. Brewer, ColorBrewer
2.0, "RdBu".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from cupixgeo.formats.las.classes import CLASS_CODES
from cupixgeo.pipeline.figures import decimals, ticks
from cupixgeo.pipeline.picture import COLORMAPS
from cupixgeo.widgets.points import Columns, Variable

RGB = ("red", "green", "blue")

HEIGHT, CLOUD = "height", "cloud"

MOST_CLASSES = 24
"""Different whole numbers up to which a variable is shown as classes."""

LEVELS = 65_535
"""Largest stored value of a number."""

OTHER = 255
"""Class of a point whose value is none of the legend's."""

GREY = "#8a8f98"

AROUND_ZERO = ("#2166ac", "#67a9cf", "#d1e5f0", "#efefef", "#fddbc7", "#ef8a62", "#b2182b")
"""Colours of numbers on both sides of zero, which is in the middle (ColorBrewer's RdBu)."""

CLASS_COLOURS = {
    0: "#a0a4ab", 1: "#b9bcc2", 2: "#b08458", 3: "#b7d77a", 4: "#72b33d", 5: "#2f7d32",
    6: "#e0603f", 7: "#e83e8c", 9: "#3d8fd1", 10: "#7b6b8d", 11: "#77787c", 13: "#f2c14e",
    14: "#f29e2e", 15: "#c8553d", 16: "#ffd97d", 17: "#d9a38f", 18: "#d6336c", 19: "#9c6ade",
    20: "#8c6d4f", 21: "#dff1f8", 22: "#5c6370",
}  # fmt: skip
"""Colours of LAS classes, after what they stand for."""

SERIES = (
    "#4477aa", "#ee8866", "#44bb99", "#aa3377", "#bbcc33", "#88ccee", "#ddaa33", "#882255",
    "#77aadd", "#117733", "#ffaabb", "#999933", "#332288", "#eedd88", "#aaaa00", "#cc6677",
)  # fmt: skip
"""Colours of clouds and of classes without a meaning of their own."""

_NOT_CLASSES = frozenset({"intensity", *RGB, "nir"})


@dataclass(frozen=True)
class PaintClass:
    """A line of a legend.

    Parameters
    ----------
    index : int
        What is sent for it.
    label, color : str
    """

    index: int
    label: str
    color: str


@dataclass(frozen=True)
class Paint:
    """How points are coloured.

    Parameters
    ----------
    name : str
        ``"rgb"``, ``"height"``, ``"cloud"`` or a variable.
    kind : str
        ``"rgb"``, ``"height"``, ``"number"``, ``"classes"`` or ``"cloud"``.
    label, unit : str
        For the legend.
    low, high : float
        Values at the ends of the colours, in `unit`.
    zero, span : float
        A stored 16-bit value v stands for ``zero + span * v / 65535``.
    ramp : tuple of str
        Colours from low to high.
    ticks : tuple of (float, str)
        Values named beside the colours.
    classes : tuple of PaintClass
    codes : tuple of int
        Values of the classes, ascending.
    """

    name: str
    kind: Literal["rgb", "height", "number", "classes", "cloud"]
    label: str
    unit: str = ""
    low: float = 0.0
    high: float = 1.0
    zero: float = 0.0
    span: float = 1.0
    ramp: tuple[str, ...] = ()
    ticks: tuple[tuple[float, str], ...] = ()
    classes: tuple[PaintClass, ...] = ()
    codes: tuple[int, ...] = ()

    @property
    def needs(self) -> tuple[str, ...]:
        """Variables it is made of; none for heights and clouds."""
        if self.kind == "rgb":
            return RGB
        return (self.name,) if self.kind in ("number", "classes") else ()

    @property
    def channel(self) -> str:
        """Name of what has to be sent for it: two paints of one channel need the same bytes."""
        if not self.needs:
            return ""
        return f"{self.name} {self.zero:g} {self.span:g} {len(self.codes)}"

    def state(self) -> dict[str, Any]:
        """Say it in what JSON knows."""
        told = asdict(self)
        del told["codes"]
        return {**told, "channel": self.channel}


def label_of(name: str) -> str:
    """Say what something to colour by is called on the page."""
    if name == "rgb":
        return "Colour (RGB)"
    text = name.replace("_", " ")
    return text[:1].upper() + text[1:]


def choices(variables: Mapping[str, Variable], *, coloured: bool) -> list[str]:
    """List the names a cloud can be coloured by, those asked for most often first.

    Parameters
    ----------
    variables : mapping of str to Variable
        Of all clouds of a scene.
    coloured : bool
        Whether any of them has colours that are not all black.
    """
    names = [name for name in variables if name not in RGB]
    first = [name for name in ("intensity", "classification") if name in names]
    rest = [name for name in names if name not in first]
    return [*(["rgb"] if coloured else []), HEIGHT, *first, CLOUD, *rest]


def rgb_paint() -> Paint:
    """Colour points as the camera saw them."""
    return Paint("rgb", "rgb", label_of("rgb"))


def cloud_paint(names: Sequence[str]) -> Paint:
    """Give each cloud a colour of its own."""
    lines = tuple(PaintClass(i, name, SERIES[i % len(SERIES)]) for i, name in enumerate(names))
    return Paint(CLOUD, "cloud", label_of(CLOUD), classes=lines)


def height_paint(heights: npt.NDArray[Any], *, label: str, unit: str) -> Paint:
    """Colour points by height.

    Parameters
    ----------
    heights : ndarray, shape (n,), float64 [CRS units]
        A sample.
    label, unit : str
        Of the CRS's third axis.
    """
    return _ramp(HEIGHT, "height", heights, label=label, unit=unit, ramp=COLORMAPS["height"])


def variable_paint(variable: Variable, sample: npt.NDArray[Any]) -> Paint:
    """Colour points by one of their variables: by classes where there are few values.

    Parameters
    ----------
    variable : Variable
        Which.
    sample : ndarray, shape (n,)
        Values of some of the points.
    """
    name, label = variable.name, label_of(variable.name)
    if variable.dtype.kind in "iub" and name not in _NOT_CLASSES:
        codes = np.unique(sample)
        if len(codes) <= MOST_CLASSES or name == "classification":
            return _classes(name, label, [int(code) for code in codes])
    ramp = COLORMAPS["density"]
    return _ramp(
        name, "number", sample, label=label, unit=variable.unit, ramp=ramp, dtype=variable.dtype
    )


def _classes(name: str, label: str, codes: list[int]) -> Paint:
    if name == "classification":
        words = {code: word for word, code in CLASS_CODES.items()}
        codes = sorted({*codes, *words})[:OTHER]
        lines = [
            PaintClass(i, f"{c} {words.get(c, 'user class')}", CLASS_COLOURS.get(c, _series(i)))
            for i, c in enumerate(codes)
        ]
    else:
        lines = [PaintClass(i, str(code), _series(i)) for i, code in enumerate(codes)]
    return Paint(name, "classes", label, classes=tuple(lines), codes=tuple(codes))


def _series(index: int) -> str:
    return SERIES[index % len(SERIES)]


def _ramp(
    name: str,
    kind: Literal["height", "number"],
    sample: npt.NDArray[Any],
    *,
    label: str,
    unit: str,
    ramp: tuple[str, ...],
    dtype: np.dtype[Any] | None = None,
) -> Paint:
    """Colours between all but the extreme per cent; what is beyond has the colour of the end."""
    values = sample[np.isfinite(sample)].astype(np.float64) if sample.size else np.zeros(1)
    values = values if values.size else np.zeros(1)
    low, high = (float(v) for v in np.percentile(values, (0.5, 99.5)))
    if not high > low:
        low, high = low - 0.5, high + 0.5
    if kind == "number" and low < 0 < high:
        ramp, high = AROUND_ZERO, max(-low, high)
        low = -high
    if dtype is not None and dtype.kind in "ub" and dtype.itemsize <= 2:
        zero, span = 0.0, float(LEVELS)
    else:
        margin = (high - low) / 2
        zero, span = low - margin, high - low + 2 * margin
    marks = ticks(low, high, 4)
    places = decimals(marks[1] - marks[0]) if len(marks) > 1 else 2
    return Paint(
        name, kind, label, unit, low, high, zero, span, ramp,
        tuple((mark, f"{mark:,.{places}f}") for mark in marks),
    )  # fmt: skip


def brightest(sample: Columns) -> int:
    """Largest colour value of a sample; 0 where all points are black.

    Parameters
    ----------
    sample : mapping of ``red``, ``green``, ``blue`` to ndarray, shape (n,)
    """
    return max(int(sample[name].max(initial=0)) for name in RGB)


def encode(paint: Paint, columns: Columns, *, shift: int = 0) -> bytes:
    """Values of points as they are sent.

    Parameters
    ----------
    paint : Paint
        What they are coloured by.
    columns : mapping of str to ndarray, shape (n,)
        What ``paint.needs``.
    shift : int
        Bits that colours are moved right by: 8 where a cloud stores them with 16 bits.

    Returns
    -------
    bytes
        Three bytes a point for colours, else two: little-endian uint16.
    """
    if paint.kind == "rgb":
        rgb = np.stack([columns[name] for name in RGB], axis=1)
        return (rgb >> shift).astype(np.uint8).tobytes()
    values = columns[paint.name]
    if paint.kind == "classes":
        codes = np.array(paint.codes)
        place = np.clip(np.searchsorted(codes, values), 0, len(codes) - 1)
        return np.where(codes[place] == values, place, OTHER).astype("<u2").tobytes()
    stored = (np.nan_to_num(values, nan=paint.zero) - paint.zero) * (LEVELS / paint.span)
    return np.clip(stored + 0.5, 0, LEVELS).astype("<u2").tobytes()


def colours(paint: Paint, columns: Columns, *, cloud: int, shift: int = 0) -> npt.NDArray[np.uint8]:
    """Colours of points, as the screen would show them.

    Parameters
    ----------
    paint : Paint
        What they are coloured by.
    columns : mapping of str to ndarray, shape (n,)
        ``z`` [CRS units] and what ``paint.needs``; where that is missing, the points are grey.
    cloud : int
        Number of the cloud.
    shift : int
        As in `encode`.

    Returns
    -------
    ndarray, shape (n, 3), uint8
    """
    count = len(columns["z"])
    if not set(paint.needs) <= set(columns):
        return np.tile(_hex(GREY), (count, 1))
    if paint.kind == "rgb":
        return np.stack([(columns[name] >> shift).astype(np.uint8) for name in RGB], axis=1)
    if paint.kind == "cloud":
        return np.tile(_hex(_series(cloud)), (count, 1))
    if paint.kind == "classes":
        table: npt.NDArray[np.uint8] = np.tile(_hex(GREY), (OTHER + 1, 1))
        for line in paint.classes:
            table[line.index] = _hex(line.color)
        return np.take(table, np.frombuffer(encode(paint, columns), "<u2"), axis=0)
    values = columns["z"] if paint.kind == "height" else columns[paint.name]
    place = (values - paint.low) / (paint.high - paint.low) * (len(paint.ramp) - 1)
    stops = np.array([_hex(color) for color in paint.ramp], np.float64)
    bands = [np.interp(place, np.arange(len(stops)), stops[:, band]) for band in range(3)]
    return np.stack(bands, axis=1).round().astype(np.uint8)


def _hex(color: str) -> npt.NDArray[np.uint8]:
    return np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)], np.uint8)
