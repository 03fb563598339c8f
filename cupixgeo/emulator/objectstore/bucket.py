"""One bucket on the storage origin: objects, uploads in parts, and who may do what.

Knows the object operations an upload needs, in the dialects of S3 and OSS. Knows no service. What
was stored is kept in memory, the same bytes only once.

Source: see `cupixgeo.emulator.objectstore`. Smallest parts: Amazon S3 "Multipart upload limits"
(5 MiB), Alibaba OSS "Limits of multipart upload" (100 KiB); the last part may be smaller.
"""

from __future__ import annotations

import hashlib
import itertools
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from cupixgeo.emulator.objectstore import oss, sigv4
from cupixgeo.emulator.objectstore.body import payload
from cupixgeo.emulator.objectstore.keys import KeyRing, StoreRefusalError
from cupixgeo.emulator.storage import Storage, StoredObject, refusal, stored_content
from cupixgeo.emulator.wire import Request, Response, is_number

if TYPE_CHECKING:
    from cupixgeo.emulator.clock import Clock

Dialect = Literal["s3", "oss"]

SMALLEST_PART = {"s3": 5 << 20, "oss": 100 << 10}
"""[byte] a part has at least, the last one excepted."""

MOST_PARTS = 10_000


@dataclass(frozen=True)
class Held:
    """Bytes in the bucket and the ETag they were given, without quotes."""

    content: bytes = field(repr=False)
    etag: str


@dataclass
class Upload:
    """An object on its way in parts."""

    key: str
    parts: dict[int, Held] = field(default_factory=dict)


class Bucket:
    """A bucket.

    Parameters
    ----------
    name : str
        Its name: the first part of every path.
    storage : Storage
        The origin it is mounted on.
    clock : Clock
        Decides when a key has expired.
    seed : int
        Decides the keys.
    """

    def __init__(self, name: str, *, storage: Storage, clock: Clock, seed: int) -> None:
        self.name = name
        self.keys = KeyRing(seed, clock)
        self.dialect: Dialect = "s3"
        self.region = "us-east-1"
        self.max_skew_s: float | None = None
        self.objects: dict[str, Held] = {}
        self.published: dict[str, StoredObject] = {}
        self.uploads: dict[str, Upload] = {}
        self._clock = clock
        self._storage = storage
        self._contents: dict[bytes, bytes] = {}
        self._serials = itertools.count(1)
        self._lock = threading.Lock()
        storage.mount(f"/{name}", self.answer)

    def answer(self, request: Request, carried_token: bool) -> Response:
        """Answer one request to the bucket; a request that carries a service's token is refused."""
        try:
            if carried_token:
                raise StoreRefusalError(
                    400, "InvalidArgument", "Unsupported credential for this store."
                )
            return self._allowed(request)
        except StoreRefusalError as error:
            return refusal(error.status, error.code, error.message)

    def publish(self, stored: StoredObject) -> None:
        """Put an object that is made when somebody reads it into the bucket."""
        with self._lock:
            self.published[stored.key] = stored

    def discard(self, prefix: str) -> None:
        """Delete all objects and unfinished uploads whose keys begin with `prefix`."""
        with self._lock:
            for key in [key for key in self.objects if key.startswith(prefix)]:
                del self.objects[key]
            for serial in [s for s, u in self.uploads.items() if u.key.startswith(prefix)]:
                del self.uploads[serial]
            kept = {id(held.content) for held in self._all_held()}
            self._contents = {d: c for d, c in self._contents.items() if id(c) in kept}

    def _all_held(self) -> list[Held]:
        parts = (part for upload in self.uploads.values() for part in upload.parts.values())
        return [*self.objects.values(), *parts]

    def _allowed(self, request: Request) -> Response:
        """Check who asks, then do it."""
        rules = oss if self.dialect == "oss" else sigv4
        key = rules.verify(request, self.keys, region=self.region)
        self._check_fresh(rules.signed_at(request))
        if self._storage.is_revoked(request):
            raise self._expired()
        _, name, *rest = request.path.split("/", 2)
        target = rest[0] if rest else ""
        if name != self.name:
            raise StoreRefusalError(404, "NoSuchBucket", "The specified bucket does not exist.")
        handler, action = self._operation(request, target)
        if not key.allows(action, target):
            raise StoreRefusalError(403, "AccessDenied", "Access Denied")
        return handler(request, target)

    def _operation(
        self, request: Request, target: str
    ) -> tuple[Callable[[Request, str], Response], str]:
        """Find what a request asks for, and the permission that needs."""
        query, method = request.query, request.method
        if not target:
            return self._not_here, "ListBucket"
        if "uploadId" in query:
            table = {
                "PUT": (self._put_part, "PutObject"),
                "POST": (self._complete, "PutObject"),
                "DELETE": (self._abort, "AbortMultipartUpload"),
                "GET": (self._list_parts, "ListMultipartUploadParts"),
            }
        else:
            table = {
                "PUT": (self._put, "PutObject"),
                "GET": (self._get, "GetObject"),
                "HEAD": (self._get, "GetObject"),
                "DELETE": (self._delete, "DeleteObject"),
            }
            if "uploads" in query:
                table = {"POST": (self._initiate, "PutObject")}
        if method not in table:
            raise StoreRefusalError(
                405, "MethodNotAllowed", "The method is not allowed against this resource."
            )
        return table[method]

    def _put(self, request: Request, target: str) -> Response:
        held = self._held(payload(request))
        with self._lock:
            self.objects[target] = held
        return Response(200, (("ETag", f'"{held.etag}"'),))

    def _initiate(self, request: Request, target: str) -> Response:
        serial = f"EMUUPLOAD{next(self._serials):06d}"
        with self._lock:
            self.uploads[serial] = Upload(target)
        return _document(
            "InitiateMultipartUploadResult", Bucket=self.name, Key=target, UploadId=serial
        )

    def _put_part(self, request: Request, target: str) -> Response:
        upload = self._upload(request, target)
        text = request.query.get("partNumber", "")
        if not is_number(text) or not 1 <= int(text) <= MOST_PARTS:
            raise StoreRefusalError(
                400,
                "InvalidArgument",
                f"Part number must be an integer between 1 and {MOST_PARTS}, inclusive",
            )
        held = self._held(payload(request))
        with self._lock:
            upload.parts[int(text)] = held
        return Response(200, (("ETag", f'"{held.etag}"'),))

    def _complete(self, request: Request, target: str) -> Response:
        upload = self._upload(request, target)
        numbers = []
        for number, etag in _listed_parts(request.body):
            held = upload.parts.get(number)
            if held is None or held.etag.lower() != etag.lower():
                raise StoreRefusalError(
                    400, "InvalidPart", "One or more of the specified parts could not be found."
                )
            numbers.append(number)
        if not numbers:
            raise StoreRefusalError(400, "MalformedXML", "The XML you provided names no part.")
        if numbers != sorted(set(numbers)):
            raise StoreRefusalError(
                400, "InvalidPartOrder", "The list of parts was not in ascending order."
            )
        parts = [upload.parts[number] for number in numbers]
        if any(len(part.content) < SMALLEST_PART[self.dialect] for part in parts[:-1]):
            raise StoreRefusalError(
                400, "EntityTooSmall", "Your proposed upload is smaller than the minimum allowed."
            )
        joined = hashlib.md5(
            b"".join(bytes.fromhex(part.etag) for part in parts), usedforsecurity=False
        ).hexdigest()
        etag = f"{joined.upper() if self.dialect == 'oss' else joined}-{len(parts)}"
        whole = Held(b"".join(part.content for part in parts), etag)
        with self._lock:
            self.objects[target] = whole
            self.uploads.pop(request.query["uploadId"], None)
        answer = _document(
            "CompleteMultipartUploadResult", Bucket=self.name, Key=target, ETag=f'"{etag}"'
        )
        if self.dialect == "oss":
            return replace(answer, headers=(*answer.headers, ("ETag", f'"{etag}"')))
        return answer

    def _abort(self, request: Request, target: str) -> Response:
        self._upload(request, target)
        with self._lock:
            self.uploads.pop(request.query["uploadId"], None)
        return Response(204)

    def _list_parts(self, request: Request, target: str) -> Response:
        upload = self._upload(request, target)
        parts = "".join(
            f"<Part><PartNumber>{number}</PartNumber><ETag>&quot;{held.etag}&quot;</ETag>"
            f"<Size>{len(held.content)}</Size></Part>"
            for number, held in sorted(upload.parts.items())
        )
        return _document("ListPartsResult", inside=parts, Bucket=self.name, Key=target)

    def _get(self, request: Request, target: str) -> Response:
        published = self.published.get(target)
        held = self.objects.get(target)
        if held is not None:
            published = StoredObject(
                target, target.rpartition("/")[2], "application/octet-stream", lambda: held.content
            )
        if published is None:
            raise StoreRefusalError(404, "NoSuchKey", "The specified key does not exist.")
        return stored_content(published, request.headers)

    def _delete(self, request: Request, target: str) -> Response:
        with self._lock:
            self.objects.pop(target, None)
        return Response(204)

    def _not_here(self, request: Request, target: str) -> Response:
        raise StoreRefusalError(403, "AccessDenied", "Access Denied")

    def _upload(self, request: Request, target: str) -> Upload:
        upload = self.uploads.get(request.query["uploadId"])
        if upload is None or upload.key != target:
            raise StoreRefusalError(
                404,
                "NoSuchUpload",
                "The specified upload does not exist. The upload ID may be invalid, or the upload "
                "may have been aborted or completed.",
            )
        return upload

    def _held(self, content: bytes) -> Held:
        digest = hashlib.md5(content, usedforsecurity=False)
        with self._lock:
            content = self._contents.setdefault(digest.digest(), content)
        etag = digest.hexdigest()
        return Held(content, etag.upper() if self.dialect == "oss" else etag)

    def _check_fresh(self, signed_at: float) -> None:
        if self.max_skew_s is not None and abs(self._clock.now() - signed_at) > self.max_skew_s:
            raise StoreRefusalError(
                403,
                "RequestTimeTooSkewed",
                "The difference between the request time and the current time is too large.",
            )

    def _expired(self) -> StoreRefusalError:
        if self.dialect == "oss":
            return StoreRefusalError(
                403, "SecurityTokenExpired", "The security token you provided has expired."
            )
        return StoreRefusalError(400, "ExpiredToken", "The provided token has expired.")


def _listed_parts(body: bytes) -> list[tuple[int, str]]:
    """Read number and ETag of each part out of a CompleteMultipartUpload document."""
    try:
        root = ElementTree.fromstring(body)
        parts = []
        for part in root.iter():
            if part.tag.rpartition("}")[2] == "Part":
                fields = {child.tag.rpartition("}")[2]: child.text or "" for child in part}
                parts.append((int(fields["PartNumber"]), fields["ETag"].strip().strip('"')))
    except (ElementTree.ParseError, KeyError, ValueError):
        raise StoreRefusalError(
            400, "MalformedXML", "The XML you provided was not well-formed."
        ) from None
    return parts


def _document(name: str, *, inside: str = "", **texts: str) -> Response:
    lines = "".join(f"<{tag}>{escape(text)}</{tag}>" for tag, text in texts.items())
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n<{name}>{lines}{inside}</{name}>\n'
    return Response(200, (("Content-Type", "application/xml"),), body.encode())
