"""The services this toolkit talks to, emulated on loopback over a real scan.

An island: it imports nothing of the rest of the package, so that client and emulator cannot share
a mistake. It speaks the documented wire facts, runs on its own clock, fails on request and keeps
a journal of what it received.

>>> from cupixgeo.emulator import Emulator, faults
>>> with Emulator(seed=7) as emu:
...     rule = emu.faults.add(faults.rate_limited(), path="/pointclouds")
...     endpoint = emu.endpoint("cupix")
"""

from __future__ import annotations

from cupixgeo.emulator import faults
from cupixgeo.emulator.app import Emulator, Endpoint
from cupixgeo.emulator.clock import Clock

__all__ = ["Clock", "Emulator", "Endpoint", "faults"]
