"""The frame of a file that does not say where it is.

Must not know any format.
"""

from __future__ import annotations

from pathlib import Path

from pyproj import CRS

from cupixgeo.geodesy.crs import local_frame


def file_frame(path: Path) -> CRS:
    """Make the local frame ``file:<name>`` of a file that states no CRS."""
    return local_frame("file:" + "".join(c if c.isprintable() else "?" for c in path.name))
