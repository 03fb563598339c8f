"""The fake service as the contract suite sees it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

from cupixgeo.net.settings import NetSettings
from tests.services.fakes.driver import FakeAccount
from tests.services.fakes.service import TOKEN, Service
from tests.services.stage import JobStage, Step, Trouble

PART = 2000


class FakeStage(JobStage):
    service = "fake"
    options: ClassVar[Mapping[str, Any]] = {"part_bytes": PART}
    kill_points = 20

    def __init__(self, service: Service, photos: Path, cache: Path) -> None:
        self.at = service
        self.photos = photos
        self.cache = cache
        self.planted = (TOKEN, "planted-signature")
        self.largest_part = PART

    def connect(self, **options: Any) -> FakeAccount:
        settings = NetSettings(
            read_timeout_s=5.0, backoff_s=0.01, sleep=lambda s: time.sleep(min(s, 0.01))
        )
        defaults = {
            "token": TOKEN,
            "base_url": self.at.api,
            "storage": self.at.storage,
            "settings": settings,
            "cache_dir": self.cache,
        }
        return FakeAccount(**{**defaults, **options})

    def child(self) -> dict[str, Any]:
        return {
            "connect": {"base_url": self.at.api, "storage": self.at.storage},
            "environment": {"FAKE_TOKEN": TOKEN},
        }

    def wrong_token(self) -> dict[str, Any]:
        return {"token": "another-token"}

    def too_little(self) -> tuple[Path, dict[str, Any]]:
        return self.photos, {"most": 3}

    def made(self) -> int:
        return len(self.at.projects)

    def started(self) -> int:
        return self.at.starts

    def running(self) -> int:
        projects = self.at.projects.values()
        final = ("done", "failed", "stopped")
        return sum(p.starts > 0 and p.states[0][0] not in final for p in projects)

    def requests(self) -> int:
        return len(self.at.calls)

    def changes(self) -> int:
        return len(self.at.changes)

    def uploaded(self) -> int:
        return sum(
            count * len(project.parts[key])
            for project in self.at.projects.values()
            for key, count in project.received.items()
        )

    def fetched(self) -> int:
        return sum(c.port == "storage" and c.is_read for c in self.at.calls)

    def leaked(self) -> int:
        return sum(c.port == "storage" and c.carried_token for c in self.at.calls)

    def trouble(self, step: Step, kind: Trouble, *, times: int = 1) -> None:
        method, ending = {
            "create": ("POST", "/projects"),
            "part": ("PUT", ".1"),
            "start": ("POST", "/start"),
            "status": ("GET", "/p1"),
            "download": ("GET", "/out/all.zip"),
        }[step]
        calls: dict[str, Callable[[], None]] = {
            "lost_reply": lambda: self.at.lose_reply(method, ending, times=times),
            "no_answer": lambda: self.at.lose_reply(method, ending, times=times, done=False),
            "server_error": lambda: self.at.answer(method, ending, 500, times=times),
            "rate_limited": lambda: self.at.answer(
                method, ending, 429, {"retry_after": 2}, times=times
            ),
            "html": lambda: self.at.answer(method, ending, 200, b"<html>soon</html>", times=times),
            "refused": lambda: self.at.answer(method, ending, 400, times=times),
        }
        calls[kind]()

    def fail_job(self) -> None:
        self.at.states = [("queued", 0.0), ("failed", 0.0)]

    def say_unknown(self) -> None:
        self.at.answer("GET", "/p1", 200, {"state": "levitating", "progress": 0.1})

    def hold(self) -> None:
        self.at.is_held = True

    def tick(self, seconds: float) -> None:
        time.sleep(min(seconds, 0.01))
