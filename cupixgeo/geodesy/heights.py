"""What happens to heights between two CRSs, decided before PROJ is asked.

Knows which CRS states a height system, and what has to be asked of PROJ (and multiplied into z)
so that heights come out as they should. Must not know which operation PROJ picks.

The rules: where neither side states a height system, heights are handed on. Where the other side
has ellipsoidal heights (a placed cloud's geocentric coordinates), they are kept as they are, also
if the horizontal datum changes; that is what PROJ does. Where the target has heights of a vertical
datum, unstated ones are taken as ellipsoidal heights on the source's own datum. Stated heights
(EGM96, NAVD88, ...) are never dropped into a CRS that states none, unless ``heights-unchanged`` is
declared. A CRS in feet that states no height system leaves the unit of its heights open: that is
asked, not guessed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pyproj import CRS

from cupixgeo.errors import OperationError
from cupixgeo.geodesy.assumptions import (
    HEIGHTS_IN_CRS_UNIT,
    HEIGHTS_IN_METRES,
    HEIGHTS_UNCHANGED,
)
from cupixgeo.geodesy.crs import crs_label


@dataclass(frozen=True)
class HeightSystem:
    """What a CRS says about heights.

    Parameters
    ----------
    kind : {"none", "ellipsoidal", "gravity"}
        Nothing, heights above the ellipsoid, or heights of a vertical datum.
    datum : str
        Name of the vertical datum, empty for the other kinds.
    unit_m : float
        Length of one unit of height [m]; for "none" that of the horizontal axes, which need not
        be the same.
    """

    kind: Literal["none", "ellipsoidal", "gravity"]
    datum: str = ""
    unit_m: float = 1.0

    @classmethod
    def of(cls, crs: CRS) -> HeightSystem:
        """Read the height system of a CRS."""
        if crs.is_compound:
            vertical = crs.sub_crs_list[1]
            datum = vertical.datum.name if vertical.datum is not None else vertical.name
            return cls("gravity", datum, vertical.axis_info[0].unit_conversion_factor)
        if crs.is_geocentric or len(crs.axis_info) == 3:
            return cls("ellipsoidal")
        return cls(
            "none", unit_m=crs.axis_info[0].unit_conversion_factor if crs.is_projected else 1.0
        )


@dataclass(frozen=True)
class HeightPlan:
    """What is asked of PROJ, and what is done to z around it.

    Parameters
    ----------
    source, target : pyproj.CRS
        The pair PROJ is asked for.
    factors : tuple of 2 float
        What z is multiplied by before and after.
    must_move : bool
        Whether the height systems differ, so that an operation that leaves z alone is wrong.
    assumptions, notes : tuple of str
        The declarations this rests on, and what a reader of the result ought to know.
    """

    source: CRS
    target: CRS
    factors: tuple[float, float] = (1.0, 1.0)
    must_move: bool = False
    assumptions: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def plan_heights(source: CRS, target: CRS, declared: frozenset[str]) -> HeightPlan:
    """Decide what happens to heights from one CRS to another.

    Parameters
    ----------
    source, target : pyproj.CRS
        Two CRSs on earth.
    declared : frozenset of str
        Assumptions, as `cupixgeo.geodesy.assumptions.read_assumptions` gives them.

    Returns
    -------
    HeightPlan

    Raises
    ------
    OperationError
        If stated heights would be dropped, or the unit of unstated ones is open.
    """
    first, second = HeightSystem.of(source), HeightSystem.of(target)
    kinds = {first.kind, second.kind}
    if kinds == {"none"}:
        note = "heights are handed on: neither CRS states a height system"
        factors, assumptions = _units(source, target, declared)
        return HeightPlan(source, target, factors, False, assumptions, (note,))
    if "gravity" in kinds and HEIGHTS_UNCHANGED in declared and first.datum != second.datum:
        return _unchanged(source, target, declared)
    if first.kind == "gravity" and second.kind == "none":
        raise OperationError(_lost_heights(source, target, first.datum))
    if "none" not in kinds:
        return HeightPlan(source, target, must_move=first.datum != second.datum)
    factors, assumptions = _units(source, target, declared)
    stated, silent, side = (
        (target, source, "source") if first.kind == "none" else (source, target, "result")
    )
    on = silent if "gravity" in kinds else stated
    note = (
        f"heights of the {side} are ellipsoidal heights on {_datum_name(on)}: "
        f"{crs_label(silent)} states no height system"
    )
    if "gravity" in kinds:
        return HeightPlan(source.to_3d(), target, factors, True, assumptions, (note,))
    return HeightPlan(source, target, factors, False, assumptions, (note,))


def _unchanged(source: CRS, target: CRS, declared: frozenset[str]) -> HeightPlan:
    """Leave the vertical datums out of it and convert units only."""
    systems = HeightSystem.of(source), HeightSystem.of(target)
    asked = [crs.sub_crs_list[0] if crs.is_compound else crs for crs in (source, target)]
    if any(system.kind == "ellipsoidal" for system in systems):
        asked = [crs.to_3d() for crs in asked]
    factors, assumptions = _units(source, target, declared)
    named = [system.datum or "ellipsoidal or unstated heights" for system in systems]
    note = f"heights kept their value between {named[0]} and {named[1]}, as declared"
    return HeightPlan(
        asked[0], asked[1], factors, False, (HEIGHTS_UNCHANGED, *assumptions), (note,)
    )


def _units(
    source: CRS, target: CRS, declared: frozenset[str]
) -> tuple[tuple[float, float], tuple[str, ...]]:
    """Find what z is multiplied by on either side, where PROJ does not see its unit.

    PROJ sees the unit of ellipsoidal heights, and of stated heights unless they are left out.
    """
    systems = HeightSystem.of(source), HeightSystem.of(target)
    left_out = HEIGHTS_UNCHANGED in declared and systems[0].datum != systems[1].datum
    if all(system.kind == "none" for system in systems) and _close(*systems):
        return (1.0, 1.0), ()
    lengths, used = [], set()
    for crs, system in zip((source, target), systems, strict=True):
        unit = system.unit_m
        if system.kind == "ellipsoidal" or (system.kind == "gravity" and not left_out):
            unit = 1.0
        elif system.kind == "none" and unit != 1.0:
            if HEIGHTS_IN_METRES in declared:
                unit = 1.0
                used.add(HEIGHTS_IN_METRES)
            elif HEIGHTS_IN_CRS_UNIT in declared:
                used.add(HEIGHTS_IN_CRS_UNIT)
            else:
                raise OperationError(_open_unit(crs))
        lengths.append(unit)
    if lengths[0] == lengths[1]:
        return (1.0, 1.0), tuple(used)
    return (lengths[0], 1 / lengths[1]), tuple(used)


def _datum_name(crs: CRS) -> str:
    return "its datum" if crs.datum is None else crs.datum.name.removesuffix(" ensemble")


def _close(a: HeightSystem, b: HeightSystem) -> bool:
    return abs(a.unit_m - b.unit_m) <= 1e-12 * a.unit_m


def _open_unit(crs: CRS) -> str:
    return (
        f"{crs_label(crs)} is in {crs.axis_info[0].unit_name} and states no height system, so the "
        "unit of its heights is open: add a vertical CRS (for example 'EPSG:2263+6360'), or "
        f"declare assume=({HEIGHTS_IN_METRES!r},) or assume=({HEIGHTS_IN_CRS_UNIT!r},)"
    )


def _lost_heights(source: CRS, target: CRS, datum: str) -> str:
    horizontal, vertical = target.to_epsg(), source.sub_crs_list[1].to_epsg()
    compound = (
        f"ask for 'EPSG:{horizontal}+{vertical}'"
        if horizontal and vertical
        else "ask for a compound CRS with the same height system"
    )
    return (
        f"heights of {crs_label(source)} are heights above {datum}, and {crs_label(target)} states "
        f"no height system: {compound} to keep them as what they are, or declare "
        f"assume=({HEIGHTS_UNCHANGED!r},) to keep their values only"
    )
