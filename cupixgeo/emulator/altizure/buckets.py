"""The buckets on the storage origin: signed S3 and Minio URLs, and OSS with temporary credentials.

Knows signatures, expiry and prefixes; knows no project. An upload URL is signed for PUT only, and
every object put through one is handed to a function. Temporary credentials may only write, below
the prefix of their project; what they put is looked up later.

References
----------
altizure/dev-docs en/upload.md (URL valid 3 hours, STS 1 hour, write-only on ``/<pid>``).
"""

from __future__ import annotations

import hashlib
import hmac
import itertools
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from urllib.parse import quote, urlencode

from cupixgeo.emulator import objectstore
from cupixgeo.emulator.altizure.rules import Rules
from cupixgeo.emulator.objectstore import TemporaryKey
from cupixgeo.emulator.stage import Stage
from cupixgeo.emulator.storage import refusal
from cupixgeo.emulator.wire import Request, Response


@dataclass(frozen=True)
class Bucket:
    """One place for uploads.

    Parameters
    ----------
    member : str
        Member of the enum the clients name it by.
    cloud : str
        ``"S3"``, ``"OSS"`` or ``"MINIO"``.
    kinds : tuple of str
        What may be put there: ``"image"``, ``"meta"``, ``"model"``.
    name : str
        Name at the object store, first part of the path.
    """

    member: str
    cloud: str
    kinds: tuple[str, ...]
    name: str

    @property
    def display(self) -> str:
        """Name for people."""
        return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", self.member)


BUCKETS = (
    Bucket("Paris", "S3", ("image", "meta"), "emu-altizure-paris"),
    Bucket("Stockholm", "S3", ("image", "meta"), "emu-altizure-stockholm"),
    Bucket("HongKong", "S3", ("image", "meta"), "emu-altizure-hongkong"),
    Bucket("Shenzhen", "OSS", ("image",), "emu-altizure-shenzhen"),
    Bucket("Depot", "MINIO", ("image",), "emu-altizure-depot"),
    Bucket("DepotMeta", "MINIO", ("meta",), "emu-altizure-depot-meta"),
    Bucket("Virginia", "S3", ("model",), "emu-altizure-virginia"),
    Bucket("London", "S3", ("model",), "emu-altizure-london"),
    Bucket("Beijing", "S3", ("model",), "emu-altizure-beijing"),
    Bucket("DepotModel", "MINIO", ("model",), "emu-altizure-depot-model"),
)
"""All buckets, the nearest first."""


def bucket_of(member: str) -> Bucket:
    """Return the bucket with this enum member."""
    return next(bucket for bucket in BUCKETS if bucket.member == member)


class Buckets:
    """Takes uploads at the storage origin.

    Parameters
    ----------
    stage : Stage
        Seed, clock, storage.
    rules : Rules
        Lifetimes.
    arrived : callable
        Told bucket, key and bytes of every object that was put.
    """

    def __init__(
        self, stage: Stage, rules: Rules, arrived: Callable[[Bucket, str, bytes], None]
    ) -> None:
        self._stage = stage
        self._rules = rules
        self._arrived = arrived
        self._key = hashlib.sha256(f"altizure/buckets/{stage.seed}".encode()).digest()
        self._serials = itertools.count(1)
        self._lock = threading.Lock()
        self._oss: dict[str, objectstore.Bucket] = {}
        for bucket in BUCKETS:
            if bucket.cloud == "OSS":
                self._oss[bucket.name] = _oss_bucket(bucket, stage)
            else:
                stage.storage.mount(f"/{bucket.name}", partial(self._handle, bucket))

    def upload_url(self, bucket: Bucket, key: str) -> str:
        """Sign a URL for one PUT after another to one key, for as long as the rules say."""
        path = f"/{bucket.name}/{key}"
        expires = str(int(self._stage.clock.now() + self._rules.link_lifetime_s))
        with self._lock:
            serial = str(next(self._serials))
        query = {
            "X-Emu-Expires": expires,
            "X-Emu-Serial": serial,
            "X-Emu-Signature": self._sign(path, expires, serial),
        }
        return f"{self._stage.storage.url}{quote(path)}?{urlencode(query)}"

    def grant(self, bucket: Bucket, project_id: str) -> TemporaryKey:
        """Make temporary credentials that may write below a project's prefix."""
        keys = self._oss[bucket.name].keys
        return keys.issue(lifetime_s=self._rules.sts_lifetime_s, prefix=f"{project_id}/")

    def take(self, bucket: Bucket, key: str) -> bytes | None:
        """Take an object out of an OSS bucket; None when it is not there."""
        store = self._oss[bucket.name]
        held = store.objects.get(key)
        store.discard(key)
        return None if held is None else held.content

    @property
    def endpoint(self) -> str:
        """Address of the OSS endpoint."""
        return self._stage.storage.url

    def _handle(self, bucket: Bucket, request: Request, carried_token: bool) -> Response:
        if carried_token and self._stage.options.strict_storage:
            return refusal(400, "InvalidArgument", "Unsupported credential for this store.")
        refused = self._refuse_link(request)
        if refused is not None:
            return refused
        self._arrived(bucket, request.path.removeprefix(f"/{bucket.name}/"), request.body)
        etag = hashlib.md5(request.body, usedforsecurity=False).hexdigest()
        return Response(200, (("ETag", f'"{etag}"'),))

    def _refuse_link(self, request: Request) -> Response | None:
        query = request.query
        if "X-Emu-Signature" not in query:
            return refusal(403, "AccessDenied", "Access Denied")
        expires, serial = query.get("X-Emu-Expires", ""), query.get("X-Emu-Serial", "")
        expected = self._sign(request.path, expires, serial)
        given = query["X-Emu-Signature"]
        if request.method != "PUT" or not hmac.compare_digest(given.encode(), expected.encode()):
            return refusal(403, "SignatureDoesNotMatch", "The signature does not match.")
        if self._stage.clock.now() >= int(expires) or self._stage.storage.is_revoked(request):
            return refusal(403, "AccessDenied", "Request has expired")
        return None

    def _sign(self, path: str, expires: str, serial: str) -> str:
        text = f"PUT\n{path}\n{expires}\n{serial}".encode()
        return hmac.new(self._key, text, hashlib.sha256).hexdigest()


def _oss_bucket(bucket: Bucket, stage: Stage) -> objectstore.Bucket:
    made = objectstore.Bucket(
        bucket.name, storage=stage.storage, clock=stage.clock, seed=stage.seed
    )
    made.dialect, made.region = "oss", f"cn-{bucket.member.lower()}"
    return made
