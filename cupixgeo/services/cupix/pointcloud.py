"""One Cupix pointcloud or facility: the facts that placing and fetching need, read from the wire.

Knows which field holds what, and whether a file of a pointcloud can be read here. Must not know
matrices or transfers.

Sources: CupixWorks pointcloud page; CupixWorks OpenAPI file v1.13.3 (``ply_uploaded_at``,
``resource_state``, ``bim_icp_tm``); mesh page (``user_prop``).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any, Literal

from cupixgeo.services.cupix.wire import Attributes, as_id

FileKind = Literal["file", "ply", "mesh"]

FIELDS = (
    "id", "name", "kind", "pointcloud_type", "state", "parent", "cluster", "capture", "record",
    "facility", "meta", "use_georeference", "georeference", "constants", "points_count", "filesize",
    "resource_state", "ply_uploaded_at", "entry_filename", "use_bim_icp_tm", "updated_at",
)  # fmt: skip
"""What is asked of a pointcloud to place and to fetch it."""

READABLE_SUFFIXES = frozenset({".las", ".laz", ".ply"})
"""Extensions of uploaded files that this toolkit opens."""

SUFFIXES = (
    ".las", ".laz", ".copc.laz", ".ply", ".e57", ".pts", ".xyz", ".rcp", ".rcs", ".cpc", ".zip",
)  # fmt: skip
"""Extensions a downloaded file may get: the scan formats Cupix takes, its own, and its archives."""


@dataclass(frozen=True)
class Pointcloud:
    """A pointcloud: a group without a file, or a sub with one.

    Parameters
    ----------
    id : int
        Its id.
    name, kind, type : str
        Name; ``"group"`` or ``"sub"``; ``"uploaded"`` or ``"3d_reconstructed"``.
    group_id, cluster_id, facility_id, record_id, capture_id : int or None
        What it belongs to.
    facility_key : str or None
        Key of the facility, where the reference holds it.
    attributes : mapping
        Everything else, as sent.
    """

    id: int
    name: str
    kind: str
    type: str
    group_id: int | None
    cluster_id: int | None
    facility_id: int | None
    record_id: int | None
    capture_id: int | None
    facility_key: str | None
    attributes: Mapping[str, Any] = field(repr=False)

    @classmethod
    def from_attributes(cls, attributes: Attributes) -> Pointcloud:
        """Read the attributes of one object."""

        def reference(name: str, part: str = "id") -> Any:
            value = attributes.get(name)
            return value.get(part) if isinstance(value, Mapping) else None

        def linked(name: str) -> int | None:
            value = reference(name)
            return None if value is None else as_id(value, name)

        key = reference("facility", "key")
        return cls(
            id=as_id(attributes.get("id"), "pointcloud"),
            name=str(attributes.get("name") or ""),
            kind=str(attributes.get("kind") or ""),
            type=str(attributes.get("pointcloud_type") or ""),
            group_id=linked("parent"),
            cluster_id=linked("cluster"),
            facility_id=linked("facility"),
            record_id=linked("record"),
            capture_id=linked("capture"),
            facility_key=key if isinstance(key, str) and key else None,
            attributes=attributes,
        )

    @property
    def label(self) -> str:
        """What messages call it."""
        return f"pointcloud {self.id}" + (f" ({self.name})" if self.name else "")

    @property
    def frame(self) -> str:
        """Name of the frame its file is in."""
        return f"cupix:pointcloud/{self.id}"

    @property
    def is_group(self) -> bool:
        """Whether it is a group, which has no file."""
        return self.kind == "group"

    @property
    def prop(self) -> Mapping[str, Any]:
        """The part of its meta that holds the matrices."""
        return preferred_prop(self.attributes.get("meta"))

    @property
    def suffix(self) -> str:
        """Extension of the file as it was uploaded or made, lower case; empty if not known."""
        meta = self.attributes.get("meta")
        prop = meta.get("prop") if isinstance(meta, Mapping) else None
        original = prop.get("original_file_name") if isinstance(prop, Mapping) else None
        name = original or self.attributes.get("entry_filename") or ""
        return PurePosixPath(str(name).replace("\\", "/")).suffix.lower()

    @property
    def version(self) -> str:
        """A short text that changes when the service says that the pointcloud changed."""
        names = ("updated_at", "filesize", "ply_uploaded_at", "points_count")
        facts = repr([self.attributes.get(name) for name in names])
        return hashlib.sha256(facts.encode()).hexdigest()[:10]

    def readable(self) -> tuple[FileKind | None, str]:
        """Say which of its files can be opened here, or why none can.

        Returns
        -------
        kind : {"file", "ply"} or None
            What to download.
        why : str
            The reason for None.
        """
        if self.is_group:
            return None, "it is a group and has no file of its own"
        if self.attributes.get("ply_uploaded_at"):
            if self.type == "3d_reconstructed" or self.suffix not in READABLE_SUFFIXES:
                return "ply", ""
        elif self.type == "3d_reconstructed" or self.suffix == ".cpc":
            return None, "its PLY is not there (yet), and the .cpc format is not documented"
        state = self.attributes.get("resource_state")
        if state not in (None, "uploaded"):
            return None, f"its file is not uploaded (resource_state is {state!r})"
        if self.suffix and self.suffix not in READABLE_SUFFIXES:
            return None, f"a {self.suffix} file is not opened here; download() it and convert it"
        return "file", ""


@dataclass(frozen=True)
class Facility:
    """A facility: the frame everything in it is placed in, and where that is.

    Parameters
    ----------
    id : int
        Its id.
    key, name : str
        The key it is addressed by; its name.
    georeference : mapping or None
        As sent.
    """

    id: int
    key: str
    name: str
    georeference: Mapping[str, Any] | None = field(default=None, repr=False)

    @property
    def label(self) -> str:
        """What messages call it."""
        return f"facility {self.id}" + (f" ({self.name})" if self.name else "")

    @classmethod
    def from_attributes(cls, attributes: Attributes) -> Facility:
        """Read the attributes of one object."""
        sent = attributes.get("georeference")
        return cls(
            id=as_id(attributes.get("id"), "facility"),
            key=str(attributes.get("key") or ""),
            name=str(attributes.get("name") or ""),
            georeference=sent if isinstance(sent, Mapping) else None,
        )


def preferred_prop(meta: Any) -> Mapping[str, Any]:
    """Choose between what the service computed and what a person moved: the person wins.

    Parameters
    ----------
    meta : JSON value
        The meta of a pointcloud or mesh.

    Returns
    -------
    mapping
        ``user_prop`` where there is one, else ``prop``, else nothing.
    """
    if isinstance(meta, Mapping):
        for name in ("user_prop", "prop"):
            prop = meta.get(name)
            if isinstance(prop, Mapping) and prop:
                return prop
    return {}
