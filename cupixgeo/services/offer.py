"""What a service lets its user choose: products, arguments of ``account.plan``, CRS, area.

Knows arguments as data, and how to read them off a dataclass with a numpydoc docstring. So a form,
a table or a command line can be made of any service's without knowing it. Checks nothing: values
are checked by `JobDriver.parameters`, in one place.
"""

from __future__ import annotations

import inspect
import re
import types
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, fields, is_dataclass
from enum import Enum
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

Kind = Literal["bool", "int", "number", "text", "texts", "file", "files", "object"]
"""Type of a value; ``"texts"`` and ``"files"`` are lists, ``"object"`` is JSON."""

_ENTRY = re.compile(r"^(?P<names>\w[\w, ]*?) : (?P<type>.+)$")
_CHOICES = re.compile(r"^\{(?P<choices>.+)\}")
_UNIT = re.compile(r"\[(?P<unit>[^\]\d][^\]]*)\]")
_KINDS: Mapping[type, Kind] = {
    bool: "bool", int: "int", float: "number", str: "text", Path: "file", dict: "object"
}  # fmt: skip


@dataclass(frozen=True)
class Argument:
    """One argument of ``account.plan``, or one entry of an argument that is a dict.

    Parameters
    ----------
    name : str
        As in the call.
    kind : Kind
        Type of the value.
    meaning : str
        What it does.
    default : object
        What holds where nothing is said; None where the service decides.
    choices : tuple
        Values it may have; empty for any.
    labels : tuple of str
        What people call the choices; empty, or as many.
    low, high : float or None
        Range, ends included.
    unit : str
        Unit of numbers.
    group : str
        The argument whose dict it is an entry of; empty where it is an argument itself.
    needs : str
        Entry of the same group without which it does nothing.
    """

    name: str
    kind: Kind
    meaning: str = ""
    default: Any = None
    choices: tuple[Any, ...] = ()
    labels: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None
    unit: str = ""
    group: str = ""
    needs: str = ""


@dataclass(frozen=True)
class Group:
    """Arguments that belong together, in one dict.

    Parameters
    ----------
    name : str
        The argument that takes the dict: ``"parameter_3d"``.
    title : str
        What people call it.
    """

    name: str
    title: str


@dataclass(frozen=True)
class Offer:
    """What can be chosen at a service, for the products that are wanted.

    Parameters
    ----------
    products : tuple of str
        All there are.
    usual_products : tuple of str
        What is made where none is named.
    arguments : tuple of Argument
        Those that matter for the products asked about, in the order people want them.
    groups : tuple of Group
        Those the arguments belong to.
    takes_crs : bool
        Whether results come in a CRS of the user's choice.
    area : str
        The argument that takes a GeoJSON polygon (longitude, latitude); empty where there is none.
    takes_others : bool
        Whether arguments that are not listed are passed on.
    """

    products: tuple[str, ...] = ()
    usual_products: tuple[str, ...] = ()
    arguments: tuple[Argument, ...] = ()
    groups: tuple[Group, ...] = ()
    takes_crs: bool = False
    area: str = ""
    takes_others: bool = False


def arguments_of(cls: type, *, leave: Sequence[str] = ()) -> tuple[Argument, ...]:
    """Read arguments off a dataclass: names, types, defaults, choices, meanings.

    Choices come from an `~enum.Enum`, a ``Literal`` or ``{"a", "b"}`` in the docstring; meaning and
    unit (``[m]``) from the docstring's *Parameters*; ``low``, ``high``, ``unit``, ``labels`` and
    ``needs`` from a field's metadata.

    Parameters
    ----------
    cls : type
        A dataclass.
    leave : sequence of str
        Fields that are no business of the user's.

    Returns
    -------
    tuple of Argument
        One a field, in their order.

    Examples
    --------
    >>> @dataclass
    ... class Wishes:
    ...     '''Wishes.
    ...
    ...     Parameters
    ...     ----------
    ...     detail : {"high", "low"}
    ...         How fine the mesh is.
    ...     '''
    ...
    ...     detail: str = "high"
    >>> arguments_of(Wishes)[0].choices
    ('high', 'low')
    """
    if not is_dataclass(cls):
        raise TypeError(f"{cls.__name__} is no dataclass: its arguments cannot be read off it")
    hints, entries = get_type_hints(cls), _entries(inspect.getdoc(cls) or "")
    found = []
    for field in fields(cls):
        if field.name in leave or not field.init:
            continue
        kind, choices = _kind(hints[field.name])
        said, meaning = entries.get(field.name, ("", ""))
        choices = choices or _choices(said)
        default = None if field.default is MISSING else field.default
        default = default.value if isinstance(default, Enum) else default
        known: dict[str, Any] = dict(field.metadata)
        unit = _UNIT.search(f"{said} {meaning}")
        found.append(
            Argument(
                field.name,
                kind,
                meaning,
                None if default in ("", ()) else default,
                choices,
                tuple(known.get("labels", ())),
                known.get("low"),
                known.get("high"),
                str(known.get("unit", unit["unit"] if unit else "")),
                needs=known.get("needs", ""),
            )
        )
    return tuple(found)


def _kind(hint: Any) -> tuple[Kind, tuple[Any, ...]]:
    """Give the type of a value and its choices, from an annotation."""
    origin, parts = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return _kind(next(part for part in parts if part is not type(None)))
    if origin is Literal:
        return _KINDS.get(type(parts[0]), "text"), parts
    if origin in (tuple, list, Sequence):
        return ("files" if Path in parts else "texts"), ()
    if origin in (dict, Mapping):
        return "object", ()
    if isinstance(hint, type) and issubclass(hint, Enum):
        values = tuple(member.value for member in hint)
        return _KINDS.get(type(values[0]), "text"), values
    return _KINDS.get(hint, "text"), ()


def _choices(said: str) -> tuple[Any, ...]:
    """Read ``{"a", "b"}`` or ``{1, 2}``."""
    match = _CHOICES.match(said)
    if match is None:
        return ()
    words = [word.strip() for word in match["choices"].split(",")]
    if all(word[:1] in "\"'" for word in words):
        return tuple(word.strip("\"'") for word in words)
    return tuple(int(word) for word in words) if all(w.isdecimal() for w in words) else ()


def _entries(docstring: str) -> dict[str, tuple[str, str]]:
    """Read type and meaning of each parameter of a numpydoc docstring."""
    found: dict[str, tuple[str, list[str]]] = {}
    names: tuple[str, ...] = ()
    inside = False
    lines = docstring.splitlines()
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        if following and set(following.strip()) == {"-"} and not line.startswith(" "):
            inside, names = line.strip() == "Parameters", ()
        match = _ENTRY.match(line) if inside else None
        if match:
            names = tuple(name.strip() for name in match["names"].split(","))
            meaning: list[str] = []
            found |= dict.fromkeys(names, (match["type"], meaning))
        elif names and line.startswith(" ") and line.strip():
            found[names[0]][1].append(line.strip())
    return {
        name: (said, " ".join(meaning).replace("``", "")) for name, (said, meaning) in found.items()
    }
