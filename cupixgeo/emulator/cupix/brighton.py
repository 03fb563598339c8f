"""Facility 12: the real scan as pointclouds and the real photos as panos."""

from __future__ import annotations

from cupixgeo.emulator.clock import iso_time
from cupixgeo.emulator.cupix.ids import Ids
from cupixgeo.emulator.cupix.models import Item
from cupixgeo.emulator.cupix.site import Contents, Placed, Site, geographic
from cupixgeo.emulator.world import EAST, WEST, Brighton, ClusterPlan, PlacedPhoto, Sub

_NAMES = {WEST.cluster_id: "Shore west", EAST.cluster_id: "Shore east"}


def build_brighton(ids: Ids, brighton: Brighton) -> Site:
    """Return the facility with everything in it."""
    photos = brighton.photos
    site = Site(
        id=ids.facility,
        key=ids.facility_key,
        name="Brighton Beach",
        team=1,
        georeference=geographic(brighton.georeference),
        record_id=ids.record,
        level_id=ids.level,
        captured_at=iso_time(photos[0].photo.taken_at),
    )
    site.add_frame(level="Ground", record="Survey flight", panos=len(photos))
    clusters: dict[int, tuple[Item, Item]] = {}
    for plan, capture_id in zip((WEST, EAST), ids.captures, strict=True):
        clusters[plan.cluster_id] = _add_side(site, brighton, plan, capture_id)
    for number, placed in enumerate(photos):
        capture, cluster = clusters.get(placed.cluster_id or 0, (None, None))
        _add_photo(
            site,
            ids.first_pano + number,
            placed,
            capture=capture or clusters[EAST.cluster_id][0],
            cluster=cluster,
        )
    return site


def _add_side(
    site: Site, brighton: Brighton, plan: ClusterPlan, capture_id: int
) -> tuple[Item, Item]:
    name = _NAMES[plan.cluster_id]
    material = "pointcloud" if plan.kind == "uploaded" else "pano"
    capture = site.add_capture(capture_id, name, material=material)
    placed = Placed.alone(brighton.cluster_placement(plan), scale=plan.scale)
    cluster = site.add_cluster(plan.cluster_id, name, capture, placed)
    group = site.add_group(plan.group_id, name, placed, kind=plan.kind, cluster=cluster)
    for number, sub_id in enumerate(plan.sub_ids, start=1):
        sub = brighton.subs[sub_id]
        site.add_sub(
            sub_id, f"{name} {number}", Placed(sub.tm, sub.wtm), group, contents=_contents(sub)
        )
    return capture, cluster


def _contents(sub: Sub) -> Contents:
    return Contents(
        filename=sub.filename,
        points=lambda: sub.point_count,
        size=lambda: sub.file_size,
        file=lambda: sub.file,
        ply=None if sub.kind == "uploaded" else lambda: sub.ply,
    )


def _add_photo(
    site: Site, pano_id: int, placed: PlacedPhoto, *, capture: Item, cluster: Item | None
) -> None:
    photo = placed.photo
    taken_at = iso_time(photo.taken_at)
    fields = {
        "captured_at": taken_at,
        "exif": {"exif": {"CreateDate": taken_at}},
        "gps": {"lat": photo.lat_deg, "lon": photo.lon_deg, "alt": photo.alt_m},
        "location": {"lat": photo.lat_deg, "lon": photo.lon_deg},
        "geo_coordinate": {"pos": list(placed.pos), "quat": placed.quat} if cluster else None,
    }
    image = (photo.path.name, "image/jpeg", photo.path.read_bytes)
    site.add_pano(pano_id, photo.path.stem, fields, capture=capture, cluster=cluster, image=image)
