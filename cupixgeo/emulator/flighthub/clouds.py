"""The point-cloud products: LAS, PLY, PCD, 3D Tiles, and Gaussian splats.

Knows the folders and formats. LAS is 1.2 with GeoTIFF keys for the horizontal CRS and nothing
vertical, as such files were seen; a CRS without a code needs LAS 1.4 with WKT. Decided here: point
PLYs hold whole coordinates as doubles, because nobody has described which origin they have.
"""

from __future__ import annotations

import io
import json
import struct
from collections.abc import Collection, Iterator

import numpy as np
from pyproj import CRS

from cupixgeo.emulator.flighthub import reports
from cupixgeo.emulator.flighthub.scene import Scene
from cupixgeo.emulator.ply import write_ply
from cupixgeo.emulator.splats import splats_of, write_splat_ply
from cupixgeo.emulator.tiles3d import tileset, write_pnts

_SCALE_M = 0.001
_SCALE_DEG = 1e-8
_GROUND = 2
_SPLAT_CELLS_M = (0.5, 1.5)
_SBET_DOUBLES = 17


def members(
    scene: Scene, home: str, asked: Collection[str], *, is_lidar: bool
) -> Iterator[tuple[str, bytes]]:
    """Yield the point-cloud files that were asked for."""
    if "generate_las" in asked:
        ground = is_lidar and "ground_extract" in asked
        yield f"{home}/terra_las/cloud_merged.las", _las(scene, with_ground=ground)
    if "generate_point_ply" in asked:
        name = "cloud_merged.ply" if is_lidar else "cloudR.ply"
        normals = "output_ply_with_normals" in asked
        yield f"{home}/terra_point_ply/{name}", _ply(scene, with_normals=normals)
    if "generate_pcd" in asked:
        yield f"{home}/terra_pcd/cloud_merged.pcd", _pcd(scene)
    if "generate_pnts" in asked and scene.is_placed:
        enu = scene.enu(scene.xyz)
        low, high = enu.min(axis=0), enu.max(axis=0)
        folder = f"{home}/terra_pnts"
        yield f"{folder}/tileset.json", tileset("cloud.pnts", low, high, transform=scene.earth)
        yield f"{folder}/cloud.pnts", write_pnts(enu, scene.rgb)
    if is_lidar and scene.is_placed:
        yield f"{home}/recorded_sbet.out", _sbet(scene)


def splat_members(scene: Scene) -> Iterator[tuple[str, bytes]]:
    """Yield two levels of splats in one block, with the descriptor of their frame."""
    if not scene.is_placed:
        return
    enu = scene.enu(scene.xyz)
    for level, cell in enumerate(_SPLAT_CELLS_M):
        splats = splats_of(enu, scene.rgb / 255.0, cell_m=cell)
        yield f"Block000/LOD{level}/point_cloud.ply", write_splat_ply(splats)
    descriptor = {"cs_type": "LOCAL_ENU_CS", "offset": [0, 0, 0],
                  "ref_GPS": reports.reference(scene)}  # fmt: skip
    yield "geo_desc.json", json.dumps(descriptor).encode()
    place = reports.reference(scene)
    yield (
        "metadata.xml",
        (
            '<?xml version="1.0" encoding="utf-8"?>\n<ModelMetadata version="1">\n'
            f"  <SRS>ENU:{place['latitude']!r},{place['longitude']!r}</SRS>\n"
            f"  <SRSOrigin>0,0,{place['altitude']!r}</SRSOrigin>\n</ModelMetadata>\n"
        ).encode(),
    )


def _las(scene: Scene, *, with_ground: bool) -> bytes:
    import laspy

    crs = scene.target.crs
    code = crs.to_epsg() if crs is not None else None
    new = crs is not None and code is None
    header = laspy.LasHeader(version="1.4" if new else "1.2", point_format=7 if new else 3)
    header.generating_software = "cupixgeo emulator, recorded"
    header.system_identifier = "DJI Terra layout"
    xy = _SCALE_DEG if scene.target.is_geographic else _SCALE_M
    header.scales = np.array([xy, xy, _SCALE_M])
    header.offsets = scene.origin
    if code is not None and crs is not None:
        header.vlrs.append(
            laspy.VLR("LASF_Projection", 34735, "GeoKeyDirectoryTag", _geo_keys(crs, code))
        )
    elif crs is not None:
        text = crs.to_wkt("WKT1_GDAL").encode() + b"\0"
        header.vlrs.append(laspy.VLR("LASF_Projection", 2112, "WKT", text))
        header.global_encoding.wkt = True
    cloud = laspy.LasData(header)
    cloud.x, cloud.y, cloud.z = scene.xyz.T
    cloud.red, cloud.green, cloud.blue = scene.rgb16.T
    cloud.return_number[:] = 1
    cloud.number_of_returns[:] = 1
    if with_ground:
        cloud.classification[:] = np.where(scene.xyz[:, 2] < scene.origin[2], _GROUND, 1)
    target = io.BytesIO()
    cloud.write(target, do_compress=False)
    return target.getvalue()


def _geo_keys(crs: CRS, code: int) -> bytes:
    model, place = (2, 2048) if crs.is_geographic else (1, 3072)
    return struct.pack("<16H", 1, 1, 0, 3, 1024, 0, 1, model, 1025, 0, 1, 1, place, 0, 1, code)


def _ply(scene: Scene, *, with_normals: bool) -> bytes:
    x, y, z = scene.xyz.T
    columns: dict[str, np.ndarray[tuple[int, ...], np.dtype[np.generic]]] = {
        "x": x, "y": y, "z": z
    }  # fmt: skip
    if with_normals:
        up = np.ones(len(x), np.float32)
        columns |= {"nx": up * 0, "ny": up * 0, "nz": up}
    columns |= dict(zip(("red", "green", "blue"), scene.rgb.T, strict=True))
    return write_ply(columns)


def _pcd(scene: Scene) -> bytes:
    count = len(scene.xyz)
    head = (
        "# .PCD v0.7 - Point Cloud Data file format\nVERSION 0.7\nFIELDS x y z\nSIZE 8 8 8\n"
        f"TYPE F F F\nCOUNT 1 1 1\nWIDTH {count}\nHEIGHT 1\nVIEWPOINT 0 0 0 1 0 0 0\n"
        f"POINTS {count}\nDATA binary\n"
    )
    return head.encode() + scene.xyz.astype("<f8").tobytes()


def _sbet(scene: Scene) -> bytes:
    """Make up a short straight flight over the scan: 17 doubles a record."""
    count = 200
    share = np.linspace(-1, 1, count)
    lon, lat, height = scene.origin_wgs84
    records = np.zeros((count, _SBET_DOUBLES))
    records[:, 0] = 400_000 + np.arange(count) / 200
    records[:, 1] = np.radians(lat + share * 4e-4)
    records[:, 2] = np.radians(lon)
    records[:, 3] = height + 40
    return records.astype("<f8").tobytes()
