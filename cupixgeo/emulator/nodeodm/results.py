"""``all.zip``: what a completed task delivers, in the engine's own folders.

Made of the recorded scan of the photos' site, not of the uploaded images, and labelled so inside.
The point cloud is the scan's file as its owner published it, which an OpenDroneMap-family run made.
Knows names and formats. Knows no task states.

References
----------
OpenDroneMap 3.5 (layout of the project folder); NodeODM 2.2.4 (which paths go into all.zip).
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np

from cupixgeo.emulator.geotiff import Raster, write_geotiff
from cupixgeo.emulator.relief import Relief
from cupixgeo.emulator.tiles3d import write_glb

if TYPE_CHECKING:
    from cupixgeo.emulator.world import Brighton, PlacedPhoto

LAZ = "odm_georeferencing/odm_georeferenced_model.laz"
ORTHOPHOTO = "odm_orthophoto/odm_orthophoto.tif"
NODATA = -9999.0
EPSG = 32615
CELL_M = 0.25

_MODEL = "odm_textured_model_geo"
_FOCAL_RATIO = 20 / 36  # the photos' FocalLengthIn35mmFormat over the width of that format
_LABEL = """\
RECORDED RESULT
These files were not computed from the uploaded images. The cupixgeo emulator made them of a point
cloud that the owner of the demo photos published (BSD-2-Clause, see SOURCE.md of the data set
brighton_beach). The LAZ file is that cloud, unchanged; rasters ({cell} m a cell) and the mesh are
derived from it. Camera parameters and positions are those of the photos' own metadata.
{left_out}"""
_NOT_MADE = (
    "pc-las", "pc-csv", "pc-ept", "pc-copc", "orthophoto-png", "orthophoto-kmz", "tiles",
    "build-overviews", "dem-euclidean-map", "orthophoto-cutline",
)  # fmt: skip
_ALREADY_PACKED = frozenset({".laz", ".tif", ".png", ".glb"})


@dataclass(frozen=True)
class Order:
    """What an archive is made for.

    Parameters
    ----------
    options : mapping
        Options of the task that were set, by name.
    images : tuple of str
        Names of its images.
    outputs : tuple of str
        Paths asked for; empty for all.
    output : tuple of str
        Lines the engine printed.
    """

    options: Mapping[str, Any]
    images: tuple[str, ...]
    outputs: tuple[str, ...]
    output: tuple[str, ...]

    def has(self, name: str) -> bool:
        """Return whether a switch is on."""
        return bool(self.options.get(name))


def write_archive(site: Brighton, order: Order) -> bytes:
    """Return all.zip."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for name, content in _members(site, order):
            if name != "RECORDED.txt" and not _is_wanted(name, order.outputs):
                continue
            info = zipfile.ZipInfo(name, (2024, 5, 13, 8, 0, 0))
            is_packed = PurePosixPath(name).suffix in _ALREADY_PACKED
            info.compress_type = zipfile.ZIP_STORED if is_packed else zipfile.ZIP_DEFLATED
            info.external_attr = 0o644 << 16
            archive.writestr(info, content, compresslevel=1)
    return target.getvalue()


def write_orthophoto(site: Brighton) -> bytes:
    """Return the orthophoto as GeoTIFF."""
    relief = relief_of(site)
    return write_geotiff(_raster(relief, relief.rgba), nodata=0, has_alpha=True)


@lru_cache(maxsize=1)
def relief_of(site: Brighton) -> Relief:
    """Make the raster of a scan, in EPSG:32615; one process makes it once."""
    rgb = np.column_stack([site.attribute(name) for name in ("red", "green", "blue")])
    return Relief.from_points(site.original_xyz, rgb.astype(np.uint8), cell=CELL_M)


def _origin(relief: Relief) -> tuple[int, int]:
    """Whole easting and northing [m] that the model's coordinates are counted from."""
    rows, columns = relief.highest.shape
    x, y = relief.corner
    return int(x + columns * CELL_M / 2), int(y - rows * CELL_M / 2)


def _is_wanted(name: str, outputs: tuple[str, ...]) -> bool:
    return not outputs or any(name == path or name.startswith(f"{path}/") for path in outputs)


def _members(site: Brighton, order: Order) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of every file that the options ask for."""
    relief = relief_of(site)
    yield "RECORDED.txt", _label(order)
    yield LAZ, site.original_path.read_bytes()
    yield "odm_georeferencing/coords.txt", _coords(relief)
    if not order.has("skip-orthophoto"):
        yield ORTHOPHOTO, write_orthophoto(site)
    for name, height in (("dsm", relief.highest), ("dtm", relief.lowest)):
        if order.has(name):
            values = np.where(np.isfinite(height), height, NODATA).astype(np.float32)
            raster = _raster(relief, values[..., None])
            yield f"odm_dem/{name}.tif", write_geotiff(raster, nodata=NODATA)
    if not (order.has("skip-3dmodel") or order.has("fast-orthophoto")):
        yield from _model(relief, as_glb=order.has("gltf"))
    shown = [placed for placed in site.photos if placed.photo.path.name in order.images]
    yield "cameras.json", json.dumps(_cameras()).encode()
    yield "images.json", json.dumps([_image(placed) for placed in shown]).encode()
    yield "odm_report/shots.geojson", json.dumps(_shots(shown)).encode()
    if not order.has("skip-report"):
        yield "odm_report/stats.json", json.dumps(_stats(site, relief, order)).encode()
    yield "task_output.txt", "\n".join(order.output).encode()
    yield "log.json", json.dumps({"options": dict(order.options), "success": True}).encode()


def _label(order: Order) -> bytes:
    missing = [name for name in _NOT_MADE if order.has(name)]
    text = f"Asked for, and not made by the emulator: {', '.join(missing)}.\n" if missing else ""
    return _LABEL.format(cell=CELL_M, left_out=text).encode()


def _coords(relief: Relief) -> bytes:
    east, north = _origin(relief)
    return f"WGS84 UTM 15N\n{east} {north}\n".encode()


def _raster(relief: Relief, values: np.ndarray[Any, np.dtype[Any]]) -> Raster:
    return Raster(values, corner=relief.corner, pixel=CELL_M, epsg=EPSG)


def _model(relief: Relief, *, as_glb: bool) -> Iterator[tuple[str, bytes]]:
    mesh = relief.mesh(np.array([*_origin(relief), 0.0]))
    picture, material = f"{_MODEL}_material0000_map_Kd.png", "material0000"
    lines = [f"mtllib {_MODEL}.mtl"]
    lines += [f"v {x:.3f} {y:.3f} {z:.3f}" for x, y, z in mesh.vertices.tolist()]
    lines += [f"vt {u:.6f} {v:.6f}" for u, v in mesh.uv.tolist()]
    lines.append(f"usemtl {material}")
    lines += [f"f {a}/{a} {b}/{b} {c}/{c}" for a, b, c in (mesh.triangles.astype(int) + 1).tolist()]
    yield f"odm_texturing/{_MODEL}.obj", ("\n".join(lines) + "\n").encode()
    text = f"newmtl {material}\nKa 1 1 1\nKd 1 1 1\nillum 1\nmap_Kd {picture}\n"
    yield f"odm_texturing/{_MODEL}.mtl", text.encode()
    yield f"odm_texturing/{picture}", _png(relief)
    if as_glb:
        yield f"odm_texturing/{_MODEL}.glb", write_glb(mesh)


def _png(relief: Relief) -> bytes:
    from PIL import Image

    target = io.BytesIO()
    Image.fromarray(relief.rgb).save(target, "PNG")
    return target.getvalue()


def _cameras() -> dict[str, Any]:
    return {
        "dji fc300s 1600 900 perspective 0.5555": {
            "projection_type": "perspective",
            "width": 1600,
            "height": 900,
            "focal": _FOCAL_RATIO,
            "k1": 0.0,
            "k2": 0.0,
        }
    }


def _image(placed: PlacedPhoto) -> dict[str, Any]:
    photo = placed.photo
    return {
        "filename": photo.path.name,
        "width": 1600,
        "height": 900,
        "latitude": photo.lat_deg,
        "longitude": photo.lon_deg,
        "altitude": photo.alt_m,
    }


def _shots(shown: list[PlacedPhoto]) -> dict[str, Any]:
    features = [
        {
            "type": "Feature",
            "properties": {
                "filename": placed.photo.path.name,
                "focal": _FOCAL_RATIO,
                "width": 1600,
                "height": 900,
            },
            "geometry": {
                "type": "Point",
                "coordinates": [placed.photo.lon_deg, placed.photo.lat_deg, placed.photo.alt_m],
            },
        }
        for placed in shown
    ]
    return {"type": "FeatureCollection", "features": features}


def _stats(site: Brighton, relief: Relief, order: Order) -> dict[str, Any]:
    low, high = site.original_xyz.min(axis=0), site.original_xyz.max(axis=0)
    return {
        "processing_statistics": {"area": float(np.isfinite(relief.highest).sum()) * CELL_M**2},
        "reconstruction_statistics": {"initial_shots_count": len(order.images)},
        "point_cloud_statistics": {
            "dense": True,
            "stats": {
                "statistic": [
                    {"name": name, "minimum": float(least), "maximum": float(most)}
                    for name, least, most in zip("XYZ", low, high, strict=True)
                ]
            },
        },
        "recorded": True,
    }
