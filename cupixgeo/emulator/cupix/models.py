"""The kinds of objects and their field names: what may be asked for.

A requested name that is listed here but unset comes back as null; other names are ignored.

References
----------
CupixWorks OpenAPI v1.9.4, schemas Pointcloud, Cluster, Pano, Capture, Record, Level, Facility,
Mesh; v1.13.3 for the newer fields of pointclouds and panos; CupixWorks pointcloud page.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

_COMMON = "id name state meta workspace team user created_at updated_at thumbnail_urls permission"


def _names(text: str) -> frozenset[str]:
    return frozenset(f"{_COMMON} {text}".split())


FIELDS: dict[str, frozenset[str]] = {
    "pointcloud": _names(
        "editing_state kind parent cluster capture record level levels facility published_at "
        "location use_georeference georeference constants pointcloud_type potree_state potree_url "
        "octree_state octree_download_url points_count filesize resource_state mesh_uploaded_at "
        "ply_uploaded_at cpc_mesh_state cpc_mesh_download_url mesh_type entry_filename "
        "processing_state error_code voxel_state bim_icp_tm use_bim_icp_tm anchor_type anchor_id "
        "anchor_position camera cycle_state"
    ),
    "cluster": _names(
        "uuid kind bucket size capture node parent root_id cluster_type record level facility"
    ),
    "pano": _names(
        "pano_type version tile_state mask_state error_code processing_status origin cluster "
        "capture facility record level exif exif_create_date published_at captured_at location gps "
        "tile_download_urls tile_size stitched geo_coordinate brightness timestamp revision_type "
        "use_georeference georeference constants camera"
    ),
    "capture": _names(
        "uuid material creation_platform method record level facility upload_state editing_state "
        "reconstruction_state refinement_state measure_ready_at capture_mode expected_quality "
        "captured_at panos_count error_code"
    ),
    "record": _names(
        "uuid note running_state facility captured_at captures_count action_state "
        "geo_coordinate_url panos_count pointclouds_count"
    ),
    "level": _names(
        "uuid facility elevation ceiling_height captures_count floorplans_count "
        "pointclouds_count is_ground_level availability_state"
    ),
    "facility": _names(
        "uuid key address bearing georeference use_georeference location last_captured_at "
        "facility_size timezone_offset records_count levels_count reviews_count cycle_state "
        "description"
    ),
    "mesh": _names(
        "mesh_state record level facility published_at error_code use_georeference georeference "
        "constants filesize"
    ),
    "video": _names("capture record level facility duration error_code"),
    "workspace": _names("facilities_count"),
    "user": _names("email firstname lastname user_type"),
}

COLLECTIONS = {
    "pointclouds": "pointcloud",
    "clusters": "cluster",
    "panos": "pano",
    "captures": "capture",
    "records": "record",
    "levels": "level",
    "facilities": "facility",
    "meshes": "mesh",
    "videos": "video",
    "workspaces": "workspace",
}


@dataclass(frozen=True)
class Item:
    """One object of the service.

    Parameters
    ----------
    model : str
        Kind, for example ``"pointcloud"``.
    id : int
        Its number.
    team : int
        Team that may see it.
    fields : Mapping
        Values by field name. Arrays of shape (4, 4) are matrices, flattened when they are sent;
        a callable is asked when its field is sent; `PanoPoses` becomes a URL.
    links : Mapping of str to int
        Ids it can be filtered by: ``{"record_id": 602, "facility_id": 12}``.
    files : Mapping
        Downloads by name (``"download"``, ``"ply"``): file name, media type, function that makes
        the bytes.
    """

    model: str
    id: int
    team: int
    fields: Mapping[str, Any]
    links: Mapping[str, int] = field(default_factory=dict)
    files: Mapping[str, tuple[str, str, Callable[[], bytes]]] = field(default_factory=dict)

    def value(self, name: str) -> Any:
        """Return the value of a field, asking for it if it is made on demand; None when unset."""
        value = self.fields.get(name)
        return value() if callable(value) else value


@dataclass(frozen=True)
class PanoPoses:
    """Stands for the URL of the public JSON with all pano poses of a record."""

    record_id: int


@dataclass(frozen=True)
class Writer:
    """Writes items as JSON types.

    Parameters
    ----------
    matrix_order : {"row", "column"}
        How matrices are flattened.
    poses_url : callable
        Returns the URL for the poses of a record.
    """

    matrix_order: str
    poses_url: Callable[[int], str]

    def item(self, item: Item, names: list[str]) -> dict[str, Any]:
        """Return an item as it is sent: id as text, the known ones of the asked-for fields."""
        known = FIELDS[item.model]
        attributes = {name: self.plain(item.value(name)) for name in names if name in known}
        return {"id": str(item.id), "type": item.model, "attributes": attributes}

    def plain(self, value: Any) -> Any:
        """Return `value` as JSON types."""
        if callable(value):
            return self.plain(value())
        if isinstance(value, np.ndarray):
            by_column = self.matrix_order == "column" and value.ndim == 2
            return (value.T if by_column else value).ravel().tolist()
        if isinstance(value, Mapping):
            return {key: self.plain(v) for key, v in value.items()}
        if isinstance(value, list | tuple):
            return [self.plain(v) for v in value]
        if isinstance(value, PanoPoses):
            return self.poses_url(value.record_id)
        return value


def reference(model: str, id: int | None, name: str | None, **more: Any) -> dict[str, Any]:
    """Return a nested reference; one to nothing is an object with nulls.

    References
    ----------
    CupixWorks pointcloud and pano pages: ``{"id": 3416, "name": "…", "type": "Cluster"}``,
    ``{"id": null, "name": null}``.
    """
    if id is None:
        return {"id": None, "name": None}
    return {"id": id, "name": name, "type": model.capitalize(), **more}
