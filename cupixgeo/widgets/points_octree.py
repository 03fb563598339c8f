"""A COPC file of any size: nodes of its octree, read when the view needs them.

Nothing but the list of nodes and the coarsest points is read before the scene is there, so that a
hundred million points open as fast as one million. What was read last is kept for the next colour.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from threading import Lock
from typing import Any

import numpy as np
from pyproj import CRS

from cupixgeo.cloud.schema import FloatArray, PointBlock
from cupixgeo.cloud.spatial_ref import AXES
from cupixgeo.errors import EmptyCloudError
from cupixgeo.formats.copc.reader import CopcNodes
from cupixgeo.widgets.points import SAMPLE_POINTS, Columns, Variable

KEPT_POINTS = 2_000_000
"""Points of nodes read last that are kept decoded: some 100 MB."""

MOST_SAMPLED, MOST_NODES = 150_000, 64
"""Points and nodes up to which a sample is read, whatever is asked for."""


class OctreeCloud:
    """A COPC file, local or at an http(s) address.

    Parameters
    ----------
    name : str
        What it is called in the scene.
    path : path or str
        The file or its address.

    Raises
    ------
    FormatError
        It is not COPC.
    EmptyCloudError
        It holds no points.
    CloudError, ServiceError, TransferError
        It cannot be read.
    """

    def __init__(self, name: str, path: str | os.PathLike[str]) -> None:
        self.name = name
        self._nodes = CopcNodes(path)
        self._cells = self._nodes.nodes
        if not len(self._cells.points):
            self._nodes.close()
            raise EmptyCloudError(f"{name} holds no points, so there is nothing to show.")
        self._order = np.lexsort((np.arange(len(self._cells.points)), self._cells.key[:, 0]))
        self._kept: OrderedDict[int, PointBlock] = OrderedDict()
        self._lock = Lock()
        self.note = ""

    @property
    def crs(self) -> CRS:
        """CRS of the coordinates."""
        return self._nodes.crs

    @property
    def point_count(self) -> int:
        """Points of the file."""
        return int(self._cells.points.sum())

    @property
    def box(self) -> FloatArray:
        """Box the header states, within that of the octree: shape (2, 3), float64 [CRS units]."""
        octree = self._nodes.octree
        low = np.array(octree.low)
        cube = np.stack([low, low + octree.size])
        stated = np.clip(self._nodes.box, *cube)
        return stated if (stated[0] < stated[1]).any() else cube

    def somewhere(self) -> FloatArray:
        """Middle of the cloud, shape (3,), float64 [CRS units]."""
        return np.asarray(self.box.mean(axis=0), np.float64)

    @property
    def variables(self) -> Mapping[str, Variable]:
        """One number a point each."""
        return {
            a.name: Variable(a.name, a.dtype, a.unit)
            for a in self._nodes.info.attributes
            if not a.dtype.shape and a.dtype.kind in "iufb"
        }

    def columns(self, node: int, names: Sequence[str]) -> Columns:
        """Values of the points of a node, shape (n,) each, in the file's order."""
        block = self._block(node)
        columns: dict[str, Any] = {}
        for name in names:
            columns[name] = block.xyz[:, AXES.index(name)] if name in AXES else block.column(name)
        return columns

    def _block(self, node: int) -> PointBlock:
        with self._lock:
            block = self._kept.get(node)
            if block is not None:
                self._kept.move_to_end(node)
                return block
        block = self._nodes.read(self._cells.key[node])
        with self._lock:
            self._kept[node] = block
            while sum(map(len, self._kept.values())) > KEPT_POINTS and len(self._kept) > 1:
                self._kept.popitem(last=False)
        return block

    def node_box(self, node: int) -> FloatArray:
        """Cell of a node: shape (2, 3), float64 [CRS units]."""
        return np.stack([self._cells.low[node], self._cells.high[node]])

    def sample(self, names: Sequence[str], points: int = SAMPLE_POINTS) -> Columns:
        """Values of the points of the coarsest nodes, shape (n,) each."""
        wanted = min(points, MOST_SAMPLED)
        reached = np.cumsum(self._cells.points[self._order]) - self._cells.points[self._order]
        nodes = self._order[reached < wanted][:MOST_NODES]
        parts = [self.columns(int(node), names) for node in nodes]
        return {name: np.concatenate([part[name] for part in parts]) for name in names}

    def exact(self, node: int, index: int) -> dict[str, float]:
        """Coordinates and variables of one point as the file stores them."""
        names = list(self.variables)
        columns = self.columns(node, [*AXES, *names])
        return {name: float(values[index]) for name, values in columns.items()}

    def describe(self) -> dict[str, Any]:
        """Say that nodes are listed in `table`; lengths in CRS units."""
        octree = self._nodes.octree
        return {
            "kind": "octree",
            "points": self.point_count,
            "root": [list(octree.low), [low + octree.size for low in octree.low]],
            "spacing": octree.spacing,
        }

    def table(self) -> bytes:
        """Nodes, five int32 each: level, x, y, z, points."""
        rows = np.column_stack([self._cells.key, self._cells.points])
        return rows.astype("<i4").tobytes()

    def close(self) -> None:
        """Close the file."""
        self._nodes.close()

    def __del__(self) -> None:
        nodes = self.__dict__.get("_nodes")
        if nodes is not None:
            nodes.close()
