"""Writing a dataset that still has all attributes of its LAZ file, as they are stored there.

The chunks of the file go the way they go in a merge: what does not change is copied, and only the
coordinates are encoded again. Coordinates come from the dataset, whatever was done to them, so
that they are those of any other way to write it. Must not know how the grid was chosen.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path

import numpy as np
import xarray as xr

from cupixgeo.cloud.dataset import PointStore
from cupixgeo.cloud.schema import BLOCK_POINTS, FloatArray, PointReader
from cupixgeo.cloud.source import Source
from cupixgeo.cloud.spatial_ref import dataset_crs
from cupixgeo.cloud.stored import file_of_coordinates, stored_file
from cupixgeo.collector import collector_paused, heap_set_aside
from cupixgeo.formats.las.reader import LasReader
from cupixgeo.formats.las.records import LayoutPlan
from cupixgeo.formats.las.writer import ChunkPlan, LasWriter
from cupixgeo.formats.opening import RemoteFile
from cupixgeo.geodesy.chain import plan_chain
from cupixgeo.pipeline.dataset_reader import DatasetReader
from cupixgeo.pipeline.grid import OutputGrid
from cupixgeo.pipeline.inputs import PlannedInput
from cupixgeo.pipeline.plan import MergePlan
from cupixgeo.pipeline.stamp import FileStamp
from cupixgeo.pipeline.steps import Moved, Mover, StepMover, Steps
from cupixgeo.pipeline.stream import (
    FEWEST_TO_RECODE,
    RECORDS,
    StreamSettings,
    Tally,
    Watch,
    way_of,
)


@dataclass(frozen=True, eq=False)
class Unaltered:
    """A dataset and the LAZ file whose chunks it can be written from.

    Parameters
    ----------
    dataset : xarray.Dataset
        What is written.
    reader : LasReader
        The file.
    layout : LayoutPlan
        Records to write.
    way : str
        ``"layers"`` or ``"points"``; see `cupixgeo.pipeline.stream`.
    is_moved : bool
        The coordinates are not those of the file.
    """

    dataset: xr.Dataset
    reader: LasReader
    layout: LayoutPlan
    way: str
    is_moved: bool

    @property
    def chunks(self) -> ChunkPlan:
        """How the output is cut into chunks: as the file is."""
        assert self.reader.facts.chunks is not None
        return ChunkPlan.of(self.reader.facts.chunks.points.tolist())

    def write(self, writer: LasWriter, to: Path, grid: OutputGrid, box: FloatArray) -> None:
        """Write all points.

        Parameters
        ----------
        writer : LasWriter
            Opened with `chunks`.
        to : Path
            The output.
        grid : OutputGrid
            Its scale and offset.
        box : ndarray, shape (2, 3), float64 [output CRS units]
            Where the points are expected.

        Raises
        ------
        GridOverflowError
            A point does not fit the grid.
        CorruptFileError
            The file is damaged; `SourceChangedError` where it was changed meanwhile.
        """
        planned = self._planned()
        crs = dataset_crs(self.dataset)
        plan = MergePlan(to, crs, (planned,), self.layout, grid, box, ())
        with collector_paused():
            from cupixgeo.pipeline.layers import LayerInput, write_layers
        source = LayerInput(0, planned, self._movers(planned, grid), Tally(self.way), None)
        watch = Watch(plan, StreamSettings(None, False, BLOCK_POINTS, None, None))
        with heap_set_aside():
            write_layers([source], writer, watch, lambda _: None)

    def _planned(self) -> PlannedInput:
        info = self.reader.info
        low, high = self.reader.bounds()
        chain = plan_chain(info.crs, info.crs)
        stamp = FileStamp.of(info.path)
        return PlannedInput(Source(info.path), self.reader, info, stamp, chain, low, high)

    def _movers(self, planned: PlannedInput, grid: OutputGrid) -> Iterator[Mover]:
        facts, label = self.reader.facts, planned.source.label
        if self.is_moved:
            assert facts.chunks is not None
            return _by_coordinates(self.dataset, facts.chunks.points.tolist(), grid, label)
        chain = planned.chain.apply
        return repeat(
            StepMover(grid, chain, None, scales=facts.scales, offsets=facts.offsets, label=label)
        )


def find_unaltered(dataset: xr.Dataset, layout: LayoutPlan) -> Unaltered | None:
    """Find out whether a dataset can be written to LAZ from the chunks of its file.

    Parameters
    ----------
    dataset : xarray.Dataset
        What is to be written.
    layout : LayoutPlan
        Records to write.

    Returns
    -------
    Unaltered or None
        None where points were selected or an attribute changed; where the file is not LAZ of that
        layout, not on this machine, or not under its name any more; or for few points.

    Raises
    ------
    CloudError
        The file was closed, and has changed since.
    """
    store = stored_file(dataset)
    if store is None or store.info.point_count < FEWEST_TO_RECODE:
        return None
    reader = _local_reader(store)
    way = RECORDS if reader is None else way_of(reader, layout.layout)
    if reader is None or way == RECORDS:
        return None
    return Unaltered(dataset, reader, layout, way, file_of_coordinates(dataset) is not store)


def _local_reader(store: PointStore) -> LasReader | None:
    """Give the reader of a LAS file that can be read by its name too."""
    reader: PointReader = store.reader()
    if not isinstance(reader, LasReader) or isinstance(reader.file, RemoteFile):
        return None
    try:
        named, opened = os.stat(reader.path), os.fstat(reader.file.stream.fileno())
    except OSError:
        return None
    return reader if os.path.samestat(named, opened) else None


@dataclass(frozen=True, eq=False)
class _Coordinates:
    """Coordinates of the points of one chunk, in place of what the file has."""

    xyz: FloatArray
    grid: OutputGrid
    label: str

    def __call__(self, steps: Steps) -> Moved:
        placed = self.grid.quantise(self.xyz, name=self.label)
        steps[...] = placed.steps
        return Moved.of(placed)


def _by_coordinates(
    dataset: xr.Dataset, counts: list[int], grid: OutputGrid, label: str
) -> Iterator[Mover]:
    """Yield for each chunk, of so many points, what gives it the dataset's coordinates."""
    blocks = DatasetReader(dataset).blocks(columns=())
    left = np.empty((0, 3))
    for count in counts:
        parts = [left]
        while sum(map(len, parts)) < count:
            parts.append(next(blocks).xyz)
        joined = parts[0] if len(parts) == 1 else np.concatenate(parts)
        yield _Coordinates(joined[:count], grid, label)
        left = joined[count:]
