"""Sending the files of a project: registered, marked, put into a bucket; each once.

Knows the four ways an image travels and the two of a meta file. A file the service has already is
recognised by its checksum and not sent. Storage hosts never see key or token. Must not know jobs.

Sources: altizure/dev-docs en/upload.md; altizure/alti-cli cloud/image-reg-uploader.go (order of
calls, PUT succeeds with 200 only), cloud/oss-uploader.go, cloud/meta-file-reg-uploader.go;
altizure/oss-upload-minimal (credentials renewed half an hour early).
"""

from __future__ import annotations

import re
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from cupixgeo.errors import (
    BadRequestError,
    NotFoundError,
    PermissionDeniedError,
    TransferError,
)
from cupixgeo.net.body import Body
from cupixgeo.net.objectstore import EXPIRED_CODES, ObjectStore, StoreAccess, open_store
from cupixgeo.net.secret import Secret
from cupixgeo.services.altizure.content import image_kind, media_type
from cupixgeo.services.altizure.graphql import Object
from cupixgeo.services.altizure.places import Place

if TYPE_CHECKING:
    from cupixgeo.services.altizure.account import AltizureAccount

CREDENTIALS_LAST_S = 30 * 60.0
"""[s] temporary credentials are used; they are good for an hour by the service's clock."""

_IMAGES = {"S3": "upload_image_s3", "MINIO": "upload_image_minio"}
_METAS = {"S3": "upload_meta_s3", "MINIO": "upload_meta_minio"}
_REGION = re.compile(r"oss-([a-z]+-[a-z]+(?:-\d+)?)")


@dataclass(frozen=True)
class _Registered:
    """An image the service expects: its id, and where its bytes go."""

    id: str
    filename: str
    url: Secret | None = None


class Sending:
    """Sends files into one project. Used by several threads; lives as long as one run of a job.

    Parameters
    ----------
    account : AltizureAccount
        Whose connection and settings are used.
    project : str
        Id of the project.
    """

    def __init__(self, account: AltizureAccount, project: str) -> None:
        self._account = account
        self._api = account.api
        self._project = project
        self._registered: dict[str, _Registered] = {}
        self._store: ObjectStore | None = None
        self._stores: list[ObjectStore] = []
        self._store_until = 0.0
        self._lock = threading.Lock()

    def has_image(self, checksum: str) -> str | None:
        """Give the id of the image with this SHA-1 if the service has it whole, else None."""
        found = self._api.object("has_image", {"pid": self._project, "checksum": checksum})
        if found is None or found.get("state") in ("Pending", "Uploading", "Invalid"):
            return None
        return str(found["id"])

    def image(self, place: Place, body: Body, *, checksum: str) -> tuple[str, str]:
        """Send an image into a bucket; give its id and the ETag.

        Parameters
        ----------
        place : Place
            Which bucket.
        body : Body
            The image.
        checksum : str
            Its SHA-1, hexadecimal.

        Raises
        ------
        TransferError, ServiceError
            If it did not arrive.
        """
        had = self.has_image(checksum)
        if had is not None:
            return had, ""
        try:
            return self._image(place, body, checksum)
        except PermissionDeniedError as error:
            if place.cloud == "OSS" and error.code not in EXPIRED_CODES:
                raise
            self._forget(checksum)
        return self._image(place, body, checksum)

    def image_by_url(self, url: str, name: str, *, checksum: str) -> str:
        """Let the service fetch an image; give its id."""
        had = self.has_image(checksum)
        if had is not None:
            return had
        variables = {
            "pid": self._project,
            "url": url,
            "filename": name,
            "checksum": checksum,
            "token": self._account.photo_token,
        }
        return self._id("upload_image_url", self._api.object("upload_image_url", variables), name)

    def meta(self, place: Place, body: Body, *, checksum: str) -> tuple[str, str]:
        """Send a meta file; give its id and the ETag. One that is there already is not sent."""
        had = self.has_meta(checksum)
        if had is not None:
            return had, ""
        name = _METAS[place.cloud]
        variables = {"pid": self._project, "bucket": place.bucket, "filename": body.name}
        upload = self._api.object(name, variables) or {}
        id = self._id(name, upload.get("file"), body.name)
        return id, self._put(self._link(name, upload), body, media_type(body))

    def meta_by_url(self, url: str, name: str, *, checksum: str) -> str:
        """Let the service fetch a meta file; give its id."""
        had = self.has_meta(checksum)
        if had is not None:
            return had
        variables = {"pid": self._project, "url": url, "filename": name, "checksum": checksum}
        return self._id("upload_meta_url", self._api.object("upload_meta_url", variables), name)

    def has_meta(self, checksum: str) -> str | None:
        """Give the id of the meta file with this SHA-1 if the service has it, else None."""
        variables = {"pid": self._project, "checksum": checksum}
        found = (self._api.object("has_meta_file", variables) or {}).get("hasMetaFile")
        return str(found["id"]) if found and found.get("state") else None

    def close(self) -> None:
        """Close the connections to OSS buckets."""
        for store in self._stores:
            store.close()
        self._stores.clear()
        self._store = None

    # -- one image -------------------------------------------------------------------------------

    def _image(self, place: Place, body: Body, checksum: str) -> tuple[str, str]:
        kind = image_kind(body)
        image = self._registered.get(checksum)
        if image is None:
            variables = {
                "pid": self._project,
                "bucket": place.bucket,
                "filename": body.name,
                "type": kind.name,
                "checksum": checksum,
            }
            image = self._register(place, variables)
            self._registered[checksum] = image
        self._api.call("start_image", {"id": image.id})
        if image.url is not None:
            etag = self._put(image.url, body, kind.media_type)
        else:
            etag = self._bucket(place).put(f"{self._project}/{image.filename}", body)
            self._api.call("done_image", {"id": image.id})
        self._registered.pop(checksum, None)
        return image.id, etag

    def _register(self, place: Place, variables: dict[str, Any]) -> _Registered:
        name = _IMAGES.get(place.cloud, "upload_image_oss")
        upload = self._api.object(name, variables) or {}
        image = upload.get("image") or {}
        id = self._id(name, image, variables["filename"])
        if place.cloud == "OSS":
            return _Registered(id, str(image.get("filename")))
        return _Registered(id, str(image.get("filename")), self._link(name, upload))

    def _put(self, url: Secret, body: Body, kind: str) -> str:
        stored = self._account.uploader.upload(url, body, headers={"Content-Type": kind})
        if stored.status != 200:
            raise TransferError(
                f"the storage answered {stored.status} to {body.name}, and only 200 means that it "
                "is there. It has to be sent again."
            )
        return stored.etag

    def _bucket(self, place: Place) -> ObjectStore:
        """Give the OSS bucket, opened with credentials that are still good."""
        with self._lock:
            if self._store is None or time.monotonic() >= self._store_until:
                self._store = self._open(place)
                self._stores.append(self._store)
                self._store_until = time.monotonic() + CREDENTIALS_LAST_S
            return self._store

    def _open(self, place: Place) -> ObjectStore:
        variables = {"pid": self._project, "bucket": place.bucket, "filename": "credentials.jpg"}
        sts = (self._api.object("oss_credentials", variables) or {}).get("sts")
        if not isinstance(sts, dict):
            raise self._api.misunderstood("oss_credentials", "no credentials")
        endpoint = str(sts.get("endpoint") or "")
        match = _REGION.search(endpoint)
        region = match[1] if match else self._api.conventions.oss_region
        return open_store(
            StoreAccess(
                vendor="oss",
                endpoint=endpoint,
                region=region,
                bucket=str(sts.get("bucket")),
                access_key_id=str(sts.get("id")),
                secret_access_key=Secret(sts.get("secret")),
                session_token=Secret(sts.get("token")),
            ),
            service=self._account.service,
            settings=self._account.settings,
            plain_http=not self._account.session.is_encrypted,
        )

    def _forget(self, checksum: str) -> None:
        """Forget link and credentials that were refused."""
        self._registered.pop(checksum, None)
        with self._lock:
            self._store = None  # other threads may still be using it

    def _link(self, name: str, upload: Object) -> Secret:
        url = upload.get("url")
        if not isinstance(url, str) or not url:
            raise self._api.misunderstood(name, "no link to upload to")
        return Secret(url)

    def _id(self, name: str, found: Any, file: str) -> str:
        if isinstance(found, dict) and found.get("id"):
            return str(found["id"])
        my = self._api.object("whoami") or {}
        if not (my.get("self") or {}).get("email"):
            raise self._account.not_signed_in(name)
        mode = self._account.system_mode()
        if mode != "Normal":
            raise BadRequestError(
                f"altizure takes no upload of {file} now: it is in the mode {mode!r}. Resume the "
                "job later.",
                service=self._account.service,
                verb=name,
            )
        raise NotFoundError(
            f"altizure takes no upload of {file}: there is no project {self._project} of this user "
            "that takes one. It may have been removed; plan the job anew.",
            service=self._account.service,
            verb=name,
        )


def file_url(base: str, name: str) -> str:
    """Give the address of a file in a folder on the web; blanks become ``%20``."""
    return f"{base.rstrip('/')}/{quote(name)}"
