"""Account and driver of the fake service: the shortest that keep the bargain."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cupixgeo.errors import ArgumentError, NotFoundError, TransferError
from cupixgeo.net.secret import Secret
from cupixgeo.net.transfer import Expected, download
from cupixgeo.net.upload import Uploader
from cupixgeo.progress import ProgressFn
from cupixgeo.services.base import JobAccount
from cupixgeo.services.bundle import Bundle
from cupixgeo.services.driver import (
    Attachment,
    Body,
    Cost,
    Intent,
    JobDriver,
    JobRecord,
    JobRequest,
    JobState,
    Json,
    LimitCheck,
    Lookup,
    Part,
    PlannedRequest,
    Poll,
    Product,
    Receipt,
    RemoteStatus,
    UploadCheck,
    UploadItem,
    split,
)
from cupixgeo.services.offer import Offer, arguments_of
from cupixgeo.services.products import kind_of_name

STATES = {
    "created": JobState.UPLOADING,
    "queued": JobState.QUEUED,
    "running": JobState.RUNNING,
    "stopping": JobState.RUNNING,
    "packing": JobState.FINISHING,
    "done": JobState.DONE,
    "failed": JobState.FAILED,
    "stopped": JobState.CANCELLED,
}


@dataclass(frozen=True)
class Wishes:
    """What the fake service can be told.

    Parameters
    ----------
    detail : {"high", "low"}
        How fine the mesh is.
    spacing : float
        Distance of points.
    bundle : bool
        Send one zip of all photos.
    part_bytes : int
        Size of a part.
    """

    detail: str = "high"
    spacing: float = field(default=0.05, metadata={"low": 0.01, "high": 10, "unit": "m"})
    bundle: bool = False
    part_bytes: int | None = field(default=None, metadata={"low": 1, "unit": "byte"})


class FakeAccount(JobAccount):
    """An account at the fake service."""

    service = "fake"
    token_variable = "FAKE_TOKEN"
    token_header = "X-Fake-Token"

    def __init__(
        self,
        token: str | Secret | None = None,
        *,
        base_url: str,
        region: str | None = None,
        storage: str = "",
        **options: Any,
    ) -> None:
        super().__init__(base_url, token=token, **options)
        self.storage = storage
        self.unclear = False

    def reconnect_options(self) -> dict[str, Any]:
        return {"storage": self.storage}

    def driver(self) -> FakeDriver:
        return FakeDriver(self)


class FakeDriver(JobDriver):
    """Sends each file in parts of `part_bytes`, or one zip of all of them."""

    service = "fake"
    digests = frozenset({"sha256", "md5", "crc32"})
    poll = Poll(0.01, 0.05, 1.5)
    settle_s = 0.01
    whole_inputs = frozenset({".bin"})
    wants_positions = False

    def __init__(self, account: FakeAccount) -> None:
        self.account = account
        self.session = account.session
        self.uploader = Uploader(service="fake", settings=account.settings)
        self._bundle: Bundle | None = None
        self._lock = threading.Lock()

    # -- planning --------------------------------------------------------------------------------

    def offer(self, products: Sequence[str] = ()) -> Offer:
        return Offer(
            products=("pointcloud", "mesh"),
            usual_products=("pointcloud",),
            arguments=arguments_of(Wishes),
            takes_crs=True,
            takes_others=True,
        )

    def parameters(self, request: JobRequest) -> Mapping[str, Json]:
        spacing = request.parameters.get("spacing", 0.05)
        if not isinstance(spacing, int | float) or not 0.01 <= spacing <= 10:
            raise ArgumentError(f"spacing={spacing!r} is not from 0.01 to 10 m.")
        for product in request.products:
            if product not in ("pointcloud", "mesh"):
                raise ArgumentError(f"fake makes no {product!r}: there is pointcloud and mesh.")
        return {
            "part_bytes": None,
            "bundle": False,
            "attach": [],
            "most": 1000,
            "given_crs": None,
            **request.parameters,
        }

    def attachments(self, parameters: Mapping[str, Json]) -> Iterable[Attachment]:
        return [Attachment(Path(path), "pose") for path in parameters["attach"]]

    def limits(self, intent: Intent) -> Sequence[LimitCheck]:
        self.session.json("GET", "limits")
        most = intent.parameters["most"]
        return [LimitCheck("photos", len(intent.files), 2, most, "photo", "documentation")]

    def cost(self, intent: Intent) -> Cost | None:
        return Cost(len(intent.files) / 10, "coin", 1e6, "a tenth of a coin for each photo")

    def requests(self, intent: Intent) -> Sequence[PlannedRequest]:
        return [
            PlannedRequest("POST", "projects", {"name": intent.tagged_name}, 1, "make a project"),
            PlannedRequest("PUT", "storage/{id}/{key}", None, len(intent.files), "send the files"),
            PlannedRequest("POST", "projects/{id}/start", None, 1, "start it"),
        ]

    # -- uploading -------------------------------------------------------------------------------

    def create(self, job: JobRecord) -> None:
        body = {"name": job.intent.tagged_name}
        answer = self.session.json("POST", "projects", body=body, safe_to_repeat=False)
        job.save(project=answer["id"])

    def find_created(self, job: JobRecord) -> Lookup:
        if self.account.unclear:
            return Lookup.UNCLEAR
        found = self.session.json("GET", "projects", params={"tag": job.intent.tag})["list"]
        if not found:
            return Lookup.ABSENT
        job.save(project=found[0])
        return Lookup.FOUND

    def items(self, job: JobRecord) -> Iterable[UploadItem]:
        size = job.intent.parameters["part_bytes"]
        if job.intent.parameters["bundle"]:
            bundle = self._zip(job)
            yield UploadItem("bundle", bundle.name, bundle.size, split(bundle.size, size))
        else:
            for file in job.intent.files:
                yield UploadItem.of_file(file, part_bytes=size)

    def body(self, job: JobRecord, item: UploadItem, part: Part) -> Body:
        if item.file is None:
            return self._zip(job).body(part)
        return super().body(job, item, part)

    def send(self, job: JobRecord, item: UploadItem, part: Part, body: Body) -> Receipt:
        project = job.remote["project"]
        url = f"{self.account.storage}/in/{project}/{_key(item, part)}?signature=planted-signature"
        etag = self.uploader.upload(Secret(url), body).etag
        if etag != body.digest():
            raise TransferError(f"{body.name} did not arrive whole: resume the job.")
        return Receipt(etag)

    def find_part(self, job: JobRecord, item: UploadItem, part: Part) -> Receipt | None:
        etags = self.session.json("GET", f"projects/{job.remote['project']}/parts")
        etag = etags.get(_key(item, part))
        return Receipt(etag) if etag == self.body(job, item, part).digest() else None

    def complete(self, job: JobRecord) -> None:
        parts = {f"{sent.key}.{sent.part.number}": sent.receipt.etag for sent in job.sent()}
        path = f"projects/{job.remote['project']}/complete"
        self.session.json("POST", path, body={"parts": parts}, safe_to_repeat=False)

    def check_uploads(self, job: JobRecord) -> UploadCheck:
        answer = self.session.json("GET", f"projects/{job.remote['project']}/check")
        rejected = tuple((name, why) for name, why in answer["rejected"])
        return UploadCheck(answer["ready"], 0, len(job.intent.files), rejected)

    def discard(self, job: JobRecord) -> None:
        if "project" not in job.remote:
            return
        try:
            self.session.json("DELETE", f"projects/{job.remote['project']}", safe_to_repeat=False)
        except NotFoundError:
            return

    # -- following -------------------------------------------------------------------------------

    def start(self, job: JobRecord) -> None:
        path = f"projects/{job.remote['project']}/start"
        self.session.json("POST", path, safe_to_repeat=False)

    def find_started(self, job: JobRecord) -> Lookup:
        if self.account.unclear:
            return Lookup.UNCLEAR
        state = self.session.json("GET", f"projects/{job.remote['project']}")["state"]
        return Lookup.ABSENT if state == "created" else Lookup.FOUND

    def status(self, job: JobRecord) -> RemoteStatus:
        answer = self.session.json("GET", f"projects/{job.remote['project']}")
        word = answer["state"]
        return RemoteStatus(
            STATES.get(word, JobState.UNKNOWN), word, answer["progress"], message="",
            code="E7" if word == "failed" else "",
            lines=(f"state is {word}",),
        )  # fmt: skip

    def cancel(self, job: JobRecord) -> None:
        path = f"projects/{job.remote['project']}/stop"
        self.session.json("POST", path, safe_to_repeat=False)

    # -- collecting ------------------------------------------------------------------------------

    def products(self, job: JobRecord) -> Sequence[Product]:
        rows = self.session.json("GET", f"projects/{job.remote['project']}/results")
        return [
            Product(row["name"], kind_of_name(row["name"]), row["bytes"], key=str(number))
            for number, row in enumerate(rows)
        ]

    def fetch(
        self, job: JobRecord, product: Product, to: Path, *, progress: ProgressFn | None = None
    ) -> Path:
        path = f"projects/{job.remote['project']}/link-{product.key}"
        return download(
            lambda: self.session.location(path),
            to,
            expected=Expected(name=product.name, plain_http=True),
            settings=self.account.settings,
            progress=progress,
        )

    def crs_of(self, job: JobRecord, path: Path, folder: Path) -> Any:
        return job.intent.parameters["given_crs"]

    def close(self) -> None:
        self.uploader.close()

    def _zip(self, job: JobRecord) -> Bundle:
        with self._lock:
            if self._bundle is None:
                self._bundle = Bundle(job.intent.files)
            return self._bundle


def _key(item: UploadItem, part: Part) -> str:
    return f"{item.key}.{part.number}"
