"""The emulated DJI FlightHub 2 OpenAPI: open modeling, and the calls around it.

Source of every wire fact: the reference page "Start reconstruction task" of the FlightHub 2
OpenAPI, and two public clients that agree on every field (the Python distribution flighthub2-cli
0.1.2, and the Go worker of xieyingtech/aerosight for v2.0). What none of them settles is a field
of `Rules`, with the choice made here as its default.
"""

from __future__ import annotations

from cupixgeo.emulator.flighthub.rules import Outcome, Rules
from cupixgeo.emulator.flighthub.service import FlightHubService
from cupixgeo.emulator.stage import Stage


def create(stage: Stage) -> FlightHubService:
    """Make the service, with its bucket on the storage origin."""
    return FlightHubService(stage)


__all__ = ["FlightHubService", "Outcome", "Rules", "create"]
