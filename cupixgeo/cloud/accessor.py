"""When `xarray.Dataset` gets its accessor ``.cloud``: as soon as xarray is loaded, and not before.

Importing xarray takes longer than merging a few million points, and a merge needs nothing of it. So
`import cupixgeo` registers the accessor if xarray is there already; else whatever is used of this
package afterwards does, and so do the modules datasets come from: also xarray's own `open_dataset`
in any format, for it loads all installed backends. Must not know what the accessor does.
"""

from __future__ import annotations

import sys
from importlib import import_module

ACCESSOR = "cupixgeo.pipeline.accessor"
"""Module with the accessor's `register`; it stands above this one, so it is not imported by it."""


def register() -> None:
    """Register the accessor if xarray is loaded; a second call does nothing."""
    if "xarray" in sys.modules:
        import_module(ACCESSOR).register()
