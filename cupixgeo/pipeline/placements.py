"""Placements of files, read from a JSON file beside them.

The file maps inputs to where they belong::

    {"scan-1.laz": {"matrix": [16 numbers, row-major], "source": null, "target": "EPSG:4978"}}

A key is an input's path as it was given, or its file name. ``source`` is the frame the file's
coordinates are in (null: what the file itself states, or its own local frame), ``target`` where
the matrix takes them. Knows the grammar and its mistakes. Must not know how a merge is done.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from cupixgeo.cloud.source import Source
from cupixgeo.errors import CrsError, MergeError, TransformError
from cupixgeo.formats.opening import is_address
from cupixgeo.formats.registry import open_reader
from cupixgeo.geodesy.crs import as_crs
from cupixgeo.geodesy.transform import Transform
from cupixgeo.net.secret import redact

_KEYS = frozenset({"matrix", "source", "target"})


def read_placements(
    path: str | os.PathLike[str], inputs: Sequence[str | os.PathLike[str]]
) -> list[Source]:
    """Join inputs with their placements.

    Parameters
    ----------
    path : path
        The JSON file.
    inputs : sequence of path
        Files to merge, or their addresses, in order. Those the file does not name get no placement.

    Returns
    -------
    list of Source
        One an input, in order.

    Raises
    ------
    MergeError
        The JSON file cannot be read, is not of the grammar above, or places something that is
        not an input.
    CloudError
        An input cannot be read.
    """
    where = Path(path)
    names = [os.fspath(value) for value in inputs]
    placements: dict[int, Transform] = {}
    for key, value in _read(where).items():
        number = _input_named(key, names, where)
        if number in placements:
            twice = redact(names[number])
            raise MergeError(f"{where} places {twice} twice. Keep one of the two entries.")
        placements[number] = _placement(value, names[number], f"{where}, {redact(key)!r}")
    return [Source(_whole(name), transform=placements.get(i)) for i, name in enumerate(names)]


def _read(where: Path) -> Mapping[str, Any]:
    try:
        content = json.loads(where.read_bytes(), object_pairs_hook=_no_repeats)
    except OSError as error:
        raise MergeError(f"the placements {where} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise MergeError(f"the placements {where} are not JSON: {error}.") from error
    if not isinstance(content, dict):
        raise MergeError(
            f"the placements {where} hold a {type(content).__name__}; they have to be an object "
            'with one entry a file: {"scan.laz": {"matrix": [...], "target": "EPSG:4978"}}.'
        )
    return content


def _no_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        names = [name for name, _ in pairs]
        repeated = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {repeated!r} stands there twice")
    return content


def _input_named(key: str, names: Sequence[str], where: Path) -> int:
    """Find the input that is called so: by all of its path or address, or by its name."""
    wanted = _whole(key)
    found = [i for i, name in enumerate(names) if _whole(name) == wanted]
    found = found or [i for i, name in enumerate(names) if Source(name).label == key]
    if len(found) == 1:
        return found[0]
    if found:
        both = " and ".join(redact(names[i]) for i in found[:2])
        raise MergeError(
            f"{where}: {redact(key)!r} could be {both}. Give the whole path, as on the command "
            "line."
        )
    known = dict.fromkeys(n for name in names for n in (Source(name).label, redact(name)))
    near = get_close_matches(key, known, n=1, cutoff=0.0)
    hint = f" The nearest input is {near[0]!r}." if near else ""
    raise MergeError(f"{where} places {redact(key)!r}, which is not among the inputs.{hint}")


def _whole(name: str) -> str | Path:
    """Path or address, so that two spellings of a path are one."""
    return name if is_address(name) else Path(name)


def _placement(value: Any, name: str, what: str) -> Transform:
    """Check one entry and make the transform."""
    if not isinstance(value, dict):
        raise MergeError(
            f"{what}: an entry is an object with a matrix and a target, not {value!r}."
        )
    unknown = sorted(set(value) - _KEYS)
    if unknown:
        near = get_close_matches(unknown[0], _KEYS, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise MergeError(f"{what}: {unknown[0]!r} is not a key of a placement.{hint}")
    for key in ("matrix", "target"):
        if value.get(key) is None:
            raise MergeError(f"{what}: the {key} is missing.")
    matrix = value["matrix"]
    if not isinstance(matrix, list) or len(matrix) != 16 or not all(map(_is_number, matrix)):
        count = f"{len(matrix)} values" if isinstance(matrix, list) else repr(matrix)
        raise MergeError(f"{what}: the matrix has to be 16 numbers, row by row; it is {count}.")
    try:
        source = value.get("source")
        if source is None:
            with open_reader(name) as reader:
                source = reader.info.crs
        target = as_crs(value["target"])
        return Transform.from_row_major(matrix, source=as_crs(source), target=target)
    except (CrsError, TransformError) as error:
        raise MergeError(f"{what}: {error}") from error


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
