"""Reading PLY point clouds: ascii and binary, both byte orders.

Knows where the vertices are and what their usual property names mean. Must not know meshes: faces
and other elements are skipped.

Names: a property whose name is that of a LAS dimension, whatever its case and underscores and with
or without CloudCompare's ``scalar_`` in front, gets the LAS name (``scalar_Intensity`` becomes
``intensity``, ``GpsTime`` becomes ``gps_time``), as do ``r``/``g``/``b`` where all three are there
and ``diffuse_red``; others keep the file's name. Types are kept: 8-bit colour stays 8-bit.

CRS: PLY has no place for one. A comment ``crs EPSG:32650`` or ``epsg 32650`` (also ``srs``, also
WKT behind it) is believed; otherwise the cloud is in the local frame ``file:<name>``.

Source: G. Turk, *The PLY Polygon File Format* (1994).
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, BinaryIO

import laspy
import numpy as np
import numpy.typing as npt
import pandas as pd
from pyproj import CRS

from cupixgeo.cloud.schema import BLOCK_POINTS, Attribute, CloudInfo, ColumnBlock, FloatArray
from cupixgeo.errors import CrsError, FormatError
from cupixgeo.formats.extent import box_of_points
from cupixgeo.formats.frames import file_frame
from cupixgeo.formats.opening import OpenFile, RemoteFile, Where, open_file
from cupixgeo.formats.ply_header import BYTE_ORDERS, PlyHeader, read_header
from cupixgeo.formats.refusals import check_columns, corrupt
from cupixgeo.geodesy.crs import CrsLike, as_crs, crs_label

_CRS_COMMENT = re.compile(r"^(?:crs|srs|epsg)\b\s*[:=]?\s*(\S.*)$", re.IGNORECASE)
_NOT_A_NUMBER = ["nan", "-nan", "NaN", "NAN"]
_RENAMED = {
    "diffusered": "red",
    "diffusegreen": "green",
    "diffuseblue": "blue",
    "gpstime": "gps_time",
}


class PlyReader:
    """An open PLY file. Use it as a context manager; not for two threads at once.

    Parameters
    ----------
    path : path
        The file.
    crs : CrsLike or None
        CRS of its coordinates, overriding what a comment states.

    Raises
    ------
    CloudError
        The file is missing, not PLY (`FormatError`) or contradicts itself (`CorruptFileError`).
    CrsError
        `crs` is not a CRS.
    """

    def __init__(self, path: Where | OpenFile, *, crs: CrsLike | None = None) -> None:
        file = path if isinstance(path, OpenFile) else open_file(path)
        self.path = file.path
        self._file: BinaryIO = file.stream
        try:
            if isinstance(file, RemoteFile):
                raise FormatError(
                    f"{self.path} is a PLY file, and PLY has no parts that could be fetched alone. "
                    "Download it, and open the file on this machine."
                )
            self._file.seek(0)
            self._header = read_header(self.path, self._file)
            self._names = attribute_names([p.name for p in self._header.vertex.properties])
            self.info: CloudInfo = self._describe(crs)
        except BaseException:
            self._file.close()
            raise
        self._offsets: dict[int, int] = {}

    def bounds(self) -> FloatArray:
        """Smallest box of all points: shape (2, 3), float64 [CRS units]. Reads them once.

        Raises
        ------
        EmptyCloudError
            The file holds no points.
        """
        return box_of_points(self)

    def blocks(
        self,
        size: int = BLOCK_POINTS,
        *,
        start: int = 0,
        stop: int | None = None,
        columns: Sequence[str] | None = None,
    ) -> Iterator[ColumnBlock]:
        """Yield points `start` to `stop` in file order, `size` at a time.

        Parameters
        ----------
        size : int
            Points a block holds, the last one fewer.
        start, stop : int
            Range of points.
        columns : sequence of str or None
            Attributes to hand out, ``()`` for coordinates alone; None is everything.

        Yields
        ------
        ColumnBlock

        Raises
        ------
        CorruptFileError
            A line of an ascii file is not a point, or lines are missing or too many.
        """
        check_columns(self.info, columns)
        end = self.info.point_count if stop is None else min(stop, self.info.point_count)
        wanted = self.info.attribute_names if columns is None else tuple(columns)
        read = self._ascii if self._header.encoding == "ascii" else self._binary
        for first in range(start, end, size):
            rows = read(first, min(size, end - first))
            xyz = np.stack([rows[axis].astype(np.float64) for axis in "xyz"], axis=1)
            yield ColumnBlock(xyz, {name: rows[name] for name in wanted})

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> PlyReader:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _binary(self, first: int, count: int) -> dict[str, npt.NDArray[Any]]:
        header = self._header
        order = BYTE_ORDERS[header.encoding]
        fields = zip(self._names, header.vertex.properties, strict=True)
        dtype = np.dtype([(name, prop.dtype.newbyteorder(order)) for name, prop in fields])
        self._file.seek(header.vertex_start + first * dtype.itemsize)
        records = np.fromfile(self._file, dtype, count)
        if len(records) != count:
            raise corrupt(self.path, f"the file ended at point {first + len(records):,}")
        return {
            name: records[name].astype(dtype[name].newbyteorder("="), copy=False)
            for name in self._names
        }

    def _ascii(self, first: int, count: int) -> dict[str, npt.NDArray[Any]]:
        self._seek_line(first)
        lines = list(islice(self._file, count))
        self._offsets[first + count] = self._file.tell()
        if len(lines) < count:
            raise corrupt(
                self.path,
                f"the header announces {self.info.point_count:,} points, the file ends after "
                f"{first + len(lines):,}",
            )
        if first + count == self.info.point_count and not self._header.after:
            self._check_end()
        values = self._parse(lines, first)
        properties = self._header.vertex.properties
        return {
            name: self._cast(values[:, column], prop.dtype, lines, first)
            for column, (name, prop) in enumerate(zip(self._names, properties, strict=True))
        }

    def _seek_line(self, first: int) -> None:
        """Go to the line of a point, from the nearest place known."""
        known = max((index for index in self._offsets if index <= first), default=None)
        if known is None:
            self._file.seek(self._header.data_start)
            skip = sum(element.count for element in self._header.before) + first
        else:
            self._file.seek(self._offsets[known])
            skip = first - known
        next(islice(self._file, skip, skip), None)

    def _check_end(self) -> None:
        for line in islice(self._file, 1000):
            if line.strip():
                raise corrupt(
                    self.path,
                    f"the header announces {self.info.point_count:,} points, but more lines "
                    "follow them",
                )

    def _parse(self, lines: list[bytes], first: int) -> FloatArray:
        width = len(self._names)
        try:
            table = pd.read_csv(
                io.BytesIO(b"".join(lines)),
                sep=r"\s+",
                header=None,
                dtype=np.float64,
                quoting=3,
                keep_default_na=False,
                na_values=_NOT_A_NUMBER,
                skip_blank_lines=False,
            )
        except (ValueError, pd.errors.ParserError) as error:
            raise self._bad_line(lines, first) from error
        values = table.to_numpy()
        if values.shape != (len(lines), width) or np.isnan(values).any():
            # pandas fills what a short line lacks with NaN; a NaN may also be the file's own.
            short = [line for line in lines if len(line.split()) != width]
            if short or len(values) != len(lines):
                raise self._bad_line(lines, first)
        return values

    def _bad_line(self, lines: list[bytes], first: int) -> Exception:
        """Find the line that is not a point, for the message."""
        before = sum(element.count for element in self._header.before)
        top = self._header.data_line + before + first
        for number, line in enumerate(lines, top):
            tokens = line.split()
            if len(tokens) != len(self._names):
                fact = f"line {number:,} has {len(tokens)} values instead of {len(self._names)}"
                return corrupt(self.path, fact)
            for token in tokens:
                if not _is_number(token):
                    text = token[:30].decode("latin-1")
                    return corrupt(self.path, f"line {number:,} has {text!r} in place of a number")
        return corrupt(self.path, f"lines {top:,} to {top + len(lines) - 1:,} are not points")

    def _cast(
        self, values: FloatArray, dtype: np.dtype[Any], lines: list[bytes], first: int
    ) -> npt.NDArray[Any]:
        if dtype.kind == "f":
            return values.astype(dtype)
        limits = np.iinfo(dtype)
        good = (values >= limits.min) & (values <= limits.max) & (values == np.rint(values))
        if not good.all():
            row = int(np.argmin(good))
            line = self._header.data_line + sum(e.count for e in self._header.before) + first + row
            raise corrupt(
                self.path, f"line {line:,} has {values[row]:g} where a {dtype.name} should be"
            )
        return values.astype(dtype)

    def _describe(self, crs: CrsLike | None) -> CloudInfo:
        header = self._header
        found, source = _crs_of(header)
        if crs is not None:
            found = as_crs(crs)
            source = f"{crs_label(found)} as given by the caller; the file: {source}"
        properties = dict(zip(self._names, header.vertex.properties, strict=True))
        return CloudInfo(
            path=self.path,
            format="PLY",
            version=f"{header.encoding} 1.0",
            point_count=header.vertex.count,
            crs=found,
            crs_source=source,
            attributes=tuple(
                Attribute(name, prop.dtype, "", "" if name == prop.name else f"PLY {prop.name}")
                for name, prop in properties.items()
                if name not in ("x", "y", "z")
            ),
            size_bytes=header.size_bytes,
            metadata={
                "comments": header.comments,
                "coordinate_type": properties["x"].dtype.name,
                "other_elements": {e.name: e.count for e in (*header.before, *header.after)},
            },
        )


def attribute_names(names: Sequence[str]) -> tuple[str, ...]:
    """Give PLY properties their LAS names where they have one.

    Parameters
    ----------
    names : sequence of str
        As in the file, without repetition.

    Returns
    -------
    tuple of str
        One a property, without repetition: where two would get the same name, the later one
        keeps the file's.

    Examples
    --------
    >>> attribute_names(["x", "y", "z", "r", "g", "b", "scalar_Intensity", "nx"])
    ('x', 'y', 'z', 'red', 'green', 'blue', 'intensity', 'nx')
    """
    standard = {
        name.replace("_", ""): name
        for point_format in (3, 8)
        for name in laspy.PointFormat(point_format).dimension_names
        if name not in ("X", "Y", "Z")
    }
    known = {**standard, **_RENAMED, "x": "x", "y": "y", "z": "z"}
    if {"r", "g", "b"} <= set(names):
        known.update(r="red", g="green", b="blue")
    result: list[str] = []
    for name in names:
        bare = re.sub("^scalar_", "", name, flags=re.IGNORECASE).lower()
        wanted = known.get(re.sub(r"[_ ]", "", bare), name)
        taken = wanted in result or (wanted != name and wanted in names)
        result.append(name if taken else wanted)
    return tuple(result)


def _crs_of(header: PlyHeader) -> tuple[CRS, str]:
    doubts = []
    for comment in header.comments:
        if match := _CRS_COMMENT.match(comment):
            try:
                crs = as_crs(match[1].strip())
            except CrsError:
                doubts.append(f"PROJ does not understand the comment {comment[:60]!r}")
                continue
            return crs, "; ".join((f"{crs_label(crs)} from the comment {comment[:60]!r}", *doubts))
    why = "PLY has no place for a CRS, so the file is in its own local frame"
    return file_frame(header.path), "; ".join((why, *doubts))


def _is_number(token: bytes) -> bool:
    try:
        float(token)
    except ValueError:
        return False
    return b"_" not in token  # float() allows 1_000
