"""The place tiles are made in: whose it is, what is finished, what was left lying about.

A tile gets its name when it is whole, then a note beside the others; what has a note is not made
again. So a merge that was stopped, however, goes on where it was when it is called again. Must not
know points.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt

from cupixgeo.errors import MergeError
from cupixgeo.pipeline.tiles.report import TiledReport, TileReport
from cupixgeo.pipeline.tiles.store import Store

PLAN, REPORT, CATALOGUE = "plan.json", "report.json", "index.vpc"
NOTES = ".unfinished"
"""Folder of the notes on what is done; gone when all is."""

TILE_START, TILE_END = "tile_", ".copc.laz"

Arrays = Mapping[str, npt.NDArray[Any]]


def tile_name(column: int, row: int) -> str:
    """Name of a tile's file."""
    return f"{TILE_START}{column}_{row}{TILE_END}"


class TileFolder:
    """A place for the tiles of one merge.

    Parameters
    ----------
    store : Store
        The place.
    """

    def __init__(self, store: Store) -> None:
        self.store = store

    def claim(self, plan: Mapping[str, Any]) -> None:
        """Take the place for a plan: a new or empty one, or the plan's own.

        Parameters
        ----------
        plan : mapping
            Everything that decides what the tiles are, as JSON can hold it.

        Raises
        ------
        MergeError
            It holds something else; the message says what differs.
        OutputError
            It cannot be written.
        """
        self.store.prepare()
        wanted = json.loads(json.dumps(plan))
        found = self._earlier_plan()
        names = self.store.sizes()
        if found == wanted:
            return
        if found is None and names:
            raise MergeError(
                f"{self.store.address} is not empty, and not of an earlier call of this merge: it "
                f"has no {PLAN}. Give a new folder."
            )
        if any(name.startswith(TILE_START) and name.endswith(TILE_END) for name in names):
            raise MergeError(
                f"{self.store.address} holds the tiles of another merge: "
                f"{_difference(found, wanted)}. Tiles of two merges must not mix: give another "
                "folder, or delete this one first."
            )
        for name in (NOTES, REPORT, CATALOGUE):
            self.store.remove(name)
        self.store.write(PLAN, _json(wanted))

    def _earlier_plan(self) -> Any:
        data = self.store.read(PLAN)
        try:
            return None if data is None else json.loads(data)
        except ValueError as error:
            raise MergeError(
                f"{PLAN} in {self.store.address} is damaged ({error}), so it cannot be told what "
                "the tiles beside it were made from. Give a new folder, or delete this one."
            ) from error

    def report(self) -> TiledReport | None:
        """Give the report of an earlier call that came to its end; None where none did."""
        data = self.store.read(REPORT)
        return None if data is None else TiledReport.from_dict(json.loads(data))

    def still_there(self, report: TiledReport) -> dict[str, TileReport]:
        """Give the tiles of an earlier call that are in their place, by name."""
        sizes = self.store.sizes()
        return {tile.name: tile for tile in report.tiles if sizes.get(tile.name) == tile.bytes}

    def is_whole(self, report: TiledReport) -> bool:
        """Whether everything a report speaks of is in its place."""
        catalogue = self.store.size(CATALOGUE) is not None
        return catalogue and len(self.still_there(report)) == len(report.tiles)

    def done(self, name: str) -> TileReport | None:
        """Give the note on a tile that is finished and in its place; else None."""
        data = self.store.read(f"{NOTES}/{name}.json")
        if data is None:
            return None
        tile = TileReport.from_dict(json.loads(data))
        there = self.store.size(name) == (tile.bytes if tile.points else None)
        return tile if there else None

    def note(self, tile: TileReport) -> None:
        """Remember that a tile is finished."""
        self.store.write(f"{NOTES}/{tile.name}.json", _json(asdict(tile)))

    def load(self, name: str) -> dict[str, npt.NDArray[Any]] | None:
        """Arrays kept under a name; None where there are none."""
        data = self.store.read(f"{NOTES}/{name}.npz")
        if data is None:
            return None
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            return dict(arrays)

    def keep(self, name: str, arrays: Arrays) -> None:
        """Keep arrays under a name until all is done."""
        data = io.BytesIO()
        np.savez(data, **arrays)  # type: ignore[arg-type]
        self.store.write(f"{NOTES}/{name}.npz", data.getvalue())

    def sweep(self) -> None:
        """Remove what processes that were killed have left."""
        for remains in self.store.remains(TILE_START):
            self.store.remove(remains)

    def close(self, report: TiledReport, catalogue: bytes) -> None:
        """Write what tells of all tiles, and drop the notes: everything is done."""
        self.store.write(CATALOGUE, catalogue)
        self.store.write(REPORT, _json(report.to_dict()))
        self.store.remove(NOTES)


def is_file_name(to: str) -> bool:
    """Whether a place is named like a cloud rather than like a folder of them."""
    return PurePosixPath(to).suffix.lower() in {".laz", ".las"}


def _json(value: Any) -> bytes:
    return (json.dumps(value, indent=1) + "\n").encode()


def _difference(found: Any, wanted: Any) -> str:
    """Say in words the first thing two plans do not share."""
    for name in [*wanted, *(n for n in found if n not in wanted)]:
        before, now = found.get(name), wanted.get(name)
        if before == now:
            continue
        if name != "sources":
            return f"{name} was {_short(before)}, now it is {_short(now)}"
        if len(before or ()) != len(now):
            return f"it had {len(before or ())} sources, now there are {len(now)}"
        for one, other in zip(before, now, strict=True):
            changed = [key for key in other if one.get(key) != other[key]]
            if changed:
                return f"of source {other['name']} the {changed[0].replace('_', ' ')} has changed"
    return "its plan is another"


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
