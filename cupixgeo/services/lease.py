"""Who is working on a job: one process at a time, and how it is told that one is gone.

Knows process ids, machines and times. Must not know what a job is. A lease is taken over when it
has run out, or at once when its process is gone from this machine.
"""

from __future__ import annotations

import functools
import os
import platform
import secrets
import sys
from dataclasses import dataclass, field
from pathlib import Path

LEASE_S = 30.0
"""[s] a lease holds without a sign of life."""

HEARTBEAT_S = 2.0
"""[s] between signs of life; many may be missed. A wish to cancel is noticed with the next one."""


@dataclass(frozen=True)
class Holder:
    """A process, and one run of a job in it.

    Parameters
    ----------
    run : str
        Unique; what writes to the ledger are checked against.
    pid : int
        Process id.
    started : str
        When the process began, as the system counts it; empty where that is not known.
    host : str
        Name of the machine, for people.
    machine : str
        The machine, its boot and its process namespace: where `pid` means something.
    """

    run: str
    pid: int
    started: str
    host: str
    machine: str

    @classmethod
    def here(cls) -> Holder:
        """Make one for this process."""
        pid = os.getpid()
        return cls(secrets.token_hex(8), pid, process_start(pid), platform.node(), this_machine())

    @property
    def is_gone(self) -> bool:
        """Whether the process is certainly not running any more."""
        if not self.machine or self.machine != this_machine():
            return False
        if not _exists(self.pid):
            return True
        now = process_start(self.pid)
        return bool(now and self.started) and now != self.started

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host or 'a machine without a name'}"


@dataclass(frozen=True)
class Lease:
    """A holder, and until when it holds.

    Parameters
    ----------
    holder : Holder
        Who.
    until : float
        Seconds since 1970 [s].
    """

    holder: Holder = field()
    until: float

    def is_free(self, now: float) -> bool:
        """Whether another process may take it over at the time `now` [s]."""
        return self.until <= now or self.holder.is_gone


@functools.cache
def this_machine() -> str:
    """Name the machine, its boot and process namespace; just its name where there is no more."""
    facts = [platform.node()]
    try:
        facts.append(Path("/proc/sys/kernel/random/boot_id").read_text().strip())
        facts.append(str(Path("/proc/self/ns/pid").readlink()))
    except OSError:
        return facts[0]
    return " ".join(facts)


def process_start(pid: int) -> str:
    """Say when a process began, so that a used-again id is noticed; empty where not known.

    References
    ----------
    proc_pid_stat(5), field 22.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] in ("Z", "X") else fields[19]


def _exists(pid: int) -> bool:
    if sys.platform == "win32":
        return True  # asking would end it there; its lease runs out instead
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return process_start(pid) != "" or not Path("/proc/self/stat").exists()
