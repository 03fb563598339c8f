"""The emulated Varjo Teleport capture API: token service, captures, uploads, metadata, models.

Source of every wire fact: the public Teleport API specification and documentation, and public
clients, as summarised in the project's Teleport notes; where those are silent, the decision is a
field of `TeleportSettings` or stated beside the code.
"""

from __future__ import annotations

from cupixgeo.emulator.stage import Stage
from cupixgeo.emulator.teleport.service import TeleportService
from cupixgeo.emulator.teleport.settings import TeleportSettings


def create(stage: Stage) -> TeleportService:
    """Make the service; its models are made when the first one is asked for."""
    return TeleportService(stage)


__all__ = ["TeleportService", "TeleportSettings", "create"]
