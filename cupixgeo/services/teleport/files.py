"""Metadata and model files of finished captures: asked for, chosen, fetched.

Knows the two metadata endpoints and how a model is fetched without a token. Must not know jobs.

Sources: Teleport API specification page; API documentation, *capture metadata* (v1 and v2).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cupixgeo.errors import ArgumentError, NotFoundError, NotReadyError
from cupixgeo.net.secret import Secret
from cupixgeo.net.session import Session
from cupixgeo.net.transfer import Expected, download
from cupixgeo.progress import ProgressFn
from cupixgeo.services.teleport.metadata import (
    Camera,
    Metadata,
    MetadataV2,
    Model,
    read_cameras,
    read_v1,
    read_v2,
)
from cupixgeo.services.teleport.parameters import QUALITIES
from cupixgeo.services.teleport.settings import TeleportSettings
from cupixgeo.services.teleport.wire import as_id

PROFILES: dict[str, str] = {
    "ply": ".ply",
    "sogs-sh0": ".zip",
    "ksplat-v2-compress0": ".ksplat",
    "ksplat-v2-compress1": ".ksplat",
    "ksplat-v2-compress2": ".ksplat",
    "fragment-chunk1": ".bin",
    "fragment-float16": ".bin",
}
"""Profiles that are known, and the extension their files get here."""

_SID = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True)
class Choice:
    """Which of a capture's models.

    Parameters
    ----------
    profile : str
        How it is packed; unknown ones are passed on.
    quality : str or None
        ``"sd"`` or ``"hd"``; None is the service's default.
    is_lod : bool
        Whether a tree of details is asked for.
    use_cdn : bool or None
        Whether links lead to the CDN; None is the service's default.
    """

    profile: str = "ply"
    quality: str | None = None
    is_lod: bool = False
    use_cdn: bool | None = None

    @property
    def suffix(self) -> str:
        """Extension of the files."""
        return PROFILES.get(self.profile, ".bin")

    def params(self) -> dict[str, str | int]:
        """Give the query.

        Raises
        ------
        ArgumentError
            If there is no such quality.
        """
        if self.quality is not None and self.quality not in QUALITIES:
            raise ArgumentError(f"quality={self.quality!r} is not 'sd' or 'hd'.")
        params: dict[str, str | int] = {"profiles": self.profile}
        if self.quality is not None:
            params["quality"] = self.quality
        if self.is_lod:
            params["lod"] = "true"
        if self.use_cdn is not None:
            params["use_cdn"] = "true" if self.use_cdn else "false"
        return params


def is_sid(text: object) -> bool:
    """Say whether a text is the id of a share page rather than of a capture."""
    return isinstance(text, str) and _SID.fullmatch(text) is not None


def ask_v1(session: Session, sid: str, choice: Choice, assume: TeleportSettings) -> Metadata:
    """Ask for metadata v1.

    Raises
    ------
    NotReadyError
        If there is none: the models are not ready, or never made in this profile.
    """
    path = f"share/{as_id(sid, 'share page')}/metadata"
    try:
        return read_v1(
            session.json("GET", path, params=choice.params()), quat_order=assume.quat_order
        )
    except NotFoundError as error:
        raise _not_there(sid, f"the profile {choice.profile!r}", error) from error


def ask_v2(
    session: Session,
    resource: str,
    *,
    content_profile: str = "ply",
    crop_variant: str | None = None,
    coord_system: str | None = None,
) -> MetadataV2:
    """Ask for metadata v2.

    Raises
    ------
    NotReadyError
        If there is none for this combination.
    """
    params: dict[str, str | int] = {"content_profile": content_profile}
    if crop_variant is not None:
        params["crop_variant"] = crop_variant
    if coord_system is not None:
        params["coord_system"] = coord_system
    path = f"api/v2/captures/{as_id(resource, 'share page')}/metadata"
    try:
        return read_v2(session.json("GET", path, params=params))
    except NotFoundError as error:
        raise _not_there(resource, f"the combination {params}", error) from error


def ask_cameras(session: Session, metadata: MetadataV2) -> tuple[Camera, ...]:
    """Fetch the list of cameras metadata v2 points at; no token goes along.

    Raises
    ------
    NotReadyError
        If it points at none.
    """
    if metadata.cameras_url is None:
        raise NotReadyError(
            f"capture {metadata.sid} has no list of cameras.", service=session.service
        )
    return read_cameras(session.json("GET", metadata.cameras_url.reveal()))


def pick(metadata: Metadata, number: int | None) -> Model:
    """Choose one model.

    Parameters
    ----------
    metadata : Metadata
        What there is.
    number : int or None
        Position in the metadata; None takes the only one that is a whole.

    Raises
    ------
    ArgumentError
        If there is no such model, or there are several and none was chosen.
    NotReadyError
        If there is none at all.
    """
    if not metadata.models:
        raise NotReadyError(
            f"capture {metadata.sid or metadata.eid} has no models.", service="teleport"
        )
    chosen: Sequence[Model] = (
        metadata.leaves if number is None else [m for m in metadata.models if m.number == number]
    )
    if len(chosen) == 1:
        return chosen[0]
    numbers = [model.number for model in metadata.leaves]
    raise ArgumentError(
        f"capture {metadata.sid or metadata.eid} has {len(metadata.models)} models: choose one "
        f"with model=; {numbers} are the finest."
    )


def fetch(
    session: Session,
    get_url: Any,
    to: Path,
    *,
    name: str,
    progress: ProgressFn | None = None,
) -> Path:
    """Fetch a file through a signed link that is renewed when it expires; no token goes along."""
    return download(
        get_url,
        to,
        expected=Expected(name=name, plain_http=not session.is_encrypted),
        settings=session.settings,
        progress=progress,
    )


def link_of(url: Secret | None, what: str) -> Secret:
    """Give a link that is there.

    Raises
    ------
    NotReadyError
        If it is not.
    """
    if url is None:
        raise NotReadyError(f"there is no link to {what} (any more).", service="teleport")
    return url


def _not_there(sid: str, what: str, error: NotFoundError) -> NotReadyError:
    return NotReadyError(
        f"teleport has no models of {sid} in {what}: they are not ready yet, or are not made so. "
        "Try again later, or choose another.",
        service="teleport",
        verb=error.verb,
        status=error.status,
        request_id=error.request_id,
    )
