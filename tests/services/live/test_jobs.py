"""The laws of `tests.services.contract` that can be tried on a real service.

Run it with ``python -m pytest tests/services --live nodeodm``. It starts two reconstructions, which
may cost money: one is cancelled, one is waited for. Credentials are found as always;
``CUPIXGEO_LIVE_CONNECT`` and ``CUPIXGEO_LIVE_PLAN`` hold further arguments of ``cx.connect`` and
``account.plan`` as JSON.
"""

from __future__ import annotations

import cupixgeo as cx
from cupixgeo.services.ledger import Ledger, Phase
from cupixgeo.services.products import KINDS
from tests.services.contract import JobContract

HOURS_S = 6 * 3600.0


def test_a_plan_keeps_to_the_limits_and_sends_nothing(plan):
    assert plan.problems == []
    assert len(plan.requests())
    assert cx.jobs().empty


def test_a_cancelled_job_is_confirmed_by_the_service(plan, account):
    with plan.launch() as job:
        JobContract.leave_at(job, Phase.STARTED)
        again = cx.resume(job.id, account=account)
        assert again.cancel(600.0).state in ("cancelled", "done")


def test_a_job_that_was_left_amid_its_upload_ends_done_and_its_results_open(
    plan, account, tmp_path
):
    with plan.launch() as job:
        JobContract.leave_at(job, Phase.LISTED)
    again = cx.resume(job.id, account=account)
    assert again.wait(HOURS_S).state == "done"
    with Ledger() as ledger:
        assert ledger.row(job.id).round == 0
    assert set(again.inventory()["kind"]) <= set(KINDS)
    results = again.results(tmp_path / "out")
    assert all(file.path.stat().st_size == file.bytes for file in results.files)
    if results.of("pointcloud"):
        assert results.open_pointcloud().sizes["point"] > 0
