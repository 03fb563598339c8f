import json

import pytest

from tests.emulator.nodeodm.conftest import PHOTOS


def test_a_task_runs_on_the_clock_and_completes(emu, node):
    uuid = node.task()
    trail = []
    for _ in range(5):
        info = node.info(uuid)
        trail.append((info["status"]["code"], round(info["progress"]), info["processingTime"]))
        emu.clock.advance(225)
    assert trail == [
        (20, 0, 0),
        (20, 24, 225_000),
        (20, 47, 450_000),
        (20, 71, 675_000),
        (40, 100, 900_000),
    ]


def test_progress_never_goes_back_and_packing_is_above_90(emu, node):
    uuid = node.task()
    seen = []
    for _ in range(91):
        seen.append(node.info(uuid)["progress"])
        emu.clock.advance(10)
    assert seen == sorted(seen)
    assert {93, 97, 100} <= set(seen)


def test_one_task_runs_and_the_next_one_waits(emu, node):
    first, second = node.task(), node.task()
    assert [node.code(first), node.code(second)] == [20, 10]
    assert node.get("/info")["taskQueueCount"] == 2
    assert node.info(second)["processingTime"] == -1
    emu.clock.advance(1000)
    assert [node.code(first), node.code(second)] == [40, 20]
    assert node.info(second)["progress"] == pytest.approx(100 / 900 / 0.95 * 90, abs=0.01)
    emu.clock.advance(800)
    assert node.code(second) == 40
    node.at.settings.max_parallel_tasks = 2
    assert [node.code(node.task()) for _ in range(3)] == [20, 20, 10]


def test_a_task_is_running_while_it_is_set_up_then_queued(emu, node):
    node.at.settings.init_s = 30.0
    first, second = node.task(), node.task()
    assert [node.code(first), node.code(second)] == [20, 20]
    assert node.info(first)["progress"] == 0
    emu.clock.advance(40)
    assert [node.code(first), node.code(second)] == [20, 10]
    assert node.info(first)["progress"] > 0


def test_a_clock_that_jumps_gives_the_same_as_one_that_walks(emu, node):
    jumped = [node.task(), node.task(), node.task()]
    emu.clock.advance(900 * 2 + 450)
    assert [node.code(uuid) for uuid in jumped] == [40, 40, 20]
    assert node.info(jumped[1])["processingTime"] == 1_800_000


def test_a_task_fails_as_it_was_told_to_and_says_why(emu, node):
    node.at.settings.outcome = "Not enough memory"
    uuid = node.task()
    node.at.settings.outcome = ""
    emu.clock.advance(900)
    info = node.info(uuid)
    assert info["status"] == {"code": 30, "errorMessage": "Not enough memory"}
    assert info["progress"] == 100
    assert node.get(f"/task/{uuid}/output")[-1] == "[ERROR]   Not enough memory"
    assert node.get(f"/task/{uuid}/download/all.zip") == {"error": "Asset not ready"}


def test_what_is_no_image_cannot_be_processed(emu, node):
    uuid = node.init()["uuid"]
    node.upload(uuid, PHOTOS[0])
    files = [("images", ("b.jpg", b"no picture", "image/jpeg"))]
    node.post(f"/task/new/upload/{uuid}", files=files)
    node.commit(uuid)
    emu.clock.advance(900)
    assert node.info(uuid)["imagesCount"] == 2
    assert node.info(uuid)["status"]["errorMessage"] == "Cannot process dataset"


def test_cancelling_keeps_the_progress_and_makes_room(emu, node):
    first, second = node.task(), node.task()
    emu.clock.advance(450)
    before = node.info(first)["progress"]
    assert node.command("cancel", first) == {"success": True}
    assert node.info(first)["status"] == {"code": 50}
    assert (node.info(first)["progress"], node.info(first)["processingTime"]) == (before, -1)
    assert node.code(second) == 20
    emu.clock.advance(5000)
    assert node.code(first) == 50
    assert node.command("cancel", first) == {"success": True}


def test_cancelling_a_completed_task_makes_it_canceled_and_keeps_its_results(emu, node):
    uuid = node.task()
    emu.clock.advance(900)
    node.command("cancel", uuid)
    assert node.code(uuid) == 50
    assert node.http.get(f"/task/{uuid}/download/all.zip").content.startswith(b"PK")


def test_a_task_cancelled_during_its_setup_stays_cancelled(emu, node):
    node.at.settings.init_s = 30.0
    uuid = node.task()
    node.command("cancel", uuid)
    emu.clock.advance(2000)
    assert node.code(uuid) == 50


def test_a_restart_begins_anew_with_other_options(emu, node):
    uuid = node.task(options=[{"name": "dsm", "value": True}])
    assert node.command("restart", uuid) == {
        "success": False,
        "error": "Task cannot be restarted",
    }
    emu.clock.advance(900)
    created = node.info(uuid)["dateCreated"]
    wanted = json.dumps([{"name": "rerun-from", "value": "odm_meshing"}])
    assert node.command("restart", uuid, options=wanted) == {"success": True}
    info = node.info(uuid)
    assert (info["status"]["code"], info["progress"]) == (20, 0)
    assert info["dateCreated"] == created + 900_000
    assert [o["name"] for o in info["options"]] == ["rerun-from", "pc-ept", "cog"]
    emu.clock.advance(900)
    assert node.code(uuid) == 40


def test_a_restart_without_options_keeps_them_and_bad_ones_are_refused(emu, node):
    uuid = node.task(options=[{"name": "dsm", "value": True}])
    emu.clock.advance(900)
    bad = json.dumps([{"name": "crop", "value": -1}])
    assert json.loads(node.command("restart", uuid, options=bad)["error"])[0]["name"] == "crop"
    assert node.code(uuid) == 40
    node.command("restart", uuid)
    assert node.info(uuid)["options"][0] == {"name": "dsm", "value": True}


def test_a_removed_task_is_gone(emu, node):
    uuid = node.task()
    assert node.command("remove", uuid) == {"success": True}
    assert node.info(uuid) == {"error": f"{uuid} not found"}
    assert node.get("/task/list") == []


@pytest.mark.parametrize("verb", ["cancel", "remove", "restart"])
def test_commands_need_a_task(node, verb):
    assert node.post(f"/task/{verb}") == {"error": "uuid param missing."}
    assert node.command(verb, "nobody") == {"success": False, "error": "nobody not found"}
    assert node.post(f"/task/{verb}", json={"uuid": "nobody"})["error"] == "nobody not found"


def test_tasks_that_ended_are_deleted_after_two_days(emu, node):
    ended, running = node.task(), node.task()
    emu.clock.advance(900)
    node.at.settings.run_s = 1e9
    emu.clock.advance(2 * 86400 - 10)
    assert node.code(ended) == 40
    emu.clock.advance(20)
    assert node.info(ended) == {"error": f"{ended} not found"}
    assert "uuid" in node.info(running)


def test_the_console_grows_and_can_be_read_from_a_line(emu, node):
    uuid = node.task()
    before = node.get(f"/task/{uuid}/output")
    assert before[0] == "[INFO]    Initializing ODM 3.5.6"
    assert "Emulated" in before[1]
    emu.clock.advance(600)
    lines = node.get(f"/task/{uuid}/output")
    assert lines[: len(before)] == before
    assert len(lines) > len(before)
    assert node.get(f"/task/{uuid}/output", line=len(before)) == lines[len(before) :]
    assert node.get(f"/task/{uuid}/output", line=-2) == lines[-2:]
    assert node.info(uuid, with_output=-1)["output"] == lines[-1:]
    assert "output" not in node.info(uuid)


def test_names_are_kept_made_up_or_left_out(node):
    assert node.info(node.task(name="Pier 4"))["name"] == "Pier 4"
    assert node.info(node.task(name=""))["name"] == "Task of 2024-05-13T08:00:00.000Z"
    assert "name" not in node.info(node.task(options=[]))


def test_the_date_may_be_given_and_postprocessing_skipped(node):
    info = node.info(node.task(dateCreated="1000", skipPostProcessing="true"))
    assert info["dateCreated"] == 1000
    assert info["options"] == []
