"""What a map says of itself: the Python that makes it again, and a text of what is shown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pyproj import CRS

from cupixgeo.geodesy.crs import crs_label
from cupixgeo.widgets.aoi import Aoi
from cupixgeo.widgets.map_companion import MapCompanion
from cupixgeo.widgets.map_gcps import ControlPoints
from cupixgeo.widgets.map_rows import Labels
from cupixgeo.widgets.map_stock import Stock
from cupixgeo.widgets.map_things import own_name
from cupixgeo.widgets.repeat import Name, call, written
from cupixgeo.widgets.view import name_of


def write_code(
    stock: Stock,
    companion: MapCompanion,
    points: ControlPoints,
    *,
    rows: tuple[str, Labels],
    aoi: Aoi | None,
) -> str:
    """Write the Python that makes a map again, with what was clicked.

    Parameters
    ----------
    stock : Stock
        What is on the map.
    companion : MapCompanion
        What is switched on and off.
    points : ControlPoints
        With those that were moved.
    rows : tuple of (str, tuple of labels)
        Name of a table, and its selected rows.
    aoi : Aoi or None
        The area of interest.
    """
    options: dict[str, Any] = {}
    if stock.crs is not None:
        options["crs"] = Name(crs_word(stock.crs))
    if points.given is not None:
        options["gcps"] = Name(name_of(points.given, "gcps"))
    if companion.base["value"]:
        options["basemap"] = companion.base["value"]
    lines = made(stock.things, options)
    off, off_at_first = set(companion.hidden), stock.hidden()
    lines += [call("m.hide", name) for name in sorted(off - off_at_first)]
    lines += [call("m.show", name) for name in sorted(off_at_first - off)]
    if companion.swipe:
        lines.append(call("m.swipe", *(companion.swipe[side] for side in ("left", "right"))))
    table, labels = rows
    if labels:
        lines.append(call("m.select", Name(repr(list(labels))), table))
    if aoi is not None:
        lines.append(f"m.aoi = {aoi.code()}")
    lines += [
        call("m.move_gcp", Name(repr(label)), round(x, 4), round(y, 4))
        for label, (x, y) in points.moved.items()
    ]
    return "\n".join([*lines, "m"])


def describe(
    stock: Stock, companion: MapCompanion, points: ControlPoints, *, rows: tuple[str, Labels]
) -> str:
    """Say what a map shows, in a few lines; parameters as of `write_code`."""
    shown = [name for name in stock.layers if name not in companion.hidden]
    lines = [f"Map of {', '.join(shown) or 'nothing yet'}."]
    if stock.crs is not None:
        lines.append(f"Project in {crs_label(stock.crs)}.")
    table, labels = rows
    if labels:
        lines.append(f"{len(labels):,} of {table} selected.")
    if points.labels:
        lines.append(f"Control points: {', '.join(points.labels)}.")
    return "\n".join(lines)


def made(things: Mapping[str, Any], options: Mapping[str, Any]) -> list[str]:
    """Write the call, with a comment on what has no name in the notebook.

    Parameters
    ----------
    things : mapping of str to object
        What the map was given, by its names in the legend.
    options : mapping of str to object
        Its keywords.

    Returns
    -------
    list of str
        Lines of Python.
    """
    words = {name: _word(name, thing) for name, thing in things.items()}
    unknown = [word for name, word in words.items() if _is_unnamed(things[name])]
    arguments = [
        Name(word if name == own_name(things[name]) else f"{{{written(name)}: {word}}}")
        for name, word in words.items()
    ]
    lines = ["import cupixgeo as cx", ""]
    lines += [f"# {word}: as it was given to this map" for word in unknown]
    return [*lines, f"m = {call('cx.widgets.Map', *arguments, **options)}"]


def crs_word(crs: CRS) -> str:
    """Write a CRS as an argument: its code where it has one."""
    code = crs.to_epsg()
    return str(code) if code is not None else written(crs.to_string())


def _word(name: str, thing: Any) -> str:
    if _is_path(thing):
        return written(str(thing))
    if isinstance(thing, list):
        return name_of(thing, "sources")
    plain = "".join(c if c.isalnum() else "_" for c in name.partition(".")[0]) or "thing"
    return name_of(thing, plain if plain.isidentifier() else f"thing_{plain}")


def _is_unnamed(thing: Any) -> bool:
    return not _is_path(thing) and not name_of(thing, "")


def _is_path(thing: Any) -> bool:
    return isinstance(thing, str) or hasattr(thing, "__fspath__")
