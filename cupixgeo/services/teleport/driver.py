"""A capture as a job: announced, uploaded in parts, completed, followed, fetched.

Completing the upload is what starts the reconstruction: there is no other start. A capture can
only be deleted, not stopped. There is no reading of one capture: the list is searched.

Sources: Teleport API specification page (create, create-upload-url, uploaded); API documentation,
*upload captures*; that the whole file's size goes with each request for a link, from all clients.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cupixgeo.errors import (
    ArgumentError,
    JobError,
    NotFoundError,
    NotReadyError,
    PermissionDeniedError,
    ServiceError,
    TransferError,
)
from cupixgeo.net.body import Body
from cupixgeo.net.secret import Secret
from cupixgeo.net.session import Session
from cupixgeo.net.upload import Stored
from cupixgeo.progress import ProgressFn
from cupixgeo.services.bundle import bundle_size
from cupixgeo.services.bundle_driver import BundleDriver
from cupixgeo.services.driver import (
    Intent,
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
    split,
)
from cupixgeo.services.offer import Offer
from cupixgeo.services.teleport import files, wire
from cupixgeo.services.teleport.parameters import (
    CAMERAS,
    OFFER,
    PROFILES,
    check_frames,
    check_model,
    check_products,
    focus_area,
)
from cupixgeo.services.teleport.requests import planned_requests
from cupixgeo.services.teleport.settings import TeleportSettings

if TYPE_CHECKING:
    from cupixgeo.geodesy.crs import CrsLike

ABSENCES = 3
"""Questions in a row that have to find no capture before it counts as deleted: a list that changes
between two of its pages can hide one."""

_FILMS = frozenset({".mp4"})


class TeleportDriver(BundleDriver):
    """One job at Teleport.

    Parameters
    ----------
    session : Session
        The account's connection.
    assume : TeleportSettings
        What the service does not say.
    """

    service = "teleport"
    poll = Poll(first_s=10.0, longest_s=30.0)
    whole_inputs = _FILMS

    def __init__(self, session: Session, *, assume: TeleportSettings) -> None:
        super().__init__(session)
        self._assume = assume
        self._absences = 0

    # -- planning --------------------------------------------------------------------------------

    def offer(self, products: Sequence[str] = ()) -> Offer:
        """Say what can be chosen."""
        return OFFER

    def parameters(self, request: JobRequest) -> Mapping[str, Json]:
        """Check products and parameters.

        Known are ``focus_area`` (see `cupixgeo.services.teleport.parameters.focus_area`) with
        ``focus_crs`` and ``crop_method``, ``modelv3``, ``training_parameters`` (passed on as a
        whole), ``quality``, ``lod`` and ``num_frames``. Teleport chooses no CRS.
        """
        if request.crs is not None:
            raise ArgumentError(
                "teleport delivers models in a frame of their own: leave crs= away, and place the "
                "result afterwards."
            )
        given = dict(request.parameters)
        training = dict(given.pop("training_parameters", None) or {})
        area = given.pop("focus_area", None)
        crs, crop = given.pop("focus_crs", None), given.pop("crop_method", None)
        if area is not None:
            training["focus_area"] = focus_area(area, crs=crs, crop_method=crop)
        model = given.pop("modelv3", training.get("modelv3"))
        if model is not None:
            training["modelv3"] = check_model(model)
        choice = files.Choice(quality=given.pop("quality", None))
        choice.params()
        checked = {
            "products": check_products(request.products),
            "training_parameters": training or None,
            "quality": choice.quality,
            "lod": bool(given.pop("lod", False)),
            "num_frames": check_frames(given.pop("num_frames", None)),
        }
        return {**checked, "create": given}  # unknown ones go into the announcement as they are

    def limits(self, intent: Intent) -> Sequence[LimitCheck]:
        """Compare with what third parties report; the API itself states no limit."""
        assume, source = self._assume, "third parties' figures (assume=TeleportSettings(...))"
        checks = []
        if not _is_film(intent) and assume.max_photos is not None:
            count = len(intent.files)
            checks.append(LimitCheck("photos", count, None, assume.max_photos, "photo", source))
        if assume.max_bytes is not None:
            size = _size(intent)
            checks.append(LimitCheck("size", size, None, assume.max_bytes, "byte", source))
        return checks

    def requests(self, intent: Intent) -> Sequence[PlannedRequest]:
        """List what a launch would send."""
        return planned_requests(self._announcement(intent), size=_size(intent))

    # -- uploading -------------------------------------------------------------------------------

    def create(self, job: JobRecord) -> None:
        """Announce the capture."""
        announced = self._announcement(job.intent)
        made = self._session.json("POST", "api/v1/captures", body=announced, safe_to_repeat=False)
        eid = made.get("eid") if isinstance(made, Mapping) else None
        if not isinstance(eid, str) or not eid:
            raise wire.misunderstood(self._session, "POST /api/v1/captures", "no eid")
        job.save(eid=eid)
        chunk, parts = made.get("chunk_size"), made.get("num_parts")
        try:
            self._check_chunk(job, chunk, parts)
        except JobError:
            self.cancel(job)
            raise
        job.save(chunk_size=chunk)

    def find_created(self, job: JobRecord) -> Lookup:
        """Look for a capture with the job's own name."""
        name = self._name(job.intent)
        rows = wire.list_captures(self._session, name=name, per_page=self._assume.per_page)
        for row in rows:
            if row.get("name") == name and isinstance(row.get("eid"), str):
                job.save(eid=row["eid"])
                chunk = self._ask_link(job, 1).get("chunk_size")  # the list does not tell it
                self._check_chunk(job, chunk, None)
                job.save(chunk_size=chunk)
                return Lookup.FOUND
        return Lookup.ABSENT

    def items(self, job: JobRecord) -> Iterable[UploadItem]:
        """Give the one item there is: the film, or the zip of all photos."""
        chunk: int = job.remote["chunk_size"]
        file = job.intent.files[0].index if _is_film(job.intent) else None
        size = _size(job.intent)
        yield UploadItem("upload", self._name(job.intent), size, split(size, chunk), file)

    def send(self, job: JobRecord, item: UploadItem, part: Part, body: Body) -> Receipt:
        """Ask for a link and send one part through it."""
        headers = {}
        if self._assume.send_checksums:
            headers["Content-MD5"] = self.body(job, item, part).content_md5()
        try:
            stored = self._put(job, part, body, headers)
        except PermissionDeniedError:  # the link was old before it was used: one more
            stored = self._put(job, part, body, headers)
        if not wire.is_etag(stored.etag):
            raise TransferError(
                f"the storage took part {part.number} of {item.name} and gave no ETag for it that "
                "could be handed back. It is sent again; report it if that does not help."
            )
        return Receipt(etag=stored.etag)

    def complete(self, job: JobRecord) -> None:
        """Do nothing yet: telling that all parts are there is what starts the job."""
        return

    def discard(self, job: JobRecord) -> None:
        """Delete the capture."""
        self.cancel(job)

    # -- starting and following ------------------------------------------------------------------

    def start(self, job: JobRecord) -> None:
        """Complete the upload, which starts the reconstruction."""
        eid = self._eid(job)
        etags = {sent.part.number: sent.receipt.etag for sent in job.sent()}
        parts = [{"number": number, "etag": etags[number]} for number in sorted(etags)]
        body = {"eid": eid, "parts": parts}
        self._session.json(
            "POST", f"api/v1/captures/{eid}/uploaded", body=body, safe_to_repeat=False
        )

    def find_started(self, job: JobRecord) -> Lookup:
        """Look whether the capture's upload counts as complete."""
        row = self._row(job)
        if row is None:
            return Lookup.ABSENT
        is_waiting = not row.get("uploaded") and wire.word_of(row) in wire.NOT_UPLOADED
        return Lookup.ABSENT if is_waiting else Lookup.FOUND

    def status(self, job: JobRecord) -> RemoteStatus:
        """Look the capture up in the list."""
        row = self._row(job)
        if row is None:
            if job.is_cancelling:
                return RemoteStatus(JobState.CANCELLED, "deleted", message="the capture is deleted")
            self._absences += 1
            gone = f"capture {self._eid(job)} is not in the list any more; it was deleted"
            state = JobState.UNKNOWN if self._absences < ABSENCES else JobState.FAILED
            return RemoteStatus(state, "gone", message=gone)
        self._absences = 0
        word, state = wire.word_of(row), wire.state_of(row)
        if state is JobState.FAILED:
            slug, meaning = wire.failure_of(row)
            return RemoteStatus(state, word, message=meaning, code=slug)
        if isinstance(row.get("sid"), str) and state is JobState.DONE:
            job.save(sid=row["sid"])
        return RemoteStatus(state, word, message=str(row.get("state_description") or ""))

    def cancel(self, job: JobRecord) -> None:
        """Delete the capture: the service has no way to stop one."""
        if "eid" not in job.remote:
            return
        with contextlib.suppress(NotFoundError):  # gone already is as good
            self._session.json("DELETE", f"api/v1/captures/{self._eid(job)}", safe_to_repeat=True)

    # -- collecting ------------------------------------------------------------------------------

    def products(self, job: JobRecord) -> Sequence[Product]:
        """List models and cameras."""
        sid = self._sid(job)
        products = []
        for wanted in job.intent.parameters["products"]:
            if wanted == CAMERAS:
                products.append(Product("cameras.json", "cameras", key=CAMERAS))
                continue
            choice = self._choice(job, PROFILES[wanted])
            metadata = files.ask_v1(self._session, sid, choice, self._assume)
            for model in metadata.leaves:
                several = f"-{model.number}" if len(metadata.leaves) > 1 else ""
                name = f"{wanted}{several}{choice.suffix}"
                key = f"{choice.profile}/{model.number}"
                products.append(Product(name, "splats", model.size, key))
        return products

    def fetch(
        self, job: JobRecord, product: Product, to: Path, *, progress: ProgressFn | None = None
    ) -> Path:
        """Download a model or the cameras; the link is asked for again when it expires."""
        sid = self._sid(job)

        def link() -> Secret:
            if product.key == CAMERAS:
                url = files.ask_v2(self._session, sid).cameras_url
                return files.link_of(url, "the cameras")
            profile, _, number = product.key.rpartition("/")
            choice = self._choice(job, profile)
            metadata = files.ask_v1(self._session, sid, choice, self._assume)
            return files.pick(metadata, int(number)).url

        return files.fetch(self._session, link, to, name=product.name, progress=progress)

    def crs_of(self, job: JobRecord, path: Path, folder: Path) -> CrsLike | None:
        """Give the capture's own frame: models are not georeferenced, nor metric."""
        return f"teleport:capture/{self._eid(job)}"

    # -- pieces ----------------------------------------------------------------------------------

    def _announcement(self, intent: Intent) -> dict[str, Any]:
        parameters = intent.parameters
        body: dict[str, Any] = {
            "name": self._name(intent),
            "bytesize": _size(intent),
            "input_data_format": "video" if _is_film(intent) else "bulk-images",
        }
        if parameters["num_frames"] is not None:
            body["num_frames"] = parameters["num_frames"]
        if parameters["training_parameters"]:
            body["training_parameters"] = parameters["training_parameters"]
        return {**parameters["create"], **body}

    def _name(self, intent: Intent) -> str:
        return f"{intent.tagged_name}{'.mp4' if _is_film(intent) else '.zip'}"

    def _choice(self, job: JobRecord, profile: str) -> files.Choice:
        wanted = job.intent.parameters
        return files.Choice(profile, wanted["quality"], wanted["lod"])

    def _eid(self, job: JobRecord) -> str:
        return wire.as_id(job.remote.get("eid"))

    def _sid(self, job: JobRecord) -> str:
        sid = job.remote.get("sid")
        if sid is None:
            row = self._row(job)
            sid = row.get("sid") if row is not None else None
        if not isinstance(sid, str):
            raise NotReadyError(
                f"capture {self._eid(job)} has no share page yet: try again later.",
                service=self.service,
            )
        return sid

    def _row(self, job: JobRecord) -> dict[str, Any] | None:
        name, per_page = self._name(job.intent), self._assume.per_page
        return wire.find_capture(self._session, self._eid(job), name=name, per_page=per_page)

    def _ask_link(self, job: JobRecord, number: int) -> Mapping[str, Any]:
        """Ask for the link of one part; each time there is a fresh one."""
        eid = self._eid(job)
        body = {"eid": eid, "bytesize": _size(job.intent)}
        path = f"api/v1/captures/{eid}/create-upload-url/{number}"
        answer = self._session.json("POST", path, body=body, safe_to_repeat=True)
        if not isinstance(answer, Mapping) or not isinstance(answer.get("upload_url"), str):
            raise wire.misunderstood(self._session, f"POST /{path}", "no upload_url")
        return answer

    def _link(self, job: JobRecord, number: int) -> Secret:
        return Secret(self._ask_link(job, number)["upload_url"])

    def _put(self, job: JobRecord, part: Part, body: Body, headers: Mapping[str, str]) -> Stored:
        try:
            return self._uploader.upload(self._link(job, part.number), body, headers=headers)
        except ServiceError as error:
            if error.status != 400 or "BadDigest" not in str(error):
                raise
            raise TransferError(
                f"part {part.number} of capture {self._eid(job)} did not arrive as it was sent: it "
                "is sent again."
            ) from error

    def _check_chunk(self, job: JobRecord, chunk: Any, parts: Any) -> None:
        """Make sure that the parts the service wants are those that will be sent."""
        size, most = _size(job.intent), self._assume.max_parts
        is_number = isinstance(chunk, int) and not isinstance(chunk, bool) and chunk > 0
        expected = -(-size // chunk) if is_number else 0
        if not is_number or (parts is not None and parts != expected) or expected > most:
            raise JobError(
                f"capture {self._eid(job)} wants {size} bytes in {parts} parts of {chunk!r} bytes, "
                f"which is not what can be sent (at most {most} parts): report it."
            )


def _is_film(intent: Intent) -> bool:
    files = intent.files
    return len(files) == 1 and files[0].path.suffix.lower() in _FILMS


def _size(intent: Intent) -> int:
    """Give the size of what is uploaded [byte]."""
    return intent.files[0].size if _is_film(intent) else bundle_size(intent.files)
