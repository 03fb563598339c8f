"""What a user may declare where a coordinate operation is not known well enough.

Knows the words of ``assume=`` and what two names of a datum have in common. Must not know how an
operation is planned.

======================================  ==========================================================
declared                                meaning
======================================  ==========================================================
``"CGCS2000=WGS 84"``                   these two datums are taken as one, where PROJ knows no
                                        transformation between them (any two names or EPSG codes)
``"heights-unchanged"``                 heights keep their value although the height systems
                                        differ (units are still converted)
``"heights-in-metres"``                 a CRS in feet that states no height system has heights
                                        in metres
``"heights-in-crs-unit"``               ... has heights in its own unit
``"without-grids"``                     where the best operation needs a grid that is not
                                        installed, the best one without it is good enough
======================================  ==========================================================
"""

from __future__ import annotations

from collections.abc import Iterable

from pyproj import CRS
from pyproj.exceptions import CRSError as ProjCrsError

from cupixgeo.errors import OperationError

HEIGHTS_UNCHANGED = "heights-unchanged"
HEIGHTS_IN_METRES = "heights-in-metres"
HEIGHTS_IN_CRS_UNIT = "heights-in-crs-unit"
WITHOUT_GRIDS = "without-grids"
_WORDS = (HEIGHTS_UNCHANGED, HEIGHTS_IN_METRES, HEIGHTS_IN_CRS_UNIT, WITHOUT_GRIDS)
_SHORT = {"China Geodetic Coordinate System 2000": "CGCS2000"}


def read_assumptions(assume: str | Iterable[str]) -> frozenset[str]:
    """Check what was declared.

    Parameters
    ----------
    assume : str or iterable of str
        One declaration or several; see the table at the top of this module.

    Returns
    -------
    frozenset of str

    Raises
    ------
    OperationError
        If a declaration is not one of the grammar, or two contradict each other.
    """
    declared = frozenset(
        text.strip() for text in ((assume,) if isinstance(assume, str) else assume)
    )
    for text in declared:
        left, equals, right = text.partition("=")
        if text not in _WORDS and not (equals and left.strip() and right.strip()):
            raise OperationError(
                f"assume={text!r} is not understood: declare two datums as one with 'A=B' "
                f"(for example 'CGCS2000=WGS 84'), or one of {', '.join(map(repr, _WORDS))}"
            )
    if {HEIGHTS_IN_METRES, HEIGHTS_IN_CRS_UNIT} <= declared:
        raise OperationError(
            f"assume= holds both {HEIGHTS_IN_METRES!r} and {HEIGHTS_IN_CRS_UNIT!r}: declare one"
        )
    return declared


def same_datum_assumption(source: CRS, target: CRS) -> str:
    """Write the declaration that takes the datums of two CRSs as one."""
    return "=".join(_geodetic_name(crs) for crs in (source, target))


def declared_same(declared: frozenset[str], source: CRS, target: CRS) -> str | None:
    """Find the declaration by which the datums of two CRSs are one, in either order."""
    for text in sorted(declared):
        left, equals, right = text.partition("=")
        if equals and (
            (_names_datum(left, source) and _names_datum(right, target))
            or (_names_datum(left, target) and _names_datum(right, source))
        ):
            return text
    return None


def _geodetic_name(crs: CRS) -> str:
    name = crs.geodetic_crs.name if crs.geodetic_crs is not None else crs.name
    return _SHORT.get(name, name)


def _names_datum(text: str, crs: CRS) -> bool:
    """Say whether `text` (a name or EPSG code of a CRS or datum) means the datum of `crs`."""
    datum = crs.datum.name if crs.datum is not None else ""
    if _plain(text) in {_plain(datum), _plain(_geodetic_name(crs))}:
        return True
    try:
        named = CRS.from_user_input(text.strip())
    except ProjCrsError:
        return False
    return named.datum is not None and named.datum.name == datum


def _plain(name: str) -> str:
    return "".join(c for c in name.lower().removesuffix(" ensemble") if c.isalnum())
