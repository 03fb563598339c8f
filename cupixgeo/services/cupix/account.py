"""The Cupix account: lists, placements, downloads, and the way into the pipeline.

Each method is thin: lists are in `lists`, the envelope in `wire`, matrices in `placement`, files in
`files`. Never changes anything at the service.

Sources: CupixWorks pointcloud page; CupixWorks OpenAPI files v1.9.4 and v1.13.3.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Unpack

import pandas as pd

from cupixgeo.cloud.source import Source
from cupixgeo.errors import ArgumentError, CupixGeoWarning, PlacementWarning, TransformError
from cupixgeo.geodesy.crs import local_frame
from cupixgeo.geodesy.georeference import Georeference
from cupixgeo.geodesy.transform import Transform
from cupixgeo.net.secret import Secret
from cupixgeo.progress import ProgressFn
from cupixgeo.services.base import AccountOptions
from cupixgeo.services.cupix import regions, wire
from cupixgeo.services.cupix.files import Files
from cupixgeo.services.cupix.georeference import read_georeference
from cupixgeo.services.cupix.lists import CupixLists, Id, params_of
from cupixgeo.services.cupix.lookup import Lookup
from cupixgeo.services.cupix.placement import MatrixOrder, Placement, place
from cupixgeo.services.cupix.pointcloud import FileKind, Pointcloud

if TYPE_CHECKING:
    import os

    import xarray as xr


class CupixAccount(CupixLists):
    """An account at CupixWorks.

    Ids are taken as numbers or text. Lists come as DataFrames with declared columns (see
    ``table.attrs["columns"]``); ``fields=`` chooses others, also undeclared ones.

    Parameters
    ----------
    token : str, Secret or None
        Personal API token; None looks in ``CUPIX_TOKEN`` and the keyring, then asks.
    base_url : str or None
        Full API root; None is the root of `region`.
    region : str or None
        ``"us"`` (default), ``"eu"``, ``"au"``, ``"jp"``, ``"sg"``, ``"ca"``.
    matrix_order : {"auto", "row", "column"}
        How 16 numbers make a matrix; the service does not say, "auto" finds out.
    per_page : int
        Objects to ask for at a time in lists.
    **options
        As for `cupixgeo.services.base.Account`: ``cache_dir``, ``settings``, ``plain_http``.

    Raises
    ------
    ArgumentError
        If there is no such region, or an argument makes no sense.
    CredentialError
        If there is no token.
    """

    service = "cupix"
    token_variable = "CUPIX_TOKEN"
    token_header = "X-CUPIX-AUTH"
    holdings = "pointclouds"

    def __init__(
        self,
        token: str | Secret | None = None,
        *,
        base_url: str | None = None,
        region: str | None = None,
        matrix_order: MatrixOrder = "auto",
        per_page: int = 100,
        **options: Unpack[AccountOptions],
    ) -> None:
        token = Secret.wrap(token)
        if matrix_order not in ("auto", "row", "column"):
            raise ArgumentError(f"matrix_order={matrix_order!r} is not 'auto', 'row' or 'column'.")
        if per_page < 1:
            raise ArgumentError(f"per_page={per_page!r} is less than one object a page.")
        super().__init__(base_url or regions.api_root(region), token=token, **options)
        self.matrix_order: MatrixOrder = matrix_order
        self.per_page = per_page

    @staticmethod
    def read_error(body: Any) -> tuple[str | None, str | None]:
        """Find the service's error code and message in the decoded body of an error."""
        return wire.read_error(body)

    @classmethod
    def token_page(cls, base_url: str) -> str:
        """Say where a token for this address is made; empty where that is not known."""
        return regions.token_page(base_url)

    # -- where ------------------------------------------------------------------------------------

    def georeference(self, facility: Id) -> Georeference | None:
        """Get the georeference of a facility.

        Parameters
        ----------
        facility : int or str
            Its id or its key.

        Returns
        -------
        Georeference or None
            None if it has none.

        Raises
        ------
        ArgumentError
            If there is no such facility.
        """
        found = self._lookup().facility(facility)
        if found is None:
            raise ArgumentError(
                f"there is no facility with the id or key {facility!r} that this token can see; "
                "facilities() lists them."
            )
        return read_georeference(found.georeference, found.label)

    def placement(self, id: Id) -> Transform:
        """Compose where a sub lies: sub → cluster → facility, and earth where georeferenced.

        Parameters
        ----------
        id : int or str
            The sub.

        Returns
        -------
        Transform
            From the frame ``cupix:pointcloud/<id>`` to EPSG:4978, or to
            ``cupix:facility/<id>`` where nothing is georeferenced.

        Warns
        -----
        PlacementWarning
            If something about it is in doubt; the message says what was taken.

        Raises
        ------
        TransformError
            If a matrix is not a placement; the numbers are in the message.
        NotReadyError
            If it is a group; the message names its subs.
        ServiceError
            Of the class for what the service answered.

        References
        ----------
        CupixWorks pointcloud page, ``meta.prop.tm`` and ``wtm``.
        """
        lookup = self._lookup()
        placed = self._placed(lookup, lookup.cloud(wire.as_id(id, "pointcloud")))
        for doubt in placed.doubts:
            warnings.warn(f"{doubt}.", PlacementWarning, stacklevel=2)
        return placed.transform

    def placement_steps(self, id: Id) -> pd.DataFrame:
        """Show how a placement comes about: one row a step, its doubts in ``attrs["doubts"]``."""
        lookup = self._lookup()
        return self._placed(lookup, lookup.cloud(wire.as_id(id, "pointcloud"))).to_frame()

    # -- what -------------------------------------------------------------------------------------

    def download(
        self,
        id: Id,
        to: str | os.PathLike[str],
        *,
        kind: FileKind | Literal["readable"] = "file",
        progress: ProgressFn | None = None,
    ) -> Path:
        """Download a file of a pointcloud.

        Parameters
        ----------
        id : int or str
            The sub.
        to : path
            An existing folder. The file is called after the id, never after what the service says.
        kind : {"file", "ply", "mesh", "readable"}
            The file itself (a reconstruction's is in the undocumented .cpc format), the PLY or the
            zipped mesh of a reconstruction, or whichever of the first two can be opened here.
        progress : callable
            Watcher.

        Returns
        -------
        Path
            The file that was written.

        Raises
        ------
        NotReadyError
            If it is a group (the message names its subs), or there is no such file (yet).
        TransferError, OutputError, ServiceError
            If it cannot be fetched or written.

        References
        ----------
        CupixWorks pointcloud page, ``GET /pointclouds/{id}/download``.
        """
        number = wire.as_id(id, "pointcloud")
        return self._files().download(number, Path(to), kind=kind, progress=progress)

    def open(self, id: Id, *, progress: ProgressFn | None = None) -> xr.Dataset:
        """Open the points of a sub, lazily, in its own frame.

        The file is downloaded into the cache first, unless the one there is still what the service
        has.

        Parameters
        ----------
        id : int or str
            The sub.
        progress : callable
            Watcher of the download.

        Returns
        -------
        xarray.Dataset
            In the CRS ``cupix:pointcloud/<id>``, whatever the file states.
        """
        from cupixgeo.formats.registry import open_cloud

        cloud = self._lookup().cloud(wire.as_id(id, "pointcloud"))
        path = self._files().cached(cloud, progress)
        return open_cloud(path, crs=local_frame(cloud.frame))

    def sources(
        self,
        *,
        record_id: Id | None = None,
        cluster_id: Id | None = None,
        capture_id: Id | None = None,
        ids: Iterable[Id] | None = None,
    ) -> list[Source]:
        """Make placed inputs for `merge` of all subs that can be opened. Downloads nothing yet.

        Parameters
        ----------
        record_id, cluster_id, capture_id : int or str
            Only those of this record, cluster or capture.
        ids : iterable of int or str
            Exactly these subs, instead.

        Returns
        -------
        list of Source
            In the order of the service, or of `ids`.

        Warns
        -----
        PlacementWarning
            As `placement`.
        CupixGeoWarning
            If a sub cannot be opened and is left out.

        Raises
        ------
        NotReadyError
            If one of `ids` is a group or cannot be opened.
        TransformError, ServiceError
            As `placement`.
        """
        lookup = self._lookup()
        params = params_of(record_id=record_id, cluster_id=cluster_id, capture_id=capture_id)
        if ids is not None:
            if params:
                raise ArgumentError("ids= already says which: leave the other filters away.")
            clouds = lookup.clouds([wire.as_id(item, "pointcloud") for item in ids])
        else:
            clouds = [cloud for cloud in lookup.listed(params) if not cloud.is_group]
        files = self._files(lookup)
        chosen = []
        for cloud in clouds:
            kind, why = cloud.readable()
            if kind is not None:
                chosen.append(cloud)
            elif ids is not None:
                raise files.refusal(cloud, why)
            else:
                warnings.warn(f"{cloud.label} is left out: {why}.", CupixGeoWarning, stacklevel=2)
        lookup.fill(chosen)
        sources = []
        for cloud in chosen:
            try:
                placed = self._placed(lookup, cloud)
            except TransformError as error:
                raise TransformError(
                    f"{error}. To go on without it, name all others as ids=."
                ) from error
            for doubt in placed.doubts:
                warnings.warn(f"{doubt}.", PlacementWarning, stacklevel=2)
            sources.append(self._source(cloud, placed, files))
        return sources

    # -- how --------------------------------------------------------------------------------------

    def _files(self, lookup: Lookup | None = None) -> Files:
        return Files(self._save, lookup or self._lookup(), lambda: self.cache_dir)

    def _placed(self, lookup: Lookup, cloud: Pointcloud) -> Placement:
        if cloud.is_group:
            raise self._files(lookup).refusal(cloud, "")
        return place(
            cloud,
            lookup.group_of(cloud),
            lookup.facility_of(cloud.attributes),
            order=self.matrix_order,
        )

    def _source(self, cloud: Pointcloud, placed: Placement, files: Files) -> Source:
        return Source(
            None,
            transform=placed.transform,
            crs=local_frame(cloud.frame),
            name=f"{cloud.id} {cloud.name}".rstrip(),
            fetch=partial(files.cached, cloud),
            provenance={
                "service": self.service,
                "base_url": self.base_url,
                "pointcloud_id": cloud.id,
                "group_id": cloud.group_id,
                "cluster_id": cloud.cluster_id,
                "facility_id": cloud.facility_id,
                "record_id": cloud.record_id,
                "updated_at": cloud.attributes.get("updated_at"),
                "placement": [step.note for step in placed.steps],
                "doubts": list(placed.doubts),
            },
        )
