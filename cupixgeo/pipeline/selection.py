"""Which points of a merge are wanted: the request, checked, as a value.

Knows what may be asked for and how it reads in a report. Must not know points; see `sieve`.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cupixgeo.cloud.schema import CloudInfo
from cupixgeo.errors import MergeError
from cupixgeo.formats.extent import Area, AreaLike, read_area
from cupixgeo.formats.las.classes import CLASS_CODES, LARGEST_CLASS

ClassLike = int | str
ReturnLike = int | str

RETURN_NAMES = ("first", "last", "single")
LARGEST_RETURN = 15

OUTSIDE, OTHER_CLASS, OTHER_RETURN = "outside", "class", "return"
DUPLICATE, THINNED = "duplicate", "thinned"
RULES = (OUTSIDE, OTHER_CLASS, OTHER_RETURN, DUPLICATE, THINNED)
"""Why a point was left out, in the order the rules are applied."""

LEFT_OUT = {
    OUTSIDE: "outside the area",
    OTHER_CLASS: "of other classes",
    OTHER_RETURN: "of other returns",
    DUPLICATE: "met before",
    THINNED: "in a cube that has its point",
}
"""The same in words that follow a number."""


@dataclass(frozen=True)
class Selection:
    """The points that are wanted; each rule is None or False where it does not apply.

    Parameters
    ----------
    area : Area or None
        In the output CRS.
    classes : tuple of int or None
        Classification codes to keep.
    returns : tuple of (int or str) or None
        Return numbers to keep, and ``"first"``, ``"last"``, ``"single"``.
    spacing_m : float or None
        Edge of the cubes of which each keeps its first point [m].
    drop_duplicates : bool
        Keep the first of equal points.
    """

    area: Area | None = None
    classes: tuple[int, ...] | None = None
    returns: tuple[ReturnLike, ...] | None = None
    spacing_m: float | None = None
    drop_duplicates: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Give what was asked for as plain lists, numbers and strings."""
        result: dict[str, Any] = {}
        if self.area is not None:
            low, high = (
                [float(f"{v:.12g}") if math.isfinite(v) else None for v in corner]
                for corner in (self.area.low, self.area.high)
            )
            result["bounds"] = {"low": low, "high": high, "polygons": len(self.area.polygons)}
        if self.classes is not None:
            result["classes"] = list(self.classes)
        if self.returns is not None:
            result["returns"] = list(self.returns)
        if self.spacing_m is not None:
            result["spacing_m"] = self.spacing_m
        if self.drop_duplicates:
            result["drop_duplicates"] = True
        return result

    def check_attributes(self, info: CloudInfo, name: str) -> None:
        """Refuse an input that lacks an attribute the selection looks at.

        Raises
        ------
        MergeError
            Naming the input and the rule.
        """
        needed = {
            "classification": ("classes=", self.classes is not None),
            "return_number": ("returns=", self.returns is not None),
            "number_of_returns": (
                "returns=",
                self.returns is not None and bool({"last", "single"} & set(self.returns)),
            ),
        }
        for attribute, (rule, applies) in needed.items():
            if applies and attribute not in info.attribute_names:
                raise MergeError(
                    f"{name} has no {attribute.replace('_', ' ')}, so {rule} cannot be applied to "
                    f"it. Merge without {rule}, or without that source."
                )


def read_selection(
    *,
    bounds: AreaLike | None = None,
    classes: ClassLike | Iterable[ClassLike] | None = None,
    returns: ReturnLike | Iterable[ReturnLike] | None = None,
    spacing_m: float | None = None,
    drop_duplicates: bool = False,
) -> Selection | None:
    """Check a request; None where nothing is asked for.

    Parameters
    ----------
    bounds : AreaLike or None
        Box or polygon in the output CRS; see `read_area`.
    classes : int, str, iterable of them, or None
        Classification codes, or their names in the LAS specification (``"ground"``).
    returns : int, str, iterable of them, or None
        Return numbers, ``"first"`` (number 1), ``"last"`` (its number is that of returns) or
        ``"single"`` (the only one); a point is kept if any of them fits.
    spacing_m : float or None
        Edge of the thinning cubes [m].
    drop_duplicates : bool
        Drop points that are met again.

    Raises
    ------
    MergeError
        A class, a return or the spacing is none.
    CloudError
        `bounds` is not an area.
    """
    area = None if bounds is None else read_area(bounds)
    if area is not None and area.is_everywhere:
        area = None
    codes = None if classes is None else tuple(sorted({_class_code(c) for c in _several(classes)}))
    numbers = None if returns is None else tuple(dict.fromkeys(map(_return, _several(returns))))
    for name, values in (("classes", codes), ("returns", numbers)):
        if values == ():
            raise MergeError(f"{name}= is empty, so nothing would be kept. Name what to keep.")
    if spacing_m is not None and not (np.isfinite(spacing_m) and spacing_m > 0):
        raise MergeError(f"spacing_m={spacing_m} is not a length. Give metres, like 0.05.")
    selection = Selection(area, codes, numbers, spacing_m, drop_duplicates)
    return None if selection == Selection() else selection


def _several(values: Any) -> Sequence[Any]:
    return [values] if isinstance(values, str | int | np.integer) else list(values)


def _class_code(value: Any) -> int:
    if isinstance(value, str) and not value.strip().isdecimal():
        name = " ".join(value.lower().replace("_", " ").replace("-", " ").split())
        if name in CLASS_CODES:
            return CLASS_CODES[name]
        near = difflib.get_close_matches(name, CLASS_CODES, n=1)
        hint = f"Did you mean {near[0]!r}?" if near else f"Names are {', '.join(CLASS_CODES)}."
        raise MergeError(f"classes=: {value!r} is not the name of a LAS class. {hint}")
    code = _whole(value)
    if code is None or not 0 <= code <= LARGEST_CLASS:
        raise MergeError(
            f"classes=: {value!r} is not a class. Give codes from 0 to {LARGEST_CLASS}, or names "
            "like 'ground'."
        )
    return code


def _return(value: Any) -> ReturnLike:
    if isinstance(value, str) and value.strip().lower() in RETURN_NAMES:
        return value.strip().lower()
    number = _whole(value)
    if number is None or not 1 <= number <= LARGEST_RETURN:
        raise MergeError(
            f"returns=: {value!r} is not a return. Give 'first', 'last', 'single' or numbers from "
            f"1 to {LARGEST_RETURN}."
        )
    return number


def _whole(value: Any) -> int | None:
    """Give the value as an integer, None where it is none."""
    if isinstance(value, str):
        return int(value) if value.strip().isdecimal() else None
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        return None
    return int(value)
