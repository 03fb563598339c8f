"""Which files are photos, and in which order: what a folder, a glob or a list of paths names.

Knows file names only. Must not open a file.
"""

from __future__ import annotations

import glob
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from cupixgeo.errors import ArgumentError

PathLike: TypeAlias = str | os.PathLike[str]
PhotosLike: TypeAlias = PathLike | Iterable[PathLike]
"""A folder, a glob (``"flight/*.JPG"``), a file, or any number of these."""

PHOTO_SUFFIXES = frozenset({".jpg", ".jpeg", ".tif", ".tiff", ".png", ".webp"})

_DIGITS = re.compile(r"([0-9]+)")


@dataclass(frozen=True)
class Listing:
    """The photos that were named.

    Parameters
    ----------
    paths : tuple of pathlib.Path
        In natural order (``DJI_9`` before ``DJI_10``), each once.
    ignored : mapping of str to int
        How many other files there were, by the end of their names.
    unread : tuple of str
        Folders that could not be listed.
    """

    paths: tuple[Path, ...]
    ignored: Mapping[str, int] = field(default_factory=dict)
    unread: tuple[str, ...] = ()


def find_photos(photos: PhotosLike, *, recursive: bool = True) -> Listing:
    """List the photos in a folder, a glob or a list of paths.

    Parameters
    ----------
    photos : path, or iterable of paths
        A folder, a glob, a file, or any number of these. ``**`` in a glob means any folders.
    recursive : bool
        Whether folders within a folder count; links to folders are not followed.

    Returns
    -------
    Listing
        Hidden files (also macOS's ``._*`` beside each photo) are ignored, and counted.

    Raises
    ------
    ArgumentError
        A folder or file that was named alone does not exist, or `photos` is no path at all.
    """
    found: list[Path] = []
    unread: list[str] = []
    if isinstance(photos, str | os.PathLike):
        path = Path(photos).expanduser()
        if not path.exists() and not glob.has_magic(str(path)):
            raise ArgumentError(
                f"{path} does not exist. Give a folder of photos, a glob such as 'flight/*.JPG', "
                "or a list of files."
            )
        photos = [path]
    for path in _checked(photos):
        if path.is_dir():
            found += _walk(path, recursive, unread)
        elif glob.has_magic(str(path)) and not path.exists():
            hits = (Path(hit) for hit in glob.iglob(str(path), recursive=True, include_hidden=True))
            found += (hit for hit in hits if not hit.is_dir())
        else:
            found.append(path)
    unique = {os.path.abspath(path): path for path in reversed(found)}
    ignored = Counter(_kind(path) for path in unique.values() if not _is_photo(path))
    chosen = sorted(filter(_is_photo, unique.values()), key=natural_key)
    return Listing(tuple(chosen), dict(sorted(ignored.items())), tuple(unread))


def _checked(photos: Any) -> Iterator[Path]:
    """Yield paths, refusing what is none (a number, bytes, a table)."""
    try:
        for entry in photos:
            yield Path(entry).expanduser()
    except TypeError as error:
        raise ArgumentError(
            f"a {type(photos).__name__} does not name photos ({error}). Give a folder, a glob or "
            "a list of files."
        ) from error


def _walk(folder: Path, recursive: bool, unread: list[str]) -> list[Path]:
    found: list[Path] = []
    errors: list[OSError] = []
    for root, folders, names in os.walk(folder, onerror=errors.append):
        folders[:] = sorted(f for f in folders if not f.startswith(".")) if recursive else []
        found += (Path(root, name) for name in names)
    unread += (str(error.filename) for error in errors)
    return found


def _is_photo(path: Path) -> bool:
    return path.suffix.lower() in PHOTO_SUFFIXES and not path.name.startswith(".")


def _kind(path: Path) -> str:
    return "hidden" if path.name.startswith(".") else path.suffix.lower() or "no suffix"


def natural_key(path: Path) -> tuple[tuple[str | int, ...], ...]:
    """Key that sorts numbers in names by value: ``DJI_9`` before ``DJI_10``."""
    return tuple(
        tuple(
            int(piece) if place % 2 else piece
            for place, piece in enumerate(_DIGITS.split(part.casefold()))
        )
        for part in path.parts
    )
