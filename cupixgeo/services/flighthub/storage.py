"""The folder a job uploads into, and the temporary credentials that open it.

Knows the upload credential: what it says, how it is kept for a process that goes on after a crash,
and what happens when it expires. Must not know what is uploaded.

A credential comes with a folder of its own, and the id of that folder is the resource's; a new
credential means a new folder. What opens the first folder is therefore kept in the ledger, sealed
with the account's token: without that token it is worth nothing.

Sources: flighthub2-cli 0.1.2, ``OpenModelUploadToken`` (the resource's id is the last part of the
folder, seen live, and said nowhere else); aerosight. Whether another credential opens the folder of
the first is not documented: it is tried (see `FlightHubSettings.on_expiry`).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from cupixgeo.errors import PermissionDeniedError, ResponseError, StartOverError
from cupixgeo.net.objectstore import EXPIRED_CODES, ObjectStore, StoreAccess, open_store
from cupixgeo.net.sealed import seal, unseal
from cupixgeo.net.secret import Secret
from cupixgeo.net.settings import NetSettings
from cupixgeo.services.driver import JobRecord
from cupixgeo.services.flighthub.settings import FlightHubSettings
from cupixgeo.services.flighthub.wire import Api

PLACEHOLDER = "{fileName}"
T = TypeVar("T")


@dataclass(frozen=True)
class Grant:
    """An upload credential.

    Parameters
    ----------
    access : StoreAccess
        Where, and with what.
    folder : str
        Template of object keys, with ``{fileName}`` in it.
    callback_param : Secret
        What the callback has to repeat.
    """

    access: StoreAccess
    folder: str
    callback_param: Secret

    @property
    def resource_uuid(self) -> str:
        """Id of the resource that is made of this folder."""
        return self.folder.partition(PLACEHOLDER)[0].strip("/").rpartition("/")[2]

    @classmethod
    def read(cls, data: Mapping[str, Any], *, vendor: str, service: str) -> Grant:
        """Read the answer of ``obtain_token``.

        Raises
        ------
        ResponseError
            If something is missing, or the storage is of a kind not known here.
        """
        names = ("access_key_id", "secret_access_key", "session_token", "cloud_bucket_name",
                 "callback_param", "store_path")  # fmt: skip
        missing = [n for n in names if not isinstance(data.get(n), str) or not data[n]]
        folder = str(data.get("store_path", ""))
        if missing or PLACEHOLDER not in folder:
            what = ", ".join(missing) or f"{PLACEHOLDER} in store_path"
            raise ResponseError(
                f"{service} gave an upload credential without {what}: the service may have "
                "changed. Report it.",
                service=service,
            )
        access = StoreAccess(
            vendor=vendor or _vendor(str(data.get("cloud_name", "")), service),
            endpoint=str(data.get("end_point") or ""),
            region=str(data.get("region") or ""),
            bucket=data["cloud_bucket_name"],
            access_key_id=data["access_key_id"],
            secret_access_key=Secret(data["secret_access_key"]),
            session_token=Secret(data["session_token"]),
        )
        grant = cls(access, folder, Secret(data["callback_param"]))
        if not grant.resource_uuid:
            raise ResponseError(
                f"{service} gave an upload folder without an id in it ({folder!r}): the service "
                "may have changed. Report it.",
                service=service,
            )
        return grant

    def to_remote(self, token: Secret) -> dict[str, Any]:
        """Write it for the ledger: what is no secret as it is, the rest sealed."""
        return {
            "resource_uuid": self.resource_uuid,
            "folder": self.folder,
            "vendor": self.access.vendor,
            "endpoint": self.access.endpoint,
            "region": self.access.region,
            "bucket": self.access.bucket,
            "sealed": seal(
                {
                    "access_key_id": Secret(self.access.access_key_id),
                    "secret_access_key": self.access.secret_access_key,
                    "session_token": self.access.session_token,
                    "callback_param": self.callback_param,
                },
                token,
            ),
        }

    @classmethod
    def from_remote(cls, remote: Mapping[str, Any], token: Secret) -> Grant | None:
        """Read what `to_remote` wrote; None where another token sealed it."""
        opened = unseal(str(remote.get("sealed", "")), token)
        if opened is None:
            return None
        access = StoreAccess(
            vendor=remote["vendor"],
            endpoint=remote["endpoint"],
            region=remote["region"],
            bucket=remote["bucket"],
            access_key_id=opened["access_key_id"].reveal(),
            secret_access_key=opened["secret_access_key"],
            session_token=opened["session_token"],
        )
        return cls(access, remote["folder"], opened["callback_param"])


class Folder:
    """The upload folder of one job, for several threads at a time.

    Parameters
    ----------
    api : Api
        The service.
    token : Secret
        Of the account; seals what is kept.
    assume : FlightHubSettings
        Assumptions.
    settings : NetSettings
        Timeouts.
    plain_http : bool
        Let the storage be unencrypted, as the service is.
    """

    def __init__(
        self,
        api: Api,
        token: Secret,
        *,
        assume: FlightHubSettings,
        settings: NetSettings,
        plain_http: bool,
    ) -> None:
        self._api = api
        self._token = token
        self._assume = assume
        self._settings = settings
        self._plain_http = plain_http
        self._lock = threading.Lock()
        self._grant: Grant | None = None
        self._store: ObjectStore | None = None
        self._renewals = 0
        # Those of expired credentials, too: other threads may still be using them.
        self._opened_stores: list[ObjectStore] = []

    def make(self, job: JobRecord) -> None:
        """Get a new folder and keep what opens it."""
        grant = self._obtained()
        with self._lock:
            self._use(grant)
            job.save(**grant.to_remote(self._token))

    def key(self, job: JobRecord, name: str) -> str:
        """Give the key of the object a file becomes."""
        return str(job.remote["folder"]).replace(PLACEHOLDER, name)

    def callback_param(self, job: JobRecord) -> Secret:
        """Give what the callback has to repeat."""
        with self._lock:
            return self._opened(job).callback_param

    def do(self, job: JobRecord, action: Callable[[ObjectStore], T]) -> T:
        """Do something in the folder; with a new credential where the old one has expired.

        Raises
        ------
        StartOverError
            If nothing opens the folder any more.
        """
        with self._lock:
            self._opened(job)
            store, before = self._store, self._renewals
        assert store is not None
        try:
            return action(store)
        except PermissionDeniedError as error:
            if error.code not in EXPIRED_CODES and not before:
                raise
            if error.code not in EXPIRED_CODES:
                raise self._lost(job) from None
        return self._again(job, action, before)

    def close(self) -> None:
        """Close the connections."""
        with self._lock:
            for store in self._opened_stores:
                store.close()
            self._opened_stores.clear()
            self._store = self._grant = None

    def _again(self, job: JobRecord, action: Callable[[ObjectStore], T], before: int) -> T:
        """Renew the credential, once for all threads, and try once more."""
        with self._lock:
            if self._renewals == before:
                if self._assume.on_expiry == "start over":
                    raise self._lost(job)
                self._renew(job)
            store = self._store
        assert store is not None
        try:
            return action(store)
        except PermissionDeniedError:
            raise self._lost(job) from None

    def _opened(self, job: JobRecord) -> Grant:
        """Give the credential; from the ledger where another process got it."""
        if self._grant is None:
            grant = Grant.from_remote(job.remote, self._token)
            if grant is None:
                self._renew(job)
            else:
                self._use(grant)
        assert self._grant is not None
        return self._grant

    def _renew(self, job: JobRecord) -> None:
        """Get another credential, for the folder there is."""
        fresh = self._obtained()
        kept = Grant.from_remote(job.remote, self._token) or fresh
        grant = Grant(fresh.access, str(job.remote["folder"]), kept.callback_param)
        self._use(grant)
        self._renewals += 1
        job.save(**grant.to_remote(self._token))
        job.note("the upload credential had expired; another one is tried on the same folder")

    def _obtained(self) -> Grant:
        return Grant.read(
            self._api.obtain_token(), vendor=self._assume.vendor, service=self._api.session.service
        )

    def _use(self, grant: Grant) -> None:
        self._grant = grant
        self._store = open_store(
            replace(grant.access, addressing=self._assume.addressing),
            service=self._api.session.service,
            settings=self._settings,
            plain_http=self._plain_http,
        )
        self._opened_stores.append(self._store)

    def _lost(self, job: JobRecord) -> StartOverError:
        return StartOverError(
            f"the upload credential of job {job.id} has expired, and another one does not open the "
            f"folder of resource {job.remote.get('resource_uuid')}: all files have to be sent "
            "again. A faster line helps, or fewer photos in one job."
        )


def _vendor(cloud_name: str, service: str) -> str:
    """Tell the storage's protocol from its name (``ali``, ``ALI_OSS``, ``AWS_S3``, ``aws``)."""
    name = cloud_name.lower()
    if "ali" in name or "oss" in name:
        return "oss"
    if "azure" in name:
        raise ResponseError(
            f"{service} wants uploads to {cloud_name!r}, which this toolkit does not speak. If the "
            "storage is S3-compatible, connect with assume={'vendor': 's3'}.",
            service=service,
        )
    return "s3"
