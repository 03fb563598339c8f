"""Captures to look at, put into the emulated service without an upload."""

from __future__ import annotations

from cupixgeo.emulator import Emulator
from cupixgeo.emulator.teleport.captures import Capture, make_ids


def add_capture(
    emu: Emulator, name: str = "pier.zip", *, is_ready: bool = True, outcome: str = "READY"
) -> Capture:
    """Add a capture that has ended, or was only announced."""
    service = emu.service("teleport")
    eid, sid, segment = make_ids(7, len(service.captures) + 100)
    now = emu.clock.now()
    capture = Capture(
        eid=eid, sid=sid, segment=segment, organisation="north", name=name, size=1, chunk_size=1,
        form="bulk-images", created=now, uploaded=now if is_ready else None, outcome=outcome,
    )  # fmt: skip
    service._captures[eid] = capture
    return capture
