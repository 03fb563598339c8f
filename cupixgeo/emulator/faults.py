"""Faults on order: which request goes wrong, and how.

::

    from cupixgeo.emulator import faults
    emu.faults.add(faults.rate_limited(retry_after_s=2), path="/pointclouds", times=2)
    emu.faults.add(faults.cut_body(after=1000), service="storage", path="*/5310/*")

Knows HTTP answers and how they can break. Knows no service.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Any, Literal

from cupixgeo.emulator.wire import Delivery, Response, json_response

_HTML = (
    b"<!doctype html><html><head><title>Scheduled maintenance</title></head><body>\n"
    b"<h1>We will be back soon</h1></body></html>\n"
)


@dataclass(frozen=True)
class Fault:
    """One way to go wrong; made by the functions of this module.

    Parameters
    ----------
    name : str
        What the journal calls it.
    reply : Response or None
        Answer given in place of the service's.
    edit : callable or None
        Turns the service's honest answer into the faulty one.
    revoke : {"", "before", "after"}
        Whether the signed link of this request stops working, before or after the answer.
    """

    name: str
    reply: Response | None = None
    edit: Callable[[Response], Response] | None = None
    revoke: Literal["", "before", "after"] = ""


def rate_limited(retry_after_s: float | None = 1.0) -> Fault:
    """Answer 429, with a Retry-After header [s] unless it is None."""
    headers = () if retry_after_s is None else (("Retry-After", f"{retry_after_s:g}"),)
    return Fault("rate_limited", reply=Response(429, headers))


def server_error(status: int = 500, *, retry_after_s: float | None = None) -> Fault:
    """Answer with a 5xx status and no body."""
    if not 500 <= status <= 599:
        raise ValueError(f"a server error has a status from 500 to 599, not {status}")
    headers = () if retry_after_s is None else (("Retry-After", f"{retry_after_s:g}"),)
    return Fault("server_error", reply=Response(status, headers))


def json_reply(content: Any, *, status: int = 200) -> Fault:
    """Answer with this JSON, for shapes the service itself never produces (null lists, …)."""
    return Fault("json_reply", reply=json_response(status, content))


def html_page(status: int = 200) -> Fault:
    """Answer with an HTML page, as a proxy or a maintenance screen does."""
    headers = (("Content-Type", "text/html; charset=utf-8"),)
    return Fault("html_page", reply=Response(status, headers, _HTML))


def no_answer() -> Fault:
    """Close the connection without a single byte."""
    return Fault("no_answer", reply=Response(0, delivery=Delivery(silent=True)))


def lost_reply() -> Fault:
    """Do what is asked, then close the connection without a single byte of answer."""
    silent = Delivery(silent=True)
    return Fault("lost_reply", edit=lambda r: replace(r, delivery=silent))


def cut_body(after: int) -> Fault:
    """Close the connection after `after` [byte] of the body; the declared length stays true."""
    return Fault("cut_body", edit=_cut(after))


def truncated_json(keep: float = 0.5) -> Fault:
    """Send only the first part (a share from 0 to 1) of the body, and declare that length."""
    if not 0 <= keep < 1:
        raise ValueError(f"the share of the body to keep is from 0 to below 1, not {keep}")
    return Fault(
        "truncated_json", edit=lambda r: replace(r, body=r.body[: int(len(r.body) * keep)])
    )


def wrong_length(delta: int) -> Fault:
    """Declare a Content-Length that is `delta` [byte] off (more or less than is sent)."""
    return Fault(
        "wrong_length", edit=lambda r: replace(r, delivery=replace(r.delivery, length_delta=delta))
    )


def slow_body(pause_s: float, *, chunk: int = 1 << 14) -> Fault:
    """Wait `pause_s` [s] of real time before each `chunk` [byte] of the body."""
    if not pause_s >= 0 or chunk < 1:
        raise ValueError(f"a slow body needs pause_s >= 0 and chunk >= 1, not {pause_s}, {chunk}")
    slow = Delivery(pause_s=pause_s, chunk=chunk)
    return Fault("slow_body", edit=lambda r: replace(r, delivery=slow))


def expired_signature() -> Fault:
    """Let the signed link of this storage request be expired already (403)."""
    return Fault("expired_signature", revoke="before")


def expired_midway(after: int) -> Fault:
    """Cut a storage download after `after` [byte]; its link is expired from then on."""
    return Fault("expired_midway", edit=_cut(after), revoke="after")


def _cut(after: int) -> Callable[[Response], Response]:
    if after < 0:
        raise ValueError(f"a body can be cut after 0 bytes or more, not {after}")
    return lambda r: replace(r, delivery=replace(r.delivery, cut_after=after))


class Rule:
    """A fault that was ordered: which requests it waits for and how often it struck."""

    def __init__(
        self, fault: Fault, *, where: tuple[str, str, str], nth: int, times: int | None
    ) -> None:
        self.fault = fault
        self.where = where
        self.nth = nth
        self.times = times
        self.seen = 0
        self.fired = 0

    @property
    def exhausted(self) -> bool:
        """Whether the fault has struck as often as it was ordered."""
        return self.times is not None and self.fired >= self.times


class Faults:
    """The ordered faults of one emulator.

    Parameters
    ----------
    services : tuple of str
        Names a rule may be about.
    """

    def __init__(self, services: tuple[str, ...]) -> None:
        self._services = services
        self._rules: list[Rule] = []
        self._lock = threading.Lock()

    def add(
        self,
        fault: Fault,
        *,
        service: str = "cupix",
        method: str = "*",
        path: str = "*",
        nth: int = 1,
        times: int | None = 1,
    ) -> Rule:
        """Order a fault.

        Parameters
        ----------
        fault : Fault
            What goes wrong, for example ``faults.server_error(503)``.
        service : str
            ``"cupix"``, … or ``"storage"`` for the second origin.
        method, path : str
            Patterns with ``*``; the path is the one below the service's root, without query:
            ``"/pointclouds/*/download"``. Where one path takes every request, what is asked for
            comes behind it: ``"/graphql/createProject"``.
        nth : int
            The first matching request that is hit, from 1, counted from now.
        times : int or None
            How many matching requests are hit in a row; None for every one from then on.

        Returns
        -------
        Rule
            Its `fired` tells how often the fault struck.
        """
        if service not in self._services:
            raise ValueError(
                f"no emulated service is called {service!r}; there are {', '.join(self._services)}"
            )
        if nth < 1 or (times is not None and times < 1):
            raise ValueError(f"nth and times count from 1, not {nth} and {times}")
        rule = Rule(fault, where=(service, method, path), nth=nth, times=times)
        with self._lock:
            self._rules.append(rule)
        return rule

    def clear(self) -> None:
        """Cancel every order."""
        with self._lock:
            self._rules.clear()

    def take(self, service: str, method: str, path: str) -> Fault | None:
        """Count one request and return the fault it suffers, if any; the oldest order wins."""
        chosen: Rule | None = None
        with self._lock:
            for rule in self._rules:
                if not all(map(fnmatchcase, (service, method, path), rule.where)):
                    continue
                rule.seen += 1
                if chosen is None and rule.seen >= rule.nth and not rule.exhausted:
                    rule.fired += 1
                    chosen = rule
        return chosen.fault if chosen else None
