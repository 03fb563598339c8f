"""Open each photo of a set, measure it, and find the ones that are there twice.

Knows threads: Pillow, numpy and hashlib let others run while they work, so threads use all
processors. Nothing of a photo's pixels is kept. Must not know what is good or bad about a photo.
"""

from __future__ import annotations

import hashlib
import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from cupixgeo.errors import ArgumentError, PhotoError
from cupixgeo.photos.exif import quiet_pillow, read_head
from cupixgeo.photos.mrk import MrkTable, add_exposure, exposure_of
from cupixgeo.photos.quality import measure_pixels
from cupixgeo.photos.verdicts import Examined
from cupixgeo.progress import Progress, ProgressFn

MAX_WORKERS = 8
"""Threads unless asked otherwise: more only wait for the disk and for each other."""

_In = TypeVar("_In")
_Out = TypeVar("_Out")


def examine(
    paths: Sequence[Path],
    tables: Sequence[MrkTable],
    *,
    check_pixels: bool,
    workers: int | None,
    progress: ProgressFn | None,
) -> list[Examined]:
    """Open all photos, in threads.

    Parameters
    ----------
    paths : sequence of path
    tables : sequence of MrkTable
        Positions to add to the photos that are in them.
    check_pixels : bool
        Whether to decode them too.
    workers : int or None
        Threads; None is one for each processor, up to `MAX_WORKERS`.
    progress : callable or None
        Told after each file.

    Returns
    -------
    list of Examined
        In the order of `paths`.

    Raises
    ------
    ArgumentError
        `workers` is less than one.
    """
    if workers is None:
        workers = min(MAX_WORKERS, _processors())
    if workers < 1:
        raise ArgumentError(f"{workers} workers do no work: give at least one, or leave it out.")

    def one(path: Path) -> Examined:
        return _examine(path, tables, check_pixels=check_pixels)

    with quiet_pillow():
        found = _in_threads(one, paths, workers, progress, ("preflight", paths))
    return _mark_duplicates(found, workers, progress)


def _processors() -> int:
    """Return how many processors this process may use, which can be fewer than there are."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _in_threads(
    work: Callable[[_In], _Out],
    items: Sequence[_In],
    workers: int,
    progress: ProgressFn | None,
    named: tuple[str, Sequence[Path]],
) -> list[_Out]:
    """Map in threads and in order; whatever stops it leaves nothing running."""
    stage, names = named
    results: list[_Out] = []
    pool = ThreadPoolExecutor(workers, thread_name_prefix="cupixgeo-photos")
    try:
        for result in pool.map(work, items):
            results.append(result)
            if progress is not None:
                done = len(results)
                progress(Progress(stage, done, len(items), "files", names[done - 1].name))
    finally:
        pool.shutdown(cancel_futures=True)
    return results


def _examine(path: Path, tables: Sequence[MrkTable], *, check_pixels: bool) -> Examined:
    try:
        photo = read_head(path)
    except PhotoError as error:
        return Examined(path, error=str(error))
    exposure = exposure_of(photo, tables)
    if exposure is not None:
        photo = add_exposure(photo, exposure)
    if not check_pixels:
        return Examined(path, photo)
    try:
        return Examined(path, photo, measure_pixels(path))
    except PhotoError as error:
        return Examined(path, photo, error=str(error))


def _mark_duplicates(
    found: list[Examined], workers: int, progress: ProgressFn | None
) -> list[Examined]:
    """Mark files of the same bytes as an earlier one; only files of equal size are read."""
    by_size: dict[int, list[int]] = defaultdict(list)
    for place, one in enumerate(found):
        if one.photo is not None:
            by_size[one.photo.bytes].append(place)
    suspects = sorted(place for group in by_size.values() if len(group) > 1 for place in group)
    paths = [found[place].path for place in suspects]
    digests = _in_threads(_digest, paths, workers, progress, ("compare", paths))
    first: dict[bytes, Path] = {}
    marked = list(found)
    for place, digest in zip(suspects, digests, strict=True):
        if digest is None:
            continue
        original = first.setdefault(digest, found[place].path)
        if original is not found[place].path:
            marked[place] = replace(found[place], duplicate_of=original)
    return marked


def _digest(path: Path) -> bytes | None:
    """SHA-256 of a file, read in pieces; None where it can no longer be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").digest()
    except OSError:
        return None


def folders_of(paths: Iterable[Path]) -> list[Path]:
    """Return the folders that hold these files, each once, in order."""
    return list(dict.fromkeys(path.parent for path in paths))
