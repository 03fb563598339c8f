"""Builds the objects of one facility: record, level, captures, clusters, pointclouds, panos.

Knows the shapes of the objects and of their ``meta``. Which facilities there are is told by the
modules `brighton`, `made_up` and `odd`.

References
----------
CupixWorks pointcloud page for the ``meta`` of groups and subs; CupixWorks OpenAPI v1.9.4 for the
rest. Times, counts and names are made up.
"""

from __future__ import annotations

import math
from collections import ChainMap
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cupixgeo.emulator.cupix.models import Item, PanoPoses, reference
from cupixgeo.emulator.frames import Array, Georeference

File = tuple[str, str, Callable[[], bytes]]

IDENTITY = np.eye(4)
_CREATED = "2024-03-04T09:12:33.120Z"
_UPDATED = "2024-03-05T16:40:07.918Z"
_NO_THUMBNAILS = {"thumb": None, "original": None}
_MEBIBYTE = 1 << 20
_WEB_MERCATOR_RADIUS_M = 6378137.0


@dataclass(frozen=True)
class Placed:
    """How a pointcloud or a mesh is placed: what goes into ``meta.prop``.

    Parameters
    ----------
    tm, wtm : ndarray, shape (4, 4), float64, or an empty list, or None
        Own and composed matrix; None leaves the key out.
    scale : float
        ``scale`` and ``wscale`` of a group, the same in all three axes.
    """

    tm: Any
    wtm: Any
    scale: float = 1.0

    @classmethod
    def alone(cls, tm: Array, *, scale: float = 1.0) -> Placed:
        """Place something that has no parent: ``wtm`` is ``tm``."""
        return cls(tm, tm, scale)

    def under(self, tm: Array) -> Placed:
        """Place a sub below this group: wtm(sub) = wtm(group) · tm(sub)."""
        return Placed(tm, self.wtm @ tm)

    def prop(self) -> dict[str, Any]:
        """Return the matrices as they stand in ``prop``."""
        pairs = {"tm": self.tm, "wtm": self.wtm}
        return {name: value for name, value in pairs.items() if value is not None}


@dataclass
class Site:
    """One facility under construction.

    Parameters
    ----------
    id : int
        Facility id.
    key : str
        Facility key.
    name : str
        Facility name.
    team : int
        Team that owns it.
    georeference : dict or None
        As it is sent.
    record_id, level_id : int
        The one record and the one level.
    captured_at : str
        Time of the record, ISO 8601.
    """

    id: int
    key: str
    name: str
    team: int
    georeference: Mapping[str, Any] | None
    record_id: int
    level_id: int
    captured_at: str
    items: list[Item] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._common = {
            "workspace": {
                "id": 2 + self.team,
                "name": f"Workspace {self.team}",
                "type": "Workspace",
            },
            "team": {"id": self.team, "name": f"Team {self.team}", "type": "Team"},
            "user": {"id": 70 + self.team, "name": "Emma Ulator", "type": "User"},
            "facility": reference("facility", self.id, self.name, key=self.key),
            "created_at": _CREATED,
            "updated_at": _UPDATED,
            "thumbnail_urls": _NO_THUMBNAILS,
            "permission": "F",
            "state": "done",
            "meta": {},
        }
        self._links = {"facility_id": self.id, "workspace_id": 2 + self.team}

    def add(
        self,
        model: str,
        item_id: int,
        name: str,
        fields: Mapping[str, Any],
        *,
        links: Mapping[str, int] | None = None,
        files: Mapping[str, File] | None = None,
    ) -> Item:
        """Add one object and return it."""
        own = {"id": item_id, "name": name, **fields}
        item = Item(
            model,
            item_id,
            self.team,
            ChainMap(own, self._common),
            {**self._links, **(links or {})},
            files or {},
        )
        self.items.append(item)
        return item

    def add_frame(self, *, level: str, record: str, panos: int = 0) -> None:
        """Add the facility itself, its level and its record."""
        bearing = self.georeference.get("bearing") if self.georeference else None
        self.add(
            "facility", self.id, self.name,
            {
                "key": self.key, "address": None, "georeference": self.georeference,
                "use_georeference": self.georeference is not None, "bearing": bearing,
                "records_count": 1, "levels_count": 1, "last_captured_at": self.captured_at,
                "cycle_state": "created", "state": "active",
            },
        )  # fmt: skip
        self.add(
            "level", self.level_id, level,
            {"elevation": 0.0, "ceiling_height": None, "is_ground_level": True, "state": "created"},
            links={"level_id": self.level_id},
        )  # fmt: skip
        self.add(
            "record", self.record_id, record,
            {
                "note": record, "captured_at": self.captured_at, "panos_count": panos,
                "geo_coordinate_url": PanoPoses(self.record_id),
            },
            links={"record_id": self.record_id},
        )  # fmt: skip
        self._level = reference("level", self.level_id, level)
        self._record = reference("record", self.record_id, record, captured_at=self.captured_at)
        self._placed_links = {"record_id": self.record_id, "level_id": self.level_id}

    def add_capture(self, capture_id: int, name: str, *, material: str, panos: int = 0) -> Item:
        """Add a capture of the record."""
        return self.add(
            "capture", capture_id, name,
            {
                "material": material, "creation_platform": "web", "method": "multishot",
                "record": self._record, "level": self._level, "upload_state": "upload_done",
                "editing_state": "done", "reconstruction_state": "done",
                "refinement_state": "refined", "captured_at": self.captured_at,
                "panos_count": panos,
            },
            links={**self._placed_links, "capture_id": capture_id},
        )  # fmt: skip

    def add_cluster(self, cluster_id: int, name: str, capture: Item, placed: Placed) -> Item:
        """Add a cluster; its ``meta`` carries the matrices by analogy with its pointcloud group."""
        return self.add(
            "cluster", cluster_id, name,
            {
                "kind": "main", "cluster_type": "refined", "root_id": cluster_id,
                "capture": reference("capture", capture.id, capture.value("name")),
                "parent": reference("cluster", None, None),
                "record": self._record, "level": self._level,
                "meta": {"prop": placed.prop()},
            },
            links={**self._placed_links, "capture_id": capture.id, "cluster_id": cluster_id},
        )  # fmt: skip

    def add_group(
        self,
        group_id: int,
        name: str,
        placed: Placed,
        *,
        kind: str = "uploaded",
        cluster: Item | None = None,
        **fields: Any,
    ) -> Item:
        """Add a pointcloud group: no file, the matrices of its cluster."""
        three = np.full(3, placed.scale)
        prop = {**placed.prop(), "scale": three, "wscale": three}
        meta = {"prop": prop, "processor_version": "1\t0c0ffee\t2024-03-05"}
        links = {key: cluster.links[key] for key in ("cluster_id", "capture_id")} if cluster else {}
        own = {
            "kind": "group", "pointcloud_type": kind, "parent": {"id": None}, "meta": meta,
            "cluster": _reference_to(cluster, "cluster"),
            "capture": cluster.value("capture") if cluster else reference("capture", None, None),
            **self._pointcloud_fields(), **fields,
        }  # fmt: skip
        return self.add("pointcloud", group_id, name, own, links={**self._placed_links, **links})

    def add_sub(
        self,
        sub_id: int,
        name: str,
        placed: Placed,
        group: Item,
        *,
        contents: Contents,
        **fields: Any,
    ) -> Item:
        """Add a pointcloud sub with its file."""
        prop = {
            **placed.prop(),
            "original_file_name": contents.filename,
            "original_point_count": contents.points,
            "original_size_in_mb": lambda: round(contents.size() / _MEBIBYTE, 2),
        }
        own = {
            "kind": "sub", "parent": reference("pointcloud", group.id, group.value("name")),
            "pointcloud_type": group.value("pointcloud_type"),
            "cluster": group.value("cluster"), "capture": group.value("capture"),
            "meta": {"prop": prop, "potree": {}}, "entry_filename": contents.filename,
            "points_count": contents.points, "filesize": contents.size,
            "ply_uploaded_at": _UPDATED if contents.ply else None,
            **self._pointcloud_fields(), **fields,
        }  # fmt: skip
        links = {**group.links, "parent_id": group.id}
        return self.add("pointcloud", sub_id, name, own, links=links, files=contents.files())

    def add_pano(
        self,
        pano_id: int,
        name: str,
        fields: Mapping[str, Any],
        *,
        capture: Item,
        cluster: Item | None,
        image: File,
    ) -> Item:
        """Add a pano; an unaligned one has no cluster and no pose."""
        own = {
            "pano_type": "photo", "origin": None, "revision_type": "normal",
            "capture": {"id": capture.id, "name": capture.value("name"), "type": "Capture"},
            "cluster": _reference_to(cluster, "cluster"), "record": self._record,
            "level": self._level, "use_georeference": False, **fields,
        }  # fmt: skip
        links = {**self._placed_links, "capture_id": capture.id}
        if cluster is not None:
            links["cluster_id"] = cluster.id
        return self.add("pano", pano_id, name, own, links=links, files={"download": image})

    def _pointcloud_fields(self) -> dict[str, Any]:
        return {
            "editing_state": "skipped", "resource_state": "uploaded", "cycle_state": "created",
            "record": self._record, "level": self._level, "levels": [self._level],
            "published_at": _UPDATED, "use_georeference": False, "georeference": None,
            "constants": {"georeference": None}, "use_bim_icp_tm": False,
        }  # fmt: skip


@dataclass(frozen=True)
class Contents:
    """What a sub's downloads give.

    Parameters
    ----------
    filename : str
        Name of the file as it was uploaded or made.
    points : callable
        Returns the number of points.
    size : callable
        Returns the size [byte] of the file.
    file : callable or None
        Returns the bytes of ``download``; None while there is no file yet.
    ply : callable or None
        Returns the PLY resource; None when there is none.
    """

    filename: str
    points: Callable[[], int]
    size: Callable[[], int]
    file: Callable[[], bytes] | None
    ply: Callable[[], bytes] | None = None

    def files(self) -> dict[str, File]:
        """Return the downloads by name."""
        made: dict[str, File] = {}
        if self.file is not None:
            made["download"] = (self.filename, "application/octet-stream", self.file)
        if self.ply is not None:
            stem = self.filename.rpartition(".")[0]
            made["ply"] = (f"{stem}.ply", "application/octet-stream", self.ply)
        return made


def geographic(origin: Georeference) -> dict[str, Any]:
    """Return a georeference with EPSG code 4326 as it is sent.

    Its x and y are text: the spherical Web Mercator image (EPSG:3857) of the position, as in the
    published facility example.
    """
    radius = _WEB_MERCATOR_RADIUS_M
    x = radius * math.radians(origin.lon_deg)
    y = radius * math.log(math.tan(math.pi / 4 + math.radians(origin.lat_deg) / 2))
    return {
        "epsg_code": "4326", "alt": origin.alt_m, "bearing": origin.bearing_deg,
        "lat": origin.lat_deg, "lon": origin.lon_deg, "x": repr(x), "y": repr(y), "z": None,
    }  # fmt: skip


def _reference_to(item: Item | None, model: str) -> dict[str, Any]:
    if item is None:
        return reference(model, None, None)
    return reference(model, item.id, item.value("name"))
