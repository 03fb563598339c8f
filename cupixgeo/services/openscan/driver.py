"""A project as a job: one zip in parts through one-time links, started, followed, fetched.

All requests are GETs, also those that change something; those are sent once and looked up when
their reply is lost. Upload links work once and are never written down: after a restart they are
asked for again.

Sources: OpenScan-org/OpenScanCloud README; its uploader and OpenScan3 (order of the requests, POST
of raw bytes); Dropbox HTTP documentation (409, 410, ``content-hash``).
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cupixgeo.errors import (
    ArgumentError,
    BadRequestError,
    JobError,
    NotFoundError,
    NotReadyError,
    ServiceError,
    StartOverError,
)
from cupixgeo.net.body import Body
from cupixgeo.net.secret import Secret
from cupixgeo.net.session import Session
from cupixgeo.progress import ProgressFn
from cupixgeo.services.bundle import bundle_size
from cupixgeo.services.bundle_driver import BundleDriver
from cupixgeo.services.driver import (
    Cost,
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
from cupixgeo.services.offer import Argument, Offer
from cupixgeo.services.openscan import wire
from cupixgeo.services.openscan.account import ask_token, fetch_result
from cupixgeo.services.openscan.settings import OpenScanSettings

if TYPE_CHECKING:
    from cupixgeo.geodesy.crs import CrsLike

PHOTO_TYPES = frozenset({".jpg", ".jpeg", ".png"})
PRODUCTS = ("mesh",)
ABSENCES = 3
"""Questions in a row that have to find no project before it counts as gone: a 401 can mean that
much, but also trouble."""

_HEADERS = {"Content-Type": "application/octet-stream"}
_UNSAFE = re.compile(r"[^A-Za-z0-9_-]+")


class OpenScanDriver(BundleDriver):
    """One job at OpenScanCloud.

    Parameters
    ----------
    session : Session
        The account's connection.
    assume : OpenScanSettings
        What the service does not say.
    """

    service = "openscan"
    poll = Poll(first_s=30.0, longest_s=60.0)
    wants_positions = False

    def __init__(self, session: Session, *, assume: OpenScanSettings) -> None:
        super().__init__(session)
        self._assume = assume
        self._links: tuple[Secret, ...] = ()
        self._without_link = 0
        self._absences = 0

    # -- planning --------------------------------------------------------------------------------

    def offer(self, products: Sequence[str] = ()) -> Offer:
        """Say what can be chosen."""
        meaning = "a name at the service instead of a random one; who knows it finds the result"
        project = Argument("project", "text", meaning)
        return Offer(products=PRODUCTS, usual_products=PRODUCTS, arguments=(project,))

    def parameters(self, request: JobRequest) -> Mapping[str, Json]:
        """Check products and parameters.

        The one parameter is ``project``, a name of your own; a random one unless given, because
        whoever has the token and knows the name can fetch the result.
        """
        unknown = [name for name in request.products if name not in PRODUCTS]
        if unknown:
            raise ArgumentError(f"openscan makes no {unknown[0]!r}: there is 'mesh'.")
        if request.crs is not None:
            raise ArgumentError(
                "openscan delivers meshes in a frame of their own: leave crs= away, and place the "
                "result afterwards."
            )
        given = dict(request.parameters)
        project = given.pop("project", None)
        if given:
            raise ArgumentError(
                f"openscan takes no parameter {next(iter(given))!r}: there is 'project', a name "
                "instead of the random one."
            )
        if project is not None:
            project = _UNSAFE.sub("_", str(project).removesuffix(".zip")).strip("_")[:80]
            wire.as_name(f"{project}.zip")
        return {"project": project, "part_bytes": self._assume.part_bytes}

    def limits(self, intent: Intent) -> Sequence[LimitCheck]:
        """Compare with what the token is good for."""
        info, asked = ask_token(self._session), "asked the service"
        size, count = bundle_size(intent.files), len(intent.files)
        odd = sum(file.path.suffix.lower() not in PHOTO_TYPES for file in intent.files)
        checks = [LimitCheck("files that are no JPEG or PNG", odd, None, 0, "file", "clients")]
        for what, value, key, unit in (
            ("photos", count, "limit_photos", "photo"),
            ("size", size, "limit_filesize", "byte"),
        ):
            limit = _whole(info.get(key))
            if limit is not None:
                checks.append(LimitCheck(what, value, None, limit, unit, asked))
        return checks

    def cost(self, intent: Intent) -> Cost | None:
        """Say how much of the token's credit it takes."""
        credit = _whole(ask_token(self._session).get("credit"))
        note = "the size of the zip; the service counts its credit in bytes"
        return Cost(bundle_size(intent.files), "byte of credit", credit, note)

    def requests(self, intent: Intent) -> Sequence[PlannedRequest]:
        """List what a launch would send."""
        name = self._name(intent, 0)
        size, parts = bundle_size(intent.files), len(_parts(intent))
        create = f"createProject?project={name}&photos={len(intent.files)}"
        return (
            PlannedRequest("GET", "getTokenInfo", None, 2, "ask for credit and limits"),
            PlannedRequest(
                "GET", f"{create}&parts={parts}&filesize={size}", None, 1, "make the project"
            ),
            PlannedRequest("POST", "{ulink}", None, parts, "send a part, without the token"),
            PlannedRequest("GET", f"startProject?project={name}", None, 1, "start it"),
            PlannedRequest(
                "GET",
                f"getProjectInfo?project={name}",
                None,
                1,
                "look how it is, at most twice a minute",
            ),
        )

    # -- uploading -------------------------------------------------------------------------------

    def create(self, job: JobRecord) -> None:
        """Make the project."""
        name = self._name(job.intent, job.round)
        size, parts = bundle_size(job.intent.files), len(_parts(job.intent))
        job.save(project=name)
        params: dict[str, str | int] = {
            "project": name,
            "photos": len(job.intent.files),
            "parts": parts,
            "filesize": size,
        }
        try:
            answer = self._session.json("GET", "createProject", params=params, safe_to_repeat=False)
        except BadRequestError as error:
            raise BadRequestError(
                f"OpenScanCloud refuses to make project {name} and never says why: the name may be "
                f"taken, or {size} bytes or {len(job.intent.files)} photos may be more than the "
                "token is good for now. Look at token_info(), then resume the job.",
                service=self.service,
                verb=error.verb,
                status=error.status,
            ) from error
        links = wire.read_links(answer.get("ulink") if isinstance(answer, Mapping) else None)
        if len(links) == parts:  # else they are asked for when they are needed
            with self._lock:
                self._links = links

    def find_created(self, job: JobRecord) -> Lookup:
        """Look for a project of the job's own name."""
        info = wire.ask_project(self._session, self._name(job.intent, job.round))
        if info is None:
            return Lookup.ABSENT
        job.save(project=info.name)
        return Lookup.FOUND

    def items(self, job: JobRecord) -> Iterable[UploadItem]:
        """Give the one item there is, the zip of all photos."""
        size = bundle_size(job.intent.files)
        yield UploadItem("upload", "the zip of all photos", size, _parts(job.intent))

    def send(self, job: JobRecord, item: UploadItem, part: Part, body: Body) -> Receipt:
        """Send one part through its one-time link."""
        link = self._link(job, part.number)
        try:
            stored = self._uploader.upload(link, body, method="POST", headers=_HEADERS)
        except ServiceError as error:
            if error.status == 410 and self._is_delivered(error):
                job.note(f"the link of part {part.number} was used: the part is taken as arrived")
                return Receipt()
            if error.status in (409, 410):
                raise StartOverError(
                    f"the upload link of part {part.number} of project {self._project(job)} does "
                    f"not work any more ({error.status}), and the service gives no other for the "
                    "same project: the upload begins again."
                ) from error
            raise
        self._compare(job, item, part, stored.body)
        return Receipt()

    def complete(self, job: JobRecord) -> None:
        """Do nothing: the service counts the parts itself."""
        return

    def discard(self, job: JobRecord) -> None:
        """Drop the project."""
        with self._lock:
            self._links = ()
        self.cancel(job)

    # -- starting and following ------------------------------------------------------------------

    def start(self, job: JobRecord) -> None:
        """Start it. Any 200 is taken: the word in it has changed over the years."""
        params = {"project": self._project(job)}
        self._session.json("GET", "startProject", params=params, safe_to_repeat=False)

    def find_started(self, job: JobRecord) -> Lookup:
        """Look whether it has left the state it was made in."""
        info = wire.ask_project(self._session, self._project(job))
        is_new = info is None or info.status.strip().lower() == wire.NOT_STARTED
        return Lookup.ABSENT if is_new else Lookup.FOUND

    def status(self, job: JobRecord) -> RemoteStatus:
        """Ask how it is."""
        name = self._project(job)
        info = wire.ask_project(self._session, name)
        if info is None:
            if job.is_cancelling:
                return RemoteStatus(JobState.CANCELLED, "gone", message="the project is dropped")
            self._absences += 1
            state = JobState.UNKNOWN if self._absences < ABSENCES else JobState.FAILED
            return RemoteStatus(state, "gone", message=f"there is no project {name} any more")
        self._absences = 0
        state, word = info.state, info.status
        if state is JobState.DONE and info.result is None:
            self._without_link += 1
            if self._without_link <= self._assume.patience:
                return RemoteStatus(JobState.FINISHING, word, message="waiting for the link")
        message = {
            "processing failed": "the service sends the reason by e-mail only",
            "expired": "its result is not kept any more: launch it again",
        }.get(word.strip().lower(), "")
        return RemoteStatus(state, word, message=message)

    def cancel(self, job: JobRecord) -> None:
        """Drop the project: the service has no other way to stop it."""
        name = job.remote.get("project")
        if name is None or wire.ask_project(self._session, name) is None:
            return
        with contextlib.suppress(BadRequestError):  # gone between question and order
            self._session.json(
                "GET", "resetProject", params={"project": name}, safe_to_repeat=False
            )

    # -- collecting ------------------------------------------------------------------------------

    def products(self, job: JobRecord) -> Sequence[Product]:
        """List the one archive there is."""
        name = self._project(job)
        info = wire.ask_project(self._session, name)
        if info is None or info.status.strip().lower() == "expired":
            raise NotFoundError(
                f"OpenScanCloud has the result of {name} no more: launch the job again.",
                service=self.service,
            )
        if info.result is None:
            raise NotReadyError(
                f"OpenScanCloud gives no link to the result of {name} (it is {info.status!r}). "
                "Look into the e-mail it sends, or try again later.",
                service=self.service,
            )
        return (Product("model.zip", "archive", key=name),)

    def fetch(
        self, job: JobRecord, product: Product, to: Path, *, progress: ProgressFn | None = None
    ) -> Path:
        """Download the archive."""
        return fetch_result(self._session, product.key, to, progress=progress)

    def crs_of(self, job: JobRecord, path: Path, folder: Path) -> CrsLike | None:
        """Give the project's own frame: small objects are not georeferenced."""
        return f"openscan:project/{self._project(job)}"

    # -- pieces ----------------------------------------------------------------------------------

    def _name(self, intent: Intent, round: int) -> str:
        """Give the project's name: the job's random tag, unless the user chose one."""
        again = f"-{round}" if round else ""
        return f"{intent.parameters['project'] or intent.tag}{again}.zip"

    def _project(self, job: JobRecord) -> str:
        return wire.as_name(job.remote.get("project"))

    def _link(self, job: JobRecord, number: int) -> Secret:
        """Give the link of a part; asked for once in each process."""
        with self._lock:
            if not self._links:
                name, parts = self._project(job), len(_parts(job.intent))
                info = wire.ask_project(self._session, name)
                if info is None:
                    raise StartOverError(
                        f"project {name} is gone, and its upload was not finished: it begins again."
                    )
                if len(info.uploads) != parts:
                    raise JobError(
                        f"OpenScanCloud gave {len(info.uploads)} upload links for the {parts} "
                        f"parts of project {name}. Resume the job later; report it if that does "
                        "not help."
                    )
                self._links = info.uploads
            return self._links[number - 1]

    def _is_delivered(self, error: ServiceError) -> bool:
        """Say whether a 410 means that the part arrived earlier, its reply lost."""
        return self._assume.trust_consumed_links and "consumed" in str(error)

    def _compare(self, job: JobRecord, item: UploadItem, part: Part, answer: bytes) -> None:
        """Compare the hash the storage gives, if it gives any, with that of the part."""
        said = re.search(rb'"content-hash"\s*:\s*"([0-9a-fA-F]{64})"', answer)
        if said is None:
            return
        if said[1].decode().lower() != wire.content_hash(self.body(job, item, part).chunks()):
            raise StartOverError(
                f"part {part.number} of project {self._project(job)} arrived with other bytes than "
                "were sent, and its link is used up: the upload begins again."
            )


def _parts(intent: Intent) -> tuple[Part, ...]:
    return split(bundle_size(intent.files), intent.parameters["part_bytes"])


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
