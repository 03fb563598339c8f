"""Bringing a job to its end: each step once, parts alone, and never a guess."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

import cupixgeo as cx
from cupixgeo import errors
from cupixgeo.services.job_values import Lookup
from cupixgeo.services.ledger import Ledger
from cupixgeo.services.upload_values import UploadCheck
from tests.services.fakes.driver import FakeDriver


def stopped(job, kind=errors.CupixGeoError):
    with pytest.raises(kind) as caught:
        job.wait(30)
    return caught.value


# -- what costs is done once ---------------------------------------------------------------------


@pytest.mark.parametrize(("step", "ending"), [("create", "/projects"), ("start", "/start")])
def test_where_nobody_can_tell_the_job_stops_and_asks(
    launch, account, service, monkeypatch, step, ending
):
    find = "find_created" if step == "create" else "find_started"
    monkeypatch.setattr(FakeDriver, find, lambda self, job: Lookup.UNCLEAR)
    service.lose_reply("POST", ending, done=False)
    job = launch()
    error = stopped(job, errors.UnclearJobError)
    assert f"cx.resume('{job.id}', start_again=True)" in str(error)
    assert job.state == "unknown"
    stopped(cx.resume(job.id, account=account), errors.UnclearJobError)
    assert service.count("POST", ending) == 1
    again = cx.resume(job.id, account=account, start_again=True)
    assert again.wait(30).state == "done"
    assert (service.count("POST", ending), service.starts) == (2, 1)


def test_a_lookup_comes_some_time_after_the_lost_reply(launch, service, monkeypatch):
    monkeypatch.setattr(FakeDriver, "settle_s", 0.3)
    times = []
    service.before.append(lambda call: times.append((time.monotonic(), call.method, call.path)))
    service.lose_reply("POST", "/start")
    assert launch().wait(30).state == "done"
    lost = next(t for t, method, path in times if (method, path[-6:]) == ("POST", "/start"))
    looked = next(t for t, method, path in times if t > lost)
    assert looked - lost >= 0.3
    assert service.starts == 1


def test_a_start_that_never_works_is_given_up_and_can_be_resumed(launch, account, service):
    service.answer("POST", "/start", 500, times=account.settings.attempts)
    job = launch()
    stopped(job, errors.ServerError)
    assert service.count("POST", "/start") == account.settings.attempts
    assert cx.resume(job.id, account=account).wait(30).state == "done"
    assert service.starts == 1


def test_a_wait_beyond_an_hour_is_not_waited(launch, service):
    service.answer("POST", "/start", 429, {"retry_after": 7200}, times=5)
    error = stopped(launch(), errors.RateLimitError)
    assert error.retry_after == 7200
    assert service.count("POST", "/start") == 1


# -- uploads that were in vain -------------------------------------------------------------------


def test_an_upload_that_is_of_no_use_is_thrown_away_and_done_again(launch, service, monkeypatch):
    send, lost = FakeDriver.send, []

    def send_or_lose(self, job, item, part, body):
        if not lost:
            lost.append(item.key)
            raise errors.StartOverError("the link was used before.")
        return send(self, job, item, part, body)

    monkeypatch.setattr(FakeDriver, "send", send_or_lose)
    job = launch()
    assert job.wait(30).state == "done"
    assert service.deleted == ["p1"]
    assert (list(service.projects), service.starts) == (["p2"], 1)
    assert "the link was used before." in set(job.history()["text"])


def test_uploads_that_are_always_in_vain_are_given_up(launch, service, monkeypatch):
    def lose(self, job, item, part, body):
        raise errors.StartOverError("the batch has expired: launch a new job.")

    monkeypatch.setattr(FakeDriver, "send", lose)
    job = launch()
    stopped(job, errors.StartOverError)
    assert len(service.deleted) == 2
    assert service.starts == 0
    assert not job.state.is_final


# -- what the service makes of the files ---------------------------------------------------------


def test_the_start_waits_until_the_files_are_checked_and_rejected_ones_are_told(launch, service):
    service.checks = 2
    service.rejected = [("P_2.jpg", "too dark")]
    job = launch()
    assert job.wait(30).state == "done"
    assert service.count("GET", "/check") == 3
    assert "P_2.jpg: too dark" in set(job.history().query("kind == 'rejected'")["text"])


def test_a_driver_may_call_the_job_failed_before_it_is_started(launch, service, monkeypatch):
    def check(self, job) -> UploadCheck:
        raise errors.JobFailedError("fake can use 1 of 5 photos: take others.")

    monkeypatch.setattr(FakeDriver, "check_uploads", check)
    job = launch()
    stopped(job, errors.JobFailedError)
    assert job.state == "failed"
    assert service.starts == 0
    assert cx.jobs()["message"][0] == "fake can use 1 of 5 photos: take others."


# -- following -----------------------------------------------------------------------------------


def test_the_service_s_log_and_code_are_kept(launch, service):
    service.states = [("queued", 0.0), ("running", 0.3), ("failed", 0.3)]
    job = launch()
    error = stopped(job, errors.JobFailedError)
    assert "(code E7)" in str(error)
    lines = job.history().query("kind == 'log'")["text"].tolist()
    assert lines == ["state is queued", "state is running", "state is failed"]


def test_questions_become_rarer_while_nothing_changes(launch, service, monkeypatch):
    service.is_held = True
    job = launch()
    deadline = time.monotonic() + 10
    while service.count("GET", "/p1") < 12:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    job.stop()
    times = [call for call in service.calls if call.path == "/projects/p1"]
    assert len(times) >= 12
    assert job.state == "finishing"


def test_a_service_that_is_away_too_long_is_left_and_the_job_resumed(launch, account, service):
    service.answer("GET", "/p1", 503, times=1000)
    job = launch()
    stopped(job, errors.ServerError)
    assert not job.state.is_final
    service.before.clear()
    assert cx.resume(job.id, account=account).wait(30).state == "done"
    assert service.starts == 1


def test_a_project_that_somebody_deleted_is_said(launch, service):
    service.is_held = True
    job = launch()
    while not service.starts:
        time.sleep(0.005)
    with service.lock:
        service.projects.clear()
    stopped(job, errors.NotFoundError)
    assert "/projects/p1 (404)" in cx.jobs()["message"][0]
    assert not job.state.is_final


# -- uploads -------------------------------------------------------------------------------------


def test_parts_are_sent_several_at_a_time(launch, service):
    """Each part waits for three others to be on their way."""
    gate = threading.Barrier(4, timeout=10)
    waited = []

    def hook(call):
        if call.port == "storage" and len(waited) < 4:
            waited.append(call)
            service.lock.release()
            try:
                gate.wait()
            finally:
                service.lock.acquire()

    service.before.append(hook)
    assert launch(workers=4).wait(30).state == "done"
    assert not gate.broken


def test_one_zip_in_parts_arrives_as_the_zip_of_all_photos(launch, service, photos):
    import io
    import zipfile

    job = launch(bundle=True, part_bytes=3000)
    assert job.wait(30).state == "done"
    parts = service.projects["p1"].parts
    data = b"".join(parts[f"bundle.{n}"] for n in range(1, len(parts) + 1))
    with zipfile.ZipFile(io.BytesIO(data)) as found:
        assert found.testzip() is None
        assert {name: found.read(name) for name in found.namelist()} == {
            path.name: path.read_bytes() for path in photos.iterdir()
        }
    assert job.progress().files_total == 1


def test_a_part_on_its_way_when_the_reply_was_lost_is_found_not_sent_again(launch, service):
    service.lose_reply("PUT", "/1.2", times=1)
    assert launch().wait(30).state == "done"
    assert service.sent_twice() == 0
    assert service.projects["p1"].received["1.2"] == 1


def test_a_hopeless_part_stops_the_job_and_only_what_is_missing_is_sent_later(
    launch, account, service
):
    service.answer("PUT", "/3.1", 403, times=1)
    job = launch()
    stopped(job, errors.PermissionDeniedError)
    assert 0 < job.progress().bytes_done < job.progress().bytes_total
    sent = dict(service.projects["p1"].received)
    assert cx.resume(job.id, account=account).wait(30).state == "done"
    assert service.sent_twice() == 0
    assert sum(service.projects["p1"].received.values()) == len(service.projects["p1"].parts)
    assert len(sent) < len(service.projects["p1"].parts)


def test_bytes_on_their_way_count_as_progress_and_not_when_they_are_lost(launch, service):
    seen, progress = [], []

    def hook(call):
        if call.port == "storage":
            seen.append(progress[0].progress().bytes_done)

    job = launch(workers=1, part_bytes=None)
    progress.append(job)
    service.before.append(hook)
    job.wait(30)
    now = job.progress()
    assert now.bytes_done == now.bytes_total
    assert seen == sorted(seen)
    assert all(done <= now.bytes_total for done in seen)


def test_a_lost_lease_stops_the_work_at_once(launch, service):
    service.is_held = True
    job = launch()
    while not service.starts:
        time.sleep(0.005)
    with Ledger() as ledger:
        ledger.update(job.id, None, run="somebody-else", pid=4711, host="elsewhere")
    service.states = []
    with service.lock:
        service.projects["p1"].states = [("running", 0.77)]
    error = stopped(job, errors.JobBusyError)
    assert "process 4711 on elsewhere" in str(error)
    assert not job.is_active


def test_attachments_are_sent_with_the_photos(launch, service, tmp_path):
    pose = Path(tmp_path / "pose.txt")
    pose.write_text("P_1.jpg 1 2 3")
    job = launch(attach=[str(pose)], part_bytes=None)
    assert job.wait(30).state == "done"
    assert service.projects["p1"].parts["5.1"] == b"P_1.jpg 1 2 3"
