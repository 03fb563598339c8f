"""Point clouds from reality-capture clouds: list, place, reproject, merge, look.

>>> import cupixgeo as cx
>>> cx.OutputDescriptor.from_crs(32650).to_dict()["geo_cs"]
'EPSG:32650'

The names below load on first use, so that importing the package stays cheap. Datasets of xarray
get the accessor ``.cloud``: at once where xarray is loaded already, else as soon as it is and one
of these names is used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from cupixgeo.cloud import accessor as _accessor
from cupixgeo.errors import CupixGeoError, CupixGeoWarning
from cupixgeo.version import __version__ as __version__

if TYPE_CHECKING:
    from cupixgeo import widgets
    from cupixgeo.cloud.source import Source
    from cupixgeo.emulator import Emulator
    from cupixgeo.formats.registry import open_cloud as open
    from cupixgeo.geodesy.crs import as_crs, local_frame
    from cupixgeo.geodesy.descriptor import OutputDescriptor
    from cupixgeo.geodesy.georeference import Georeference
    from cupixgeo.geodesy.transform import Transform
    from cupixgeo.pipeline.merge import merge
    from cupixgeo.pipeline.report import MergeReport
    from cupixgeo.services.jobs import jobs, resume
    from cupixgeo.services.registry import connect

_LAZY = {
    "Emulator": "cupixgeo.emulator",
    "Georeference": "cupixgeo.geodesy.georeference",
    "MergeReport": "cupixgeo.pipeline.report",
    "OutputDescriptor": "cupixgeo.geodesy.descriptor",
    "Source": "cupixgeo.cloud.source",
    "Transform": "cupixgeo.geodesy.transform",
    "as_crs": "cupixgeo.geodesy.crs",
    "connect": "cupixgeo.services.registry",
    "jobs": "cupixgeo.services.jobs",
    "local_frame": "cupixgeo.geodesy.crs",
    "merge": "cupixgeo.pipeline.merge",
    "open": "cupixgeo.formats.registry:open_cloud",
    "resume": "cupixgeo.services.jobs",
}

__all__ = [
    "CupixGeoError",
    "CupixGeoWarning",
    "Emulator",
    "Georeference",
    "MergeReport",
    "OutputDescriptor",
    "Source",
    "Transform",
    "as_crs",
    "connect",
    "jobs",
    "local_frame",
    "merge",
    "open",
    "resume",
    "widgets",
]

_accessor.register()


def __getattr__(name: str) -> Any:
    _accessor.register()
    if name == "widgets":
        return import_module("cupixgeo.widgets")
    try:
        target = _LAZY[name]
    except KeyError:
        raise AttributeError(f"module 'cupixgeo' has no attribute {name!r}") from None
    module, _, attribute = target.partition(":")
    value = getattr(import_module(module), attribute or name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
