"""Widgets of a notebook: views of data that exist without them, loaded on first use.

Knows which module holds which widget, and what to say when the extra ``widgets`` is not installed.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from cupixgeo.errors import MissingExtraError

if TYPE_CHECKING:
    from cupixgeo.widgets.compare import Compare
    from cupixgeo.widgets.dashboard import Dashboard
    from cupixgeo.widgets.launcher import Launcher
    from cupixgeo.widgets.map import Map
    from cupixgeo.widgets.scene import Scene

_MODULES = {
    "Compare": "cupixgeo.widgets.compare",
    "Dashboard": "cupixgeo.widgets.dashboard",
    "Launcher": "cupixgeo.widgets.launcher",
    "Map": "cupixgeo.widgets.map",
    "Scene": "cupixgeo.widgets.scene",
}

_EXTRA = ("anywidget", "ipyleaflet", "ipywidgets")
"""What the extra ``widgets`` installs."""

__all__ = ["Compare", "Dashboard", "Launcher", "Map", "Scene"]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'cupixgeo.widgets' has no attribute {name!r}")
    try:
        module = import_module(_MODULES[name])
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in _EXTRA:
            raise
        raise MissingExtraError(
            f"cx.widgets.{name} needs {package}, which is not installed: "
            'pip install "cupixgeo[widgets]"'
        ) from error
    value = getattr(module, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
