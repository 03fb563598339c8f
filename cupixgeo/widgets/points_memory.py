"""A point-cloud dataset as blocks, each an even sample of the whole.

Points are dealt out like cards: from each run of k neighbours one goes to each of the k blocks,
starting at a random one, so that no pattern of the scanner shows. Any number of blocks is then an
even sample of the cloud, in whatever order its points were stored. A cloud larger than what may be
shown is thinned the same way while it is read, once, block by block.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr
from pyproj import CRS

from cupixgeo.cloud.schema import FloatArray
from cupixgeo.errors import EmptyCloudError
from cupixgeo.pipeline.dataset_reader import DatasetReader
from cupixgeo.progress import Progress, ProgressFn
from cupixgeo.widgets.points import SAMPLE_POINTS, Columns, Variable

BLOCK_POINTS = 65_536
"""Points a block holds: drawn in a tenth of a second by software, sent in one message."""

Index = npt.NDArray[np.int64]


class MemoryCloud:
    """A dataset whose points are kept in memory.

    Parameters
    ----------
    name : str
        What it is called in the scene.
    dataset : xarray.Dataset
        A point cloud, lazy or not.
    max_points : int
        Most points kept.
    """

    def __init__(self, name: str, dataset: xr.Dataset, *, max_points: int) -> None:
        self.name = name
        self._reader = DatasetReader(dataset)
        self._kept = _thinned(self._reader.info.point_count, max_points)
        self._columns: dict[str, npt.NDArray[Any]] = {}
        self._lock = Lock()
        self._box = np.zeros((2, 3))
        self._unusable = 0

    @property
    def crs(self) -> CRS:
        """CRS of the coordinates."""
        return self._reader.info.crs

    @property
    def point_count(self) -> int:
        """Points of the dataset."""
        return self._reader.info.point_count

    @property
    def shown(self) -> int:
        """Points that are kept, all of them finite."""
        return len(self._columns["x"])

    @property
    def box(self) -> FloatArray:
        """Box of the points that are kept, shape (2, 3), float64 [CRS units]."""
        return self._box

    @property
    def variables(self) -> Mapping[str, Variable]:
        """One number a point each."""
        return {
            a.name: Variable(a.name, a.dtype, a.unit)
            for a in self._reader.info.attributes
            if not a.dtype.shape and a.dtype.kind in "iufb"
        }

    @property
    def note(self) -> str:
        """How many points are not shown, and why."""
        notes = []
        if self._unusable:
            notes.append(
                f"{self.name}: {self._unusable:,} of {self.point_count:,} points have no finite "
                "coordinates and are not shown."
            )
        if self._kept is not None:
            notes.append(
                f"{self.name}: {self.shown:,} of {self.point_count:,} points are shown, evenly "
                "chosen. To see all of them, write the cloud to a .copc.laz file and give its path."
            )
        return "\n".join(notes)

    def somewhere(self) -> FloatArray:
        """Coordinates of the first point, shape (3,), float64 [CRS units]; NaN without points."""
        for block in self._reader.blocks(1, stop=1, columns=()):
            return np.asarray(block.xyz[0], np.float64)
        return np.full(3, np.nan)

    def load(self, names: Sequence[str], progress: ProgressFn | None = None) -> None:
        """Read coordinates and some variables; a second call reads what is new.

        Parameters
        ----------
        names : sequence of str
            Of `variables`.
        progress : callable or None
            Told after each block.

        Raises
        ------
        EmptyCloudError
            There is no point, or none with finite coordinates.
        CloudError
            The file behind the dataset cannot be read.
        """
        with self._lock:
            wanted = [name for name in names if name not in self._columns]
            first = "x" not in self._columns
            if not (first or wanted):
                return
            columns = self._read(wanted, with_xyz=first, progress=progress)
            if first:
                self._take_coordinates(columns)
            self._columns |= columns

    def _read(
        self, names: Sequence[str], *, with_xyz: bool, progress: ProgressFn | None
    ) -> dict[str, npt.NDArray[Any]]:
        info = self._reader.info
        count = info.point_count if self._kept is None else len(self._kept)
        columns: dict[str, npt.NDArray[Any]] = {
            name: np.empty(count, self.variables[name].dtype) for name in names
        }
        if with_xyz:
            columns |= {axis: np.empty(count) for axis in "xyz"}
        start = filled = 0
        for block in self._reader.blocks(columns=names):
            rows: Any = slice(None)
            stop = start + len(block)
            if self._kept is not None:
                first, last = np.searchsorted(self._kept, (start, stop))
                rows = self._kept[first:last] - start
            here = slice(filled, filled + (stop - start if self._kept is None else len(rows)))
            for name in names:
                columns[name][here] = block.column(name)[rows]
            if with_xyz:
                for axis, letter in enumerate("xyz"):
                    columns[letter][here] = block.xyz[rows, axis]
            start, filled = stop, here.stop
            if progress is not None:
                progress(Progress("read", start, info.point_count, "points", self.name))
        if not with_xyz and self._unusable:
            columns = {name: values[self._finite] for name, values in columns.items()}
        return columns

    def _take_coordinates(self, columns: dict[str, npt.NDArray[Any]]) -> None:
        """Leave out points without coordinates, and find the box of the others."""
        if not len(columns["x"]):
            raise EmptyCloudError(f"{self.name} holds no points, so there is nothing to show.")
        ends = np.array([[columns[axis].min(), columns[axis].max()] for axis in "xyz"]).T
        if not np.isfinite(ends).all():
            self._finite = np.isfinite(columns["x"] + columns["y"] + columns["z"])
            self._unusable = int((~self._finite).sum())
            if self._unusable == len(self._finite):
                raise EmptyCloudError(
                    f"{self.name}: none of its {self._unusable:,} points has finite coordinates "
                    "(they are NaN or infinite). Check how the cloud was placed or read."
                )
            for name, values in columns.items():
                columns[name] = values[self._finite]
            ends = np.array([[columns[axis].min(), columns[axis].max()] for axis in "xyz"]).T
        self._box = ends

    @property
    def _blocks(self) -> int:
        return -(-self.shown // BLOCK_POINTS)

    def _members(self, node: int) -> Index:
        """Places of a block's points among those kept."""
        blocks = self._blocks
        runs = -(-self.shown // blocks)
        starts = np.random.default_rng(blocks).integers(0, blocks, runs)
        places = np.arange(runs) * blocks + (starts + node) % blocks
        return places[places < self.shown]

    def columns(self, node: int, names: Sequence[str]) -> Columns:
        """Values of the points of a block, shape (n,) each; read from the file where new."""
        self.load([name for name in names if name not in "xyz"])
        members = self._members(node)
        return {name: self._columns[name].take(members) for name in names}

    def node_box(self, node: int) -> FloatArray:
        """Every block is packed in the box of the cloud: shape (2, 3), float64 [CRS units]."""
        return self._box

    def sample(self, names: Sequence[str], points: int = SAMPLE_POINTS) -> Columns:
        """Values of the first blocks' points, shape (n,) each."""
        wanted = min(self._blocks, -(-points // BLOCK_POINTS))
        parts = [self.columns(node, names) for node in range(wanted)]
        return {name: np.concatenate([part[name] for part in parts]) for name in names}

    def exact(self, node: int, index: int) -> dict[str, float]:
        """Coordinates and variables of one point, as the dataset has them."""
        place = int(self._members(node)[index])
        if self._unusable:
            place = int(np.flatnonzero(self._finite)[place])
        if self._kept is not None:
            place = int(self._kept[place])
        names = list(self.variables)
        block = next(self._reader.blocks(1, start=place, stop=place + 1, columns=names))
        values = {axis: float(v) for axis, v in zip("xyz", block.xyz[0], strict=True)}
        return values | {name: float(block.column(name)[0]) for name in names}

    def describe(self) -> dict[str, Any]:
        """Say how many blocks there are and how many points they hold."""
        return {
            "kind": "blocks",
            "points": self.shown,
            "blocks": self._blocks,
        }

    def table(self) -> None:
        """Return None: all blocks are alike."""
        return

    def close(self) -> None:
        """Do nothing: the dataset belongs to whoever made it."""


def _thinned(count: int, most: int) -> Index | None:
    """Points to keep of a cloud, one of each run of equal length; None is all."""
    if count <= most:
        return None
    run = -(-count // most)
    starts = np.arange(0, count, run)
    kept = starts + np.random.default_rng(run).integers(0, run, len(starts))
    return kept[kept < count]
