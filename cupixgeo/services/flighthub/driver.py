"""A reconstruction at FlightHub 2, step by step, as the job runner asks for it.

Knows which calls make a job: credential, upload, callback, start, details, stop. Must not know
tables, nor how a call is sent.

Sources: DJI FlightHub 2 OpenAPI, "Start reconstruction task" (limits, request and answer of the
start); flighthub2-cli 0.1.2 and aerosight (everything else). There is no list of resources and none
of finished models: what is not in the running list may have ended.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from cupixgeo.errors import (
    BadRequestError,
    JobFailedError,
    NotFoundError,
    NotReadyError,
    ResponseError,
)
from cupixgeo.net.body import Body
from cupixgeo.progress import ProgressFn
from cupixgeo.services.driver import (
    Attachment,
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
)
from cupixgeo.services.flighthub import place
from cupixgeo.services.flighthub.limits import check_limits, image_count
from cupixgeo.services.flighthub.offer import offer
from cupixgeo.services.flighthub.order import read_order, start_body
from cupixgeo.services.flighthub.status import (
    MODEL_TYPES,
    RESOURCE_STATUS,
    ModelState,
    read_model,
    together,
)
from cupixgeo.services.flighthub.storage import Folder
from cupixgeo.services.flighthub.upload import FileUpload
from cupixgeo.services.offer import Offer

if TYPE_CHECKING:
    from cupixgeo.geodesy.crs import CrsLike
    from cupixgeo.services.flighthub.account import FlightHubAccount

_ROOT = "open_model"
_IMPORTED = 1


class FlightHubDriver(JobDriver):
    """One job at FlightHub 2.

    Parameters
    ----------
    account : FlightHubAccount
        Whose calls are used.
    """

    service = "flighthub"
    digests = frozenset({"sha256", "md5"})
    poll = Poll(first_s=10.0, longest_s=60.0)

    def __init__(self, account: FlightHubAccount) -> None:
        self._account = account
        self._assume = account.assume
        self._folder = Folder(
            account.api,
            account.token,
            assume=account.assume,
            settings=account.settings,
            plain_http=not account.session.is_encrypted,
        )
        self._upload = FileUpload(account.api, self._folder, assume=account.assume)

    def close(self) -> None:
        """Close the connections to the storage."""
        self._folder.close()

    # -- planning --------------------------------------------------------------------------------

    def offer(self, products: Sequence[str] = ()) -> Offer:
        """Say what can be chosen."""
        return offer(products, self._assume)

    def parameters(self, request: JobRequest) -> Mapping[str, Json]:
        """Check what the user asked for."""
        return read_order(request, self._assume)

    def attachments(self, parameters: Mapping[str, Json]) -> Iterable[Attachment]:
        """Give the LiDAR files."""
        return [Attachment(Path(path), "lidar") for path in parameters["lidar_files"]]

    def limits(self, intent: Intent) -> Sequence[LimitCheck]:
        """Compare the job with the documented limits; asks for the running list."""
        self._account.resolve_project()
        running = len(self._account.api.running())
        return check_limits(intent, running=running, edition=self._account.edition)

    def cost(self, intent: Intent) -> Cost | None:
        """Say how many images of the quota it takes, at least."""
        count = image_count(intent) * len(intent.parameters["content"])
        return Cost(
            count,
            "image of the quota",
            note="Photos times kinds of model; DJI's page on quotas decides, and the service does "
            "not say what is left. Failed and stopped tasks give theirs back.",
        )

    def requests(self, intent: Intent) -> Sequence[PlannedRequest]:
        """List what a launch would send."""
        count, batch = len(intent.files), self._assume.callback_files
        parts = sum(len(self._upload.item(file).parts) for file in intent.files)
        callback = {
            "resource_uuid": "{resource_uuid}",
            "callback_param": "{callback_param}",
            "files": [{"name": "{name}", "etag": "{etag}"}],
            "resource_name": intent.tagged_name[:255],
        }
        start = start_body(intent.parameters, "{resource_uuid}")
        kinds = len(intent.parameters["content"])
        return (
            PlannedRequest("POST", f"{_ROOT}/stores/obtain_token", purpose="upload credential"),
            PlannedRequest("PUT", "{store}/{folder}/{name}", repeats=parts, purpose="files"),
            PlannedRequest(
                "POST",
                f"{_ROOT}/stores/upload_callback",
                callback,
                repeats=-(-count // batch),
                purpose=f"report the files, at most {batch} at a time",
            ),
            PlannedRequest("GET", f"{_ROOT}/resource/{{resource_uuid}}", purpose="are they there?"),
            PlannedRequest(
                "POST", f"{_ROOT}/models/reconstruction/start", start, purpose="start; uses quota"
            ),
            PlannedRequest(
                "GET", f"{_ROOT}/models/{{model_uuid}}", repeats=kinds, purpose="progress, polled"
            ),
            PlannedRequest(
                "GET", "model/download-url/{model_uuid}", repeats=kinds, purpose="link of the zip"
            ),
        )

    # -- uploading -------------------------------------------------------------------------------

    def create(self, job: JobRecord) -> None:
        """Get an upload credential; its folder is the resource."""
        self._account.resolve_project()
        self._folder.make(job)

    def find_created(self, job: JobRecord) -> Lookup:
        """Say that another folder does no harm: one that is never reported is nothing."""
        return Lookup.ABSENT

    def items(self, job: JobRecord) -> Iterator[UploadItem]:
        """List the files, large ones in parts."""
        for file in job.intent.files:
            yield self._upload.item(file)

    def send(self, job: JobRecord, item: UploadItem, part: Part, body: Body) -> Receipt:
        """Send a file, or a part of one, to the storage."""
        self._account.resolve_project()
        return self._upload.send(job, item, part, body)

    def complete(self, job: JobRecord) -> None:
        """Put parts together and report all files."""
        self._account.resolve_project()
        self._upload.complete(job)

    def check_uploads(self, job: JobRecord) -> UploadCheck:
        """Ask for the resource; a status nobody documented is asked again."""
        row = self._account.api.resource(job.remote["resource_uuid"])
        status = row.get("status")
        if status in (2, 3) and not isinstance(status, bool):
            raise JobFailedError(
                f"resource {job.remote['resource_uuid']} of job {job.id} is "
                f"{RESOURCE_STATUS[status]}: somebody deleted it. Launch another job."
            )
        names, total = row.get("file_names"), len(job.intent.files)
        if status != _IMPORTED:
            return UploadCheck(False, len(names or ()), total)
        if not isinstance(names, list) or not names:
            return UploadCheck(True, total, total)  # null, as it was seen of live resources
        there = set(names)
        lost = [file.name for file in job.intent.files if file.name not in there]
        reasons = tuple((name, "it was reported and is not in the resource") for name in lost)
        return UploadCheck(True, total - len(lost), total, reasons)

    def discard(self, job: JobRecord) -> None:
        """Delete the resource, where there is one."""
        uuid = job.remote.get("resource_uuid")
        if uuid is None or not (job.remote.get("reported") or job.remote.get("reporting")):
            return  # files that were never reported are no resource
        try:
            self._account.api.delete_resource(uuid)
        except NotFoundError:
            job.note(f"there was no resource {uuid} to delete")

    # -- starting and following ------------------------------------------------------------------

    def start(self, job: JobRecord) -> None:
        """Start all kinds of model in one call."""
        self._account.resolve_project()
        body = start_body(job.intent.parameters, job.remote["resource_uuid"])
        job.save(start_asked_at=self._account.settings.now())
        answer = self._account.api.start(body)
        models, refused = {}, {}
        for kind in job.intent.parameters["content"]:
            given = answer.get(f"model_{kind}")
            given = given if isinstance(given, Mapping) else {}
            if isinstance(given.get("uuid"), str) and given["uuid"]:
                models[kind] = given["uuid"]
            else:
                refused[kind] = given.get("sub_error_code") or "none"
        job.save(models=models, refused=refused)
        if not models:
            raise ResponseError(
                f"flighthub answered the start of job {job.id} without a model: the service may "
                "have changed. Look at its own pages before you start again.",
                service=self.service,
                request_id=self._account.request_id,
            )

    def find_started(self, job: JobRecord) -> Lookup:
        """Look for the resource in the running list."""
        self._account.resolve_project()
        kinds = {number: kind for kind, number in MODEL_TYPES.items()}
        models = {
            kinds[row["model_type"]]: str(row["model_uuid"])
            for row in self._account.api.running()
            if row.get("resource_uuid") == job.remote["resource_uuid"]
            and row.get("model_type") in kinds
            and row.get("model_uuid")
        }
        if models:
            lost = {kind: "none" for kind in job.intent.parameters["content"] if kind not in models}
            job.save(models=models, refused=lost)
            return Lookup.FOUND
        asked_at = job.remote.get("start_asked_at")
        age_s = self._account.settings.now() - float(asked_at or 0.0)
        if asked_at is None or age_s <= self._assume.start_doubt_s:
            return Lookup.ABSENT
        return Lookup.UNCLEAR

    def status(self, job: JobRecord) -> RemoteStatus:
        """Ask for all models, and give what they are together."""
        return together(self._models(job), job.remote.get("refused") or {})

    def cancel(self, job: JobRecord) -> None:
        """Stop all models that are in progress; their images come back to the quota."""
        for model in self._models(job):
            if model.state.is_final or model.state is JobState.FINISHING:
                continue
            try:
                self._account.api.stop(model.uuid)
            except (BadRequestError, NotFoundError):
                now = self._model(job, model.kind, model.uuid)
                if not (now.state.is_final or now.state is JobState.FINISHING):
                    raise

    # -- collecting ------------------------------------------------------------------------------

    def products(self, job: JobRecord) -> Sequence[Product]:
        """List one archive for each finished kind."""
        self._account.resolve_project()
        found = []
        for kind, uuid in (job.remote.get("models") or {}).items():
            row = self._account.api.model(uuid)
            if read_model(kind, row, texts={}).state is JobState.DONE:
                found.append(Product(f"{kind}.zip", "archive", None, uuid))
        if not found:
            raise NotReadyError(
                f"job {job.id} has no finished archive yet: wait, or look at job.progress().",
                service=self.service,
            )
        return found

    def fetch(
        self, job: JobRecord, product: Product, to: Path, *, progress: ProgressFn | None = None
    ) -> Path:
        """Download an archive."""
        return self._account.fetch_archive(product.key, to, progress=progress)

    def crs_of(self, job: JobRecord, path: Path, folder: Path) -> CrsLike | None:
        """Give the CRS of a point cloud that does not say it, or not its heights."""
        kind = PurePosixPath(folder.name).name
        return place.crs_of(job.intent.parameters, path, folder, kind=kind)

    # -- how -------------------------------------------------------------------------------------

    def _models(self, job: JobRecord) -> list[ModelState]:
        self._account.resolve_project()
        models: Mapping[str, str] = job.remote.get("models") or {}
        return [self._model(job, kind, uuid) for kind, uuid in models.items()]

    def _model(self, job: JobRecord, kind: str, uuid: str) -> ModelState:
        try:
            row = self._account.api.model(uuid)
        except NotFoundError:
            if job.is_cancelling:
                return ModelState(kind, uuid, JobState.CANCELLED, f"{kind}: deleted")
            reason = f"the {kind} model {uuid} is gone: somebody deleted it; launch another job"
            return ModelState(kind, uuid, JobState.FAILED, f"{kind}: deleted", 0.0, reason)
        return read_model(kind, {**row, "model_uuid": uuid}, texts=self._account.code_texts)
