"""Uploads with temporary credentials: S3-compatible stores and Alibaba OSS behind one interface.

Knows a bucket, keys and parts; the libraries (boto3, oss2) do the signing and are imported when a
store is opened. They repeat nothing and log nothing here: whoever owns the parts decides what is
sent again, and their debug lines hold the security token. Their exceptions end here, too, because
their frames hold the credentials. Every body is sent with its MD5, which the store checks.

Must not know any service.

Sources: Amazon S3 API Reference (PutObject, multipart upload, error codes); Alibaba Cloud OSS API
reference (signature V4, multipart upload, error codes).
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

from cupixgeo.errors import (
    ArgumentError,
    ConnectionFailedError,
    MissingExtraError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    ServerError,
    ServiceError,
    TransferError,
)
from cupixgeo.net.body import Body
from cupixgeo.net.secret import Secret, redact
from cupixgeo.net.settings import NetSettings
from cupixgeo.net.whole import unreadable
from cupixgeo.net.wire import is_loopback, origin_of

EXPIRED_CODES = frozenset(
    {"ExpiredToken", "TokenRefreshRequired", "InvalidToken", "RequestExpired",
     "SecurityTokenExpired", "InvalidSecurityToken", "InvalidAccessKeyId"}
)  # fmt: skip
"""Error codes that mean: these temporary credentials are over; others may do."""

MOST_PARTS = 10_000
LEAST_PART_BYTES = 5 * 2**20
"""Limits of S3 [byte]; those of OSS are wider."""

_VENDORS = {
    "s3": "cupixgeo.net.objectstore_s3:S3Store",
    "oss": "cupixgeo.net.objectstore_oss:OssStore",
}


@dataclass(frozen=True)
class StoreAccess:
    """Where a bucket is, and the temporary credentials that open it.

    Parameters
    ----------
    vendor : {"s3", "oss"}
        Which protocol it speaks.
    endpoint : str
        Address of the store, ``"https://oss-cn-hangzhou.aliyuncs.com"``; without a scheme, https
        is meant. Empty: the vendor's own for `region` (S3 only).
    region, bucket : str
        As the service names them.
    access_key_id : str
        Not secret by itself.
    secret_access_key, session_token : Secret
        The rest of the triple.
    addressing : {"auto", "path", "virtual"}
        Where the bucket's name goes: into the path, or before the host. Stores on one's own
        premises mostly want ``"path"``.
    """

    vendor: str
    endpoint: str
    region: str
    bucket: str
    access_key_id: str
    secret_access_key: Secret
    session_token: Secret
    addressing: str = "auto"


@dataclass(frozen=True)
class StoreFault:
    """What went wrong, in the words both libraries have: no frame, no request, no credential.

    Parameters
    ----------
    status : int or None
        HTTP status; None where no answer came.
    code : str
        The store's error code.
    said : str
        What it said, or what the system said.
    request_id : str
        What the store's support asks for.
    """

    status: int | None
    code: str = ""
    said: str = ""
    request_id: str = ""


class ObjectStore(Protocol):
    """One bucket. Used by several threads at a time; close it when done.

    All methods raise
    `ConnectionFailedError` if no whole answer came, `ServerError` for 5xx, `RateLimitError` for
    429 and SlowDown, `PermissionDeniedError` for refused credentials (``.code`` in `EXPIRED_CODES`
    if others may do), `NotFoundError` for a key or upload that is not there, `TransferError` if the
    bytes did not arrive as they were sent or the file changed, `ServiceError` otherwise.
    """

    def put(self, key: str, body: Body, *, md5: str = "") -> str:
        """Store a whole object; give its ETag without quotes. `md5` in hex saves a reading."""
        ...

    def begin(self, key: str) -> str:
        """Begin an object in parts; give the upload's id."""
        ...

    def put_part(self, key: str, upload_id: str, number: int, body: Body, *, md5: str = "") -> str:
        """Store a part, numbered from 1; give its ETag without quotes."""
        ...

    def finish(self, key: str, upload_id: str, etags: Sequence[str]) -> str:
        """Put the parts together, in their order; give the object's ETag without quotes."""
        ...

    def abort(self, key: str, upload_id: str) -> None:
        """Throw unfinished parts away."""
        ...

    def get(self, key: str, to: Path) -> Path:
        """Fetch an object into a file."""
        ...

    def close(self) -> None:
        """Close the connections."""
        ...


def open_store(
    access: StoreAccess,
    *,
    service: str,
    settings: NetSettings | None = None,
    plain_http: bool = False,
) -> ObjectStore:
    """Open a bucket. Nothing is sent.

    Parameters
    ----------
    access : StoreAccess
        Where, and with what.
    service : str
        Name used in errors.
    settings : NetSettings
        Timeouts.
    plain_http : bool
        Let the store be unencrypted: only where the service itself is.

    Returns
    -------
    ObjectStore

    Raises
    ------
    MissingExtraError
        If the vendor's library is not installed.
    ArgumentError
        If there is no such vendor.
    TransferError
        If the store is not encrypted though the service is.
    """
    if access.vendor not in _VENDORS:
        raise ArgumentError(
            f"there is no storage vendor {access.vendor!r}; there are {', '.join(_VENDORS)}."
        )
    endpoint = with_scheme(access.endpoint, plain_http=plain_http)
    if endpoint:
        origin = origin_of(endpoint)
        if not (origin.startswith("https:") or plain_http or is_loopback(origin)):
            raise TransferError(
                f"nothing was sent: the storage at {origin} is not encrypted, though {service} "
                "itself is. Report this to the service."
            )
    module, _, name = _VENDORS[access.vendor].partition(":")
    kind: Any = getattr(import_module(module), name)
    store: ObjectStore = kind(
        access, endpoint=endpoint, service=service, settings=settings or NetSettings()
    )
    return store


def with_scheme(endpoint: str, *, plain_http: bool = False) -> str:
    """Give an endpoint with its scheme; https where it has none, http for this machine.

    >>> with_scheme("oss-cn-hangzhou.aliyuncs.com")
    'https://oss-cn-hangzhou.aliyuncs.com'
    """
    if not endpoint or "://" in endpoint:
        return endpoint
    is_local = plain_http or is_loopback(origin_of(f"http://{endpoint}"))
    return f"{'http' if is_local else 'https'}://{endpoint}"


def required(module: str) -> Any:
    """Import a library of the extra ``uploads``.

    Raises
    ------
    MissingExtraError
        If it is not installed.
    """
    try:
        return import_module(module)
    except ImportError:
        missing = module.partition(".")[0]
    raise MissingExtraError(
        f"uploads to this storage need {missing}, which is not installed: "
        "pip install 'cupixgeo[uploads]'"
    )


def unusable(access: StoreAccess, service: str, problem: str) -> ArgumentError:
    """Make the error for a store whose names the vendor's library does not take."""
    return ArgumentError(
        f"{service} names a storage that cannot be used: bucket {access.bucket!r} in region "
        f"{access.region!r} at {redact(access.endpoint)!r} ({problem}). Report it to the service."
    )


def content_md5(body: Body, md5: str = "") -> str:
    """Give the value of a Content-MD5 header; hash the body unless its MD5 is known in hex."""
    try:
        digest = md5 or body.digest("md5")
    except OSError as error:
        raise unreadable(body, error) from None
    return base64.b64encode(bytes.fromhex(digest)).decode()


_KINDS: Mapping[str, tuple[type[ServiceError], str]] = {
    **dict.fromkeys(EXPIRED_CODES, (PermissionDeniedError, "They may have expired.")),
    "SlowDown": (RateLimitError, "Try again later."),
    "NoSuchUpload": (NotFoundError, "It was finished or thrown away."),
}


def error_of(fault: StoreFault, what: str, *, service: str, origin: str) -> Exception:
    """Turn a fault into the error that names the object and the remedy.

    Parameters
    ----------
    fault : StoreFault
        What went wrong.
    what : str
        What was being done, for example ``"take DJI_0001.JPG (4711 bytes)"``.
    service, origin : str
        Of the service, and of its store.
    """
    said = redact(fault.said).strip().rstrip(".")[:200]
    if fault.status is None:
        return ConnectionFailedError(
            f"no whole answer from the storage of {service} at {origin}, asked to {what}: {said}. "
            "Check the network, then resume the job.",
            service=service,
            verb="upload",
        )
    if fault.code in ("BadDigest", "InvalidDigest", "XAmzContentSHA256Mismatch", "IncompleteBody"):
        return TransferError(
            f"the storage of {service} could not {what}: the bytes that arrived are not the ones "
            f"that were sent ({fault.code}). They have to be sent again."
        )
    kind, remedy = _KINDS.get(fault.code, (None, ""))
    if kind is None:
        kind, remedy = (
            (PermissionDeniedError, "Its credentials do not allow that.")
            if fault.status in (401, 403)
            else (NotFoundError, "It is not there.")
            if fault.status == 404
            else (RateLimitError, "Try again later.")
            if fault.status in (408, 429)
            else (ServerError, "Try again later.")
            if fault.status >= 500
            else (ServiceError, "Look at what it says.")
        )
    numbers = f"{fault.status}, {fault.code}" if fault.code else str(fault.status)
    told = f": {said}" if said else ""
    return kind(
        f"the storage of {service} at {origin} did not {what} ({numbers}){told}. {remedy}",
        service=service,
        verb="upload",
        status=fault.status,
        code=fault.code or None,
        request_id=fault.request_id or None,
    )
