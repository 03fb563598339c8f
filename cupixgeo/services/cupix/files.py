"""Files of Cupix pointclouds: downloads for the user, and the cache behind `open` and `sources`.

Knows the download endpoints, which file of a pointcloud can be read, and what a refusal means.
Must not know how bytes travel.

Sources: CupixWorks pointcloud page (``/download`` on a sub answers 302, a group has no file);
CupixWorks mesh page (``/resources/{ply,mesh}/download``, only where ``ply_uploaded_at`` or
``mesh_uploaded_at`` is set).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal, Protocol

from cupixgeo.errors import (
    ArgumentError,
    BadRequestError,
    NotFoundError,
    NotReadyError,
    OutputError,
    ServiceError,
)
from cupixgeo.progress import ProgressFn
from cupixgeo.services.cupix.lookup import Lookup
from cupixgeo.services.cupix.pointcloud import SUFFIXES, FileKind, Pointcloud

_ENDPOINTS: dict[FileKind, tuple[str, str | None]] = {
    "file": ("pointclouds/{id}/download", None),
    "ply": ("pointclouds/{id}/resources/ply/download", ".ply"),
    "mesh": ("pointclouds/{id}/resources/mesh/download", ".zip"),
}
"""Endpoint, and the extension where it is known beforehand."""

_SHOWN_SUBS = 8


class Save(Protocol):
    """Saves what an endpoint redirects to: `cupixgeo.services.base.Account._save`."""

    def __call__(
        self,
        path: str,
        to: Path,
        *,
        name: str,
        suffixes: tuple[str, ...] | None = None,
        progress: ProgressFn | None = None,
    ) -> Path:
        """Save it as `to`, with one of `suffixes` added if there are any."""
        ...


class Files:
    """Downloads files of pointclouds.

    Parameters
    ----------
    save : callable
        Saves what an endpoint redirects to.
    lookup : Lookup
        Finds pointclouds, for messages.
    cache_dir : callable
        Gives the folder of the cache.
    """

    def __init__(self, save: Save, lookup: Lookup, cache_dir: Callable[[], Path]) -> None:
        self._save = save
        self._lookup = lookup
        self._cache_dir = cache_dir

    def download(
        self,
        cloud_id: int,
        folder: Path,
        *,
        kind: FileKind | Literal["readable"],
        progress: ProgressFn | None,
    ) -> Path:
        """Download one file into a folder; see `CupixAccount.download`."""
        if kind != "readable" and kind not in _ENDPOINTS:
            raise ArgumentError(f"kind={kind!r} is not 'file', 'ply', 'mesh' or 'readable'.")
        if folder.exists() and not folder.is_dir():
            raise OutputError(f"cannot download into {folder}: it is a file. Give a folder.")
        if kind == "readable":
            kind = self._readable(self._lookup.cloud(cloud_id))
        return self._fetch(cloud_id, kind, folder / str(cloud_id), progress)

    def cached(self, cloud: Pointcloud, progress: ProgressFn | None = None) -> Path:
        """Give the file that can be opened, from the cache where it is still what the service has.

        A file in the cache is whole: it got its name when it was.
        """
        kind = self._readable(cloud)
        folder = self._cache_dir()
        stem = f"{cloud.id}-{kind}-{cloud.version}"
        for path in sorted(folder.glob(f"{stem}.*")):
            if path.suffix not in (".part", ".json"):
                return path
        return self._fetch(cloud.id, kind, folder / stem, progress)

    def refusal(self, cloud: Pointcloud, why: str) -> NotReadyError:
        """Make the error for a pointcloud without the file that was asked for."""
        verb = f"GET /pointclouds/{cloud.id}/download"
        if not cloud.is_group:
            return NotReadyError(f"{cloud.label} cannot be had: {why}.", service="cupix", verb=verb)
        subs = [sub.id for sub in self._lookup.subs_of(cloud)]
        shown = ", ".join(map(str, subs[:_SHOWN_SUBS])) + (
            f" and {len(subs) - _SHOWN_SUBS} more" if len(subs) > _SHOWN_SUBS else ""
        )
        return NotReadyError(
            f"{cloud.label} is a group and has no file of its own. Ask for its subs: "
            f"{shown or 'there are none yet'}.",
            service="cupix",
            verb=verb,
        )

    def _readable(self, cloud: Pointcloud) -> FileKind:
        kind, why = cloud.readable()
        if kind is None:
            raise self.refusal(cloud, why)
        return kind

    def _fetch(
        self, cloud_id: int, kind: FileKind, stem: Path, progress: ProgressFn | None
    ) -> Path:
        endpoint, suffix = _ENDPOINTS[kind]
        try:
            return self._save(
                endpoint.format(id=cloud_id),
                stem if suffix is None else stem.with_name(stem.name + suffix),
                name=f"pointcloud {cloud_id}",
                suffixes=SUFFIXES if suffix is None else None,
                progress=progress,
            )
        except (BadRequestError, NotFoundError) as error:
            refused: ServiceError = error
        raise self._explained(cloud_id, kind, refused)

    def _explained(self, cloud_id: int, kind: FileKind, refused: ServiceError) -> ServiceError:
        """Find out why a download was refused: no such object, a group, or no such file."""
        cloud = self._lookup.cloud(cloud_id)
        if cloud.is_group:
            return self.refusal(cloud, "")
        if not isinstance(refused, NotFoundError):
            return refused
        what = {"file": "file", "ply": "PLY", "mesh": "mesh"}[kind]
        state = cloud.attributes.get("resource_state")
        return self.refusal(
            cloud,
            f"it has no {what} (yet); the service says state {cloud.attributes.get('state')!r}, "
            f"resource_state {state!r}",
        )
