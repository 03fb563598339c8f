"""A coordinate operation that is planned, and can be refused, before it runs.

Knows how to ask PROJ for its candidates, which of them may be trusted, and what to do with heights.
Must not know: matrices and local frames (except that no operation leads out of one), files.

PROJ never fails for want of a geoid grid: it hands the heights on unchanged, without a word, and
neither ``only_best`` nor an accuracy of -1 tells that apart from CGCS2000 → WGS 84, where nothing
better exists. So the candidates are looked at first. What cannot be trusted stops here, naming the
grid and the declaration (`cupixgeo.geodesy.assumptions`) that lets it go on; a declaration that was
used travels with the operation into files and reports.

Sources: PROJ 9.5 (``proj_create_operations``, its candidate order and its "ballpark" wording);
IOGP 373-7-2 for the meaning of a compound CRS.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pyproj import CRS, Transformer
from pyproj.aoi import AreaOfInterest
from pyproj.exceptions import ProjError
from pyproj.network import is_network_enabled, set_network_enabled  # type: ignore[attr-defined]
from pyproj.transformer import TransformerGroup

from cupixgeo.errors import CrsError, FrameError, MissingGridError, OperationError
from cupixgeo.geodesy.area import Area
from cupixgeo.geodesy.assumptions import (
    HEIGHTS_UNCHANGED,
    WITHOUT_GRIDS,
    declared_same,
    read_assumptions,
    same_datum_assumption,
)
from cupixgeo.geodesy.crs import CrsLike, as_crs, crs_label, is_local, same_crs
from cupixgeo.geodesy.heights import HeightPlan, plan_heights

_NO_CHANGE = "proj=noop"
_HEIGHT_STEPS = re.compile(r"proj=(vgridshift|gridshift|vertoffset|geogoffset|deformation|affine)")
_GRIDS = re.compile(r"\bgrids=([^\s,]+)")
_ALTERNATIVES_SHOWN = 3


@dataclass(frozen=True, repr=False)
class Operation:
    """A planned way from one CRS on earth to another, always in x/y (lon/lat) order.

    Parameters
    ----------
    source, target : pyproj.CRS
        Where the points come from and where they go.
    name : str
        PROJ's name of the operation, step by step.
    definition : str
        The PROJ pipeline that is run.
    accuracy_m : float or None
        [m] as PROJ states it: 0 for a pure conversion, None where nothing is stated.
    is_ballpark : bool
        Whether it rests on a declaration that two datums or height systems are one.
    grids, missing_grids : tuple of str
        Grid files it uses; grid files a better operation would need and that are not installed.
    assumptions : tuple of str
        The declarations it rests on.
    notes : tuple of str
        What a reader of the result ought to know.
    area_of_use : tuple of 4 float or None
        West, south, east, north [deg] of where it is meant for.
    height_factors : tuple of 2 float
        What z is multiplied by before and after the pipeline (units PROJ is not told about).
    """

    source: CRS
    target: CRS
    name: str
    definition: str
    accuracy_m: float | None
    is_ballpark: bool = False
    grids: tuple[str, ...] = ()
    missing_grids: tuple[str, ...] = ()
    assumptions: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    area_of_use: Area | None = None
    height_factors: tuple[float, float] = (1.0, 1.0)

    @property
    def is_smooth(self) -> bool:
        """Whether a polynomial can follow it: no grid is interpolated on the way."""
        return not self.grids

    @property
    def is_identity(self) -> bool:
        """Whether points come out as they went in."""
        return self.definition == _NO_CHANGE and self.height_factors == (1.0, 1.0)

    def apply(self, xyz: ArrayLike) -> NDArray[np.float64]:
        """Take points from `source` to `target`.

        Parameters
        ----------
        xyz : array_like, shape (n, 3) or (3,), float64, in the units of `source`, x before y

        Returns
        -------
        ndarray, same shape, float64, in the units of `target`, x before y
            A new array.

        Raises
        ------
        OperationError
            If the shape is wrong, or points lie where the operation is not defined.
        """
        points = np.asarray(xyz, dtype=np.float64)
        if points.ndim not in (1, 2) or points.shape[-1] != 3:
            raise OperationError(
                f"points have the shape {points.shape}: give (n, 3), one row a point"
            )
        columns = np.array(points.T, order="C").reshape(3, -1)
        before, after = self.height_factors
        if not self.is_identity:
            columns[2] *= before
            x, y, z = columns
            _transformer(self.definition).transform(x, y, z, inplace=True)
            columns[2] *= after
        if not np.isfinite(columns).all():
            bad = int((~np.isfinite(columns).all(axis=0)).sum())
            raise OperationError(
                f"{bad} of {columns.shape[1]} points lie outside the domain of {self.name!r} "
                f"from {crs_label(self.source)} to {crs_label(self.target)}: check that they "
                "really are in the source CRS, x before y, and finite"
            )
        return np.ascontiguousarray(columns.T).reshape(points.shape)

    def __repr__(self) -> str:
        accuracy = "unknown" if self.accuracy_m is None else f"{self.accuracy_m:g} m"
        return (
            f"<Operation {crs_label(self.source)} → {crs_label(self.target)}: {self.name}, "
            f"accuracy {accuracy}>"
        )

    def to_dict(self) -> dict[str, Any]:
        """Tell all of it in plain values, for a report."""
        return {
            "name": self.name,
            "source": crs_label(self.source),
            "target": crs_label(self.target),
            "definition": self.definition,
            "accuracy_m": self.accuracy_m,
            "is_ballpark": self.is_ballpark,
            "grids": list(self.grids),
            "missing_grids": list(self.missing_grids),
            "assumptions": list(self.assumptions),
            "notes": list(self.notes),
            "area_of_use": None if self.area_of_use is None else list(self.area_of_use),
        }


def plan_operation(
    source: CrsLike,
    target: CrsLike,
    *,
    assume: str | Iterable[str] = (),
    area: Area | None = None,
) -> Operation:
    """Choose the operation from one CRS to another, or say why none can be trusted.

    Parameters
    ----------
    source, target : CRS arguments
        Where the points come from and where they go; see `cupixgeo.geodesy.crs.as_crs`.
    assume : str or iterable of str
        What is declared where PROJ does not know better, for example ``"CGCS2000=WGS 84"``; the
        words are listed in `cupixgeo.geodesy.assumptions`.
    area : tuple of 4 float, optional
        West, south, east, north [deg] of the points. It matters where PROJ knows different
        operations for different regions. A grid that only this region calls for is noted, and
        does not stop what is good enough for the CRS as a whole.

    Returns
    -------
    Operation

    Raises
    ------
    FrameError
        If one side is a local frame: its cloud has to be placed first.
    MissingGridError
        If the best operation needs a grid that is not installed; the message names it.
    OperationError
        If PROJ knows no operation, or only one that takes datums or heights as equal.
    CrsError
        If a side is not a CRS, or has no horizontal part.

    Examples
    --------
    >>> plan_operation(4978, 32650).accuracy_m
    0.0
    >>> plan_operation(4490, 4326, assume="CGCS2000=WGS 84").assumptions
    ('CGCS2000=WGS 84',)
    """
    return _plan(as_crs(source), as_crs(target), read_assumptions(assume), area)


@lru_cache(maxsize=256)
def _plan(source: CRS, target: CRS, declared: frozenset[str], area: Area | None) -> Operation:
    if same_crs(source, target):
        return Operation(source, target, "no change", _NO_CHANGE, 0.0)
    for crs in (source, target):
        _check_on_earth(crs, source, target)
    heights = plan_heights(source, target, declared)
    if same_crs(heights.source, heights.target):
        choice = _Choice("no horizontal change", _NO_CHANGE, 0.0)
    else:
        choice = _choose(source, target, heights, declared, area)
    unsure = HEIGHTS_UNCHANGED in heights.assumptions or choice.is_ballpark
    return Operation(
        source,
        target,
        name=choice.name,
        definition=choice.definition,
        accuracy_m=None if unsure else choice.accuracy_m,
        is_ballpark=unsure,
        grids=choice.grids,
        missing_grids=choice.missing_grids,
        assumptions=(*heights.assumptions, *choice.assumptions),
        notes=(*heights.notes, *choice.notes),
        area_of_use=choice.area_of_use,
        height_factors=heights.factors,
    )


def _check_on_earth(crs: CRS, source: CRS, target: CRS) -> None:
    if is_local(crs):
        raise FrameError(
            f"no operation leads from {crs_label(source)} to {crs_label(target)}: {crs_label(crs)} "
            "is a local frame and has no place on earth by itself; place the cloud first, with a "
            "Transform that leads out of its frame (.cloud.place(...), or a Source's transform=)"
        )
    if crs.is_vertical and not crs.is_compound:
        raise CrsError(
            f"{crs_label(crs)} is a height system only: add the horizontal CRS, "
            f"for example 'EPSG:32650+{crs.to_epsg() or 5773}'"
        )


@dataclass(frozen=True)
class _Choice:
    """One candidate of PROJ, as plain values."""

    name: str
    definition: str
    accuracy_m: float | None
    is_ballpark: bool = False
    grids: tuple[str, ...] = ()
    missing_grids: tuple[str, ...] = ()
    assumptions: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    area_of_use: Area | None = None

    @classmethod
    def of(cls, candidate: Transformer) -> _Choice:
        use = candidate.area_of_use
        return cls(
            _readable(candidate.description),
            candidate.definition,
            candidate.accuracy if candidate.accuracy >= 0 else None,
            _is_ballpark(candidate),
            tuple(_GRIDS.findall(candidate.definition)),
            area_of_use=None if use is None else (use.west, use.south, use.east, use.north),
            notes=("time-dependent operation, run at its own reference epoch",)
            if "t_epoch=" in candidate.definition
            else (),
        )


def _choose(
    source: CRS, target: CRS, heights: HeightPlan, declared: frozenset[str], area: Area | None
) -> _Choice:
    """Pick the candidate of PROJ that can be trusted, or raise."""
    group, missing = _ask_proj(heights.source, heights.target, area)
    what = f"from {crs_label(source)} to {crs_label(target)}"
    candidates = [
        candidate
        for candidate in group.transformers
        if not heights.must_move or _HEIGHT_STEPS.search(candidate.definition)
    ]
    sure = [candidate for candidate in candidates if not _is_ballpark(candidate)]
    stops = missing and (area is None or bool(_ask_proj(heights.source, heights.target, None)[1]))
    if sure and (not stops or WITHOUT_GRIDS in declared):
        choice = replace(_Choice.of(sure[0]), missing_grids=missing[0] if missing else ())
        notes = list(choice.notes)
        if missing and not stops:
            notes.append(f"a better operation for this region needs {' with '.join(missing[0])}")
        if len(sure) > 1 and area is None:
            notes.append(f"PROJ's first choice of {len(sure)} operations; area= chooses by region")
        used = (WITHOUT_GRIDS,) if stops else ()
        return replace(choice, assumptions=used, notes=tuple(notes))

    equal_datums = [candidate for candidate in candidates if _only_takes_datums_as_equal(candidate)]
    same = declared_same(declared, source, target)
    if not sure and equal_datums and same is not None:
        return replace(_Choice.of(equal_datums[0]), assumptions=(same,))
    if missing:
        raise MissingGridError(_say_missing_grid(what, missing, heights, sure))
    if equal_datums:
        declaration = same_datum_assumption(source, target)
        left, _, right = declaration.partition("=")
        raise OperationError(
            f"PROJ knows no transformation {what}, only a ballpark one that takes the datums "
            f"{left} and {right} as equal, with an unknown error: if that is good enough here, "
            f"declare it with assume=({declaration!r},)"
        )
    if group.transformers:
        raise OperationError(
            f"PROJ knows no transformation of the heights {what} and would hand them on as they "
            f"are: if that is good enough here, declare it with assume=({HEIGHTS_UNCHANGED!r},)"
        )
    raise OperationError(f"PROJ knows no operation {what}: choose another target CRS")


def _ask_proj(
    source: CRS, target: CRS, area: Area | None
) -> tuple[TransformerGroup, list[tuple[str, ...]]]:
    """Get PROJ's candidates, and the sets of missing grids if a better one lacks them."""
    with _offline(), warnings.catch_warnings():
        # "Best transformation is not available": that is said here, as an error
        warnings.simplefilter("ignore", UserWarning)
        try:
            group = TransformerGroup(
                source,
                target,
                always_xy=True,
                area_of_interest=None if area is None else AreaOfInterest(*area),  # type: ignore[arg-type]
            )
        except ProjError as error:
            raise OperationError(
                f"PROJ cannot plan from {crs_label(source)} to {crs_label(target)}: {error}; "
                f"check its grid files{'' if area is None else f' and the area {area}'}"
            ) from error
        if group.best_available:
            return group, []
        sets = [
            tuple(grid.short_name for grid in operation.grids if not grid.available)
            for operation in group.unavailable_operations
        ]
    return group, list(dict.fromkeys(grids for grids in sets if grids))


@contextmanager
def _offline() -> Iterator[None]:
    """Let only installed grids count, also where PROJ_NETWORK is on: nothing is fetched here."""
    if not is_network_enabled():
        yield
        return
    set_network_enabled(active=False)
    try:
        yield
    finally:
        set_network_enabled(active=True)


def _is_ballpark(candidate: Transformer) -> bool:
    return "ballpark" in candidate.description.lower() or any(
        step.has_ballpark_transformation for step in candidate.operations or ()
    )


def _only_takes_datums_as_equal(candidate: Transformer) -> bool:
    text = candidate.description.lower()
    return "ballpark geo" in text and "ballpark vertical" not in text


def _readable(description: str) -> str:
    steps = [step for step in description.split(" + ") if not step.startswith("axis order change")]
    return " + ".join(steps) or "axis order change"


def _say_missing_grid(
    what: str, missing: list[tuple[str, ...]], heights: HeightPlan, sure: list[Transformer]
) -> str:
    easiest = min(missing, key=len)
    shown = list(dict.fromkeys([easiest, *missing]))[:_ALTERNATIVES_SHOWN]
    names = ", or ".join(" with ".join(grids) for grids in shown)
    more = f" (or {len(missing) - len(shown)} other sets)" if len(missing) > len(shown) else ""
    commands = " and ".join(f"`pyproj sync --file {grid}`" for grid in easiest)
    ways = [f"install it once with {commands}"]
    if sure:
        accuracy = f"{sure[0].accuracy:g} m" if sure[0].accuracy >= 0 else "unknown"
        ways.append(
            f"declare assume=({WITHOUT_GRIDS!r},) to go by {_readable(sure[0].description)!r}, "
            f"accuracy {accuracy}"
        )
    elif heights.must_move:
        ways.append(f"declare assume=({HEIGHTS_UNCHANGED!r},) to keep the heights' values")
    silence = "" if sure else ", and without it PROJ would hand heights on unchanged"
    return (
        f"the best operation {what} needs a grid that is not installed: {names}{more}{silence}; "
        + ", or ".join(ways)
    )


@lru_cache(maxsize=256)
def _transformer(definition: str) -> Transformer:
    """Make the pipeline; pyproj builds its PROJ object anew in every thread that uses it."""
    return Transformer.from_pipeline(definition)
