"""Accounts and projects: credit, limits, parts, and the state of a project by the clock.

Knows the life of a project. Knows no route and no link.

References
----------
OpenScan-org/OpenScanCloud README; OpenScan2 ``flows.json`` (words of the states); a community
guide (sample token info).
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from cupixgeo.emulator.openscan.settings import OpenScanSettings
from cupixgeo.emulator.stage import fake_token

PHOTOS = (".jpg", ".jpeg", ".png")


@dataclass
class Account:
    """Whoever has a token.

    Parameters
    ----------
    name, token : str
        A name for people, and the token.
    credit : int
        [byte] left.
    limit_filesize, limit_photos : int
        Largest set [byte] and most photos in it.
    """

    name: str
    token: str
    credit: int = 24_468_629_501
    limit_filesize: int = 2_000_000_000
    limit_photos: int = 1000


@dataclass
class Project:
    """One project.

    Parameters
    ----------
    key : str
        Unique name for what is kept of it.
    owner, name : str
        Whose it is, and what the client calls it.
    photos, parts, filesize : int
        As they were announced.
    links : list of str
        Ids of the upload links, in the order of the parts.
    arrived : set of int
        Numbers of the parts that arrived, from 1.
    started : float or None
        [s] when it was started.
    stages : list of (str, float)
        States after the start and when each ends [s].
    polls_left : int or None
        Questions until it ends; None where the clock decides.
    outcome : str
        Word in which it ends.
    upload : Path or None
        What was uploaded, put together.
    """

    key: str
    owner: str
    name: str
    photos: int
    parts: int
    filesize: int
    links: list[str] = field(default_factory=list)
    arrived: set[int] = field(default_factory=set)
    started: float | None = None
    stages: list[tuple[str, float]] = field(default_factory=list)
    polls_left: int | None = None
    outcome: str = "processing done"
    upload: Path | None = None

    @property
    def is_delivered(self) -> bool:
        """Whether every part has arrived."""
        return self.arrived == set(range(1, self.parts + 1))

    def start(self, upload: Path, now: float, settings: OpenScanSettings) -> None:
        """Begin to process what was uploaded."""
        self.started, self.upload = now, upload
        is_good = upload.stat().st_size == self.filesize and count_photos(upload) == self.photos
        self.outcome = settings.outcome if is_good else "processing failed"
        self.polls_left = settings.ready_after_polls
        self.stages = []
        for word, lasts in settings.stages:
            now += lasts
            self.stages.append((word, now))

    def asked(self, now: float) -> None:
        """Count one question, where questions decide."""
        if self.polls_left is not None:
            self.polls_left -= 1
            if self.polls_left <= 0:
                self.polls_left = None
                self.stages = [(word, now) for word, _ in self.stages]

    def ended(self) -> float:
        """Return when it has ended or will [s]."""
        return self.stages[-1][1] if self.stages else float(self.started or 0)

    def state(self, now: float, settings: OpenScanSettings) -> str:
        """Return the service's word at a time [s]."""
        if self.started is None:
            return "created"
        if self.polls_left is not None and self.stages:
            return self.stages[max(0, len(self.stages) - self.polls_left)][0]
        for word, until in self.stages:
            if now < until:
                return word
        is_old = now >= self.ended() + settings.keeps_results_s
        return "expired" if is_old and self.outcome == "processing done" else self.outcome

    def has_result(self, now: float, settings: OpenScanSettings) -> bool:
        """Return whether there is something to download at a time [s]."""
        is_done = self.state(now, settings) == self.outcome and "fail" not in self.outcome.lower()
        return self.started is not None and is_done and now >= self.ended() + settings.link_delay_s


def count_photos(upload: Path) -> int:
    """Return the number of photos at the top of a zip; -1 where it is none or broken."""
    if not zipfile.is_zipfile(upload):
        return -1
    with zipfile.ZipFile(upload) as archive:
        if archive.testzip() is not None:
            return -1
        names = [PurePosixPath(name) for name in archive.namelist()]
        return sum(len(name.parts) == 1 and name.suffix.lower() in PHOTOS for name in names)


def make_accounts(seed: int) -> tuple[Account, ...]:
    """Return the accounts: a private token, and a short one that is handed around."""
    return (
        Account("north", fake_token(seed, "openscan", "north", length=13).replace("-", "")),
        Account("everybody", fake_token(seed, "all", length=4).replace("-", ""), credit=10**10),
    )
