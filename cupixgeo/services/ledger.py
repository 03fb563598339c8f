"""The ledger of jobs: what was intended, what was done, and who is doing it now.

Intent is written before anything is sent, results of requests as soon as they are known, so that
any process can go on where another one ended. Every write of a working process is checked against
its lease: who has lost it writes nothing any more. Holds no secrets: tokens, temporary credentials
and signed links are refused. Must not know any service.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Any

from cupixgeo.errors import ArgumentError, JobBusyError
from cupixgeo.net.secret import Secret, redact
from cupixgeo.services.database import Database, default_path
from cupixgeo.services.job_state import JobState
from cupixgeo.services.job_values import Intent, Json
from cupixgeo.services.lease import LEASE_S, Holder, Lease
from cupixgeo.services.ledger_files import Files, insert_files

_TAG_LETTERS = "0123456789abcdefghijklmnopqrstuvwxyz"


class Phase(IntEnum):
    """How far the work on a job has come; written before and after each step that matters."""

    WRITTEN = 0
    HASHED = 1
    CREATING = 2
    CREATED = 3
    LISTED = 4
    UPLOADED = 5
    COMPLETED = 6
    CHECKED = 7
    STARTING = 8
    STARTED = 9
    ENDED = 10


@dataclass(frozen=True)
class Origin:
    """Where a job belongs, without anything secret.

    Parameters
    ----------
    service, base_url : str
        The service and its API root.
    account : str
        Label of the account, for people.
    options : mapping
        What the account's constructor needs besides, as JSON.
    """

    service: str
    base_url: str
    account: str
    options: Mapping[str, Json]


@dataclass(frozen=True)
class JobRow:
    """A job as the ledger has it."""

    id: str
    origin: Origin
    intent: Intent
    phase: Phase
    state: JobState
    service_state: str
    fraction: float
    eta_s: float | None
    message: str
    remote: Mapping[str, Json]
    round: int
    is_cancelling: bool
    folder: str
    created: float
    updated: float
    lease: Lease | None


def new_tag() -> str:
    """Make a tag no other job has: ``"cx-"`` and ten letters or digits."""
    return "cx-" + "".join(secrets.choice(_TAG_LETTERS) for _ in range(10))


class Ledger:
    """The jobs of this machine.

    Parameters
    ----------
    path : path or None
        The file; None is the user's own (see `cupixgeo.services.database.default_path`).
    now : callable
        Seconds since 1970 [s].

    Raises
    ------
    JobError
        If it cannot be opened.
    """

    def __init__(
        self, path: str | Path | None = None, *, now: Callable[[], float] = time.time
    ) -> None:
        self.path = Path(path) if path is not None else default_path()
        self.now = now
        self._database = Database(self.path)

    @property
    def database(self) -> Database:
        """The connection."""
        return self._database

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Ledger {self.path}>"

    # -- jobs ------------------------------------------------------------------------------------

    def write_intent(self, intent: Intent, origin: Origin) -> str:
        """Write down what is going to be done, before anything is sent.

        Returns
        -------
        str
            The job's id: its tag without ``"cx-"``.

        Raises
        ------
        ArgumentError
            If a job with this tag was written before: a plan is launched once.
        """
        job_id = intent.tag.removeprefix("cx-")
        now = self.now()
        with self._database.writing(durable=True) as connection:
            if connection.execute("SELECT 1 FROM jobs WHERE id = ?", (job_id,)).fetchone():
                raise ArgumentError(
                    f"this plan was launched before, as job {job_id}. Use cx.resume({job_id!r}), "
                    "or make a new plan."
                )
            columns = {
                "id": job_id,
                "service": origin.service,
                "base_url": origin.base_url,
                "account": redact(origin.account),
                "options": _dump(origin.options),
                "name": intent.name,
                "tag": intent.tag,
                "products": _dump(list(intent.products)),
                "parameters": _dump(intent.parameters),
                "crs_wkt": intent.crs_wkt,
                "bytes": intent.bytes,
                "files": len(intent.files),
                "phase": Phase.WRITTEN.name,
                "state": JobState.PLANNED.value,
                "created": now,
                "updated": now,
            }
            names = ", ".join(columns)
            marks = ", ".join("?" * len(columns))
            connection.execute(
                f"INSERT INTO jobs ({names}) VALUES ({marks})", tuple(columns.values())
            )
            insert_files(connection, job_id, intent.files)
        return job_id

    def row(self, job_id: str) -> JobRow:
        """Give one job.

        Raises
        ------
        ArgumentError
            If there is none of this id.
        """
        rows = self._database.read("SELECT * FROM jobs WHERE id = ?", str(job_id))
        if not rows:
            raise ArgumentError(
                f"there is no job {job_id!r} in the ledger {self.path}: cx.jobs() lists them."
            )
        return self._row(rows[0])

    def rows(self) -> list[JobRow]:
        """Give all jobs, newest first."""
        rows = self._database.read("SELECT * FROM jobs ORDER BY created DESC, rowid DESC")
        return [self._row(row) for row in rows]

    def update(
        self, job_id: str, holder: Holder | None, *, durable: bool = False, **columns: Any
    ) -> None:
        """Change a job.

        Parameters
        ----------
        job_id : str
            Which.
        holder : Holder or None
            Who writes; None for what anybody may (asking to cancel).
        durable : bool
            Wait until it would survive a power cut.
        **columns
            Columns of the table.

        Raises
        ------
        JobBusyError
            If `holder` has lost the job to another process.
        """
        if "remote" in columns:
            columns["remote"] = _dump(columns["remote"])
        if "message" in columns:
            columns["message"] = redact(columns["message"])
        names = ", ".join(f"{name} = ?" for name in columns)
        with self.holding(job_id, holder, durable=durable) as connection:
            connection.execute(
                f"UPDATE jobs SET {names}, updated = ? WHERE id = ?",
                (*columns.values(), self.now(), job_id),
            )

    @contextmanager
    def holding(
        self, job_id: str, holder: Holder | None, *, durable: bool = False
    ) -> Iterator[sqlite3.Connection]:
        """Give the connection for a transaction that only the holder of the job may make."""
        with self._database.writing(durable=durable) as connection:
            if holder is not None:
                row = connection.execute("SELECT * FROM jobs WHERE id = ?", (job_id,)).fetchone()
                if row is None or row["run"] != holder.run:
                    raise JobBusyError(
                        f"job {job_id} was taken over by {_lease(row).holder} while this process "
                        "was away. Leave it to that one; cx.jobs() shows how it is."
                        if row is not None and row["run"]
                        else f"job {job_id} is not held by this process any more: resume it."
                    )
            yield connection

    # -- leases ----------------------------------------------------------------------------------

    def take(self, job_id: str, holder: Holder) -> None:
        """Make a process the one that works on a job.

        Raises
        ------
        JobBusyError
            If another one does.
        """
        now = self.now()
        with self._database.writing() as connection:
            row = connection.execute("SELECT * FROM jobs WHERE id = ?", (job_id,)).fetchone()
            if row is None:
                raise ArgumentError(f"there is no job {job_id!r} in the ledger {self.path}.")
            if row["run"] not in ("", holder.run):
                lease = _lease(row)
                if not lease.is_free(now):
                    raise JobBusyError(
                        f"job {job_id} ({row['name']}) is being worked on by {lease.holder}. "
                        f"cx.jobs() shows how it is; it can be taken over when that process ends, "
                        f"or {LEASE_S:.0f} s after its last sign of life."
                    )
            connection.execute(
                "UPDATE jobs SET run = ?, pid = ?, pid_started = ?, host = ?, machine = ?,"
                " until = ? WHERE id = ?",
                (
                    *(holder.run, holder.pid, holder.started, holder.host, holder.machine),
                    now + LEASE_S,
                    job_id,
                ),
            )

    def beat(self, job_id: str, holder: Holder) -> bool:
        """Give a sign of life; say whether somebody asked to cancel.

        Raises
        ------
        JobBusyError
            If the job was taken over.
        """
        with self.holding(job_id, holder) as connection:
            connection.execute(
                "UPDATE jobs SET until = ? WHERE id = ?", (self.now() + LEASE_S, job_id)
            )
            row = connection.execute("SELECT cancelling FROM jobs WHERE id = ?", (job_id,))
            return bool(row.fetchone()[0])

    def release(self, job_id: str, holder: Holder) -> None:
        """Let go of a job, if it is still held."""
        with self._database.writing() as connection:
            connection.execute(
                "UPDATE jobs SET run = '', until = 0 WHERE id = ? AND run = ?", (job_id, holder.run)
            )

    # -- events ----------------------------------------------------------------------------------

    def note(self, job_id: str, kind: str, text: str) -> None:
        """Add to the history of a job."""
        with self._database.writing() as connection:
            connection.execute(
                "INSERT INTO events VALUES (?, ?, ?, ?)", (job_id, self.now(), kind, redact(text))
            )

    def events(self, job_id: str) -> list[tuple[float, str, str]]:
        """Give the history of a job: time [s since 1970], kind and text, oldest first."""
        rows = self._database.read(
            "SELECT time, kind, text FROM events WHERE job = ? ORDER BY rowid", job_id
        )
        return [(row["time"], row["kind"], row["text"]) for row in rows]

    def forget(self, job_id: str) -> None:
        """Take a job out of the ledger. Nothing happens at the service."""
        with self._database.writing() as connection:
            for table in ("files", "items", "parts", "events", "fetched"):
                connection.execute(f"DELETE FROM {table} WHERE job = ?", (job_id,))
            connection.execute("DELETE FROM jobs WHERE id = ?", (job_id,))

    def _row(self, row: sqlite3.Row) -> JobRow:
        intent = Intent(
            service=row["service"],
            name=row["name"],
            tag=row["tag"],
            products=tuple(json.loads(row["products"])),
            parameters=json.loads(row["parameters"]),
            files=Files(self._database, row["id"], row["files"]),
            bytes=row["bytes"],
            crs_wkt=row["crs_wkt"],
        )
        return JobRow(
            id=row["id"],
            origin=Origin(
                row["service"], row["base_url"], row["account"], json.loads(row["options"])
            ),
            intent=intent,
            phase=Phase[row["phase"]],
            state=JobState(row["state"]),
            service_state=row["service_state"],
            fraction=row["fraction"],
            eta_s=row["eta_s"],
            message=row["message"],
            remote=json.loads(row["remote"]),
            round=row["round"],
            is_cancelling=bool(row["cancelling"]),
            folder=row["folder"],
            created=row["created"],
            updated=row["updated"],
            lease=_lease(row) if row["run"] else None,
        )


def _lease(row: sqlite3.Row) -> Lease:
    holder = Holder(row["run"], row["pid"], row["pid_started"], row["host"], row["machine"])
    return Lease(holder, row["until"])


def _dump(value: Json) -> str:
    """Write JSON that holds nothing secret.

    Raises
    ------
    TypeError
        If there is a `Secret` in it, or something that is no JSON.
    ArgumentError
        If there is a link with a query in it: it may be signed.
    """
    _refuse_secrets(value)
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _refuse_secrets(value: Any) -> None:
    if isinstance(value, Secret):
        raise TypeError("the ledger keeps no secrets: leave it in memory and fetch it again")
    if isinstance(value, str) and redact(value) != value:
        raise ArgumentError(
            f"the ledger of jobs keeps no links that may be signed: {redact(value)}. Give one "
            "without a query, or its id."
        )
    if isinstance(value, Mapping):
        for key, inner in value.items():
            _refuse_secrets(key)
            _refuse_secrets(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            _refuse_secrets(inner)
