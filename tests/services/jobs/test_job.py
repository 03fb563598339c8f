"""A job in somebody's hands: what it shows, how it is left, and what other processes are told."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

import cupixgeo as cx
from cupixgeo import errors
from cupixgeo.services.job_state import FINAL_STATES, JobState
from cupixgeo.services.jobs import find_job
from cupixgeo.services.ledger import Ledger
from tests.services.fakes.service import TOKEN


@pytest.fixture
def held(launch, service):
    """A job the service is working on, for as long as a test likes."""
    service.is_held = True
    job = launch()
    while job.state != "finishing":
        time.sleep(0.005)
    return job


@pytest.fixture
def child(service):
    connect = {"base_url": service.api, "storage": service.storage}
    return {"connect": connect, "environment": {"FAKE_TOKEN": TOKEN}, "service": "fake"}


def until(condition, seconds=20.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_states_are_text_and_three_are_final():
    assert JobState.DONE == "done"
    assert {state for state in JobState if state.is_final} == FINAL_STATES
    assert len(JobState) == 9


def test_what_is_shown_says_how_it_is(held):
    assert repr(held) == f"<Job {held.id} 'Pier 4' at fake: finishing, 90%>"
    assert "packing" in held._repr_html_()
    assert (held.name, held.service, held.is_active) == ("Pier 4", "fake", True)
    with pytest.raises(TypeError, match=r"cx\.resume"):
        pickle.dumps(held)


def test_waiting_ends_when_the_time_is_up_and_the_job_goes_on(held):
    start = time.monotonic()
    assert held.wait(0.2).state == "finishing"
    assert time.monotonic() - start < 5
    assert held.is_active
    held.stop()
    with pytest.raises(errors.CancelledError):
        held.wait()


def test_resuming_a_job_this_process_works_on_gives_the_same_work(held, account, service):
    again = cx.resume(held.id, account=account)
    assert again.is_active
    service.is_held = False
    assert again.wait(30).state == held.wait(30).state == "done"
    assert service.starts == 1


def test_a_job_nobody_works_on_says_how_to_go_on(held, account):
    held.stop()
    with pytest.raises(errors.JobError, match="not working on job"):
        find_job(held.id, account=account).wait()


def test_a_failed_job_says_why_also_later(launch, account, service):
    service.states = [("failed", 0.0)]
    job = launch()
    for one in (job, job, cx.resume(job.id, account=account)):
        with pytest.raises(errors.JobFailedError, match="could not make"):
            one.wait(30)


def test_an_account_of_another_service_is_refused(held, account, monkeypatch):
    monkeypatch.setattr(type(account), "service", "other")
    with pytest.raises(errors.ArgumentError, match="account of fake"):
        find_job(held.id, account=account)
    with pytest.raises(errors.ArgumentError, match="both say how"):
        find_job(held.id, account=account, token="x")


def test_jobs_say_who_works_on_them(held):
    assert f"process {os.getpid()} on " in cx.jobs()["worked_on_by"][0]
    held.stop()
    assert cx.jobs()["worked_on_by"].isna().all()
    assert cx.jobs()["fraction"].tolist() == [0.9]


def test_the_newest_job_comes_first_and_the_start_of_an_id_is_enough(launch, account):
    for name in ("first", "second"):
        launch(name=name).wait(30)
    table = cx.jobs()
    assert table["name"].tolist() == ["second", "first"]
    assert isinstance(table["created"].dtype, pd.DatetimeTZDtype)
    assert find_job(table["job_id"][1][:8], account=account).name == "first"
    assert find_job("cx-" + table["job_id"][1], account=account).name == "first"
    with pytest.raises(errors.ArgumentError, match=r"no job ''"):
        find_job("", account=account)


def test_an_ambiguous_start_of_an_id_names_the_candidates(launch, account):
    for name in ("first", "second"):
        launch(name=name).wait(30)
    with Ledger() as ledger, ledger.database.writing() as connection:
        connection.execute("UPDATE jobs SET id = 'abc' || rowid")
    with pytest.raises(errors.ArgumentError, match="2 jobs begin with 'ab': abc2, abc1"):
        find_job("ab", account=account)


# -- several processes ---------------------------------------------------------------------------


def test_another_process_is_told_who_works_on_the_job(held, children, child):
    told = children.start(**child, job=held.id).wait()
    assert told["error"] == "JobBusyError"
    assert f"process {os.getpid()} on " in told["message"]


def test_a_killed_process_is_followed_at_once(children, child, service, photos, account):
    service.is_held = True
    order = {"photos": str(photos), "options": {"part_bytes": 2000}}
    running = children.start(**child, **order)
    until(lambda: service.starts)
    job_id = cx.jobs()["job_id"][0]
    with pytest.raises(errors.JobBusyError, match=f"process {running.pid} on "):
        cx.resume(job_id, account=account)
    running.kill()
    service.is_held = False
    start = time.monotonic()
    assert cx.resume(job_id, account=account).wait(30).state == "done"
    assert time.monotonic() - start < 10
    assert service.starts == 1


def test_a_job_of_another_process_is_cancelled_by_that_process(
    children, child, service, photos, account, monkeypatch
):
    service.is_held = True
    running = children.start(**child, photos=str(photos), options={})
    until(lambda: service.starts)
    job = find_job(cx.jobs()["job_id"][0], account=account)
    assert job.cancel(30).state == "cancelled"
    assert running.wait()["state"] == "cancelled"
    assert sum(project.stops for project in service.projects.values()) == 1


def test_a_process_that_ends_lets_go_of_its_jobs(service, photos, account):
    code = f"""
import cupixgeo as cx
from cupixgeo.services import registry
registry.SERVICES["fake"] = "tests.services.fakes.driver:FakeAccount"
account = cx.connect("fake", base_url={service.api!r}, storage={service.storage!r})
job = account.plan({str(photos)!r}, name="left").launch()
while job.state != "finishing":
    pass
"""
    service.is_held = True
    root = Path(__file__).parents[3]
    environment = {**os.environ, "FAKE_TOKEN": TOKEN, "PYTHONPATH": str(root)}
    ended = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=root, env=environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (ended.returncode, ended.stderr) == (0, "")
    assert cx.jobs()["worked_on_by"].isna().all()
    service.is_held = False
    assert cx.resume(cx.jobs()["job_id"][0], account=account).wait(30).state == "done"


# -- cancelling ----------------------------------------------------------------------------------


def test_a_cancel_that_is_not_confirmed_is_said(held, service):
    service.stop_takes = 10_000
    with pytest.raises(errors.JobError, match="has not confirmed it in 0 s"):
        held.cancel(0.3)
    assert not held.state.is_final
    service.projects["p1"].states = [("stopped", 0.0)]
    assert held.cancel(30).state == "cancelled"


def test_cancelling_during_the_upload_throws_away_what_was_sent(launch, service):
    service.answer("PUT", ".2", 503, times=1000)
    job = launch()
    until(lambda: service.projects)
    assert job.cancel(30).state == "cancelled"
    assert (service.projects, service.starts) == ({}, 0)
    assert job.progress().message == "cancelled before it was started"


def test_cancelling_after_a_lost_start_finds_the_start_and_stops_it(launch, account, service):
    service.lose_reply("POST", "/start", times=1)
    service.answer("GET", "/p1", 503, times=1000)
    service.is_held = True
    job = launch()
    with pytest.raises(errors.ServerError):
        job.wait(30)
    service.before.clear()
    assert find_job(job.id, account=account).cancel(30).state == "cancelled"
    assert (service.starts, service.projects["p1"].stops) == (1, 1)


def test_a_job_that_ends_before_the_cancel_arrives_is_done(held, service):
    service.is_held = False
    service.states = []
    service.projects["p1"].states = [("done", 1.0)]
    assert held.cancel(30).state == "done"
    assert service.projects["p1"].stops == 0


# -- plans ---------------------------------------------------------------------------------------


def test_a_plan_says_what_stands_in_the_way(plan):
    made = plan(most=4)
    assert made.problems == ["photos: 5 photo, allowed is at least 2 and at most 4"]
    assert "allowed is" in repr(made)
    assert "<table" in made._repr_html_()
    with pytest.raises(errors.LimitError, match="photos: 5 photo"):
        made.launch()


def test_a_plan_that_costs_more_than_there_is_stands_in_its_own_way(plan, monkeypatch):
    from cupixgeo.services.job_values import Cost
    from tests.services.fakes.driver import FakeDriver

    monkeypatch.setattr(FakeDriver, "cost", lambda self, intent: Cost(1.25, "coin", 0.5))
    assert plan().problems == ["it costs 1.25 coin, and the account has 0.5"]


def test_photos_keep_their_size_in_pixels_and_photos_nobody_can_use_are_left_out(plan, photos):
    (photos / "P_3.jpg").write_bytes(b"\xff\xd8 not a photo")
    files = plan().intent.files
    assert [file.name for file in files] == ["P_1.jpg", "P_2.jpg", "P_4.jpg", "P_5.jpg"]
    assert {(file.width, file.height) for file in files} == {(64, 48)}


def test_photos_of_which_none_can_be_used_are_refused_with_reasons(plan, photos):
    for path in photos.iterdir():
        path.write_bytes(b"\xff\xd8 not a photo")
    with pytest.raises(errors.ArgumentError, match=r"none of the 5 photos .*5 unreadable"):
        plan()


def test_a_preflight_made_before_is_taken_as_it_is(account, photos):
    from cupixgeo.photos.preflight import preflight

    found = preflight(photos)
    made = account.plan(found, name="Pier 4")
    assert made.preflight is found
    assert [file.path for file in made.intent.files] == found.paths


def test_a_film_is_sent_without_preflight(account, tmp_path, service):
    film = tmp_path / "scan.bin"
    film.write_bytes(os.urandom(5000))
    made = account.plan(film, name="film", most=1000, part_bytes=2000)
    assert made.preflight is None
    assert [file.size for file in made.intent.files] == [5000]


@pytest.mark.parametrize("name", ["", "  "])
def test_a_job_has_a_name(account, photos, name):
    with pytest.raises(errors.ArgumentError, match="name="):
        account.plan(photos, name=name)


def test_the_crs_is_kept_as_wkt(plan):
    assert 'ID["EPSG",32650]' in plan(crs=32650).intent.crs_wkt
    with pytest.raises(errors.CrsError):
        plan(crs="no such crs")


def test_workers_have_a_range(plan):
    for workers in (0, 33):
        with pytest.raises(errors.ArgumentError, match="workers="):
            plan().launch(workers=workers)


def test_an_account_without_a_driver_has_no_plan():
    from cupixgeo.services.cupix.account import CupixAccount

    assert not hasattr(CupixAccount, "plan")
