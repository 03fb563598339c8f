"""The small texts of a result archive: label, metadata.xml, reports, log.

Knows their wording and keys. Source: project folders of DJI Terra as public readers describe them.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any
from xml.sax.saxutils import escape

from cupixgeo.emulator.flighthub.scene import Scene

_LABEL = """\
RECORDED RESULT
This archive was not computed from the uploaded photos. The cupixgeo emulator made it of a point
cloud that the owner of the demo photos published (BSD-2-Clause, see SOURCE.md of the data set
brighton_beach). Kind: {kind}. It holds every {every_nth}. point of that cloud.
Meshes, rasters and splats are derived from the same points.
{left_out}"""
_NOT_MADE = ("generate_s3mb", "generate_i3s", "generate_point_s3mb", "generate_blocks_exchange_xml")


def label(kind: str, asked: Collection[str], every_nth: int) -> bytes:
    """Return the text that says what the archive is, and what was asked for and is not in it."""
    missing = [name for name in _NOT_MADE if name in asked]
    lines = f"Asked for, and not made by the emulator: {', '.join(missing)}.\n" if missing else ""
    if "generate_osgb" in asked:
        lines += "The .osgb file is a placeholder that no program can read.\n"
    return _LABEL.format(kind=kind, every_nth=every_nth, left_out=lines).encode()


def metadata_xml(scene: Scene) -> bytes:
    """Return metadata.xml: SRS and origin of a mesh."""
    x, y, z = scene.origin
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n<ModelMetadata version="1">\n'
        "  <!--Spatial Reference System-->\n"
        f"  <SRS>{escape(scene.target.srs)}</SRS>\n"
        "  <!--Origin in Spatial Reference System-->\n"
        f"  <SRSOrigin>{x:.14g},{y:.14g},{z:.14g}</SRSOrigin>\n"
        "  <Texture>\n    <ColorSource>Visible</ColorSource>\n  </Texture>\n</ModelMetadata>\n"
    ).encode()


def sfm_descriptor(scene: Scene) -> bytes:
    """Return AT/sfm_geo_desc.json: the frame of the aerotriangulation."""
    if not scene.is_placed:
        return json.dumps({"cs_type": "LOCAL_CS"}).encode()
    return json.dumps(
        {"cs_type": "LOCAL_ENU_CS", "offset": [0, 0, 0], "ref_GPS": reference(scene),
         "rvec": [0, 0, 0], "scale": 1.0}
    ).encode()  # fmt: skip


def reference(scene: Scene) -> dict[str, float]:
    """Return the origin as ref_GPS."""
    lon, lat, height = (float(n) for n in scene.origin_wgs84)
    return {"altitude": height, "latitude": lat, "longitude": lon}


def model_report(scene: Scene, parameter: Mapping[str, Any]) -> bytes:
    """Return report/model_report.json."""
    crs = scene.target.crs
    report = {
        "output coordinate": crs.name if crs is not None else "Local",
        "output vertical coordinate": scene.target.descriptor.get("override_vertical_cs")
        or "Default",
        **{
            name.replace("_", " "): value
            for name, value in parameter.items()
            if name.startswith("generate_") and isinstance(value, bool)
        },
    }
    return json.dumps(report, indent=1).encode()


def log(scene: Scene, kind: str) -> bytes:
    """Return SDK_Log.txt with the line that repeats the descriptor."""
    descriptor = json.dumps(scene.target.descriptor, separators=(",", ":"))
    return (
        f"[2024-05-13 08:00:00.000][info] recorded by the cupixgeo emulator, kind {kind}\n"
        f"[2024-05-13 08:00:00.001][info] Output geo descriptor: {descriptor}\n"
    ).encode()
