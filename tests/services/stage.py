"""What a service's tests tell the contract suite about their emulator.

Subclass `EmulatorStage` for a service on `cupixgeo.emulator`; what it cannot know is abstract.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

import cupixgeo as cx
from cupixgeo.emulator import Emulator, faults
from cupixgeo.emulator.journal import Entry
from cupixgeo.net.settings import NetSettings

Step = Literal["create", "part", "start", "status", "download"]
"""Requests a fault can hit: the one that makes the project, one that carries a part to the storage,
the one that starts, one that asks how it is, one that fetches a result from the storage."""

Trouble = Literal["lost_reply", "no_answer", "server_error", "rate_limited", "html", "refused"]
"""What goes wrong: done without a reply, not done without a reply, 500, 429 with Retry-After, 200
with a web page, and the refusal the service gives for a bad request."""


class JobStage(ABC):
    """One emulated service, and what can be seen and scripted there."""

    service: ClassVar[str]
    photos: Path
    """A folder of photos the service accepts; a test may copy it."""

    options: ClassVar[Mapping[str, Any]] = {}
    """Keyword arguments of ``account.plan`` for a small job, in several parts where that is
    possible."""

    planted: tuple[str, ...]
    """All secrets: tokens, passwords, keys. They may appear nowhere."""

    largest_part: int
    """[byte] of the largest part that `options` and `photos` lead to."""

    kill_points: ClassVar[int] = 5
    makes_pointcloud: ClassVar[bool] = True
    wrong_product: ClassVar[str] = "no-such-product"

    @abstractmethod
    def connect(self, **options: Any) -> Any:
        """Give an account with settings that never wait for real."""

    @abstractmethod
    def child(self) -> dict[str, Any]:
        """Give what a child process needs: ``connect`` (JSON) and ``environment``."""

    @abstractmethod
    def wrong_token(self) -> dict[str, Any]:
        """Give options of `connect` with a credential the service refuses."""

    @abstractmethod
    def too_little(self) -> tuple[Path, dict[str, Any]]:
        """Give photos and plan options that break one of the service's limits."""

    @abstractmethod
    def made(self) -> int:
        """Count the projects, tasks or captures there are at the service."""

    @abstractmethod
    def started(self) -> int:
        """Count the reconstructions that were ever started."""

    @abstractmethod
    def running(self) -> int:
        """Count the reconstructions that are waiting or running now."""

    @abstractmethod
    def requests(self) -> int:
        """Count all requests, on all origins."""

    @abstractmethod
    def changes(self) -> int:
        """Count the requests that were meant to change something, on all origins."""

    @abstractmethod
    def uploaded(self) -> int:
        """Add up the bytes of all bodies the service or its storage took [byte]."""

    @abstractmethod
    def fetched(self) -> int:
        """Count the requests for results at the storage."""

    @abstractmethod
    def leaked(self) -> int:
        """Count the requests that carried a token to the storage."""

    @abstractmethod
    def trouble(self, step: Step, kind: Trouble, *, times: int = 1) -> None:
        """Let the next `times` requests of a step go wrong."""

    @abstractmethod
    def fail_job(self) -> None:
        """Let the next reconstruction end in failure."""

    @abstractmethod
    def say_unknown(self) -> None:
        """Let the service answer the next question for the state with a word or number nobody
        documented."""

    @abstractmethod
    def hold(self) -> None:
        """Let no reconstruction come to its end by itself from now on; they can be cancelled."""

    @abstractmethod
    def tick(self, seconds: float) -> None:
        """Let time go by at the service [s]."""


class EmulatorStage(JobStage):
    """A stage on `cupixgeo.emulator`.

    A subclass gives `service`, `options`, `steps`, and the abstract methods that are left: `made`,
    `started`, `running`, `wrong_token`, `too_little`, `fail_job`, `say_unknown`.
    """

    steps: ClassVar[Mapping[str, tuple[str, str, str]]]
    """Step → service (or ``"storage"``), method and path pattern, as in ``emu.faults.add``."""

    def __init__(self, emulator: Emulator, photos: Path) -> None:
        self.emulator = emulator
        self.photos = photos
        self._is_held = False
        self.planted = (str(emulator.endpoint(self.service).token),)
        self.largest_part = max(path.stat().st_size for path in photos.iterdir())

    def connect(self, **options: Any) -> Any:
        settings = NetSettings(
            read_timeout_s=5.0,
            now=self.emulator.clock.now,
            sleep=self.tick,
            uniform=lambda: 0.5,
        )
        return cx.connect(
            self.service, **{"emulator": self.emulator, "settings": settings, **options}
        )

    def child(self) -> dict[str, Any]:
        endpoint = self.emulator.endpoint(self.service)
        return {"connect": {"base_url": endpoint.base_url, "token": endpoint.token}}

    def requests(self) -> int:
        return len(self.emulator.journal)

    def is_change(self, entry: Entry) -> bool:
        """Whether a request was meant to change something; override for GETs that do, and for
        POSTs that only ask."""
        return entry.method not in ("GET", "HEAD", "OPTIONS")

    def changes(self) -> int:
        return sum(map(self.is_change, self.emulator.journal))

    def uploaded(self) -> int:
        storage = self.emulator.journal.where(origin="storage")
        return sum(entry.bytes_received for entry in storage)

    def fetched(self) -> int:
        return len(self.emulator.journal.where(origin="storage", method="GET"))

    def leaked(self) -> int:
        return len(self.emulator.journal.where(origin="storage", carried_token=True))

    def refusal(self) -> faults.Fault:
        """Give the service's answer to a request it does not accept."""
        return faults.json_reply({"error": "refused"}, status=400)

    def trouble(self, step: Step, kind: Trouble, *, times: int = 1) -> None:
        fault = {
            "lost_reply": faults.lost_reply,
            "no_answer": faults.no_answer,
            "server_error": lambda: faults.server_error(500),
            "rate_limited": lambda: faults.rate_limited(2),
            "html": faults.html_page,
            "refused": self.refusal,
        }[kind]()
        service, method, path = self.steps[step]
        self.emulator.faults.add(fault, service=service, method=method, path=path, times=times)

    def hold(self) -> None:
        self._is_held = True

    def tick(self, seconds: float) -> None:
        if self._is_held:
            time.sleep(0.001)
            seconds = min(seconds, 0.01)
        self.emulator.clock.advance(seconds)
