"""The laws every service that runs jobs keeps. Inherit `JobContract` and give it a ``stage``.

::

    class TestTeleportJobs(JobContract):
        @pytest.fixture
        def stage(self, emu, photos) -> JobStage:
            return TeleportStage(emu, photos)

A stage is fresh for each test: nothing was made at its service yet.
"""

from __future__ import annotations

import random
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import cupixgeo as cx
from cupixgeo import errors
from cupixgeo.services.job import Job
from cupixgeo.services.job_values import JobRequest
from cupixgeo.services.ledger import Ledger, Phase
from cupixgeo.services.offer import Argument
from cupixgeo.services.products import KINDS
from tests.services.stage import JobStage

ENOUGH_S = 60.0


class JobContract:
    """The laws. What a law needs is in its arguments."""

    @pytest.fixture
    def stage(self) -> JobStage:
        raise NotImplementedError("give the contract a stage")

    @pytest.fixture
    def account(self, stage: JobStage) -> Iterator[Any]:
        with stage.connect() as account:
            yield account

    @pytest.fixture
    def plan(self, stage: JobStage, account: Any) -> Callable[..., Any]:
        def plan(photos: Path | None = None, **options: Any) -> Any:
            chosen = stage.photos if photos is None else photos
            return account.plan(chosen, **{"name": "Pier 4", **stage.options, **options})

        return plan

    @pytest.fixture
    def launch(self, plan: Callable[..., Any]) -> Iterator[Callable[..., Job]]:
        launched: list[Job] = []

        def launch(photos: Path | None = None, *, workers: int = 2, **options: Any) -> Job:
            launched.append(plan(photos, **options).launch(workers=workers))
            return launched[-1]

        yield launch
        for job in launched:
            job.close()

    @pytest.fixture
    def done(self, launch: Callable[..., Job]) -> Job:
        job = launch()
        assert job.wait(ENOUGH_S).state == "done"
        return job

    @pytest.fixture
    def ticking(self, stage: JobStage) -> Iterator[None]:
        """Time goes by at the service while another process waits for it."""
        ended = threading.Event()

        def tick() -> None:
            while not ended.wait(0.01):
                stage.tick(1.0)

        thread = threading.Thread(target=tick)
        thread.start()
        yield
        ended.set()
        thread.join()

    # -- planning --------------------------------------------------------------------------------

    def test_a_plan_sends_nothing(self, stage, plan, state):
        made = plan()
        assert len(made.requests())
        assert made.intent.bytes > 0
        assert stage.changes() == stage.made() == stage.uploaded() == 0
        assert not state.exists()

    def test_a_plan_shows_requests_and_limits_without_secrets(self, stage, plan):
        made = plan()
        shown = repr(made) + made._repr_html_() + made.requests().to_csv() + str(made.limits())
        assert made.limits()["ok"].all()
        for secret in stage.planted:
            assert secret not in shown

    def test_a_product_nobody_makes_is_refused_before_anything_is_sent(self, stage, plan):
        with pytest.raises(errors.ArgumentError, match=stage.wrong_product):
            plan(products=[stage.wrong_product])
        assert stage.changes() == 0

    def test_what_is_offered_is_taken(self, stage, account):
        """A refusal of a value that is offered names another argument that it needs."""
        with closing(account.driver()) as driver:
            offer = driver.offer()
            assert stage.wrong_product not in offer.products
            assert set(offer.usual_products) <= set(offer.products)
            arguments = driver.offer(offer.usual_products).arguments
            for argument in arguments:
                others = [one.name for one in arguments if one != argument]
                for value in self.values_of(argument):
                    says = self.refusal(driver, argument, value)
                    assert not says or any(name in says for name in others), says
        assert stage.changes() == 0

    def test_a_crs_is_taken_where_it_is_offered_and_only_there(self, account):
        with closing(account.driver()) as driver:
            request = JobRequest("Pier 4", 32650)
            if driver.offer().takes_crs:
                driver.parameters(request)
            else:
                with pytest.raises(errors.ArgumentError, match="crs="):
                    driver.parameters(request)

    def test_an_area_is_taken_as_geojson_where_it_is_offered(self, account):
        ring = [[-92.0, 46.84], [-91.99, 46.84], [-91.99, 46.85], [-92.0, 46.84]]
        area = {"type": "Polygon", "coordinates": [ring]}
        with closing(account.driver()) as driver:
            name = driver.offer().area
            if name:
                made = driver.parameters(JobRequest("Pier 4", None, (), {name: area}))
                assert "46.8" in str(made) or "51" in str(made)  # degrees, or metres north

    def test_a_job_beyond_the_limits_is_refused_before_anything_is_sent(self, stage, plan):
        photos, options = stage.too_little()
        made = plan(photos, **options)
        assert made.problems
        with pytest.raises(errors.LimitError, match="Nothing was sent"):
            made.launch()
        assert stage.changes() == stage.made() == 0
        assert cx.jobs().empty

    def test_no_photos_are_refused(self, plan, tmp_path):
        (tmp_path / "empty").mkdir()
        with pytest.raises(errors.ArgumentError, match="no photos"):
            plan(tmp_path / "empty")

    def test_a_plan_is_launched_once(self, stage, plan):
        made = plan()
        with made.launch() as job:
            with pytest.raises(errors.ArgumentError, match="launched before"):
                made.launch()
            job.wait(ENOUGH_S)
        assert stage.made() == stage.started() == 1

    # -- the ledger ------------------------------------------------------------------------------

    def test_nothing_is_sent_where_the_intent_cannot_be_written(self, stage, plan, state):
        state.write_text("a file where the ledger's folder should be")
        with pytest.raises(errors.JobError, match="CUPIXGEO_STATE"):
            plan().launch()
        assert stage.changes() == 0

    def test_files_and_hashes_are_written_before_the_first_byte(self, stage, launch):
        stage.trouble("create", "refused")
        job = launch()
        with pytest.raises(errors.ServiceError):
            job.wait(ENOUGH_S)
        with Ledger() as ledger:
            files = list(ledger.row(job.id).intent.files)
        assert [file.size for file in files] == [file.path.stat().st_size for file in files]
        assert all(len(file.digests["sha256"]) == 64 for file in files)
        assert stage.uploaded() == 0

    def test_secrets_are_nowhere(self, stage, done, account, state, tmp_path, caplog):
        results = done.results(tmp_path / "out")
        frames = (cx.jobs(), done.history(), done.inventory(), results.table)
        shown = [repr(done), done._repr_html_(), repr(account), repr(results), caplog.text]
        shown += [frame.to_csv() for frame in frames]
        kept = b"".join(path.read_bytes() for path in state.iterdir())
        for secret in stage.planted:
            assert secret.encode() not in kept
            assert not any(secret in text for text in shown)
        assert stage.leaked() == 0

    def test_jobs_are_listed_with_times_that_have_a_zone(self, stage, done):
        (row,) = cx.jobs().to_dict("records")
        assert row["job_id"] == done.id
        assert (row["service"], row["state"], row["name"]) == (stage.service, "done", "Pier 4")
        assert row["bytes_sent"] >= row["bytes"] > 0
        assert cx.jobs()["created"].dt.tz is not None
        assert abs(pd.Timestamp.now("UTC") - row["created"]) < pd.Timedelta(minutes=10)
        assert done.history()["time"].dt.tz is not None

    def test_a_ledger_without_jobs_is_a_table_with_its_columns(self):
        table = cx.jobs()
        assert table.empty
        assert {"job_id", "service", "state", "created"} <= set(table.columns)

    # -- uploading -------------------------------------------------------------------------------

    def test_a_job_is_made_and_started_once_and_ends_done(self, stage, done):
        now = done.progress()
        assert now.state == "done"
        assert now.fraction == 1.0
        assert now.service_state
        assert (
            now.bytes_done
            == now.bytes_total
            >= sum(path.stat().st_size for path in stage.photos.iterdir() if path.suffix == ".jpg")
        )
        assert now.files_done == now.files_total > 0
        assert stage.made() == stage.started() == 1

    def test_progress_goes_forward_through_known_states(self, launch):
        seen = []
        launch().wait(ENOUGH_S, watch=seen.append)
        assert all(0.0 <= now.fraction <= 1.0 for now in seen)
        sent = [now.bytes_done for now in seen]
        assert sent == sorted(sent)
        order = ["planned", "uploading", "queued", "running", "finishing", "done"]
        places = [order.index(now.state) for now in seen]
        assert places == sorted(places)

    @pytest.mark.parametrize("kind", ["server_error", "rate_limited", "no_answer", "lost_reply"])
    def test_a_part_that_fails_is_sent_again_alone(self, stage, launch, kind):
        stage.trouble("part", kind)
        job = launch()
        assert job.wait(ENOUGH_S).state == "done"
        assert stage.uploaded() <= job.progress().bytes_total + 2 * stage.largest_part + 10_000
        assert stage.made() == stage.started() == 1

    # -- creating and starting once --------------------------------------------------------------

    @pytest.mark.parametrize("step", ["create", "start"])
    @pytest.mark.parametrize("kind", ["lost_reply", "no_answer", "server_error", "rate_limited"])
    def test_what_costs_is_done_once_whatever_happens_to_its_reply(self, stage, launch, step, kind):
        stage.trouble(step, kind)
        assert launch().wait(ENOUGH_S).state == "done"
        assert stage.made() == stage.started() == 1

    @pytest.mark.parametrize("step", ["create", "start"])
    def test_a_web_page_instead_of_an_answer_is_never_taken_for_one(self, stage, launch, step):
        stage.trouble(step, "html")
        assert launch().wait(ENOUGH_S).state == "done"
        assert stage.made() == stage.started() == 1

    @pytest.mark.parametrize("step", ["create", "start"])
    def test_a_refusal_stops_the_job_and_it_can_be_resumed(self, stage, launch, account, step):
        stage.trouble(step, "refused")
        job = launch()
        with pytest.raises(errors.CupixGeoError) as caught:
            job.wait(ENOUGH_S)
        assert str(caught.value) in cx.jobs()["message"][0]
        assert not job.state.is_final
        assert stage.started() == 0
        assert cx.resume(job.id, account=account).wait(ENOUGH_S).state == "done"
        assert stage.started() == 1

    # -- following -------------------------------------------------------------------------------

    def test_a_state_nobody_documented_is_not_success(self, stage, launch):
        stage.say_unknown()
        job = launch()
        assert job.wait(ENOUGH_S).state == "done"
        states = job.history().query("kind == 'state'")["text"]
        assert states.str.startswith("unknown").any()

    def test_a_failed_job_says_why_and_has_no_results(self, stage, launch, tmp_path):
        stage.fail_job()
        job = launch()
        with pytest.raises(errors.JobFailedError, match=job.id) as caught:
            job.wait(ENOUGH_S)
        assert job.state == "failed"
        assert cx.jobs()["message"][0] == str(caught.value)
        with pytest.raises(errors.NotReadyError, match="failed"):
            job.results(tmp_path / "out")
        assert not (tmp_path / "out").exists()

    @pytest.mark.parametrize("kind", ["server_error", "html", "no_answer", "rate_limited"])
    def test_a_job_outlives_bad_answers_to_how_it_is(self, stage, launch, kind):
        stage.trouble("status", kind, times=3)
        assert launch().wait(ENOUGH_S).state == "done"

    # -- cancelling ------------------------------------------------------------------------------

    def test_cancelling_before_the_start_leaves_nothing_running(self, stage, launch):
        stage.trouble("start", "refused")
        job = launch()
        with pytest.raises(errors.CupixGeoError):
            job.wait(ENOUGH_S)
        assert job.cancel(ENOUGH_S).state == "cancelled"
        assert stage.started() == stage.running() == 0

    def test_cancelling_a_started_job_is_confirmed_by_the_service(self, stage, launch, account):
        stage.hold()
        job = self.leave_at(launch(), Phase.STARTED)
        assert stage.running() == 1
        with cx.resume(job.id, account=account) as again:
            assert again.cancel(ENOUGH_S).state == "cancelled"
        assert stage.running() == 0
        assert cx.resume(job.id, account=account).state == "cancelled"

    def test_a_cancelled_job_has_no_results(self, stage, launch, tmp_path):
        stage.hold()
        job = launch()
        assert job.cancel(ENOUGH_S).state == "cancelled"
        with pytest.raises(errors.NotReadyError, match="cancelled"):
            job.results(tmp_path / "out")

    def test_cancelling_a_job_that_is_done_leaves_it_done(self, stage, done):
        before = stage.changes()
        assert done.cancel(ENOUGH_S).state == "done"
        assert stage.changes() == before

    # -- resuming --------------------------------------------------------------------------------

    def test_a_killed_process_costs_no_second_project_and_at_most_the_parts_on_their_way(
        self, stage, children, ticking, account
    ):
        order = {**stage.child(), "service": stage.service, "photos": stage.photos}
        before = stage.requests()
        whole = children.start(**order, options=stage.options).wait()
        assert whole.get("state") == "done", whole
        total, sent = stage.requests() - before, stage.uploaded()
        points = sorted(random.Random(7).sample(range(1, total), min(stage.kill_points, total - 1)))
        for point in points:
            made, jobs = stage.made(), len(cx.jobs())
            before, uploaded = stage.requests(), stage.uploaded()
            child = children.start(**order, options=stage.options)
            while child.is_alive and stage.requests() - before < point:
                time.sleep(0.0005)
            child.kill()
            if len(cx.jobs()) == jobs:  # it was killed while it was planning
                assert stage.made() == made
                continue
            with cx.resume(cx.jobs()["job_id"][0], account=account) as job:
                assert job.wait(ENOUGH_S).state == "done"
            assert stage.made() == stage.started() == made + 1, f"killed at {point}"
            again = stage.uploaded() - uploaded - sent
            assert again <= 2 * (stage.largest_part + 2000), f"killed at {point}"

    def test_a_resumed_job_needs_nothing_but_its_id_and_a_credential(
        self, stage, children, ticking, launch
    ):
        job = self.leave_at(launch(), Phase.UPLOADED)
        child = stage.child()
        again = children.start(**child, service=stage.service, job=job.id)
        assert again.wait() == {"job": job.id, "state": "done"}
        assert stage.made() == stage.started() == 1

    def test_a_job_left_in_this_process_goes_on_in_it(self, stage, launch, account):
        job = self.leave_at(launch(), Phase.LISTED)
        assert not job.is_active
        assert cx.resume(job.id, account=account).wait(ENOUGH_S).state == "done"
        assert stage.made() == stage.started() == 1

    def test_two_processes_at_one_job_one_is_told_who_has_it(self, stage, children, launch):
        job = self.leave_at(launch(), Phase.LISTED)
        job.run()
        other = children.start(**stage.child(), service=stage.service, job=job.id).wait()
        if other.get("error"):
            assert other["error"] == "JobBusyError"
            assert "process" in other["message"]
        job.wait(ENOUGH_S)
        assert stage.made() == stage.started() == 1

    def test_a_photo_that_changed_is_not_mixed_with_the_old_one(
        self, stage, launch, account, tmp_path
    ):
        photos = tmp_path / "copied"
        shutil.copytree(stage.photos, photos)
        stage.trouble("create", "refused")
        job = launch(photos)
        with pytest.raises(errors.CupixGeoError):
            job.wait(ENOUGH_S)
        with Ledger() as ledger:
            first = ledger.row(job.id).intent.files[0].path
        first.write_bytes(first.read_bytes() + b"!")
        with pytest.raises(errors.JobError, match="another file"):
            cx.resume(job.id, account=account).wait(ENOUGH_S)
        assert stage.uploaded() == stage.started() == 0

    def test_a_wrong_token_stops_the_job_and_a_right_one_resumes_it(self, stage, launch, account):
        job = self.leave_at(launch(), Phase.LISTED)
        with stage.connect(**stage.wrong_token()) as wrong, pytest.raises(errors.CupixGeoError):
            cx.resume(job.id, account=wrong).wait(ENOUGH_S)
        assert not job.state.is_final
        assert cx.resume(job.id, account=account).wait(ENOUGH_S).state == "done"

    def test_resuming_a_job_that_is_done_changes_nothing(self, stage, done, account, tmp_path):
        before = stage.changes()
        assert cx.resume(done.id[:6], account=account).results(tmp_path / "out").files
        assert stage.changes() == before

    def test_an_unknown_job_is_refused(self, account, done):
        with pytest.raises(errors.ArgumentError, match=r"cx\.jobs\(\)"):
            cx.resume("nosuchjob0", account=account)

    # -- collecting ------------------------------------------------------------------------------

    def test_results_wait_for_the_end(self, stage, launch, tmp_path):
        job = self.leave_at(launch(), Phase.STARTED)
        with pytest.raises(errors.NotReadyError, match=r"wait\(\)"):
            job.results(tmp_path / "out")

    def test_the_inventory_fetches_nothing(self, stage, done):
        before = stage.fetched()
        table = done.inventory()
        assert len(table)
        assert set(table["kind"]) <= set(KINDS)
        assert table["name"].notna().all()
        assert stage.fetched() == before

    def test_results_are_whole_and_fetched_once(self, stage, done, tmp_path):
        results = done.results(tmp_path / "out")
        assert all(file.path.stat().st_size == file.bytes for file in results.files)
        assert not list((tmp_path / "out").rglob(".*"))
        before = stage.fetched()
        assert done.results(tmp_path / "out").files == results.files
        assert stage.fetched() == before
        assert cx.jobs()["folder"][0] == str(tmp_path / "out")

    @pytest.mark.parametrize("kind", ["server_error", "rate_limited", "no_answer"])
    def test_a_download_that_fails_is_tried_again(self, stage, done, tmp_path, kind):
        stage.trouble("download", kind)
        assert done.results(tmp_path / "out").files

    def test_a_web_page_is_never_kept_as_a_result(self, stage, done, tmp_path):
        stage.trouble("download", "html", times=50)
        with pytest.raises(errors.CupixGeoError):
            done.results(tmp_path / "out")
        assert not [p for p in (tmp_path / "out").rglob("*") if b"<html" in p.read_bytes()]

    def test_the_point_cloud_opens_with_a_crs(self, stage, done, tmp_path):
        results = done.results(tmp_path / "out")
        if not stage.makes_pointcloud:
            with pytest.raises(errors.EmptyCloudError, match=done.id):
                results.open_pointcloud()
            return
        cloud = done.open_pointcloud()
        assert cloud.sizes["point"] > 0
        assert cloud["spatial_ref"].attrs["crs_wkt"]
        assert Path(results.of("pointcloud")[0]).is_relative_to(tmp_path / "out")

    # -- how the laws are tried ------------------------------------------------------------------

    @staticmethod
    def values_of(argument: Argument) -> tuple[Any, ...]:
        """Give values that are offered; none for files and free texts, which have to exist."""
        if argument.choices:
            return argument.choices
        if argument.kind == "bool":
            return (True, False)
        ends = [end for end in (argument.low, argument.high) if end is not None]
        return tuple(int(end) if end == int(end) else end for end in ends)

    @staticmethod
    def refusal(driver: Any, argument: Argument, value: Any) -> str:
        """Give what is said against a value; nothing where it is taken."""
        given = {argument.name: value} | ({argument.needs: True} if argument.needs else {})
        keywords = {argument.group: given} if argument.group else given
        try:
            driver.parameters(JobRequest("Pier 4", None, (), keywords))
        except errors.ArgumentError as error:
            return str(error)
        return ""

    @staticmethod
    def leave_at(job: Job, phase: Phase) -> Job:
        """Let this process leave a job as soon as it has come so far."""
        with Ledger() as ledger:
            while ledger.row(job.id).phase < phase and job.is_active:
                time.sleep(0.001)
            job.stop()
        return job
