"""The inputs of a merge: opened, looked at, joined to the output CRS.

Of many inputs only the first ones stay open: systems allow a few hundred files at a time, and a
merge may have thousands. Those behind addresses are closed at once, with all that was fetched of
them. Must not know what is written.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import laspy
import numpy as np
import numpy.typing as npt
from pyproj import CRS

from cupixgeo.cloud.schema import CloudInfo, PointReader
from cupixgeo.cloud.source import Source
from cupixgeo.errors import MergeError, OperationError
from cupixgeo.formats.extent import read_area
from cupixgeo.formats.las.reader import LasReader
from cupixgeo.formats.opening import Where
from cupixgeo.formats.part import Kept, PartReader
from cupixgeo.formats.registry import open_reader
from cupixgeo.geodesy.chain import Chain, plan_chain
from cupixgeo.geodesy.crs import as_crs, crs_label, frame_name
from cupixgeo.net.secret import redact
from cupixgeo.pipeline.stamp import Stamp, open_again, open_stamped
from cupixgeo.progress import Progress, ProgressFn

FloatArray = npt.NDArray[np.float64]
SourceLike = Source | str | os.PathLike[str]

EVERYWHERE = read_area(None)

MOST_OPEN = 100
"""Inputs that stay open while the others are looked at; macOS allows 256 files unless told."""


@dataclass(frozen=True)
class OpenedSource:
    """One input as its file states it.

    Parameters
    ----------
    source : Source
        As given.
    reader : PointReader
        Open, unless `is_closed`.
    info : CloudInfo
        What its header says; in the frame the placement starts from where it states no CRS.
    stamp : FileStamp or AddressStamp
        The file as it was when it was opened.
    box : ndarray, shape (2, 3), float64, or None
        Of the points in the file's frame; None for an empty file.
    is_closed : bool
        There are too many inputs to keep all open.
    """

    source: Source
    reader: PointReader
    info: CloudInfo
    stamp: Stamp
    box: FloatArray | None
    is_closed: bool

    @property
    def frame(self) -> CRS:
        """CRS behind the placement."""
        transform = self.source.transform
        return self.info.crs if transform is None else transform.target


@dataclass(frozen=True)
class PlannedInput:
    """One input, opened and joined to the output CRS.

    Parameters
    ----------
    source : Source
        As given.
    reader : PointReader
        Knows the header; to read points use `opened`.
    info : CloudInfo
        What its header says, in the frame its coordinates are taken to be in.
    stamp : FileStamp or AddressStamp
        The file as it was when it was opened.
    chain : Chain
        From the file's frame to the output CRS.
    low, high : ndarray, shape (3,), float64
        Box of the points in the file's frame; empty inputs have NaN.
    is_closed : bool
        There are too many inputs to keep all open.
    skipped : bool
        Its box has nothing in common with the wanted area: it is not decoded.
    kept : Kept or None
        Its pieces that are read; None is all.
    """

    source: Source
    reader: PointReader
    info: CloudInfo
    stamp: Stamp
    chain: Chain
    low: FloatArray
    high: FloatArray
    is_closed: bool = False
    skipped: bool = False
    kept: Kept | None = None

    @property
    def where(self) -> Where:
        """Path of the file, or its address."""
        return self.source.address or self.info.path

    @property
    def place(self) -> str:
        """Whole path of the file, or its address less what may be a key to it."""
        return str(self.info.path.resolve()) if self.source.address is None else self.shown

    @property
    def shown(self) -> str:
        """Where it is, as reports and journals may say it."""
        address = self.source.address
        return str(self.info.path) if address is None else redact(address)

    @property
    def unread(self) -> int:
        """Points in pieces that are not read, as they hold no wanted one."""
        return 0 if self.kept is None else self.info.point_count - int(self.kept.counts.sum())

    @contextmanager
    def opened(self) -> Iterator[PointReader]:
        """Give a reader of the points to be read; opened again where it had to be closed.

        Raises
        ------
        CloudError, ServiceError, TransferError
            The file cannot be read any more.
        """
        with ExitStack() as stack:
            reader = self.reader
            if self.is_closed:
                file = open_again(self.where, self.stamp, self.source.label)
                reader = stack.enter_context(open_reader(file, crs=self.info.crs))
            yield reader if self.kept is None else PartReader(reader, EVERYWHERE, self.kept)

    @property
    def las_format(self) -> laspy.PointFormat | None:
        """LAS point format, None for a file of another kind."""
        return self.reader.point_format if isinstance(self.reader, LasReader) else None


def as_source(value: SourceLike) -> Source:
    """Take a path or an address for a `Source` without placement."""
    return value if isinstance(value, Source) else Source(value)


def open_sources(
    sources: Sequence[Source], to: Path, stack: ExitStack, progress: ProgressFn | None
) -> list[OpenedSource]:
    """Open every source and look at its header.

    Parameters
    ----------
    sources : sequence of Source
        The inputs; fetched where they are not here yet.
    to : Path
        Output, which must not be one of them.
    stack : ExitStack
        Closes those that stay open.
    progress : callable or None
        Told of files being fetched and opened.

    Raises
    ------
    MergeError
        The output is an input.
    CloudError, ServiceError, TransferError
        An input cannot be read.
    """
    result = []
    for number, source in enumerate(sources, start=1):
        where = source.address or source.local_path(progress)
        if to.exists() and os.path.exists(where) and os.path.samefile(where, to):
            raise MergeError(
                f"the output {to} is one of the inputs ({source.label}). Choose another output."
            )
        crs = None if source.crs is None else as_crs(source.crs)
        file, stamp = open_stamped(where)
        reader = open_reader(file, crs=crs)
        stack.callback(reader.close)
        box = reader.bounds() if reader.info.point_count else None
        closing = number > MOST_OPEN or source.address is not None
        if closing:
            reader.close()
        info = _in_its_frame(source, reader.info)
        result.append(OpenedSource(source, reader, info, stamp, box, closing))
        if progress is not None:
            progress(Progress("open", number, len(sources), "files", source.label))
    return result


def _in_its_frame(source: Source, info: CloudInfo) -> CloudInfo:
    """Take a file that states no CRS to be in the frame its placement starts from."""
    states_none = (frame_name(info.crs) or "").startswith("file:")
    if source.transform is None or source.crs is not None or not states_none:
        return info
    frame = source.transform.source
    told = f"{crs_label(frame)} as its placement says; the file: {info.crs_source}"
    return replace(info, crs=frame, crs_source=told)


def plan_input(opened: OpenedSource, target: CRS, assume: Iterable[str]) -> PlannedInput:
    """Join an input to the output CRS.

    Parameters
    ----------
    opened : OpenedSource
        The input.
    target : pyproj.CRS
        Output CRS.
    assume : iterable of str
        Declared assumptions, see `plan_operation`.

    Raises
    ------
    FrameError, OperationError, CrsError
        It cannot be brought there.
    """
    chain = plan_chain(
        opened.info.crs,
        target,
        transform=opened.source.transform,
        assume=assume,
        box=opened.box,
    )
    low, high = np.full((2, 3), np.nan) if opened.box is None else opened.box
    return PlannedInput(
        opened.source,
        opened.reader,
        opened.info,
        opened.stamp,
        chain,
        low,
        high,
        opened.is_closed,
    )


def listed_twice(inputs: Sequence[PlannedInput]) -> list[str]:
    """Say of each file that is listed again, in the same place, that its points are there again."""
    labels: dict[tuple[object, ...], list[str]] = {}
    for planned in inputs:
        transform = planned.source.transform
        matrix = None if transform is None else transform.matrix.tobytes()
        key = (planned.place, planned.stamp, crs_label(planned.info.crs), matrix)
        labels.setdefault(key, []).append(planned.source.label)
    return [
        f"{same[0]} is listed {len(same)} times, in one place: so often its points are in the "
        "output; drop_duplicates=True keeps one of each"
        for same in labels.values()
        if len(same) > 1
    ]


@contextmanager
def points_of(label: str) -> Iterator[None]:
    """Name an input in errors about points that cannot be brought to the output CRS.

    Parameters
    ----------
    label : str
        What messages call the input.

    Raises
    ------
    OperationError
        As raised inside, with the input's label.
    """
    try:
        yield
    except OperationError as error:
        raise type(error)(f"{label}: {error}") from error


def placed_box(planned: PlannedInput) -> FloatArray:
    """Give the box of an input that is not empty: shape (2, 3), float64 [output CRS units].

    From points on the surface of its own box, so good to the bulge of an edge between them.
    """
    with points_of(planned.source.label):
        placed = planned.chain.apply(_box_samples(planned.low, planned.high))
    return np.stack([placed.min(axis=0), placed.max(axis=0)])


def _box_samples(low: FloatArray, high: FloatArray) -> FloatArray:
    """Regular points over a box, shape (27, 3): edges may bulge between corners."""
    unit = np.array(list(itertools.product((0.0, 0.5, 1.0), repeat=3)))
    samples: FloatArray = low + unit * (high - low)
    return samples
