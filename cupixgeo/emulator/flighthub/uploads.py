"""Upload credentials and resources: where files go, and what the callback makes of them.

Knows batches (one for each credential) and resources (what was reported of a batch). Knows no
reconstruction. Decided here: a callback is refused unless every file is in the bucket, below the
batch of its `callback_param`, with the ETag it names; the same file may be reported again; whether
a resource can be filled from several batches is `Rules.any_callback_param`.
"""

from __future__ import annotations

import base64
import itertools
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from cupixgeo.emulator.flighthub.organization import User, made_uuid
from cupixgeo.emulator.flighthub.refusal import RefusedError, bad_parameter, not_found
from cupixgeo.emulator.flighthub.rules import FILES_A_CALLBACK, NAME_LENGTH, NOT_UPLOADED, Rules
from cupixgeo.emulator.objectstore import Bucket
from cupixgeo.emulator.objectstore.bucket import Held
from cupixgeo.emulator.objectstore.keys import WRITE
from cupixgeo.emulator.stage import Stage

IMPORTED, WAITING_DELETE, DELETED = 1, 2, 3
_REGIONS = {"s3": "eu-central-1", "oss": "oss-cn-hangzhou"}
_BUCKETS = {"s3": "fh-open-modeling", "oss": "fh-open-modeling-oss"}


@dataclass(frozen=True)
class Batch:
    """The folder of one upload credential."""

    uuid: str
    org_uuid: str
    prefix: str
    callback_param: str
    bucket: Bucket


@dataclass
class Resource:
    """Files that belong together.

    Parameters
    ----------
    uuid, org_uuid : str
        Its id, and whose it is.
    batch : Batch
        The batch it is named after.
    reported_at : float
        [s] since 1970-01-01 UTC, time of the first callback.
    name : str
        Display name.
    files : dict of str to Held
        Bytes by file name.
    delete_asked : bool
        Whether it is to be deleted as soon as nothing uses it.
    """

    uuid: str
    org_uuid: str
    batch: Batch
    reported_at: float
    name: str = ""
    files: dict[str, Held] = field(default_factory=dict)
    delete_asked: bool = False


class Uploads:
    """The batches and resources of all organizations."""

    def __init__(self, stage: Stage, rules: Rules) -> None:
        self._stage = stage
        self._rules = rules
        self._buckets: dict[str, Bucket] = {}
        self.batches: dict[str, Batch] = {}
        self.resources: dict[str, Resource] = {}
        self._serials = itertools.count(1)
        self._lock = threading.RLock()

    def bucket(self) -> Bucket:
        """Return the bucket that speaks for the storage named by the rules."""
        dialect = "oss" if "ali" in self._rules.cloud_name.lower() else "s3"
        with self._lock:
            if dialect not in self._buckets:
                made = Bucket(
                    _BUCKETS[dialect],
                    storage=self._stage.storage,
                    clock=self._stage.clock,
                    seed=self._stage.seed,
                )
                made.dialect = "oss" if dialect == "oss" else "s3"
                made.region = _REGIONS[dialect]
                self._buckets[dialect] = made
            return self._buckets[dialect]

    def obtain(self, user: User) -> dict[str, Any]:
        """Make a credential with a batch of its own."""
        bucket = self.bucket()
        uuid = made_uuid(self._stage.seed, "batch", user.org_uuid, next(self._serials))
        home = f"fh/organizations/{user.org_uuid}/open_reconstruction"
        prefix = f"{home}/tmp/{uuid}/"
        key = bucket.keys.issue(
            lifetime_s=self._rules.credential_lifetime_s,
            prefix=f"{home}/" if self._rules.key_scope == "organization" else prefix,
            actions=WRITE | {"GetObject"} if self._rules.keys_may_read else WRITE,
        )
        opaque = base64.b64encode(f"emulated callback of {uuid}".encode()).decode()
        batch = Batch(uuid, user.org_uuid, prefix, opaque, bucket)
        with self._lock:
            self.batches[uuid] = batch
        end_point = self._stage.storage.url
        if not self._rules.end_point_has_scheme:
            end_point = urlsplit(end_point).netloc
        return {
            "cloud_name": self._rules.cloud_name,
            "access_key_id": key.access_key_id,
            "secret_access_key": key.secret_access_key,
            "session_token": key.session_token,
            "region": bucket.region,
            "cloud_bucket_name": bucket.name,
            "callback_param": opaque,
            "store_path": f"{prefix}{{fileName}}",
            "expire_time": int(key.expires),
            "end_point": end_point,
        }

    def report(self, user: User, form: Mapping[str, Any]) -> dict[str, Any]:
        """Take an upload callback."""
        uuid = _text(form, "resource_uuid")
        source = self._batch_of(user, _text(form, "callback_param"))
        target = self.batches.get(uuid)
        if target is None or target.org_uuid != user.org_uuid:
            raise not_found("resource")
        if source is not target and not self._rules.any_callback_param:
            raise bad_parameter("callback_param", "belongs to another resource")
        name = form.get("resource_name", "")
        if not isinstance(name, str) or len(name) > NAME_LENGTH:
            raise bad_parameter("resource_name", f"is longer than {NAME_LENGTH} characters")
        found = {file: _stored(source, file, etag) for file, etag in _files(form)}
        with self._lock:
            resource = self.resources.get(uuid)
            if resource is None:
                now = self._stage.clock.now()
                resource = Resource(uuid, user.org_uuid, target, now)
                self.resources[uuid] = resource
            elif resource.delete_asked:
                raise not_found("resource")
            resource.files.update(found)
            resource.name = name or resource.name
        return {
            "resource_uuid": uuid,
            "upload_count": len(found),
            "file_name_list": list(found),
        }

    def resource(self, user: User, uuid: str) -> Resource:
        """Return a resource of the user's organization."""
        with self._lock:
            resource = self.resources.get(uuid)
        if resource is None or resource.org_uuid != user.org_uuid:
            raise not_found("resource")
        return resource

    def state(self, resource: Resource, *, in_use: bool) -> int:
        """Return the status of a resource; its bytes are freed when it comes to 3."""
        if resource.delete_asked:
            if in_use:
                return WAITING_DELETE
            resource.files.clear()
            resource.batch.bucket.discard(resource.batch.prefix)
            return DELETED
        age = self._stage.clock.now() - resource.reported_at
        return 0 if age < self._rules.importing_s else IMPORTED

    def to_wire(self, resource: Resource, *, in_use: bool) -> dict[str, Any]:
        """Write a resource as the details do."""
        state = self.state(resource, in_use=in_use)
        names: list[str] = [] if resource.delete_asked else list(resource.files)
        return {
            "resource_uuid": resource.uuid,
            "status": state,
            "resource_size": sum(len(held.content) for held in resource.files.values()),
            "file_names": names or (None if self._rules.null_lists else []),
        }

    def _batch_of(self, user: User, callback_param: str) -> Batch:
        for batch in self.batches.values():
            if batch.callback_param == callback_param and batch.org_uuid == user.org_uuid:
                return batch
        raise bad_parameter("callback_param", "is not known")


def _text(form: Mapping[str, Any], name: str) -> str:
    value = form.get(name)
    if not isinstance(value, str) or not value:
        raise bad_parameter(name, "is required")
    return value


def _files(form: Mapping[str, Any]) -> list[tuple[str, str]]:
    entries = form.get("files")
    if not isinstance(entries, list) or not 1 <= len(entries) <= FILES_A_CALLBACK:
        raise bad_parameter("files", f"must have 1 to {FILES_A_CALLBACK} items")
    pairs = []
    for entry in entries:
        if not isinstance(entry, Mapping):
            raise bad_parameter("files", "must hold objects")
        name, etag = _text(entry, "name"), _text(entry, "etag")
        if "/" in name or "\\" in name:
            raise bad_parameter("files.name", "must not hold a path")
        pairs.append((name, etag))
    if len({name for name, _ in pairs}) < len(pairs):
        raise bad_parameter("files.name", "is given twice")
    return pairs


def _stored(batch: Batch, name: str, etag: str) -> Held:
    held = batch.bucket.objects.get(f"{batch.prefix}{name}")
    if held is None or held.etag != etag:
        raise RefusedError(NOT_UPLOADED, f"file {name} with this etag was not uploaded")
    return held
