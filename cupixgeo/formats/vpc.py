"""Virtual point clouds: several files, named by one, read as one.

Knows the ``.vpc`` file: a STAC ItemCollection whose items have one data file each, its point count
and its box. Must not know what formats the files have.

References
----------
Virtual Point Cloud (PDAL wrench, ``vpc-spec.md``): addresses that begin with ``./`` are relative
to the ``.vpc`` file; boxes in the files' own CRS are ``proj:bbox``. RFC 3986 §5.2: an address
relative to another one does not inherit its query, so a signature stays with the file it is for.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from cupixgeo.cloud.schema import CloudInfo, FloatArray, PointBlock, PointReader
from cupixgeo.errors import ArgumentError, FormatError
from cupixgeo.formats.derived import DerivedReader
from cupixgeo.formats.extent import Area
from cupixgeo.formats.opening import OpenFile, RemoteFile, Where, is_address, open_file
from cupixgeo.formats.refusals import corrupt
from cupixgeo.formats.registry import open_reader
from cupixgeo.geodesy.crs import CrsLike, same_crs

OpenReader = Callable[[], PointReader]


@dataclass(frozen=True, eq=False)
class Member:
    """One file of a virtual point cloud.

    Parameters
    ----------
    where : path or str
        The file, or its http(s) address.
    points : int
        How many it holds.
    box : ndarray, shape (2, 3), float64 [CRS units], or None
        Of its points, where that is stated.
    """

    where: Where = field(repr=False)
    points: int
    box: FloatArray | None


class JoinedReader(DerivedReader):
    """Open files that hold the same attributes in the same CRS, as one file.

    Parameters
    ----------
    info : CloudInfo
        What they are together.
    openers : sequence of callable
        Each opens one of them; it is opened when it is needed.
    counts : sequence of int
        Points of each.
    """

    def __init__(
        self, info: CloudInfo, openers: Sequence[OpenReader], counts: Sequence[int]
    ) -> None:
        super().__init__(replace(info, point_count=sum(counts), chunk_size=None))
        self._openers = tuple(openers)
        self._ends = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        self._open: tuple[int, PointReader] | None = None

    def between(
        self, start: int, end: int, size: int, columns: Sequence[str] | None
    ) -> Iterator[PointBlock]:
        """Yield points `start` to `end`, file after file; see `blocks`."""
        number = int(np.searchsorted(self._ends, start, "right")) - 1
        while start < end:
            first, last = int(self._ends[number]), int(self._ends[number + 1])
            if first < last:
                yield from self._member(number).blocks(
                    size, start=start - first, stop=min(end, last) - first, columns=columns
                )
            number, start = number + 1, last

    def _member(self, number: int) -> PointReader:
        """Give the reader of one file; only one is open at a time."""
        if self._open is not None and self._open[0] == number:
            return self._open[1]
        self.close()
        reader = self._openers[number]()
        self._open = number, reader
        wanted = int(self._ends[number + 1] - self._ends[number])
        found = reader.info
        if found.point_count != wanted:
            raise corrupt(
                found.path,
                f"{self.info.path} says it has {wanted:,} points, it has {found.point_count:,}",
                "Make the virtual point cloud anew.",
            )
        if found.attributes != self.info.attributes or not same_crs(found.crs, self.info.crs):
            raise FormatError(
                f"{found.path} has another CRS or other attributes than the files before it in "
                f"{self.info.path}. Merge them into one cloud first: cupixgeo.merge."
            )
        return reader

    def close(self) -> None:
        """Close what is open."""
        if self._open is not None:
            self._open[1].close()
        self._open = None


class VirtualReader(JoinedReader):
    """All files of a virtual point cloud, as one file.

    Parameters
    ----------
    path : path, str or OpenFile
        The ``.vpc`` file.
    crs : CrsLike or None
        CRS of the coordinates, overriding what the files state.

    Attributes
    ----------
    members : tuple of Member
        The files, in the order of their points.

    Raises
    ------
    FormatError
        It is no virtual point cloud, or its files cannot be one.
    CloudError
        A file cannot be read.
    """

    def __init__(self, path: Where | OpenFile, *, crs: CrsLike | None = None) -> None:
        file = path if isinstance(path, OpenFile) else open_file(path)
        try:
            self.members = _members(file)
        finally:
            file.close()
        self._crs = crs
        openers = [partial(open_member, member.where, crs=crs) for member in self.members]
        with openers[0]() as first:
            info = replace(
                first.info,
                path=file.path,
                format="VPC",
                version="STAC",
                size_bytes=file.size_bytes,
            )
        super().__init__(info, openers, [member.points for member in self.members])

    def bounds(self) -> FloatArray:
        """Box of all points: shape (2, 3), float64 [CRS units]; as stated, else read.

        Raises
        ------
        EmptyCloudError
            There are none.
        """
        boxes = [member.box for member in self.members if member.points]
        if not boxes or any(box is None for box in boxes):
            return super().bounds()
        stated = np.array(boxes)
        return np.stack([stated[:, 0].min(axis=0), stated[:, 1].max(axis=0)])

    def near(self, area: Area) -> tuple[Member, ...]:
        """Give the files that may hold points of an area."""
        return tuple(
            member
            for member in self.members
            if member.box is None or area.touches(*member.box[:, None])[0]
        )

    def part(self, openers: Sequence[OpenReader]) -> JoinedReader:
        """Join parts of the files; their points are counted by opening each once."""
        counts = []
        for opener in openers:
            with opener() as reader:
                counts.append(reader.info.point_count)
        return JoinedReader(self.info, openers, counts)


def open_member(where: Where, *, crs: CrsLike | None = None) -> PointReader:
    """Open a file that a virtual point cloud names.

    Parameters
    ----------
    where : path or str
        The file, or its http(s) address.
    crs : CrsLike or None
        CRS of its coordinates, overriding what it states.

    Raises
    ------
    FormatError
        It is a virtual point cloud itself.
    CloudError, ServiceError, TransferError
        As `open_reader`.
    """
    return open_reader(open_member_file(where), crs=crs)


def open_member_file(where: Where) -> OpenFile:
    """Open a file that a virtual point cloud names, which may not name files in its turn.

    Raises
    ------
    FormatError
        It does: there need be no end to it.
    CloudError, ServiceError, TransferError
        As `open_file`.
    """
    file = open_file(where)
    try:
        if file.stream.read(1) == b"{":
            raise FormatError(
                f"{file.path} is named by a virtual point cloud and looks like one itself. Name "
                "the files it names."
            )
    except BaseException:
        file.close()
        raise
    return file


def _members(file: OpenFile) -> tuple[Member, ...]:
    (text,) = file.spans([(0, file.size_bytes)])
    try:
        content = json.loads(text)
    except ValueError as error:
        raise corrupt(file.path, f"it is not whole JSON ({error})") from error
    items = content.get("features") if isinstance(content, Mapping) else None
    if not isinstance(items, list) or not items:
        raise FormatError(f"{file.path} is JSON, but lists no files of points: {_WHAT}")
    return tuple(_member(file, item) for item in items)


_WHAT = "a virtual point cloud is a STAC ItemCollection with a data file and pc:count in each item."


def _member(file: OpenFile, item: Any) -> Member:
    try:
        asset = item["assets"].get("data") or next(iter(item["assets"].values()))
        href, points = asset["href"], item["properties"]["pc:count"]
        box = item["properties"].get("proj:bbox")
    except (AttributeError, KeyError, StopIteration, TypeError) as error:
        raise FormatError(f"{file.path} is JSON, but not of point clouds: {_WHAT}") from error
    if not isinstance(href, str) or not isinstance(points, int) or points < 0:
        raise corrupt(file.path, f"it says of a file {_shown(href)} that it has {points!r} points")
    return Member(_resolved(file, href), points, _box(file, box))


def _resolved(file: OpenFile, href: str) -> str:
    """Give where a file is that a catalogue names, relative to itself or by its whole address."""
    if is_address(href):
        return href
    if not isinstance(file, RemoteFile):
        return str(Path(file.path).parent / href)
    try:
        return file.beside(href)
    except ArgumentError as error:
        raise FormatError(
            f"{file.path} names a file that cannot be fetched: {error} A catalogue behind an "
            "address names files beside itself, or by their whole http(s) address."
        ) from error


def _shown(href: Any) -> str:
    """Quote what a catalogue names, less what may be a key to it."""
    from cupixgeo.net.secret import redact

    return redact(repr(href).partition("?")[0])


def _box(file: OpenFile, box: Any) -> FloatArray | None:
    """Read a file's box as two corners; without heights it reaches up and down for ever."""
    if box is None:
        return None
    try:
        values = np.asarray(box, np.float64)
    except (TypeError, ValueError):
        values = np.empty(0)
    if values.shape not in ((4,), (6,)) or not np.isfinite(values).all():
        raise corrupt(file.path, f"it states a box {box!r}")
    corners = values.reshape(2, -1)
    if corners.shape[1] == 2:
        corners = np.column_stack([corners, [-np.inf, np.inf]])
    return corners
