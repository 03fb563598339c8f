"""What the emulated service and the ledger saw of a job."""

from __future__ import annotations

from cupixgeo.services.ledger import Ledger


def calls(emu, path, method="POST"):
    return emu.journal.where(service="flighthub", method=method, path=f"*{path}")


def remote_of(job):
    with Ledger() as ledger:
        return ledger.row(job.id).remote
