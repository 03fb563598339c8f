"""All jobs of this machine, and the way back to one of them: ``cx.jobs()`` and ``cx.resume(id)``.

Knows the ledger and how accounts are opened again. Must not know any service.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pandas as pd

from cupixgeo.errors import ArgumentError
from cupixgeo.services.job import Job
from cupixgeo.services.ledger import JobRow, Ledger
from cupixgeo.services.registry import connect
from cupixgeo.services.runner import Options
from cupixgeo.services.tables import INTEGER, NUMBER, TEXT, TIME, Column, TableSchema

if TYPE_CHECKING:
    from cupixgeo.services.base import JobAccount

JOBS = TableSchema(
    "jobs",
    (
        Column("job_id", TEXT, meaning="for cx.resume(job_id)"),
        Column("service", TEXT, meaning="where it runs"),
        Column("name", TEXT, meaning="the user's name for it"),
        Column("state", TEXT, meaning="in the words of all services"),
        Column("service_state", TEXT, meaning="in the service's own"),
        Column("fraction", NUMBER, meaning="share of the state that is done, 0 to 1"),
        Column("files", INTEGER, "file", "files of the user's"),
        Column("bytes", INTEGER, "byte", "their size"),
        Column("bytes_sent", INTEGER, "byte", "what is at the service"),
        Column("created", TIME, meaning="when it was launched"),
        Column("updated", TIME, meaning="when something was last written about it"),
        Column("worked_on_by", TEXT, meaning="the process that works on it; NA where none does"),
        Column("message", TEXT, meaning="what is going on, or went wrong"),
        Column("account", TEXT, meaning="which account"),
        Column("folder", TEXT, meaning="where its results were collected last"),
    ),
)


def jobs(*, ledger: Ledger | None = None) -> pd.DataFrame:
    """List every job launched on this machine, of all services, the newest first.

    Asks no service: it is what was last written down.

    Parameters
    ----------
    ledger : Ledger or None
        Another ledger than the user's own.

    Returns
    -------
    pandas.DataFrame
        One row a job; see ``attrs["columns"]``. Times are in UTC.
    """
    opened = ledger if ledger is not None else Ledger()
    try:
        sent = {
            row["job"]: row["sent"]
            for row in opened.database.read(
                "SELECT job, sum(size) AS sent FROM parts WHERE state = 'sent' GROUP BY job"
            )
        }
        rows = [_as_row(row, sent.get(row.id, 0), opened.now()) for row in opened.rows()]
        return JOBS.to_frame(rows)
    finally:
        if ledger is None:
            opened.close()


def resume(
    job_id: str,
    *,
    account: JobAccount | None = None,
    start_again: bool = False,
    workers: int = 4,
    ledger: Ledger | None = None,
    **options: Any,
) -> Job:
    """Go on with a job, in the background of this process, from where it stands.

    Uploads continue with what is missing; nothing is created or started twice. A job that has ended
    is given back as it is, for its results; one that was asked to cancel goes on being cancelled.

    Parameters
    ----------
    job_id : str
        As in ``cx.jobs()``; its first letters, where they are enough.
    account : JobAccount or None
        An open account. None connects to the service and address the job was launched at, with
        the credentials of the environment, the keyring or `options`.
    start_again : bool
        Create or start it once more where the service cannot tell if it did (see
        `UnclearJobError`). Look at the service's own pages first.
    workers : int
        Parts to send at a time.
    ledger : Ledger or None
        Another ledger than the user's own.
    **options
        For ``cx.connect``: ``token``, ``settings``, ...

    Returns
    -------
    Job

    Raises
    ------
    ArgumentError
        If there is no such job, or the account is another service's.
    JobBusyError
        If another process is working on it.
    CredentialError
        If the credentials are not found.
    """
    job = find_job(job_id, account=account, ledger=ledger, **options)
    try:
        return job.run(Options(workers=workers, start_again=start_again))
    except BaseException:
        job.close()
        raise


def find_job(
    job_id: str,
    *,
    account: JobAccount | None = None,
    ledger: Ledger | None = None,
    **options: Any,
) -> Job:
    """Open a job without working on it: to cancel it, or for its results.

    Parameters
    ----------
    job_id, account, ledger, **options
        As for `resume`.

    Raises
    ------
    ArgumentError, CredentialError
        As for `resume`.
    """
    opened: list[Ledger | JobAccount] = []
    written = ledger if ledger is not None else Ledger()
    if ledger is None:
        opened.append(written)
    try:
        row = written.row(_full_id(written, job_id))
        if account is None:
            account = _reconnect(row, options)
            opened.append(account)
        elif options:
            raise ArgumentError(
                f"{', '.join(options)} and account= both say how to connect: give one of them."
            )
        return Job(written, row.id, account, closes=tuple(opened))
    except BaseException:
        for one in opened:
            one.close()
        raise


def _reconnect(row: JobRow, options: dict[str, Any]) -> JobAccount:
    """Connect to where a job was launched, with credentials found anew."""
    known = {"base_url": row.origin.base_url, **row.origin.options, **options}
    if options.get("region") or options.get("emulator"):  # they have their own address
        del known["base_url"]
    connected: Any = connect(row.origin.service, **known)
    account: JobAccount = connected
    return account


def _full_id(ledger: Ledger, job_id: str) -> str:
    """Find the one job whose id begins so."""
    asked = str(job_id).strip().removeprefix("cx-")
    fitting = [row.id for row in ledger.rows() if asked and row.id.startswith(asked)]
    if asked in fitting or len(fitting) != 1:
        if len(fitting) > 1 and asked not in fitting:
            raise ArgumentError(f"{len(fitting)} jobs begin with {job_id!r}: {', '.join(fitting)}.")
        return asked
    return fitting[0]


def _as_row(row: JobRow, sent: int, now: float) -> dict[str, Any]:
    return {
        "job_id": row.id,
        "service": row.intent.service,
        "name": row.intent.name,
        "state": row.state.value,
        "service_state": row.service_state or None,
        "fraction": row.fraction,
        "files": len(row.intent.files),
        "bytes": row.intent.bytes,
        "bytes_sent": sent,
        "created": datetime.fromtimestamp(row.created, UTC).isoformat(),
        "updated": datetime.fromtimestamp(row.updated, UTC).isoformat(),
        "worked_on_by": str(row.lease.holder)
        if row.lease is not None and not row.lease.is_free(now)
        else None,
        "message": row.message or None,
        "account": row.origin.account,
        "folder": row.folder or None,
    }
