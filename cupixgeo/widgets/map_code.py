"""The call that makes a map again, written as a person would write it.

Must not know widgets.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pyproj import CRS

from cupixgeo.widgets.map_things import own_name
from cupixgeo.widgets.repeat import Name, call, written
from cupixgeo.widgets.view import name_of


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
