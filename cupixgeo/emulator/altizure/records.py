"""What the emulated Altizure keeps: accounts, projects, images, meta files, models, tasks, coupons.

Values and their small laws. Knows no GraphQL, no HTTP and no clock of its own. Attributes are
named like the fields of ``schema.graphql``, in snake case.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from cupixgeo.emulator.altizure.shelf import Shelf
from cupixgeo.emulator.storage import StoredObject

FINISHED = ("Ready", "ReadyStrong", "Invalid")
"""Image states that do not change any more."""


@dataclass
class Membership:
    """A plan an account has paid for."""

    state: str
    plan_name: str
    period: int
    start_date: str
    end_date: str
    member_gp_quota: float
    coin_per_gp: float = 1.0
    coin_price_discount: float = 0.0
    asset_storage: float = 10.0
    visibility: tuple[str, ...] = ("public", "unlisted", "private")
    model_per_project: int = 2
    collaborator_quota: int = 5
    force_watermark: bool = False


@dataclass
class Coupon:
    """Alticoins for reconstructions within a time; `value` in coins."""

    id: str
    value: float
    start_date: str
    end_date: str
    used: bool = False


@dataclass
class Account:
    """A user. `balance` in Alticoins, `free_gp_quota` in gigapixels."""

    id: str
    name: str
    email: str
    password: str
    phone: str
    token: str
    joined: str
    balance: float = 0.0
    free_gp_quota: float = 0.0
    membership: Membership | None = None
    coupons: list[Coupon] = field(default_factory=list)
    rooms: frozenset[str] = frozenset()


@dataclass
class Upload:
    """A file on its way into the service: what all kinds have in common.

    Parameters
    ----------
    id : str
        24 hexadecimal characters.
    name : str
        As the client calls it.
    filename : str
        As the object in the bucket is called.
    state : str
        The service's word for how far it is.
    modified : float
        [s] since 1970-01-01 UTC, last change.
    source : str
        ``"S3"``, ``"MINIO"``, ``"OSS"``, or ``"URL"``.
    checksum : str or None
        SHA-1 the client gave.
    error : list of str
        Why it is not used.
    path : pathlib.Path or None
        Where its bytes are, once they arrived.
    due : float or None
        [s] since 1970-01-01 UTC, next change of state by itself.
    fetch : callable or None
        For URL uploads: gives the bytes, or raises ValueError.
    """

    id: str
    name: str
    filename: str
    modified: float
    source: str
    state: str = "Pending"
    checksum: str | None = None
    error: list[str] = field(default_factory=list)
    path: Path | None = None
    due: float | None = None
    fetch: Callable[[], bytes] | None = None

    def keep(self, data: bytes, shelf: Shelf) -> None:
        """Put the bytes that arrived on the shelf."""
        self.path = shelf.put(self.id, data)


@dataclass
class Image(Upload):
    """A photo of a project; size in pixels once it was looked at."""

    width: int = 0
    height: int = 0
    object: StoredObject | None = None

    @property
    def is_usable(self) -> bool:
        """Whether a reconstruction may use it."""
        return self.state in ("Ready", "ReadyStrong")


@dataclass
class MetaFile(Upload):
    """Camera poses, intrinsics or groups; `filesize` in byte."""

    filesize: int = 0
    date: str = ""


@dataclass
class Model(Upload):
    """A zip, or a part of one, of an imported project."""


@dataclass
class Task:
    """One run of the reconstruction.

    Parameters
    ----------
    started, ended : float or None
        [s] since 1970-01-01 UTC.
    queued : float
        [s] since 1970-01-01 UTC.
    paid : float
        Alticoins taken for it.
    coupons : list of Coupon
        Used up by it.
    images : frozenset of str
        Checksums of the images it works on.
    outcome : str
        ``""`` while it is going on, then ``"done"``, ``"failed"`` or ``"stopped"``.
    """

    id: str
    task_type: str
    queued: float
    paid: float = 0.0
    coupons: list[Coupon] = field(default_factory=list)
    images: frozenset[str] = frozenset()
    gigapixel: float = 0.0
    step: int = 0
    total_steps: int = 0
    state: str = ""
    started: float | None = None
    ended: float | None = None
    outcome: str = ""


@dataclass
class Download:
    """A file a finished project offers; `available` in [s] since 1970-01-01 UTC."""

    name: str
    available: float
    object: StoredObject


@dataclass
class Project:
    """A project: native (photos in, model out) or imported (a model in)."""

    id: str
    name: str
    owner: Account
    created: float
    type: str = "free"
    visibility: str = "public"
    is_imported: bool = False
    imported_model_type: str | None = None
    imported_state: str = "Native"
    description: str = ""
    images: dict[str, Image] = field(default_factory=dict)
    open_images: dict[str, Image] = field(default_factory=dict)
    meta_files: dict[str, MetaFile] = field(default_factory=dict)
    models: dict[str, Model] = field(default_factory=dict)
    tasks: list[Task] = field(default_factory=list)
    downloads: list[Download] = field(default_factory=list)
    pre_start: dict[str, object] | None = None
    merge: bool = False
    convert_due: float | None = None
    last_done_gp: float | None = None
    error: str | None = None
    error_code: str | None = None
    reports: list[str] = field(default_factory=list)

    @property
    def usable_images(self) -> list[Image]:
        """Images a reconstruction may use."""
        return [image for image in self.images.values() if image.is_usable]

    def add_image(self, image: Image) -> None:
        """Register an image that is still to come."""
        self.images[image.id] = self.open_images[image.id] = image

    def forget_image(self, id: str) -> None:
        """Take an image back as if it had never been registered."""
        self.images.pop(id, None)
        self.open_images.pop(id, None)

    @property
    def running(self) -> Task | None:
        """The task that is queued or running."""
        return next((task for task in self.tasks if not task.outcome), None)


def object_id(seed: int, serial: int, timestamp: float) -> str:
    """Return an id of 24 hexadecimal characters as MongoDB makes them: time, machine, counter.

    Parameters
    ----------
    seed, serial : int
        Decide the machine and the counter.
    timestamp : float
        [s] since 1970-01-01 UTC.
    """
    machine = hashlib.sha256(f"{seed}/altizure".encode()).hexdigest()[:10]
    return f"{int(timestamp):08x}{machine}{serial % 0x1000000:06x}"


def born(id: str) -> float:
    """Return the time an id was made, [s] since 1970-01-01 UTC."""
    return float(int(id[:8], 16))
