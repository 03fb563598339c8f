"""The emulated OpenScanCloud: projects, one-time upload links, and a textured mesh as result.

Source of every wire fact: the public README of the service and its fork, a community guide, and
public clients, as summarised in the project's OpenScanCloud notes; where those are silent or
disagree, the decision is a field of `OpenScanSettings` or stated beside the code.
"""

from __future__ import annotations

from cupixgeo.emulator.openscan.service import OpenScanService
from cupixgeo.emulator.openscan.settings import OpenScanSettings
from cupixgeo.emulator.stage import Stage


def create(stage: Stage) -> OpenScanService:
    """Make the service; its result is made when the first one is asked for."""
    return OpenScanService(stage)


__all__ = ["OpenScanService", "OpenScanSettings", "create"]
