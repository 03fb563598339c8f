"""The file the ledger is in: SQLite, written so that a killed process loses nothing it relied on.

Knows connections, transactions and tables. Must not know what a job does with them.

Sources: sqlite.org/wal.html; sqlite.org/pragma.html#pragma_synchronous (NORMAL survives a killed
process, FULL also a power cut).
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NoReturn

from cupixgeo.errors import DiskFullError, JobError

VERSION = 1
"""Version of the tables, kept in the file."""

STATE_VARIABLE = "CUPIXGEO_STATE"
"""Environment variable that names another folder for the ledger."""

_BUSY_MS = 20_000
_TABLES = """
CREATE TABLE jobs (
    id TEXT PRIMARY KEY, service TEXT NOT NULL, base_url TEXT NOT NULL, account TEXT NOT NULL,
    options TEXT NOT NULL, name TEXT NOT NULL, tag TEXT NOT NULL, products TEXT NOT NULL,
    parameters TEXT NOT NULL, crs_wkt TEXT NOT NULL, bytes INTEGER NOT NULL,
    files INTEGER NOT NULL, phase TEXT NOT NULL, state TEXT NOT NULL,
    service_state TEXT NOT NULL DEFAULT '', fraction REAL NOT NULL DEFAULT 0, eta_s REAL,
    message TEXT NOT NULL DEFAULT '', remote TEXT NOT NULL DEFAULT '{}',
    round INTEGER NOT NULL DEFAULT 0, cancelling INTEGER NOT NULL DEFAULT 0,
    folder TEXT NOT NULL DEFAULT '', created REAL NOT NULL, updated REAL NOT NULL,
    run TEXT NOT NULL DEFAULT '', pid INTEGER NOT NULL DEFAULT 0, pid_started TEXT NOT NULL
    DEFAULT '', host TEXT NOT NULL DEFAULT '', machine TEXT NOT NULL DEFAULT '',
    until REAL NOT NULL DEFAULT 0
);
CREATE TABLE files (
    job TEXT NOT NULL, idx INTEGER NOT NULL, path TEXT NOT NULL, name TEXT NOT NULL,
    size INTEGER NOT NULL, role TEXT NOT NULL, mtime_ns INTEGER NOT NULL,
    digests TEXT NOT NULL, width INTEGER NOT NULL, height INTEGER NOT NULL,
    PRIMARY KEY (job, idx)
) WITHOUT ROWID;
CREATE TABLE items (
    job TEXT NOT NULL, ord INTEGER NOT NULL, key TEXT NOT NULL, name TEXT NOT NULL,
    size INTEGER NOT NULL, file INTEGER, PRIMARY KEY (job, ord), UNIQUE (job, key)
) WITHOUT ROWID;
CREATE TABLE parts (
    job TEXT NOT NULL, ord INTEGER NOT NULL, number INTEGER NOT NULL, offset INTEGER NOT NULL,
    size INTEGER NOT NULL, state TEXT NOT NULL DEFAULT 'waiting', etag TEXT NOT NULL DEFAULT '',
    ref TEXT NOT NULL DEFAULT '', PRIMARY KEY (job, ord, number)
) WITHOUT ROWID;
CREATE TABLE events (
    job TEXT NOT NULL, time REAL NOT NULL, kind TEXT NOT NULL, text TEXT NOT NULL
);
CREATE INDEX events_of_job ON events (job);
CREATE TABLE fetched (
    job TEXT NOT NULL, path TEXT NOT NULL, size INTEGER NOT NULL, sha256 TEXT NOT NULL,
    PRIMARY KEY (job, path)
) WITHOUT ROWID;
"""


def default_path() -> Path:
    """Say where the ledger is: ``$CUPIXGEO_STATE``, or the user's state folder."""
    folder = os.environ.get(STATE_VARIABLE)
    if folder:
        return Path(folder) / "jobs.sqlite"
    from platformdirs import user_state_path

    return user_state_path("cupixgeo") / "jobs.sqlite"


class Database:
    """One connection to the ledger's file, for all threads of a process.

    Parameters
    ----------
    path : Path
        The file; made when it does not exist.

    Raises
    ------
    JobError
        If it cannot be opened, or was written by a newer version of the toolkit.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.RLock()
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        except (OSError, sqlite3.Error) as error:
            raise JobError(
                f"the ledger of jobs at {path} cannot be opened ({error}). Name a folder that can "
                f"be written in the environment variable {STATE_VARIABLE}."
            ) from error
        self._connection.row_factory = sqlite3.Row
        try:
            self._connection.execute(f"PRAGMA busy_timeout = {_BUSY_MS}")
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = NORMAL")
            self._prepare()
        except sqlite3.Error as error:
            self._connection.close()
            self._fail(error)

    def read(self, statement: str, *values: Any) -> list[sqlite3.Row]:
        """Give all rows a statement finds."""
        with self._lock:
            try:
                return self._connection.execute(statement, values).fetchall()
            except sqlite3.Error as error:
                self._fail(error)

    @contextmanager
    def writing(self, *, durable: bool = False) -> Iterator[sqlite3.Connection]:
        """Give the connection for one transaction; nothing of it is kept if the block fails.

        Parameters
        ----------
        durable : bool
            Wait until it would survive a power cut, not only a killed process.
        """
        with self._lock:
            try:
                if durable:
                    self._connection.execute("PRAGMA synchronous = FULL")
                self._connection.execute("BEGIN IMMEDIATE")
                try:
                    yield self._connection
                except BaseException:
                    self._connection.execute("ROLLBACK")
                    raise
                self._connection.execute("COMMIT")
            except sqlite3.Error as error:
                self._fail(error)
            finally:
                if durable:
                    with suppress(sqlite3.Error):  # the connection may be gone
                        self._connection.execute("PRAGMA synchronous = NORMAL")

    def close(self) -> None:
        """Close the connection."""
        with self._lock:
            self._connection.close()

    def _prepare(self) -> None:
        with self.writing() as connection:
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            if version == 0:
                for statement in filter(str.strip, _TABLES.split(";\n")):
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {VERSION}")
            elif version != VERSION:
                raise JobError(
                    f"the ledger of jobs at {self.path} has version {version}, this toolkit knows "
                    f"{VERSION}. Update cupixgeo, or name another folder in {STATE_VARIABLE}."
                )

    def _fail(self, error: sqlite3.Error) -> NoReturn:
        if "disk is full" in str(error):
            raise DiskFullError(
                f"no room is left for the ledger of jobs at {self.path}. Free some space, then "
                "resume the job."
            ) from error
        if "closed database" in str(error):
            raise JobError(
                f"the ledger of jobs at {self.path} was closed, with the job or by hand: use "
                "cx.resume(job_id) for another look at a job."
            ) from error
        raise JobError(
            f"the ledger of jobs at {self.path} cannot be used ({error}). Close other programs "
            f"that use it; if it is damaged, move it away or name another folder in "
            f"{STATE_VARIABLE}."
        ) from error
