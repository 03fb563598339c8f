"""Altizure's side of a job: project, images, start, state, downloads.

Knows the order of the service's calls. How single files travel is in `sending`, how they are
checked in `checking`; retries, threads and the ledger are the runner's.

Sources: altizure/dev-docs en/api-reconstruction.md, en/upload.md, en/api-changelog.md;
altizure/alti-cli cmd/, gql/.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cupixgeo.errors import BadRequestError, JobError, NotFoundError, NotReadyError, ServiceError
from cupixgeo.net.secret import Secret
from cupixgeo.net.transfer import Expected, download
from cupixgeo.progress import ProgressFn
from cupixgeo.services.altizure import planning
from cupixgeo.services.altizure.checking import Checking
from cupixgeo.services.altizure.graphql import Object
from cupixgeo.services.altizure.parameters import Parameters, offer
from cupixgeo.services.altizure.places import Place, choose_place
from cupixgeo.services.altizure.relay import nodes
from cupixgeo.services.altizure.sending import Sending, file_url
from cupixgeo.services.altizure.states import fraction, job_state, was_started
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
    Product,
    Receipt,
    RemoteStatus,
    UploadCheck,
    UploadItem,
)
from cupixgeo.services.offer import Offer
from cupixgeo.services.products import kind_of_name

if TYPE_CHECKING:
    from cupixgeo.geodesy.crs import CrsLike
    from cupixgeo.services.altizure.account import AltizureAccount


class AltizureDriver(JobDriver):
    """Runs jobs at Altizure.

    Parameters
    ----------
    account : AltizureAccount
        Whose connection is used.
    """

    service = "altizure"
    digests = frozenset({"sha1"})

    def __init__(self, account: AltizureAccount) -> None:
        self._account = account
        self._api = account.api
        self._sending: Sending | None = None
        self._checking: Checking | None = None
        self._places: dict[str, Place] = {}

    # -- planning --------------------------------------------------------------------------------

    def offer(self, products: Sequence[str] = ()) -> Offer:
        """Say what can be chosen."""
        return offer()

    def parameters(self, request: JobRequest) -> Mapping[str, Json]:
        """Check what the user asked for; see `Parameters`."""
        return Parameters.from_request(request).to_json()

    def attachments(self, parameters: Mapping[str, Json]) -> Iterable[Attachment]:
        """Give the meta files, after a look into them."""
        return planning.attachments(Parameters.from_json(parameters))

    def limits(self, intent: Intent) -> Sequence[LimitCheck]:
        """Ask for mode, quota and task types, and compare."""
        return planning.limits(self._account, intent, Parameters.from_json(intent.parameters))

    def cost(self, intent: Intent) -> Cost | None:
        """Ask for the size in gigapixels, and what that costs."""
        return planning.cost(self._account, intent, Parameters.from_json(intent.parameters))

    def requests(self, intent: Intent) -> Sequence[PlannedRequest]:
        """List the operations a launch would send."""
        return planning.requests(intent, Parameters.from_json(intent.parameters))

    # -- uploading -------------------------------------------------------------------------------

    def create(self, job: JobRecord) -> None:
        """Create the project, with the job's tag in its name."""
        parameters = Parameters.from_json(job.intent.parameters)
        variables = {
            "name": job.intent.tagged_name,
            "type": parameters.project_type,
            "visibility": parameters.visibility,
        }
        project = self._api.object("create_project", variables)
        if project is None or not project.get("id"):
            raise self._api.refused(
                "create_project",
                f"altizure did not create the {parameters.project_type} project "
                f"{job.intent.tagged_name!r}, {parameters.visibility}, and does not say why. It "
                "may be read-only now, or the account may not make such projects: free ones are "
                "public unless a membership allows more.",
            )
        job.save(project=str(project["id"]))

    def find_created(self, job: JobRecord) -> Lookup:
        """Look for a project of the user's whose name holds the job's tag."""
        variables = {"search": job.intent.tag}
        found = nodes(self._api, "my_all_projects", ("my", "allProjects"), variables)
        for project in found:
            if project.get("name") == job.intent.tagged_name:
                job.save(project=str(project["id"]))
                return Lookup.FOUND
        self._account.check_signed_in("MyAllProjects")
        return Lookup.ABSENT

    def send(self, job: JobRecord, item: UploadItem, part: Part, body: Body) -> Receipt:
        """Send one photo or meta file."""
        assert item.file is not None  # items() lists files only
        file = job.intent.files[item.file]
        parameters = Parameters.from_json(job.intent.parameters)
        sending, checksum = self._sender(job), file.digests["sha1"]
        if parameters.upload == "url":
            url = file_url(parameters.photo_url, file.name)
            by_url = sending.image_by_url if file.role == "photo" else sending.meta_by_url
            return Receipt(ref=by_url(url, file.name, checksum=checksum))
        place = self._place(job, "image" if file.role == "photo" else "meta")
        put = sending.image if file.role == "photo" else sending.meta
        id, etag = put(place, body, checksum=checksum)
        return Receipt(etag=etag, ref=id)

    def find_part(self, job: JobRecord, item: UploadItem, part: Part) -> Receipt | None:
        """Look whether a file is at the service whole."""
        assert item.file is not None  # items() lists files only
        file = job.intent.files[item.file]
        sending, checksum = self._sender(job), file.digests["sha1"]
        had = sending.has_image if file.role == "photo" else sending.has_meta
        id = had(checksum)
        return None if id is None else Receipt(ref=id)

    def complete(self, job: JobRecord) -> None:
        """Say nothing: the service notices by itself when an object has arrived."""
        return

    def check_uploads(self, job: JobRecord) -> UploadCheck:
        """Ask for the states of all images and meta files."""
        if self._checking is None:
            self._checking = Checking(self._account, _project_of(job))
        parameters = Parameters.from_json(job.intent.parameters)
        return self._checking.check(job, is_patient=not parameters.pre_start)

    def discard(self, job: JobRecord) -> None:
        """Remove the project."""
        if job.remote.get("project"):
            self._api.call("remove_project", {"id": _project_of(job)})
        self._sending = self._checking = None

    # -- starting and following ------------------------------------------------------------------

    def start(self, job: JobRecord) -> None:
        """Start the reconstruction, or let it start once all images are looked at."""
        parameters = Parameters.from_json(job.intent.parameters)
        project = _project_of(job)
        if parameters.pre_start:
            plain = not self._api.conventions.pre_start_gives_object
            name = "pre_start_scalar" if plain else "pre_start"
            if self._api.field(name, {"id": project, "taskType": parameters.task_type}) is None:
                raise self._api.refused(
                    name, f"altizure did not take the start of project {project}. Resume the job."
                )
            return
        task = self._account.start(
            project, task_type=parameters.task_type, coupons=parameters.coupons
        )
        job.save(task=str(task.get("id") or ""))

    def find_started(self, job: JobRecord) -> Lookup:
        """Look whether the project has a task."""
        state = self._account.state_of(_project_of(job))
        started = was_started(state.get("taskState"), self._api.conventions)
        return Lookup.FOUND if started else Lookup.ABSENT

    def status(self, job: JobRecord) -> RemoteStatus:
        """Ask how the project's last task is."""
        project = _project_of(job)
        try:
            found = self._account.state_of(project)
        except NotFoundError:
            if job.is_cancelling:
                return RemoteStatus(JobState.CANCELLED, message="the project was removed")
            raise
        word = found.get("taskState")
        if not was_started(word, self._api.conventions):
            return self._waiting(project)
        task = self._account.last_task(project)
        state = job_state(word, task, self._api.conventions)
        is_over = task is not None and bool(task.get("endDate"))
        if state is JobState.UNKNOWN and job.is_cancelling and is_over:
            state = JobState.CANCELLED
        if state is JobState.FAILED:
            return self._failure(project, str(word))
        if state is JobState.DONE and self._is_packing(found, project):
            return RemoteStatus(JobState.FINISHING, str(word))
        if state is JobState.QUEUED and task is not None and task.get("queueing"):
            message = f"number {task['queueing']} in the queue"
            return RemoteStatus(state, str(word), message=message)
        return RemoteStatus(state, str(word), fraction=fraction(task))

    def cancel(self, job: JobRecord) -> None:
        """Stop the project's task."""
        project = _project_of(job)
        task = self._api.object("stop", {"id": project})
        if task is not None and task.get("id"):
            job.note(f"altizure stopped task {task['id']}")
            return
        if not self.status(job).state.is_final:
            raise JobError(
                f"altizure did not stop project {project}, and does not say why. Try again; else "
                f"stop it on its page, {self._account.viewer_url(project)}."
            )

    # -- collecting ------------------------------------------------------------------------------

    def products(self, job: JobRecord) -> Sequence[Product]:
        """List the downloads of the project."""
        project = _project_of(job)
        rows = self._account.download_nodes(project)
        ready = [row for row in rows if row.get("link")]
        if not ready:
            raise NotReadyError(
                f"altizure offers no download of project {project} yet. Downloads are for pro "
                f"projects only; its page is {self._account.viewer_url(project)}.",
                service=self.service,
                verb="Downloads",
            )
        return [
            Product(
                name=str(row["name"]),
                kind=kind_of_name(str(row["name"])),
                bytes=row["size"] if isinstance(row.get("size"), int) else None,
                key=str(row["name"]),
            )
            for row in ready
        ]

    def fetch(
        self, job: JobRecord, product: Product, to: Path, *, progress: ProgressFn | None = None
    ) -> Path:
        """Download one file."""
        project = _project_of(job)

        def link() -> Secret:
            for row in self._account.download_nodes(project):
                if row.get("name") == product.key and row.get("link"):
                    return Secret(row["link"])
            raise NotFoundError(
                f"altizure does not offer {product.name} of project {project} any more. List its "
                "products again.",
                service=self.service,
                verb="Downloads",
            )

        return download(
            link,
            to,
            expected=Expected(name=product.name, plain_http=not self._account.session.is_encrypted),
            settings=self._account.settings,
            progress=progress,
        )

    def crs_of(self, job: JobRecord, path: Path, folder: Path) -> CrsLike | None:
        """Give the project's own frame: the service does not say where its results lie."""
        return f"{self.service}:project/{_project_of(job)}"

    def close(self) -> None:
        """Close the connections to an OSS bucket."""
        if self._sending is not None:
            self._sending.close()

    # -- parts -----------------------------------------------------------------------------------

    def _sender(self, job: JobRecord) -> Sending:
        if self._sending is None:
            self._sending = Sending(self._account, _project_of(job))
        return self._sending

    def _place(self, job: JobRecord, kind: str) -> Place:
        if kind not in self._places:
            parameters = Parameters.from_json(job.intent.parameters)
            cloud = "" if parameters.upload == "auto" else parameters.upload
            if kind == "image":
                place = choose_place(self._api, kind, cloud=cloud, bucket=parameters.bucket)
            else:
                place = choose_place(self._api, kind, cloud="" if cloud == "oss" else cloud)
            self._places[kind] = place
        return self._places[kind]

    def _waiting(self, project: str) -> RemoteStatus:
        """Say how a project is whose start was asked for but has no task yet."""
        error = self._account.error_of(project)
        if error.get("error"):
            return RemoteStatus(
                JobState.FAILED,
                message=f"it was not started: {error['error']}",
                code=str(error.get("errorCode") or ""),
            )
        return RemoteStatus(JobState.QUEUED, message="waiting for its images to be looked at")

    def _failure(self, project: str, word: str) -> RemoteStatus:
        """Say why a task failed, in the service's words."""
        found = self._account.error_of(project)
        code = str(found.get("errorCode") or "")
        message = str(found.get("error") or "")
        if code:
            try:
                info = self._account.error_code(code)
            except ServiceError:
                info = {}
            told = (message, info.get("description", ""), info.get("solution", ""))
            message = " ".join(dict.fromkeys(filter(None, told)))
        return RemoteStatus(JobState.FAILED, word, message=message, code=code)

    def _is_packing(self, found: Object, project: str) -> bool:
        if found.get("projectType") != "pro":
            return False
        return any(not row.get("link") for row in self._account.download_nodes(project))


def _project_of(job: JobRecord) -> str:
    project: Any = job.remote.get("project")
    if not project:
        raise BadRequestError(
            f"job {job.id} has no project at altizure yet. Resume it.", service="altizure"
        )
    return str(project)
