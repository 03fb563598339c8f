"""Choosing a CRS by its name or EPSG code.

Knows the names of PROJ's database and in which area each CRS is used. Must not know what the CRS
is for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import ipywidgets as w
from pyproj.aoi import AreaOfUse
from pyproj.database import query_crs_info
from pyproj.enums import PJType

from cupixgeo.errors import CrsError
from cupixgeo.geodesy.crs import as_crs, crs_label, suggest_utm
from cupixgeo.widgets.form_field import Noted

MOST = 12
"""Suggestions shown at a time."""

_TYPES = (PJType.PROJECTED_CRS, PJType.COMPOUND_CRS, PJType.GEOGRAPHIC_2D_CRS)


@dataclass(frozen=True)
class Entry:
    """One CRS of the database.

    Parameters
    ----------
    code : int
        EPSG code.
    name : str
        Name.
    west, south, east, north : float
        [deg] area of use; west is more than east where it crosses the 180° meridian.
    place : str
        Name of that area.
    """

    code: int
    name: str
    west: float
    south: float
    east: float
    north: float
    place: str

    def covers(self, lon_deg: float, lat_deg: float) -> bool:
        """Whether it is used at a place [deg]."""
        if not self.south <= lat_deg <= self.north:
            return False
        if self.west <= self.east:
            return self.west <= lon_deg <= self.east
        return lon_deg >= self.west or lon_deg <= self.east


@lru_cache(maxsize=1)
def entries() -> tuple[Entry, ...]:
    """List the CRSs of EPSG that are not deprecated."""
    found = []
    for info in query_crs_info(auth_name="EPSG", pj_types=list(_TYPES), allow_deprecated=False):
        area: AreaOfUse | None = info.area_of_use
        if area is not None:
            box = (area.west, area.south, area.east, area.north)
            found.append(Entry(int(info.code), info.name, *box, area.name or ""))
    return tuple(found)


def search(
    words: str, *, place: tuple[float, float] | None = None, most: int = MOST
) -> list[Entry]:
    """Find CRSs by code or by words of their name or area.

    Parameters
    ----------
    words : str
        ``"32615"``, ``"utm 15"``, ``"minnesota"``.
    place : tuple of 2 float or None
        Longitude and latitude [deg]: CRSs that are used there come first.
    most : int
        Entries to give.
    """
    asked = words.lower().replace("epsg:", " ").split()
    if not asked:
        return []

    def rank(entry: Entry) -> tuple[bool, bool, bool, bool, float, int]:
        name = f" {entry.name.lower()}"
        in_name = all(f" {word}" in name for word in asked)
        is_far = place is not None and not entry.covers(*place)
        is_photos_own = entry.name.startswith("WGS 84")
        width = entry.east - entry.west + (360.0 if entry.west > entry.east else 0.0)
        extent = width * (entry.north - entry.south)
        is_other = str(entry.code) != asked[0]
        return is_other, is_far, not in_name, not is_photos_own, extent, entry.code

    fitting = [
        entry
        for entry in entries()
        if all(
            word in entry.name.lower() or word in entry.place.lower() or word in str(entry.code)
            for word in asked
        )
    ]
    return sorted(fitting, key=rank)[:most]


class CrsPicker(Noted):
    """A box to type a name or a code into, with suggestions below it.

    Parameters
    ----------
    label : str
        What it is for: ``"Output CRS"``.
    none : str
        What an empty box means: ``"the service decides"``.
    on_change : callable
        Called without arguments when another CRS is chosen.
    """

    def __init__(self, label: str, *, none: str, on_change: Callable[[], None]) -> None:
        self._none, self._on_change = none, on_change
        self._value: str | None = None
        self._place: tuple[float, float] | None = None
        self._is_setting = self._is_listing = False
        self._suggested = ""
        self._box = w.Text(
            description=label,
            placeholder=f"name or EPSG code; empty: {none}",
            tooltip="A name or a code of a CRS, for example: 32615, UTM 15N, EPSG:32615+5773",
            layout=w.Layout(width="100%"),
            style={"description_width": "12.5em"},
        )
        self._box.add_class("cx-crs-box")
        self._list = w.Select(
            options=(),
            description="Suggestions",
            tooltip="Coordinate reference systems that fit what was typed",
            rows=5,
            layout=w.Layout(width="100%", display="none"),
            style={"description_width": "12.5em"},
        )
        self._list.add_class("cx-crs-list")
        super().__init__([self._box, self._list], self._told())
        self.add_class("cx-crs")
        self._box.observe(lambda change: self._typed(), "value")
        self._list.observe(lambda change: self._picked(), "value")

    @property
    def value(self) -> str | None:
        """The CRS as ``"EPSG:32615"``; None where none is chosen, or what stands there is none."""
        return self._value

    @value.setter
    def value(self, crs: str | int | None) -> None:
        text = "" if crs is None else str(crs)
        self._box.value = f"EPSG:{text}" if text.isdecimal() else text

    @property
    def text(self) -> str:
        """What stands in the box."""
        return str(self._box.value).strip()

    @property
    def suggestions(self) -> list[str]:
        """The CRSs that are suggested now."""
        return [value for _, value in self._list.options]

    def suggest(self, lon_deg: float, lat_deg: float) -> None:
        """Prefer what is used at a place [deg]; preselect its UTM zone unless somebody chose."""
        self._place = (lon_deg, lat_deg)
        if self.text in ("", self._suggested):
            self._suggested = f"EPSG:{suggest_utm(lon_deg, lat_deg).to_epsg()}"
            self.value = self._suggested

    def _told(self) -> str:
        return crs_label(self._value) if self._value else f"None chosen: {self._none}."

    def _typed(self) -> None:
        before, text = self._value, self.text
        found = search(text, place=self._place)
        fault = ""
        try:
            self._value = _read(text) if text else None
        except CrsError:
            self._value = None
            fault = (
                "Choose one of the suggestions."
                if found
                else f"No CRS is called {text[:60]!r}: try a code (32615) or words of its name "
                "(UTM 15N)."
            )
        if not self._is_setting:  # arrow keys go on through the list after the first choice
            self._list_them([] if self._value is not None and _is_code(text) else found)
        self.help, self.fault = self._told(), fault
        if self._value != before or fault:
            self._on_change()

    def _list_them(self, found: list[Entry]) -> None:
        self._is_listing = True  # a new list selects its first entry by itself
        self._list.options = [
            (f"EPSG:{entry.code}  {entry.name}  ({entry.place})", f"EPSG:{entry.code}")
            for entry in found
        ]
        self._list.value = None
        self._is_listing = False
        self._list.layout.display = None if found else "none"

    def _picked(self) -> None:
        if self._list.value and not self._is_listing:
            self._is_setting = True
            self._box.value = self._list.value
            self._is_setting = False


def _is_code(text: str) -> bool:
    """Whether it is ``32615``, ``EPSG:32615`` or ``32615+5773``, and no word of a name."""
    return text.upper().removeprefix("EPSG:").replace("+", "").isdecimal()


def _read(text: str) -> str:
    """Read a code, a name or a definition; as EPSG code where it has one.

    Raises
    ------
    CrsError
        If it is no CRS.
    """
    plain = f"EPSG:{text.upper().removeprefix('EPSG:')}" if _is_code(text) else text
    crs = as_crs(plain)
    code = None if _is_code(text) else crs.to_epsg(min_confidence=100)
    return plain if code is None else f"EPSG:{code}"
