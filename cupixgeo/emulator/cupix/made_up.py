"""Facilities 13, 14 and 21: many rows, no georeference, another team. All of it is made up."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from cupixgeo.emulator.clock import iso_time
from cupixgeo.emulator.cupix.ids import Ids
from cupixgeo.emulator.cupix.site import IDENTITY, Contents, File, Placed, Site, geographic
from cupixgeo.emulator.files import small_cloud, write_laz
from cupixgeo.emulator.frames import Georeference, placement, quaternion, rotation

PANOS = 10_000
_SUBS_PER_GROUP = 23
_SUB_POINTS = 300
_EASTING_M, _NORTHING_M, _HEIGHT_M, _BEARING_DEG = 565_210.5, 5_933_480.25, 8.25, -12.0
_ROW_LENGTH = 50
_STEP_M = 2.0
_BAY_M = 110.0
_CAMERA_HEIGHT_M = 1.7


def small_contents(seed: int, item_id: int, *, points: int = _SUB_POINTS) -> Contents:
    """Return the downloads of a small made-up cloud."""

    @cache
    def file() -> bytes:
        xyz, attributes = small_cloud((seed, item_id), points)
        return write_laz(xyz, attributes, point_format=7)

    return Contents(f"scan-{item_id}.laz", lambda: points, lambda: len(file()), file)


def build_big(ids: Ids, seed: int, images: list[Path]) -> Site:
    """Return facility 13: 5 captures with a group of 23 subs and 2,000 panos each."""
    georeference = {
        "epsg_code": "32632", "alt": None, "bearing": _BEARING_DEG, "lat": None, "lon": None,
        "x": repr(_EASTING_M), "y": repr(_NORTHING_M), "z": repr(_HEIGHT_M),
    }  # fmt: skip
    site = Site(
        ids.big_facility, ids.big_facility_key, "Harbour hall", 1, georeference,
        ids.big_record, 43, "2024-02-20T07:30:00.000Z",
    )  # fmt: skip
    site.add_frame(level="Floor 1", record="Weekly walk", panos=PANOS)
    rng = np.random.default_rng((seed, ids.big_facility))
    panos = _walk(len(ids.big_captures), images)
    per_capture = PANOS // len(ids.big_captures)
    for number, capture_id in enumerate(ids.big_captures):
        name = f"Bay {number + 1}"
        capture = site.add_capture(capture_id, name, material="pano", panos=per_capture)
        turn = rotation(yaw_deg=rng.uniform(-180, 180))
        placed = Placed.alone(placement(turn, (_BAY_M * number, 5.0, 0.0)))
        cluster = site.add_cluster(3430 + number, name, capture, placed)
        group = site.add_group(5400 + 24 * number, name, placed, cluster=cluster)
        for k in range(_SUBS_PER_GROUP):
            turn = rotation(yaw_deg=rng.uniform(-180, 180))
            tm = placement(turn, (12.0 * (k % 8), 9.0 * (k // 8), 0.0))
            item_id = group.id + 1 + k
            scan = small_contents(seed, item_id)
            site.add_sub(item_id, f"{name} scan {k + 1}", placed.under(tm), group, contents=scan)
        for row, (fields, image) in islice(panos, per_capture):
            pano_id = ids.big_first_pano + row
            site.add_pano(
                pano_id, f"pano-{row:05d}", fields, capture=capture, cluster=cluster, image=image
            )
    return site


def build_local(ids: Ids, seed: int) -> Site:
    """Return facility 14: two subs, no georeference."""
    site = Site(
        ids.local_facility, ids.local_facility_key, "Warehouse", 1, None,
        ids.local_record, 44, "2024-04-02T10:00:00.000Z",
    )  # fmt: skip
    site.add_frame(level="Hall", record="Hand scan")
    _add_pair(site, seed, capture_id=831, cluster_id=3450, group_id=5700)
    return site


def build_foreign(ids: Ids, seed: int) -> Site:
    """Return facility 21, which belongs to the second team."""
    origin = Georeference(-33.8568, 151.2153, alt_m=26.0, bearing_deg=10.0)
    site = Site(
        ids.foreign_facility, ids.foreign_facility_key, "Southern wharf", 2, geographic(origin),
        ids.foreign_record, 45, "2024-04-09T01:00:00.000Z",
    )  # fmt: skip
    site.add_frame(level="Deck", record="Monthly scan")
    _add_pair(site, seed, capture_id=841, cluster_id=3490, group_id=ids.foreign_group)
    return site


def _add_pair(site: Site, seed: int, *, capture_id: int, cluster_id: int, group_id: int) -> None:
    capture = site.add_capture(capture_id, "Scan", material="pointcloud")
    placed = Placed.alone(IDENTITY)
    cluster = site.add_cluster(cluster_id, "Scan", capture, placed)
    group = site.add_group(group_id, "Scan", placed, cluster=cluster)
    for number in (1, 2):
        tm = placement(rotation(yaw_deg=15.0 * number), (10.0 * number, 0.0, 0.5))
        sub_id = group_id + number
        site.add_sub(
            sub_id, f"Scan {number}", placed.under(tm), group,
            contents=small_contents(seed, sub_id),
        )  # fmt: skip


def _walk(bays: int, images: list[Path]) -> Iterator[tuple[int, tuple[dict[str, Any], File]]]:
    """Yield number, pose and image of every pano, along rows that are walked up and down."""
    row, column = np.divmod(np.arange(PANOS), _ROW_LENGTH)
    along = np.where(row % 2 == 0, column, _ROW_LENGTH - 1 - column) * _STEP_M
    rows_per_bay = PANOS // bays // _ROW_LENGTH
    x = row // rows_per_bay * _BAY_M + along
    y = row % rows_per_bay * _STEP_M
    positions = np.column_stack([x, y, np.full(PANOS, _CAMERA_HEIGHT_M)])
    gps = _origin().gps_from_local(positions)
    quats = [quaternion(rotation(yaw_deg=yaw)) for yaw in (-90.0, 90.0)]
    start = datetime(2024, 2, 20, 7, 30, tzinfo=UTC).timestamp()
    for number in range(PANOS):
        lon, lat, alt = gps[number].tolist()
        fields = {
            "captured_at": iso_time(start + 2 * number),
            "geo_coordinate": {"pos": positions[number].tolist(), "quat": quats[row[number] % 2]},
            "gps": {"lat": lat, "lon": lon, "alt": alt},
            "location": {"lat": lat, "lon": lon},
        }
        image = images[number % len(images)]
        yield number, (fields, (image.name, "image/jpeg", image.read_bytes))


@cache
def _origin() -> Georeference:
    from pyproj import Transformer

    to_gps = Transformer.from_pipeline(
        "+proj=pipeline +step +inv +proj=utm +zone=32 +ellps=WGS84 "
        "+step +proj=unitconvert +xy_in=rad +xy_out=deg"
    )
    lon, lat = to_gps.transform(_EASTING_M, _NORTHING_M)
    return Georeference(lat, lon, alt_m=_HEIGHT_M, bearing_deg=_BEARING_DEG)
