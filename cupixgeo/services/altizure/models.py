"""Importing a model that was made elsewhere: a zip, its volumes, or a zip too large for one piece.

Knows how parts are named and what is said when they are there. Must not know jobs.

Sources: altizure/dev-docs en/imported-model.md (states); altizure/alti-cli
cloud/model-reg-uploader.go, file/helper.go (sizes, names of parts), cmd/import-model.go (names).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cupixgeo.errors import (
    ArgumentError,
    ConnectionFailedError,
    RateLimitError,
    ServerError,
    TransferError,
)
from cupixgeo.net.body import Body
from cupixgeo.net.secret import Secret
from cupixgeo.progress import Progress, ProgressFn
from cupixgeo.services.altizure.places import choose_place
from cupixgeo.services.upload_values import split

if TYPE_CHECKING:
    from cupixgeo.services.altizure.account import AltizureAccount

WHOLE_BYTES = 5 * 1024 * 2**20
"""Largest zip that is sent in one piece [byte]."""

PART_BYTES = 100 * 2**20
"""Size of the pieces of a larger one [byte]."""

WAIT_S = 5.0
"""[s] between two questions for the state of an import."""

FINAL = frozenset({"Ready", "Failed", "LimitExceeded"})

_OPERATIONS = {"S3": "upload_model_s3", "MINIO": "upload_model_minio"}
_NAME = re.compile(r"[a-zA-Z0-9._]+")
_VOLUME = re.compile(r"(?P<whole>.+\.zip)\.(?P<number>\d{3})", re.IGNORECASE)
_PASSING = (ConnectionFailedError, RateLimitError, ServerError, TransferError)


@dataclass(frozen=True)
class ModelPart:
    """One piece of a model: its name at the service, and its bytes."""

    name: str
    body: Body
    merge: bool = False


def is_url(text: str) -> bool:
    """Say whether this is an address and not a path."""
    return text.lower().startswith(("http://", "https://"))


def parts_of(path: Path) -> list[ModelPart]:
    """List what is to be sent of a model file.

    Parameters
    ----------
    path : Path
        A zip, or the first of its volumes.

    Raises
    ------
    ArgumentError
        If it is none, or its name is refused by the service.
    """
    volume = _VOLUME.fullmatch(path.name)
    if path.suffix.lower() != ".zip" and volume is None:
        raise ArgumentError(f"{path} is no .zip: Altizure takes a zip of an OBJ model.")
    if not _NAME.fullmatch(path.name):
        raise ArgumentError(
            f"Altizure refuses the name {path.name!r}: only letters a to z, digits, dots and "
            "underscores. Rename it."
        )
    if not path.is_file():
        raise ArgumentError(f"{path} is no file.")
    if volume is not None:
        pattern = re.compile(re.escape(volume["whole"]) + r"\.\d{3}", re.IGNORECASE)
        found = sorted(p for p in path.parent.iterdir() if pattern.fullmatch(p.name))
        return [ModelPart(p.name, Body.from_file(p)) for p in found]
    size = path.stat().st_size
    if size <= WHOLE_BYTES:
        return [ModelPart(path.name, Body.from_file(path))]
    pieces = split(size, PART_BYTES)
    digits = len(str(len(pieces) - 1)) if len(pieces) > 1 else 1  # ceil(log10(parts))
    return [
        ModelPart(
            name := f"{path.name}.part.{piece.number:0{digits}d}",
            Body.from_file(path, offset=piece.offset, size=piece.size, name=name),
            merge=True,
        )
        for piece in pieces
    ]


def upload(
    account: AltizureAccount,
    project: str,
    parts: Sequence[ModelPart],
    *,
    progress: ProgressFn | None = None,
) -> None:
    """Send all pieces of a model, each tried again alone, and say that they are there."""
    place = choose_place(account.api, "model")
    total, done = sum(part.body.size for part in parts), 0
    for part in parts:
        _send(account, project, _OPERATIONS[place.cloud], place.bucket, part)
        done += part.body.size
        if progress is not None:
            progress(Progress("upload", done, total, "bytes", part.name))
    _finish(account, project, merge=any(part.merge for part in parts))


def upload_url(account: AltizureAccount, project: str, url: str) -> None:
    """Let the service fetch a model."""
    found = account.api.object("upload_model_url", {"pid": project, "url": url})
    if found is None:
        raise account.api.refused(
            "upload_model_url",
            f"altizure takes no model for project {project}: it is none of this user's that were "
            "made for an import.",
        )
    _finish(account, project, merge=False)


def wait(account: AltizureAccount, project: str, *, timeout_s: float) -> str:
    """Ask for the state of an import until it is final or the time is over."""
    waited = 0.0
    while True:
        state = str(account.state_of(project).get("importedState") or "")
        if state in FINAL or waited >= timeout_s:
            return state
        pause = min(WAIT_S, timeout_s - waited)
        account.settings.sleep(pause)
        waited += pause


def _send(account: AltizureAccount, project: str, name: str, bucket: str, part: ModelPart) -> None:
    """Send one piece; every try goes to the same link, so that one file is registered."""
    found = account.api.object(name, {"id": project, "bucket": bucket, "filename": part.name})
    if found is None or not found.get("url"):
        raise account.api.refused(
            name,
            f"altizure takes no model for project {project}: it is none of this user's that were "
            "made for an import.",
        )
    link = Secret(found.pop("url"))
    failures = 0
    while True:
        try:
            account.uploader.upload(link, part.body, headers={"Content-Type": "application/zip"})
            return
        except _PASSING as error:
            failures += 1
            pause = account.settings.wait_s(failures, getattr(error, "retry_after", None))
            if failures >= account.settings.attempts or pause is None:
                raise
        account.settings.sleep(pause)


def _finish(account: AltizureAccount, project: str, *, merge: bool) -> None:
    found = account.api.object("done_model", {"id": project, "merge": merge})
    if found is None:
        raise account.api.refused(
            "done_model", f"altizure does not convert the model of project {project}. Try again."
        )
