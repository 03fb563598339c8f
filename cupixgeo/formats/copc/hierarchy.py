"""The records of a COPC file that make an octree of its chunks.

Knows the info record, and how cells are listed in pages. Must not know points.

Source: COPC specification 1.0 (copc.io), info VLR and hierarchy VLR.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

from cupixgeo.formats.copc.cube import ROOT, Cell

INFO = struct.Struct("<5d2Q2d88x")
"""Centre, half edge, spacing, first page and its bytes, least and greatest GPS time."""

ENTRY = struct.Struct("<4iQ2i")
"""Level, x, y, z, first byte, bytes, points (-1: the entry is in another page)."""

EVLR_HEADER = struct.Struct("<H16sHQ32s")

PAGE_ENTRIES = 1024
"""Most entries of a page: 32 kB, little enough to be fetched for a glance."""


@dataclass(frozen=True)
class Chunk:
    """Where the points of a node are.

    Parameters
    ----------
    start, size : int
        In the file [byte].
    points : int
        How many; 0 for a node that only leads to others.
    """

    start: int = 0
    size: int = 0
    points: int = 0


@dataclass(frozen=True)
class Hierarchy:
    """Pages of an octree.

    Parameters
    ----------
    data : bytes
        Extended record, header and all.
    root_start, root_bytes : int
        First page [byte].
    """

    data: bytes
    root_start: int
    root_bytes: int


def build_hierarchy(chunks: Mapping[Cell, Chunk], start: int) -> Hierarchy:
    """List nodes in pages.

    Parameters
    ----------
    chunks : mapping of Cell to Chunk
        Every node with points.
    start : int
        Where the extended record will begin [byte].
    """
    nodes = dict(chunks)
    for cell in chunks:
        for level in range(cell.level - 1, -1, -1):
            if cell.above(level) in nodes:
                break
            nodes[cell.above(level)] = Chunk()
    nodes.setdefault(ROOT, Chunk())
    children: dict[Cell, list[Cell]] = {}
    for cell in sorted(nodes):
        if cell.level:
            children.setdefault(cell.above(cell.level - 1), []).append(cell)
    pages = _pages(children)
    at = start + EVLR_HEADER.size
    starts = {}
    for top, cells in pages.items():
        starts[top] = Chunk(at, len(cells) * ENTRY.size, -1)
        at += len(cells) * ENTRY.size
    data = bytearray(
        EVLR_HEADER.pack(0, b"copc", 1000, at - start - EVLR_HEADER.size, b"EPT hierarchy")
    )
    for top, cells in pages.items():
        for cell in cells:
            chunk = starts[cell] if cell in starts and cell != top else nodes[cell]
            data += ENTRY.pack(*cell.key, chunk.start, chunk.size, chunk.points)
    return Hierarchy(bytes(data), starts[ROOT].start, starts[ROOT].size)


def _pages(children: Mapping[Cell, list[Cell]]) -> dict[Cell, list[Cell]]:
    """Cells of each page, its top one first; a cell that has a page of its own is in two.

    A page is filled with whole subtrees, small ones first. While there is room, the largest of
    those that do not fit is opened; then what is left gets pages of its own.
    """
    sizes: dict[Cell, int] = {}
    for cell in sorted({c for below in children.values() for c in below}, reverse=True):
        sizes[cell] = 1 + sum(sizes[child] for child in children.get(cell, []))
    pages: dict[Cell, list[Cell]] = {}
    tops = deque([ROOT])
    while tops:
        top = tops.popleft()
        page = pages[top] = [top]
        waiting = sorted((sizes[cell], cell) for cell in children.get(top, []))
        room = PAGE_ENTRIES - 1 - len(waiting)
        while waiting:
            if waiting[0][0] - 1 <= room:
                size, cell = waiting.pop(0)
                page += _subtree(cell, children)
                room -= size - 1
                continue
            _, cell = waiting.pop()
            page.append(cell)
            below = children[cell]
            if len(below) <= room:
                waiting = sorted([*waiting, *((sizes[child], child) for child in below)])
                room -= len(below)
            else:
                tops.append(cell)
    return pages


def _subtree(top: Cell, children: Mapping[Cell, list[Cell]]) -> list[Cell]:
    """List a cell and all below it, from the top down."""
    cells = [top]
    for cell in cells:
        cells += children.get(cell, [])
    return cells
