"""One input of a merge: a file, where it stands, and how to get it.

Services make these, the pipeline uses them; neither knows the other.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Any
from urllib.parse import unquote, urlsplit

from pyproj import CRS

from cupixgeo.errors import CloudError
from cupixgeo.geodesy.crs import CrsLike, as_crs, crs_label
from cupixgeo.geodesy.transform import Transform
from cupixgeo.net.secret import redact
from cupixgeo.progress import ProgressFn

Fetch = Callable[[ProgressFn | None], Path]

SCHEMES = ("http:/", "https:/")
"""How addresses begin, also those that were taken for a path."""


@dataclass(frozen=True, repr=False)
class Source:
    """A point cloud to merge.

    Parameters
    ----------
    path : path, str or None
        The file, or its http(s) address, read by range requests. None only together with `fetch`.
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
        Neither `path` nor `fetch` is given, or an address as a path.
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
        if isinstance(self.path, PurePath) and str(self.path).lower().startswith(SCHEMES):
            raise CloudError("an address is no path: give it as text, not as a Path.")

    def __repr__(self) -> str:
        where = redact(str(self.path)) if self.path is not None else "fetched when needed"
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
        if _is_address(self.path):
            parts = urlsplit(str(self.path))
            return unquote(parts.path).rpartition("/")[2] or parts.hostname or "unnamed source"
        return Path(self.path).name if self.path is not None else "unnamed source"

    @property
    def address(self) -> str | None:
        """Http(s) address the file is read from; None where it is a file of this machine.

        As good as a key where it is a signed link: not to be shown.
        """
        return str(self.path) if _is_address(self.path) and self.fetch is None else None

    def local_path(self, progress: ProgressFn | None = None) -> Path:
        """Path of the file on this machine, fetched first where it is not here yet.

        Raises
        ------
        CloudError
            It is behind an address, and is not fetched as a whole.
        """
        if self.address is not None:
            raise CloudError(
                f"{self.label} is behind an address and has no path on this machine. Download it, "
                "or open the address: cupixgeo.open."
            )
        if self.fetch is not None and (self.path is None or not Path(self.path).is_file()):
            return self.fetch(progress)
        assert self.path is not None
        return Path(self.path)


def _is_address(path: str | os.PathLike[str] | None) -> bool:
    return isinstance(path, str) and path.lower().startswith(SCHEMES)
