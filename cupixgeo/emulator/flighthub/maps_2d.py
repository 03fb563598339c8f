"""The 2D products: orthophoto, surface model, the coarse one in degrees, their world files.

Knows ``map/`` of the desktop program. The pyramid of map tiles is not made.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import numpy as np

from cupixgeo.emulator.flighthub.scene import Scene
from cupixgeo.emulator.geotiff import Raster, write_geotiff

NODATA = -9999.0
_COARSE = 8


def members(scene: Scene) -> Iterator[tuple[str, bytes]]:
    """Yield the files below ``map/``."""
    surface = scene.surface
    picture = _raster(scene, surface.rgba)
    yield "map/result.tif", write_geotiff(picture, nodata=0, has_alpha=True, big=True)
    yield "map/dsm.tif", surface_model(scene)
    for name in ("result", "dsm"):
        yield f"map/{name}.tfw", picture.world_file.encode()
        if scene.target.crs is not None:
            yield f"map/{name}.prj", scene.target.crs.to_wkt("WKT1_ESRI").encode()
    if scene.is_placed:
        coarse = _coarse(scene)
        yield "map/gsddsm.tif", write_geotiff(coarse, nodata=NODATA)
        yield "map/gsddsm.tfw", coarse.world_file.encode()
    area = float(np.isfinite(surface.highest).sum()) * surface.cell**2
    yield "map/report/map_report.json", json.dumps({"gsd": surface.cell, "area": area}).encode()
    yield "map/2dPipeline_done", b""


def surface_model(scene: Scene) -> bytes:
    """Return the surface model as GeoTIFF: one band of float32, -9999 where nothing is known."""
    height = scene.surface.highest
    values = np.where(np.isfinite(height), height, NODATA).astype(np.float32)
    return write_geotiff(_raster(scene, values[..., None]), nodata=NODATA)


def _raster(scene: Scene, values: np.ndarray[tuple[int, ...], np.dtype[np.generic]]) -> Raster:
    crs = scene.target.crs
    return Raster(
        values,
        corner=scene.surface.corner,
        pixel=scene.surface.cell,
        epsg=crs.to_epsg() if crs is not None else None,
        is_geographic=scene.target.is_geographic,
    )


def _coarse(scene: Scene) -> Raster:
    """Make the second surface model: coarser, and in degrees whatever the CRS of the first."""
    surface = scene.surface
    height = surface.highest[::_COARSE, ::_COARSE]
    rows, columns = height.shape
    step = surface.cell * _COARSE
    x, y = surface.corner
    ends = np.array([[x, y, 0.0], [x + columns * step, y - rows * step, 0.0]])
    (west, north, _), (east, _, _) = scene.target.to_wgs84(ends)
    values = np.where(np.isfinite(height), height, NODATA).astype(np.float32)
    return Raster(
        values[..., None],
        corner=(float(west), float(north)),
        pixel=float(east - west) / columns,
        epsg=4326,
        is_geographic=True,
    )
