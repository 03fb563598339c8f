"""Merge reports and clouds made by hand, for tests of what is shown."""

from pathlib import Path

import numpy as np
from pyproj import CRS

from cupixgeo.cloud.schema import Attribute, CloudInfo, ColumnBlock
from cupixgeo.pipeline.report import MergeReport, SourceReport

UTM = CRS.from_epsg(32615)


class MemoryReader:
    """A `PointReader` over arrays."""

    def __init__(self, xyz, rgb=None, *, crs=UTM, bounds=None):
        self.xyz = np.asarray(xyz, float)
        self.rgb = rgb
        self._bounds = bounds
        names = ("red", "green", "blue") if rgb is not None else ()
        self.info = CloudInfo(
            path=Path("memory.laz"),
            format="LAZ",
            version="1.4",
            point_count=len(self.xyz),
            crs=crs,
            crs_source="made for a test",
            attributes=tuple(Attribute(name, np.dtype(np.uint16)) for name in names),
        )

    def bounds(self):
        if self._bounds is not None:
            return np.asarray(self._bounds, float)
        return np.stack([self.xyz.min(axis=0), self.xyz.max(axis=0)])

    def blocks(self, size=250_000, *, start=0, stop=None, columns=None):
        for first in range(0, len(self.xyz), size):
            part = slice(first, first + size)
            rgb = {} if self.rgb is None else self.rgb
            names = ("red", "green", "blue")
            yield ColumnBlock(
                self.xyz[part],
                {name: rgb[part, i] for i, name in enumerate(names)} if len(rgb) else {},
            )


def source_report(name="scan 1.ply", *, points=600_000, bounds=None, **changes):
    values = {
        "name": name,
        "path": f"scans/{name}",
        "format": "PLY",
        "point_format": None,
        "method": "records",
        "points_in": points,
        "points_kept": points,
        "bytes": points * 27,
        "crs": f"cupix:pointcloud/{name}, declared by its placement",
        "operation": {
            "source": f"cupix:pointcloud/{name}",
            "target": "EPSG:32615 (WGS 84 / UTM zone 15N)",
            "accuracy_m": 0.0,
            "steps": [
                {
                    "kind": "transform",
                    "name": "placement",
                    "source": f"cupix:pointcloud/{name}",
                    "target": "EPSG:4978 (WGS 84)",
                    "matrix": np.eye(4).tolist(),
                },
                {
                    "kind": "operation",
                    "name": "conversion to UTM zone 15N",
                    "definition": "proj=pipeline step inv proj=cart step proj=utm zone=15",
                    "accuracy_m": 0.0,
                    "grids": [],
                    "missing_grids": [],
                    "notes": ["heights are ellipsoidal heights"],
                },
            ],
        },
        "bounds": bounds or ((576661.9, 5188114.0, 156.0), (576710.0, 5188211.7, 168.9)),
        "interpolation_error_m": 2.5e-5,
        "seconds": 0.8,
        "provenance": {"service": "cupix", "pointcloud": 5311},
    }
    return SourceReport(**(values | changes))


def merge_report(**changes):
    sources = (
        source_report("scan 1.ply"),
        source_report(
            "scan 2.laz",
            points=340_393,
            bounds=((576700.0, 5188114.0, 157.0), (576768.2, 5188200.0, 168.0)),
            format="LAZ",
            point_format=3,
        ),
    )
    values = {
        "path": "site.laz",
        "format": "LAZ",
        "version": "1.4",
        "point_format": 7,
        "points_in": 940_393,
        "points_kept": 940_393,
        "bounds": ((576661.975, 5188114.056, 156.062), (576768.247, 5188211.700, 168.92)),
        "crs": "EPSG:32615 (WGS 84 / UTM zone 15N)",
        "crs_wkt": UTM.to_wkt(pretty=True),
        "scales": (0.001, 0.001, 0.001),
        "offsets": (576700.0, 5188160.0, 160.0),
        "quantisation_error_m": 0.0005,
        "interpolation_error_m": 2.5e-5,
        "accuracy_m": 0.0,
        "assumptions": (),
        "notes": (),
        "attributes_kept": ("intensity", "red", "green", "blue"),
        "attributes_converted": {"scan_angle_rank": "to scan_angle, in steps of 0.006 deg"},
        "attributes_dropped": {},
        "bytes_in": 25_000_000,
        "bytes_out": 6_300_000,
        "seconds": 1.9,
        "sources": sources,
        "software": {"cupixgeo": "0.1.0", "PROJ": "9.5.1"},
        "created": "2026-11-21T02:00:00+00:00",
    }
    return MergeReport(**(values | changes))
