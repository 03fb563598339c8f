"""The Teleport account: captures, their metadata and models, and the way to make new ones.

Each method is thin: pages are in `wire`, metadata in `metadata` and `files`, their rows in `rows`,
jobs in `driver`.

Sources: Teleport API specification page; API documentation, *authentication*, *manage captures*,
*capture metadata*.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

import pandas as pd

from cupixgeo.errors import ArgumentError, CredentialError, NotFoundError, NotReadyError
from cupixgeo.net.auth import Auth
from cupixgeo.net.oauth import ClientCredentials
from cupixgeo.net.secret import Secret
from cupixgeo.net.wire import origin_of
from cupixgeo.progress import ProgressFn
from cupixgeo.services.base import AccountOptions, JobAccount
from cupixgeo.services.teleport import files, wire
from cupixgeo.services.teleport.metadata import Camera, Metadata, MetadataV2
from cupixgeo.services.teleport.rows import camera_rows, model_rows
from cupixgeo.services.teleport.schema import CAMERAS, CAPTURES, MODELS
from cupixgeo.services.teleport.settings import TeleportSettings

if TYPE_CHECKING:
    import os

    from cupixgeo.services.driver import JobDriver

API_ROOT = "https://teleport.varjo.com"
TOKEN_URL = "https://signin.teleport.varjo.com/oauth2/token"
SCOPE = "openid profile email"


class TeleportAccount(JobAccount):
    """An account at Varjo Teleport.

    Parameters
    ----------
    token : str, Secret or None
        Developer key as ``"client_id:client_secret"``; None looks in ``TELEPORT_TOKEN`` and the
        keyring, then asks.
    base_url : str or None
        Address of the API; None is Varjo's own.
    region : None
        Teleport has no regions.
    token_url : str or None
        Address of the token service; None is Varjo's own, or ``oauth2/token`` below another
        `base_url`.
    assume : TeleportSettings or mapping or None
        What the service does not say; see there.
    **options
        As for `cupixgeo.services.base.Account`: ``cache_dir``, ``settings``, ``plain_http``.

    Raises
    ------
    ArgumentError
        If an argument makes no sense.
    CredentialError
        If there is no key, or half of one.
    """

    service = "teleport"
    token_variable = "TELEPORT_TOKEN"
    token_header = "Authorization"
    holdings = "captures"

    def __init__(
        self,
        token: str | Secret | None = None,
        *,
        base_url: str | None = None,
        region: str | None = None,
        token_url: str | None = None,
        assume: TeleportSettings | Mapping[str, Any] | None = None,
        **options: Unpack[AccountOptions],
    ) -> None:
        token = Secret.wrap(token)
        if region is not None:
            raise ArgumentError("teleport has no regions: leave region= away.")
        self.assume = _assumptions(assume)
        self._token_url = token_url
        self._plain_http = bool(options.get("plain_http"))
        self._patience = options.get("settings")
        super().__init__(base_url or API_ROOT, token=token, **options)

    @staticmethod
    def read_error(body: Any) -> tuple[str | None, str | None]:
        """Find the service's error code and message in the decoded body of an error."""
        return wire.read_error(body)

    @classmethod
    def token_page(cls, base_url: str) -> str:
        """Say where a key is made."""
        return "https://teleport.varjo.com (Developer Dashboard; needs a Developer plan)"

    def make_auth(self, token: Secret, base_url: str) -> Auth:
        """Exchange the key for tokens, at the token service and nowhere else."""
        client_id, client_secret = _halves(token)
        is_own = origin_of(base_url) == origin_of(API_ROOT)
        default = TOKEN_URL if is_own else f"{base_url.rstrip('/')}/oauth2/token"
        self._signer = ClientCredentials(
            self._token_url or default,
            client_id=client_id,
            client_secret=client_secret,
            service=self.service,
            scope=SCOPE,
            settings=self._patience,
            plain_http=self._plain_http,
        )
        return self._signer

    def reconnect_options(self) -> dict[str, Any]:
        """Give what a job needs to connect again, besides the address."""
        options: dict[str, Any] = {"assume": self.assume.to_dict()}
        if self._token_url is not None:
            options["token_url"] = self._token_url
        return options

    def driver(self) -> JobDriver:
        """Give a fresh driver for one job."""
        from cupixgeo.services.teleport.driver import TeleportDriver

        return TeleportDriver(self.session, assume=self.assume)

    def close(self) -> None:
        """Close the connections."""
        super().close()
        self._signer.close()

    # -- captures ---------------------------------------------------------------------------------

    def captures(self, *, name: str | None = None) -> pd.DataFrame:
        """List captures.

        Parameters
        ----------
        name : str or None
            Only those with this in their name.

        Returns
        -------
        pandas.DataFrame
            One row each; times without a zone are taken as UTC, which is inferred.
        """
        rows = wire.list_captures(self.session, name=name, per_page=self.assume.per_page)
        kept = [row for row in rows if name is None or name in str(row.get("name"))]
        return CAPTURES.to_frame(kept, service=self.service)

    def rename(self, eid: str, name: str) -> pd.DataFrame:
        """Give a capture another name; returns its row.

        Raises
        ------
        ArgumentError
            If the name is blank.
        NotFoundError
            If there is no such capture.
        """
        if not name.strip():
            raise ArgumentError("a capture needs a name that is not blank.")
        # naming it twice is naming it once
        row = self.session.json(
            "PUT", f"api/v1/captures/{wire.as_id(eid)}", body={"name": name}, safe_to_repeat=True
        )
        if not isinstance(row, Mapping):
            raise wire.misunderstood(self.session, "PUT /api/v1/captures", "no capture")
        return CAPTURES.to_frame([row], service=self.service)

    def delete(self, eid: str) -> None:
        """Delete a capture with all it holds. It cannot be brought back.

        Raises
        ------
        NotFoundError
            If there is no such capture.
        """
        self.session.json("DELETE", f"api/v1/captures/{wire.as_id(eid)}", safe_to_repeat=False)

    # -- models -----------------------------------------------------------------------------------

    def metadata(
        self,
        id: str,
        *,
        profile: str = "ply",
        quality: str | None = None,
        lod: bool = False,
        use_cdn: bool | None = None,
    ) -> Metadata:
        """Get the metadata of a finished capture, version 1: models, cameras, trajectory.

        Parameters
        ----------
        id : str
            The capture (``eid``), or its share page (``sid``).
        profile : str
            ``"ply"``, ``"sogs-sh0"``, ...; see `cupixgeo.services.teleport.files.PROFILES`.
        quality : {"sd", "hd"} or None
            None is the service's default.
        lod : bool
            Whether to ask for a tree of details.
        use_cdn : bool or None
            Whether links lead to the CDN.

        Raises
        ------
        NotReadyError
            If the capture is not ready, or not made in this profile.
        """
        choice = files.Choice(profile, quality, lod, use_cdn)
        return files.ask_v1(self.session, self._sid(id), choice, self.assume)

    def metadata_v2(
        self,
        id: str,
        *,
        segment: str | None = None,
        content_profile: str = "ply",
        crop_variant: str | None = None,
        coord_system: str | None = None,
    ) -> MetadataV2:
        """Get the metadata of a finished capture, version 2: one model, and a list of cameras.

        Parameters
        ----------
        id : str
            The capture (``eid``), or its share page (``sid``).
        segment : str or None
            Id of a segment (``segmented_capture_eid``).
        content_profile : str
            How the model is packed.
        crop_variant : str or None
            ``"autocrop"``; None is the full scene.
        coord_system : str or None
            ``"colmap"``: x right, y down, z forward; None is the service's default.

        Raises
        ------
        NotReadyError
            If the capture is not ready, or there is no such combination.
        """
        sid = self._sid(id)
        return files.ask_v2(
            self.session,
            sid if segment is None else f"{sid}-{wire.as_id(segment, 'segment')}",
            content_profile=content_profile,
            crop_variant=crop_variant,
            coord_system=coord_system,
        )

    def models(
        self, id: str, *, profile: str = "ply", quality: str | None = None, lod: bool = False
    ) -> pd.DataFrame:
        """List the model files of a finished capture; arguments as for `metadata`.

        Returns
        -------
        pandas.DataFrame
            One row each; with `lod`, those with ``is_leaf`` together are the finest whole.
        """
        metadata = self.metadata(id, profile=profile, quality=quality, lod=lod)
        return MODELS.to_frame(model_rows(metadata), service=self.service)

    def cameras(self, id: str, *, coord_system: str | None = None) -> pd.DataFrame:
        """List where the photos of a finished capture were taken, in the capture's own frame.

        Poses come from metadata v1. With `coord_system`, positions and names of photos come from
        the list of metadata v2 instead.

        Raises
        ------
        NotReadyError
            If the capture is not ready.
        """
        found: Iterable[Camera]
        if coord_system is None:
            found = self.metadata(id).cameras
        else:
            about = self.metadata_v2(id, coord_system=coord_system)
            found = files.ask_cameras(self.session, about)
        return CAMERAS.to_frame(camera_rows(found), service=self.service)

    def download(
        self,
        id: str,
        to: str | os.PathLike[str],
        *,
        choice: files.Choice | None = None,
        model: int | None = None,
        progress: ProgressFn | None = None,
    ) -> Path:
        """Download a model of a finished capture.

        Parameters
        ----------
        id : str
            The capture (``eid``), or its share page (``sid``).
        to : path
            An existing folder. The file is called after the id, never after what the service says.
        choice : Choice or None
            Profile, quality, tree of details; None is the whole scene as splat PLY.
        model : int or None
            Which one, by its ``number`` in `models`, where there are several.
        progress : callable
            Watcher.

        Returns
        -------
        Path
            The file that was written.

        Raises
        ------
        NotReadyError
            If the capture is not ready, or not made in this profile.
        TransferError, OutputError, ServiceError
            If it cannot be fetched or written.
        """
        choice = choice or files.Choice()
        sid = self._sid(id)
        part = "" if model is None else f"-{model}"
        final = Path(to) / f"teleport-{sid}-{choice.profile}{part}{choice.suffix}"

        def link() -> Secret:
            return files.pick(files.ask_v1(self.session, sid, choice, self.assume), model).url

        return files.fetch(
            self.session, link, final, name=f"model of capture {id}", progress=progress
        )

    # -- how --------------------------------------------------------------------------------------

    def _sid(self, id: str) -> str:
        """Give the share page of a capture."""
        if files.is_sid(id):
            return id
        per_page = self.assume.per_page
        row = wire.find_capture(self.session, wire.as_id(id), per_page=per_page)
        if row is None:
            raise NotFoundError(
                f"there is no capture {id!r} that this key can see; captures() lists them.",
                service=self.service,
            )
        sid = row.get("sid")
        if isinstance(sid, str) and sid:
            return sid
        word = wire.word_of(row)
        raise NotReadyError(
            f"capture {id} ({row.get('name')!r}) has no models yet: it is {word}. "
            + ("Try again later." if wire.state_of(row).value != "failed" else "It failed."),
            service=self.service,
        )


def _assumptions(given: TeleportSettings | Mapping[str, Any] | None) -> TeleportSettings:
    if isinstance(given, TeleportSettings):
        return given
    try:
        return replace(TeleportSettings(), **dict(given or {}))
    except TypeError:
        names = ", ".join(TeleportSettings().to_dict())
        unknown = f"assume= knows {names}, and not {sorted(given or ())}."
    raise ArgumentError(unknown)


def _halves(key: Secret) -> tuple[Secret, Secret]:
    """Split a key at its first colon; nothing of it stays in a frame that can be shown."""
    halves = [Secret(part) for part in key.reveal().split(":", 1)]
    if len(halves) != 2:
        raise CredentialError(
            f"the teleport key {key} is not whole: write it as client_id:client_secret, both from "
            "the Developer Dashboard."
        )
    return halves[0], halves[1]
