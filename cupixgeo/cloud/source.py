"""One input of a merge: a file, where it stands, and how to get it.

Services make these, the pipeline uses them; neither knows the other.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pyproj import CRS

from cupixgeo.errors import CloudError
from cupixgeo.geodesy.crs import CrsLike, as_crs, crs_label
from cupixgeo.geodesy.transform import Transform
from cupixgeo.progress import ProgressFn

Fetch = Callable[[ProgressFn | None], Path]


@dataclass(frozen=True, repr=False)
class Source:
    """A point cloud to merge.

    Parameters
    ----------
    path : path or None
        The file. None only together with `fetch`.
    transform : Transform or None
        Placement, from the frame the file's coordinates are in to where they belong.
    crs : CrsLike or None
        CRS of the file's coordinates, overriding what the file states.
    name : str or None
        What reports call it; the file's name unless given.
    fetch : callable or None
        Brings the file from a service; called with a progress watcher when the points are needed
        and returns the local path.
    provenance : mapping
        Where it came from (service, ids); copied into the report. No secrets.

    Raises
    ------
    CloudError
        Neither `path` nor `fetch` is given.
    """

    path: str | os.PathLike[str] | None
    transform: Transform | None = field(default=None, kw_only=True)
    crs: CrsLike | CRS | None = field(default=None, kw_only=True)
    name: str | None = field(default=None, kw_only=True)
    fetch: Fetch | None = field(default=None, kw_only=True, compare=False)
    provenance: Mapping[str, Any] = field(default_factory=dict, kw_only=True)

    def __post_init__(self) -> None:
        if self.path is None and self.fetch is None:
            raise CloudError("a Source needs a path, or a fetch function that returns one.")

    def __repr__(self) -> str:
        where = str(self.path) if self.path is not None else "fetched when needed"
        if self.transform is not None:
            frames = (crs_label(self.transform.source), crs_label(self.transform.target))
            return f"<Source {self.label}: {where}, {frames[0]} → {frames[1]}>"
        stated = "CRS as the file states" if self.crs is None else crs_label(as_crs(self.crs))
        return f"<Source {self.label}: {where}, {stated}>"

    @property
    def label(self) -> str:
        """What reports and messages call this source."""
        if self.name:
            return self.name
        return Path(self.path).name if self.path is not None else "unnamed source"

    def local_path(self, progress: ProgressFn | None = None) -> Path:
        """Path of the file on this machine, fetched first where it is not here yet."""
        if self.fetch is not None and (self.path is None or not Path(self.path).is_file()):
            return self.fetch(progress)
        assert self.path is not None
        return Path(self.path)
