"""What is special about jobs at Altizure: checks, starts, reasons, money, meta files."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

import cupixgeo as cx
from cupixgeo import errors
from cupixgeo.emulator import faults
from cupixgeo.emulator.altizure.tasks import START_ERRORS
from cupixgeo.services.altizure.conventions import Conventions
from cupixgeo.services.altizure.states import fraction, job_state
from cupixgeo.services.job_state import JobState
from cupixgeo.services.ledger import Ledger

ENOUGH_S = 60.0


@pytest.fixture
def project(at):
    return lambda: next(p for p in at.store.projects.values() if p.name.startswith("Pier cx-"))


def test_the_projects_name_holds_the_jobs_tag_and_its_kind_is_as_planned(launch, project):
    job = launch(visibility="unlisted")
    job.wait(ENOUGH_S)
    made = project()
    assert (made.type, made.visibility) == ("pro", "unlisted")
    with Ledger() as ledger:
        assert made.name == ledger.row(job.id).intent.tagged_name


def test_the_coins_of_the_plan_are_the_coins_that_are_taken(account, photos, at):
    plan = account.plan(photos, name="Pier")
    before = account.me()["balance"][0]
    with plan.launch() as job:
        job.wait(ENOUGH_S)
    assert before - account.me()["balance"][0] == pytest.approx(plan.cost.amount)


def test_a_coupon_pays_instead(account, launch, at):
    coupon = next(c for c in at.store.accounts[0].coupons if c.value == 1.0)
    launch(coupons=[coupon.id]).wait(ENOUGH_S)
    assert coupon.used
    assert account.me()["balance"][0] == 25.0


def test_a_cancelled_job_is_paid_back(account, launch, at):
    at.rules.queue_s = at.rules.refund_s = 1e9  # it waits until it is cancelled
    job = launch()
    while not any(project.running for project in at.store.projects.values()):
        time.sleep(0.005)
    assert account.me()["balance"][0] < 25.0
    assert job.cancel(ENOUGH_S).state == "cancelled"
    assert account.me()["balance"][0] == 25.0


# -- starting ------------------------------------------------------------------------------------


@pytest.mark.parametrize("spelling", ["number", "name"])
@pytest.mark.parametrize("number", START_ERRORS)
def test_a_refused_start_keeps_code_and_message_whatever_their_type(account, at, number, spelling):
    at.rules.refuse_start, at.rules.start_error_code = number, spelling
    name, message = START_ERRORS[number]
    with pytest.raises(errors.BadRequestError) as caught:
        account.start(account.create_project("x", project_type="pro"))
    assert caught.value.code == (str(number) if spelling == "number" else name)
    assert message.rstrip(".") in str(caught.value)


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        ({"code": None, "message": "no"}, None, "no"),
        ({"code": 0, "message": None}, "0", "no reason is given"),
        ({"code": "E", "message": ""}, "E", "no reason is given"),
    ],
)
def test_half_an_error_is_an_error(account, emu, error, code, text):
    reply = {"data": {"startReconstructionWithError": {"error": error, "task": None}}}
    emu.faults.add(faults.json_reply(reply), service="altizure")
    with pytest.raises(errors.BadRequestError, match=text) as caught:
        account.start("0" * 24)
    assert caught.value.code == code


@pytest.mark.parametrize("result", [None, {}, {"error": None, "task": None}, {"task": {"id": ""}}])
def test_neither_error_nor_task_is_not_taken_for_a_start(account, emu, result):
    reply = {"data": {"startReconstructionWithError": result}}
    emu.faults.add(faults.json_reply(reply), service="altizure")
    with pytest.raises(errors.ResponseError, match="neither a task nor an error"):
        account.start("0" * 24)


def test_the_reason_stands_in_the_list_of_jobs_and_the_job_goes_on_when_it_is_gone(
    launch, account, at
):
    at.rules.refuse_start = 3
    job = launch()
    with pytest.raises(errors.BadRequestError, match="balance does not cover"):
        job.wait(ENOUGH_S)
    assert "code 3" in cx.jobs()["message"][0]
    at.rules.refuse_start = None
    assert cx.resume(job.id, account=account).wait(ENOUGH_S).state == "done"


def test_another_task_type_is_sent_along(launch, project):
    launch(task_type="Dense").wait(ENOUGH_S)
    assert [task.task_type for task in project().tasks] == ["Dense"]


def test_a_prepared_start_needs_no_waiting_and_starts_once(launch, project, emu):
    job = launch(pre_start=True)
    assert job.wait(ENOUGH_S).state == "done"
    assert len(project().tasks) == 1
    assert not emu.journal.where(operation="startReconstructionWithError")
    assert len(emu.journal.where(operation="preStartReconstruction")) == 1


def test_a_prepared_start_that_is_refused_fails_with_the_reason(launch, at):
    at.rules.refuse_start = 3
    with pytest.raises(errors.JobFailedError, match="balance does not cover"):
        launch(pre_start=True).wait(ENOUGH_S)


BROKEN = {
    "a body slower than the timeout": faults.slow_body(1.0),
    "a body that is cut": faults.cut_body(10),
    "half of the JSON": faults.truncated_json(),
}


@pytest.mark.parametrize("operation", ["createProject", "startReconstructionWithError"])
@pytest.mark.parametrize("how", BROKEN)
def test_a_reply_that_breaks_off_costs_no_second_project_and_no_second_start(
    connect, launch, emu, at, project, how, operation
):
    settings = replace(connect().settings, read_timeout_s=0.3)
    before = len(at.store.projects)
    rule = emu.faults.add(BROKEN[how], service="altizure", path=f"/graphql/{operation}")
    assert launch(connect(settings=settings)).wait(ENOUGH_S).state == "done"
    assert rule.fired == 1
    assert len(at.store.projects) == before + 1
    assert len(project().tasks) == 1


# -- images and meta files -----------------------------------------------------------------------


def test_a_rejected_image_is_told_with_its_reasons_and_the_rest_goes_on(
    account, launch, at, project
):
    at.rules.fail_image, at.rules.fail_names = "Resize Error", ("P_2.jpg",)
    job = launch()
    assert job.wait(ENOUGH_S).state == "done"
    (rejected,) = job.history().query("kind == 'rejected'")["text"]
    assert rejected == "P_2.jpg: Resize Error: as the emulator was told"
    table = account.images(project().id).set_index("name")
    assert table.loc["P_2.jpg", "error"] in rejected
    assert table["state"].value_counts().to_dict() == {"Ready": 3, "Invalid": 1}


def test_too_few_usable_images_end_the_job_with_their_reasons(launch, at):
    at.rules.fail_image = "Extract Info Error"
    with pytest.raises(errors.JobFailedError, match=r"can use 0 .* needs 3: .*Extract Info Error"):
        launch().wait(ENOUGH_S)


def test_meta_files_are_sent_and_waited_for(launch, project, tmp_path, photos):
    names = [path.name for path in sorted(photos.iterdir())]
    pose, group = tmp_path / "p.txt", tmp_path / "g.txt"
    pose.write_text("".join(f"{name} 46.8 -92 {n}\n" for n, name in enumerate(names)))
    group.write_text("".join(f"{name} 0\n" for name in names))
    assert launch(pose=pose, group=group).wait(ENOUGH_S).state == "done"
    files = {f.name: f for f in project().meta_files.values()}
    assert {f.state for f in files.values()} == {"Ready"}
    assert files["pose.txt"].path.read_bytes() == pose.read_bytes()


def test_a_meta_file_the_service_refuses_ends_the_job(launch, tmp_path, photos, at, emu):
    pose = tmp_path / "p.txt"
    pose.write_text("a.jpg 1 2 3\n")
    meta = {"id": "1", "state": "Failed", "error": ["pose.txt, line 1: an unknown image"]}
    reply = faults.json_reply({"data": {"project": {"metaFile": meta, "hasMetaFile": None}}})
    emu.faults.add(reply, service="altizure", path="/graphql/project", times=None)
    with pytest.raises(errors.JobFailedError, match=r"refuses pose\.txt.*unknown image"):
        launch(pose=pose).wait(ENOUGH_S)


def test_a_project_that_was_removed_stops_the_job_by_name(launch, at, project):
    at.rules.refuse_start = 3
    job = launch()
    with pytest.raises(errors.BadRequestError):
        job.wait(ENOUGH_S)
    at.store.projects.pop(project().id)
    at.rules.refuse_start = None
    with pytest.raises(errors.CupixGeoError, match="does not exist"):
        cx.resume(job.id, account=job._account).wait(ENOUGH_S)


# -- following and collecting --------------------------------------------------------------------


def test_a_failure_is_explained_in_the_services_words(launch, at):
    at.rules.fail_task = "EmulatedNoPosition"
    with pytest.raises(errors.JobFailedError) as caught:
        launch().wait(ENOUGH_S)
    assert "code EmulatedNoPosition" in str(caught.value)
    assert "No image could be placed. Add poses" in str(caught.value)


def test_progress_shows_the_services_steps(launch, at):
    seen = []
    launch().wait(ENOUGH_S, watch=seen.append)
    words = list(dict.fromkeys(now.service_state for now in seen if now.service_state))
    assert words[-1] == "Done"
    assert set(words) <= {"Pending", *at.rules.steps, "Done"}


def test_a_service_that_does_not_tell_its_tasks_is_followed_all_the_same(connect, launch, emu):
    for options in ({"has_tasks": False}, {}):
        emu.faults.add(
            faults.json_reply({"errors": [{"message": "Cannot query field 'tasks'"}]}, status=400),
            service="altizure",
            path="/graphql/tasks",
        )
        assert launch(connect(conventions=options)).wait(ENOUGH_S).state == "done"


def test_words_decide_and_dates_where_they_do_not():
    conventions = Conventions()
    running = {"startDate": "2024-05-13T08:00:00Z", "endDate": None}
    over = {**running, "endDate": "2024-05-13T09:00:00Z"}
    assert job_state("Done", None, conventions) is JobState.DONE
    assert job_state("Fail", running, conventions) is JobState.FAILED
    assert job_state("Pending", None, conventions) is JobState.QUEUED
    assert job_state("Levitating", running, conventions) is JobState.RUNNING
    assert job_state("Levitating", over, conventions) is JobState.UNKNOWN
    assert job_state("Levitating", None, conventions) is JobState.UNKNOWN
    assert job_state("Fertig", None, Conventions(done=("Fertig",))) is JobState.DONE


def test_the_fraction_is_of_the_steps_that_are_done():
    assert fraction({"step": 1, "totalSteps": 4}) == 0.0
    assert fraction({"step": 4, "totalSteps": 4}) == 0.75
    for unknown in (None, {}, {"step": 1, "totalSteps": 0}, {"step": None, "totalSteps": 4}):
        assert fraction(unknown) is None


def test_a_free_project_ends_without_a_download_and_says_why(launch, tmp_path):
    job = launch(project_type="free")
    assert job.wait(ENOUGH_S).state == "done"
    with pytest.raises(errors.NotReadyError, match=r"pro projects only.*project-model\?pid="):
        job.results(tmp_path / "out")


def test_results_are_tiles_of_a_mesh_with_their_textures(launch, tmp_path):
    job = launch()
    job.wait(ENOUGH_S)
    assert job.inventory()[["name", "kind"]].to_dict("records") == [
        {"name": "model.zip", "kind": "archive"}
    ]
    results = job.results(tmp_path / "out")
    meshes = results.of("mesh")
    assert (tmp_path / "out" / "model" / "tile_0_0_0.obj") in meshes
    assert len(results.of("texture")) == 2 * len(meshes)
    assert (tmp_path / "out" / "model" / "RECORDED.txt").exists()
