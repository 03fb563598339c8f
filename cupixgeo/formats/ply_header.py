"""The text at the top of a PLY file, held against the size of the file below it.

Knows the PLY header grammar. Must not know what the properties mean.

Source: G. Turk, *The PLY Polygon File Format* (1994); the type names of both dialects.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np

from cupixgeo.errors import FormatError
from cupixgeo.formats.refusals import corrupt
from cupixgeo.formats.sniff import describe_content

LARGEST_HEADER = 64 * 1024
"""Bytes a header may have [byte]."""

BYTE_ORDERS: dict[str, Literal["=", "<", ">"]] = {
    "ascii": "=",
    "binary_little_endian": "<",
    "binary_big_endian": ">",
}
TYPES = {
    "char": "i1", "uchar": "u1", "short": "i2", "ushort": "u2", "int": "i4", "uint": "u4",
    "float": "f4", "double": "f8", "int8": "i1", "uint8": "u1", "int16": "i2", "uint16": "u2",
    "int32": "i4", "uint32": "u4", "float32": "f4", "float64": "f8",
}  # fmt: skip
"""PLY type names, those of 1994 and those of later writers."""


@dataclass(frozen=True)
class PlyProperty:
    """One property of an element.

    Parameters
    ----------
    name : str
        As written.
    dtype : numpy.dtype
        Of the value, or of the items of a list; native byte order.
    count_dtype : numpy.dtype or None
        Of a list's length; None for a single value.
    """

    name: str
    dtype: np.dtype[Any]
    count_dtype: np.dtype[Any] | None = None


@dataclass(frozen=True)
class PlyElement:
    """One table of a PLY file.

    Parameters
    ----------
    name, count : str, int
        ``"vertex"``, and its rows.
    properties : tuple of PlyProperty
        Its columns.
    """

    name: str
    count: int
    properties: tuple[PlyProperty, ...]

    @property
    def has_lists(self) -> bool:
        """Whether its rows differ in length."""
        return any(prop.count_dtype is not None for prop in self.properties)

    @property
    def least_bytes(self) -> int:
        """Bytes a row takes at least in a binary file; exactly, where it has no lists."""
        return sum((prop.count_dtype or prop.dtype).itemsize for prop in self.properties)


@dataclass(frozen=True)
class PlyHeader:
    """What a PLY file says of itself.

    Parameters
    ----------
    path, size_bytes : Path, int
        The file and its size [byte].
    encoding : str
        ``"ascii"``, ``"binary_little_endian"`` or ``"binary_big_endian"``.
    elements : tuple of PlyElement
        In file order.
    comments : tuple of str
        ``comment`` and ``obj_info`` lines, without those words.
    data_start, data_line : int
        First byte [byte] and first line (from 1) behind the header.
    """

    path: Path
    size_bytes: int
    encoding: str
    elements: tuple[PlyElement, ...]
    comments: tuple[str, ...]
    data_start: int
    data_line: int

    @cached_property
    def vertex(self) -> PlyElement:
        """The points."""
        return next(element for element in self.elements if element.name == "vertex")

    @property
    def before(self) -> tuple[PlyElement, ...]:
        """Elements in front of the points."""
        return self.elements[: self.elements.index(self.vertex)]

    @property
    def after(self) -> tuple[PlyElement, ...]:
        """Elements behind the points."""
        return self.elements[self.elements.index(self.vertex) + 1 :]

    @property
    def vertex_start(self) -> int:
        """First byte of the points in a binary file [byte]."""
        return self.data_start + sum(e.count * e.least_bytes for e in self.before)


def read_header(path: Path, stream: BinaryIO) -> PlyHeader:
    """Read a PLY header and hold it against the file's size.

    Parameters
    ----------
    path : Path
        The file, for messages.
    stream : binary file
        At its start.

    Raises
    ------
    FormatError
        It is not a PLY file, or one of meshes or shapes this toolkit does not read.
    CorruptFileError
        The header is not whole, or contradicts the file's size.
    """
    size = os.fstat(stream.fileno()).st_size
    head = stream.read(LARGEST_HEADER)
    if not head.startswith((b"ply\n", b"ply\r")):
        raise FormatError(f"{path} is not a PLY file but {describe_content(head)}.")
    if not head.startswith((b"ply\n", b"ply\r\n")):
        raise FormatError(
            f"{path} ends its lines with a carriage return alone. Convert its line ends first."
        )
    lines: list[str] = []
    start = 0
    while not lines or lines[-1] != "end_header":
        end = head.find(b"\n", start)
        if end < 0:
            raise corrupt(
                path,
                f"the PLY header has no end within {min(size, LARGEST_HEADER):,} bytes",
            )
        lines.append(head[start:end].decode("latin-1").strip())
        start = end + 1
    encoding = _encoding(path, lines)
    header = PlyHeader(
        path=path,
        size_bytes=size,
        encoding=encoding,
        elements=tuple(_elements(path, lines)),
        comments=tuple(
            line.partition(" ")[2].strip()
            for line in lines
            if _word(line) in ("comment", "obj_info")
        ),
        data_start=start,
        data_line=len(lines) + 1,
    )
    _check_vertex(header)
    _check_size(header)
    return header


def _word(line: str) -> str:
    return line.split(" ", 1)[0]


def _encoding(path: Path, lines: list[str]) -> str:
    for line in lines:
        words = line.split()
        if words and words[0] == "format":
            if len(words) == 3 and words[1] in BYTE_ORDERS and words[2] == "1.0":
                return words[1]
            raise FormatError(f"{path} has the PLY format {line!r}; this toolkit reads 1.0.")
    raise corrupt(path, "the PLY header has no format line")


def _elements(path: Path, lines: list[str]) -> list[PlyElement]:
    elements: list[PlyElement] = []
    for number, line in enumerate(lines, 1):
        words = line.split()
        if words[:1] == ["element"]:
            if len(words) != 3 or not words[2].isdecimal():
                raise corrupt(path, f"line {number} of the PLY header, {line!r}, has no row count")
            if any(element.name == words[1] for element in elements):
                raise corrupt(path, f"the PLY header has two elements {words[1]!r}")
            elements.append(PlyElement(words[1], int(words[2]), ()))
        elif words[:1] == ["property"]:
            if not elements:
                raise corrupt(path, f"line {number} of the PLY header is a property of nothing")
            last = elements.pop()
            new = _property(path, number, words)
            if any(prop.name == new.name for prop in last.properties):
                raise corrupt(path, f"the PLY element {last.name!r} has two {new.name!r}")
            elements.append(PlyElement(last.name, last.count, (*last.properties, new)))
    return elements


def _property(path: Path, number: int, words: list[str]) -> PlyProperty:
    types = words[2:4] if words[1:2] == ["list"] else words[1:2]
    if len(words) != len(types) + (3 if words[1:2] == ["list"] else 2) or any(
        name not in TYPES for name in types
    ):
        raise corrupt(path, f"line {number} of the PLY header, {' '.join(words)!r}, is no property")
    dtypes = [np.dtype(TYPES[name]) for name in types]
    return PlyProperty(words[-1], dtypes[-1], dtypes[0] if len(dtypes) == 2 else None)


def _check_vertex(header: PlyHeader) -> None:
    path = header.path
    if not any(element.name == "vertex" for element in header.elements):
        names = ", ".join(element.name for element in header.elements) or "none"
        raise FormatError(f"{path} has no PLY element 'vertex', so no points (it has: {names}).")
    if header.vertex.has_lists:
        raise FormatError(
            f"{path} stores lists with its points, which this toolkit does not read. "
            "Export the points without list properties."
        )
    present = {prop.name.lower() for prop in header.vertex.properties}
    if missing := sorted({"x", "y", "z"} - present):
        raise FormatError(f"the points of {path} have no {' and no '.join(missing)}.")
    if header.encoding != "ascii" and any(element.has_lists for element in header.before):
        raise FormatError(
            f"{path} stores lists in front of its points, which this toolkit does not read. "
            "Export it with the vertex element first."
        )


def _check_size(header: PlyHeader) -> None:
    room = header.size_bytes - header.data_start
    if header.encoding == "ascii":
        # A value takes a digit and a blank or line end; the last line end may be missing.
        needed = sum(2 * e.count * max(1, len(e.properties)) for e in header.elements) - 1
    else:
        needed = sum(e.count * e.least_bytes for e in header.elements)
    if needed > room:
        rows = ", ".join(f"{e.count:,} x {e.name}" for e in header.elements)
        raise corrupt(
            header.path,
            f"the PLY header announces {rows}, at least {needed:,} bytes, but the file has "
            f"{room:,} left",
        )
    if header.encoding == "ascii" or any(element.has_lists for element in header.elements):
        return
    if room - needed >= header.elements[-1].least_bytes:
        raise corrupt(
            header.path,
            f"the PLY header announces {needed:,} bytes of data, the file has {room:,}: there are "
            "more rows than it says, or they are longer",
        )
