"""The emulated NodeODM node: OpenDroneMap behind a small HTTP API, run by whoever needs it.

Sources of the wire facts: NodeODM's API document (docs/index.adoc, API 2.2.1), its MIGRATION.md,
the behaviour of a NodeODM 2.2.4 that was driven through its whole life cycle, and the requests of
pyodm 1.5.13. Where a test-mode server says nothing, the decision is a field of `NodeodmSettings` or
stated beside the code.
"""

from __future__ import annotations

from cupixgeo.emulator.nodeodm.service import NodeodmService
from cupixgeo.emulator.nodeodm.settings import NodeodmSettings
from cupixgeo.emulator.stage import Stage


def create(stage: Stage) -> NodeodmService:
    """Make the service; its results are made when the first one is asked for."""
    return NodeodmService(stage)


__all__ = ["NodeodmService", "NodeodmSettings", "create"]
