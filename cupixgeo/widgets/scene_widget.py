"""What the scene and its front end tell each other: the traits of an anywidget, and nothing else.

The front end is ``frontend/dist/scene.js``, made of ``frontend/src`` by ``frontend/build.js``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anywidget
import traitlets

FRONTEND = Path(__file__).parent / "frontend"


class SceneWidget(anywidget.AnyWidget):
    """State that kernel and browser share. Lengths are metres from the scene's origin.

    Messages of the browser are ``{"kind": "want", "cloud", "node", "bits", "channel"}`` for the
    points of a node, ``{"kind": "table", "cloud"}`` for the nodes of an octree, ``{"kind": "pick",
    "cloud", "node", "index"}`` and ``{"kind": "clear"}``; the kernel answers ``{"kind": "node"}``
    or ``{"kind": "lost"}``, and ``{"kind": "table"}``.
    """

    _esm = FRONTEND / "dist" / "scene.js"
    _css = FRONTEND / "scene.css"

    clouds: traitlets.List[Any] = traitlets.List().tag(sync=True)
    shown: traitlets.List[Any] = traitlets.List().tag(sync=True)
    frame = traitlets.Dict().tag(sync=True)
    color = traitlets.Unicode().tag(sync=True)
    colors: traitlets.List[Any] = traitlets.List().tag(sync=True)
    paint = traitlets.Dict().tag(sync=True)
    point_size = traitlets.Float(2.0).tag(sync=True)
    shading = traitlets.Bool(True).tag(sync=True)
    clip: traitlets.List[Any] = traitlets.List().tag(sync=True)
    viewpoint = traitlets.Dict().tag(sync=True)
    frusta = traitlets.Bytes(b"").tag(sync=True)
    show_cameras = traitlets.Bool(True).tag(sync=True)
    mode = traitlets.Enum(["pick", "measure"], "pick").tag(sync=True)
    picked = traitlets.Dict().tag(sync=True)
    measured = traitlets.Dict().tag(sync=True)
    status = traitlets.Unicode().tag(sync=True)
    max_points = traitlets.Int().tag(sync=True)
    height = traitlets.Int(560).tag(sync=True)
