"""Whatever happens on the way, the node ends with exactly the photos of the job."""

import httpx
import pytest

import cupixgeo as cx
from cupixgeo import errors
from cupixgeo.emulator import faults
from cupixgeo.services.ledger import Ledger, Phase

ENOUGH_S = 60.0


@pytest.fixture
def run(account, photos):
    """Launch the photos; the job may be closed by the test."""
    opened = []

    def run(*, workers=2, **options):
        plan = account.plan(photos, name="Pier 4", **options)
        opened.append(plan.launch(workers=workers))
        return opened[-1]

    yield run
    for job in opened:
        job.close()


def assert_exact(node, photos):
    """The node has one task, with exactly these photos, byte by byte."""
    (task,) = node.tasks
    names = sorted(path.name for path in photos.iterdir())
    assert task.images == names
    assert task.count == len(names)
    for path in photos.iterdir():
        assert node.image(task.uuid, path.name) == path.read_bytes()


def test_without_trouble_every_photo_is_sent_once(emu, node, run, photos):
    assert run().wait(ENOUGH_S).state == "done"
    assert_exact(node, photos)
    assert len(emu.journal.where(path="*/upload/*")) == 5


@pytest.mark.parametrize("number", [1, 5])
@pytest.mark.parametrize(
    "fault", [faults.lost_reply(), faults.no_answer(), faults.server_error(500), faults.html_page()]
)
def test_a_photo_whose_reply_is_lost_is_there_once(emu, node, run, photos, fault, number):
    emu.faults.add(fault, service="nodeodm", path="*/upload/*", times=number)
    job = run()
    assert job.wait(ENOUGH_S).state == "done"
    assert_exact(node, photos)
    notes = job.history().query("kind == 'note'")["text"]
    assert notes.str.contains("sent again in seed.zip").any()


def test_a_photo_the_node_was_too_busy_for_is_simply_sent_again(emu, node, run, photos):
    emu.faults.add(faults.rate_limited(2), service="nodeodm", path="*/upload/*", times=2)
    job = run()
    assert job.wait(ENOUGH_S).state == "done"
    assert_exact(node, photos)
    assert len(emu.journal.where(path="*/upload/*")) == 7
    assert not job.history()["text"].str.contains("seed").any()


def test_a_photo_of_which_nothing_was_sent_is_simply_sent_again(emu, node, run, photos, account):
    job = leave_at(run(), Phase.CREATED)
    port = int(emu.url.rpartition(":")[2])
    emu.stop()
    with pytest.raises(errors.ConnectionFailedError):
        cx.resume(job.id, account=account).wait(ENOUGH_S)
    emu._port = port
    emu.start()
    again = cx.resume(job.id, account=account)
    assert again.wait(ENOUGH_S).state == "done"
    assert_exact(node, photos)


def test_a_seed_whose_reply_is_lost_is_not_sent_twice_under_one_id(emu, node, run, photos):
    emu.faults.add(faults.lost_reply(), service="nodeodm", path="*/upload/*")
    emu.faults.add(faults.lost_reply(), service="nodeodm", path="*/upload/*", nth=6)
    job = run(workers=1)
    assert job.wait(ENOUGH_S).state == "done"
    assert_exact(node, photos)
    assert "start over" in set(job.history()["kind"])
    assert len(emu.journal.where(path="*/task/new/init")) == 2
    assert len({entry.path for entry in emu.journal.where(path="*/upload/*")}) == 2


def test_what_a_broken_connection_left_at_the_node_is_replaced(emu, node, run, photos, account):
    """A node keeps what came of a file before the connection broke."""
    emu.faults.add(faults.no_answer(), service="nodeodm", path="*/upload/*")
    emu.faults.add(faults.json_reply({"error": "refused"}), service="nodeodm", path="*/commit/*")
    job = run(workers=1)
    with pytest.raises(errors.BadRequestError, match="refused"):
        job.wait(ENOUGH_S)
    ((uuid, names),) = node.pending.items()
    assert names == ["P_2.jpg", "P_3.jpg", "P_4.jpg", "P_5.jpg", "seed.zip"]
    base_url, token = emu.endpoint("nodeodm")
    cut = (photos / "P_1.jpg").read_bytes()[:1000]
    left = httpx.post(
        f"{base_url}/task/new/upload/{uuid}",
        params={"token": token},
        files={"images": ("P_1.jpg", cut)},
    )
    assert left.json() == {"success": True}
    assert cx.resume(job.id, account=account).wait(ENOUGH_S).state == "done"
    assert_exact(node, photos)


def test_an_upload_the_node_has_thrown_away_is_sent_anew(emu, node, run, photos, account):
    emu.faults.add(faults.json_reply({"error": "refused"}), service="nodeodm", path="*/commit/*")
    job = run()
    with pytest.raises(errors.BadRequestError, match="refused"):
        job.wait(ENOUGH_S)
    emu.clock.advance(3 * 86400)
    assert node.pending == {}
    assert cx.resume(job.id, account=account).wait(ENOUGH_S).state == "done"
    assert_exact(node, photos)
    assert "start over" in set(job.history()["kind"])


def test_an_upload_thrown_away_half_way_is_sent_anew(emu, node, run, photos, account):
    emu.faults.add(
        faults.json_reply({"error": "refused"}), service="nodeodm", path="*/upload/*", nth=3
    )
    job = run(workers=1)
    with pytest.raises(errors.BadRequestError, match="refused"):
        job.wait(ENOUGH_S)
    emu.clock.advance(3 * 86400)
    assert cx.resume(job.id, account=account).wait(ENOUGH_S).state == "done"
    assert_exact(node, photos)


def test_the_id_is_the_same_in_every_process_and_another_in_every_round(emu, node, run, account):
    job = leave_at(run(), Phase.CREATED)
    with Ledger() as ledger:
        first = ledger.row(job.id).remote["uuid"]
    cx.resume(job.id, account=account).wait(ENOUGH_S)
    assert [task.uuid for task in node.tasks] == [first]
    sent = {entry.path.rpartition("/")[2] for entry in emu.journal.where(path="*/upload/*")}
    assert sent == {first}


def test_ground_control_points_go_along_and_are_no_images(node, run, photos, tmp_path):
    control = tmp_path / "control.csv"
    control.write_text("EPSG:32615\n1 2 3 4 5 P_1.jpg\n")
    job = run(gcp=control, dsm=True)
    assert job.wait(ENOUGH_S).state == "done"
    assert_exact(node, photos)
    (task,) = node.tasks
    assert node.ground_files(task.uuid) == ["gcp_list.txt"]
    assert {"name": "dsm", "value": True} in task.options


def test_a_node_that_counts_other_images_is_noted(emu, node, run, photos):
    emu.faults.add(
        faults.json_reply(
            {"uuid": "a", "status": {"code": 20}, "processingTime": 5, "imagesCount": 6}
        ),
        service="nodeodm",
        path="/task/*/info",
    )
    job = run()
    assert job.wait(ENOUGH_S).state == "done"
    assert job.history()["text"].str.contains("counts 6 images, and 5 were sent").sum() == 1


def test_a_node_too_old_for_uploads_in_pieces_is_refused_before_anything_is_sent(
    emu, node, account, photos
):
    node.settings.version = "1.3.1"
    with pytest.raises(errors.LimitError, match=r"NodeODM 1\.3\.1.*Update it"):
        account.plan(photos, name="Pier 4")
    assert not emu.journal.where(method="POST")


def test_more_files_than_the_node_takes_are_refused_in_the_plan(node, account, photos):
    node.settings.max_images = 3
    plan = account.plan(photos, name="Pier 4")
    assert plan.problems == ["files: 5 file, allowed is at most 3"]
    limits = plan.limits().set_index("what")
    assert limits.loc["files", "source"] == "asked the node (maxImages)"


def leave_at(job, phase):
    """Let this process leave a job as soon as it has come so far."""
    with Ledger() as ledger:
        while ledger.row(job.id).phase < phase and job.is_active:
            pass
    job.stop()
    return job
