"""Jobs at a NodeODM node: one task each, whose id is made here before anything is sent.

The id goes along as ``set-uuid`` and is the key to everything: a second announcement under it
changes nothing, a second task cannot exist, and a lost reply is looked up by it. What was uploaded
is a task only once it is committed; an upload that is not, the node deletes by itself.

Sources: NodeODM's API document; answers of a NodeODM 2.2.4; pyodm 1.5.13. See `files` for what is
done about uploads whose end is not known.
"""

from __future__ import annotations

import contextlib
import json
import threading
import uuid as uuids
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from cupixgeo.errors import (
    LimitError,
    NotFoundError,
    NotReadyError,
    ResponseError,
    ServiceError,
    StartOverError,
)
from cupixgeo.net.body import Body
from cupixgeo.net.multipart import MultipartForm
from cupixgeo.net.session import Session
from cupixgeo.net.upload import Uploader
from cupixgeo.progress import ProgressFn
from cupixgeo.services.driver import (
    Attachment,
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
    UploadItem,
)
from cupixgeo.services.nodeodm import files, node, wire
from cupixgeo.services.nodeodm.failures import explained
from cupixgeo.services.nodeodm.parameters import NodeOption, ask_options
from cupixgeo.services.nodeodm.request import attachments_of, offer, planned_requests, read_request
from cupixgeo.services.offer import Offer

IN_SEED = "seed"
"""Receipt of a file that will reach the node in ``seed.zip``."""

_NAMESPACE = uuids.UUID("6f4de4f0-4c1d-5b7e-9a53-0c0ffee0d0e5")
_MOST_LINES = 200


class NodeodmDriver(JobDriver):
    """A driver for one job.

    Parameters
    ----------
    session : Session
        Connection to the node.
    """

    service = wire.SERVICE
    digests = frozenset({"sha256", "crc32"})
    poll = Poll(first_s=3.0, longest_s=30.0)

    def __init__(self, session: Session) -> None:
        self._session = session
        self._uploader = Uploader(
            service=self.service,
            settings=session.settings,
            plain_http=not session.is_encrypted,
        )
        self._lock = threading.Lock()
        self._unsent: set[str] = set()
        self._line: int | None = None
        self._options: tuple[NodeOption, ...] = ()

    def close(self) -> None:
        """Close the connections for uploads."""
        self._uploader.close()

    # -- planning --------------------------------------------------------------------------------

    def offer(self, products: Sequence[str] = ()) -> Offer:
        """Say what can be chosen: mostly what the node itself lists."""
        return offer(self._ask_options(), products)

    def parameters(self, request: JobRequest) -> Mapping[str, Json]:
        """Check what was asked for against the node's own options, which are asked for."""
        return read_request(request, self._ask_options())

    def attachments(self, parameters: Mapping[str, Json]) -> Iterable[Attachment]:
        """Give ground control points and the like."""
        return attachments_of(parameters)

    def limits(self, intent: Intent) -> Sequence[LimitCheck]:
        """Ask the node how many files it takes."""
        info = node.node_info(self._session)
        if info.is_before(1, 4, 0):
            raise LimitError(
                f"the node at {self._session.origin} is NodeODM {info.version}, which takes all "
                "photos in one request only. Update it to 1.4 or later. Nothing was sent."
            )
        photos = sum(file.role == "photo" for file in intent.files)
        return (
            LimitCheck("photos", photos, least=2, unit="photo", source="two views make a point"),
            LimitCheck(
                "files", len(intent.files), most=info.max_images, unit="file",
                source="asked the node (maxImages)",
            ),
        )  # fmt: skip

    def requests(self, intent: Intent) -> Sequence[PlannedRequest]:
        """List what a launch would send."""
        return planned_requests(intent, _fields(intent))

    # -- uploading -------------------------------------------------------------------------------

    def create(self, job: JobRecord) -> None:
        """Announce the task under its id; under the same id it is the same announcement."""
        uuid = self._uuid(job)
        job.save(uuid=uuid)
        form = MultipartForm(_fields(job.intent), further={"set-uuid": uuid})
        answer = wire.ask(self._session, "POST", "task/new/init", body=form, safe_to_repeat=False)
        given = answer.get("uuid") if isinstance(answer, Mapping) else None
        if given != uuid:
            raise ResponseError(
                f"the node at {self._session.origin} was asked to use the id {uuid} and uses "
                f"{given!r}. Update it to NodeODM 1.4 or later.",
                service=self.service,
                verb="POST /task/new/init",
            )

    def find_created(self, job: JobRecord) -> Lookup:
        """Say that it may be announced again, unless the task is there already."""
        job.save(uuid=self._uuid(job))
        return Lookup.FOUND if node.has_task(self._session, self._uuid(job)) else Lookup.ABSENT

    def send(self, job: JobRecord, item: UploadItem, part: Part, body: Body) -> Receipt:
        """Send one file."""
        watched = files.Watched(body)
        try:
            files.send_file(
                self._session, self._uploader, self._uuid(job), watched.body(), name=item.name
            )
        except NotFoundError as error:
            raise StartOverError(str(error)) from error
        except ServiceError:
            with self._lock:
                (self._unsent.discard if watched.was_read else self._unsent.add)(item.key)
            raise
        return Receipt()

    def find_part(self, job: JobRecord, item: UploadItem, part: Part) -> Receipt | None:
        """Put a file whose upload ended without a reply on the list of those for the seed.

        One of which not a single byte was sent is simply sent again.
        """
        with self._lock:
            if item.key in self._unsent:
                return None
            again = [*job.remote.get("again", []), item.file]
            job.save(again=sorted(set(again)))
        return Receipt(ref=IN_SEED)

    def complete(self, job: JobRecord) -> None:
        """Send the seed, if there are files for it.

        A seed cut off would make the task fail, and a second one is not looked at: after a seed
        whose end is not known, everything is sent anew under another id.
        """
        again = job.remote.get("again", [])
        if not again or job.remote.get("seed") == "sent":
            return
        if job.remote.get("seed") == "sending":
            raise StartOverError(
                f"the archive that repairs {len(again)} interrupted uploads was interrupted itself"
            )
        job.note(f"{len(again)} files whose upload was interrupted are sent again in {files.SEED}")
        watched = files.Watched(files.seed_body(job.intent.files[index] for index in again))
        job.save(seed="sending")
        try:
            files.send_file(
                self._session, self._uploader, self._uuid(job), watched.body(), name=files.SEED
            )
        except NotFoundError as error:
            raise StartOverError(str(error)) from error
        except ServiceError:
            if not watched.was_read:
                job.save(seed="")
            raise
        job.save(seed="sent")

    def discard(self, job: JobRecord) -> None:
        """Remove the task; what was uploaded and not committed is the node's to delete."""
        with contextlib.suppress(NotFoundError):
            node.command(self._session, "remove", self._uuid(job))
            return
        job.note(
            "the node deletes what was uploaded by itself, two days later unless told otherwise"
        )

    # -- starting and following ------------------------------------------------------------------

    def start(self, job: JobRecord) -> None:
        """Commit the upload: it becomes a task and waits for its turn."""
        path = f"task/new/commit/{self._uuid(job)}"
        try:
            answer = wire.ask(self._session, "POST", path, safe_to_repeat=False)
        except NotFoundError as error:
            if self.find_started(job) is not Lookup.FOUND:
                raise StartOverError(str(error)) from error
        else:
            if not isinstance(answer, Mapping) or not answer.get("uuid"):
                wire.misunderstood(self._session, f"POST /{path}", "no uuid")

    def find_started(self, job: JobRecord) -> Lookup:
        """Look whether there is a task with the job's id."""
        return Lookup.FOUND if node.has_task(self._session, self._uuid(job)) else Lookup.ABSENT

    def status(self, job: JobRecord) -> RemoteStatus:
        """Ask how the task is, and for what it printed since."""
        if self._line is None:
            self._line = int(job.remote.get("line", 0))
        try:
            task = node.task_info(self._session, self._uuid(job), from_line=self._line)
        except NotFoundError:
            if not job.is_cancelling:
                raise
            return RemoteStatus(JobState.CANCELLED, "removed", message="the task is removed")
        if task.output:
            self._line += len(task.output)
            job.save(line=self._line)
        self._compare_count(job, task)
        failed = task.state is JobState.FAILED
        return RemoteStatus(
            task.state,
            task.word,
            fraction=task.progress / 100,
            message=explained(task.error, self._last_lines(job)) if failed else "",
            code=str(task.code) if failed else "",
            lines=task.output[-_MOST_LINES:],
        )

    def cancel(self, job: JobRecord) -> None:
        """Stop the task; it stays at the node until it is removed."""
        with contextlib.suppress(NotFoundError):  # gone already is as good
            node.command(self._session, "cancel", self._uuid(job))

    # -- collecting ------------------------------------------------------------------------------

    def products(self, job: JobRecord) -> Sequence[Product]:
        """List the one archive a node gives out."""
        uuid = self._uuid(job)
        task = node.task_info(self._session, uuid)
        if task.state is not JobState.DONE:
            raise NotReadyError(
                f"task {uuid} at {self._session.origin} is {task.word}: it has no results now.",
                service=self.service,
            )
        size = node.asset_size(self._session, files.asset_path(uuid, files.ALL))
        return (Product(files.ALL, "archive", size, files.ALL),)

    def fetch(
        self, job: JobRecord, product: Product, to: Path, *, progress: ProgressFn | None = None
    ) -> Path:
        """Download the archive."""
        return files.fetch_asset(self._session, self._uuid(job), product.key, to, progress=progress)

    # -- pieces ----------------------------------------------------------------------------------

    def _uuid(self, job: JobRecord) -> str:
        """Give the task's id: the same in every process, another one in each round."""
        return str(uuids.uuid5(_NAMESPACE, f"{job.intent.tag}/{job.round}"))

    def _ask_options(self) -> tuple[NodeOption, ...]:
        """Ask for the node's options, once."""
        self._options = self._options or ask_options(self._session)
        return self._options

    def _last_lines(self, job: JobRecord) -> tuple[str, ...]:
        with contextlib.suppress(ServiceError):
            return tuple(node.output_lines(self._session, self._uuid(job), -20))
        return ()

    def _compare_count(self, job: JobRecord, task: node.TaskInfo) -> None:
        """Note once if the node has another number of images than were sent."""
        expected = sum(not file.name.lower().endswith(".txt") for file in job.intent.files)
        is_known = task.code in (node.QUEUED, node.RUNNING) and task.processing_s is not None
        if is_known and task.images != expected and not job.remote.get("count_told"):
            job.save(count_told=True)
            job.note(f"the node counts {task.images} images, and {expected} were sent")

    def __repr__(self) -> str:
        return f"<NodeodmDriver {self._session.base_url}>"


def _fields(intent: Intent) -> dict[str, str]:
    """Give the form that announces a task."""
    wanted: Mapping[str, Any] = intent.parameters
    options = [{"name": name, "value": value} for name, value in wanted["options"].items()]
    fields = {"name": intent.tagged_name, "options": json.dumps(options)}
    if wanted["skip_post_processing"]:
        fields["skipPostProcessing"] = "true"
    if wanted["webhook"]:
        fields["webhook"] = wanted["webhook"]
    if wanted["outputs"]:
        fields["outputs"] = json.dumps(wanted["outputs"])
    return fields
