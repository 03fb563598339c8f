"""What a reconstruction job can be doing, in one set of words for all services.

Knows the states, which of them are final, and what progress looks like as data. Must not know any
service: each driver maps its own words onto these and hands the originals along.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class JobState(StrEnum):
    """State of a job, the same for all services. Compares equal to its name as text.

    ``planned``
        Written down; nothing was sent.
    ``uploading``
        Files are on their way, or the service is checking what arrived.
    ``queued``
        Started; the service has not begun to compute.
    ``running``
        The service computes.
    ``finishing``
        Computed; the service is packing the results.
    ``done``, ``failed``, ``cancelled``
        Final.
    ``unknown``
        The service says something this toolkit has no word for, or it cannot be told whether the
        job was started. Never taken for success.
    """

    PLANNED = "planned"
    UPLOADING = "uploading"
    QUEUED = "queued"
    RUNNING = "running"
    FINISHING = "finishing"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"

    @property
    def is_final(self) -> bool:
        """Whether the job stays as it is: done, failed or cancelled."""
        return self in FINAL_STATES


FINAL_STATES = frozenset({JobState.DONE, JobState.FAILED, JobState.CANCELLED})
"""States a job does not leave by itself."""


@dataclass(frozen=True)
class JobProgress:
    """How far a job is, as data.

    Parameters
    ----------
    state : JobState
        State in the common words.
    service_state : str
        The service's own word or number; empty before there is one.
    bytes_done, bytes_total : int
        Upload [byte]. What a resumed job had sent before counts as done.
    files_done, files_total : int
        Objects that are whole at the service, and all of them.
    fraction : float
        Share of the present state that is done, 0 to 1; 1 when the job is done.
    eta_s : float or None
        [s] left in the present state, where that can be told.
    message : str
        What is going on, or what went wrong and what to do, in one sentence.
    """

    state: JobState
    service_state: str = ""
    bytes_done: int = 0
    bytes_total: int = 0
    files_done: int = 0
    files_total: int = 0
    fraction: float = 0.0
    eta_s: float | None = None
    message: str = ""
