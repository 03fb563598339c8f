"""What a service must be able to do so that jobs run on it: the driver's side of the bargain.

A driver knows one service's requests and nothing else. The *runner* (`cupixgeo.services.runner`)
owns the order of things, threads, retries of single parts, the ledger, the lease, and all waiting.
An account says where its driver is: subclass `cupixgeo.services.base.JobAccount` and return one
from ``driver()``. Each job and process gets a driver of its own.

The order in which the runner calls a driver::

    offer                                                  what can be chosen, for forms
    parameters  attachments  limits  cost  requests        planning: nothing changes anywhere
    ── the intent is in the ledger from here on ──
    find_created?  create                                  once; `create` saves ids with job.save
    items                                                  once; the list goes into the ledger
    find_part?  body  send        × parts, 4 at a time     send is called from several threads
    complete                                               once all parts have receipts
    check_uploads                 until ready
    find_started?  start                                   once; may cost money
    status                        until final
    cancel                        on request, then status until final
    products  fetch  crs_of                                any number of times, later, elsewhere
    close                                                  at the end of each process's work

The process can be killed between and within any two calls, and another one goes on with a fresh
driver. Therefore:

Look before you do it again.
    The runner writes "about to create" and "about to start" into the ledger, calls, and then
    writes that it is done. Where that last line is missing (a killed process), or the call ended
    without an answer to rely on (`ConnectionFailedError`, `ServerError`, `ResponseError`,
    `TransferError`), it calls ``find_created``/``find_started`` (after `settle_s`) and creates or
    starts again only on `Lookup.ABSENT`. An error that *is* an answer (`BadRequestError`,
    `AuthenticationError`, `PermissionDeniedError`, `NotFoundError`, `NotReadyError`) is final for
    this run: the job stops with it and can be resumed. `RateLimitError` is waited out.

Never repeat blindly.
    Send ``create``, ``start``, ``cancel`` and every other call with effects with
    ``session.json(..., safe_to_repeat=False)``, also where the service spells it GET.

Save what you learn at once.
    ``job.save(eid=...)`` is on disk when it returns. Save an id before the next request is sent.
    Later calls, maybe in another process, read it from ``job.remote``. Ids only: `Secret` values
    and links with a query are refused. Temporary storage credentials and signed links are fetched
    again when needed and kept in memory at most, behind a lock (``send`` runs in threads).

Say what you do not know.
    ``Lookup.UNCLEAR`` and ``JobState.UNKNOWN`` exist so that nobody guesses. Unknown numbers are
    never success.

Nothing sleeps in a driver. Waiting for the service is the runner's: return "not yet". Errors come
from `cupixgeo.errors`, and name the object and the remedy. To upload through a signed link use
`cupixgeo.net.upload.Uploader`, to download `cupixgeo.net.transfer.download`; one zip of all photos
without a copy on disk is `cupixgeo.services.bundle`.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Protocol

from cupixgeo.errors import ArgumentError
from cupixgeo.net.body import Body
from cupixgeo.progress import ProgressFn
from cupixgeo.services.job_state import JobProgress, JobState
from cupixgeo.services.job_values import (
    Attachment,
    Cost,
    Intent,
    JobRequest,
    Json,
    LimitCheck,
    Lookup,
    PlannedRequest,
    Poll,
    Product,
    RemoteStatus,
    SourceFile,
)
from cupixgeo.services.offer import Offer
from cupixgeo.services.upload_values import Part, Receipt, Sent, UploadCheck, UploadItem, split

if TYPE_CHECKING:
    from cupixgeo.geodesy.crs import CrsLike

__all__ = [
    "Attachment",
    "Body",
    "Cost",
    "Intent",
    "JobDriver",
    "JobProgress",
    "JobRecord",
    "JobRequest",
    "JobState",
    "Json",
    "LimitCheck",
    "Lookup",
    "Part",
    "PlannedRequest",
    "Poll",
    "Product",
    "Receipt",
    "RemoteStatus",
    "Sent",
    "SourceFile",
    "UploadCheck",
    "UploadItem",
    "split",
]


class JobRecord(Protocol):
    """A job as its driver sees it: the intent, and what is known of it at the service."""

    @property
    def id(self) -> str:
        """The job's id in the ledger."""
        ...

    @property
    def intent(self) -> Intent:
        """What is to be done; the same in every process."""
        ...

    @property
    def remote(self) -> Mapping[str, Json]:
        """What was saved so far."""
        ...

    @property
    def round(self) -> int:
        """0, and one more each time the job had to start over (see `StartOverError`)."""
        ...

    @property
    def is_cancelling(self) -> bool:
        """Whether the user asked to cancel: an object that is gone then is cancelled."""
        ...

    def save(self, **remote: Json) -> None:
        """Add to `remote` and to the ledger; on disk when it returns. May be called in threads."""
        ...

    def sent(self) -> Iterator[Sent]:
        """Yield the parts that have receipts, in the order of the items, then of the parts."""
        ...

    def note(self, text: str) -> None:
        """Write an event into the job's history, for people."""
        ...

    def check(self) -> None:
        """Raise `CancelledError` if work is to stop; call it in long loops."""
        ...


class JobDriver(Protocol):
    """One service's side of a job. Subclass it; what has a body here is a default.

    Attributes
    ----------
    service : str
        Name of the service.
    digests : frozenset of str
        `hashlib` algorithms the files are hashed with before anything is sent, and ``"crc32"``.
        ``"sha256"`` is always among those that are stored.
    poll : Poll
        How often `status` and `check_uploads` are called.
    settle_s : float
        [s] to wait after a lost reply before looking whether it had an effect.
    whole_inputs : frozenset of str
        Suffixes (``".mp4"``) of single files that are taken instead of photos, without preflight.
    wants_positions : bool
        Whether photos should have a position, as aerial ones do; preflight warns without.
    """

    service: ClassVar[str]
    digests: ClassVar[frozenset[str]] = frozenset({"sha256"})
    poll: ClassVar[Poll] = Poll()
    settle_s: ClassVar[float] = 3.0
    whole_inputs: ClassVar[frozenset[str]] = frozenset()
    wants_positions: ClassVar[bool] = True

    # -- planning --------------------------------------------------------------------------------

    def offer(self, products: Sequence[str] = ()) -> Offer:
        """Say what can be chosen if these products are wanted. May ask the service.

        `parameters` must take all of it. Where nothing is said, any CRS and any argument may be
        tried.
        """
        return Offer(takes_crs=True, takes_others=True)

    @abstractmethod
    def parameters(self, request: JobRequest) -> Mapping[str, Json]:
        """Check what the user asked for and give it as JSON, with all defaults filled in.

        Everything later calls need must be in it: they do not see the request. Sends nothing.

        Raises
        ------
        ArgumentError
            If a product or a value makes no sense. Parameters nobody documented are passed on
            where the service takes any.
        """
        ...

    def attachments(self, parameters: Mapping[str, Json]) -> Iterable[Attachment]:
        """Give the files besides the photos. Sends nothing."""
        return ()

    @abstractmethod
    def limits(self, intent: Intent) -> Sequence[LimitCheck]:
        """Compare the job with the service's limits. May ask the service; changes nothing."""
        ...

    def cost(self, intent: Intent) -> Cost | None:
        """Say what it will cost, where the service tells. May ask; changes nothing."""
        return None

    @abstractmethod
    def requests(self, intent: Intent) -> Sequence[PlannedRequest]:
        """List what a launch would send, in order. Sends nothing."""
        ...

    # -- uploading -------------------------------------------------------------------------------

    @abstractmethod
    def create(self, job: JobRecord) -> None:
        """Make the project, capture or task that takes the files; save its ids.

        Put ``job.intent.tag`` where `find_created` can find it. Where nothing has to be made, do
        nothing.
        """
        ...

    @abstractmethod
    def find_created(self, job: JobRecord) -> Lookup:
        """Look whether `create` had an effect, and save the ids if so. Read-only.

        Where making it twice does no harm and costs nothing, return `Lookup.ABSENT`.
        """
        ...

    def items(self, job: JobRecord) -> Iterable[UploadItem]:
        """List what is to be sent, the same list whenever it is called. One item a file here.

        It is read inside a transaction of the ledger: nothing may be saved to `job` meanwhile.
        """
        for file in job.intent.files:
            yield UploadItem.of_file(file)

    def body(self, job: JobRecord, item: UploadItem, part: Part) -> Body:
        """Give the bytes of a part. Here: of the item's file."""
        if item.file is None:
            raise ArgumentError(
                f"{item.name} of job {job.id} is no file of the photos: the driver of "
                f"{job.intent.service} has to give its bytes in a body() of its own."
            )
        path = job.intent.files[item.file].path
        return Body.from_file(path, offset=part.offset, size=part.size, name=item.name)

    @abstractmethod
    def send(self, job: JobRecord, item: UploadItem, part: Part, body: Body) -> Receipt:
        """Send one part once, and return what was given for it. Called from several threads.

        Return only when the service has the part whole (compare checksums where it gives any).
        Do not retry: the runner does, part by part, after `ConnectionFailedError`, `ServerError`,
        `RateLimitError`, `TransferError`. An expired link or credential is renewed here.

        Raises
        ------
        StartOverError
            If what was uploaded so far is of no use any more (a one-time link was consumed, a
            batch has expired). The runner calls `discard`, forgets all receipts and `remote`, and
            begins again with `create`, at most twice.
        """
        ...

    def find_part(self, job: JobRecord, item: UploadItem, part: Part) -> Receipt | None:
        """Look whether a part is at the service whole, after a try whose end is not known.

        None where it is not, or where that cannot be told: it is sent again.
        """
        return None

    def complete(self, job: JobRecord) -> None:
        """Tell the service that all parts are there (``job.sent()``). May be called again."""

    def check_uploads(self, job: JobRecord) -> UploadCheck:
        """Ask what the service made of the files. Read-only; called until it is ready."""
        return UploadCheck()

    def discard(self, job: JobRecord) -> None:
        """Throw away what `create` made, before starting over. Never fails because it is gone."""

    # -- starting and following ------------------------------------------------------------------

    @abstractmethod
    def start(self, job: JobRecord) -> None:
        """Start the reconstruction; save its ids. May cost money: never sent twice."""
        ...

    @abstractmethod
    def find_started(self, job: JobRecord) -> Lookup:
        """Look whether `start` had an effect, and save the ids if so. Read-only."""
        ...

    @abstractmethod
    def status(self, job: JobRecord) -> RemoteStatus:
        """Ask how the started job is. Read-only."""
        ...

    @abstractmethod
    def cancel(self, job: JobRecord) -> None:
        """Ask the service to stop a started job. Returns without waiting; may be called again.

        Where the service can only delete, delete; `status` then says `JobState.CANCELLED` for an
        object that is gone while ``job.is_cancelling``. A job that has just ended is no error.

        Raises
        ------
        JobError
            If the service has no way to stop it; the message says what its user can do.
        """
        ...

    # -- collecting ------------------------------------------------------------------------------

    @abstractmethod
    def products(self, job: JobRecord) -> Sequence[Product]:
        """List what a finished job has to offer. Read-only.

        Raises
        ------
        NotReadyError
            If there is nothing yet.
        NotFoundError
            If the results are gone for good (expired, deleted).
        """
        ...

    @abstractmethod
    def fetch(
        self, job: JobRecord, product: Product, to: Path, *, progress: ProgressFn | None = None
    ) -> Path:
        """Download one product to the file `to` and return its path.

        Use `cupixgeo.net.transfer.download`: it continues, verifies, renews links, and gives the
        storage no token.
        """
        ...

    def crs_of(self, job: JobRecord, path: Path, folder: Path) -> CrsLike | None:
        """Give the CRS of a fetched point cloud; None where the file itself says it.

        Parameters
        ----------
        job : JobRecord
            The job.
        path : Path
            The point cloud.
        folder : Path
            Root of the product it belongs to (an unpacked archive), for files that tell it.
        """
        return None

    def close(self) -> None:
        """Close what the driver opened for itself, an `Uploader` say. The account stays open."""
