"""Files on their way to the node and back: uploads, the archive that repairs them, downloads.

Knows which requests carry files. Must not know the order of a job.

A node cannot be asked which files of an upload it has, and a second file of the same name is kept
*beside* the first one (``P_1_.JPG``), which may be cut off if its sender was. So a file whose
upload ended without a reply is not simply sent again. It goes into ``seed.zip``, which the node
unpacks over the task's folder when the task is committed: whatever is there of it is replaced.

Sources: NodeODM's API document, *POST /task/new/upload/{uuid}* (``seed.zip`` pre-populates the
task's folder with its contents); NodeODM 2.2.4 and multer, its upload library (names, files cut
off).
"""

from __future__ import annotations

import mimetypes
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

from cupixgeo.net.body import Body
from cupixgeo.net.multipart import FormFile, MultipartForm
from cupixgeo.net.session import Session
from cupixgeo.net.transfer import Expected, download
from cupixgeo.net.upload import Uploader
from cupixgeo.progress import ProgressFn
from cupixgeo.services.bundle import Bundle
from cupixgeo.services.job_values import SourceFile
from cupixgeo.services.nodeodm import wire
from cupixgeo.services.upload_values import Part

ALL = "all.zip"
SEED = "seed.zip"

MEMBERS = {
    "orthophoto.tif": "odm_orthophoto/odm_orthophoto.tif",
    "orthophoto.png": "odm_orthophoto/odm_orthophoto.png",
    "dsm.tif": "odm_dem/dsm.tif",
    "dtm.tif": "odm_dem/dtm.tif",
    "georeferenced_model.laz": "odm_georeferencing/odm_georeferenced_model.laz",
    "georeferenced_model.las": "odm_georeferencing/odm_georeferenced_model.las",
    "textured_model.glb": "odm_texturing/odm_textured_model_geo.glb",
    "report.pdf": "odm_report/report.pdf",
    "shots.geojson": "odm_report/shots.geojson",
    "cameras.json": "cameras.json",
}
"""Common names of single assets, and where they are in ``all.zip``."""

_FIELD = "images"
_LONGEST_REFUSAL = 4096


def send_file(session: Session, uploader: Uploader, uuid: str, body: Body, *, name: str) -> None:
    """Send one file into an upload, once.

    Raises
    ------
    NotFoundError
        If the node has no such upload.
    ServiceError
        As for `Uploader.upload`, and for what the node says.
    """
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    form = MultipartForm({}, files=(FormFile(_FIELD, name, body, kind),))
    path = f"task/new/upload/{uuid}"
    stored = uploader.upload(
        session.address(path), form.body(name=name), method="POST", headers=form.headers
    )
    call = f"POST /{path} of {name}"
    answer = wire.decoded(session, call, stored.body)
    if not isinstance(answer, Mapping) or answer.get("success") is not True:
        wire.misunderstood(session, call, "neither success nor an error")


def seed_body(files: Iterable[SourceFile]) -> Body:
    """Make the archive that puts files into a task's images, whatever is there of them."""
    seed = Bundle([replace(file, name=f"images/{file.name}") for file in files], name=SEED)
    return replace(seed.body(Part(1, 0, seed.size)), name=SEED)


def fetch_asset(
    session: Session, uuid: str, asset: str, to: Path, *, progress: ProgressFn | None = None
) -> Path:
    """Download an asset of a completed task to a file.

    Raises
    ------
    TransferError
        If it cannot be fetched whole.
    ServiceError
        If the node says that there is no such asset, or that it is not ready.
    """
    path = asset_path(uuid, asset)
    fetched = download(
        lambda: session.address(path),
        to,
        expected=Expected(name=f"{asset} of task {uuid}", plain_http=not session.is_encrypted),
        settings=session.settings,
        progress=progress,
    )
    if fetched.stat().st_size <= _LONGEST_REFUSAL and fetched.read_bytes().startswith(b'{"error"'):
        refusal = fetched.read_bytes()  # it comes with status 200, as every error of a node
        fetched.unlink()
        wire.decoded(session, f"GET /{path}", refusal)
    return fetched


def asset_path(uuid: str, asset: str) -> str:
    """Give the path an asset is downloaded from."""
    return f"task/{uuid}/download/{asset}"


def member_of(asset: str) -> PurePosixPath:
    """Say where in ``all.zip`` a single asset is: by its common name, or its path there."""
    return PurePosixPath(MEMBERS.get(asset, asset))


class Watched:
    """A body that tells whether anything of it was ever read, and so might have been sent."""

    def __init__(self, body: Body) -> None:
        self._body = body
        self.was_read = False

    def body(self) -> Body:
        """Give the body to send."""

        def opened() -> Any:
            self.was_read = True
            return self._body.open()

        return Body(self._body.size, opened, self._body.name)
