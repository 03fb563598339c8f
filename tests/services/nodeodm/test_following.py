import pytest

import cupixgeo as cx
from cupixgeo import errors
from cupixgeo.emulator import faults
from cupixgeo.services.ledger import Ledger, Phase
from cupixgeo.services.nodeodm.failures import explained

ENOUGH_S = 60.0


@pytest.fixture
def launch(account, photos):
    opened = []

    def launch(**options):
        opened.append(account.plan(photos, name="Pier 4", **options).launch(workers=2))
        return opened[-1]

    yield launch
    for job in opened:
        job.close()


def test_what_the_engine_prints_is_kept_once_and_in_order(node, launch, account):
    job = launch()
    assert job.wait(ENOUGH_S).state == "done"
    (task,) = node.tasks
    kept = list(job.history().query("kind == 'log'")["text"])
    assert kept == account.output(task.uuid)


def test_lines_are_not_kept_twice_after_a_resume(node, launch, account):
    job = launch()
    with Ledger() as ledger:
        while ledger.row(job.id).phase < Phase.STARTED and job.is_active:
            pass
    job.stop()
    assert cx.resume(job.id, account=account).wait(ENOUGH_S).state == "done"
    kept = list(job.history().query("kind == 'log'")["text"])
    assert kept == account.output(node.tasks[0].uuid)


def test_states_go_from_running_over_finishing_to_done(launch):
    seen = []
    job = launch()
    job.wait(ENOUGH_S, watch=seen.append)
    assert job.progress().service_state == "completed"
    kinds = list(job.history().query("kind == 'state'")["text"])
    order = ["running", "finishing", "done"]
    places = [order.index(text.split()[0]) for text in kinds if text.split()[0] in order]
    assert places == sorted(places)


def test_a_failure_says_what_the_engine_said_and_what_to_do(node, launch):
    node.settings.outcome = "Not enough memory"
    job = launch()
    with pytest.raises(errors.JobFailedError, match=r"\(code 30\): Not enough memory.*pc_quality"):
        job.wait(ENOUGH_S)


def test_too_many_files_found_out_late_say_so(node, launch, emu):
    job_plan_limit = faults.json_reply({"version": "2.2.4", "maxImages": None})
    emu.faults.add(job_plan_limit, service="nodeodm", path="/info")
    node.settings.max_images = 3
    job = launch()
    with pytest.raises(errors.JobFailedError, match=r"can only process up to 3.*max_images"):
        job.wait(ENOUGH_S)


def test_a_task_somebody_removed_is_said_to_be_gone(node, launch, account):
    node.settings.run_s = 1e9
    job = launch()
    with Ledger() as ledger:
        while ledger.row(job.id).phase < Phase.STARTED and job.is_active:
            pass
    job.stop()
    account.remove(node.tasks[0].uuid)
    with pytest.raises(errors.NotFoundError, match="two days"):
        cx.resume(job.id, account=account).wait(ENOUGH_S)
    assert not job.state.is_final
    assert job.cancel(ENOUGH_S).state == "cancelled"


def test_results_that_were_cleaned_up_are_said_to_be_gone(emu, launch, tmp_path):
    job = launch()
    job.wait(ENOUGH_S)
    emu.clock.advance(3 * 86400)
    with pytest.raises(errors.NotFoundError, match="two days"):
        job.results(tmp_path / "out")


def test_a_task_restarted_by_somebody_has_no_results_now(node, launch, account, tmp_path):
    job = launch()
    job.wait(ENOUGH_S)
    account.restart(node.tasks[0].uuid)
    with pytest.raises(errors.NotReadyError, match="is running"):
        job.inventory()


def test_the_inventory_tells_the_size_where_the_node_does(emu, launch):
    job = launch()
    job.wait(ENOUGH_S)
    (row,) = job.inventory().to_dict("records")
    assert (row["name"], row["kind"]) == ("all.zip", "archive")
    assert row["bytes"] > 1_000_000
    emu.faults.add(faults.server_error(501), service="nodeodm", method="HEAD")
    assert job.inventory()["bytes"].isna().all()


@pytest.mark.parametrize(
    ("error", "lines", "said"),
    [
        ("Not enough memory", (), "Not enough memory. Lower pc_quality"),
        ("", (), "the node gives no reason"),
        ("Processing failed (7)", (), "Processing failed (7)"),
        ("", ("[INFO] x", "[ERROR]   no overlap"), "the engine says 'no overlap'"),
        ("Cannot process dataset.", (), "Cannot process dataset. The photos may"),
    ],
)
def test_failures_are_explained(error, lines, said):
    assert said in explained(error, lines)
