"""The emulated CupixWorks v1 REST API.

Source of every wire fact: the public CupixWorks OpenAPI file v1.9.4 and API pages, as summarised
in the project's Cupix notes; where those are silent, the decision is stated beside the code.
"""

from __future__ import annotations

from cupixgeo.emulator.cupix.service import CupixService
from cupixgeo.emulator.stage import Stage


def create(stage: Stage) -> CupixService:
    """Make the service; its catalogue is built when the first request needs it."""
    return CupixService(stage)


__all__ = ["CupixService", "create"]
