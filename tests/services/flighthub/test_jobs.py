"""Jobs at FlightHub: what the contract suite cannot know."""

from __future__ import annotations

import json
import zipfile

import pytest

import cupixgeo as cx
from cupixgeo.cloud.dataset import dataset_crs
from cupixgeo.emulator import faults
from cupixgeo.emulator.flighthub import Outcome
from cupixgeo.errors import (
    BadRequestError,
    JobFailedError,
    LimitError,
    NotReadyError,
    UnclearJobError,
)
from cupixgeo.services.job_state import JobState
from cupixgeo.services.ledger import Ledger
from tests.services.flighthub.seen import calls, remote_of
from tests.services.photos import make_photos

ENOUGH_S = 60.0
CALLBACK = "/open_model/stores/upload_callback"
START = "/open_model/models/reconstruction/start"


# -- planning ------------------------------------------------------------------------------------


def test_the_tasks_at_a_time_are_compared_with_the_edition(connect, service, photos, launch):
    service.rules.run_s = 1e9
    account = connect(edition="standard")
    launch(products=["las"])
    while not service.tasks.tasks:
        pass
    plan = account.plan(photos, name="x", products=["las", "orthophoto"])
    row = plan.limits().set_index("what").loc["tasks at the same time"]
    assert (row["value"], row["most"], row["ok"]) == (3, 2, False)
    with pytest.raises(LimitError, match="Nothing was sent"):
        plan.launch()
    assert account.plan(photos, name="x", products=["las"]).problems == []


@pytest.mark.parametrize(
    ("products", "count", "ok"),
    [(["las"], 4, False), (["splats"], 9, False), (["splats"], 10, True)],
)
def test_images_are_counted_by_kind(account, tmp_path, products, count, ok):
    folder = make_photos(tmp_path / "counted", count)
    assert account.plan(folder, name="x", products=products).limits()["ok"].all() == ok


def test_the_cost_is_counted_in_images_of_the_quota(account, photos):
    cost = account.plan(photos, name="x", products=["las", "orthophoto"]).cost
    assert (cost.amount, cost.unit, cost.available) == (10, "image of the quota", None)


def test_the_planned_requests_are_the_ones_that_are_sent(account, emu, photos):
    plan = account.plan(photos, name="x", crs=32615, products=["las"])
    planned = plan.requests()
    emu.journal.clear()
    with plan.launch() as job:
        job.wait(ENOUGH_S)
    sent = [e for e in emu.journal if e.origin == "api" and e.method == "POST"]
    posts = planned[planned["method"] == "POST"]
    assert [e.path.removeprefix("/openapi/v0.1/") for e in sent] == list(posts["path"])
    assert len(emu.journal.where(origin="storage", method="PUT")) == 5


# -- starting and following ----------------------------------------------------------------------


def test_a_start_without_an_answer_is_looked_up_by_resource_and_kind(emu, launch, service):
    emu.faults.add(faults.lost_reply(), service="flighthub", path=START)
    job = launch(products=["las", "orthophoto"])
    assert job.wait(ENOUGH_S).state == "done"
    assert len(calls(emu, START)) == 1
    assert set(remote_of(job)["models"]) == {"2d", "3d"}


def test_a_start_that_may_have_run_and_ended_is_unclear(emu, account, photos, service):
    plan = account.plan(photos, name="x", products=["las"])
    emu.faults.add(faults.lost_reply(), service="flighthub", path=START)
    emu.faults.add(
        faults.server_error(), service="flighthub", path="/open_model/models/running", times=None
    )
    with plan.launch() as job:
        while not service.tasks.tasks:
            assert job.is_active
        job.stop()
    emu.faults.clear()
    emu.clock.advance(100_000)
    again = cx.resume(job.id, account=account)
    with again, pytest.raises(UnclearJobError, match="start_again=True"):
        again.wait(ENOUGH_S)
    assert len(service.tasks.tasks) == 1


@pytest.mark.parametrize(
    ("outcome", "message"),
    [
        (Outcome(status=8, error_code=310001), "code 310001.*error guide"),
        (Outcome(status=13, error_code=77), "no machine was given, code 77"),
        (Outcome(zip_status=3), "archive could not be packed"),
    ],
)
def test_every_documented_end_is_told_with_its_reason(rules, launch, outcome, message):
    rules.outcome = outcome
    job = launch()
    with pytest.raises(JobFailedError, match=message):
        job.wait(ENOUGH_S)
    assert job.state is JobState.FAILED


def test_both_numbers_of_success_are_success(rules, launch):
    rules.outcome = Outcome(status=9)
    job = launch()
    assert job.wait(ENOUGH_S).state == "done"
    assert "map reconstruction succeeded (9), packed" in job.progress().service_state


def test_error_codes_can_be_given_a_meaning(connect, rules, launch):
    rules.outcome = Outcome(status=8, error_code=310001)
    job = launch(using=connect(code_texts={310001: "too little overlap"}))
    with pytest.raises(JobFailedError, match="too little overlap"):
        job.wait(ENOUGH_S)


def test_when_one_kind_fails_the_job_fails_and_says_how_to_get_the_other(
    emu, account, service, launch, tmp_path
):
    start = service.tasks.start

    def half(user, order, resource):
        made = start(user, order, resource)
        made[0].outcome = Outcome(status=8, error_code=310001)
        return made

    service.tasks.start = half
    job = launch(products=["las", "orthophoto"])
    with pytest.raises(JobFailedError, match="2d model was not made") as caught:
        job.wait(ENOUGH_S)
    uuid = remote_of(job)["models"]["3d"]
    assert f"account.download_model('{uuid}'" in str(caught.value)
    assert zipfile.is_zipfile(account.download_model(uuid, tmp_path))


def test_a_refusal_of_the_service_stops_the_job_with_its_code(rules, launch, emu):
    rules.quota_images = 4
    job = launch()
    with pytest.raises(BadRequestError, match="code 990003"):
        job.wait(ENOUGH_S)
    assert not job.state.is_final
    assert len(calls(emu, START)) == 1


def test_photos_nobody_can_read_fail_at_the_service(launch, photos, service):
    start = service.tasks.start

    def spoilt(user, order, resource):
        name = next(iter(resource.files))
        bucket = service.uploads.bucket()
        resource.files[name] = bucket._held(b"no picture")
        return start(user, order, resource)

    service.tasks.start = spoilt
    with pytest.raises(JobFailedError, match="310002"):
        launch().wait(ENOUGH_S)


def test_a_resource_somebody_deleted_ends_the_job(rules, launch, emu, service):
    rules.importing_s = 1e9
    job = launch()
    while not service.uploads.resources:
        assert job.is_active
    next(iter(service.uploads.resources.values())).delete_asked = True
    with pytest.raises(JobFailedError, match="somebody deleted it"):
        job.wait(ENOUGH_S)


def test_the_resource_is_deleted_after_the_job_where_that_was_asked_for(launch, service, account):
    launch(delete_resource_if_finish=True).wait(ENOUGH_S)
    (uuid,) = service.uploads.resources
    assert account.resource(uuid)["status"] == 3


def test_cancelling_stops_all_kinds_and_gives_the_quota_back(rules, launch, service, emu):
    rules.run_s = 1e9
    job = launch(products=["las", "orthophoto"])
    while len(service.tasks.tasks) < 2:
        assert job.is_active
    assert job.cancel(ENOUGH_S).state == "cancelled"
    assert len(calls(emu, "/reconstruction/stop")) == 2
    assert service.tasks.used(service.directory.users[0]) == 0


def test_cancelling_before_anything_was_reported_leaves_no_resource(launch, emu, service):
    emu.faults.add(
        faults.json_reply({"code": 200610, "message": "no"}), service="flighthub", path=CALLBACK
    )
    job = launch()
    with pytest.raises(BadRequestError):
        job.wait(ENOUGH_S)
    assert job.cancel(ENOUGH_S).state == "cancelled"
    assert not service.uploads.resources


# -- collecting ----------------------------------------------------------------------------------


@pytest.mark.parametrize("cloud", ["aws", "ali"])
def test_results_can_be_read_from_the_storage_where_credentials_allow_it(
    connect, rules, launch, tmp_path, cloud
):
    rules.cloud_name, rules.keys_may_read, rules.key_scope = cloud, True, "organization"
    account = connect(assume={"results_via": "store"})
    job = launch(using=account)
    job.wait(ENOUGH_S)
    assert job.results(tmp_path / "out").of("pointcloud")


def test_results_wait_for_their_archive(account, service, rules, launch):
    rules.zip_s = 1e9
    job = launch()
    while not service.tasks.tasks:
        assert job.is_active
    job.stop()
    driver = account.driver()
    from cupixgeo.services.job_record import LedgerRecord

    with Ledger() as ledger, pytest.raises(NotReadyError, match="no finished archive"):
        driver.products(LedgerRecord(ledger, job.id))
    driver.close()


@pytest.mark.parametrize("product", ["las", "point_ply"])
@pytest.mark.parametrize("crs", [32615, 32616])
def test_the_point_cloud_opens_in_the_crs_that_was_asked_for(launch, tmp_path, product, crs):
    job = launch(products=[product], crs=crs)
    job.wait(ENOUGH_S)
    cloud = job.results(tmp_path / "out").open_pointcloud()
    assert dataset_crs(cloud).to_epsg() == crs
    easting = float(cloud["x"].mean())
    assert (easting > 500_000) == (crs == 32615)


def test_heights_are_in_the_vertical_crs_that_was_asked_for(tmp_path):
    """The header of a DJI LAS says nothing about heights; the request does."""
    import laspy
    import numpy as np
    from pyproj import CRS

    from cupixgeo.services.flighthub.order import read_order
    from cupixgeo.services.flighthub.place import crs_of
    from cupixgeo.services.flighthub.settings import FlightHubSettings
    from cupixgeo.services.job_values import JobRequest

    header = laspy.LasHeader(version="1.4", point_format=6)
    header.scales, header.offsets = [0.001] * 3, [576_000, 5_188_000, 0]
    header.add_crs(CRS(32615))
    las = laspy.LasData(header)
    las.x, las.y, las.z = np.array([[576_000.0], [5_188_000.0], [160.0]])
    path = tmp_path / "cloud_merged.las"
    las.write(path)

    def asked(crs):
        return read_order(JobRequest("x", crs, ("las",), {}), FlightHubSettings())

    found = crs_of(asked("EPSG:32615+5773"), path, tmp_path, kind="3d")
    assert [part.to_epsg() for part in found.sub_crs_list] == [32615, 5773]
    assert crs_of(asked(32615), path, tmp_path, kind="3d") is None
    assert crs_of(asked("EPSG:32616+5773"), path, tmp_path, kind="3d") is None
    assert json.dumps(asked(32615))
