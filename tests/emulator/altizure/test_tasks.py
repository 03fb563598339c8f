"""Starting: ten reasons against it, what it costs, how it ends."""

import pytest

from cupixgeo.emulator.altizure.tasks import START_ERRORS
from tests.emulator.altizure.conftest import PHOTOS

PRE = "mutation($id: ID!) { preStartReconstruction(id: $id, options: {taskType: Native}) { id } }"
STOP = "mutation($id: ID!) { stopReconstruction(id: $id) { id taskType state startDate endDate } }"


@pytest.fixture
def pid(alti):
    return alti.create(type="pro")


@pytest.fixture
def ready(alti, pid):
    alti.upload(pid)
    return pid


def test_a_task_waits_runs_through_its_steps_and_is_done(alti, ready, clock):
    code, task = alti.start(ready)
    assert code is None
    assert task == {"id": task["id"], "state": "Pending", "taskType": "Native", "queueing": 1}
    seen = []
    for _ in range(6):
        project = alti.project(ready)
        (task,) = project["tasks"]
        seen.append((project["taskState"], task["step"], bool(task["startDate"])))
        clock.advance(5)
    assert seen == [
        ("Pending", 0, False), ("Structure", 1, True), ("Dense", 2, True), ("Mesh", 3, True),
        ("Texture", 4, True), ("Done", 4, True),
    ]  # fmt: skip
    assert alti.project(ready)["lastDoneGP"] == pytest.approx(3 * 2073600 / 1e9)


def test_a_start_without_success_has_exactly_one_of_error_and_task(alti, pid):
    code, task = alti.start(pid)
    assert (code, task) == (5, None)


def test_every_reason_can_be_met(alti, other, pid, at, clock):
    met = {}
    met[2] = alti.start("0" * 24)[0], other.start(pid)[0]
    met[5] = (alti.start(pid)[0],)
    for photo in PHOTOS[:3]:
        made = alti.register(pid, photo.name)
        alti.mark("startImageUpload", made["image"]["id"])
        alti.put(made["url"], photo.read_bytes())
    met[6] = (alti.start(pid)[0],)
    clock.advance(10)
    at.rules.system_mode = "ReadOnly"
    met[10] = (alti.start(pid)[0],)
    at.rules.system_mode = "Normal"
    met[9] = alti.start(pid, coupons=["x"])[0], alti.start(pid, coupons=[used(at)])[0]
    at.store.accounts[0].balance = 0.0
    met[3] = (alti.start(pid)[0],)
    at.store.accounts[0].balance = 1.0
    assert alti.start(pid)[0] is None
    met[8] = (alti.start(pid)[0],)
    clock.advance(60)
    met[7] = (alti.start(pid)[0],)
    free = other.create()
    other.upload(free)
    met[4] = (other.start(free)[0],)
    met[10] += (alti_dense(other, free),)
    for number, codes in met.items():
        assert set(codes) == {number}, START_ERRORS[number]
    assert {*met, 1} == START_ERRORS.keys()


def used(at):
    return next(coupon.id for coupon in at.store.accounts[0].coupons if coupon.used)


def alti_dense(client, pid):
    return client.start(pid, taskType="Dense")[0]


@pytest.mark.parametrize("number", START_ERRORS)
def test_every_reason_can_be_ordered_as_number_or_name(alti, ready, at, number):
    at.rules.refuse_start = number
    assert alti.start(ready) == (number, None)
    at.rules.start_error_code = "name"
    assert alti.start(ready) == (START_ERRORS[number][0], None)
    assert not at.store.projects[ready].tasks


def test_an_image_that_never_came_does_not_hinder_a_start(alti, ready):
    alti.register(ready, "late.jpg")
    assert alti.start(ready)[0] is None


def test_coins_are_taken_at_the_start_and_coupons_before_them(alti, ready, at):
    size = 3 * 2073600 / 1e9
    small = next(c for c in at.store.accounts[0].coupons if c.value == 0.01)
    small.value = 0.001
    assert alti.start(ready, coupons=[small.id])[0] is None
    assert alti.self()["balance"] == pytest.approx(25.0 - size + 0.001)
    assert small.used


def test_a_coupon_that_covers_all_leaves_the_balance(alti, ready, at):
    coupon = next(c for c in at.store.accounts[0].coupons if c.value == 1.0)
    assert alti.start(ready, coupons=[coupon.id])[0] is None
    assert alti.self()["balance"] == 25.0


def test_a_task_stopped_within_15_minutes_is_paid_back_and_a_later_one_not(alti, ready, at, clock):
    for minutes, back in ((15, True), (16, False)):
        at.rules.step_s = 10_000.0
        before = alti.self()["balance"]
        assert alti.start(ready)[0] is None
        clock.advance(60 * minutes)
        task = alti.data(STOP, id=ready)
        assert task["state"] == "Stopped"
        assert task["endDate"]
        assert (alti.self()["balance"] == before) is back


def test_nothing_to_stop_is_null(alti, other, ready):
    assert alti.data(STOP, id=ready) is None
    alti.start(ready)
    assert other.data(STOP, id=ready) is None
    assert alti.data(STOP, id=ready)["id"]
    assert alti.data(STOP, id=ready) is None


def test_a_failed_task_has_a_code_that_can_be_explained_and_is_paid_back(alti, ready, at, clock):
    at.rules.fail_task = "EmulatedOutOfMemory"
    alti.start(ready)
    clock.advance(60)
    project = alti.project(ready)
    assert project["taskState"] == "Fail"
    assert project["errorCode"] == "EmulatedOutOfMemory"
    assert project["error"]
    assert alti.self()["balance"] == 25.0
    at.rules.fail_task = None
    assert alti.start(ready)[0] is None
    assert alti.project(ready)["errorCode"] is None


def test_a_prepared_start_waits_for_every_image_and_comes_by_itself(alti, pid, clock):
    alti.upload(pid)
    late = alti.register(pid, "late.jpg")["image"]["id"]
    assert alti.data(PRE, id=pid) == {"id": pid}
    clock.advance(60 * 60)
    assert alti.project(pid)["taskState"] is None
    clock.advance(5 * 60)
    assert alti.image(pid, late)["state"] == "Invalid"
    assert alti.project(pid)["taskState"] is not None


def test_a_prepared_start_that_is_refused_is_told_on_the_project(alti, pid):
    alti.data(PRE, id=pid)
    project = alti.project(pid)
    assert project["taskState"] is None
    assert project["error"] == START_ERRORS[5][1]


def test_tasks_of_several_projects_stand_in_a_queue(alti, ready):
    second = alti.create(type="pro")
    alti.upload(second)
    assert alti.start(ready)[1]["queueing"] == 1
    assert alti.start(second)[1]["queueing"] == 2
    alti.data(STOP, id=ready)
    assert alti.project(second)["tasks"][0]["queueing"] == 1
