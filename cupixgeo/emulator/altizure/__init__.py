"""The emulated Altizure GraphQL API: photogrammetry from photos that go straight to a bucket.

Sources of the wire facts: the developer documentation at altizure/dev-docs with its changelog, the
public clients altizure/alti-cli and altizure/s3-upload-minimal-example, all as summarised in the
project's Altizure notes. Where they are silent, the decision is marked [inferred] in
``schema.graphql`` and `Rules`.
"""

from __future__ import annotations

from cupixgeo.emulator.altizure.rules import Rules
from cupixgeo.emulator.altizure.service import AltizureService
from cupixgeo.emulator.stage import Stage


def create(stage: Stage) -> AltizureService:
    """Make the service; ImportError names the install line when graphql-core is missing."""
    return AltizureService(stage)


__all__ = ["AltizureService", "Rules", "create"]
