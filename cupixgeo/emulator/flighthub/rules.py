"""How the emulated FlightHub behaves where its documentation leaves it open, and its limits.

Knows numbers and switches. They may be changed while the emulator runs::

    rules = emu.service("flighthub").rules
    rules.cloud_name = "ali"
    rules.outcome = Outcome(status=8, error_code=310001)
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

LEAST_IMAGES = {"2d": 5, "3d": 5, "3dgs": 10, "lidar": 5}
MOST_IMAGES = {"2d": 20_000, "3d": 20_000, "3dgs": 4_000, "lidar": 20_000}
CONCURRENT = {"standard": 2, "professional": 5, "enterprise": 10}
"""Reconstructions at the same time, by edition (reference page of the start call)."""

FILES_A_CALLBACK = 100
NAME_LENGTH = 255

OK = 0
UNAUTHORIZED = 200401
FORBIDDEN = 200403
NOT_FOUND = 200404
PARAMETER = 200610
TOO_MANY_REQUESTS = 210429
UNAVAILABLE = 210500

TOO_FEW_IMAGES = 990001
TOO_MANY_IMAGES = 990002
NO_QUOTA = 990003
TOO_MANY_TASKS = 990004
NOT_RUNNING = 990005
NOT_UPLOADED = 990006
CRS_NOT_HERE = 990007
"""Codes from 990001 on are this emulator's own: DJI's numbers for these refusals are not known."""

BROKEN_IMAGES = 310002
"""`error_code` of a reconstruction whose images cannot be read; DJI's number is not known."""


@dataclass(frozen=True)
class Outcome:
    """How a reconstruction ends.

    Parameters
    ----------
    status : int
        15 or 9 success, 8 failure while computing, 13 failure to get a machine.
    error_code : int
        `error_code` of a model with status 8 and `sub_error_code` of one with 13; 310001 is the
        made-up number of a public client's fixture.
    odd_status : int or None
        An undocumented status between 12 and 14, for half of the time of computing.
    zip_status : int
        2 packed, 3 packing failed.
    """

    status: int = 15
    error_code: int = 310001
    odd_status: int | None = None
    zip_status: int = 2


@dataclass
class Rules:
    """Switches of the emulated service.

    Parameters
    ----------
    cloud_name : str
        Storage of the upload credential: a name with ``ali`` in it means Alibaba OSS, others S3.
    end_point_has_scheme : bool
        Whether `end_point` begins with ``http://``.
    credential_lifetime_s : float
        [s] an upload credential lasts.
    key_scope : {"batch", "organization"}
        Where a credential may write: below its own batch, or below all of the organization's.
    keys_may_read : bool
        Whether upload credentials may also read results; one public client found they may not.
    any_callback_param : bool
        Whether a callback may carry the `callback_param` of another credential of the
        organization.
    strict_project : bool
        Whether open-modeling calls without ``X-Project-Uuid`` are refused.
    auth_status : {401, 200}
        HTTP status of the answer to a bad token; both were seen.
    null_lists : bool
        Whether empty lists are sent as null, as was seen live.
    importing_s : float
        [s] a resource has status 0 after its first callback.
    quota_images : int
        Images an organization may reconstruct.
    queue_s, run_s, zip_s : float
        [s] a task waits, computes and is packed.
    outcome : Outcome
        How tasks end that are started from now on.
    min_images, max_images : dict of str to int
        Limits by kind.
    every_nth_point : int
        Results hold every so manieth point of the recorded scan; 1 for all.
    layout : {"desktop", "nested", "flat"}
        Folders in the result archive: as the desktop program writes them, the same below one more
        folder, or all files at the top.
    hidden_decoy : bool
        Whether the archive holds intermediates in a hidden folder, which readers must pass over.
    """

    cloud_name: str = "aws"
    end_point_has_scheme: bool = True
    credential_lifetime_s: float = 3600.0
    key_scope: Literal["batch", "organization"] = "batch"
    keys_may_read: bool = False
    any_callback_param: bool = False
    strict_project: bool = False
    auth_status: Literal[401, 200] = 401
    null_lists: bool = True
    importing_s: float = 0.0
    quota_images: int = 100_000
    queue_s: float = 30.0
    run_s: float = 300.0
    zip_s: float = 30.0
    outcome: Outcome = Outcome()
    min_images: dict[str, int] = field(default_factory=lambda: dict(LEAST_IMAGES))
    max_images: dict[str, int] = field(default_factory=lambda: dict(MOST_IMAGES))
    every_nth_point: int = 8
    layout: Literal["desktop", "nested", "flat"] = "desktop"
    hidden_decoy: bool = False
