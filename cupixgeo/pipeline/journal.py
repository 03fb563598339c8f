"""A merge that can be interrupted: what is finished is kept beside the output, with a journal.

The unfinished file is ``.NAME.unfinished``, the journal ``.NAME.unfinished.json``: after every
source, but not more often than every few seconds, it notes how far the file is and what was
counted. A merge called again with the same arguments goes on behind the last source noted. It does
so only if everything that decides about the output is the same, and the sources noted have not
changed; otherwise it begins anew. One process at a time works on an output.

Must not know how points are moved.
"""

from __future__ import annotations

import base64
import json
import os
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from cupixgeo.atomic import atomic_output, check_output, output_error
from cupixgeo.errors import MergeError, OutputError
from cupixgeo.formats.las.writer import ChunkPlan, LasWriter, WriterState
from cupixgeo.pipeline.inputs import PlannedInput
from cupixgeo.pipeline.plan import MergePlan
from cupixgeo.pipeline.stream import StreamSettings, Tally
from cupixgeo.version import __version__

NOTE_EVERY_S = 10.0
"""[s] least time between two notes: each waits for the disk."""


@dataclass(frozen=True)
class Interrupted:
    """Where an interrupted merge can go on.

    Parameters
    ----------
    tallies : tuple of Tally
        Of the sources that are finished, in order.
    writer : WriterState
        The unfinished file behind them.
    """

    tallies: tuple[Tally, ...]
    writer: WriterState


class MergeJournal:
    """The notes of one merge.

    Parameters
    ----------
    unfinished : Path
        The unfinished file; the journal stands beside it.
    """

    def __init__(self, unfinished: Path) -> None:
        self._path = journal_of(unfinished)
        self._unfinished = unfinished
        self._noted_at = time.monotonic()
        self._plan: dict[str, Any] = {}
        self.notes: tuple[str, ...] = ()

    def begin(
        self, plan: MergePlan, settings: StreamSettings, chunks: ChunkPlan | None
    ) -> Interrupted | None:
        """Say what the merge is; find where an earlier run of it stopped.

        Parameters
        ----------
        plan : MergePlan
            What will be done.
        settings : StreamSettings
            How.
        chunks : ChunkPlan or None
            How the output is cut.
        """
        everything = {
            "whole": _whole(plan, settings, chunks),
            "sources": [_source(planned) for planned in plan.inputs],
        }
        self._plan = json.loads(json.dumps(everything))
        found = self._read()
        if found is None:
            self._path.unlink(missing_ok=True)
        else:
            count = len(found.tallies)
            self.notes = (
                f"an interrupted merge was gone on with: {count} of {len(plan.inputs)} sources "
                "were finished before",
            )
        return found

    def finished(self, tallies: Sequence[Tally], writer: LasWriter) -> None:
        """Note that so many sources are in the file, if the last note is old enough.

        Raises
        ------
        OutputError
            It cannot be written.
        """
        if time.monotonic() - self._noted_at < NOTE_EVERY_S:
            return
        state = asdict(writer.state())
        state["rest"] = base64.b64encode(state["rest"]).decode("ascii")
        note = {"plan": self._plan, "tallies": [_plain(t) for t in tallies], "writer": state}
        with atomic_output(self._path) as partial:
            partial.write_text(json.dumps(note), encoding="utf-8")
        self._noted_at = time.monotonic()

    def _read(self) -> Interrupted | None:
        """Read the last note, if it is of this merge and can be gone on from."""
        try:
            note = json.loads(self._path.read_text(encoding="utf-8"))
            size = self._unfinished.stat().st_size
        except (OSError, ValueError):
            return None
        done = len(note["tallies"])
        same = note["plan"]["whole"] == self._plan["whole"]
        if not same or note["plan"]["sources"][:done] != self._plan["sources"][:done]:
            return None
        values = note["writer"]
        state = WriterState(
            position=values["position"],
            chunks=tuple((points, length) for points, length in values["chunks"]),
            returns=tuple(values["returns"]),
            low=tuple(values["low"]),
            high=tuple(values["high"]),
            rest=base64.b64decode(values["rest"]),
            created=values["created"],
        )
        if size < state.position or done > len(self._plan["sources"]):
            return None
        return Interrupted(tuple(map(_tally, note["tallies"])), state)


@contextmanager
def resumable_output(to: str | os.PathLike[str]) -> Iterator[tuple[Path, MergeJournal]]:
    """Yield the unfinished file of an output and its journal; rename it when the block ends well.

    When it does not, both stay, if there is anything to go on from.

    Raises
    ------
    OutputError
        The folder is missing, the file cannot be written, or another process is at work on it;
        `DiskFullError` where no room is left.
    """
    final = Path(to)
    check_output(final)
    unfinished = unfinished_of(final)
    try:
        with _held(unfinished, final):
            try:
                yield unfinished, MergeJournal(unfinished)
            except BaseException as error:
                if isinstance(error, MergeError) or not journal_of(unfinished).exists():
                    forget_unfinished(final)
                raise
            with unfinished.open("rb+") as file:
                os.fsync(file.fileno())
        os.replace(unfinished, final)
        journal_of(unfinished).unlink(missing_ok=True)
    except OSError as error:
        if isinstance(error, OutputError):
            raise
        raise output_error(error, final) from error


def forget_unfinished(to: Path) -> None:
    """Remove what an interrupted merge to an output has left."""
    unfinished = unfinished_of(to)
    journal_of(unfinished).unlink(missing_ok=True)
    unfinished.unlink(missing_ok=True)


def unfinished_of(to: Path) -> Path:
    """Name of the unfinished file of an output."""
    return to.with_name(f".{to.name}.unfinished")


def journal_of(unfinished: Path) -> Path:
    """Name of the journal of an unfinished file."""
    return unfinished.with_name(f"{unfinished.name}.json")


@contextmanager
def _held(unfinished: Path, final: Path) -> Iterator[None]:
    """Keep other processes off the unfinished file, until this one ends, however it ends."""
    try:
        import fcntl
    except ImportError:  # Windows: there a file that is open cannot be replaced anyway
        yield
        return
    with unfinished.open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise OutputError(
                f"cannot write {final}: another process is merging into it. Wait for it, or choose "
                "another output."
            ) from error
        yield


def _whole(plan: MergePlan, settings: StreamSettings, chunks: ChunkPlan | None) -> dict[str, Any]:
    """Everything that decides about the output but the sources."""
    selection: dict[str, Any] = {}
    if plan.selection is not None:
        area = plan.selection.area
        polygons = () if area is None else area.polygons
        rings = [[np.asarray(ring).tolist() for ring in polygon] for polygon in polygons]
        selection = plan.selection.to_dict() | {"polygons": rings}
    return {
        "software": [__version__, version("lazrs"), version("pyproj")],
        "output": [plan.format, plan.crs.to_wkt(), plan.grid.scales, plan.grid.offsets],
        "layout": [plan.layout.layout.point_format, repr(plan.layout.layout.extra)],
        "chunks": repr(chunks),
        "settings": [settings.tolerance_m, settings.source_ids, settings.block_points],
        "selection": selection,
    }


def _source(planned: PlannedInput) -> dict[str, Any]:
    """Everything a source adds to the output, and what tells whether it has changed."""
    return {
        "path": planned.place,
        "stamp": asdict(planned.stamp),
        "crs": planned.info.crs.to_wkt(),
        "operation": planned.chain.to_dict(),
    }


def _plain(tally: Tally) -> dict[str, Any]:
    return vars(tally) | {"low": tally.low.tolist(), "high": tally.high.tolist()}


def _tally(values: dict[str, Any]) -> Tally:
    arrays = {name: np.array(values[name], np.float64) for name in ("low", "high")}
    return Tally(**values | arrays | {"removed": Counter(values["removed"])})
