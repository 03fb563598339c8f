"""The values that a job and a service's driver hand each other: plans, answers, products.

All are frozen and hold no secret: what a driver returns may end in the ledger. Those of the upload
are in `upload_values`. Must not know any service.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cupixgeo.services.job_state import JobState

if TYPE_CHECKING:
    from cupixgeo.geodesy.crs import CrsLike

Json = Any
"""A value `json.dumps` takes: dict, list, text, number, bool, None."""


# -- planning ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class JobRequest:
    """What the user asked for, as it was typed.

    Parameters
    ----------
    name : str
        Name of the job.
    crs : CrsLike or None
        CRS of the results: EPSG code, WKT, CRS, `OutputDescriptor`, frame name; None leaves it to
        the service.
    products : tuple of str
        Names of products, as the service's page lists them; empty for its default.
    parameters : mapping
        Further keyword arguments of ``account.plan``.
    """

    name: str
    crs: CrsLike | None = None
    products: tuple[str, ...] = ()
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Attachment:
    """A file beside the photos: camera poses, ground control points, a LiDAR record.

    Parameters
    ----------
    path : Path
        The file.
    role : str
        What it is to the driver: ``"pose"``, ``"gcp"``, ``"lidar"``, ...
    name : str
        Name at the service; the file's own unless given.
    """

    path: Path
    role: str
    name: str = ""


@dataclass(frozen=True)
class SourceFile:
    """One file of the user's that belongs to a job.

    Parameters
    ----------
    index : int
        Position in the job, from 0.
    path : Path
        Where it is.
    name : str
        Name at the service: no folders, unique in the job also without regard to case.
    size : int
        [byte]
    role : str
        ``"photo"``, or that of the `Attachment`.
    mtime_ns : int
        Time of last change, as the file system gives it.
    digests : mapping of str to str
        Hexadecimal, by algorithm: those the driver asks for in `JobDriver.digests`. Empty while
        the job is only planned.
    width, height : int
        Size of the picture in pixels; 0 where it is not known or the file is none.
    """

    index: int
    path: Path
    name: str
    size: int
    role: str = "photo"
    mtime_ns: int = 0
    digests: Mapping[str, str] = field(default_factory=dict)
    width: int = 0
    height: int = 0


@dataclass(frozen=True)
class Intent:
    """What is going to be done, complete before anything is sent.

    Parameters
    ----------
    service : str
        Name of the service.
    name : str
        Name the user gave.
    tag : str
        Unique, ``"cx-"`` and ten characters of ``0-9a-z``. A driver puts it where the service
        shows it (name, uuid), so that a lost reply can be looked up.
    products : tuple of str
        As asked for.
    parameters : mapping
        What `JobDriver.parameters` made of the request; JSON.
    files : sequence of SourceFile
        In order of `SourceFile.index`. May be read from the ledger as it is iterated: do not copy.
    bytes : int
        Their sizes in all [byte].
    crs_wkt : str
        CRS asked for as WKT 2; empty where none was, or where it has no WKT.
    """

    service: str
    name: str
    tag: str
    products: tuple[str, ...]
    parameters: Mapping[str, Json]
    files: Sequence[SourceFile]
    bytes: int
    crs_wkt: str = ""

    @property
    def tagged_name(self) -> str:
        """The name with the tag behind it: ``"Pier 4 cx-0a1b2c3d4e"``."""
        return f"{self.name} {self.tag}"


@dataclass(frozen=True)
class LimitCheck:
    """One limit of the service, compared with the job.

    Parameters
    ----------
    what : str
        ``"photos"``, ``"size"``, ``"jobs at the same time"``, ``"credit"``.
    value : float
        The job's own number.
    least, most : float or None
        The service's limits; None where there is none.
    unit : str
        ``"byte"``, ``"photo"``, ...
    source : str
        Where the limit is from, in a few words: ``"documentation"``, ``"asked the service"``.
    """

    what: str
    value: float
    least: float | None = None
    most: float | None = None
    unit: str = ""
    source: str = ""

    @property
    def ok(self) -> bool:
        """Whether the job keeps to the limit."""
        too_low = self.least is not None and self.value < self.least
        return not too_low and not (self.most is not None and self.value > self.most)


@dataclass(frozen=True)
class Cost:
    """What the job will cost, where the service tells it.

    Parameters
    ----------
    amount : float
        In `unit`.
    unit : str
        ``"coin"``, ``"photo of the quota"``, ``"byte of credit"``.
    available : float or None
        What the account has of it; None where it is not known.
    note : str
        How it was found, in one sentence.
    """

    amount: float
    unit: str
    available: float | None = None
    note: str = ""


@dataclass(frozen=True)
class PlannedRequest:
    """A request that a launch would send, for people to read. Holds no token and no signature.

    Parameters
    ----------
    method, path : str
        ``"POST"`` and the path below the API root; what is not known yet stands in braces:
        ``"captures/{eid}/uploaded"``.
    body : JSON value
        As it would be sent, placeholders in braces; None where there is none.
    repeats : int
        How often it is sent.
    purpose : str
        What for, in a few words.
    """

    method: str
    path: str
    body: Json = None
    repeats: int = 1
    purpose: str = ""


# -- doing, following, collecting ----------------------------------------------------------------


class Lookup(StrEnum):
    """Answer to the question whether something is at the service.

    ``found``
        It is there; its ids were saved.
    ``absent``
        It is certainly not there: it may be made.
    ``unclear``
        The service gives no way to tell. The job stops and asks its user.
    """

    FOUND = "found"
    ABSENT = "absent"
    UNCLEAR = "unclear"


@dataclass(frozen=True)
class Poll:
    """How often to ask how a job is.

    Parameters
    ----------
    first_s, longest_s : float
        [s] before the second question, and between later ones at most.
    factor : float
        Growth of the pause while nothing changes.
    """

    first_s: float = 5.0
    longest_s: float = 60.0
    factor: float = 1.5


@dataclass(frozen=True)
class RemoteStatus:
    """How a started job is, by the service.

    Parameters
    ----------
    state : JobState
        In the common words. `JobState.UNKNOWN` for a word or number nobody documented: it is
        asked again, and never taken for success.
    service_state : str
        The service's own words.
    fraction : float or None
        Share of this state that is done, 0 to 1; None where it is not told.
    eta_s : float or None
        [s] left, where it is told.
    message : str
        What the service says about it; with `JobState.FAILED` the reason and what to do.
    code : str
        The service's own error code, when it failed.
    lines : tuple of str
        New lines of its log, if it gives one; kept as events.
    """

    state: JobState
    service_state: str = ""
    fraction: float | None = None
    eta_s: float | None = None
    message: str = ""
    code: str = ""
    lines: tuple[str, ...] = ()


@dataclass(frozen=True)
class Product:
    """One file that can be fetched from a finished job.

    Parameters
    ----------
    name : str
        For people, and for the file on disk after everything unsafe in it was replaced.
    kind : str
        One of `cupixgeo.services.products.KINDS`; ``"archive"`` for a zip, which is unpacked and
        whose members get kinds of their own.
    bytes : int or None
        Size [byte], where the service tells it.
    key : str
        What the driver needs to fetch it: an id, a name. Never a link.
    sha256 : str
        Hash, hexadecimal, where the service tells it.
    """

    name: str
    kind: str
    bytes: int | None = None
    key: str = ""
    sha256: str = ""
